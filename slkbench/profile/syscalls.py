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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slkbench.folders import scratch_folder
from slkbench.model import ProfileRow, Topology
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
from slkbench.profile.strace_file import ThreadCalls, count_calls, read_strace
from slkbench.profile.workload import (
    ProcessReport,
    ProfileFailure,
    require_tool,
    role_of_part,
    run_workload,
)

__all__ = ["TOOL", "can_perf_count", "count_processes", "profile_syscalls", "read_perf"]

TOOL = "syscalls"

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
    with_perf = can_perf_count()
    repetitions = []
    for number in range(request.repetitions):
        of_all = f"repetition {number + 1} of {request.repetitions}"
        request.note(f"strace, {of_all}")
        shorter, longer = (_trace(strace, request, request.messages * n)[0] for n in LENGTHS)
        traced = more_than(longer, shorter)
        if with_perf:
            request.note(f"perf, {of_all}")
            with contextlib.suppress(ProfileFailure):  # a call that this kernel's perf lacks
                traced |= _count_untraced(request, _usual_names(traced))
        repetitions.append(traced)
    request.note("without a tool")
    messages = request.messages * LENGTHS[1] * _UNTRACED_FACTOR
    reports = run_workload(request.workload, messages, wrap=_as_it_is)
    blank = replace(
        blank_row(TOOL, request.workload),
        library_version=reports[0].library_version or request.workload.contender.version or None,
    )
    rows = counted_rows(
        blank, repetitions, request.messages_more, least_per_message=_LEAST_PER_MESSAGE
    )
    return (
        rows
        + counted_rows(blank, [_switches(request, reports)], messages)
        + [replace(blank, role="all", quantity="rate", count=_rate(reports, messages))]
    )


def _as_it_is(_role: str, command: list[str]) -> list[str]:
    return command


def _trace(
    strace: str, request: Request, messages: int
) -> tuple[Counts, tuple[ProcessReport, ...]]:
    with scratch_folder() as name:
        folder = name

        def wrap(role: str, command: list[str]) -> list[str]:
            return [strace, "-f", "-qq", "-s", "0", "-o", str(folder / role), *command]

        reports = run_workload(request.workload, messages, wrap=wrap)
        counts: Counter[Key] = Counter()
        for report in reports:
            with (folder / report.role).open(encoding="utf-8", errors="replace") as lines:
                threads = count_calls(read_strace(lines))
            for key, count in count_processes(threads, report.parts).items():
                counts[key] += count
    return {**counts, **sum_of_roles(counts, ("calls", "futile-calls"))}, reports


def count_processes(threads: Mapping[int, ThreadCalls], parts: Mapping[int, str]) -> dict[Key, int]:
    """Counts by role; ``parts`` says what each thread of the process was there for."""
    counts: Counter[Key] = Counter()
    for thread_id, calls in threads.items():
        role = role_of_part(parts.get(thread_id, "main"))
        counts[Key(role, "calls")] += calls.made.total()
        counts[Key(role, "futile-calls")] += calls.futile.total()
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
        if key.role == "all" and key.quantity == "calls" and key.what != "all"
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


def _count_untraced(request: Request, names: Sequence[str]) -> dict[Key, float]:
    events = ["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in names)]
    counts = []
    for length in LENGTHS:
        with scratch_folder() as name:
            folder = name

            def wrap(role: str, command: list[str], folder: Path = folder) -> list[str]:
                out = str(folder / role)
                return ["perf", "stat", "-x", ",", "-o", out, "-e", ",".join(events), *command]

            messages = request.messages * length * _UNTRACED_FACTOR
            reports = run_workload(request.workload, messages, wrap=wrap)
            counted: Counter[str] = Counter()
            for report in reports:
                counted.update(read_perf((folder / report.role).read_text().splitlines()))
        counts.append(
            {
                Key("all", "untraced-calls", name): count / _UNTRACED_FACTOR
                for name, count in counted.items()
            }
        )
    return more_than(counts[1], counts[0])


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


def _rate(reports: Sequence[ProcessReport], messages: int) -> float | None:
    """Messages per second of an undisturbed run, for orientation."""
    for report in reports:
        for role in ("receiver", "sender"):
            elapsed_ns = int(report.result[role]["elapsed_ns"])
            if elapsed_ns > 0:
                return messages / elapsed_ns * 1e9
    return None
