"""Error rates of the verdicts by simulation, through the functions that make them.

Each trial draws the noise of a whole cell slot by slot, lays the plan's blocks over it, and asks
``stats.decide`` at every look until it is decided, as a run does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

import numpy as np

from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Pattern,
    Scenario,
    Transport,
    VerdictKind,
)
from slkbench.plan import block_slots
from slkbench.selftest.laws import LAWS, Array, Law, Places
from slkbench.stats import DECIDED, Paired, decide, find_modes, level_per_look
from slkbench.stats.core_sharing import Sharing, less_sharing

__all__ = ["ModesTally", "Tally", "simulate", "simulate_all", "simulate_modes"]

_CELL = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)
_SCENARIO = Scenario("simulation", "?", cells=(_CELL,))
_ROLES = (ArmRole.BASELINE, ArmRole.PLACEBO, ArmRole.CONTENDER)
_PLANS = 512
MIN_EFFECT = 0.02


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of ``trials`` cells in which the contender takes ``effect`` more time.

    ``truth`` is the true difference, a fraction: where noise is the contender's alone and lopsided,
    it makes it slower besides.
    ``covered`` counts intervals at the end of a cell that hold the truth.  ``wrong`` are SLOWER and
    FASTER verdicts that are not true, and EQUIVALENT ones of an effect that matters.
    """

    law: str
    effect: float
    truth: float
    trials: int
    covered: int
    wrong: int
    kinds: tuple[tuple[VerdictKind, int], ...]
    blocks: float

    def count(self, kind: VerdictKind) -> int:
        """How many trials ended in ``kind``."""
        return dict(self.kinds).get(kind, 0)


@dataclass(frozen=True, slots=True)
class ModesTally:
    """How often ``processes`` values of a law were said to have two modes."""

    law: str
    has_two: bool
    processes: int
    trials: int
    found: int


def simulate(
    law: Law,
    effect: float,
    *,
    trials: int,
    seed: int,
    scenario: Scenario = _SCENARIO,
    min_effect: float = MIN_EFFECT,
) -> Tally:
    """Judge ``trials`` simulated cells. ``effect`` is a fraction of time per message."""
    looks = (scenario.rounds,) if scenario.rounds is not None else scenario.looks
    level = level_per_look(scenario)
    generator = np.random.default_rng(seed)
    arms, truth = _arms(generator, law, effect, trials, looks[-1])
    kinds: dict[VerdictKind, int] = {}
    covered = wrong = 0
    blocks = []
    for baseline, placebo, contender in zip(*arms, strict=True):
        for look in looks:
            found = decide(
                _paired(contender, baseline, look),
                _paired(placebo, baseline, look),
                _paired(contender, placebo, look),
                level=level,
                min_effect=min_effect,
            )
            if found.kind in DECIDED:
                break
        assert found.bounds is not None
        covered += found.bounds.low <= truth <= found.bounds.high
        wrong += _is_wrong(found.kind, truth, math.log1p(found.effective_delta), min_effect)
        kinds[found.kind] = kinds.get(found.kind, 0) + 1
        blocks.append(found.blocks)
    return Tally(
        law.name,
        effect,
        math.expm1(truth),
        trials,
        covered,
        wrong,
        tuple(kinds.items()),
        fmean(blocks),
    )


def _is_wrong(kind: VerdictKind, truth: float, tolerated: float, min_effect: float) -> bool:
    """SLOWER and FASTER claim that the effect matters, EQUIVALENT that it is within tolerance."""
    matters = math.log1p(min_effect)
    return (
        (kind is VerdictKind.SLOWER and truth <= matters)
        or (kind is VerdictKind.FASTER and truth >= -matters)
        or (kind is VerdictKind.EQUIVALENT and abs(truth) > tolerated)
    )


@dataclass(frozen=True, slots=True)
class _ArmTimes:
    """Logarithms of times of one arm, blocks x halves, and of the arithmetic's in both roles."""

    logs: Array
    probes: Array | None


