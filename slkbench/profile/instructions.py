"""Instructions per message, counted by callgrind: the same on an idle and on a busy machine.

One thread drives both sockets in lockstep, because valgrind runs one thread at a time anyway: so
it is not left to chance how often somebody waits.  Only user space is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from slkbench.folders import scratch_folder
from slkbench.model import ContenderKind, ProfileRow
from slkbench.profile.callgrind_file import Function, ThreadCosts, read_callgrind
from slkbench.profile.counting import (
    LENGTHS,
    Counts,
    Key,
    Request,
    blank_row,
    counted_rows,
    more_than,
    sum_of_roles,
)
from slkbench.profile.workload import EXECUTABLE, ProfileFailure, require_tool, run_workload

__all__ = ["FUNCTION_GROUPS", "TOOL", "count_roles", "profile_instructions"]

TOOL = "instructions"

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
    valgrind = require_tool("valgrind")
    repetitions = []
    version = ""
    for number in range(request.repetitions):
        counts = []
        for length in LENGTHS:
            messages = request.messages * length
            of_all = f"repetition {number + 1} of {request.repetitions}"
            request.note(f"callgrind, {messages} messages, {of_all}")
            counted, version = _count(valgrind, request, messages)
            counts.append(counted)
        repetitions.append(more_than(counts[1], counts[0]))
    blank = blank_row(TOOL, request.workload)
    return counted_rows(
        replace(blank, library_version=version or None),
        repetitions,
        request.messages_more,
        least_per_message=_LEAST_PER_MESSAGE,
    )


def _count(valgrind: str, request: Request, messages: int) -> tuple[Counts, str]:
    with scratch_folder() as name:
        out = name / "callgrind"
        tool = [
            valgrind,
            "--tool=callgrind",
            "--quiet",
            "--fair-sched=try",
            "--separate-threads=yes",
            "--dump-line=no",
            f"--callgrind-out-file={out}",
            *_COLLECT,
        ]
        (report,) = run_workload(
            request.workload,
            messages,
            wrap=lambda _role, command: [*tool, *command],
            environment=_ENVIRONMENT,
        )
        threads = []
        for file in sorted(out.parent.glob(f"{out.name}-*")):
            with file.open(encoding="utf-8", errors="replace") as lines:
                threads.append(read_callgrind(lines))
    if not threads:
        raise ProfileFailure("callgrind wrote nothing")
    is_floor = request.workload.contender.kind is ContenderKind.FLOOR
    parts = list(report.parts.values())
    counts = count_roles(threads, parts, is_floor=is_floor)
    if not counts[Key("sender", "instructions")] or not counts[Key("receiver", "instructions")]:
        raise ProfileFailure("callgrind does not know the library's send and recv by their names")
    return counts, report.library_version


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
