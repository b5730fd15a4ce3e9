"""A scenario as seeded blocks. Pure: the same seed gives the same plan, on every machine.

A block of a cell has two halves, and each half runs every arm once, in a random order of its own.
Under the hypothesis of no difference the sign of the difference between two arms is then a fair
coin in each half, whatever the machine does meanwhile, which is what the signed-rank test needs.
(A second half that mirrors the first cancels linear drift within a block, but ties the two coins
together: with noise that lasts for a few slots, intervals from halves are then too narrow, and
their estimates no better.)  Every slot pads the environment by a random 0 to 4095 bytes, which
moves the stack of the measured process (Mytkowicz et al., ASPLOS 2009).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Metric,
    Scenario,
    Slot,
)

__all__ = [
    "MAX_ENV_PAD_BYTES",
    "OVERHEAD_PER_SAMPLE_S",
    "PLACEBO_NAME",
    "Estimate",
    "arms_of",
    "baseline_name",
    "block_slots",
    "cell_order",
    "estimate",
    "lack",
    "most_blocks",
    "unsupported",
]

MAX_ENV_PAD_BYTES = 4095
PLACEBO_NAME = "placebo"
SLOTS_PER_ARM = 2
_PYTHON_NAMES = {"libzmq": "pyzmq"}

# What a sample costs beside its timed loop: starting, connecting, warming up, calibrating, ending.
OVERHEAD_PER_SAMPLE_S = 0.22
# A calibrated sample takes longer than the least that was asked for.
CALIBRATION_EXCESS = 1.3
# The timed loop of a sample with a fixed count, guessed from common rates, for the estimate only.
_GUESSED_TIME_PER_MESSAGE_S = 0.6e-6
_GUESSED_BANDWIDTH_BYTES_PER_S = 1.5e9
_GUESSED_ROUND_TRIP_S = 40e-6


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a scenario takes: ``least`` if every cell is decided at the first look.

    The times are cut at the scenario's budget, the numbers of samples are not.
    """

    cells: int
    samples_least: int
    samples_most: int
    least_s: float
    most_s: float


def baseline_name(baseline: str, layer: Layer) -> str:
    """What the scenario's baseline is called on ``layer``: libzmq's Python face is pyzmq."""
    return _PYTHON_NAMES.get(baseline, baseline) if layer is Layer.PYTHON else baseline


def arms_of(
    cell: Cell, contenders: Sequence[Contender], baseline: str, placebo: Contender | None = None
) -> tuple[Arm, ...]:
    """The arms of ``cell``: the contenders of its layer that support it, each with its role.

    ``placebo`` is the byte copy of the baseline, where the scenario wants one; its arm is named
    ``placebo``.  Contenders that cannot run the cell are those that ``unsupported`` returns.
    """
    reference = baseline_name(baseline, cell.layer)
    left_out = unsupported(cell, contenders)
    arms = [
        Arm(contender.name, contender, _role(contender, reference))
        for contender in contenders
        if contender.layer is cell.layer and contender not in left_out
    ]
    if placebo and placebo.layer is cell.layer and any(a.role is ArmRole.BASELINE for a in arms):
        arms.append(Arm(PLACEBO_NAME, placebo, ArmRole.PLACEBO))
    return tuple(arms)


def _role(contender: Contender, reference: str) -> ArmRole:
    if contender.kind is ContenderKind.FLOOR:
        return ArmRole.FLOOR
    return ArmRole.BASELINE if contender.name == reference else ArmRole.CONTENDER


def unsupported(cell: Cell, contenders: Sequence[Contender]) -> tuple[Contender, ...]:
    """The contenders of the cell's layer that lack what it needs (``lack``): "n/a", no error."""
    return tuple(
        contender
        for contender in contenders
        if contender.layer is cell.layer and lack(cell, contender) is not None
    )


def lack(cell: Cell, contender: Contender) -> str | None:
    """What ``contender`` lacks to run ``cell``, as "has no ..."; None if nothing."""
    if cell.pattern not in contender.patterns:
        return f"has no {cell.pattern}"
    if cell.transport not in contender.transports:
        return f"has no {cell.transport}"
    if cell.has_many_peers and contender.kind is ContenderKind.FLOOR:
        return "has no more than one sender and one receiver"
    if cell.metric is Metric.PACED and contender.kind is ContenderKind.FLOOR:
        return "has no way to wait but to spin, which says nothing of a low load"
    is_native_only = cell.has_many_peers or cell.metric is Metric.PACED
    if is_native_only and contender.kind is ContenderKind.MODULE:
        return "has no loop for many peers or a given rate, which layer native alone has"
    return None


def block_slots(seed: int, cell: Cell, arms: Sequence[Arm], block: int) -> tuple[Slot, ...]:
    """The slots of one block: ``arms`` in random order, and once more in another, padded at random.

    Each block is drawn by itself from ``seed``, the cell and the block's number, so that a run that
    was interrupted goes on with the plan that it began with.
    """
    generator = _generator(seed, "block", repr(cell.key), str(block))
    order = [arm for _ in range(SLOTS_PER_ARM) for arm in generator.sample(arms, len(arms))]
    return tuple(
        Slot(block, place, arm, generator.randint(0, MAX_ENV_PAD_BYTES))
        for place, arm in enumerate(order)
    )


def cell_order(seed: int, cells: Sequence[Cell], block: int) -> tuple[Cell, ...]:
    """In which order the cells run their block number ``block``; random, so that drift spreads."""
    order = list(cells)
    _generator(seed, "cells", str(block)).shuffle(order)
    return tuple(order)


def _generator(seed: int, *purpose: str) -> random.Random:
    text = "\0".join((str(seed), *purpose))
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()))


def most_blocks(scenario: Scenario) -> int:
    """The number of valid blocks after which a cell is over whatever it shows."""
    return scenario.rounds if scenario.rounds is not None else max(scenario.looks)


def estimate(scenario: Scenario, arms_per_cell: int | None = None) -> Estimate:
    """What running ``scenario`` costs. Without ``arms_per_cell`` all its contenders take part."""
    arms = arms_per_cell or len(scenario.contenders) + scenario.placebo
    fewest = scenario.rounds if scenario.rounds is not None else min(scenario.looks)
    slots = arms * SLOTS_PER_ARM
    block_s = sum(
        slots * (OVERHEAD_PER_SAMPLE_S + _timed_s(scenario, cell)) for cell in scenario.cells
    )
    least_s, most_s = fewest * block_s, most_blocks(scenario) * block_s
    if scenario.budget_s is not None:
        least_s, most_s = min(least_s, scenario.budget_s), min(most_s, scenario.budget_s)
    cells = len(scenario.cells)
    return Estimate(
        cells=cells,
        samples_least=cells * slots * fewest,
        samples_most=cells * slots * most_blocks(scenario),
        least_s=least_s,
        most_s=most_s,
    )


def _timed_s(scenario: Scenario, cell: Cell) -> float:
    if cell.messages is None:
        return scenario.min_time_s * CALIBRATION_EXCESS
    if cell.offered_msgs_per_s > 0:
        return cell.messages / cell.offered_msgs_per_s
    if cell.metric == "round-trip":
        return cell.messages * _GUESSED_ROUND_TRIP_S
    bytes_s = cell.size_bytes / _GUESSED_BANDWIDTH_BYTES_PER_S
    return cell.messages * (_GUESSED_TIME_PER_MESSAGE_S + bytes_s)
