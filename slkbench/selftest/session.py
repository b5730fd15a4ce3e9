"""A self-test from beginning to end: what is tried, how long, and where the outcome is kept."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import slkbench
from slkbench.errors import InterruptedRunError, UsageError
from slkbench.machine import fingerprint, git_state, read_machine
from slkbench.model import USUAL_LOOKS, Cell
from slkbench.runner.lock import machine_lock
from slkbench.runner.placement import choose_placement, usable_cores
from slkbench.runner.progress import Observer, Silent
from slkbench.runner.provenance import package_folder
from slkbench.runner.session import terminable
from slkbench.selftest import tables
from slkbench.selftest.claims import (
    Answer,
    Claim,
    claims_of_faults,
    claims_of_instructions,
    claims_of_placebos,
    claims_of_simulations,
    claims_of_trials,
    is_too_noisy,
)
from slkbench.selftest.document import closing, describe, trials_csv
from slkbench.selftest.faults import FaultOutcome, measure_faults
from slkbench.selftest.instructions import InstructionTrial, measure_effects
from slkbench.selftest.known import (
    MIN_EFFECT,
    Bench,
    least_pass_s,
    measure_pass,
    process_bench,
    size_cell,
)
from slkbench.selftest.placebos import placebo_trials
from slkbench.selftest.score import Trial, score_cell
from slkbench.selftest.simulate import ModesTally, Tally, simulate_all, simulate_modes
from slkbench.selftest.stored import (
    RECORD,
    RUNNING,
    Conditions,
    Sitting,
    StoredSelftest,
    ended_sittings,
    pass_label,
    read_selftest,
    stored_passes,
)
from slkbench.store import StoredRun, create_folder, write_whole
from slkbench.units import format_duration

__all__ = ["Outcome", "SelftestRequest", "judge_placebos", "run_quick", "run_selftest"]

_COMMIT_LETTERS = 12
_SEED_BITS = 31
# Whether an effect matters that is just the least which does, no run decides: all its blocks are
# measured.  So it takes part in one pass of so many.
_SELDOM = 4
_QUICK_TRIALS = 300
_QUICK_SEED = 20


@dataclass(frozen=True, slots=True)
class SelftestRequest:
    """What to try, for how long. ``effects`` are fractions of time per message.

    ``resume`` is the folder of a self-test to go on with, under the conditions that it began with;
    ``budget_s`` is the time of this sitting alone.
    """

    cells: tuple[Cell, ...]
    effects: tuple[float, ...] = (0.02, 0.05, 0.10, 0.20, 0.50)
    budget_s: float = 3600.0
    min_time_s: float = 0.25
    looks: tuple[int, ...] = USUAL_LOOKS
    seed: int | None = None
    results: Path = Path("results")
    wait_s: float = 0.0
    with_faults: bool = True
    with_instructions: bool = True
    command_line: tuple[str, ...] = ()
    resume: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out. ``path`` is the folder that keeps it, None for simulations."""

    claims: tuple[Claim, ...]
    text: str
    path: Path | None = None
    is_interrupted: bool = False
    is_too_noisy: bool = False

    @property
    def contradicted(self) -> tuple[Claim, ...]:
        """Claims that do not hold."""
        return tuple(each for each in self.claims if each.answer is Answer.CONTRADICTED)


