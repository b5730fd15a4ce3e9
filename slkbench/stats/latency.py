"""Percentiles of round trips at a given rate: of each arm, and compared one by one. Pure.

One number per process and percentile: its median over processes has an interval by order
statistics, and contenders are compared by it as by any other time, paired by block.  Round trips of
several processes are never pooled.  A percentile is there where every process has 100 round trips
or more beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slkbench.model import ArmRole, Cell, Metric, Sample, Scenario, Status, Verdict
from slkbench.stats.blocks import P50, P90, P99, P999, discarded_blocks, value_of
from slkbench.stats.ratios import Summary, summarise
from slkbench.stats.verdict import judge_cell

__all__ = ["PERCENTILES", "ComparedPercentile", "compared_percentiles"]

PERCENTILES = {
    P50: ("p50", 200),
    P90: ("p90", 1000),
    P99: ("p99", 10_000),
    P999: ("p99.9", 100_000),
}
"""By column: the name, and the round trips from which on 100 lie beyond it."""


@dataclass(frozen=True, slots=True)
class ComparedPercentile:
    """A percentile of one contender and of the baseline in one cell.

    ``summaries`` are by arm, in ns, None where there is none; ``reason`` then says why, and the
    ``verdict`` is to be shown only where it is empty.
    """

    cell: Cell
    name: str
    verdict: Verdict
    summaries: Mapping[str, Summary | None]
    reason: str = ""


def compared_percentiles(
    scenario: Scenario, samples: Sequence[Sample]
) -> tuple[ComparedPercentile, ...]:
    """All percentiles of all cells of metric paced, in the scenario's order."""
    found = []
    for cell in scenario.cells:
        if cell.metric is not Metric.PACED:
            continue
        own = [sample for sample in samples if sample.cell_key == cell.key]
        disturbed = discarded_blocks(own)
        kept = [s for s in own if (s.run_id, s.block) not in disturbed]
        for statistic in PERCENTILES:
            found += [
                _compared(cell, statistic, verdict, kept)
                for verdict in judge_cell(cell, own, scenario, statistic=statistic)
            ]
    return tuple(found)


def _compared(
    cell: Cell, statistic: str, verdict: Verdict, kept: Sequence[Sample]
) -> ComparedPercentile:
    name, needed = PERCENTILES[statistic]
    summaries: dict[str, Summary | None] = {}
    reasons = []
    for arm in (verdict.baseline, verdict.contender):
        measured = [s for s in kept if s.arm == arm and s.role != ArmRole.PLACEBO]
        good = [s for s in measured if s.status == Status.OK]
        values = [v for s in good if (v := value_of(s, statistic)) is not None]
        whole = bool(values) and len(values) == len(good)
        is_saturated = verdict.status is Status.SATURATED and any(
            s.status == Status.SATURATED for s in measured
        )
        summaries[arm] = summarise(values) if whole and not is_saturated else None
        if is_saturated:
            reasons.append(f"{arm} is saturated")
        elif good and not whole:
            fewest = min(s.messages or 0 for s in good)
            reasons.append(f"{fewest:,} round trips; {needed:,} have 100 beyond {name}")
        elif not good:
            reasons.append(verdict.reason or f"{arm}: not measured")
    return ComparedPercentile(cell, name, verdict, summaries, "; ".join(dict.fromkeys(reasons)))
