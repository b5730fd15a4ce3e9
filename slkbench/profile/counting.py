"""From what tools counted to rows: differences of two lengths, medians of repetitions."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from slkbench.model import ProfileRow
from slkbench.profile.workload import Workload

__all__ = [
    "LENGTHS",
    "ROLES",
    "Counts",
    "Key",
    "Request",
    "blank_row",
    "counted_rows",
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

    The shorter run times ``messages``, the longer one three times as many.  ``note`` hears, before
    each run, what is about to be done.
    """

    workload: Workload
    messages: int
    repetitions: int = 1
    note: Callable[[str], None] = lambda _text: None

    @property
    def messages_more(self) -> int:
        """How many messages the longer run sends more than the shorter."""
        return self.messages * (LENGTHS[1] - LENGTHS[0])


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