def _paired(second: _ArmTimes, first: _ArmTimes, blocks: int) -> Paired:
    differences = (second.logs[:blocks] - first.logs[:blocks]).ravel().tolist()
    sharing: list[Sharing | None] = [None] * len(differences)
    if second.probes is not None and first.probes is not None:
        unlike = (second.probes[:blocks] - first.probes[:blocks]).reshape(len(differences), -1)
        sharing = [tuple(row) for row in unlike.tolist()]
    return Paired(tuple(less_sharing(differences, sharing)), blocks)


def _arms(
    generator: np.random.Generator, law: Law, effect: float, trials: int, blocks: int
) -> tuple[list[list[_ArmTimes]], float]:
    """The times of each arm in each trial, and the true difference."""
    plans = _plans()
    slots = plans.shape[1]
    shape = (trials, blocks, slots)
    arms = plans[generator.integers(0, len(plans), (trials, blocks))]
    logs = law.of_machine(generator, shape)
    truth = math.log1p(effect)
    if law.of_contender is not None:
        logs = logs + np.where(arms == 2, law.of_contender(generator, shape), 0.0)
        truth += _shift(law)
    logs = logs + np.where(arms == 2, math.log1p(effect), 0.0)
    probes = None
    if law.of_strangers is not None:
        slowed, probes = law.of_strangers(generator, shape)
        logs = logs + slowed
    places = np.argsort(arms, axis=2, kind="stable").reshape(*shape[:2], len(_ROLES), -1)
    return [_times_at(places[:, :, arm], logs, probes) for arm in range(len(_ROLES))], truth


def _times_at(places: Places, logs: Array, probes: Array | None) -> list[_ArmTimes]:
    own = np.take_along_axis(logs, places, axis=2)
    if probes is None:
        return [_ArmTimes(each, None) for each in own]
    seen = np.take_along_axis(probes, places[..., None], axis=2)
    return [_ArmTimes(each, probe) for each, probe in zip(own, seen, strict=True)]


def _shift(law: Law) -> float:
    """What noise of the contender alone shifts the middle of differences by.

    It is what Hodges and Lehmann estimate, the median of means of two: from more than any trial
    sees.
    """
    assert law.of_contender is not None
    generator = np.random.default_rng(0)
    shape = (2, 100_000, 2)
    machine = law.of_machine(generator, shape)
    differences = law.of_contender(generator, shape)[..., 0] + machine[..., 0] - machine[..., 1]
    return float(np.median(differences.mean(axis=0)))


@cache
def _plans() -> Array:
    """Blocks of the real plan: which arm is in which slot."""
    library = Contender("library", Layer.NATIVE, ContenderKind.LIBRARY)
    arms = tuple(Arm(str(number), library, role) for number, role in enumerate(_ROLES))
    return np.array(
        [
            [int(slot.arm.name) for slot in block_slots(1, _CELL, arms, block)]
            for block in range(_PLANS)
        ]
    )


def simulate_all(
    *, trials: int, seed: int, effects: Sequence[float] = (0.0, 0.05, 0.20)
) -> Iterator[Tally]:
    """Every law at every effect."""
    for number, law in enumerate(LAWS):
        for place, effect in enumerate(effects):
            yield simulate(law, effect, trials=trials, seed=seed + 100 * number + place)


def simulate_modes(
    *, trials: int, seed: int, processes: Sequence[int] = (16, 32, 64)
) -> Iterator[ModesTally]:
    """How often one mode is called two, and two are found, by law and number of processes."""
    for law in LAWS:
        if law.modes is None:
            continue
        has_two = law.modes == 2
        for count in processes:
            # Neighbours in time, as the processes of an arm are: every third slot.
            generator = np.random.default_rng(seed + count)
            drawn = law.of_machine(generator, (trials, count // 2, 6))[:, :, ::3]
            found = sum(bool(find_modes(values)) for values in drawn.reshape(trials, count))
            yield ModesTally(law.name, has_two, count, trials, found)
