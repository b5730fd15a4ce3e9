"""From samples to paired differences of ln t, and which blocks to leave out.

The unit of observation is a process set, and what is compared is the difference between arms within
one half of a block, because whatever else happens on the machine happens to neighbours alike
(Abedi and Brecht, ICPE 2017).  A half is not averaged with the other one: what hits one sample of a
block, such as a host that moves a CPU elsewhere, then spoils one observation of its two.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean, median

from slkbench.model import Sample, Status
from slkbench.stats.core_sharing import Sharing, less_sharing, sharing_of
from slkbench.stats.cpu_distance import ran_alike
from slkbench.stats.signed_rank import Interval, Values, interval, rank_k

__all__ = [
    "CPU_PER_MESSAGE",
    "P50",
    "P90",
    "P99",
    "P999",
    "TIME_PER_MESSAGE",
    "BlockKey",
    "Paired",
    "discarded_blocks",
    "interval_over",
    "log_times",
    "paired",
    "paired_differences",
    "value_of",
]

BlockKey = tuple[str, int]
"""A run's id and the block's number in it: samples of several runs can be judged together."""

_Halves = Mapping[BlockKey, list[tuple[Sample, float]]]

TIME_PER_MESSAGE = "time_per_message_ns"
CPU_PER_MESSAGE = "cpu_ns_per_message"
P50 = "p50_ns"
P90 = "p90_ns"
P99 = "p99_ns"
P999 = "p999_ns"

MAX_STEAL_FRACTION = 0.10
MAX_STEAL_OVER_PILOT = 3.0
PILOT_BLOCKS = 3
MAX_FOREIGN_CPU_FRACTION = 0.05
MAX_PAUSE_S = 300.0
SLOTS_PER_ARM = 2


def value_of(sample: Sample, statistic: str) -> float | None:
    """A positive, finite time in ns, where the sample has one: a column, or CPU per message."""
    if statistic == CPU_PER_MESSAGE:
        if sample.cpu_ns is None or not sample.messages:
            return None
        value = sample.cpu_ns / sample.messages
    else:
        found = getattr(sample, statistic)
        if found is None:
            return None
        value = float(found)
    return value if math.isfinite(value) and value > 0 else None


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences of ln t of one arm to another: one or two from each of ``blocks`` blocks."""

    values: tuple[float, ...]
    blocks: int

    @classmethod
    def one_per_block(cls, values: Values) -> Paired:
        """Of differences that are a block's each."""
        return cls(tuple(float(value) for value in values), len(values))


def interval_over(differences: Paired, level: float) -> Interval | None:
    """The exact interval of the differences; None for fewer blocks than ``level`` takes.

    So many are asked for though their halves alone would do: 95 % takes 6, 99 % takes 8.
    """
    return interval(differences.values, level) if rank_k(differences.blocks, level) else None


def log_times(
    samples: Iterable[Sample], statistic: str, *, without: Collection[BlockKey] = ()
) -> dict[BlockKey, float]:
    """Mean ln t of one arm in each block in which both its slots were measured.

    ``samples`` are those of one arm in one cell.
    """
    halves = _halves(samples, statistic, without)
    return {key: fmean(log for _, log in found) for key, found in halves.items()}


def paired_differences(
    second: Iterable[Sample],
    first: Iterable[Sample],
    statistic: str,
    *,
    without: Collection[BlockKey] = (),
) -> dict[BlockKey, float]:
    """Compute d_b = mean ln t of ``second`` less that of ``first``, in each block that has both.

    Of halves alone in which both ran while the CPUs were equally far apart, and less what goes with
    strangers that shared the cores (``core_sharing``).
    """
    a, b = (_halves(samples, statistic, without) for samples in (first, second))
    return {key: fmean(values) for key, values in _of_halves(a, b).items()}


def paired(
    second: Iterable[Sample],
    first: Iterable[Sample],
    statistic: str,
    *,
    without: Collection[BlockKey] = (),
    only: Callable[[Sample], bool] | None = None,
) -> Paired:
    """Compute ln t of ``second`` less that of ``first``, in each half of a block that has both.

    But for halves in which the CPUs were not equally far apart for both, or where one of the two is
    not among ``only``; and less what goes with strangers that shared the cores (``core_sharing``).
    Runs of old have blocks whose second half mirrors the first: there the two halves depend on each
    other, and a block is one observation, their mean.
    """
    a, b = (_halves(samples, statistic, without) for samples in (first, second))
    found = _of_halves(a, b, only)
    if _are_mirrored(a, b):
        return Paired.one_per_block([fmean(values) for values in found.values()])
    return Paired(tuple(value for values in found.values() for value in values), len(found))


