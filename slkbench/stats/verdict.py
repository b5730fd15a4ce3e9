"""The answer for a cell: point, interval and one of five verdicts, from its samples alone.

With delta the minimum effect and delta_eff = max(delta, larger bound of the placebo's interval):

- SLOWER / FASTER: the interval lies beyond delta, against the baseline and against its copy, the
  placebo: what a copy explains is no finding.
- EQUIVALENT: it lies within delta_eff (two one-sided tests: Schuirmann 1987), unless the placebo
  has widened delta_eff to more than twice delta: equality within noise is no finding.
- INVALID: more than a quarter of the blocks were disturbed; or the placebo, which is the baseline,
  differs from it by more than delta / 2 with an interval that excludes 0; or nothing is decided and
  the placebo is still not known to within delta after 32 blocks.
- INCONCLUSIVE: none of these, or the answer changes when the disturbed blocks are put back.

To ask for delta_eff of SLOWER and FASTER too would count the placebo's noise on top of that of the
comparison: where noise rules, twice the effect would be needed, for no fewer false answers.

Every bound is taken in ln t, so swapping two arms swaps their verdict.  Each of the looks planned
has its share of an error of 5 % (Bonferroni), so stopping at the first decided one is honest.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from slkbench.model import ArmRole, Cell, Metric, Sample, Scenario, Status, Verdict, VerdictKind
from slkbench.stats.blocks import (
    CPU_PER_MESSAGE,
    P50,
    P90,
    P99,
    P999,
    TIME_PER_MESSAGE,
    BlockKey,
    Paired,
    discarded_blocks,
    interval_over,
    paired,
)
from slkbench.stats.signed_rank import Interval, hodges_lehmann, p_value

__all__ = [
    "DECIDED",
    "SATURATED_FROM",
    "Decision",
    "decide",
    "default_statistic",
    "is_at_look",
    "judge_cell",
    "level_per_look",
    "looks_of",
    "minimum_effect",
    "placebo_reach",
    "should_stop",
]

FAMILY_ERROR = 0.05
FLOOR_NAME = "floor"
MIN_EFFECTS = {
    TIME_PER_MESSAGE: 0.02,
    CPU_PER_MESSAGE: 0.02,
    P50: 0.05,
    P90: 0.05,
    P99: 0.10,
    P999: 0.10,
}
# The first may be the machine's, and is measured once more.
SATURATED_FROM = 2
"""So many saturated samples make an arm saturated in a cell: those that kept up are a choice."""
MAX_DISCARDED_FRACTION = 0.25
MAX_WIDENING_FOR_EQUIVALENT = 2.0
PLACEBO_MUST_BE_TIGHT_FROM = 32
DECIDED = (VerdictKind.SLOWER, VerdictKind.FASTER, VerdictKind.EQUIVALENT)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the samples: of which number, how sure, and beyond which effect."""

    statistic: str
    level: float
    delta: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What a set of paired differences says. All effects are in ln t, but ``effective_delta``."""

    kind: VerdictKind
    reason: str
    blocks: int
    point: float | None
    bounds: Interval | None
    placebo: Interval | None
    p_value: float
    effective_delta: float


def looks_of(scenario: Scenario) -> tuple[int, ...]:
    """The numbers of valid blocks at which the run may stop; one if ``rounds`` fixes it."""
    return (scenario.rounds,) if scenario.rounds is not None else tuple(sorted(scenario.looks))


def level_per_look(scenario: Scenario) -> float:
    """Confidence of each look: 99 % with five looks, 95 % with one."""
    return 1 - FAMILY_ERROR / len(looks_of(scenario))


def default_statistic(metric: Metric) -> str:
    """What a cell is judged by: time per message, or the median round trip.

    A rate that is given fixes the time per message, so paced cells have round trips as well.
    """
    return P50 if Metric(metric).times_round_trips else TIME_PER_MESSAGE


def minimum_effect(scenario: Scenario, statistic: str) -> float:
    """The effect that matters, as a fraction: the scenario's, or 2 %, p50 and p90 5 %, p99 10 %."""
    if scenario.min_effect is not None:
        return scenario.min_effect
    return MIN_EFFECTS.get(statistic, MIN_EFFECTS[TIME_PER_MESSAGE])


