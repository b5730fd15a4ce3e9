"""By how much a contender changed from one run to another: two runs share no blocks.

What is compared is, where both runs have measured the same build of a reference, the difference
of ln t to it within each block: what the machine did on that day happened to both, and cancels.
Otherwise it is ln t of each process, and the machine's day is in it.  The estimate is
Hodges-Lehmann's shift between the two sets, and its bounds invert the rank-sum test.

The verdicts are those of one run, but never EQUIVALENT: what differs between two sessions is not
in either of them, so a narrow interval proves nothing.  A control, which is the same in both runs
(the placebo, or a contender of the same build), widens the effect that counts by what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from slkbench.model import ArmRole, Cell, Sample, Status, VerdictKind
from slkbench.stats.blocks import BlockKey, discarded_blocks, paired_differences, value_of
from slkbench.stats.signed_rank import Interval, shift_interval, shift_p_value
from slkbench.stats.verdict import MAX_DISCARDED_FRACTION, SATURATED_FROM, default_statistic

__all__ = ["Shift", "judge_shift"]


@dataclass(frozen=True, slots=True)
class Shift:
    """How a contender's time per message changed between two runs, in one cell.

    ``time_ratio`` is second / first, so below 1 is faster; with a ``reference`` it is the change of
    the ratio to that contender.  ``control_low`` and ``control_high`` bound what appears to have
    changed though it is the same.  The counts are of blocks, or without reference of processes.
    """

    cell: Cell
    contender: str
    reference: str | None
    statistic: str
    min_effect: float
    effective_min_effect: float
    level: float
    kind: VerdictKind = VerdictKind.INVALID
    status: Status = Status.OK
    reason: str = ""
    first_count: int = 0
    second_count: int = 0
    time_ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    control_low: float | None = None
    control_high: float | None = None


def judge_shift(
    cell: Cell,
    first: Sequence[Sample],
    second: Sequence[Sample],
    contender: str,
    *,
    level: float,
    min_effect: float,
    reference: str | None = None,
    control: str | None = None,
    statistic: str | None = None,
) -> Shift:
    """The change of ``contender`` in ``cell`` from the samples of one run to those of another.

    ``reference`` and ``control`` are names of arms that both runs have, of the same build; the
    control of a reference that is the baseline is the placebo, whatever ``control`` says.
    A contender that failed has ``status`` FAILED, one that fell behind its rate SATURATED, one that
    a run lacks SKIPPED.
    """
    asked = statistic or default_statistic(cell.metric)
    runs = [[s for s in run if s.cell_key == cell.key] for run in (first, second)]
    empty = Shift(cell, contender, reference, asked, min_effect, min_effect, level)
    for which, own in zip(("first", "second"), runs, strict=True):
        if (lack := _lack(own, contender, reference)) is not None:
            status, reason = lack
            return replace(empty, status=status, reason=f"{which} run: {reason}")
    without = [discarded_blocks(own) for own in runs]
    for which, own, left_out in zip(("first", "second"), runs, without, strict=True):
        measured = len({(s.run_id, s.block) for s in own})
        if len(left_out) > MAX_DISCARDED_FRACTION * measured:
            reason = f"{which} run: {len(left_out)} of {measured} blocks were disturbed"
            return replace(empty, reason=reason)
    old, new = (
        _values(own, contender, reference, asked, left_out)
        for own, left_out in zip(runs, without, strict=True)
    )
    same = _control(runs, without, reference, control, asked, level)
    return _decide(empty, old, new, same)


def _lack(
    own: Sequence[Sample], contender: str, reference: str | None
) -> tuple[Status, str] | None:
    for name in (contender, reference):
        if name is None:
            continue
        found = [s for s in own if s.arm == name]
        if failed := [s for s in found if s.status == Status.FAILED]:
            return Status.FAILED, f"{name} failed: {failed[0].reason or '?'}"
        saturated = [s for s in found if s.status == Status.SATURATED]
        if len(saturated) >= SATURATED_FROM:
            return Status.SATURATED, f"{name} was saturated: {saturated[0].reason or '?'}"
        if not any(s.status in {Status.OK, Status.INVALID} for s in found):
            return Status.SKIPPED, f"{name}: {found[0].reason if found else 'not measured'}"
    return None


def _values(
    own: Sequence[Sample],
    name: str,
    reference: str | None,
    statistic: str,
    without: Mapping[BlockKey, str],
) -> list[float]:
    """One number per block if there is a reference, else one per process; all in ln."""
    arm = [s for s in own if s.arm == name]
    if reference is not None:
        base = [s for s in own if s.arm == reference]
        return list(paired_differences(arm, base, statistic, without=without).values())
    usable = [s for s in arm if s.status == Status.OK and (s.run_id, s.block) not in without]
    times = [value_of(s, statistic) for s in usable]
    return [math.log(time) for time in times if time is not None]


def _control(
    runs: Sequence[Sequence[Sample]],
    without: Sequence[Mapping[BlockKey, str]],
    reference: str | None,
    control: str | None,
    statistic: str,
    level: float,
) -> Interval | None:
    """What appears to have changed though it is the same; None where nothing can tell."""
    if reference is not None:
        is_baseline = all(
            s.role == ArmRole.BASELINE for own in runs for s in own if s.arm == reference
        )
        placebos = {s.arm for own in runs for s in own if s.role == ArmRole.PLACEBO}
        control = placebos.pop() if is_baseline and len(placebos) == 1 else None
    if control is None:
        return None
    old, new = (
        _values(own, control, reference, statistic, left_out)
        for own, left_out in zip(runs, without, strict=True)
    )
    return shift_interval(new, old, level)


def _decide(empty: Shift, old: list[float], new: list[float], same: Interval | None) -> Shift:
    bounds = shift_interval(new, old, empty.level)
    delta = math.log1p(empty.min_effect)
    effective = max(delta, abs(same.low), abs(same.high)) if same else delta
    kind, reason = _classify(bounds, effective, delta)
    if bounds is None:
        reason = f"{len(old)} and {len(new)} values are too few for an interval"
    point = bounds.point if bounds else _median_difference(old, new)
    return replace(
        empty,
        kind=kind,
        reason=reason,
        effective_min_effect=math.expm1(effective),
        first_count=len(old),
        second_count=len(new),
        time_ratio=_ratio(point),
        low=_ratio(bounds.low if bounds else None),
        high=_ratio(bounds.high if bounds else None),
        p_value=shift_p_value(new, old),
        control_low=_ratio(same.low if same else None),
        control_high=_ratio(same.high if same else None),
    )


def _classify(bounds: Interval | None, effective: float, delta: float) -> tuple[VerdictKind, str]:
    if bounds is None:
        return VerdictKind.INCONCLUSIVE, ""
    if bounds.low > effective:
        return VerdictKind.SLOWER, ""
    if bounds.high < -effective:
        return VerdictKind.FASTER, ""
    reason = "no difference found, which is no proof of none"
    if bounds.low > 0 or bounds.high < 0:
        direction = "slower" if bounds.low > 0 else "faster"
        limit = (
            "by less than matters" if effective <= delta else "no more than what has not changed"
        )
        reason = f"{direction}, perhaps {limit}"
    return VerdictKind.INCONCLUSIVE, reason


def _median_difference(old: Sequence[float], new: Sequence[float]) -> float | None:
    differences = sorted(b - a for a in old for b in new)
    if not differences:
        return None
    middle = len(differences) // 2
    return (differences[middle] + differences[~middle]) / 2


def _ratio(log_ratio: float | None) -> float | None:
    return None if log_ratio is None else math.exp(log_ratio)
