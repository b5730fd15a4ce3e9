"""A run from beginning to end: lock, contenders, folder, experiment, verdicts."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from slkbench.errors import InterruptedRunError, StoreError, UsageError
from slkbench.folders import remove_abandoned, scratch_folder
from slkbench.machine import find_tools, git_state, read_machine
from slkbench.model import (
    Arm,
    CellKey,
    Contender,
    Layer,
    Placement,
    Sample,
    Scenario,
    Status,
)
from slkbench.plan import arms_of, baseline_name, lack, unsupported
from slkbench.runner.cell_run import CellRun, resume_cell
from slkbench.runner.experiment import Experiment
from slkbench.runner.launch import Launcher, ProcessLauncher
from slkbench.runner.lock import LOCK_FILE, machine_lock
from slkbench.runner.placement import choose_placement, usable_cores
from slkbench.runner.preview import describe_ends, describe_plan
from slkbench.runner.progress import Observer, Silent
from slkbench.runner.provenance import check_same_conditions, package_folder, run_record
from slkbench.runner.rate_search import describe_search, find_rates, with_stored_rates
from slkbench.runner.result import RunResult, judge_run
from slkbench.scenario import scenario_hash, scenario_to_json
from slkbench.store import RunStore, StoredRun, find_run, read_run, write_whole
from slkbench.units import format_duration

__all__ = ["Backend", "Request", "preview", "process_backend", "run_request", "terminable"]

_COMMIT_LETTERS = 12
_SEED_BITS = 31


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked to measure, and where.

    ``scenario`` may be None only with ``resume``, the run to go on with.  ``libs`` are further
    libraries as ``NAME=PATH[:ABI]``.  ``wait_s`` is how long to wait for the machine, negative for
    ever.  ``memory_bytes`` is how much memory a measured process may have, None what is usual.
    ``drops_decided`` lets a contender that is decided rest while others are not; such a run cannot
    be resumed.  ``files`` (name, text) are put into the run's folder before the first sample.
    """

    scenario: Scenario | None
    libs: tuple[str, ...] = ()
    results: Path = Path("results")
    label: str | None = None
    resume: str | None = None
    budget_s: float | None = None
    wait_s: float = 0.0
    memory_bytes: int | None = None
    command_line: tuple[str, ...] = ()
    drops_decided: bool = False
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Backend:
    """What stands between a run and the outside: a test puts fakes here.

    ``resolve`` finds a scenario's contenders, the ``NAME=PATH[:ABI]`` ones among them;
    ``placebo`` makes a copy of a contender in a folder, None where there can be none.
    """

    launcher: Launcher
    resolve: Callable[[Scenario, Sequence[str]], tuple[Contender, ...]]
    placebo: Callable[[Contender, Path], Contender | None]
    clock_s: Callable[[], float] = time.monotonic
    lock_file: Path = LOCK_FILE


def process_backend(memory_bytes: int | None = None) -> Backend:
    """The real thing: libraries that are installed, fresh processes for every sample.

    Each may have ``memory_bytes`` of memory, None for what is usual.
    """
    from slkbench.contenders import placebo_of, resolve_contenders

    return Backend(ProcessLauncher(memory_bytes=memory_bytes), resolve_contenders, placebo_of)


def run_request(
    request: Request, *, observer: Observer | None = None, backend: Backend | None = None
) -> RunResult:
    """Measure what was asked for; every sample is stored before the next one starts.

    Raises UsageError (and what derives from it) before anything is measured, and
    InterruptedRunError on Ctrl-C or SIGTERM, when everything measured is kept.  So it is where the
    disk is full: that is a UsageError as well, which says how to go on.
    """
    outside = backend or process_backend(request.memory_bytes)
    watching = observer or Silent()
    with machine_lock(outside.lock_file, wait_s=request.wait_s), terminable():
        remove_abandoned()
        with scratch_folder() as scratch:
            return _run(request, outside, scratch, watching)


def _run(request: Request, outside: Backend, scratch: Path, observer: Observer) -> RunResult:
    opened = _open(request, outside, scratch, observer)
    for finding in opened.store.findings:
        observer.note(f"{finding.subject}: {finding.evidence}; {finding.remedy}")
    cells = len(opened.runs)
    observer.note(f"{cells} cell{'s' * (cells != 1)}; {describe_ends(opened.scenario)}")
    with opened.store as store:
        experiment = Experiment(
            opened.scenario,
            opened.seed,
            opened.runs,
            placement=opened.placement,
            store=store,
            launcher=outside.launcher,
            observer=observer,
            clock_s=outside.clock_s,
            spent_s=float(store.metadata.get("measured_s", 0.0)),
        )
        _measure(experiment, store)
        return judge_run(StoredRun(store.path, store.metadata, store.samples, store.findings))


