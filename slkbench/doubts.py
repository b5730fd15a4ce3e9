"""Doubts that need more than one number: drift over a run, time against CPU and instructions. Pure.

Like those of ``checks`` they change no verdict.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean, linear_regression

from slkbench.model import ArmRole, Cell, Finding, Sample, Scenario, Status, Verdict, VerdictKind
from slkbench.units import format_percent

__all__ = ["further_doubts"]

FEWEST_BLOCKS_FOR_TREND = 8
MIN_TREND = 0.05
# How many standard errors a trend must be away from none: runs have many cells.
MIN_TREND_OVER_ERROR = 4.0
_DECIDED = (VerdictKind.SLOWER, VerdictKind.FASTER, VerdictKind.EQUIVALENT)


def further_doubts(
    scenario: Scenario,
    samples: Sequence[Sample],
    verdicts: Sequence[Verdict],
    cpu_verdicts: Sequence[Verdict],
    instruction_verdicts: Sequence[Verdict] = (),
) -> tuple[Finding, ...]:
    """What to distrust beyond ``checks.check_run``. Verdicts are those of the samples.

    ``instruction_verdicts`` are of what was counted beside them.
    """
    return (
        *_cpu_disagreements(verdicts, cpu_verdicts),
        *_instruction_disagreements(verdicts, instruction_verdicts),
        *_drifts(scenario.cells, samples),
    )


def _cpu_disagreements(
    verdicts: Sequence[Verdict], cpu_verdicts: Sequence[Verdict]
) -> Iterator[Finding]:
    """The difference is in waiting, or bought with CPU time."""
    for verdict, cpu in _unlike(verdicts, cpu_verdicts):
        said = f"CPU time per message {cpu.kind} ({_change(cpu)})"
        yield _disagreement(
            "time-and-cpu-disagree", verdict, said, _meaning(verdict.kind, cpu.kind)
        )


def _instruction_disagreements(
    verdicts: Sequence[Verdict], instruction_verdicts: Sequence[Verdict]
) -> Iterator[Finding]:
    """The difference is in what callgrind does not count, or where time is not spent."""
    for verdict, counted in _unlike(verdicts, instruction_verdicts):
        said = f"instructions per message are {_in_number(counted.kind)} ({_change(counted)})"
        meaning = _meaning_of_count(verdict.kind, counted.kind)
        yield _disagreement("time-and-instructions-disagree", verdict, said, meaning)


def _disagreement(code: str, verdict: Verdict, said: str, meaning: str) -> Finding:
    """``said`` is what a companion says in place of ``verdict``."""
    return Finding(
        code=code,
        subject=f"{verdict.cell.title}: {verdict.contender}",
        evidence=f"time per message is {verdict.kind} ({_change(verdict)}), {said}",
        remedy=meaning,
    )


def _unlike(
    verdicts: Sequence[Verdict], companions: Sequence[Verdict]
) -> Iterator[tuple[Verdict, Verdict]]:
    """Each verdict with its companion where both are decided, and not alike."""
    found = {(each.cell.key, each.contender): each for each in companions}
    for verdict in verdicts:
        companion = found.get((verdict.cell.key, verdict.contender))
        if companion is None or Status.FAILED in (verdict.status, companion.status):
            continue
        decided = verdict.kind in _DECIDED and companion.kind in _DECIDED
        if decided and verdict.kind is not companion.kind:
            yield verdict, companion


def _in_number(kind: VerdictKind) -> str:
    words = {VerdictKind.SLOWER: "more", VerdictKind.FASTER: "fewer"}
    return f"{words[kind]}: {kind}" if kind in words else str(kind)


def _meaning_of_count(time: VerdictKind, counted: VerdictKind) -> str:
    look = (
        "only user space is counted, in lockstep: slkbench profile cpu --run and slkbench explain "
        "tell where the time goes"
    )
    if VerdictKind.SLOWER in (time, counted) and VerdictKind.FASTER in (time, counted):
        return f"do not take either for the other, the code does not explain the time; {look}"
    if time is VerdictKind.EQUIVALENT:
        return f"what the code does more or less is not on the way that limits; {look}"
    return f"the difference is in the kernel, in waiting or in caches rather than in code; {look}"


def _meaning(time: VerdictKind, cpu: VerdictKind) -> str:
    if cpu is VerdictKind.SLOWER:
        return "it spends CPU time, such as by polling or on more threads, that other work lacks"
    if time is VerdictKind.SLOWER:
        return "it waits, or is woken late, rather than computes: look at slkbench profile syscalls"
    return "part of the gain is CPU time that is saved, part of it waiting: name both"


def _change(verdict: Verdict) -> str:
    return (
        "n/a" if verdict.time_ratio is None else format_percent(verdict.time_ratio - 1, signed=True)
    )


def _drifts(cells: Sequence[Cell], samples: Sequence[Sample]) -> Iterator[Finding]:
    """The baseline's time per message moves with the blocks: the machine has changed meanwhile."""
    own: dict[object, dict[tuple[str, int], list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        time_ns = sample.time_per_message_ns
        if sample.role == ArmRole.BASELINE and sample.status == Status.OK and time_ns:
            own[sample.cell_key][sample.run_id, sample.block].append(math.log(time_ns))
    for cell in cells:
        means = [fmean(found) for _, found in sorted(own[cell.key].items())]
        if len(means) < FEWEST_BLOCKS_FOR_TREND:
            continue
        trend, error = _trend(means)
        if abs(trend) >= MIN_TREND and abs(trend) >= MIN_TREND_OVER_ERROR * error:
            yield Finding(
                code="drift",
                subject=cell.title,
                evidence=f"the baseline's time per message changed by "
                f"{format_percent(math.expm1(trend), signed=True)} from the first of {len(means)} "
                "blocks to the last",
                remedy="verdicts are safe, since neighbours are compared; the rates are of a "
                "machine that changed (heat, other guests): measure again when it has settled",
            )


def _trend(means: Sequence[float]) -> tuple[float, float]:
    """How much a line through ``means`` rises from first to last, and its standard error."""
    places = range(len(means))
    slope, intercept = linear_regression(places, means)
    rest = sum(
        (mean - intercept - slope * place) ** 2 for place, mean in zip(places, means, strict=True)
    )
    middle = fmean(places)
    spread = sum((place - middle) ** 2 for place in places)
    error = math.sqrt(rest / (len(means) - 2) / spread)
    span = len(means) - 1
    return slope * span, error * span
