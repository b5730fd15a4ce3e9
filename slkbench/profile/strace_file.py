"""Reads the lines of ``strace -f``: which thread made which system call, and what came of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["SystemCall", "ThreadCalls", "count_calls", "read_strace"]

_WHOLE = re.compile(r"(\d+)\s+(\w+)\(.*\)\s+= (-?\d+|0x[0-9a-f]+|\?)(?: (E\w+))?")
_RESUMED = re.compile(r"(\d+)\s+<\.\.\. (\w+) resumed>.*\)\s+= (-?\d+|0x[0-9a-f]+|\?)(?: (E\w+))?")
_UNFINISHED = re.compile(r"(\d+)\s+\w+\(.*<unfinished \.\.\.>")
_EVENTFD = re.compile(r"\d+\s+\w+\(\d+<anon_inode:\[eventfd")

_SENDS = frozenset(("send", "sendto", "sendmsg", "write", "writev"))
_RECEIVES = frozenset(("recv", "recvfrom", "recvmsg", "read", "readv"))
_FUTILE = frozenset(("EAGAIN", "EWOULDBLOCK"))


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One call of one thread. ``moved_bytes`` is None unless it sent or received some."""

    thread_id: int
    name: str
    is_futile: bool
    moved_bytes: int | None


@dataclass(frozen=True, slots=True)
class ThreadCalls:
    """A thread's calls by name; ``moved`` by name and power of two of the bytes moved."""

    made: Counter[str]
    futile: Counter[str]
    moved: Counter[tuple[str, int]]


def read_strace(lines: Iterable[str]) -> Iterator[SystemCall]:
    """The calls that have ended; those on an eventfd, which wake threads, have their own name."""
    begun_on_eventfd: dict[str, bool] = {}
    for line in lines:
        match = _WHOLE.match(line)
        is_on_eventfd = _EVENTFD.match(line) is not None
        if match is None and (match := _RESUMED.match(line)) is not None:
            is_on_eventfd = begun_on_eventfd.pop(match[1], False)
        if match is not None:
            thread, name, value, error = match.groups()
            if is_on_eventfd and name in ("read", "write"):
                name = f"eventfd-{name}"
            yield SystemCall(int(thread), name, error in _FUTILE, _moved_bytes(name, value))
        elif (unfinished := _UNFINISHED.match(line)) is not None:
            begun_on_eventfd[unfinished[1]] = is_on_eventfd
    # A call that is begun and never resumed ends with its process: none of a message's.


def _moved_bytes(name: str, value: str) -> int | None:
    if name not in _SENDS | _RECEIVES or not value.isdigit() or value == "0":
        return None
    return int(value)


def count_calls(calls: Iterable[SystemCall]) -> dict[int, ThreadCalls]:
    """The calls of each thread, by its id."""
    threads: dict[int, ThreadCalls] = {}
    for call in calls:
        of_thread = threads.setdefault(call.thread_id, ThreadCalls(Counter(), Counter(), Counter()))
        of_thread.made[call.name] += 1
        if call.is_futile:
            of_thread.futile[call.name] += 1
        if call.moved_bytes is not None:
            low_bytes = 1 << (call.moved_bytes.bit_length() - 1)
            of_thread.moved[call.name, low_bytes] += 1
    return threads
