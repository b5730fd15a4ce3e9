"""System calls per message, told by strace from a run as it is timed: two threads, or processes.

strace stops a thread at each call, so that threads wait for each other at other moments than they
would: counts under it are what such a run makes, and may differ from an undisturbed one.  Where
perf can count system calls in the kernel, which disturbs little, its counts stand beside.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slkbench.model import ProfileRow, Topology
from slkbench.profile.counting import (
    LENGTHS,
    Counting,
    Counts,
    Key,
    Request,
    count_differences,
    counted_rows,
    known_row,
)
from slkbench.profile.strace_file import ThreadCalls, count_calls, read_strace
from slkbench.profile.workload import (
    ProcessReport,
    ProfileFailure,
    elapsed_ns_of,
    require_tool,
    role_of_part,
    run_workload,
)

__all__ = ["TOOL", "can_perf_count", "count_processes", "profile_syscalls", "read_perf"]

TOOL = "syscalls"

WAKE_UP_CALLS = frozenset(
    (
        *("futex", "eventfd-write", "eventfd-read", "membarrier", "sched_yield"),
        *("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"),
        *("nanosleep", "clock_nanosleep"),
    )
)
"""By which a thread waits, or lets another go on."""

_LEAST_PER_MESSAGE = {
    "calls": 1e-5,
    "futile-calls": 1e-5,
    "untraced-calls": 1e-5,
    "bytes-calls": 1e-5,
}
_PERF_NAMES_MAX = 14
# Without strace there is time for so many times the messages, which chance needs as well.
_UNTRACED_FACTOR = 4
_PERF_TIMEOUT_S = 10.0


def profile_syscalls(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell; from perf as well, if ``can_perf_count()``.

    Raises UsageError where strace is missing, and ProfileFailure.
    """
    strace = require_tool("strace")
    counting = Counting(
        "strace",
        wrap=lambda folder, role, command: [
            *(strace, "-f", "-qq", "-y", "-s", "0", "-o", str(folder / role)),
            *command,
        ],
        read=_read_traces,
        summed=("calls", "futile-calls", "wake-up-calls"),
    )
    counted = count_differences(request, counting)
    repetitions = list(counted.repetitions)
    if can_perf_count():
        with contextlib.suppress(ProfileFailure):  # a call that this kernel's perf lacks
            untraced = _count_untraced(request, _usual_names(repetitions[0]))
            repetitions = [{**a, **b} for a, b in zip(repetitions, untraced, strict=True)]
    request.note("without a tool")
    messages = request.messages * LENGTHS[1] * _UNTRACED_FACTOR
    reports = run_workload(request.workload, messages, wrap=_as_it_is)
    rate = messages / elapsed_ns_of(reports) * 1e9  # for orientation
    blank = known_row(TOOL, request, reports)
    rows = counted_rows(
        blank, repetitions, request.messages_more, least_per_message=_LEAST_PER_MESSAGE
    )
    return (
        rows
        + counted_rows(blank, [_switches(request, reports)], messages)
        + [replace(blank, role="all", quantity="rate", count=rate)]
        + list(_kernel_options(blank, reports))
    )


def _as_it_is(_role: str, command: list[str]) -> list[str]:
    return command


def _read_traces(folder: Path, report: ProcessReport) -> Mapping[Key, float]:
    with (folder / report.role).open(encoding="utf-8", errors="replace") as lines:
        threads = count_calls(read_strace(lines))
    return count_processes(threads, report.parts)


def _kernel_options(blank: ProfileRow, reports: Sequence[ProcessReport]) -> Iterator[ProfileRow]:
    """How the library set its connected sockets, as the kernel sees them; by role if it is known.

    In one process both ends are seen, and which is whose is not: values that differ are rows of
    their own.
    """
    for report in reports:
        role = "all" if report.role == "both" else report.role
        values = {
            (name, value): None for each in report.result["sockets"] for name, value in each.items()
        }
        for name, value in values:
            yield replace(blank, role=role, what=name, quantity="kernel-option", count=float(value))


