"""What a run's folder has beside its samples that says the same with less noise: instructions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slkbench.model import (
    Cell,
    Layer,
    Metric,
    ProfileRow,
    Scenario,
    Status,
    Verdict,
    VerdictKind,
)
from slkbench.runner.profile_folder import cell_of_row, profile_file, read_profile
from slkbench.stats import INSTRUCTIONS_PER_MESSAGE, judge_extremes, minimum_effect

__all__ = ["instruction_rows", "instruction_verdicts", "instructions_of"]

_INSTRUCTIONS = "instructions"


def instruction_rows(folder: Path) -> tuple[ProfileRow, ...]:
    """What was counted of whole contenders in a run's folder. Raises StoreError."""
    file = profile_file(folder, _INSTRUCTIONS)
    if not file.is_file():
        return ()
    return tuple(
        row
        for row in read_profile(file)
        if (row.role, row.what, row.quantity) == ("all", "all", _INSTRUCTIONS)
        and row.status == Status.OK
    )


def instruction_verdicts(
    rows: Sequence[ProfileRow], scenario: Scenario, verdicts: Sequence[Verdict]
) -> tuple[Verdict, ...]:
    """A companion for each of ``verdicts`` of whose cell both contenders were counted.

    ``rows`` are those of ``instruction_rows``.  The interval is what the ratio can be over all
    pairs of repetitions; of contenders that were counted once there is none, and no verdict.
    """
    found = (_companion(rows, scenario, verdict) for verdict in verdicts)
    return tuple(each for each in found if each is not None)


def instructions_of(rows: Sequence[ProfileRow], cell: Cell, contender: str) -> ProfileRow | None:
    """What was counted of ``contender`` in ``cell``; the newest, should it be there twice."""
    if cell.layer is not Layer.NATIVE or cell.metric is not Metric.THROUGHPUT:
        return None
    if cell.has_many_peers:
        return None
    where = (
        str(cell.pattern),
        str(cell.transport),
        str(cell.topology),
        cell.size_bytes,
        cell.io_threads,
        cell.sndhwm,
        cell.rcvhwm,
    )
    own = [row for row in rows if row.contender == contender and cell_of_row(row) == where]
    return own[-1] if own and own[-1].per_message else None


def _companion(rows: Sequence[ProfileRow], scenario: Scenario, verdict: Verdict) -> Verdict | None:
    own = instructions_of(rows, verdict.cell, verdict.contender)
    other = instructions_of(rows, verdict.cell, verdict.baseline)
    if own is None or other is None or not own.per_message or not other.per_message:
        return None
    effect = minimum_effect(scenario, INSTRUCTIONS_PER_MESSAGE)
    ratio = own.per_message / other.per_message
    low = high = None
    kind, reason = VerdictKind.INCONCLUSIVE, "counted once, so the interval is not known"
    if own.spread is not None and other.spread is not None and other.spread < 1:
        # A row has the median of the repetitions and how far the extremes are apart, which
        # therefore lie no farther from it than that.
        low = ratio * (1 - own.spread) / (1 + other.spread)
        high = ratio * (1 + own.spread) / (1 - other.spread)
        kind, reason = judge_extremes(low, high, effect), ""
    return Verdict(
        cell=verdict.cell,
        baseline=verdict.baseline,
        contender=verdict.contender,
        kind=kind,
        blocks=0,
        discarded_blocks=0,
        time_ratio=ratio,
        low=low,
        high=high,
        level=None,
        p_value=None,
        min_effect=effect,
        effective_min_effect=effect,
        reason=reason,
        statistic=INSTRUCTIONS_PER_MESSAGE,
    )
