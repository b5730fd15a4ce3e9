"""The measured processes of one sample: read together, and what is wrong with any of them."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Self

from slkbench.foreign_text import visible
from slkbench.runner.launch_process import Endpoint, Event, LaunchFailure

__all__ = ["Conversation"]

_GRACE_S = 0.5  # for the other role to say what it knows
_DEAF_S = 1.0  # at most: a signal that comes as a wait begins is not handled before the wait ends
_REASON_MAX = 400


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
        """One turn at once, then one after each read or ``_DEAF_S``, until the deadline."""
        yield
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._read(min(left_s, _DEAF_S))
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