def count_processes(threads: Mapping[int, ThreadCalls], parts: Mapping[int, str]) -> dict[Key, int]:
    """Counts by role; ``parts`` says what each thread of the process was there for."""
    counts: Counter[Key] = Counter()
    for thread_id, calls in threads.items():
        role = role_of_part(parts.get(thread_id, "main"))
        counts[Key(role, "calls")] += calls.made.total()
        counts[Key(role, "futile-calls")] += calls.futile.total()
        wake_ups = {name: n for name, n in calls.made.items() if name in WAKE_UP_CALLS}
        counts[Key(role, "wake-up-calls")] += sum(wake_ups.values())
        for name, count in calls.made.items():
            counts[Key(role, "calls", name)] += count
        for name, count in calls.futile.items():
            counts[Key(role, "futile-calls", name)] += count
        for (name, low_bytes), count in calls.moved.items():
            counts[Key(role, "bytes-calls", name, low_bytes)] += count
    return dict(counts)


def _usual_names(traced: Counts) -> list[str]:
    """The calls that were made most often: perf needs an event for each."""
    names = {
        key.what: count
        for key, count in traced.items()
        if key.role == "all"
        and key.quantity == "calls"
        and key.what != "all"
        and key.what.isidentifier()
    }
    return sorted(names, key=lambda name: -names[name])[:_PERF_NAMES_MAX]


def can_perf_count() -> bool:
    """Whether perf is here, and may count system calls in the kernel."""
    perf = shutil.which("perf")
    if perf is None:
        return False
    command = [perf, "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "true"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PERF_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and any(read_perf(done.stderr.decode().splitlines()).values())


def _count_untraced(request: Request, names: Sequence[str]) -> Sequence[Counts]:
    events = ["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in names)]

    def read(folder: Path, report: ProcessReport) -> Mapping[Key, float]:
        counted = read_perf((folder / report.role).read_text().splitlines())
        return {Key("all", "untraced-calls", name): count for name, count in counted.items()}

    counting = Counting(
        "perf",
        wrap=lambda folder, role, command: [
            *("perf", "stat", "-x", ",", "-o", str(folder / role), "-e", ",".join(events)),
            *command,
        ],
        read=read,
    )
    return count_differences(request, counting, factor=_UNTRACED_FACTOR).repetitions


def read_perf(lines: Iterable[str]) -> dict[str, int]:
    """Counts by name of system call from ``perf stat -x ,``; ``all`` for any."""
    counts = {}
    for line in lines:
        words = line.split(",")
        if len(words) > 2 and words[0].isdigit():
            group, _, event = words[2].partition(":")
            name = "all" if group == "raw_syscalls" else event.removeprefix("sys_enter_")
            counts[name] = int(words[0])
    return counts


def _switches(request: Request, reports: Sequence[ProcessReport]) -> dict[Key, float]:
    """Context switches while the messages of an undisturbed run were timed."""
    counts: dict[Key, float] = {}
    merged: dict[str, Mapping[str, Any]] = {}
    for report in reports:
        roles = ("sender", "receiver") if report.role == "both" else (report.role,)
        merged |= {role: report.result[role] for role in roles}
    in_threads = request.workload.cell.topology is Topology.THREADS
    for kind in ("voluntary", "involuntary"):
        name = f"{kind}_switches"
        threads = {role: merged[role]["thread"][name] for role in ("sender", "receiver")}
        # In one process the receiver has seen all threads; two processes add up.
        whole = [merged[role]["process"][name] for role in ("sender", "receiver")]
        total = whole[1] if in_threads else sum(whole)
        for role, count in threads.items():
            counts[Key(role, f"{kind}-switches")] = count
        counts[Key("I/O", f"{kind}-switches")] = max(0, total - sum(threads.values()))
        counts[Key("all", f"{kind}-switches")] = total
    return counts
