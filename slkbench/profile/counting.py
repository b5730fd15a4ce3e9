"""From what tools counted to rows: differences of two lengths, medians of repetitions."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from slkbench.folders import scratch_folder
from slkbench.model import ProfileRow
from slkbench.profile.workload import ProcessReport, Workload, run_workload

__all__ = [
    "LENGTHS",
    "ROLES",
    "Counted",
    "Counting",
    "Counts",
    "Key",
    "Request",
    "blank_row",
    "count_differences",
    "counted_rows",
    "known_row",
    "more_than",
    "sum_of_roles",
]

ROLES = (
    "sender",
    "receiver",
    "sender I/O",
    "receiver I/O",
    "I/O",
    "application",
    "harness",
    "all",
)
"""In the order in which tables show them."""

LENGTHS = (1, 3)
"""The two runs send so many times the messages that were asked for."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a number counts; the columns of the same names of ``ProfileRow``."""

    role: str
    quantity: str
    what: str = "all"
    from_bytes: int | None = None


Counts = Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class Request:
    """How a workload is profiled.

    The shorter run times ``messages``, the longer one three times as many; ``is_count_given`` where
    the user has said so.  ``note`` hears, before each run, what is about to be done.
    ``attachments`` is a folder for files beside the rows.  ``budget_s`` may be spent on what is
    sharper the longer it is measured; ``expected_ns`` is the time per message of the run that the
    profile is of.
    """

    workload: Workload
    messages: int
    repetitions: int = 1
    note: Callable[[str], None] = lambda _text: None
    attachments: Path | None = None
    is_count_given: bool = False
    budget_s: float | None = None
    expected_ns: float | None = None

    @property
    def messages_more(self) -> int:
        """How many messages the longer run sends more than the shorter."""
        return self.messages * (LENGTHS[1] - LENGTHS[0])


@dataclass(frozen=True, slots=True)
class Counting:
    """How one tool counts a run.

    ``wrap`` makes the command line of the process of a role one of the tool, which writes into the
    folder that it is given; ``read`` counts what is then there for one process.
    """

    doing: str
    wrap: Callable[[Path, str, list[str]], list[str]]
    read: Callable[[Path, ProcessReport], Counts]
    summed: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """``repetitions``: what the longer runs counted more; ``reports`` are those of all runs."""

    repetitions: tuple[Counts, ...]
    reports: tuple[ProcessReport, ...]


def count_differences(request: Request, counting: Counting, *, factor: int = 1) -> Counted:
    """Run the workload in two lengths, again and again, and count what the longer has more.

    ``factor`` multiplies the messages, and divides the counts.  Raises ProfileFailure.
    """
    differences = []
    reports: list[ProcessReport] = []
    for number in range(request.repetitions):
        counts = []
        for length in LENGTHS:
            messages = request.messages * length * factor
            of_all = f"repetition {number + 1} of {request.repetitions}"
            request.note(f"{counting.doing}, {messages} messages, {of_all}")
            counted, own = _count(request, counting, messages)
            counts.append(counted)
            reports += own
        more = more_than(counts[1], counts[0])
        differences.append({key: count / factor for key, count in more.items()})
    return Counted(tuple(differences), tuple(reports))


def _count(
    request: Request, counting: Counting, messages: int
) -> tuple[Counts, tuple[ProcessReport, ...]]:
    with scratch_folder() as name:
        folder = name
        reports = run_workload(
            request.workload,
            messages,
            wrap=lambda role, command: counting.wrap(folder, role, command),
            environment=counting.environment,
        )
        counts: Counter[Key] = Counter()
        for report in reports:
            counts.update(counting.read(folder, report))
    return {**counts, **sum_of_roles(counts, counting.summed)}, reports


def more_than(longer: Counts, shorter: Counts) -> dict[Key, float]:
    """What ``longer`` has more of than ``shorter``; what only one of them has included."""
    keys = dict.fromkeys((*longer, *shorter))
    return {key: longer.get(key, 0) - shorter.get(key, 0) for key in keys}


def sum_of_roles(counts: Counts, quantities: Iterable[str]) -> dict[Key, float]:
    """``counts`` of these quantities over all roles but the harness and a role's parts."""
    total: Counter[Key] = Counter()
    wanted = set(quantities)
    for key, count in counts.items():
        if key.quantity in wanted and key.role not in ("harness", "all"):
            total[replace(key, role="all")] += count  # type: ignore[assignment]
    return dict(total)


def blank_row(tool: str, workload: Workload) -> ProfileRow:
    """A row with everything that is known before anything is counted."""
    cell, contender = workload.cell, workload.contender
    return ProfileRow(
        tool=tool,
        contender=contender.name,
        library_version=contender.version or None,
        pattern=cell.pattern.value,
        transport=cell.transport.value,
        topology=cell.topology.value,
        size_bytes=cell.size_bytes,
        io_threads=cell.io_threads,
        sndhwm=cell.sndhwm,
        rcvhwm=cell.rcvhwm,
        workload=workload.kind,
    )


def known_row(tool: str, request: Request, reports: Sequence[ProcessReport]) -> ProfileRow:
    """``blank_row`` with the version that the library itself has told."""
    blank = blank_row(tool, request.workload)
    told = [report.library_version for report in reports if report.library_version]
    return replace(blank, library_version=told[0] if told else blank.library_version)


def counted_rows(
    blank: ProfileRow,
    repetitions: Sequence[Counts],
    messages: int,
    *,
    least_per_message: Mapping[str, float] | None = None,
) -> list[ProfileRow]:
    """A row for every key: the median over ``repetitions``, per one of ``messages``.

    ``least_per_message`` leaves out, by quantity, single functions or calls that do not matter.
    """
    least = least_per_message or {}
    rows = []
    for key in dict.fromkeys(key for counts in repetitions for key in counts):
        values = [counts.get(key, 0) for counts in repetitions]
        median = float(statistics.median(values))
        if key.what != "all" and median / messages < least.get(key.quantity, 0.0):
            continue
        rows.append(
            replace(
                blank,
                role=key.role,
                what=key.what,
                quantity=key.quantity,
                from_bytes=key.from_bytes,
                count=median,
                messages=messages,
                per_message=median / messages,
                spread=_spread(values, median),
            )
        )
    return sorted(rows, key=_order)


def _spread(values: Sequence[float], median: float) -> float | None:
    if len(values) < 2 or median == 0:
        return None
    return (max(values) - min(values)) / abs(median)


def _order(row: ProfileRow) -> tuple[int, bool, str, float, int]:
    return (
        ROLES.index(row.role),
        row.what != "all",
        row.quantity,
        -(row.count or 0.0),
        row.from_bytes or 0,
    )
