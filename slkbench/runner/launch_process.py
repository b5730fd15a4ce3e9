"""One measured process: started, told what to do, listened to, and never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from slkbench.ending import end_watched, signal_name
from slkbench.endpoint.spec import EXIT_UNHEARD
from slkbench.foreign_text import visible
from slkbench.units import format_size

__all__ = ["Endpoint", "Event", "LaunchFailure"]

Event = dict[str, Any]

_ENV_PAD = "SLKBENCH_ENV_PAD"
_STDERR_KEPT_BYTES = 4096
_STDOUT_LINE_MAX_BYTES = 1 << 20
_MUCH = 0.5  # of the memory that it may have; stacks and mappings that are not used count as well
_OUR_EVENTS = frozenset(("ready", "result", "failed", "saturated", "unsupported", "ended"))


class LaunchFailure(Exception):
    """Why there is no result.

    ``is_unsupported`` if the contender lacks what the cell needs, ``is_saturated`` if it cannot
    keep up with the cell's rate.
    """

    def __init__(
        self, reason: str, *, is_unsupported: bool = False, is_saturated: bool = False
    ) -> None:
        super().__init__(reason)
        self.is_unsupported = is_unsupported
        self.is_saturated = is_saturated


class Endpoint:
    """One process, under a watcher that ends all its descendants when ``kill`` says so."""

    def __init__(
        self,
        role: str,
        env_pad_bytes: int,
        folder: Path,
        pass_fds: Sequence[int],
        memory_bytes: int,
    ) -> None:
        """Start the process; OSError if that fails. ``folder`` is where it lives.

        ``memory_bytes`` is how much it will be told that it may have, 0 for no limit.
        """
        self.role = role
        self._memory_bytes = memory_bytes
        self.stage = "starting"
        self.events: list[Event] = []
        self.garbage = ""
        self.has_said_all = False
        self._partial = b""
        self._stderr = b""
        self._started_s = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "slkbench.endpoint"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(env_pad_bytes),
            cwd=folder,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self.pidfd = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        """The process's id, which is its group's as well."""
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes]:
        """Where events come from."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        """Where a library may complain."""
        assert self._process.stderr is not None
        return self._process.stderr

    def tell(self, line: str, stage: str) -> None:
        """Write ``line`` to the process, which is then at ``stage``.

        One that is gone is noticed elsewhere.
        """
        assert self._process.stdin is not None
        self.stage = stage
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")

    def value(self, event: Event, key: str) -> str:
        """A text that an event of this process must hold; LaunchFailure if it does not."""
        if not isinstance(found := event.get(key), str):
            raise LaunchFailure(
                f"garbage on stdout: an event {event.get('event')!r} without {key} ({self.role})"
            )
        return found

    def take_stdout(self, data: bytes) -> None:
        """Split what came into events; what is no event is kept as garbage."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > _STDOUT_LINE_MAX_BYTES:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict) and event.get("event") in _OUR_EVENTS:
            self.events.append(event)
        elif line.strip() and not self.garbage:
            self.garbage = line[:80].decode(errors="replace")

    def take_stderr(self, data: bytes) -> None:
        """Keep the end of what the process complained about."""
        self._stderr = (self._stderr + data)[-_STDERR_KEPT_BYTES:]

    def end_of_stdout(self) -> None:
        """Take what is left without a line's end."""
        self._take_line(self._partial)
        self._partial = b""
        self.has_said_all = True

    def find(self, *names: str) -> Event | None:
        """The first event of one of these names."""
        return next((each for each in self.events if each["event"] in names), None)

    def poll(self) -> int | None:
        """The exit code, negative for a signal, None while the process runs."""
        return self._process.poll()

    def describe_end(self) -> str:
        """How the process ended, in words."""
        code = self._process.poll()
        if code is None:
            return f"{self.role} is still running"
        after = f"while {self.stage}, {time.monotonic() - self._started_s:.1f} s after its start"
        if code == EXIT_UNHEARD:
            return (
                f"the library closed the standard output of {self.role}, so nothing more is heard "
                f"of it, {after}"
            )
        if code < 0:
            words = f"{self.role} killed by {signal_name(-code)} {after}"
        else:
            words = f"{self.role} ended with exit code {code} without a result, {after}"
        words += self._lack_of_memory(code)
        complaint = self.last_complaint()
        return f"{words}; stderr: {complaint}" if complaint else words

    def _lack_of_memory(self, code: int) -> str:
        held = (self.find("ended") or {}).get("max_rss_bytes")
        limit = self._memory_bytes
        if isinstance(held, int) and limit and held >= _MUCH * limit:
            of_all = f"{format_size(held >> 20 << 20)} of the {format_size(limit)}"
            return (
                f"; perhaps out of memory: it held {of_all} that a process may have "
                "(--memory-limit)"
            )
        if code == -signal.SIGKILL:
            return "; slkbench did not send that: the machine may be out of memory (see dmesg)"
        return ""

    def describe_left(self) -> str:
        """Which processes it left behind, in words, or ''; known once it has ended."""
        event = self.find("ended") or {}
        number, names = event.get("left"), event.get("names")
        if not isinstance(number, int) or number == 0:
            return ""
        many = "1 process" if number == 1 else f"{number} processes"
        return f"{self.role} left {many} running when it ended: {visible(str(names))} (ended now)"

    def last_complaint(self) -> str:
        """The last line on stderr, or ''."""
        lines = self._stderr.decode(errors="replace").strip().splitlines()
        return visible(lines[-1].strip()[:200]) if lines else ""

    def kill(self) -> None:
        """End the process and its descendants, and release everything; harmless if ended."""
        try:
            end_watched(self._process)
        finally:
            os.close(self.pidfd)


def _environment(env_pad_bytes: int) -> Mapping[str, str]:
    """The environment of this process with a pad, and with slkbench to be found."""
    home = str(Path(__file__).parents[2])
    paths = [
        str(Path(each).absolute()) for each in os.environ.get("PYTHONPATH", "").split(":") if each
    ]
    if home not in (
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *paths,
    ):
        paths.append(home)
    environment = dict(os.environ, **{_ENV_PAD: "x" * env_pad_bytes})
    if paths:
        environment["PYTHONPATH"] = ":".join(paths)
    return environment
