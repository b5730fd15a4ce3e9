"""The outcome of a self-test in words: tables of Markdown, for the terminal as for the folder."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from slkbench.model import Status, VerdictKind
from slkbench.report.markdown import heading, table
from slkbench.selftest.claims import Answer, Claim
from slkbench.selftest.faults import FaultOutcome
from slkbench.selftest.instructions import InstructionTrial
from slkbench.selftest.placebos import PlaceboTrial
from slkbench.selftest.score import Trial, grouped
from slkbench.selftest.simulate import ModesTally, Tally
from slkbench.selftest.stored import Sitting
from slkbench.units import format_duration, format_percent

__all__ = [
    "claim_table",
    "contradicted",
    "false_placebo_table",
    "fault_table",
    "instruction_table",
    "modes_table",
    "placebo_table",
    "power_table",
    "section",
    "simulation_table",
    "sitting_table",
    "trial_table",
]

_NOTHING = "-"


def simulation_table(tallies: Sequence[Tally]) -> str:
    """Coverage and error rates of simulated cells."""
    rows = [
        (
            tally.law,
            format_percent(tally.truth, signed=True),
            _share(tally.covered, tally.trials),
            _share(tally.wrong, tally.trials),
            *(_share(tally.count(kind), tally.trials) for kind in VerdictKind),
            f"{tally.blocks:.1f}",
        )
        for tally in tallies
    ]
    kinds = (str(kind) for kind in VerdictKind)
    head = ("noise", "true difference", "interval holds it", "false verdicts")
    return table((*head, *kinds, "blocks"), rows)


def modes_table(tallies: Sequence[ModesTally]) -> str:
    """How often two modes are seen."""
    rows = [
        (
            each.law,
            str(each.processes),
            "2" if each.has_two else "1",
            _share(each.found, each.trials),
        )
        for each in tallies
    ]
    return table(("noise", "processes", "modes", "called two"), rows)


def sitting_table(sittings: Sequence[Sitting], trials: Sequence[Trial]) -> str:
    """Each sitting and what its trials said, so that different hours can be told apart."""
    judged = [trial for trial in trials if trial.status is Status.OK and trial.low is not None]
    rows = []
    for number, sitting in enumerate(sittings, start=1):
        own = [trial for trial in judged if trial.number in sitting.passes]
        copies = [trial for trial in own if trial.effect == 0]
        slowed = [trial for trial in own if trial.effect > 0]
        rows.append(
            (
                str(number),
                sitting.began_utc,
                format_duration(sitting.elapsed_s),
                sitting.status,
                str(len(sitting.passes)),
                _of(sum(trial.is_false for trial in copies), len(copies)),
                _of(sum(trial.is_false for trial in slowed), len(slowed)),
                _of(sum(trial.is_found for trial in slowed), len(slowed)),
                _of(sum(bool(trial.covers) for trial in own), len(own)),
            )
        )
    head = (
        "sitting",
        "began, UTC",
        "lasted",
        "ended",
        "passes",
        "A/A: false",
        "slowed: false",
        "slowed: found",
        "truth held",
    )
    return table(head, rows)


def trial_table(trials: Sequence[Trial]) -> str:
    """Every trial."""
    rows = [
        (
            trial.cell,
            str(trial.number + 1),
            _effect(trial.effect),
            _change(trial.time_ratio),
            _bounds(trial.low, trial.high),
            _yes(trial.covers),
            str(trial.kind) if trial.status is Status.OK else str(trial.status),
            str(trial.blocks),
            format_duration(trial.duration_s) if trial.duration_s > 0 else _NOTHING,
            _NOTHING if trial.predicted is None else format_percent(trial.predicted),
            _bounds(trial.cpu_low, trial.cpu_high),
            _yes(trial.cpu_covers),
            str(trial.cpu_kind),
        )
        for trial in trials
    ]
    head = (
        "cell",
        "pass",
        "slowed by",
        "found",
        "99% interval",
        "holds it",
        "verdict",
        "blocks",
        "time",
        "smallest effect",
        "CPU interval",
        "holds it ",
        "CPU verdict",
    )
    return table(head, rows)


def power_table(trials: Sequence[Trial]) -> str:
    """How often each effect is found, and how long that takes, by transport."""
    rows = []
    for transport in dict.fromkeys(trial.transport for trial in trials):
        members = [trial for trial in trials if trial.transport == transport]
        for effect, own in grouped(members).items():
            found = [trial for trial in own if trial.is_found]
            predicted = [trial.predicted for trial in own if trial.predicted is not None]
            expected = sum(each <= effect for each in predicted)
            rows.append(
                (
                    transport,
                    _effect(effect),
                    str(len(own)),
                    _of(len(found), len(own)),
                    _of(sum(trial.cpu_kind is VerdictKind.SLOWER for trial in own), len(own)),
                    _of(sum(trial.kind is VerdictKind.EQUIVALENT for trial in own), len(own)),
                    _of(sum(bool(trial.covers) for trial in own), len(own)),
                    _duration([trial.duration_s for trial in found]),
                    format_percent(median(predicted)) if predicted else _NOTHING,
                    _of(expected, len(own)),
                )
            )
    head = (
        "transport",
        "slowed by",
        "cells",
        "SLOWER",
        "CPU SLOWER",
        "EQUIVALENT",
        "truth held",
        "median time to find",
        "smallest effect predicted",
        "predicted to be found",
    )
    return table(head, rows)


def fault_table(outcomes: Sequence[FaultOutcome]) -> str:
    """Each known fault and what was said of it."""
    rows = [(each.fault, "yes" if each.is_named else "NO", each.said) for each in outcomes]
    return table(("fault", "named", "said"), rows, left=3)


def instruction_table(trials: Sequence[InstructionTrial]) -> str:
    """Each number of instructions more, and what was counted."""
    rows = [
        (
            trial.cell,
            _NOTHING if trial.reason else _effect(trial.effect),
            _NOTHING if trial.plain is None else f"{trial.plain:.1f}",
            _change(trial.truth, digits=2),
            _change(trial.ratio, digits=2),
            _bounds(trial.low, trial.high, digits=2),
            f"CAN'T TELL: {trial.reason}" if trial.reason else str(trial.kind),
        )
        for trial in trials
    ]
    head = ("cell", "wanted", "libzmq", "executes more", "counted", "extremes", "verdict")
    return table(head, rows)


def placebo_table(trials: Sequence[PlaceboTrial]) -> str:
    """The placebos of each run: how many, and how many were called different."""
    rows = []
    for run in dict.fromkeys(trial.run for trial in trials):
        own = [trial for trial in trials if trial.run == run]
        whole = [trial for trial in own if trial.is_complete]
        cut = [trial for trial in own if not trial.is_complete]
        rows.append(
            (
                run,
                _range([trial.blocks for trial in own]),
                " and ".join(sorted({f"{trial.level:.0%}" for trial in own})),
                _of(sum(trial.is_false for trial in whole), len(whole)),
                _of(sum(trial.is_false for trial in cut), len(cut)),
            )
        )
    head = ("run", "blocks", "level", "called different", "of those that ended early")
    return table(head, rows)


def false_placebo_table(trials: Sequence[PlaceboTrial]) -> str:
    """Each placebo that was called different."""
    rows = [
        (
            trial.cell,
            trial.run,
            _change(trial.time_ratio),
            _bounds(trial.low, trial.high),
            str(trial.kind),
            str(trial.blocks),
            "yes" if trial.is_complete else "no",
        )
        for trial in trials
        if trial.is_false
    ]
    head = ("cell", "run", "found", "interval", "called", "blocks", "counted")
    return table(head, rows, left=2)


def claim_table(claims: Sequence[Claim]) -> str:
    """Each claim with what trials say of it."""
    rows = [
        (
            claim.text,
            _of(claim.misses, claim.trials),
            format_percent(claim.allowed, digits=0),
            format_percent(claim.bound) if claim.allowed and claim.trials else _NOTHING,
            f"{claim.answer}: {claim.lack}"
            if claim.answer is Answer.UNTRIED
            else str(claim.answer),
        )
        for claim in claims
    ]
    return table(("what must be rare", "happened", "allowed", "at most (95 %)", "claim"), rows)


def contradicted(claims: Sequence[Claim]) -> list[Claim]:
    """Those that do not hold."""
    return [claim for claim in claims if claim.answer is Answer.CONTRADICTED]


def section(title: str, *parts: str) -> str:
    """A heading and what follows."""
    return "\n\n".join((heading(2, title), *parts))


def _effect(effect: float) -> str:
    return "copy" if effect == 0 else format_percent(effect, signed=True, digits=0)


def _share(count: int, trials: int) -> str:
    return format_percent(count / trials) if trials else _NOTHING


def _of(count: int, trials: int) -> str:
    return f"{count} of {trials}"


def _change(ratio: float | None, *, digits: int = 1) -> str:
    return _NOTHING if ratio is None else format_percent(ratio - 1, signed=True, digits=digits)


def _bounds(low: float | None, high: float | None, *, digits: int = 1) -> str:
    if low is None or high is None:
        return _NOTHING
    return f"[{_change(low, digits=digits)}, {_change(high, digits=digits)}]"


def _yes(is_so: bool | None) -> str:
    return _NOTHING if is_so is None else "yes" if is_so else "NO"


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _duration(times_s: Sequence[float]) -> str:
    known = [each for each in times_s if each > 0]
    return format_duration(median(known)) if known else _NOTHING
