"""Keeps the histograms of a sample in the run's folder, before its row names them."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from slkbench.errors import StoreError
from slkbench.histograms import log_text
from slkbench.model import Sample
from slkbench.runner.launch_sample import RecordedSample
from slkbench.store import write_whole

__all__ = ["keep_histograms"]

_FOLDER = "histograms"


def keep_histograms(run_dir: Path, sample: Sample) -> Sample:
    """The sample as it is stored: its histograms are in a file, which ``histograms`` names.

    A sample without histograms comes back as it is.  Raises ``StoreError`` for a folder that cannot
    be written.
    """
    if not isinstance(sample, RecordedSample) or sample.started_utc is None:
        return sample
    folder = run_dir / _FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {folder}: {error.strerror}. Check permissions.") from None
    file = _unused(folder, sample)
    text = log_text(
        sample.round_trips,
        sample.send_lag,
        started=datetime.fromisoformat(sample.started_utc),
        elapsed_s=(sample.elapsed_ns or 0) / 1e9,
        max_ns=sample.max_ns or 0,
    )
    write_whole(file, text)
    values: dict[str, Any] = {each.name: getattr(sample, each.name) for each in fields(Sample)}
    return Sample(**{**values, "histograms": f"{_FOLDER}/{file.name}"})


def _unused(folder: Path, sample: Sample) -> Path:
    """A name that says which sample it is; a number sets apart what else would be called alike."""
    words = (
        sample.pattern,
        sample.transport,
        f"{sample.size_bytes}B",
        f"{sample.offered_msgs_per_s}ps",
        f"{sample.block:02}.{sample.slot}",
        sample.arm,
    )
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(words))
    file, number = folder / f"{stem}.hlog", 1
    while file.exists():
        number += 1
        file = folder / f"{stem}-{number}.hlog"
    return file