def _of_halves(
    a: _Halves, b: _Halves, only: Callable[[Sample], bool] | None = None
) -> dict[BlockKey, list[float]]:
    keys: list[BlockKey] = []
    differences: list[float] = []
    sharing: list[Sharing | None] = []
    for key in a:
        for (one, base), (other, log) in zip(a[key], b.get(key, []), strict=False):
            if ran_alike(one, other) and (only is None or (only(one) and only(other))):
                keys.append(key)
                differences.append(log - base)
                sharing.append(sharing_of(other, one))
    found: dict[BlockKey, list[float]] = defaultdict(list)
    for key, value in zip(keys, less_sharing(differences, sharing), strict=True):
        found[key].append(value)
    return dict(found)


def _are_mirrored(a: _Halves, b: _Halves) -> bool:
    """Whether the slots of both arms add up to the same in every block.

    So they do where a half is the other's mirror image.  Where it is not, they do so in every block
    by chance alone: rarely, and then a block is one observation too.
    """
    common = [key for key in a if key in b]
    sums = ([sum(sample.slot for sample, _ in arm[key]) for key in common] for arm in (a, b))
    first, second = sums
    return bool(common) and first == second


def _halves(samples: Iterable[Sample], statistic: str, without: Collection[BlockKey]) -> _Halves:
    """The sample of each half of a block with its ln t, of blocks in which both were measured.

    Each half runs every arm once, so an arm's sooner slot is in the first one.
    """
    slots: dict[BlockKey, dict[int, tuple[Sample, float]]] = defaultdict(dict)
    for sample in samples:
        key = (sample.run_id, sample.block)
        usable = sample.status in {Status.OK, Status.INVALID} and key not in without
        if usable and (value := value_of(sample, statistic)) is not None:
            slots[key][sample.slot] = (sample, math.log(value))
    return {
        key: [found[slot] for slot in sorted(found)]
        for key, found in sorted(slots.items())
        if len(found) == SLOTS_PER_ARM
    }


def discarded_blocks(samples: Sequence[Sample]) -> dict[BlockKey, str]:
    """Which blocks of one cell the machine disturbed, and how; judged without any timing.

    A block goes as a whole if, in any of its processes, steal exceeded 10 % and three times the
    median of the cell's first three blocks, or foreign processes used more than 5 % of a CPU, or
    the runner called the sample invalid.  So does one that was interrupted and gone on with later:
    what was measured before is no neighbour of what was measured after.
    """
    limit = _steal_limit(samples)
    reasons = _pauses(samples)
    for sample in samples:
        if reason := _disturbance(sample, limit):
            reasons.setdefault((sample.run_id, sample.block), reason)
    return reasons


def _pauses(samples: Sequence[Sample]) -> dict[BlockKey, str]:
    """Blocks between two samples of which more than five minutes passed that no sample took."""
    begun: dict[BlockKey, list[tuple[datetime, Sample]]] = defaultdict(list)
    for sample in samples:
        if (started := _started(sample)) is not None:
            begun[sample.run_id, sample.block].append((started, sample))
    reasons = {}
    for key, members in begun.items():
        members.sort(key=lambda each: each[0])
        for (before, sample), (after, _) in pairwise(members):
            # Warming up and closing take less than the timed part; a hang has its own limit.
            taken_s = 2e-9 * (sample.elapsed_ns or 0)
            pause_s = (after - before).total_seconds() - taken_s
            if sample.status != Status.FAILED and pause_s > MAX_PAUSE_S:
                reasons[key] = f"interrupted for {pause_s:.0f} s"
    return reasons


def _started(sample: Sample) -> datetime | None:
    try:
        started = datetime.fromisoformat(sample.started_utc or "")
    except ValueError:
        return None
    return started if started.tzinfo is not None else None


def _disturbance(sample: Sample, steal_limit: float) -> str:
    steal, foreign = sample.steal_fraction, sample.foreign_cpu_fraction
    if steal is not None and steal > steal_limit:
        return f"steal {steal:.0%} > {steal_limit:.0%}"
    if foreign is not None and foreign > MAX_FOREIGN_CPU_FRACTION:
        return f"foreign CPU use {foreign:.0%} > {MAX_FOREIGN_CPU_FRACTION:.0%}"
    if sample.status == Status.INVALID:
        return sample.reason or "sample invalid"
    return ""


def _steal_limit(samples: Sequence[Sample]) -> float:
    pilot = [
        sample.steal_fraction
        for sample in samples
        if sample.steal_fraction is not None and sample.block < PILOT_BLOCKS
    ]
    return (
        max(MAX_STEAL_FRACTION, MAX_STEAL_OVER_PILOT * median(pilot))
        if pilot
        else MAX_STEAL_FRACTION
    )
