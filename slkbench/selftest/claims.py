"""What the verdicts claim, held against trials: shown, contradicted, or too few trials to tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb

from slkbench.model import Status, VerdictKind
from slkbench.selftest.faults import FaultOutcome
from slkbench.selftest.instructions import InstructionTrial
from slkbench.selftest.placebos import PlaceboTrial
from slkbench.selftest.score import Trial
from slkbench.selftest.simulate import ModesTally, Tally

__all__ = [
    "Answer",
    "Claim",
    "claims_of_faults",
    "claims_of_instructions",
    "claims_of_placebos",
    "claims_of_simulations",
    "claims_of_trials",
    "is_too_noisy",
]

CONFIDENCE = 0.95
CONTRADICTED_BELOW = 0.01
MAX_ERROR = 0.05
MIN_POWER = 0.90
COUNTED_EFFECT = 0.05
MAX_FALSE_MODES = 0.10
MIN_TRUE_MODES = 0.80
_MINUTE_S = 60.0


class Answer(StrEnum):
    """What trials say of a claim."""

    SHOWN = "shown"
    OPEN = "not contradicted"
    UNTRIED = "CAN'T TELL"
    CONTRADICTED = "CONTRADICTED"


@dataclass(frozen=True, slots=True)
class Claim:
    """``misses`` of ``trials`` went against the claim that at most ``allowed`` of them do.

    ``lack`` says why there are no trials.  ``bound`` is what the share of misses is at most, at
    95 % confidence (Clopper and Pearson 1934).
    """

    text: str
    trials: int
    misses: int
    allowed: float
    lack: str = ""

    @property
    def bound(self) -> float:
        """Found by bisection of the binomial law."""
        if self.trials == 0 or self.misses >= self.trials:
            return 1.0
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            if _at_most(self.misses, self.trials, middle) > 1 - CONFIDENCE:
                low = middle
            else:
                high = middle
        return high

    @property
    def answer(self) -> Answer:
        """Contradicted where so many misses come by chance less than once in a hundred.

        What may never happen is not a matter of chance: it did, or it did not.
        """
        if self.lack:
            return Answer.UNTRIED
        if self.allowed == 0:
            return Answer.CONTRADICTED if self.misses else Answer.SHOWN
        if self.trials and 1 - _at_most(self.misses - 1, self.trials, self.allowed) < (
            CONTRADICTED_BELOW
        ):
            return Answer.CONTRADICTED
        return Answer.SHOWN if self.bound <= self.allowed else Answer.OPEN


def _at_most(count: int, trials: int, probability: float) -> float:
    """P(X <= count) of a binomial X."""
    return sum(
        comb(trials, k) * probability**k * (1 - probability) ** (trials - k)
        for k in range(count + 1)
    )


def claims_of_trials(trials: Sequence[Trial]) -> list[Claim]:
    """What is claimed of measured cells, and how it went."""
    judged = [trial for trial in trials if trial.status is Status.OK and trial.low is not None]
    same = [trial for trial in judged if trial.effect == 0]
    slowed = [trial for trial in judged if trial.effect > 0]
    claims = [
        _claim("libzmq against its copy: SLOWER or FASTER", same, lambda t: t.is_false),
        _claim("a known slowdown: called FASTER", slowed, lambda t: t.is_false),
    ]
    for metric in dict.fromkeys(trial.metric for trial in judged):
        own = [trial for trial in judged if trial.metric == metric]
        claims.append(
            _claim(f"interval of time misses the truth, {metric}", own, lambda t: not t.covers)
        )
    with_cpu = [trial for trial in judged if trial.cpu_covers is not None]
    claims.append(
        _claim("interval of CPU time misses the truth", with_cpu, lambda t: not t.cpu_covers)
    )
    claims.append(_prediction(slowed))
    claims += [
        _power(slowed, effect, transport, limit_s)
        for effect, transport, limit_s in (
            (0.05, "inproc", 2 * _MINUTE_S),
            (0.20, "tcp", 2 * _MINUTE_S),
            (0.10, "tcp", 10 * _MINUTE_S),
        )
    ]
    return [claim for claim in claims if claim.trials or claim.lack]


def _claim(text: str, trials: Sequence[Trial], misses: Callable[[Trial], bool | None]) -> Claim:
    return Claim(text, len(trials), sum(bool(misses(trial)) for trial in trials), MAX_ERROR)


def _prediction(slowed: Sequence[Trial]) -> Claim:
    """What is at least as large as the smallest effect that the noise lets find is found."""
    large = [
        each for each in slowed if each.predicted is not None and each.effect >= each.predicted
    ]
    missed = sum(not trial.is_found for trial in large)
    text = "a slowdown of the smallest effect predicted, or more, is not found"
    return Claim(text, len(large), missed, 1 - MIN_POWER)


def _power(slowed: Sequence[Trial], effect: float, transport: str, limit_s: float) -> Claim:
    """One that ended sooner, at its last look or with the budget, says nothing of so much time."""
    tried = [trial for trial in slowed if (trial.effect, trial.transport) == (effect, transport)]
    own = [trial for trial in tried if trial.is_found or trial.duration_s >= limit_s]
    missed = sum(not (trial.is_found and trial.duration_s <= limit_s) for trial in own)
    text = f"+{effect:.0%} on {transport} is not found within {limit_s / _MINUTE_S:g} min"
    sooner = len(tried) - len(own)
    if sooner and own:
        text += f" ({sooner} more ended sooner)"
    lack = f"{sooner} ended sooner; more --looks" if sooner and not own else ""
    return Claim(text, len(own), missed, 1 - MIN_POWER, lack)


def claims_of_faults(outcomes: Sequence[FaultOutcome]) -> list[Claim]:
    """Every fault is named; one that is not contradicts the claim."""
    unnamed = sum(not outcome.is_named for outcome in outcomes)
    return [Claim("a known fault is not named", len(outcomes), unnamed, 0.0)] if outcomes else []


def claims_of_instructions(trials: Sequence[InstructionTrial]) -> list[Claim]:
    """A slowdown that is executed is always found by counting, and a copy is never one."""
    if not trials:
        return []
    lack = next((trial.reason for trial in trials if trial.reason), "")
    counted = [trial for trial in trials if not trial.reason]
    slowed = [trial for trial in counted if trial.effect >= COUNTED_EFFECT]
    same = [trial for trial in counted if trial.effect == 0]
    missed = sum(trial.kind is not VerdictKind.SLOWER for trial in slowed)
    unlike = sum(trial.kind in (VerdictKind.SLOWER, VerdictKind.FASTER) for trial in same)
    texts = (
        f"+{COUNTED_EFFECT:.0%} or more by instructions per message is not found",
        "libzmq against its copy by instructions: SLOWER or FASTER",
    )
    found = zip(texts, (slowed, same), (missed, unlike), strict=True)
    return [
        Claim(text, len(own), misses, 0.0, "" if misses else lack)
        for text, own, misses in found
        if own or lack
    ]


def claims_of_placebos(trials: Sequence[PlaceboTrial]) -> list[Claim]:
    """As with the copies of a self-test, but of stored runs, so never added to them."""
    whole = [trial for trial in trials if trial.is_complete]
    false = sum(trial.is_false for trial in whole)
    return [Claim("a stored run's placebo: SLOWER or FASTER", len(whole), false, MAX_ERROR)]


def claims_of_simulations(tallies: Sequence[Tally], modes: Sequence[ModesTally]) -> list[Claim]:
    """The same claims of simulated noise, for every law by itself."""
    claims = []
    for tally in tallies:
        where = f"{tally.law}, {tally.truth:+.1%}"
        missed = tally.trials - tally.covered
        claims.append(Claim(f"{where}: interval misses the truth", tally.trials, missed, MAX_ERROR))
        claims.append(Claim(f"{where}: a false verdict", tally.trials, tally.wrong, MAX_ERROR))
    for found in modes:
        misses = found.trials - found.found if found.has_two else found.found
        what = "two modes are missed" if found.has_two else "one mode is called two"
        allowed = 1 - MIN_TRUE_MODES if found.has_two else MAX_FALSE_MODES
        text = f"{found.law}, {found.processes} processes: {what}"
        claims.append(Claim(text, found.trials, misses, allowed))
    return claims


def is_too_noisy(trials: Sequence[Trial]) -> bool:
    """Whether nothing can be learnt: neither the copy is found equal, nor any slowdown found.

    What did not get as far as an interval was too short, and says nothing of noise.
    """
    judged = [trial for trial in trials if trial.low is not None]
    decided = [
        trial
        for trial in judged
        if trial.is_found or (trial.effect == 0 and trial.kind is VerdictKind.EQUIVALENT)
    ]
    return bool(judged) and not decided