def judge_cell(
    cell: Cell, samples: Sequence[Sample], scenario: Scenario, *, statistic: str | None = None
) -> tuple[Verdict, ...]:
    """One verdict for each contender of the cell but the baseline, by name.

    ``samples`` may hold other cells too.  ``statistic`` is a column of times in ns or
    ``cpu_ns_per_message``; by default ``default_statistic``.  A contender of which a sample failed
    has ``status`` FAILED and no ratio; one that was not measured SKIPPED.  Where one of the arms
    could not keep up with the rate, it is SATURATED.
    """
    own = [sample for sample in samples if sample.cell_key == cell.key]
    asked = statistic or default_statistic(cell.metric)
    question = _Question(asked, level_per_look(scenario), minimum_effect(scenario, asked))
    names = sorted({s.arm for s in own if s.role == ArmRole.CONTENDER})
    if not own:
        names = [n for n in scenario.contenders if n not in {scenario.baseline, FLOOR_NAME}]
    return tuple(_judge(cell, own, scenario, question, name) for name in names)


def placebo_reach(verdict: Verdict) -> float | None:
    """How far a copy of the baseline may seem to be from it, as a fraction; None without one."""
    if verdict.placebo_low is None or verdict.placebo_high is None:
        return None
    return max(abs(verdict.placebo_low - 1), abs(verdict.placebo_high - 1))


def should_stop(cell: Cell, samples: Sequence[Sample], scenario: Scenario) -> bool:
    """Whether to measure no further block of ``cell``; call after each whole block.

    True when every contender is decided at a look (known to within the scenario's ``target``, if it
    has one), has failed, or the last look is reached; also
    when so many blocks were disturbed that the last look is out of reach.
    """
    looks = looks_of(scenario)
    verdicts = judge_cell(cell, samples, scenario)
    pending = [verdict for verdict in verdicts if verdict.status is Status.OK]
    if verdicts and not pending:
        return True
    own = [sample for sample in samples if sample.cell_key == cell.key]
    measured = len({(sample.run_id, sample.block) for sample in own})
    if measured >= math.ceil(looks[-1] / (1 - MAX_DISCARDED_FRACTION)):
        return True
    if not pending:  # a baseline or floor alone: nothing to decide, only to repeat
        return measured >= looks[-1]
    blocks = min(verdict.blocks for verdict in pending)
    if blocks >= looks[-1]:
        return True
    return all(_is_known(verdict, scenario.target) for verdict in pending) and is_at_look(
        cell, samples, scenario, {verdict.contender: verdict.blocks for verdict in pending}
    )


def is_at_look(
    cell: Cell, samples: Sequence[Sample], scenario: Scenario, blocks: Mapping[str, int]
) -> bool:
    """Whether the last block has brought these contenders' fewest ``blocks`` to a look.

    A look is taken once: a block that adds nothing, since it was disturbed or the CPUs moved, must
    not be another chance to decide.
    """
    fewest = min(blocks.values())
    if fewest not in looks_of(scenario):
        return False
    last = max(s.block for s in samples if s.cell_key == cell.key)
    earlier = judge_cell(cell, [s for s in samples if s.block != last], scenario)
    before = {verdict.contender: verdict.blocks for verdict in earlier}
    return min(before.get(name, 0) for name in blocks) < fewest


def _is_known(verdict: Verdict, target: float | None) -> bool:
    if target is None:
        return verdict.kind in DECIDED
    if verdict.low is None or verdict.high is None:
        return False
    return math.log(verdict.high / verdict.low) / 2 <= math.log1p(target)


def _judge(
    cell: Cell, own: Sequence[Sample], scenario: Scenario, question: _Question, name: str
) -> Verdict:
    baselines = [s for s in own if s.role == ArmRole.BASELINE]
    baseline = baselines[0].arm if baselines else scenario.baseline
    discarded = discarded_blocks(own)
    empty = Verdict(
        cell=cell,
        baseline=baseline,
        contender=name,
        kind=VerdictKind.INVALID,
        blocks=0,
        discarded_blocks=len(discarded),
        time_ratio=None,
        low=None,
        high=None,
        level=None,
        p_value=None,
        min_effect=question.delta,
        effective_min_effect=question.delta,
        rates_msgs_per_s=_median_rates(own),
        statistic=question.statistic,
    )
    if (lack := _lack(own, name, baseline)) is not None:
        status, reason = lack
        return replace(empty, status=status, reason=reason)
    answer = _answer(own, question, name, discarded)
    if discarded:
        answer = _doubt(answer, _answer(own, question, name, {}), own, len(discarded))
    return _verdict(empty, answer, question, len(looks_of(scenario)))


