"""What the verdicts about known differences were worth: a trial for each cell, arm and pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from slkbench.model import ArmRole, Cell, Sample, Scenario, Status, Verdict, VerdictKind
from slkbench.selftest.known import COPY, arm_name
from slkbench.stats import (
    CPU_PER_MESSAGE,
    DECIDED,
    is_at_look,
    judge_cell,
    looks_of,
    smallest_effect,
)

__all__ = ["Trial", "grouped", "score_cell"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One known difference and what was said of it, at the look at which a run would have ended.

    ``truth`` is the ratio of times per message, and of CPU times as well. ``predicted`` is the
    smallest effect that the cell's noise lets find. ``duration_s`` is what a run of baseline,
    placebo and this contender alone takes.
    """

    number: int
    cell: str
    metric: str
    transport: str
    effect: float
    truth: float
    kind: VerdictKind
    status: Status
    reason: str
    blocks: int
    duration_s: float
    time_ratio: float | None
    low: float | None
    high: float | None
    predicted: float | None
    cpu_ratio: float | None
    cpu_low: float | None
    cpu_high: float | None
    cpu_kind: VerdictKind

    @property
    def covers(self) -> bool | None:
        """Whether the interval holds the truth; None without one."""
        return _holds(self.low, self.high, self.truth)

    @property
    def cpu_covers(self) -> bool | None:
        """The same of CPU time per message."""
        return _holds(self.cpu_low, self.cpu_high, self.truth)

    @property
    def is_found(self) -> bool:
        """Whether the verdict says that it is slower."""
        return self.kind is VerdictKind.SLOWER

    @property
    def is_false(self) -> bool:
        """Whether a difference was seen where there is none, or the wrong one where there is."""
        if self.effect == 0:
            return self.kind in {VerdictKind.SLOWER, VerdictKind.FASTER}
        return self.kind is VerdictKind.FASTER


def score_cell(
    number: int,
    cell: Cell,
    samples: Sequence[Sample],
    scenario: Scenario,
    effects: Sequence[float],
) -> list[Trial]:
    """The trials of pass ``number`` in ``cell``: the copy, and those of ``effects`` tried in it."""
    own = [sample for sample in samples if sample.cell_key == cell.key]
    named = {COPY: 0.0, **{arm_name(effect): effect for effect in effects}}
    present = {sample.arm for sample in own}
    return [
        _trial(number, cell, own, scenario, arm, effect)
        for arm, effect in named.items()
        if arm in present
    ]


def _trial(
    number: int, cell: Cell, own: Sequence[Sample], scenario: Scenario, arm: str, effect: float
) -> Trial:
    alone = [
        sample
        for sample in own
        if sample.arm == arm or sample.role in {ArmRole.BASELINE, ArmRole.PLACEBO}
    ]
    seen, verdict = _first_decision(cell, alone, scenario)
    (cpu,) = judge_cell(cell, seen, scenario, statistic=CPU_PER_MESSAGE)
    return Trial(
        number=number,
        cell=cell.title,
        metric=cell.metric.value,
        transport=cell.transport.value,
        effect=effect,
        truth=1 + effect,
        kind=verdict.kind,
        status=verdict.status,
        reason=verdict.reason,
        blocks=verdict.blocks,
        duration_s=_duration_s(own, seen),
        time_ratio=verdict.time_ratio,
        low=verdict.low,
        high=verdict.high,
        predicted=smallest_effect(verdict),
        cpu_ratio=cpu.time_ratio,
        cpu_low=cpu.low,
        cpu_high=cpu.high,
        cpu_kind=cpu.kind,
    )


def _first_decision(
    cell: Cell, alone: Sequence[Sample], scenario: Scenario
) -> tuple[list[Sample], Verdict]:
    """What a run of these arms alone would have measured, and its verdict."""
    blocks = sorted({sample.block for sample in alone})
    looks = looks_of(scenario)
    seen: list[Sample] = []
    for block in blocks:
        seen = [sample for sample in alone if sample.block <= block]
        if block + 1 < looks[0] and block != blocks[-1]:
            continue
        (verdict,) = judge_cell(cell, seen, scenario)
        if verdict.kind in DECIDED and is_at_look(
            cell, seen, scenario, {verdict.contender: verdict.blocks}
        ):
            return seen, verdict
    (verdict,) = judge_cell(cell, seen, scenario)
    return seen, verdict


def _holds(low: float | None, high: float | None, truth: float) -> bool | None:
    return None if low is None or high is None else low <= truth <= high


def _duration_s(own: Sequence[Sample], seen: Sequence[Sample]) -> float:
    """The time that the samples of ``seen`` take by themselves, from when samples began."""
    starts = sorted(
        datetime.fromisoformat(sample.started_utc).timestamp()
        for sample in own
        if sample.started_utc
    )
    if len(starts) < 2:
        return math.nan
    gaps = [later - sooner for sooner, later in pairwise(starts)]
    return median(gaps) * len(seen)


def grouped(trials: Sequence[Trial]) -> Mapping[float, list[Trial]]:
    """Trials by effect, in order."""
    return {
        effect: [trial for trial in trials if trial.effect == effect]
        for effect in sorted({trial.effect for trial in trials})
    }
