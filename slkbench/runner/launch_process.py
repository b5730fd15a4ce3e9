"""The measured processes of one sample: started, talked to, and never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from slkbench.ending import end_watched, signal_name
from slkbench.endpoint.spec import EXIT_UNHEARD
from slkbench.foreign_text import visible
from slkbench.units import format_size

__all__ = ["Conversation", "Endpoint", "LaunchFailure"]

Event = dict[str, Any]

_ENV_PAD = "SLKBENCH_ENV_PAD"
_GRACE_S = 0.5  # for the other role to say what it knows
_STDERR_KEPT_BYTES = 4096
_STDOUT_LINE_MAX_BYTES = 1 << 20
_REASON_MAX = 400
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


class Conversation:
    """All processes of one sample, read together against one deadline."""

    def __init__(
        self, folder: Path, env_pad_bytes: int, timeout_s: float, memory_bytes: int = 0
    ) -> None:
        """The processes live in ``folder``; the deadline is ``timeout_s`` seconds from now."""
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._env_pad_bytes = env_pad_bytes
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s
        self._endpoints: list[Endpoint] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        with contextlib.ExitStack() as all_of_them:  # one that resists does not save the others
            for endpoint in self._endpoints:
                all_of_them.callback(endpoint.kill)

    def start(self, role: str, pass_fds: Sequence[int] = ()) -> Endpoint:
        """Start a process and read what it says from now on; LaunchFailure if it cannot start."""
        try:
            endpoint = Endpoint(
                role, self._env_pad_bytes, self._folder, pass_fds, self._memory_bytes
            )
        except OSError as error:
            raise LaunchFailure(f"{role} cannot be started: {error}") from error
        self._endpoints.append(endpoint)
        for stream in (endpoint.stdout, endpoint.stderr):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, endpoint)
        self._selector.register(endpoint.pidfd, selectors.EVENT_READ, endpoint)
        return endpoint

    def await_event(self, endpoint: Endpoint, name: str) -> Event:
        """The event ``name`` of ``endpoint``; LaunchFailure if anything goes wrong before."""
        for _ in self._turns(self._deadline_s):
            self._raise_if_wrong()
            event = endpoint.find(name)
            if event is not None:
                return event
            if endpoint.poll() is not None and not self._is_readable(endpoint):
                raise LaunchFailure(endpoint.describe_end())
        waiting = " and ".join(
            f"{each.role} ({each.stage})" for each in self._endpoints if not each.find("result")
        )
        raise LaunchFailure(f"hang: no result within {self._timeout_s:g} s from {waiting}")

    def await_ends(self, limit_s: float) -> None:
        """Wait until all processes have ended well; LaunchFailure if not."""
        for endpoint in self._endpoints:
            endpoint.stage = "closing"
        for _ in self._turns(time.monotonic() + limit_s):
            self._raise_if_wrong()
            if not any(self._is_readable(each) or each.poll() is None for each in self._endpoints):
                left = "; ".join(filter(None, (each.describe_left() for each in self._endpoints)))
                if left:
                    raise LaunchFailure(left)
                return
        stuck = " and ".join(each.role for each in self._endpoints if each.poll() is None)
        if stuck:
            raise LaunchFailure(
                f"hang: all messages arrived, but {stuck} did not end within {limit_s:g} s "
                "(closing sockets or the context)"
            )

    def _turns(self, deadline_s: float) -> Iterator[None]:
        """One turn at once, then one after each read, until the deadline."""
        yield
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._read(left_s)
            yield

    def _is_readable(self, endpoint: Endpoint) -> bool:
        """Whether the process's pipes may still hold something that it said."""
        keys = self._selector.get_map().values()
        return any(key.data is endpoint and key.fileobj is endpoint.stdout for key in keys)

    def _read(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if key.fd not in self._selector.get_map():
                continue  # read to its end when its process's end, in the same batch, was noted
            endpoint: Endpoint = key.data
            if key.fileobj == endpoint.pidfd:
                self._note_end(endpoint)
            elif key.fileobj is endpoint.stdout:
                self._drain(endpoint.stdout, endpoint)
            else:
                self._drain(endpoint.stderr, endpoint)

    def _note_end(self, endpoint: Endpoint) -> None:
        """The process is gone; a child of it may hold the pipes open, so that no end comes."""
        self._selector.unregister(endpoint.pidfd)
        endpoint.poll()
        for stream in (endpoint.stdout, endpoint.stderr):
            if stream in self._selector.get_map():
                while self._drain(stream, endpoint):
                    pass
                if stream in self._selector.get_map():
                    self._close(stream, endpoint)

    def _drain(self, stream: IO[bytes], endpoint: Endpoint) -> bool:
        """Take what there is; False if there is nothing (more)."""
        data = stream.read(65536)
        if data is None:
            return False
        if not data:
            self._close(stream, endpoint)
            return False
        if stream is endpoint.stdout:
            endpoint.take_stdout(data)
        else:
            endpoint.take_stderr(data)
        return True

    def _close(self, stream: IO[bytes], endpoint: Endpoint) -> None:
        self._selector.unregister(stream)
        if stream is endpoint.stdout:
            endpoint.end_of_stdout()

    def _raise_if_wrong(self) -> None:
        """LaunchFailure if a process failed, crashed or said what it should not."""
        if not any(_is_wrong(each) for each in self._endpoints):
            return
        if len(self._endpoints) > 1:
            # What the other role says may be the better reason.
            for _ in self._turns(time.monotonic() + _GRACE_S):
                if all(_is_wrong(each) for each in self._endpoints):
                    break
        raise _failure_of(self._endpoints)


def _is_wrong(endpoint: Endpoint) -> bool:
    if endpoint.garbage or endpoint.find("failed", "unsupported", "saturated"):
        return True
    if not endpoint.has_said_all:
        return False  # it may have ended, and its last words still be in the pipe
    code = endpoint.poll()
    return code is not None and (code != 0 or endpoint.find("result") is None)


def _failure_of(endpoints: Sequence[Endpoint]) -> LaunchFailure:
    """The best reason that the processes give: a lacking feature, a crash, a rate, a word."""
    for endpoint in endpoints:
        event = endpoint.find("unsupported")
        if event is not None:
            return LaunchFailure(_reason_in(event), is_unsupported=True)
    for endpoint in endpoints:
        if endpoint.garbage:
            return LaunchFailure(f"garbage on stdout: {endpoint.garbage!r} ({endpoint.role})")
    for endpoint in endpoints:
        code = endpoint.poll()
        has_said_why = endpoint.find("failed", "saturated")
        if code is not None and not has_said_why and _is_wrong(endpoint):
            return LaunchFailure(endpoint.describe_end())
    for endpoint in endpoints:
        event = endpoint.find("saturated")
        if event is not None:
            reason = _reason_in(event).removeprefix("sender: ").removeprefix("saturated: ")
            return LaunchFailure(reason, is_saturated=True)
    said = [
        (endpoint.role, _reason_in(event))
        for endpoint in endpoints
        if (event := endpoint.find("failed")) is not None
    ]
    own = [each for each in said if not each[1].startswith("the other role")] or said
    return LaunchFailure(
        "; ".join(reason if role == "process" else f"{role}: {reason}" for role, reason in own)
    )


def _reason_in(event: Event) -> str:
    """What an event gives as reason; a library may have had a hand in the words."""
    reason = visible(" ".join(str(event.get("reason", "no reason given")).split()))
    return reason if len(reason) <= _REASON_MAX else f"{reason[: _REASON_MAX - 1]}…"


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