def preview(request: Request, backend: Backend | None = None) -> str:
    """What ``run_request`` would measure. Raises UsageError for what cannot be measured."""
    scenario = request.scenario
    if scenario is None:
        raise UsageError("--dry-run tells of a new run; leave --resume away")
    outside = backend or process_backend()
    contenders = outside.resolve(scenario, request.libs)
    cores = usable_cores(os.sched_getaffinity(0))
    return describe_plan(scenario, contenders, choose_placement(scenario.affinity, cores))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A run that is ready to be measured."""

    store: RunStore
    scenario: Scenario
    seed: int
    placement: Placement
    runs: tuple[CellRun, ...]


def _measure(experiment: Experiment, store: RunStore) -> None:
    """Run the experiment; ``run.json`` says how it ended."""
    try:
        store.update({"status": "running"})
        experiment.run()
    except KeyboardInterrupt:
        with suppress(StoreError):  # what run.json says of it is the smaller part
            store.update({"status": "interrupted", "measured_s": round(experiment.spent_s, 3)})
        raise InterruptedRunError(f"interrupted; {_kept(store)}") from None
    except UsageError as error:  # a disk that is full, a folder that is no more
        with suppress(StoreError):
            store.update({"status": "interrupted", "measured_s": round(experiment.spent_s, 3)})
        raise type(error)(f"{error} {_kept(store)}") from None
    ended_by = "budget" if experiment.is_cut_short else "verdicts"
    store.update(
        {
            "status": "complete",
            "ended_by": ended_by,
            "measured_s": round(experiment.spent_s, 3),
            "outcomes": experiment.outcomes(),
        }
    )


def _kept(store: RunStore) -> str:
    """What is not lost, and how to get the rest."""
    return (
        f"{len(store.samples)} samples are kept in {store.path}; "
        f"go on with: slkbench run --resume {shlex.quote(str(store.path))}"
    )


def _open(request: Request, outside: Backend, scratch: Path, observer: Observer) -> _Opened:
    if request.resume is None:
        return _create(request, outside, scratch, observer)
    return _reopen(request, outside, scratch)


def _create(request: Request, outside: Backend, scratch: Path, observer: Observer) -> _Opened:
    """Make the run's folder. Raises UsageError for what cannot be measured."""
    scenario = request.scenario
    if scenario is None:
        raise UsageError("nothing to measure: name a scenario, or a run to resume")
    scenario = scenario if request.label is None else replace(scenario, name=request.label)
    seed = secrets.randbits(_SEED_BITS) if scenario.seed is None else scenario.seed
    scenario = replace(scenario, seed=seed)
    contenders = outside.resolve(scenario, request.libs)
    machine = read_machine()
    placement = choose_placement(scenario.affinity, usable_cores(machine.usable_cpus))
    if search := describe_search(scenario, contenders):
        observer.note(search)
    began_s = outside.clock_s()
    scenario, searches = find_rates(scenario, contenders, placement, outside.launcher, observer)
    searched_s = outside.clock_s() - began_s if searches else 0.0
    git = git_state(package_folder())
    record = run_record(
        scenario,
        seed=seed,
        machine=machine,
        tools=find_tools(),
        contenders=contenders,
        libs=request.libs,
        placement=placement,
        git=git,
        command_line=request.command_line,
    )
    arms = _arms_by_cell(scenario, contenders, outside, scratch)
    store = RunStore.create(
        request.results,
        scenario.name,
        {
            **record,
            "rates": [each.to_json() for each in searches],
            "measured_s": round(searched_s, 3),  # the budget's clock has begun
            "status": "running",
        },
        commit=(git[0] or "nogit")[:_COMMIT_LETTERS],
        dirty=git[1],
    )
    for name, text in request.files:
        write_whole(store.path / name, text)
    if scenario.budget_s is not None and searched_s >= scenario.budget_s:
        observer.note(
            f"finding the rates took {format_duration(searched_s)}, so the budget is spent; go on "
            f"with: slkbench run --resume {shlex.quote(str(store.path))} --budget TOTAL"
        )
    _add_skipped(store, scenario, contenders)
    runs = tuple(
        CellRun(cell, arms[cell.key], drops_decided=request.drops_decided)
        for cell in scenario.cells
    )
    return _Opened(store, scenario, seed, placement, runs)


