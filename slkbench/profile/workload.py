"""The process that is profiled: the driver's executable ``profiled``, wrapped in a tool."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slkbench.ending import end_watched
from slkbench.errors import UsageError
from slkbench.folders import scratch_folder
from slkbench.model import Cell, Contender, ContenderKind, Placement, Topology, Transport

__all__ = [
    "EXECUTABLE",
    "LOCKSTEP",
    "THREADS",
    "ProcessReport",
    "ProfileFailure",
    "Workload",
    "elapsed_ns_of",
    "require_tool",
    "role_of_part",
    "run_workload",
]

EXECUTABLE = Path(__file__).resolve().parents[1] / "driver" / "profiled"

LOCKSTEP = "lockstep"
THREADS = "threads"

WARMUP_MESSAGES = 999  # with the one that starts the clock, whole turns
_TURN_MAX = 500
_FLOOR_TURN_BYTES = 64 << 10  # a bare socket has no queue besides its buffers
_END_S = 10.0  # to close, and for the tool to write what it counted
_COMPLAINT_BYTES = 2048

_WATCHED = "slkbench.endpoint.watch"
_PACKAGES = {"valgrind": "valgrind", "strace": "strace", "perf": "linux-perf"}

Wrap = Callable[[str, list[str]], list[str]]


class ProfileFailure(Exception):
    """Why there is no profile; ``is_unsupported`` if the contender lacks what the cell needs."""

    def __init__(self, reason: str, *, is_unsupported: bool = False) -> None:
        super().__init__(reason)
        self.is_unsupported = is_unsupported


@dataclass(frozen=True, slots=True)
class Workload:
    """What is profiled: ``kind`` is ``threads`` (as in a sample) or ``lockstep``.

    ``turn_of`` sets how many messages are under way at once in lockstep.  One message in
    ``time_one_in`` has its calls timed; none where that is 0, nor where it is -1, but then by the
    code that could.
    """

    cell: Cell
    contender: Contender
    kind: str
    placement: Placement
    timeout_s: float
    turn_of: int | None = None
    time_one_in: int = 0

    @property
    def turn(self) -> int:
        """How many messages are under way at once in lockstep; never as many as may queue."""
        if self.turn_of is not None:
            return self.turn_of
        marks = [mark for mark in (self.cell.sndhwm, self.cell.rcvhwm) if mark > 0]
        turn = min([_TURN_MAX, *(mark // 2 for mark in marks)])
        if self.contender.kind is ContenderKind.FLOOR:
            turn = min(turn, _FLOOR_TURN_BYTES // (self.cell.size_bytes + 16))
        return max(1, turn)


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """What one process told: its ``role``, and ``result``, its last event."""

    role: str
    library_version: str
    result: Mapping[str, Any]

    @property
    def parts(self) -> dict[int, str]:
        """What each thread was there for, by its id, in the order of their creation."""
        return {int(each["id"]): str(each["part"]) for each in self.result["threads"]}


def role_of_part(part: str) -> str:
    """The role of a thread in rows, from what the executable says that the thread is there for."""
    return "harness" if part == "main" else part


def require_tool(name: str) -> str:
    """The path of a program. Raises UsageError that names the Debian package which has it."""
    found = shutil.which(name)
    if found is None:
        package = _PACKAGES[name]
        raise UsageError(
            f"{name} is not installed, and this profile needs it. On Debian and Ubuntu it is in "
            f"the package {package}: apt install {package}"
        )
    return found


def elapsed_ns_of(reports: Sequence[ProcessReport]) -> float:
    """How long the timed messages took, by the role that held the clock. ProfileFailure if none."""
    for report in reports:
        for role in ("receiver", "sender"):
            elapsed_ns = int(report.result[role]["elapsed_ns"])
            if elapsed_ns > 0:
                return float(elapsed_ns)
    raise ProfileFailure("no role held the clock")


def run_workload(
    workload: Workload,
    messages: int,
    *,
    wrap: Wrap,
    environment: Mapping[str, str] | None = None,
) -> tuple[ProcessReport, ...]:
    """Run it once with ``messages`` timed messages; a report for each process.

    ``wrap`` makes the command line of the process of a role (``both``, ``receiver``, ``sender``)
    one of the tool.  Raises ProfileFailure, and UsageError where the executable is not built.  No
    process is left behind.
    """
    if not EXECUTABLE.is_file():
        raise UsageError(f"{EXECUTABLE} is not built; pip install . in slkbench's folder")
    variables = {**os.environ, **(environment or {})}
    with scratch_folder() as name, contextlib.ExitStack() as stack:
        deadline_s = time.monotonic() + workload.timeout_s

        def start(role: str, *words: str, pass_fds: Sequence[int] = ()) -> _Process:
            command = wrap(role, _command(workload, messages, role, name, words))
            process = _Process(role, command, variables, name, pass_fds, deadline_s)
            stack.callback(process.kill)
            return process

        if workload.cell.topology is Topology.THREADS:
            return (_report(start("both")),)
        with _lines() as (there, back):
            receiver = start("receiver", f"control_fd={there}", pass_fds=(there,))
            endpoint = str(receiver.await_event("ready")["endpoint"])
            sender = start("sender", f"endpoint={endpoint}", f"control_fd={back}", pass_fds=(back,))
        return _report(receiver), _report(sender)


@contextlib.contextmanager
def _lines() -> Iterator[tuple[int, int]]:
    """Two ends over which two processes keep step; each keeps its own open."""
    one, other = socket.socketpair()
    with one, other:
        yield one.fileno(), other.fileno()


def _report(process: _Process) -> ProcessReport:
    ready = process.await_event("ready")
    result = process.await_event("result")
    process.await_end()
    return ProcessReport(process.role, str(ready["library_version"]), result)


def _command(
    workload: Workload, messages: int, role: str, folder: Path, words: Sequence[str]
) -> list[str]:
    cell, contender = workload.cell, workload.contender
    endpoint = {
        Transport.TCP: "tcp://127.0.0.1:*",
        Transport.IPC: f"ipc://{folder}/socket",
        Transport.INPROC: "inproc://slkbench",
    }[cell.transport]
    values: dict[str, Any] = {
        "role": role,
        "kind": contender.kind.value,
        "path": contender.path,
        "abi": contender.abi.value if contender.abi is not None else "",
        "pattern": cell.pattern.value,
        "transport": cell.transport.value,
        "metric": cell.metric.value,
        "size_bytes": cell.size_bytes,
        "messages": messages,
        "warmup": WARMUP_MESSAGES,
        "io_threads": cell.io_threads,
        "sndhwm": cell.sndhwm,
        "rcvhwm": cell.rcvhwm,
        "endpoint": endpoint,
        # Well within the limit: who lost a message must be told from who hangs.
        "stall_ms": int(500 * workload.timeout_s),
        "limit_ms": int(1000 * workload.timeout_s),
        "sender_cpus": ",".join(map(str, workload.placement.sender_cpus)),
        "receiver_cpus": ",".join(map(str, workload.placement.receiver_cpus)),
        "time_one_in": workload.time_one_in,
    }
    given = [f"{key}={value}" for key, value in values.items()]
    return [str(EXECUTABLE), workload.kind, str(workload.turn), *given, *words]


class _Process:
    """One process under a watcher, which ends it when this one is gone; read against a deadline."""

    def __init__(
        self,
        role: str,
        command: list[str],
        environment: Mapping[str, str],
        folder: Path,
        pass_fds: Sequence[int],
        deadline_s: float,
    ) -> None:
        self.role = role
        self._deadline_s = deadline_s
        self._started_s = time.monotonic()
        self._partial = b""
        self._events: list[dict[str, Any]] = []
        self._errors = folder / f"{role}-errors"
        with self._errors.open("wb") as errors:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", _WATCHED, str(os.getpid()), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    bufsize=0,
                    env=environment,
                    cwd=folder,
                    pass_fds=pass_fds,
                    start_new_session=True,
                )
            except OSError as error:
                raise ProfileFailure(f"{role} cannot be started: {error}") from error

    def await_event(self, name: str) -> dict[str, Any]:
        """The event of that name; ProfileFailure if anything else comes of the process."""
        while True:
            for event in self._events:
                if event["event"] in ("failed", "unsupported"):
                    is_unsupported = event["event"] == "unsupported"
                    reason = str(event["reason"])
                    raise ProfileFailure(
                        f"n/a: {reason}" if is_unsupported else reason,
                        is_unsupported=is_unsupported,
                    )
                if event["event"] == name:
                    return event
            self._read()

    def _read(self) -> None:
        assert self._process.stdout is not None
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([self._process.stdout], [], [], left_s)[0]:
            raise self._hang("no result")
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            raise ProfileFailure(self._describe_end())
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in filter(None, lines):
            try:
                self._events.append(json.loads(line))
            except ValueError as error:
                shown = line[:80].decode(errors="replace")
                raise ProfileFailure(f"garbage on stdout: {shown!r} ({self.role})") from error

    def await_end(self) -> None:
        """Wait until the process, and the tool around it, has ended well."""
        left_s = max(_END_S, self._deadline_s - time.monotonic())
        try:
            code = self._process.wait(left_s)
        except subprocess.TimeoutExpired:
            raise self._hang("all messages arrived, but no end") from None
        if code != 0:
            raise ProfileFailure(self._describe_end())

    def _hang(self, what: str) -> ProfileFailure:
        spent_s = time.monotonic() - self._started_s
        return ProfileFailure(
            f"hang: {what} within {spent_s:.0f} s ({self.role}); if it is only slow under its "
            "tool, raise --timeout or lower --count"
        )

    def _describe_end(self) -> str:
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return f"{self.role} closed its output and runs on"
        if code in (-signal.SIGALRM, 128 + signal.SIGALRM):
            return str(self._hang("no result"))
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        complaint = self._errors.read_bytes()[-_COMPLAINT_BYTES:].decode(errors="replace").strip()
        last = complaint.splitlines()[-1].strip() if complaint else ""
        return f"{self.role} {how}" + (f"; stderr: {last}" if last else "")

    def kill(self) -> None:
        """End it with all that it started; harmless if it has ended."""
        end_watched(self._process)
