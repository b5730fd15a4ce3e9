"""The experiment loop: block after block of every cell, each sample stored before the next starts.

Cells take turns: block k of every open cell comes before block k + 1 of any.  Each sample is a
fresh process set, so this costs nothing, and three things are won: slow drift of the machine falls
on all cells alike, a budget that runs out leaves every cell with about the same number of blocks,
and an interrupted run has something to say about each cell.

Every contender has its own number of messages per sample in a cell, found once before its first
block (``launch.calibrate``), so that samples last about as long whoever is fast: with the same work
a contender five times as fast would be judged by samples of a fifth of the length, and noisier.
The placebo does what the baseline does.  A scenario that names the number fixes it for all, as the
self-test does: what is slowed there has to do the same work.

A cell is over when the stopping rule says so (``stats``), when it has the blocks that were asked
for, or when too many were discarded.  A discarded block is not a failure: it was disturbed from
outside.  A sample that failed is measured once more; a second failure in a cell takes the arm out
of that cell, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from slkbench.model import UNMEASURED, Arm, ArmRole, Placement, Sample, Scenario, Slot, Status
from slkbench.plan import block_slots, cell_order
from slkbench.runner.cell_run import CellRun
from slkbench.runner.histogram_files import keep_histograms
from slkbench.runner.launch import Launcher, calibrate
from slkbench.runner.progress import Observer, Progress
from slkbench.stats import discarded_blocks
from slkbench.store import RunStore

__all__ = ["Experiment"]


class Experiment:
    """Measures ``cells`` until each is over or the budget is spent."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        cells: Sequence[CellRun],
        *,
        placement: Placement,
        store: RunStore,
        launcher: Launcher,
        observer: Observer,
        clock_s: Callable[[], float],
        spent_s: float = 0.0,
    ) -> None:
        """``clock_s`` tells seconds that only grow; ``spent_s`` is what earlier sessions took."""
        self._scenario = scenario
        self._seed = seed
        self._runs = {run.cell.key: run for run in cells}
        self._placement = placement
        self._store = store
        self._launcher = launcher
        self._observer = observer
        self._clock_s = clock_s
        self._began_s = clock_s() - spent_s

    @property
    def spent_s(self) -> float:
        """Time measured so far, in seconds, that of earlier sessions included."""
        return self._clock_s() - self._began_s

    @property
    def budget_is_spent(self) -> bool:
        """Whether no further block may start."""
        budget_s = self._scenario.budget_s
        return budget_s is not None and self.spent_s >= budget_s

    @property
    def is_cut_short(self) -> bool:
        """Whether a cell is still open, which after ``run`` means that the budget ended it."""
        return bool(self._open())

    def outcomes(self) -> dict[str, str]:
        """Why each cell is over, by the cell's title; for reading, and for ``run.json``."""
        return {run.cell.title: run.over or "budget spent" for run in self._runs.values()}

    def run(self) -> None:
        """Measure. Every sample taken is in the store, whatever ends this."""
        block = min((run.next_block for run in self._open()), default=0)
        while self._open() and not self.budget_is_spent:
            for cell in cell_order(self._seed, [run.cell for run in self._runs.values()], block):
                run = self._runs[cell.key]
                if run.is_open and run.next_block == block and not self.budget_is_spent:
                    self._run_block(run)
            block += 1

    def _open(self) -> list[CellRun]:
        return [run for run in self._runs.values() if run.is_open]

    def _run_block(self, run: CellRun) -> None:
        """Measure one block of a cell and let the stopping rule look at it."""
        began_s = self._clock_s()
        self._calibrate(run)
        slots = run.pending or block_slots(self._seed, run.cell, run.running_arms, run.next_block)
        run.pending = ()
        for slot in slots:
            if run.is_running(slot.arm):
                self._run_slot(run, slot)
        self._note_disturbance(run)
        run.next_block += 1
        run.spent_s += self._clock_s() - began_s
        run.look(self._scenario)
        self._store.update({"measured_s": round(self.spent_s, 3)})
        if run.over is not None:
            self._observer.note(f"{run.cell.title}: {run.over}")

    def _calibrate(self, run: CellRun) -> None:
        """Find the work per sample of every arm that has none yet, and store it."""
        found_any = False
        for arm in run.running_arms:
            if arm.name in run.messages:
                continue
            run.messages[arm.name] = self._work_of(run, arm)
            found_any = True
        if found_any:
            self._store.update({"calibrated": [_stored_work(each) for each in self._runs.values()]})

    def _work_of(self, run: CellRun, arm: Arm) -> int:
        """Messages per sample: as given, as the baseline's for its placebo, or calibrated."""
        if run.cell.messages is not None:
            return run.cell.messages
        if arm.role is ArmRole.PLACEBO:
            baseline = next(each for each in run.arms if each.role is ArmRole.BASELINE)
            return run.messages[baseline.name]
        self._report(run, "calibrating")
        calibration = calibrate(
            self._launcher,
            run.cell,
            arm,
            self._placement,
            min_time_s=self._scenario.min_time_s,
            timeout_s=self._scenario.sample_timeout_s,
        )
        return calibration.messages

    def _run_slot(self, run: CellRun, slot: Slot) -> None:
        """Measure a sample; one that failed is measured once more, to confirm it."""
        sample = self._take(run, slot)
        if sample.status == Status.SKIPPED:
            self._observer.note(f"{run.cell.title}: {sample.arm}: {sample.reason}")
        if sample.status not in UNMEASURED:
            return
        if run.is_running(slot.arm):
            self._note_failure(run, sample, "measuring it once more")
            sample = self._take(run, slot)
        if not run.is_running(slot.arm):
            self._note_failure(run, sample, "the others go on without it")

    def _take(self, run: CellRun, slot: Slot) -> Sample:
        """Measure one sample and store it."""
        measured = self._launcher.measure(
            run.cell,
            slot,
            self._placement,
            run.messages[slot.arm.name],
            self._scenario.sample_timeout_s,
        )
        sample = replace(
            measured,
            run_id=self._store.run_id,
            scenario=self._scenario.name,
            block=slot.block,
            slot=slot.slot,
            arm=slot.arm.name,
            contender=slot.arm.contender.name,
            role=slot.arm.role.value,
            env_pad_bytes=slot.env_pad_bytes,
            seed=self._seed,
        )
        sample = keep_histograms(self._store.path, sample)
        self._store.append(sample)
        run.add(sample)
        self._report(run, "measuring")
        return sample

    def _note_failure(self, run: CellRun, sample: Sample, then: str) -> None:
        self._observer.note(
            f"{run.cell.title}: {sample.arm} {sample.status}: {sample.reason}; {then}"
        )

    def _note_disturbance(self, run: CellRun) -> None:
        reason = discarded_blocks(run.samples).get((self._store.run_id, run.next_block))
        if reason is not None:
            self._observer.note(f"{run.cell.title}: block {run.next_block} discarded: {reason}")

    def _report(self, run: CellRun, phase: str) -> None:
        done = sum(len(each.samples) for each in self._runs.values())
        left = sum(each.samples_left(self._scenario) for each in self._runs.values())
        self._observer.progress(
            Progress(
                phase=phase,
                cell=run.cell,
                blocks=run.valid_blocks,
                samples_done=done,
                samples_expected=done + left,
                elapsed_s=self.spent_s,
                remaining_s=self._remaining_s(done, left),
                standings=run.standings,
                open_cells=len(self._open()),
                cells=len(self._runs),
            )
        )

    def _remaining_s(self, done: int, left: int) -> float | None:
        """At most so many seconds, or None while nothing is known."""
        budget_s = self._scenario.budget_s
        budget_left_s = None if budget_s is None else max(0.0, budget_s - self.spent_s)
        if done == 0:
            return budget_left_s
        by_pace_s = self.spent_s / done * left
        return by_pace_s if budget_left_s is None else min(by_pace_s, budget_left_s)


def _stored_work(run: CellRun) -> dict[str, Any]:
    """What ``run.json`` keeps of a cell's calibration."""
    return {"cell": list(run.cell.key), "messages": run.messages}
