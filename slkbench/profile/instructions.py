"""Instructions per message, counted by callgrind: the same on an idle and on a busy machine.

One thread drives both sockets in lockstep, because valgrind runs one thread at a time anyway: so
it is not left to chance how often somebody waits.  Only user space is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from slkbench.model import ContenderKind, ProfileRow
from slkbench.profile.callgrind_file import Function, ThreadCosts, read_callgrind
from slkbench.profile.counting import (
    Counting,
    Key,
    Request,
    count_differences,
    counted_rows,
    known_row,
    sum_of_roles,
)
from slkbench.profile.workload import (
    EXECUTABLE,
    ProcessReport,
    ProfileFailure,
    require_tool,
)

__all__ = ["FUNCTION_GROUPS", "TOOL", "count_roles", "profile_instructions"]

TOOL = "instructions"
_OUT = "callgrind"

FUNCTION_GROUPS = {
    "memory copies": re.compile(r"_*(?:mem(?:p?cpy|move)).*"),
    "allocations": re.compile(r"(?:__libc_)?(?:m|c|re)alloc|posix_memalign|aligned_alloc|memalign"),
    "frees": re.compile(r"(?:__libc_)?c?free"),
    "mutex locks": re.compile(r"_*pthread_mutex_(?:try)?lock.*"),
}
"""Names under which calls of some functions are added up; what is inlined is no call."""

_LEAST_PER_MESSAGE = {"instructions": 0.5, "calls": 0.002}

# Waiting until the I/O threads are idle is the harness's, and takes as long as it takes.
# The order matters: the second option alone starts with nothing collected.
_COLLECT = ("--toggle-collect=slkbench::await_idle_threads*", "--collect-atstart=yes")
# A library that lets time pass in a loop would do so for ever under a tool that stretches time.
_ENVIRONMENT = {"SLK_TIMED_WAITS": "0"}

_SEND = re.compile(r"(?:zmq|slk)_send|slkbench::(?:ring|stream)_link::send\(.*")
_RECEIVE = re.compile(r"(?:zmq|slk)_recv|slkbench::(?:ring|stream)_link::receive\(.*")


def profile_instructions(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell.

    Raises UsageError where valgrind is missing, and ProfileFailure.
    """
    tool = [
        require_tool("valgrind"),
        "--tool=callgrind",
        "--quiet",
        "--fair-sched=try",
        "--separate-threads=yes",
        "--dump-line=no",
        *_COLLECT,
    ]
    is_floor = request.workload.contender.kind is ContenderKind.FLOOR
    counting = Counting(
        "callgrind",
        wrap=lambda folder, _role, command: [
            *tool,
            f"--callgrind-out-file={folder / _OUT}",
            *command,
        ],
        read=lambda folder, report: _read(folder, report, is_floor=is_floor),
        environment=_ENVIRONMENT,
    )
    counted = count_differences(request, counting)
    return counted_rows(
        known_row(TOOL, request, counted.reports),
        counted.repetitions,
        request.messages_more,
        least_per_message=_LEAST_PER_MESSAGE,
    )


def _read(folder: Path, report: ProcessReport, *, is_floor: bool) -> Mapping[Key, float]:
    threads = []
    for file in sorted(folder.glob(f"{_OUT}-*")):
        with file.open(encoding="utf-8", errors="replace") as lines:
            threads.append(read_callgrind(lines))
    if not threads:
        raise ProfileFailure("callgrind wrote nothing")
    counts = count_roles(threads, list(report.parts.values()), is_floor=is_floor)
    if not counts[Key("sender", "instructions")] or not counts[Key("receiver", "instructions")]:
        raise ProfileFailure("callgrind does not know the library's send and recv by their names")
    return counts


def count_roles(
    threads: Sequence[ThreadCosts], parts: Sequence[str], *, is_floor: bool = False
) -> dict[Key, float]:
    """Instructions of each role, and of functions with how often they are called.

    ``parts`` says what the threads are there for, in the order of their creation: the first is the
    application's.  The floor is part of the executable, so its functions are told by their names.
    """
    counts: Counter[Key] = Counter()
    for thread in threads:
        if thread.number == 1:
            role = "application"
            counts.update(_count_application(thread))
        else:
            # One more is the executable's own, which shakes hands before the messages.
            is_known = thread.number <= len(parts)
            role = parts[thread.number - 1] if is_known else "harness"
            counts[Key(role, "instructions")] += thread.own.total()
        for key, count in _count_functions(thread, role, is_floor=is_floor):
            counts[key] += count
    whole = {key: float(count) for key, count in counts.items() if key.what == "all"}
    by_group = {
        key: float(count)
        for key, count in counts.items()
        if key.what in FUNCTION_GROUPS and key.quantity == "calls"
    }
    total = sum_of_roles(whole, ("instructions",)) | sum_of_roles(by_group, ("calls",))
    return {**counts, **total}


def _count_application(thread: ThreadCosts) -> dict[Key, int]:
    """The thread of the application, split at the library's functions that it calls."""
    send = receive = 0
    for (caller, callee), cost in thread.inclusive.items():
        if not _is_harness(caller) or "_link::send(" in caller.name:
            continue
        if _SEND.fullmatch(callee.name):
            send += cost
        elif _RECEIVE.fullmatch(callee.name):
            receive += cost
    return {
        Key("sender", "instructions"): send,
        Key("receiver", "instructions"): receive,
        Key("harness", "instructions"): thread.own.total() - send - receive,
    }


def _count_functions(
    thread: ThreadCosts, role: str, *, is_floor: bool
) -> Iterator[tuple[Key, int]]:
    def counts_as_library(function: Function) -> bool:
        if not _is_harness(function):
            return True
        return is_floor and any(each in function.name for each in ("_link::", "byte_ring::"))

    for function, cost in thread.own.items():
        if counts_as_library(function):
            yield Key(role, "instructions", _name(function)), cost
    for (_, callee), calls in thread.calls.items():
        if counts_as_library(callee):
            yield Key(role, "calls", _name(callee)), calls
            for group, names in FUNCTION_GROUPS.items():
                if names.fullmatch(callee.name):
                    yield Key(role, "calls", group), calls


def _is_harness(function: Function) -> bool:
    return PurePath(function.object_path).name == EXECUTABLE.name


def _name(function: Function) -> str:
    """A function without a symbol is named by its place in the file."""
    if not function.name.startswith("0x"):
        return function.name
    return f"{PurePath(function.object_path).name}+{int(function.name, 16):#x}"