def _reopen(request: Request, outside: Backend, scratch: Path) -> _Opened:
    """Go on with a stored run. Raises StoreError if its conditions have changed."""
    assert request.resume is not None
    path = find_run(request.resume, request.results)
    stored = read_run(path)
    if stored.metadata.get("status") == "complete" and request.budget_s is None:
        more = (
            ""
            if stored.metadata.get("ended_by") != "budget"
            else (
                f"; its budget of {stored.scenario.budget_s:g} s is spent, --budget gives it more"
            )
        )
        raise StoreError(f"{path.name} is complete; there is nothing to resume{more}")
    scenario = stored.scenario
    if request.scenario is not None:
        wanted = with_stored_rates(request.scenario, stored.metadata.get("rates", ()))
        if scenario_hash(wanted) != scenario_hash(scenario):
            raise StoreError(
                f"cannot go on with {path.name}: it measures something else than the options say; "
                "leave the options away, or start a new run without --resume"
            )
    if request.budget_s is not None:
        scenario = replace(scenario, budget_s=request.budget_s)
    libs = request.libs or tuple(stored.metadata.get("lib_options", ()))
    contenders = outside.resolve(scenario, libs)
    machine = read_machine(compilers=False)
    check_same_conditions(
        stored.metadata,
        name=path.name,
        scenario=scenario,
        machine=machine,
        contenders=contenders,
    )
    placement = choose_placement(scenario.affinity, usable_cores(machine.usable_cpus))
    arms = _arms_by_cell(scenario, contenders, outside, scratch)
    # Nothing is calibrated yet in a run that was killed early.
    work = {tuple(each["cell"]): each["messages"] for each in stored.metadata.get("calibrated", ())}
    store = RunStore.reopen(path)
    resumption = {"command_line": list(request.command_line), "budget_s": scenario.budget_s}
    store.update(
        {
            "scenario": scenario_to_json(scenario),
            "resumed": [*stored.metadata.get("resumed", ()), resumption],
        }
    )
    _add_skipped(store, scenario, contenders)
    seed = int(stored.metadata["seed"])
    runs = []
    for cell in scenario.cells:
        own = [sample for sample in store.samples if sample.cell_key == cell.key]
        run = resume_cell(seed, cell, arms[cell.key], own, work.get(cell.key, {}))
        if not run.pending:  # the rule looks after whole blocks
            run.look(scenario)
        runs.append(run)
    return _Opened(store, scenario, seed, placement, tuple(runs))


def _add_skipped(store: RunStore, scenario: Scenario, contenders: Sequence[Contender]) -> None:
    """Store what cannot be run, but for what is stored already."""
    there = {(each.cell_key, each.arm) for each in store.samples}
    for sample in _skipped(scenario, contenders, store.run_id):
        if (sample.cell_key, sample.arm) not in there:
            store.append(sample)


def _arms_by_cell(
    scenario: Scenario, contenders: Sequence[Contender], outside: Backend, scratch: Path
) -> dict[CellKey, tuple[Arm, ...]]:
    """The arms of every cell, the placebo of each layer included."""
    placebos: dict[Layer, Contender | None] = {}
    for layer in {cell.layer for cell in scenario.cells}:
        name = baseline_name(scenario.baseline, layer)
        found = [each for each in contenders if each.name == name and each.layer is layer]
        wanted = scenario.placebo and found
        placebos[layer] = _placebo(found[0], outside, scratch) if wanted else None
    return {
        cell.key: arms_of(cell, contenders, scenario.baseline, placebos[cell.layer])
        for cell in scenario.cells
    }


def _placebo(baseline: Contender, outside: Backend, scratch: Path) -> Contender | None:
    try:
        return outside.placebo(baseline, scratch)
    except OSError as error:
        raise UsageError(
            f"cannot copy {baseline.path} to {scratch.parent} for the placebo: {error}. Make room "
            "there, or name another folder in the environment variable TMPDIR."
        ) from None


def _skipped(scenario: Scenario, contenders: Sequence[Contender], run_id: str) -> Iterator[Sample]:
    """A sample for every contender that cannot run a cell, so that the gap is on record."""
    for cell in scenario.cells:
        for contender in unsupported(cell, contenders):
            yield Sample(
                run_id=run_id,
                scenario=scenario.name,
                arm=contender.name,
                contender=contender.name,
                library_version=contender.version or None,
                layer=cell.layer,
                pattern=cell.pattern,
                transport=cell.transport,
                topology=cell.topology,
                metric=cell.metric,
                size_bytes=cell.size_bytes,
                io_threads=cell.io_threads,
                sndhwm=cell.sndhwm,
                rcvhwm=cell.rcvhwm,
                senders=cell.senders,
                receivers=cell.receivers,
                idle_peers=cell.idle_peers,
                offered_msgs_per_s=cell.offered_msgs_per_s,
                status=Status.SKIPPED,
                reason=f"n/a: {lack(cell, contender)}",
                seed=scenario.seed,
            )


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM, and the loss of the terminal, end a run as Ctrl-C does: samples are kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
