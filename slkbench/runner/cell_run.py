"""How far a cell has got: its arms, their work per sample, their failures, its blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from slkbench.model import (
    UNMEASURED,
    Arm,
    ArmRole,
    Cell,
    Sample,
    Scenario,
    Slot,
    Status,
    Verdict,
)
from slkbench.plan import block_slots, most_blocks
from slkbench.runner.progress import Standing
from slkbench.stats import DECIDED, is_at_look, judge_cell, looks_of, should_stop

__all__ = ["FAILURES_THAT_END", "CellRun", "resume_cell"]

# One failure may be the machine's; the second confirms it.
FAILURES_THAT_END = 2
SLOTS_PER_ARM = 2
_SHARED_ROLES = {ArmRole.BASELINE, ArmRole.PLACEBO}


@dataclass(slots=True)
class CellRun:
    """The mutable state of one cell in the experiment loop.

    ``messages`` is the work per sample of each arm.  ``pending`` are the slots that an interrupted
    ``next_block`` lacks.  ``over`` says why no block follows, None while the cell is open.
    ``spent_s`` is the time that its blocks took, of this session.

    With ``drops_decided`` a contender takes part until a run of it, the baseline and the placebo
    alone would have ended; it is then in ``settled``.  What is known of it stays as it is.
    """

    cell: Cell
    arms: tuple[Arm, ...]
    messages: dict[str, int] = field(default_factory=dict)
    drops_decided: bool = False
    settled: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    unable: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    next_block: int = 0
    pending: tuple[Slot, ...] = ()
    spent_s: float = 0.0
    over: str | None = None
    valid_blocks: int = 0
    standings: tuple[Standing, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether a further block is wanted."""
        return self.over is None

    @property
    def running_arms(self) -> tuple[Arm, ...]:
        """The arms that have not failed for good, nor are settled."""
        return tuple(arm for arm in self.arms if self.is_running(arm))

    def is_running(self, arm: Arm) -> bool:
        """Whether ``arm`` can run this cell and has neither failed for good nor is settled."""
        left_out = self.unable | self.settled
        return arm.name not in left_out and self.failures[arm.name] < FAILURES_THAT_END

    def add(self, sample: Sample) -> None:
        """Take note of a stored sample."""
        self.samples.append(sample)
        if sample.status in UNMEASURED:
            self.failures[sample.arm] += 1
        elif sample.status == Status.SKIPPED:
            self.unable.add(sample.arm)

    def look(self, scenario: Scenario) -> None:
        """Judge the cell after a whole block, and say in ``over`` if it needs no further one."""
        verdicts = judge_cell(self.cell, self.samples, scenario)
        self.standings = tuple(_standing(each) for each in verdicts if each.time_ratio is not None)
        if self.drops_decided:
            self._settle(scenario)
        pending = [
            verdict.blocks
            for verdict in verdicts
            if verdict.status is Status.OK and verdict.contender not in self.settled
        ]
        self.valid_blocks = min(pending, default=self._blocks_measured)
        if not self.running_arms:
            self.over = "every contender failed" if self.arms else "no contender can run it"
        elif self.settled and not pending:
            self.over = _outcome(verdicts)
        elif verdicts and not pending:
            # Nothing to decide any more; those that still run get as far as the first look.
            if self._blocks_measured >= looks_of(scenario)[0]:
                self.over = "nothing left to compare"
        elif should_stop(self.cell, self._unsettled(), scenario):
            self.over = _outcome(verdicts)
        elif scenario.max_time_s is not None and self.spent_s >= scenario.max_time_s:
            self.over = f"its time is spent: {_outcome(verdicts)}"

    def samples_left(self, scenario: Scenario) -> int:
        """How many samples may still follow, at most, if no block is disturbed."""
        if not self.is_open:
            return 0
        blocks = most_blocks(scenario) - self.valid_blocks
        begun = sum(sample.block == self.next_block for sample in self.samples)
        return max(0, blocks * SLOTS_PER_ARM * len(self.running_arms) - begun)

    def _settle(self, scenario: Scenario) -> None:
        """Settle the contenders that are decided at this look."""
        shared = [each for each in self.samples if each.role in _SHARED_ROLES]
        for arm in self.running_arms:
            if arm.role is not ArmRole.CONTENDER:
                continue
            own = [each for each in self.samples if each.arm == arm.name]
            seen = [*shared, *own]
            (verdict,) = judge_cell(self.cell, seen, scenario) or (None,)
            if (
                verdict is not None
                and verdict.status is Status.OK
                and verdict.kind in DECIDED
                and is_at_look(self.cell, seen, scenario, {arm.name: verdict.blocks})
            ):
                self.settled.add(arm.name)

    def _unsettled(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.arm not in self.settled]

    @property
    def _blocks_measured(self) -> int:
        return len({each.block for each in self.samples if each.status != Status.SKIPPED})


def resume_cell(
    seed: int,
    cell: Cell,
    arms: Iterable[Arm],
    stored: Iterable[Sample],
    messages: Mapping[str, int],
) -> CellRun:
    """The state of ``cell`` after ``stored`` samples of it.

    A block that was interrupted is gone on with where its plan broke off.  If much time has passed
    since, it is one that was disturbed (``stats.discarded_blocks``).
    """
    run = CellRun(cell, tuple(arms), dict(messages))
    names = {arm.name for arm in run.arms}
    own = [sample for sample in stored if sample.arm in names]
    last = max((sample.block for sample in own), default=0)
    for sample in (each for each in own if each.block < last):
        run.add(sample)
    begun = [sample for sample in own if sample.block == last]
    # As it was drawn when the block began: with the arms that ran then.
    plan = block_slots(seed, cell, run.running_arms, last)
    for sample in begun:
        run.add(sample)
    if begun:
        run.pending = tuple(
            slot for slot in plan if run.is_running(slot.arm) and _lacks(slot, begun)
        )
        run.next_block = last if run.pending else last + 1
    return run


def _lacks(slot: Slot, begun: Iterable[Sample]) -> bool:
    """Whether ``slot`` has no sample yet, or only one that failed and is not confirmed."""
    taken = [sample for sample in begun if sample.slot == slot.slot]
    return not taken or [sample.status in UNMEASURED for sample in taken] == [True]


def _standing(verdict: Verdict) -> Standing:
    assert verdict.time_ratio is not None
    half_width = None
    if verdict.low is not None and verdict.high is not None:
        half_width = (verdict.high - verdict.low) / 2
    return Standing(verdict.contender, verdict.time_ratio, half_width)


def _outcome(verdicts: Iterable[Verdict]) -> str:
    """What was decided, in a line for reading."""
    said = [
        f"{each.contender} {each.kind}"
        + ("" if each.time_ratio is None else f" ({each.time_ratio:.3f}x time per message)")
        if each.status is Status.OK
        else f"{each.contender} {each.status}"
        for each in verdicts
    ]
    return ", ".join(said) or "measured"
