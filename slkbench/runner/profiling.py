"""A profile from beginning to end: lock, contenders, folder, a tool around each contender."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slkbench.contenders import resolve_contenders, supports
from slkbench.errors import InterruptedRunError, StoreError, UsageError
from slkbench.folders import remove_abandoned
from slkbench.machine import find_tools, git_state, read_machine
from slkbench.model import (
    Cell,
    Contender,
    Layer,
    Metric,
    Placement,
    ProfileRow,
    Sample,
    Scenario,
    Status,
    Topology,
)
from slkbench.profile.counting import Request, blank_row
from slkbench.profile.flames import write_differences
from slkbench.profile.tools import TOOLS, ProfileTool
from slkbench.profile.workload import LOCKSTEP, ProfileFailure, Workload, require_tool
from slkbench.runner.lock import LOCK_FILE, machine_lock
from slkbench.runner.placement import choose_placement, usable_cores
from slkbench.runner.profile_folder import STACKS, ProfileFolder
from slkbench.runner.provenance import package_folder, run_record
from slkbench.runner.session import terminable
from slkbench.scenario import scenario_from_json
from slkbench.schema import SCHEMA_VERSION
from slkbench.stats import at_usual_distance, median_time_ns
from slkbench.store import METADATA_NAME, create_folder, read_metadata, read_run

__all__ = ["ProfileRequest", "ProfileResult", "can_profile", "request_of_run", "run_profile"]

_COMMIT_LETTERS = 12

Note = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """What a user asked to profile. None is what is usual for the tool.

    ``run`` is the folder of a stored run which the profile is of, and into which it goes.
    ``budget_s`` is shared by all contenders in all cells.
    """

    tool: str
    scenario: Scenario
    libs: tuple[str, ...] = ()
    results: Path = Path("results")
    messages: int | None = None
    repetitions: int | None = None
    workload: str | None = None
    timeout_s: float = 60.0
    wait_s: float = 0.0
    command_line: tuple[str, ...] = ()
    lock_file: Path = LOCK_FILE
    run: Path | None = None
    budget_s: float | None = None


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What was counted. ``failed`` are the rows of contenders that did not get through."""

    path: Path
    tool: str
    rows: tuple[ProfileRow, ...]

    @property
    def failed(self) -> tuple[ProfileRow, ...]:
        """Rows with status FAILED."""
        return tuple(row for row in self.rows if row.status == Status.FAILED)


def run_profile(
    request: ProfileRequest, note: Note = lambda _done, _of, _text: None
) -> ProfileResult:
    """Profile every contender in every cell; what is done is on disk when the next one starts.

    ``note`` hears what is about to be done, with the number of contenders in cells that are done
    and of all.  Raises UsageError before anything is profiled, and InterruptedRunError.
    """
    tool = TOOLS[request.tool]
    for program in tool.programs:
        require_tool(program)
    kind = request.workload or tool.workloads[0]
    for cell in request.scenario.cells:
        _check(cell, kind)
    with machine_lock(request.lock_file, wait_s=request.wait_s), terminable():
        remove_abandoned()
        contenders = resolve_contenders(request.scenario, request.libs)
        placement = choose_placement(
            request.scenario.affinity, usable_cores(os.sched_getaffinity(0))
        )
        samples: Sequence[Sample] = ()
        if request.run is not None:
            _check_same_libraries(request.run, contenders)
            samples = read_run(request.run).samples
        folder = _open(request, contenders, placement)
        wanted = len(request.scenario.cells) * len(contenders)
        done = 0
        try:
            stacks = folder.path / STACKS
            for rows in _profiles(
                request, tool, kind, contenders, placement, note, stacks, samples
            ):
                folder.add(rows)
                done += 1
            names = sorted(
                (each.name for each in contenders),
                key=lambda name: name != request.scenario.baseline,
            )
            for cell in request.scenario.cells:
                write_differences(stacks, cell, names)
        except KeyboardInterrupt:
            folder.end("interrupted")
            kept = f"what was profiled is kept in {folder.path}: {done} of {wanted}"
            lost = "; the one under way is lost" if done < wanted else ""
            raise InterruptedRunError(f"interrupted; {kept}{lost}") from None
        folder.end("complete")
        return ProfileResult(folder.path, request.tool, tuple(folder.rows))


def _check(cell: Cell, kind: str) -> None:
    """Raise UsageError for a cell that no tool can run."""
    if cell.layer is not Layer.NATIVE:
        raise UsageError(f"profiles are of native cells; {cell.title} is not one")
    if cell.metric is not Metric.THROUGHPUT:
        raise UsageError(f"profiles count per message of a throughput cell, not of {cell.title}")
    if kind == LOCKSTEP and cell.topology is not Topology.THREADS:
        raise UsageError(
            f"in lockstep one thread drives both sockets, so {cell.title} has no such profile; "
            "leave --topology processes away"
        )


