"""Where the CPU time of a message goes: perf's samples of a run as it is timed.

perf samples the CPU clock, so it works in a virtual machine without hardware counters.  Samples
count only between the first and the last timed message.  They say what a thread did on a core; how
long it was on one is measured exactly, by the kernel's clock of the thread, in runs without perf
that take turns with those under it: so perf's own cost is in none of the times.

A machine has moods: threads that share a cache now and do not a moment later are two or three times
slower.  The profile of a run is to be of the mood that the run's median is of, so repetitions that
take another time per message are taken again, and it is said how many were like the run.
"""

from __future__ import annotations

import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from slkbench.folders import scratch_folder
from slkbench.model import ContenderKind, ProfileRow
from slkbench.profile.counting import ROLES, Request, known_row
from slkbench.profile.flames import write_stacks
from slkbench.profile.perf_file import KERNEL, CpuSample, Frame, read_perf_script
from slkbench.profile.workload import (
    EXECUTABLE,
    ProcessReport,
    ProfileFailure,
    elapsed_ns_of,
    require_tool,
    role_of_part,
    run_workload,
)
from slkbench.stats import mean_interval

__all__ = [
    "LIKE_WITHIN",
    "PARTS",
    "TOOL",
    "Repetition",
    "Shares",
    "States",
    "like_the_run",
    "part_of",
    "profile_cpu",
    "read_states",
    "take_samples",
]

TOOL = "cpu"

IN_SEND = "library in send"
IN_RECV = "library in recv"
IN_IO = "library in I/O thread"
KERNEL_SEND = "kernel send path"
KERNEL_RECEIVE = "kernel receive path"
WAKING = "waking and waiting"
KERNEL_OTHER = "kernel, other"
HARNESS = "harness"
PARTS = (IN_SEND, IN_RECV, IN_IO, KERNEL_SEND, KERNEL_RECEIVE, WAKING, KERNEL_OTHER, HARNESS)
"""What a thread on a core can be doing. Every sample is of exactly one."""

_FREQUENCY_HZ = 1999  # beats with no timer of the kernel
_TIMED_S = 1.5
_PLAIN_S = 0.4
LIKE_WITHIN = 0.15
"""By which share a repetition's time per message may differ from its run's."""

_TRIES_EACH = 4  # for each repetition that is wanted like the run
_PERF_SLOWS_MAX = 1.5  # more is another mood
_PERF_SCRIPT_TIMEOUT_S = 120.0
_SYMBOL_LEAST = 0.005  # of the time per message

# Anywhere in the stack; the first that fits. Waking the peer is waking, also inside of a send.
_WAKING = re.compile(
    r"try_to_wake_up|__wake_up.*|ep_poll_callback|wake_up_.*|_*schedule.*|.*futex.*|.*epoll.*|"
    r"ep_.*|do_sys_poll|.*sys_p?poll|.*eventfd.*|.*nanosleep.*|.*sched_yield|.*membarrier|"
    r"pick_next_.*|finish_task_switch.*"
)
_RECEIVING = re.compile(
    r".*sys_(recv|read).*|sock_recvmsg|tcp_recvmsg.*|unix_stream_read.*|ksys_read"
)
_SENDING = re.compile(
    r".*sys_(send|write).*|sock_sendmsg|tcp_sendmsg.*|unix_stream_send.*|ksys_write"
)


@dataclass(slots=True)
class States:
    """What threads did in one run, ns per message by role: all but the blocked time."""

    wall_ns: float = 0.0
    on_cpu_ns: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    core_wait_ns: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(slots=True)
class Shares:
    """What perf saw threads of a role do in one run: shares of their time on a core, up to 1."""

    wall_ns: float = 0.0
    parts: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    symbols: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    stacks: dict[tuple[str, ...], float] = field(default_factory=lambda: defaultdict(float))


@dataclass(frozen=True, slots=True)
class Repetition:
    """Runs without perf just before and after one under it."""

    states: tuple[States, ...]
    shares: Shares

    def apart_from(self, wall_ns: float) -> float:
        """The largest ratio, as its absolute logarithm, of a time per message to this one."""
        return max(abs(math.log(each.wall_ns / wall_ns)) for each in self.states)

    def is_like(self, wall_ns: float) -> bool:
        """Whether all of it was in the mood in which a message takes so long."""
        slowed = self.shares.wall_ns / fmean(each.wall_ns for each in self.states)
        is_one_mood = 1 / _PERF_SLOWS_MAX < slowed < _PERF_SLOWS_MAX
        return is_one_mood and self.apart_from(wall_ns) <= math.log1p(LIKE_WITHIN)


