"""Where the difference between two times per message lies: an account of each that adds up.

The identity.  While messages are timed, each thread is at every moment in exactly one of three
states, so for every thread

    time per message = on a core + runnable without a core + blocked,

and its time on a core is shared out over ``cpu.PARTS`` as its samples are.  An account of *the
limiting thread* (the one that is blocked least) therefore adds up to the time per message, and the
difference of two such accounts to the difference of the times.  An account of *all threads* adds up
in another way: C cores together have C times the time per message, which is what all threads did on
them, and idleness; each part is divided by C.

The parts come from a profile's runs, the measured difference from a run's samples.  What is between
them is shown as unexplained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from slkbench.model import Cell, Pattern, ProfileRow, Sample
from slkbench.profile.cpu import LIKE_WITHIN, PARTS
from slkbench.stats import (
    TIME_PER_MESSAGE,
    discarded_blocks,
    hodges_lehmann,
    usual_distance,
    value_of,
)
from slkbench.stats.blocks import interval_over, paired
from slkbench.units import format_size

__all__ = [
    "ACCOUNT_PARTS",
    "Account",
    "Difference",
    "Measured",
    "accounts_of",
    "explain_cell",
    "explain_pattern",
]

CORE_WAIT = "runnable, no core"
IDLE = "idle"
ACCOUNT_PARTS = (*PARTS, CORE_WAIT, IDLE)
"""The lines of an account, in the order of tables and charts."""

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Account:
    """The time per message of one contender in one cell, ns by part; ``of`` says of which thread.

    The parts add up to ``wall_ns``, but for rounding; that is known to ``within_ns`` either way.
    """

    contender: str
    of: str
    wall_ns: float
    parts_ns: Mapping[str, float]
    within_ns: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Times per message of two sides in a run's samples, and by how much the second is longer.

    Of those at the distance of CPUs at which most ran, since a profile is of one.
    The first is its median over samples, the second that by the paired ratio, so the difference is
    theirs.  ``low`` and ``high`` bound it at 95 %; None where there are too few blocks.
    """

    first_ns: float
    second_ns: float
    difference_ns: float
    low_ns: float | None
    high_ns: float | None
    blocks: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Two accounts, and the measured difference that they are to explain."""

    title: str
    first_name: str
    second_name: str
    first: Account
    second: Account
    measured: Measured

    @property
    def explained_ns(self) -> float:
        """What the parts of the second have more than those of the first."""
        return sum(self.second.parts_ns.values()) - sum(self.first.parts_ns.values())

    @property
    def unexplained_ns(self) -> float:
        """What is measured and not in the parts."""
        return self.measured.difference_ns - self.explained_ns

    @property
    def unexplained_bounds_ns(self) -> tuple[float, float] | None:
        """Of what is unexplained at 95 %: samples and profile are both uncertain."""
        low, high = self.measured.low_ns, self.measured.high_ns
        if low is None or high is None:
            return None
        point = self.measured.difference_ns
        own = (self.first.within_ns, self.second.within_ns)
        return (
            self.unexplained_ns - math.hypot(point - low, *own),
            self.unexplained_ns + math.hypot(high - point, *own),
        )

    @property
    def is_within(self) -> bool | None:
        """Whether the parts add up to the measured difference within the interval."""
        bounds = self.unexplained_bounds_ns
        return None if bounds is None else bounds[0] <= 0.0 <= bounds[1]

    @property
    def ratios_to_run(self) -> tuple[float, float]:
        """The times per message of the profile's runs as multiples of those of the samples."""
        return (
            self.first.wall_ns / self.measured.first_ns,
            self.second.wall_ns / self.measured.second_ns,
        )

    @property
    def is_like_the_run(self) -> bool:
        """Whether both sides were profiled in the mood that the run's median is of."""
        return all(abs(math.log(ratio)) <= math.log1p(LIKE_WITHIN) for ratio in self.ratios_to_run)


def accounts_of(rows: Sequence[ProfileRow], contender: str, cores: int) -> list[Account]:
    """The accounts of the limiting thread and of all threads, from the cpu rows of one cell.

    None where the contender has no profile there.
    """
    own = [row for row in rows if row.contender == contender and row.per_message is not None]
    values = {(row.role, row.quantity, row.what): row.per_message or 0.0 for row in own}
    wall_ns = values.get(("all", "wall-ns", "all"))
    if wall_ns is None:
        return []
    roles = [role for role, quantity, _ in values if quantity == "on-cpu-ns" and role != "harness"]
    limiting = min(roles, key=lambda role: values[role, "blocked-ns", "all"])
    within_ns = _within_ns(own)
    return [
        Account(
            contender,
            limiting,
            wall_ns,
            {
                **_parts(values, [limiting]),
                CORE_WAIT: values[limiting, "core-wait-ns", "all"],
                IDLE: values[limiting, "blocked-ns", "all"],
            },
            within_ns,
        ),
        replace(_of_all_threads(contender, wall_ns, values, cores), within_ns=within_ns),
    ]