def _lack(own: Sequence[Sample], name: str, baseline: str) -> tuple[Status, str] | None:
    """Why there is nothing to compare: an arm of the comparison failed, or was not measured."""
    involved = {name, baseline}
    compared = [s for s in own if s.arm in involved or s.role == ArmRole.PLACEBO]
    if failed := [s for s in compared if s.status == Status.FAILED]:
        first = failed[0]
        of = sum(s.arm == first.arm for s in compared)
        count = sum(s.arm == first.arm for s in failed)
        return (
            Status.FAILED,
            f"{first.arm} failed in {count} of {of} samples: {first.reason or '?'}",
        )
    if (saturated := _saturation(compared)) is not None:
        return Status.SATURATED, saturated
    for arm in (baseline, name):
        measured = [s for s in compared if s.arm == arm]
        if not any(s.status != Status.SKIPPED for s in measured):
            reasons = [s.reason for s in measured if s.reason]
            return Status.SKIPPED, f"{arm}: {reasons[0] if reasons else 'not measured'}"
    return None


def _saturation(compared: Sequence[Sample]) -> str | None:
    """Which arm could not keep up with the rate, in more samples than the machine may explain."""
    placebo_last = sorted(compared, key=lambda s: s.role == ArmRole.PLACEBO)
    for arm in dict.fromkeys(s.arm for s in placebo_last):
        own = [s for s in compared if s.arm == arm]
        saturated = [s for s in own if s.status == Status.SATURATED]
        if len(saturated) >= SATURATED_FROM:
            count = f"{len(saturated)} of {len(own)} samples"
            return f"{arm} was saturated in {count}: {saturated[0].reason or '?'}"
    return None


def _answer(
    own: Sequence[Sample], question: _Question, name: str, without: Collection[BlockKey]
) -> Decision:
    def differences(second: list[Sample], first: list[Sample]) -> Paired:
        return paired(second, first, question.statistic, without=without)

    contender = [s for s in own if s.arm == name]
    baseline = [s for s in own if s.role == ArmRole.BASELINE]
    placebo = [s for s in own if s.role == ArmRole.PLACEBO]
    return decide(
        differences(contender, baseline),
        differences(placebo, baseline),
        differences(contender, placebo),
        level=question.level,
        min_effect=question.delta,
    )