def like_the_run(taken: Sequence[Repetition], wall_ns: float | None) -> list[Repetition]:
    """Those of the run's mood; all where it is not known."""
    return [each for each in taken if wall_ns is None or each.is_like(wall_ns)]


def profile_cpu(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell. Raises UsageError without perf, and ProfileFailure."""
    perf = require_tool("perf")
    request.note("a run without perf")
    pilot = run_workload(request.workload, request.messages, wrap=_as_it_is)
    message_ns = request.expected_ns or elapsed_ns_of(pilot) / request.messages
    messages = max(request.messages, int(_TIMED_S * 1e9 / message_ns))
    fewer = max(request.messages, int(_PLAIN_S * 1e9 / message_ns))
    taken = _repetitions(perf, request, messages, fewer)
    like = like_the_run(taken, request.expected_ns)
    nearest = min(taken, key=lambda each: each.apart_from(message_ns))
    used = like or [nearest]
    states = [state for each in used for state in each.states]
    shares = [each.shares for each in used]
    if request.attachments is not None:
        stacks: dict[tuple[str, ...], float] = defaultdict(float)
        for share in shares:
            for stack, fraction in share.stacks.items():
                on_cpu_ns = fmean(each.on_cpu_ns[stack[0]] for each in states)
                stacks[stack] += fraction * on_cpu_ns / len(shares)
        write_stacks(request.attachments, request.workload, stacks)
    blank = known_row(TOOL, request, pilot)
    rows = list(_rows(blank, states, shares, messages))
    if request.expected_ns is not None:
        told = replace(blank, role="harness", messages=messages)
        rows += [
            replace(told, quantity="run-wall-ns", per_message=request.expected_ns),
            replace(told, quantity="repetitions-taken", count=float(len(taken))),
            replace(told, quantity="repetitions-like-the-run", count=float(len(like))),
        ]
    return rows


def _repetitions(perf: str, request: Request, messages: int, fewer: int) -> list[Repetition]:
    """As many as are wanted; of a run's profile more, until so many are like the run."""
    expected_ns, wanted = request.expected_ns, request.repetitions
    taken: list[Repetition] = []
    while len(taken) < wanted * (1 if expected_ns is None else _TRIES_EACH):
        like = like_the_run(taken, expected_ns)
        if len(like) >= wanted:
            break
        of_all = f"repetition {len(like) + 1} of {wanted}"
        if len(like) < len(taken):
            of_all += f" ({len(taken) - len(like)} took another time than the run)"
        request.note(f"without perf and with it, {messages} messages, {of_all}")
        before = run_workload(request.workload, fewer, wrap=_as_it_is)
        shares = _sample(perf, request, messages)
        after = run_workload(request.workload, fewer, wrap=_as_it_is)
        states = tuple(read_states(each, fewer) for each in (before, after))
        taken.append(Repetition(states, shares))
    return taken


def _as_it_is(_role: str, command: list[str]) -> list[str]:
    return command


def _sample(perf: str, request: Request, messages: int) -> Shares:
    with scratch_folder() as folder:

        def wrap(role: str, command: list[str]) -> list[str]:
            how = ["-q", "-k", "CLOCK_MONOTONIC", "-e", "cpu-clock", "-F", str(_FREQUENCY_HZ), "-g"]
            return [perf, "record", *how, "-o", str(folder / role), "--", *command]

        reports = run_workload(request.workload, messages, wrap=wrap)
        shares = Shares(wall_ns=elapsed_ns_of(reports) / messages)
        is_floor = request.workload.contender.kind is ContenderKind.FLOOR
        for report in reports:
            said = _script(perf, folder / report.role)
            take_samples(shares, report, read_perf_script(said), is_floor=is_floor)
    if not shares.parts:
        raise ProfileFailure(
            "perf took no samples while messages were timed; it may not be allowed to "
            "(sysctl kernel.perf_event_paranoid)"
        )
    return shares


def _script(perf: str, data: Path) -> list[str]:
    fields = "tid,time,period,ip,sym,dso"
    command = [perf, "script", "-i", str(data), "-F", fields, "--ns", "--no-inline"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_PERF_SCRIPT_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ProfileFailure(f"perf script cannot read what perf recorded: {error}") from error
    return done.stdout.decode(errors="replace").splitlines()


def read_states(reports: Sequence[ProcessReport], messages: int) -> States:
    """What the threads of a run did between its first and last timed message."""
    states = States(wall_ns=elapsed_ns_of(reports) / messages)
    for report in reports:
        for thread in report.result["threads"]:
            role = role_of_part(str(thread["part"]))
            states.on_cpu_ns[role] += int(thread["on_cpu_ns"]) / messages
            states.core_wait_ns[role] += int(thread["core_wait_ns"]) / messages
    return states


def take_samples(
    shares: Shares,
    report: ProcessReport,
    samples: Iterable[CpuSample],
    *,
    is_floor: bool = False,
) -> None:
    """Add what the threads of one process were seen doing while its messages were timed."""
    holder = "sender" if report.role == "sender" else "receiver"
    begin_ns, end_ns = (int(report.result[holder][key]) for key in ("begin_ns", "end_ns"))
    roles = {number: role_of_part(part) for number, part in report.parts.items()}
    seen: dict[str, list[CpuSample]] = {}
    for sample in samples:
        if begin_ns <= sample.at_ns <= end_ns:
            seen.setdefault(roles.get(sample.thread_id, "harness"), []).append(sample)
    for role, own in seen.items():
        whole_ns = sum(sample.period_ns for sample in own)
        for sample in own:
            share = sample.period_ns / whole_ns
            shares.parts[role, part_of(role, sample.frames, is_floor=is_floor)] += share
            if sample.frames:
                shares.symbols[role, sample.frames[0].title] += share
            stack = (role, *(frame.title for frame in reversed(sample.frames)))
            shares.stacks[stack] += share


def part_of(role: str, frames: Sequence[Frame], *, is_floor: bool = False) -> str:
    """What a thread of this role was doing. The floor is part of the executable itself."""
    leaf = frames[0] if frames else Frame("[unknown]", "[unknown]")
    if leaf.place == KERNEL:
        inside = [frame.symbol for frame in frames if frame.place == KERNEL]
        for part, symbols in (
            (WAKING, _WAKING),
            (KERNEL_RECEIVE, _RECEIVING),
            (KERNEL_SEND, _SENDING),
        ):
            if any(symbols.fullmatch(symbol) for symbol in inside):
                return part
        return KERNEL_OTHER
    if role not in ("sender", "receiver"):
        return HARNESS if role == "harness" else IN_IO
    if leaf.place == EXECUTABLE.name and not is_floor:
        return HARNESS
    return IN_SEND if role == "sender" else IN_RECV


def _rows(
    blank: ProfileRow, states: Sequence[States], shares: Sequence[Shares], messages: int
) -> Iterator[ProfileRow]:
    def row(role: str, what: str, quantity: str, values: Sequence[float]) -> ProfileRow:
        bounds = mean_interval(values)
        return replace(
            blank,
            role=role,
            what=what,
            quantity=quantity,
            count=fmean(values) * messages,
            messages=messages,
            per_message=fmean(values),
            low=bounds.low if bounds else None,
            high=bounds.high if bounds else None,
        )

    wall_ns = fmean(each.wall_ns for each in states)
    yield row("all", "all", "wall-ns", [each.wall_ns for each in states])
    yield row("all", "all", "perf-wall-ns", [each.wall_ns for each in shares])
    on_cpu_ns = {
        role: fmean(each.on_cpu_ns[role] for each in states)
        for role in ROLES
        if any(each.on_cpu_ns[role] for each in states)
    }
    for role, spent_ns in on_cpu_ns.items():
        waits = [each.core_wait_ns[role] for each in states]
        blocked = [each.wall_ns - each.on_cpu_ns[role] - each.core_wait_ns[role] for each in states]
        yield row(role, "all", "on-cpu-ns", [each.on_cpu_ns[role] for each in states])
        yield row(role, "all", "core-wait-ns", waits)
        yield row(role, "all", "blocked-ns", blocked)
        for part in PARTS:
            values = [spent_ns * each.parts[role, part] for each in shares]
            if any(values):
                yield row(role, part, "part-ns", values)
    for role, symbol in dict.fromkeys(key for each in shares for key in each.symbols):
        spent_ns = on_cpu_ns.get(role, 0.0)
        found = [spent_ns * each.symbols[role, symbol] for each in shares]
        if fmean(found) >= _SYMBOL_LEAST * wall_ns:
            yield row(role, symbol, "symbol-ns", found)
