"""Ratios that are shown beside the verdicts: to the floor, between patterns, over many cells.

They describe; they decide nothing, so their level is a plain 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from slkbench.model import ArmRole, Cell, Pattern, Sample, Scenario, Status, Verdict
from slkbench.stats.blocks import (
    BlockKey,
    Paired,
    discarded_blocks,
    interval_over,
    paired,
    paired_differences,
    value_of,
)
from slkbench.stats.signed_rank import Interval, hodges_lehmann, shift_interval
from slkbench.stats.unpaired import Shift
from slkbench.stats.verdict import default_statistic, level_per_look

__all__ = [
    "Ratio",
    "Summary",
    "adjusted_p_values",
    "floor_ratios",
    "geometric_mean",
    "noise_sd",
    "paired_ratio",
    "pattern_ratio",
    "summarise",
    "unpaired_ratio",
]

DESCRIPTIVE_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of times with its bounds, None where there are too few ``blocks`` for any.

    For ratios that are not paired, ``blocks`` is the smaller number of samples.
    """

    point: float
    low: float | None
    high: float | None
    level: float
    blocks: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The median of one number per process, with a distribution-free interval where n allows."""

    median: float
    low: float | None
    high: float | None
    level: float
    count: int


def paired_ratio(
    second: Sequence[Sample],
    first: Sequence[Sample],
    statistic: str,
    *,
    level: float = DESCRIPTIVE_LEVEL,
    without: Collection[BlockKey] = (),
) -> Ratio | None:
    """Time of ``second`` / time of ``first``, paired as in ``paired``; None without a pair."""
    return _ratio(paired(second, first, statistic, without=without), level)


def unpaired_ratio(
    second: Sequence[float], first: Sequence[float], *, level: float = DESCRIPTIVE_LEVEL
) -> Ratio | None:
    """Ratio of two sets of positive times, one number per process, that share no blocks.

    Weaker than ``paired_ratio``: drift between the sets is not cancelled.
    """
    if not second or not first:
        return None
    logs_second, logs_first = np.log(second), np.log(first)
    fewer = min(len(second), len(first))
    if (bounds := shift_interval(logs_second, logs_first, level)) is None:
        point = float(np.median(np.subtract.outer(logs_second, logs_first)))
        return Ratio(math.exp(point), None, None, level, fewer)
    return _from_logs(bounds, level, fewer)


def floor_ratios(
    cell: Cell, samples: Sequence[Sample], *, level: float = DESCRIPTIVE_LEVEL
) -> dict[str, Ratio]:
    """Time of each arm of ``cell`` / time of the floor, by the arm's name; empty without one."""
    own = [s for s in samples if s.cell_key == cell.key]
    floor = [s for s in own if s.role == ArmRole.FLOOR]
    statistic = default_statistic(cell.metric)
    disturbed = discarded_blocks(own)
    ratios = {}
    for name in sorted({s.arm for s in own if s.role in {ArmRole.BASELINE, ArmRole.CONTENDER}}):
        arm = [s for s in own if s.arm == name]
        if any(s.status == Status.FAILED for s in arm + floor):
            continue
        if ratio := paired_ratio(arm, floor, statistic, level=level, without=disturbed):
            ratios[name] = ratio
    return ratios


def pattern_ratio(
    cell: Cell, arm: str, samples: Sequence[Sample], *, level: float = DESCRIPTIVE_LEVEL
) -> Ratio | None:
    """Time of ``cell``'s pattern / time of its push-pull twin, both of the arm called ``arm``.

    The two cells run their blocks of one number near in time, so they are paired by it.  None where
    one of them failed or was not measured.
    """
    twin = replace(cell, pattern=Pattern.PUSH_PULL)
    own = [s for s in samples if s.arm == arm and s.cell_key == cell.key]
    other = [s for s in samples if s.arm == arm and s.cell_key == twin.key]
    if any(s.status == Status.FAILED for s in own + other):
        return None
    disturbed = {
        key
        for both in (cell, twin)
        for key in discarded_blocks([s for s in samples if s.cell_key == both.key])
    }
    return paired_ratio(own, other, default_statistic(cell.metric), level=level, without=disturbed)


def geometric_mean(
    cells: Sequence[Cell], samples: Sequence[Sample], scenario: Scenario, contender: str
) -> Ratio | None:
    """The geometric mean over ``cells`` of the time ratio contender / baseline.

    Each block's mean over all cells is one observation (Fleming and Wallace, CACM 1986), so only
    blocks that every cell has count.  None where a cell was not measured or failed: a mean over the
    cells that went well would mislead.
    """
    by_cell = []
    for cell in cells:
        own = [s for s in samples if s.cell_key == cell.key]
        arm = [s for s in own if s.arm == contender]
        baseline = [s for s in own if s.role == ArmRole.BASELINE]
        if any(s.status in {Status.FAILED, Status.SATURATED} for s in arm + baseline):
            return None
        by_cell.append(
            paired_differences(
                arm, baseline, default_statistic(cell.metric), without=discarded_blocks(own)
            )
        )
    if not by_cell:
        return None
    common = sorted(set.intersection(*(set(found) for found in by_cell)))
    means = [fmean(found[key] for found in by_cell) for key in common]
    return _ratio(Paired.one_per_block(means), level_per_look(scenario))


def adjusted_p_values(verdicts: Sequence[Verdict | Shift]) -> tuple[float | None, ...]:
    """Benjamini and Hochberg's adjusted p of each verdict: at most q keeps false findings to q.

    Verdicts without a p stay None and do not count (Benjamini and Hochberg, JRSS B 1995).
    """
    order = sorted(
        (i for i, verdict in enumerate(verdicts) if verdict.p_value is not None),
        key=lambda i: verdicts[i].p_value or 0.0,
    )
    adjusted: list[float | None] = [None] * len(verdicts)
    smallest = 1.0
    for rank in range(len(order), 0, -1):
        index = order[rank - 1]
        smallest = min(smallest, (verdicts[index].p_value or 0.0) * len(order) / rank)
        adjusted[index] = smallest
    return tuple(adjusted)


def noise_sd(samples: Sequence[Sample], statistic: str) -> float | None:
    """Standard deviation of ln t between the processes of one arm in one cell; None below two."""
    values = [value_of(s, statistic) for s in samples if s.status == Status.OK]
    logs = [math.log(value) for value in values if value is not None]
    return float(np.std(logs, ddof=1)) if len(logs) > 1 else None


def summarise(values: Sequence[float], *, level: float = DESCRIPTIVE_LEVEL) -> Summary | None:
    """The median of ``values``, one per process, and the order statistics that bound it.

    The interval inverts the sign test, so it holds for any law; it wants 6 values for 95 %.
    """
    ordered = sorted(values)
    count = len(ordered)
    if not count:
        return None
    tail, k = 0.0, 0
    while k <= count // 2:
        tail += math.comb(count, k) / 2**count
        if 2 * tail > 1 - level:
            break
        k += 1
    low, high = (ordered[k - 1], ordered[-k]) if k else (None, None)
    return Summary(float(np.median(ordered)), low, high, level, count)


def _ratio(differences: Paired, level: float) -> Ratio | None:
    if (bounds := interval_over(differences, level)) is not None:
        return _from_logs(bounds, level, differences.blocks)
    point = hodges_lehmann(differences.values)
    return None if point is None else Ratio(math.exp(point), None, None, level, differences.blocks)


def _from_logs(bounds: Interval, level: float, blocks: int) -> Ratio:
    low, high = math.exp(bounds.low), math.exp(bounds.high)
    return Ratio(math.exp(bounds.point), low, high, level, blocks)
