"""A self-test from beginning to end: what is tried, how long, and where the outcome is kept."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from slkbench.errors import InterruptedRunError
from slkbench.machine import fingerprint, git_state, read_machine
from slkbench.model import Cell
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
    claims_of_simulations,
    claims_of_trials,
    is_too_noisy,
)
from slkbench.selftest.faults import FaultOutcome, measure_faults
from slkbench.selftest.known import Bench, Charge, charge_cell, measure_pass, process_bench
from slkbench.selftest.score import Trial, score_cell
from slkbench.selftest.simulate import ModesTally, Tally, simulate_all, simulate_modes
from slkbench.store import create_folder, list_runs, read_run, write_whole
from slkbench.units import format_duration

__all__ = ["Outcome", "SelftestRequest", "run_quick", "run_selftest"]

_COMMIT_LETTERS = 12
_SEED_BITS = 31
# What a further pass must have left to reach the first look of every cell.
_LEAST_PASS_S_PER_CELL = 60.0
_QUICK_TRIALS = 300
_QUICK_SEED = 20


@dataclass(frozen=True, slots=True)
class SelftestRequest:
    """What to try, for how long. ``effects`` are fractions of time per message."""

    cells: tuple[Cell, ...]
    effects: tuple[float, ...] = (0.02, 0.05, 0.10, 0.20, 0.50)
    budget_s: float = 3600.0
    min_time_s: float = 0.25
    seed: int | None = None
    results: Path = Path("results")
    wait_s: float = 0.0
    with_faults: bool = True
    command_line: tuple[str, ...] = ()


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
        _closing(claims),
    ]
    return Outcome(tuple(claims), "\n\n".join(parts))


_SIMULATED = (
    "Looks at 8, 12, 16, 24 and 32 mirrored blocks of baseline, placebo and contender, 2 % as the "
    "least effect. `covered`: the interval at the end holds the truth. `false`: SLOWER or FASTER "
    "without an effect that matters, or EQUIVALENT with one."
)


def run_selftest(
    request: SelftestRequest, *, observer: Observer | None = None, bench: Bench | None = None
) -> Outcome:
    """Measure known differences and faults until the budget is spent. Ctrl-C keeps what there is.

    Raises UsageError and ContenderError before anything is measured.
    """
    listener = observer or Silent()
    with tempfile.TemporaryDirectory(prefix="slkbench-selftest-") as scratch:
        ready = bench or process_bench(request.effects, Path(scratch))
        return _Session(request, ready, listener).run()


class _Session:
    """The folder of a self-test, and what is known so far."""

    def __init__(self, request: SelftestRequest, bench: Bench, observer: Observer) -> None:
        self._request = request
        self._bench = bench
        self._observer = observer
        self._clock_s = bench.backend.clock_s
        self._began_s = self._clock_s()
        self._seed = secrets.randbits(_SEED_BITS) if request.seed is None else request.seed
        self._charges: dict[str, tuple[Charge, ...]] = {}
        self._faults: list[FaultOutcome] = []
        self._machine = fingerprint(read_machine(compilers=False))
        commit, dirty = git_state(package_folder())
        self._commit = commit or "nogit"
        self._path = create_folder(
            request.results, "selftest", commit=self._commit[:_COMMIT_LETTERS], dirty=dirty
        )

    def run(self) -> Outcome:
        """Faults first, which take seconds; then passes over all cells while there is time."""
        is_interrupted = False
        self._keep([], "running")
        try:
            with terminable():
                if self._request.with_faults:
                    self._find_faults()
                self._measure()
        except (KeyboardInterrupt, InterruptedRunError):
            is_interrupted = True
        return self._keep(self._trials(), "interrupted" if is_interrupted else "complete")

    @property
    def _left_s(self) -> float:
        return self._request.budget_s - (self._clock_s() - self._began_s)

    def _find_faults(self) -> None:
        with machine_lock(self._bench.backend.lock_file, wait_s=self._request.wait_s):
            for found in measure_faults():
                self._faults.append(found)
                named = "named" if found.is_named else "NOT NAMED"
                self._observer.note(f"{found.fault}: {named}: {found.said}")

    def _measure(self) -> None:
        request = self._request
        placement = choose_placement(None, usable_cores(os.sched_getaffinity(0)))
        number = 0
        least_s = _LEAST_PASS_S_PER_CELL * len(request.cells)
        while number == 0 or self._left_s >= least_s:
            cells = []
            with machine_lock(self._bench.backend.lock_file, wait_s=request.wait_s):
                for cell in request.cells:
                    charged, charges = charge_cell(
                        self._bench,
                        cell,
                        request.effects,
                        min_time_s=request.min_time_s,
                        placement=placement,
                    )
                    cells.append(charged)
                    self._charges[f"{number} {cell.title}"] = charges
            self._note_charges()
            left = format_duration(max(0.0, self._left_s))
            self._observer.note(f"pass {number + 1} over {len(cells)} cells; {left} left")
            measure_pass(
                self._bench,
                cells,
                request.effects,
                budget_s=max(1.0, self._left_s),
                seed=self._seed + number,
                out=self._path,
                label=f"pass-{number + 1:04d}",
                wait_s=request.wait_s,
                observer=self._observer,
            )
            number += 1

    def _trials(self) -> list[Trial]:
        """Score what is on disk, so that what is interrupted counts as well."""
        trials = []
        for number, path in enumerate(list_runs(self._path)):
            run = read_run(path)
            for cell in run.scenario.cells:
                charges = self._charges.get(f"{number} {cell.title}", ())
                trials += score_cell(number, cell, run.samples, run.scenario, charges)
        return trials

    def _note_charges(self) -> None:
        stored = {key: [asdict(each) for each in found] for key, found in self._charges.items()}
        write_whole(self._path / "charges.json", json.dumps(stored, indent=2) + "\n")

    def _keep(self, trials: Sequence[Trial], status: str) -> Outcome:
        """Write the outcome, as far as it is known, into the folder."""
        claims = [*claims_of_trials(trials), *claims_of_faults(self._faults)]
        noisy = is_too_noisy(trials)
        text = self._text(trials, claims, status, noisy=noisy)
        record: dict[str, Any] = {
            "status": status,
            "machine": self._machine,
            "commit": self._commit,
            "seed": self._seed,
            "elapsed_s": round(self._clock_s() - self._began_s, 1),
            "too_noisy": noisy,
            "claims": [
                asdict(each) | {"bound": each.bound, "answer": each.answer} for each in claims
            ],
            "faults": [asdict(each) for each in self._faults],
            "command_line": list(self._request.command_line),
        }
        write_whole(self._path / "selftest.json", json.dumps(record, indent=2) + "\n")
        write_whole(self._path / "trials.csv", _csv(trials))
        write_whole(self._path / "selftest.md", text + "\n")
        return Outcome(tuple(claims), text, self._path, status == "interrupted", noisy)

    def _text(
        self, trials: Sequence[Trial], claims: Sequence[Claim], status: str, *, noisy: bool
    ) -> str:
        stamp = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        elapsed = format_duration(self._clock_s() - self._began_s)
        head = f"# Self-test: {self._machine}, {stamp}, {elapsed}, {status}"
        parts = [head]
        if trials:
            parts += [
                tables.section("What was found, by effect", tables.power_table(trials)),
                tables.section("Every cell", _TRUTH, tables.trial_table(trials)),
            ]
        if self._faults:
            parts.append(tables.section("Known faults", tables.fault_table(self._faults)))
        if noisy:
            parts.append(_NOISY)
        return "\n\n".join([*parts, _closing(claims)])


_TRUTH = (
    "`truth` is the extra work, measured apart from any library, of the time per message that the "
    "baseline took in the run. Round trips spend it one after the other, so it is exact there. In "
    "a stream both sides spend it at the same time, and it is the truth as long as the "
    "application's threads are what everything waits for. `time` is what a run of these two and "
    "the placebo alone takes; `smallest effect` is what its noise lets find in nine of ten runs."
)
_NOISY = (
    "**This machine was too noisy to judge:** not even a copy was found equal, nor any slowdown "
    "found. Nothing is shown; use a quieter machine or time, or a longer --budget."
)


def _closing(claims: Sequence[Claim]) -> str:
    open_ones = sum(claim.answer is Answer.OPEN for claim in claims)
    wrong = len(tables.contradicted(claims))
    shown = len(claims) - open_ones - wrong
    text = f"{shown} of {len(claims)} claims shown, {wrong} contradicted"
    if open_ones:
        text += (
            f"; {open_ones} could not be shown with so few trials (0 of 59 would show 5 %), which "
            "a longer --budget can change"
        )
    return tables.section("Claims", tables.claim_table(claims), f"{text}.")


def _csv(trials: Sequence[Trial]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Trial)]
    writer.writerow(names)
    for trial in trials:
        values = (getattr(trial, name) for name in names)
        writer.writerow("" if value is None else value for value in values)
    return text.getvalue()
