"""Allocations per message: what each thread asks malloc for, counted by a preloaded library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from slkbench.errors import UsageError
from slkbench.folders import scratch_folder
from slkbench.model import ProfileRow
from slkbench.profile.counting import (
    LENGTHS,
    Counts,
    Key,
    Request,
    blank_row,
    counted_rows,
    more_than,
    sum_of_roles,
)
from slkbench.profile.workload import ProcessReport, ProfileFailure, role_of_part, run_workload

__all__ = ["COUNTER", "TOOL", "count_threads", "profile_allocations"]

TOOL = "allocations"
COUNTER = Path(__file__).resolve().parent / "malloc_counts.so"

_QUANTITIES = ("allocations", "frees", "allocated-bytes")


def profile_allocations(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell.

    Raises UsageError where the counter is not built, and ProfileFailure.
    """
    if not COUNTER.is_file():
        raise UsageError(f"{COUNTER} is not built; pip install . in slkbench's folder")
    repetitions = []
    peaks = []
    version = ""
    for number in range(request.repetitions):
        counts = []
        for length in LENGTHS:
            messages = request.messages * length
            of_all = f"repetition {number + 1} of {request.repetitions}"
            request.note(f"counting allocations, {messages} messages, {of_all}")
            counted, reports = _count(request, messages)
            counts.append(counted)
        repetitions.append(more_than(counts[1], counts[0]))
        peaks.append(max(int(each.result["max_rss_bytes"]) for each in reports))
        version = reports[0].library_version
    blank = replace(
        blank_row(TOOL, request.workload),
        library_version=version or request.workload.contender.version or None,
    )
    peak = replace(blank, role="all", quantity="peak-rss-bytes", count=float(max(peaks)))
    return [*counted_rows(blank, repetitions, request.messages_more), peak]


def _count(request: Request, messages: int) -> tuple[Counts, tuple[ProcessReport, ...]]:
    with scratch_folder() as name:
        folder = name

        def wrap(role: str, command: list[str]) -> list[str]:
            # Set by env, so that only what is measured is counted.
            variables = [f"LD_PRELOAD={COUNTER}", f"SLKBENCH_ALLOCATIONS_FILE={folder / role}"]
            return ["env", *variables, *command]

        reports = run_workload(request.workload, messages, wrap=wrap)
        counts: Counter[Key] = Counter()
        for report in reports:
            file = folder / report.role
            if not file.is_file():
                raise ProfileFailure(f"{report.role} was not counted; is it a static program?")
            counts.update(count_threads(file.read_text().splitlines(), report.parts))
    return {**counts, **sum_of_roles(counts, _QUANTITIES)}, reports


def count_threads(lines: Iterable[str], parts: Mapping[int, str]) -> dict[Key, int]:
    """Counts by role from lines of the counter: thread id, allocations, frees, bytes."""
    counts: Counter[Key] = Counter()
    for line in lines:
        thread_id, *numbers = (int(word) for word in line.split())
        role = role_of_part(parts.get(thread_id, "main"))
        for quantity, number in zip(_QUANTITIES, numbers, strict=True):
            counts[Key(role, quantity)] += number
    return dict(counts)
