"""A self-test's outcome as one document of Markdown, and its trials as a table for programs."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import fields

from slkbench.selftest import tables
from slkbench.selftest.claims import Answer, Claim, is_too_noisy
from slkbench.selftest.faults import FaultOutcome
from slkbench.selftest.instructions import InstructionTrial
from slkbench.selftest.score import Trial
from slkbench.selftest.stored import Sitting
from slkbench.units import format_duration

__all__ = ["closing", "describe", "trials_csv"]


def describe(
    machine: str,
    sittings: Sequence[Sitting],
    trials: Sequence[Trial],
    faults: Sequence[FaultOutcome],
    instructions: Sequence[InstructionTrial],
    claims: Sequence[Claim],
) -> str:
    """All that is known, the claims last. The last of ``sittings`` says how it ended."""
    stamp = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    elapsed = format_duration(sum(each.elapsed_s for each in sittings))
    parts = [f"# Self-test: {machine}, {stamp}, {elapsed}, {sittings[-1].status}"]
    if trials:
        parts += [
            tables.section("Trials by sitting", _SITTINGS, tables.sitting_table(sittings, trials)),
            tables.section("What was found, by effect", tables.power_table(trials)),
            tables.section("Every cell", _TRUTH, tables.trial_table(trials)),
        ]
    if faults:
        parts.append(tables.section("Known faults", tables.fault_table(faults)))
    if instructions:
        counted = tables.instruction_table(instructions)
        parts.append(tables.section("Instructions per message", _COUNTED, counted))
    if is_too_noisy(trials):
        parts.append(_NOISY)
    elif trials and all(trial.low is None for trial in trials):
        parts.append(_SHORT)
    return "\n\n".join([*parts, closing(claims)])


_SITTINGS = (
    "A sitting is one stretch of time; `--resume` begins another. `false` are SLOWER or FASTER "
    "verdicts about a copy, and FASTER ones about what was slowed."
)
_TRUTH = (
    "A library that is slowed by 5 % sends every twentieth message of a stream twice, and keeps "
    "the second to itself where it arrives; a round trip is 20 of libzmq's, in the baseline too, "
    "and one more where it is slowed. So CPU time grows by the same share. `time` is what a run of "
    "these two and the placebo alone takes; `smallest effect` is what its noise lets find in nine "
    "of ten runs."
)
_COUNTED = (
    "Counted by callgrind, once per self-test. Here libzmq turns in a loop before it passes a "
    "message on. `executes more` is the effect in whole turns; "
    "a thread that is busy lets I/O threads do less at once, which `counted` has besides. "
    "`extremes` are over all pairs of counts, and the verdict holds where both lie beyond 2 %."
)
_SHORT = (
    "**This was too short to judge:** no cell reached its first look, 8 blocks of all that is "
    "slowed. Take fewer --cells, or a longer --budget; --resume goes on with what is there."
)
_NOISY = (
    "**This machine was too noisy to judge:** not even a copy was found equal, nor any slowdown "
    "found. Nothing is shown; use a quieter machine or time, or a longer --budget."
)


def closing(claims: Sequence[Claim]) -> str:
    """Each claim with what the trials say of it, and how many are shown."""
    open_ones = sum(claim.answer is Answer.OPEN for claim in claims)
    wrong = len(tables.contradicted(claims))
    untried = sum(claim.answer is Answer.UNTRIED for claim in claims)
    shown = len(claims) - open_ones - wrong - untried
    text = f"{shown} of {len(claims)} claims shown, {wrong} contradicted"
    text += f", {untried} not to be told" * (untried > 0)
    if open_ones:
        text += (
            f"; {open_ones} could not be shown with so few trials (0 of 59 would show 5 %), which "
            "more trials can change"
        )
    return tables.section("Claims", tables.claim_table(claims), f"{text}.")


def trials_csv(trials: Sequence[Trial]) -> str:
    """A row for each trial, by the names of ``Trial``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Trial)]
    writer.writerow(names)
    for trial in trials:
        values = (getattr(trial, name) for name in names)
        writer.writerow("" if value is None else value for value in values)
    return text.getvalue()
