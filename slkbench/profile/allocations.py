"""Allocations per message: what each thread asks malloc for, counted by a preloaded library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from slkbench.errors import UsageError
from slkbench.model import ContenderKind, ProfileRow, Topology
from slkbench.profile.counting import (
    Counting,
    Key,
    Request,
    count_differences,
    counted_rows,
    known_row,
)
from slkbench.profile.workload import (
    LOCKSTEP,
    ProcessReport,
    ProfileFailure,
    role_of_part,
    run_workload,
)

__all__ = ["COUNTER", "TOOL", "count_threads", "profile_allocations"]

TOOL = "allocations"
COUNTER = Path(__file__).resolve().parent / "malloc_counts.so"

_BACKLOGS = (1000, 10_000, 100_000)
# What they are compared with: a turn may take a tenth of a second, where a library's I/O thread is
# never quite idle, and messages to warm up are in turns too.
_BACKLOG_LEAST = 100
_BACKLOG_BYTES_MAX = 256 << 20
_QUANTITIES = ("allocations", "frees", "allocated-bytes")


def profile_allocations(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell.

    Raises UsageError where the counter is not built, and ProfileFailure.
    """
    if not COUNTER.is_file():
        raise UsageError(f"{COUNTER} is not built; pip install . in slkbench's folder")
    counting = Counting("counting allocations", _wrap, _read, _QUANTITIES)
    counted = count_differences(request, counting)
    blank = known_row(TOOL, request, counted.reports)
    peak = max(int(report.result["max_rss_bytes"]) for report in counted.reports)
    rows = counted_rows(blank, counted.repetitions, request.messages_more)
    whole = replace(blank, role="all", quantity="peak-rss-bytes", count=float(peak))
    return [*rows, whole, *_backlog_rows(request, blank)]


def _wrap(folder: Path, role: str, command: list[str]) -> list[str]:
    # Set by env, so that only what is measured is counted.
    variables = [f"LD_PRELOAD={COUNTER}", f"SLKBENCH_ALLOCATIONS_FILE={folder / role}"]
    return ["env", *variables, *command]


def _read(folder: Path, report: ProcessReport) -> Mapping[Key, float]:
    file = folder / report.role
    if not file.is_file():
        raise ProfileFailure(f"{report.role} was not counted; is it a static program?")
    return count_threads(file.read_text().splitlines(), report.parts)


def _backlog_rows(request: Request, blank: ProfileRow) -> list[ProfileRow]:
    """Memory against backlog: one thread sends so many messages before it receives any.

    Without high water marks, and by what it takes more than a small backlog.  Only where one
    thread can drive both sockets, and for libraries: a bare socket holds no backlog.
    """
    workload = request.workload
    if (
        workload.contender.kind is ContenderKind.FLOOR
        or workload.cell.topology is not Topology.THREADS
    ):
        return []
    cell = replace(workload.cell, sndhwm=0, rcvhwm=0)
    peaks = {}
    for backlog in (_BACKLOG_LEAST, *_BACKLOGS):
        if backlog * cell.size_bytes > _BACKLOG_BYTES_MAX:
            continue
        request.note(f"memory with a backlog of {backlog} messages")
        unlimited = replace(workload, cell=cell, kind=LOCKSTEP, turn_of=backlog)
        (report,) = run_workload(unlimited, backlog, wrap=lambda _role, command: command)
        peaks[backlog] = int(report.result["max_rss_bytes"])
    least = peaks.pop(_BACKLOG_LEAST, None)
    if least is None:
        return []
    return [
        replace(
            blank,
            role="all",
            what=f"backlog {backlog}",
            quantity="backlog-bytes",
            from_bytes=backlog * cell.size_bytes,
            sndhwm=0,
            rcvhwm=0,
            workload=LOCKSTEP,
            count=float(peak - least),
            messages=backlog,
            per_message=(peak - least) / (backlog - _BACKLOG_LEAST),
        )
        for backlog, peak in peaks.items()
    ]


def count_threads(lines: Iterable[str], parts: Mapping[int, str]) -> dict[Key, int]:
    """Counts by role from lines of the counter: thread id, allocations, frees, bytes."""
    counts: Counter[Key] = Counter()
    for line in lines:
        thread_id, *numbers = (int(word) for word in line.split())
        role = role_of_part(parts.get(thread_id, "main"))
        for quantity, number in zip(_QUANTITIES, numbers, strict=True):
            counts[Key(role, quantity)] += number
    return dict(counts)