def _within_ns(rows: Sequence[ProfileRow]) -> float:
    """Half the interval of the time per message of the profile's runs; 0 where it has none."""
    for row in rows:
        if row.quantity == "wall-ns" and row.low is not None and row.high is not None:
            return (row.high - row.low) / 2
    return 0.0


def _parts(values: Mapping[tuple[str, str, str], float], roles: Iterable[str]) -> dict[str, float]:
    """By part; what perf has taken no sample of is with the harness."""
    parts = dict.fromkeys(PARTS, 0.0)
    for role in roles:
        own = {part: values.get((role, "part-ns", part), 0.0) for part in PARTS}
        for part, ns in own.items():
            parts[part] += ns
        parts["harness"] += values[role, "on-cpu-ns", "all"] - sum(own.values())
    return parts


def _of_all_threads(
    contender: str, wall_ns: float, values: Mapping[tuple[str, str, str], float], cores: int
) -> Account:
    roles = [role for role, quantity, _ in values if quantity == "on-cpu-ns"]
    shared = {part: ns / cores for part, ns in _parts(values, roles).items()}
    shared[IDLE] = wall_ns - sum(shared.values())
    return Account(contender, f"all threads, on {cores} cores", wall_ns, shared)


def explain_cell(
    cell: Cell,
    names: tuple[str, str],
    samples: Sequence[Sample],
    accounts: Sequence[tuple[Account, Account]],
) -> list[Difference]:
    """The gap between two contenders in a cell, by each pair of accounts."""
    own = [one for one in samples if one.cell_key == cell.key]
    first, second = ([one for one in own if one.arm == name] for name in names)
    measured = _measured(first, second, own)
    if measured is None:
        return []
    return [
        Difference(cell.title, names[0], names[1], one, other, measured) for one, other in accounts
    ]


def explain_pattern(
    router: Cell,
    push: Cell,
    name: str,
    samples: Sequence[Sample],
    accounts: Sequence[tuple[Account, Account]],
) -> list[Difference]:
    """What ROUTER-ROUTER takes more than PUSH-PULL, of one contender, by each pair of accounts."""
    keys = (push.key, router.key)
    own = [one for one in samples if one.cell_key in keys and one.arm == name]
    of_push, of_router = ([one for one in own if one.cell_key == key] for key in keys)
    measured = _measured(of_push, of_router, own)
    if measured is None:
        return []
    title = f"{name}, {router.transport} {format_size(router.size_bytes)}"
    names = (Pattern.PUSH_PULL.value, Pattern.ROUTER_ROUTER.value)
    return [Difference(title, *names, one, other, measured) for one, other in accounts]


def _measured(
    first: Sequence[Sample], second: Sequence[Sample], beside: Sequence[Sample]
) -> Measured | None:
    """Paired by halves of blocks at the usual distance of ``beside``, without disturbed blocks."""
    disturbed = {*discarded_blocks(list(first)), *discarded_blocks(list(second))}
    # By ratios, as verdicts are: where a block is slow for both sides, so are their differences.
    is_usual = usual_distance(beside)
    ratios = paired(second, first, TIME_PER_MESSAGE, without=disturbed, only=is_usual)
    usual = [one for one in first if is_usual(one)]
    if not ratios.values:  # the CPUs moved all the time
        ratios, usual = paired(second, first, TIME_PER_MESSAGE, without=disturbed), list(first)
    point = hodges_lehmann(ratios.values)
    if point is None:
        return None
    bounds = interval_over(ratios, _LEVEL)
    first_ns = median(
        ns
        for one in usual
        if (one.run_id, one.block) not in disturbed
        and (ns := value_of(one, TIME_PER_MESSAGE)) is not None
    )

    def more_ns(log_ratio: float) -> float:
        return first_ns * math.expm1(log_ratio)

    return Measured(
        first_ns=first_ns,
        second_ns=first_ns * math.exp(point),
        difference_ns=more_ns(point),
        low_ns=more_ns(bounds.low) if bounds else None,
        high_ns=more_ns(bounds.high) if bounds else None,
        blocks=ratios.blocks,
    )
