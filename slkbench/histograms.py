"""Files of histograms: HdrHistogram logs, whose tools read them as well.

A file holds the round trips of one sample without a tag and its send lags under a tag, each as one
compressed V2 histogram of nanoseconds.  http://hdrhistogram.github.io/HdrHistogram describes both.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from slkbench.errors import StoreError

__all__ = ["SEND_LAG", "Distribution", "log_text", "read_distribution"]

SEND_LAG = "send-lag"
_COMPRESSED_V2_COOKIE = 0x1C849314
_LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


@dataclass(frozen=True, slots=True)
class Distribution:
    """``values`` in ns, ascending, as often as ``counts`` say: what a histogram holds."""

    values: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many were recorded."""
        return sum(self.counts)

    def values_at(self, fractions: Sequence[float]) -> list[int]:
        """For each of the ascending ``fractions`` the value that so many do not exceed."""
        total, found = self.total, []
        place, seen = 0, self.counts[0] if self.counts else 0
        for fraction in fractions if total else ():
            while seen < fraction * total and place + 1 < len(self.counts):
                place += 1
                seen += self.counts[place]
            found.append(self.values[place])
        return found


def log_text(
    round_trips: bytes, send_lag: bytes, *, started: datetime, elapsed_s: float, max_ns: int
) -> str:
    """A log with both, each as the driver encodes it. ``started`` knows its time zone."""
    start_s = started.timestamp()
    lines = (
        "#[Histogram log format version 1.3]",
        f"#[StartTime: {start_s:.3f} (seconds since epoch), {started.isoformat()}]",
        "#[values in ns; interval maxima of round trips, in ms]",
        _LEGEND,
        f"0.000,{elapsed_s:.3f},{max_ns / 1e6:.3f},{_compressed(round_trips)}",
        f"Tag={SEND_LAG},0.000,{elapsed_s:.3f},{max_ns / 1e6:.3f},{_compressed(send_lag)}",
    )
    return "\n".join(lines) + "\n"


def _compressed(encoded: bytes) -> str:
    packed = zlib.compress(encoded)
    header = struct.pack(">II", _COMPRESSED_V2_COOKIE, len(packed))
    return base64.b64encode(header + packed).decode()


def read_distribution(file: Path, tag: str = "") -> Distribution:
    """The histogram of ``tag`` in a log, the one without a tag by default.

    Raises ``StoreError`` for a file that is missing, damaged or has no such histogram.
    """
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        for line in lines:
            named, text = _split_tag(line)
            if named == tag and "," in text and not text.startswith(("#", '"')):
                return _decoded(text.rsplit(",", 1)[1])
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}. Is the run whole?") from None
    except (ValueError, zlib.error, struct.error) as error:
        raise StoreError(f"{file} is damaged: {error}. Restore it from a copy.") from None
    raise StoreError(f"{file} has no histogram{f' of {tag}' if tag else ''}.")


def _split_tag(line: str) -> tuple[str, str]:
    if not line.startswith("Tag="):
        return "", line
    tag, _, rest = line.removeprefix("Tag=").partition(",")
    return tag, rest


def _decoded(text: str) -> Distribution:
    from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

    histogram: Any = HdrHistogram.decode(text)
    recorded = [
        (item.value_iterated_to, item.count_at_value_iterated_to)
        for item in histogram.get_recorded_iterator()
    ]
    return Distribution(
        tuple(int(value) for value, _ in recorded), tuple(int(count) for _, count in recorded)
    )
