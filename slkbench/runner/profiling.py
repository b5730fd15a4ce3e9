"""A profile from beginning to end: lock, contenders, folder, a tool around each contender."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slkbench.contenders import resolve_contenders, supports
from slkbench.errors import InterruptedRunError, UsageError
from slkbench.folders import remove_abandoned
from slkbench.machine import find_tools, git_state, read_machine
from slkbench.model import (
    Cell,
    Contender,
    Layer,
    Metric,
    Placement,
    ProfileRow,
    Scenario,
    Status,
    Topology,
)
from slkbench.profile.counting import Request, blank_row
from slkbench.profile.tools import TOOLS, ProfileTool
from slkbench.profile.workload import LOCKSTEP, ProfileFailure, Workload, require_tool
from slkbench.runner.lock import LOCK_FILE, machine_lock
from slkbench.runner.placement import choose_placement, usable_cores
from slkbench.runner.provenance import package_folder, run_record
from slkbench.runner.session import terminable
from slkbench.schema import SCHEMA_VERSION, profile_columns, profile_row_of
from slkbench.store import METADATA_NAME, create_folder, write_whole

__all__ = ["ProfileRequest", "ProfileResult", "run_profile"]

_COMMIT_LETTERS = 12

Note = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """What a user asked to profile. None is what is usual for the tool."""

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
        folder = _Folder(request, contenders, placement)
        try:
            for rows in _profiles(request, tool, kind, contenders, placement, note):
                folder.add(rows)
        except KeyboardInterrupt:
            folder.end("interrupted")
            raise InterruptedRunError(
                f"interrupted; what was profiled is kept in {folder.path}"
            ) from None
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
) -> Iterator[list[ProfileRow]]:
    wanted = [(cell, each) for cell in request.scenario.cells for each in contenders]
    for done, (cell, contender) in enumerate(wanted):
        workload = Workload(cell, contender, kind, placement, request.timeout_s)
        where = f"{contender.name}, {cell.title}"

        def tell(text: str, done: int = done, where: str = where) -> None:
            note(done, len(wanted), f"{where}: {text}")

        yield _profile(request, tool, workload, tell)


def _profile(
    request: ProfileRequest, tool: ProfileTool, workload: Workload, tell: Callable[[str], None]
) -> list[ProfileRow]:
    """The rows of one contender in one cell; a failure is a row too."""
    blank = blank_row(tool.name, workload)
    reason = supports(workload.contender, workload.cell)
    if reason is not None:
        return [replace(blank, status=Status.SKIPPED.value, reason=f"n/a: {reason}")]
    messages = request.messages or tool.usual_messages(workload.cell)
    try:
        return tool.profile(
            Request(workload, messages, request.repetitions or tool.repetitions, tell)
        )
    except ProfileFailure as failure:
        status = Status.SKIPPED if failure.is_unsupported else Status.FAILED
        return [replace(blank, status=status.value, reason=str(failure))]


class _Folder:
    """The folder of a profile: ``run.json`` and the rows so far."""

    def __init__(
        self, request: ProfileRequest, contenders: tuple[Contender, ...], placement: Placement
    ) -> None:
        commit, dirty = git_state(package_folder())
        self.path = create_folder(
            request.results,
            f"profile-{request.tool}",
            commit=(commit or "nogit")[:_COMMIT_LETTERS],
            dirty=dirty,
        )
        self.rows: list[ProfileRow] = []
        self._tool = request.tool
        self._record: dict[str, Any] = {
            **run_record(
                request.scenario,
                seed=request.scenario.seed or 0,
                machine=read_machine(),
                tools=find_tools(),
                contenders=contenders,
                libs=request.libs,
                placement=placement,
                git=(commit, dirty),
                command_line=request.command_line,
            ),
            "run_id": self.path.name,
            "schema_version": SCHEMA_VERSION,
            "profile": request.tool,
        }
        self.end("running")
        self.add([])

    def add(self, rows: list[ProfileRow]) -> None:
        """Put more rows on the disk."""
        self.rows += rows
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(column.name for column in profile_columns())
        writer.writerows(profile_row_of(row) for row in self.rows)
        write_whole(self.path / f"profile-{self._tool}.csv", text.getvalue())

    def end(self, status: str) -> None:
        """Say in ``run.json`` how far it came."""
        self._record["status"] = status
        text = json.dumps(self._record, indent=2, ensure_ascii=False) + "\n"
        write_whole(self.path / METADATA_NAME, text)
