"""One question in several sessions: everything starts again, with a new seed and after a pause."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from slkbench.errors import StoreError, UsageError
from slkbench.runner.progress import Observer, Silent
from slkbench.runner.result import RunResult, judge_run
from slkbench.runner.session import Backend, Request, run_request
from slkbench.stats import Recurrence, recurrences
from slkbench.store import SAMPLES_NAME, read_run, write_whole
from slkbench.units import format_duration

__all__ = ["run_sessions", "stored_recurrences"]

SESSIONS_NAME = "sessions.json"
_SEED_BITS = 31


def run_sessions(
    request: Request,
    count: int,
    *,
    every_s: float = 0.0,
    observer: Observer | None = None,
    backend: Backend | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock_s: Callable[[], float] = time.monotonic,
) -> tuple[list[RunResult], tuple[Recurrence, ...]]:
    """Run ``request`` so often, a session beginning ``every_s`` seconds after the one before.

    Each session is a run of its own; what they say together is in ``sessions.json`` of the last.
    Raises as ``run_request`` does, and UsageError for a run to resume.
    """
    if request.scenario is None or request.resume is not None:
        raise UsageError("--sessions begins new runs; leave --resume away")
    listener = observer or Silent()
    first = request.scenario.seed
    seed = secrets.randbits(_SEED_BITS) if first is None else first
    results: list[RunResult] = []
    for number in range(count):
        began_s = clock_s()
        # Rates that are shares are those of the first: each session would have its own cells.
        asked = results[0].scenario.cells if results else request.scenario.cells
        scenario = replace(request.scenario, cells=asked, seed=seed + number)
        listener.note(f"session {number + 1} of {count}")
        results.append(
            run_request(replace(request, scenario=scenario), observer=observer, backend=backend)
        )
        rest_s = every_s - (clock_s() - began_s)
        if number + 1 < count and rest_s > 0:
            listener.note(f"the next session begins in {format_duration(rest_s)}")
            sleep(rest_s)
    found = recurrences([result.verdicts for result in results])
    _keep(results, found)
    return results, found


def stored_recurrences(path: Path) -> tuple[Recurrence, ...]:
    """What the sessions say together of which the run in ``path`` was the last; () for any other.

    All of it is computed anew from the samples.  Also () where a session's run is gone.
    """
    try:
        record = json.loads((path / SESSIONS_NAME).read_text(encoding="utf-8"))
        names = [str(name) for name in record["runs"]]
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(f"{path / SESSIONS_NAME} cannot be read: {error}") from None
    folders = [path.parent / Path(name).name for name in names]
    if not all((folder / SAMPLES_NAME).is_file() for folder in folders):
        return ()
    return recurrences([judge_run(read_run(folder)).verdicts for folder in folders])


def _keep(results: Sequence[RunResult], found: Sequence[Recurrence]) -> None:
    record: dict[str, Any] = {
        "runs": [result.path.name for result in results],
        "cells": [asdict(each) | {"title": each.cell.title} for each in found],
    }
    write_whole(results[-1].path / SESSIONS_NAME, json.dumps(record, indent=2) + "\n")