def _profiles(
    request: ProfileRequest,
    tool: ProfileTool,
    kind: str,
    contenders: tuple[Contender, ...],
    placement: Placement,
    note: Note,
    stacks: Path,
    samples: Sequence[Sample],
) -> Iterator[list[ProfileRow]]:
    wanted = [(cell, each) for cell in request.scenario.cells for each in contenders]
    end_s = time.monotonic() + (request.budget_s or 0.0)
    for done, (cell, contender) in enumerate(wanted):
        workload = Workload(cell, contender, kind, placement, request.timeout_s)
        where = f"{contender.name}, {cell.title}"

        def tell(text: str, done: int = done, where: str = where) -> None:
            note(done, len(wanted), f"{where}: {text}")

        asked = Request(
            workload,
            request.messages or tool.usual_messages(cell),
            request.repetitions or tool.repetitions,
            tell,
            stacks,
            is_count_given=request.messages is not None,
            expected_ns=median_time_ns(_usual(samples, cell), cell, contender.name),
        )
        if request.budget_s is not None:
            left_s = max(0.0, end_s - time.monotonic())
            asked = replace(asked, budget_s=left_s / (len(wanted) - done))
        yield _profile(tool, asked)


def _usual(samples: Sequence[Sample], cell: Cell) -> list[Sample]:
    return at_usual_distance([one for one in samples if one.cell_key == cell.key])


def _profile(tool: ProfileTool, asked: Request) -> list[ProfileRow]:
    """The rows of one contender in one cell; a failure is a row too."""
    blank = blank_row(tool.name, asked.workload)
    reason = supports(asked.workload.contender, asked.workload.cell)
    if reason is not None:
        return [replace(blank, status=Status.SKIPPED.value, reason=f"n/a: {reason}")]
    try:
        return tool.profile(asked)
    except ProfileFailure as failure:
        status = Status.SKIPPED if failure.is_unsupported else Status.FAILED
        return [replace(blank, status=status.value, reason=str(failure))]


def _open(
    request: ProfileRequest, contenders: tuple[Contender, ...], placement: Placement
) -> ProfileFolder:
    """The folder of a profile: a new one, or that of the run which is profiled."""
    commit, dirty = git_state(package_folder())
    path = request.run
    if path is None:
        path = create_folder(
            request.results,
            f"profile-{request.tool}",
            commit=(commit or "nogit")[:_COMMIT_LETTERS],
            dirty=dirty,
        )
    record = run_record(
        request.scenario,
        seed=request.scenario.seed or 0,
        machine=read_machine(),
        tools=find_tools(),
        contenders=contenders,
        libs=request.libs,
        placement=placement,
        git=(commit, dirty),
        command_line=request.command_line,
    )
    mark = {"run_id": path.name, "schema_version": SCHEMA_VERSION}
    return ProfileFolder(path, request.tool, {**record, **mark})


def _check_same_libraries(run: Path, contenders: tuple[Contender, ...]) -> None:
    """Raise StoreError where a library is not the one that the run measured."""
    stored = read_metadata(run).get("libraries", ())
    hashes = {(each["name"], each["layer"]): each["sha256"] for each in stored}
    for each in contenders:
        known = hashes.get((each.name, each.layer.value), each.sha256)
        if known != each.sha256:
            raise StoreError(
                f"{each.name} ({each.path}) is not the build that {run.name} measured; its profile "
                "would explain nothing there. Leave --run away, or measure again."
            )


def request_of_run(run: Path, tool: str, **changes: Any) -> ProfileRequest:
    """To profile the contenders of a stored run in its cells, as far as a profile can have them.

    ``changes`` are fields of ``ProfileRequest``.  Raises StoreError, and UsageError where the run
    has no such cell.
    """
    metadata = read_metadata(run)
    scenario = scenario_from_json(metadata["scenario"], where=str(run / METADATA_NAME))
    cells = tuple(replace(cell, messages=None) for cell in scenario.cells if can_profile(cell))
    if not cells:
        raise UsageError(
            f"{run.name} has no native throughput cell of one sender and one receiver, and only "
            "such cells can be profiled"
        )
    scenario = replace(scenario, cells=tuple(dict.fromkeys(cells)))
    libs = tuple(metadata.get("lib_options", ()))
    fields: dict[str, Any] = {"scenario": scenario, "libs": libs, "run": run, **changes}
    return ProfileRequest(tool=tool, **fields)


def can_profile(cell: Cell) -> bool:
    """Whether there are profiles of such a cell."""
    is_pair = (cell.senders, cell.receivers, cell.idle_peers) == (1, 1, 0)
    return is_pair and cell.layer is Layer.NATIVE and cell.metric is Metric.THROUGHPUT