def run_quick(*, trials: int = _QUICK_TRIALS, seed: int = _QUICK_SEED) -> Outcome:
    """The verdicts on simulated noise alone: no process, some seconds, the same every time."""
    tallies: list[Tally] = list(simulate_all(trials=trials, seed=seed))
    modes: list[ModesTally] = list(simulate_modes(trials=max(10, trials // 3), seed=seed))
    claims = claims_of_simulations(tallies, modes)
    parts = [
        tables.section(f"Verdicts on simulated noise, {trials} cells each", _SIMULATED),
        tables.simulation_table(tallies),
        tables.section("One mode or two", tables.modes_table(modes)),
        closing(claims),
    ]
    return Outcome(tuple(claims), "\n\n".join(parts))


def judge_placebos(runs: Iterable[StoredRun]) -> Outcome:
    """The placebos of stored runs as A/A trials, without measuring. Raises UsageError for none."""
    by_run = [placebo_trials(run) for run in runs]
    trials = [trial for found in by_run for trial in found]
    if not trials:
        raise UsageError(
            "none of these runs has a placebo with an interval: that takes 6 blocks, or 8 where a "
            "run may stop at several looks"
        )
    claims = claims_of_placebos(trials)
    parts = [tables.section("Placebos of stored runs", _PLACEBOS, tables.placebo_table(trials))]
    if empty := sum(not found for found in by_run):
        parts.append(f"without a placebo that has an interval: {empty} run{'s' * (empty != 1)}")
    if any(trial.is_false for trial in trials):
        parts.append(tables.section("Called different", tables.false_placebo_table(trials)))
    return Outcome(tuple(claims), "\n\n".join([*parts, closing(claims)]))


_PLACEBOS = (
    "Each run's copy of the baseline, judged as if it were a contender, and without a placebo of "
    "its own from which it would have to differ as well: so this share is at least that of "
    "false verdicts about contenders. Where a run ended before its last look, since its contenders "
    "were decided or its budget spent, its placebo had fewer chances, and does not count."
)
_SIMULATED = (
    "Looks at 8, 12, 16, 24 and 32 blocks of baseline, placebo and contender, 2 % as the "
    "least effect. A verdict is false where it says SLOWER or FASTER and the true difference does "
    "not matter, or EQUIVALENT and it does; what it says of a difference that matters is true. Two "
    "modes of the contender alone make it slower by themselves: in three of ten processes it takes "
    "18 % longer, which is a true difference in the middle, so SLOWER is right there in every row. "
    "INCONCLUSIVE and INVALID are never false."
)


def run_selftest(
    request: SelftestRequest, *, observer: Observer | None = None, bench: Bench | None = None
) -> Outcome:
    """Measure known differences and faults until the budget is spent. Ctrl-C keeps what there is.

    Raises UsageError and ContenderError before anything is measured.
    """
    listener = observer or Silent()
    stored = None if request.resume is None else read_selftest(request.resume)
    with tempfile.TemporaryDirectory(prefix="slkbench-selftest-") as scratch:
        ready = bench or process_bench(request.effects, Path(scratch))
        return _Session(request, ready, listener, stored).run()


class _Session:
    """The folder of a self-test, and what is known so far."""

    def __init__(
        self,
        request: SelftestRequest,
        bench: Bench,
        observer: Observer,
        stored: StoredSelftest | None,
    ) -> None:
        self._request = request
        self._bench = bench
        self._observer = observer
        self._clock_s = bench.backend.clock_s
        self._began_s = self._clock_s()
        began_utc = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        self._sitting = Sitting(began_utc, 0.0, RUNNING, (), request.command_line)
        commit, dirty = git_state(package_folder())
        self._conditions = Conditions(
            fingerprint(read_machine(compilers=False)),
            commit or "nogit",
            dirty,
            slkbench.__version__,
            dict(bench.libraries),
            tuple(cell.title for cell in request.cells),
            request.effects,
            request.min_time_s,
            request.looks,
        )
        if stored is None:
            seed = secrets.randbits(_SEED_BITS) if request.seed is None else request.seed
            letters = self._conditions.commit[:_COMMIT_LETTERS]
            path = create_folder(request.results, "selftest", commit=letters, dirty=dirty)
            stored = StoredSelftest(path, self._conditions, seed, (), ())
        else:
            stored.check(self._conditions)
            if request.seed not in {None, stored.seed}:
                raise UsageError(
                    f"cannot go on with {stored.path}: its seed is {stored.seed}, not "
                    f"{request.seed}; leave --seed away, every pass has an order of its own"
                )
        self._path, self._seed = stored.path, stored.seed
        self._earlier = ended_sittings(stored)
        self._first_pass = stored.next_pass
        self._faults: list[FaultOutcome] = list(stored.faults)
        self._instructions: list[InstructionTrial] = list(stored.instructions)

    def run(self) -> Outcome:
        """Faults and instructions first, once; then passes over all cells while there is time."""
        is_interrupted = False
        self._keep(RUNNING)
        try:
            with terminable():
                if self._request.with_faults and not self._faults:
                    self._find_faults()
                if self._request.with_instructions:
                    self._count_instructions()
                self._measure()
        except (KeyboardInterrupt, InterruptedRunError):
            is_interrupted = True
        return self._keep("interrupted" if is_interrupted else "complete")

    @property
    def _spent_s(self) -> float:
        return self._clock_s() - self._began_s

    @property
    def _left_s(self) -> float:
        return self._request.budget_s - self._spent_s

    def _find_faults(self) -> None:
        found_so_far = []
        with machine_lock(self._bench.backend.lock_file, wait_s=self._request.wait_s):
            for found in measure_faults():
                found_so_far.append(found)
                named = "named" if found.is_named else "NOT NAMED"
                self._observer.note(f"{found.fault}: {named}: {found.said}")
        # All of them or none, so that a resumed self-test knows what it lacks.
        self._faults = found_so_far

    def _count_instructions(self) -> None:
        count = self._bench.count
        # What could not be counted in an earlier sitting is tried again.
        if count is None or (self._instructions and not any(t.reason for t in self._instructions)):
            return
        counted = []
        with machine_lock(self._bench.backend.lock_file, wait_s=self._request.wait_s):
            for trial in measure_effects(count, self._request.cells, self._request.effects):
                counted.append(trial)
                said = trial.reason or f"{(trial.ratio or 1) - 1:+.2%}, {trial.kind}"
                self._observer.note(f"instructions, {trial.cell}, {trial.effect:+.0%}: {said}")
        # As with the faults: all of them or none.
        self._instructions = counted

    def _measure(self) -> None:
        request = self._request
        number = self._first_pass
        while not self._sitting.passes or self._left_s >= least_pass_s(
            request.cells, self._effects_of(number), request.min_time_s, request.looks
        ):
            self._sitting = replace(self._sitting, passes=(*self._sitting.passes, number))
            self._keep(RUNNING)
            self._measure_pass(number)
            number += 1

    def _effects_of(self, number: int) -> tuple[float, ...]:
        """What pass ``number`` tries: all, or those that can be decided."""
        matter = tuple(each for each in self._request.effects if each > MIN_EFFECT)
        return matter if number % _SELDOM and matter else self._request.effects

    def _measure_pass(self, number: int) -> None:
        request = self._request
        effects = self._effects_of(number)
        placement = choose_placement(None, usable_cores(os.sched_getaffinity(0)))
        with machine_lock(self._bench.backend.lock_file, wait_s=request.wait_s):
            cells = [
                size_cell(self._bench, cell, min_time_s=request.min_time_s, placement=placement)
                for cell in request.cells
            ]
        left = format_duration(max(0.0, self._left_s))
        self._observer.note(f"pass {number + 1} over {len(cells)} cells; {left} left")
        measure_pass(
            self._bench,
            cells,
            effects,
            looks=request.looks,
            budget_s=max(1.0, self._left_s),
            seed=self._seed + number,
            out=self._path,
            label=pass_label(number),
            wait_s=request.wait_s,
            observer=self._observer,
        )

    def _trials(self) -> list[Trial]:
        """Score what is on disk, so that what is interrupted counts as well."""
        trials = []
        for number, run in stored_passes(self._path):
            for cell in run.scenario.cells:
                trials += score_cell(number, cell, run.samples, run.scenario, self._request.effects)
        return trials

    def _keep(self, status: str) -> Outcome:
        """Write the outcome, as far as it is known, into the folder."""
        trials = self._trials()
        claims = [
            *claims_of_trials(trials),
            *claims_of_instructions(self._instructions),
            *claims_of_faults(self._faults),
        ]
        noisy = is_too_noisy(trials)
        own = replace(self._sitting, elapsed_s=round(self._spent_s, 1), status=status)
        sittings = (*self._earlier, own)
        conditions = asdict(self._conditions)
        text = describe(
            self._conditions.machine, sittings, trials, self._faults, self._instructions, claims
        )
        record: dict[str, Any] = {
            "status": status,
            "machine": self._conditions.machine,
            "commit": self._conditions.commit,
            "conditions": conditions,
            "seed": self._seed,
            "elapsed_s": round(sum(each.elapsed_s for each in sittings), 1),
            "sittings": [asdict(each) for each in sittings],
            "too_noisy": noisy,
            "claims": [
                asdict(each) | {"bound": each.bound, "answer": each.answer} for each in claims
            ],
            "faults": [asdict(each) for each in self._faults],
            "instructions": [asdict(each) for each in self._instructions],
            "command_line": list(self._request.command_line),
        }
        write_whole(self._path / RECORD, json.dumps(record, indent=2) + "\n")
        write_whole(self._path / "trials.csv", trials_csv(trials))
        write_whole(self._path / "selftest.md", text + "\n")
        return Outcome(tuple(claims), text, self._path, status == "interrupted", noisy)