def decide(
    contender: Paired, placebo: Paired, beside_placebo: Paired, *, level: float, min_effect: float
) -> Decision:
    """Judge differences of ln t: contender and placebo to the baseline, contender to the placebo.

    ``level`` is that of one look, ``min_effect`` a fraction.  Without a placebo its two are empty.
    Every verdict is made here; what the machine disturbed, and what failed, has been taken out
    before.
    """
    bounds, known, beside = (
        interval_over(each, level) for each in (contender, placebo, beside_placebo)
    )
    delta = math.log1p(min_effect)
    effective = max(delta, abs(known.low), abs(known.high)) if known else delta
    has_placebo = placebo.blocks > 0 or beside_placebo.blocks > 0
    # Which all comparisons have: a run goes on until these are enough.
    blocks = contender.blocks
    if has_placebo:
        blocks = min(blocks, placebo.blocks, beside_placebo.blocks)
    compared = _Compared(bounds, known, beside, contender.blocks, has_placebo)
    kind, reason = _classify(compared, delta, effective)
    return Decision(
        kind=kind,
        reason=reason,
        blocks=blocks,
        point=hodges_lehmann(contender.values),
        bounds=bounds,
        placebo=known,
        p_value=p_value(contender.values),
        effective_delta=math.expm1(effective),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """The three intervals of ``decide``, and from how many blocks."""

    bounds: Interval | None
    placebo: Interval | None
    beside_placebo: Interval | None
    blocks: int
    has_placebo: bool


def _classify(found: _Compared, delta: float, effective: float) -> tuple[VerdictKind, str]:
    bounds, placebo = found.bounds, found.placebo
    if bounds is None:
        return VerdictKind.INCONCLUSIVE, f"{found.blocks} blocks are too few for an interval"
    if (doubt := _doubt_of_placebo(found, delta)) is not None:
        return doubt
    beside = found.beside_placebo or bounds
    if min(bounds.low, beside.low) > delta:
        return VerdictKind.SLOWER, ""
    if max(bounds.high, beside.high) < -delta:
        return VerdictKind.FASTER, ""
    half_width = (placebo.high - placebo.low) / 2 if placebo else 0.0
    if found.blocks >= PLACEBO_MUST_BE_TIGHT_FROM and half_width > delta:
        return VerdictKind.INVALID, f"the placebo is still not known well: {_percent(placebo)}"
    return _undecided(found, delta, effective)


def _doubt_of_placebo(found: _Compared, delta: float) -> tuple[VerdictKind, str] | None:
    placebo = found.placebo
    if found.has_placebo and (placebo is None or found.beside_placebo is None):
        return VerdictKind.INCONCLUSIVE, "the placebo has too few blocks for an interval"
    if placebo and placebo.low * placebo.high > 0 and abs(placebo.point) > delta / 2:
        return VerdictKind.INVALID, f"the placebo differs from the baseline: {_percent(placebo)}"
    return None


def _undecided(found: _Compared, delta: float, effective: float) -> tuple[VerdictKind, str]:
    """EQUIVALENT, or why not even that."""
    bounds, beside = found.bounds, found.beside_placebo
    assert bounds is not None
    reason = "not even the direction is known"
    if -effective < bounds.low and bounds.high < effective:
        if effective <= MAX_WIDENING_FOR_EQUIVALENT * delta:
            return VerdictKind.EQUIVALENT, ""
        reason = f"no more different than the placebo: {_percent(found.placebo)}"
    elif bounds.low > delta or bounds.high < -delta:
        direction = "slower" if bounds.low > delta else "faster"
        reason = f"{direction}, but not surely than the placebo: {_percent(beside)}"
    elif bounds.low > 0:
        reason = "slower, perhaps by less than matters"
    elif bounds.high < 0:
        reason = "faster, perhaps by less than matters"
    return VerdictKind.INCONCLUSIVE, reason


def _percent(bounds: Interval | None) -> str:
    if bounds is None:
        return "no interval"
    low, high = math.expm1(bounds.low), math.expm1(bounds.high)
    return f"{math.expm1(bounds.point):+.1%} [{low:+.1%}, {high:+.1%}]"


def _doubt(answer: Decision, put_back: Decision, own: Sequence[Sample], discarded: int) -> Decision:
    """Take back an answer that rests on leaving out disturbed blocks."""
    measured = len({(s.run_id, s.block) for s in own})
    if discarded > MAX_DISCARDED_FRACTION * measured:
        reason = f"{discarded} of {measured} blocks were disturbed"
        return replace(answer, kind=VerdictKind.INVALID, reason=reason)
    if answer.kind in DECIDED and put_back.kind is not answer.kind:
        reason = (
            f"{answer.kind} turns {put_back.kind} with the {discarded} disturbed blocks put back"
        )
        return replace(answer, kind=VerdictKind.INCONCLUSIVE, reason=reason)
    return answer


def _verdict(empty: Verdict, answer: Decision, question: _Question, looks: int) -> Verdict:
    bounds, placebo = answer.bounds, answer.placebo
    needed = None
    if bounds and answer.kind is VerdictKind.INCONCLUSIVE:
        half_width = (bounds.high - bounds.low) / 2
        needed = math.ceil(answer.blocks * (half_width / math.log1p(question.delta)) ** 2)
    return replace(
        empty,
        kind=answer.kind,
        reason=answer.reason,
        blocks=answer.blocks,
        time_ratio=_ratio(answer.point),
        low=_ratio(bounds.low if bounds else None),
        high=_ratio(bounds.high if bounds else None),
        level=question.level if bounds else None,
        p_value=min(1.0, answer.p_value * looks) if answer.blocks else None,
        effective_min_effect=answer.effective_delta,
        placebo_ratio=_ratio(placebo.point if placebo else None),
        placebo_low=_ratio(placebo.low if placebo else None),
        placebo_high=_ratio(placebo.high if placebo else None),
        blocks_needed=max(needed, answer.blocks + 1) if needed is not None else None,
    )


def _ratio(log_ratio: float | None) -> float | None:
    return None if log_ratio is None else math.exp(log_ratio)


def _median_rates(own: Sequence[Sample]) -> tuple[tuple[str, float], ...]:
    rates: dict[str, list[float]] = {}
    for sample in own:
        if sample.status == Status.OK and sample.rate_msgs_per_s and sample.role != ArmRole.PLACEBO:
            rates.setdefault(sample.arm, []).append(sample.rate_msgs_per_s)
    return tuple((name, median(found)) for name, found in sorted(rates.items()))
