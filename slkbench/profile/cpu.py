"""Where the CPU time of a message goes: perf's samples of a run as it is timed.

perf samples the CPU clock, so it works in a virtual machine without hardware counters.  Samples
count only between the first and the last timed message; how long each thread was on a core then is
measured exactly, by the kernel's clock of the thread, and the samples say on what.
"""

from __future__ import annotations

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

__all__ = ["PARTS", "TOOL", "CpuTimes", "part_of", "profile_cpu", "take_times"]

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
class CpuTimes:
    """One run: ns per message, by role; ``wall_ns`` is the time per message of the clock."""

    wall_ns: float = 0.0
    on_cpu_ns: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    core_wait_ns: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    parts_ns: defaultdict[tuple[str, str], float] = field(
        default_factory=lambda: defaultdict(float)
    )
    symbols_ns: defaultdict[tuple[str, str], float] = field(
        default_factory=lambda: defaultdict(float)
    )
    stacks_ns: defaultdict[tuple[str, ...], float] = field(
        default_factory=lambda: defaultdict(float)
    )
    samples: int = 0


def profile_cpu(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell. Raises UsageError without perf, and ProfileFailure."""
    perf = require_tool("perf")
    request.note("a run without perf")
    pilot = run_workload(request.workload, request.messages, wrap=lambda _role, words: words)
    message_ns = elapsed_ns_of(pilot) / request.messages
    messages = max(request.messages, int(_TIMED_S * 1e9 / message_ns))
    runs = []
    for number in range(request.repetitions):
        of_all = f"repetition {number + 1} of {request.repetitions}"
        request.note(f"perf, {messages} messages, {of_all}")
        runs.append(_sample(perf, request, messages))
    if request.attachments is not None:
        stacks: dict[tuple[str, ...], float] = defaultdict(float)
        for run in runs:
            for stack, ns in run.stacks_ns.items():
                stacks[stack] += ns / len(runs)
        write_stacks(request.attachments, request.workload, stacks)
    return list(_rows(known_row(TOOL, request, pilot), runs, messages))


def _sample(perf: str, request: Request, messages: int) -> CpuTimes:
    with scratch_folder() as name:
        folder = name

        def wrap(role: str, command: list[str]) -> list[str]:
            how = ["-q", "-k", "CLOCK_MONOTONIC", "-e", "cpu-clock", "-F", str(_FREQUENCY_HZ), "-g"]
            return [perf, "record", *how, "-o", str(folder / role), "--", *command]

        reports = run_workload(request.workload, messages, wrap=wrap)
        times = CpuTimes(wall_ns=elapsed_ns_of(reports) / messages)
        is_floor = request.workload.contender.kind is ContenderKind.FLOOR
        for report in reports:
            said = _script(perf, folder / report.role)
            take_times(times, report, read_perf_script(said), messages, is_floor=is_floor)
    if not times.samples:
        raise ProfileFailure(
            "perf took no samples while messages were timed; it may not be allowed to "
            "(sysctl kernel.perf_event_paranoid)"
        )
    return times


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


def take_times(
    times: CpuTimes,
    report: ProcessReport,
    samples: Iterable[CpuSample],
    messages: int,
    *,
    is_floor: bool = False,
) -> None:
    """Add to ``times`` what one process spent between its first and last timed message.

    The time of a thread on a core is the kernel's, and shared out as its samples are.
    """
    holder = "sender" if report.role == "sender" else "receiver"
    begin_ns, end_ns = (int(report.result[holder][key]) for key in ("begin_ns", "end_ns"))
    roles = {number: role_of_part(part) for number, part in report.parts.items()}
    seen: dict[str, list[CpuSample]] = {}
    for sample in samples:
        if begin_ns <= sample.at_ns <= end_ns:
            seen.setdefault(roles.get(sample.thread_id, "harness"), []).append(sample)
    for thread in report.result["threads"]:
        role = role_of_part(str(thread["part"]))
        times.on_cpu_ns[role] += int(thread["on_cpu_ns"]) / messages
        times.core_wait_ns[role] += int(thread["core_wait_ns"]) / messages
    for role, own in seen.items():
        times.samples += len(own)
        whole_ns = sum(sample.period_ns for sample in own)
        for sample in own:
            share_ns = times.on_cpu_ns[role] * sample.period_ns / whole_ns
            part = part_of(role, sample.frames, is_floor=is_floor)
            times.parts_ns[role, part] += share_ns
            if sample.frames:
                times.symbols_ns[role, sample.frames[0].title] += share_ns
            stack = (role, *(frame.title for frame in reversed(sample.frames)))
            times.stacks_ns[stack] += share_ns


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


def _rows(blank: ProfileRow, runs: Sequence[CpuTimes], messages: int) -> Iterator[ProfileRow]:
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

    wall_ns = [run.wall_ns for run in runs]
    yield row("all", "all", "wall-ns", wall_ns)
    roles = [role for role in ROLES if any(run.on_cpu_ns[role] for run in runs)]
    for role in roles:
        on_cpu = [run.on_cpu_ns[role] for run in runs]
        waits = [run.core_wait_ns[role] for run in runs]
        blocked = [run.wall_ns - run.on_cpu_ns[role] - run.core_wait_ns[role] for run in runs]
        yield row(role, "all", "on-cpu-ns", on_cpu)
        yield row(role, "all", "core-wait-ns", waits)
        yield row(role, "all", "blocked-ns", blocked)
        for part in PARTS:
            values: list[float] = [run.parts_ns[role, part] for run in runs]
            if any(values):
                yield row(role, part, "part-ns", values)
    for role, symbol in dict.fromkeys(key for run in runs for key in run.symbols_ns):
        found: list[float] = [run.symbols_ns[role, symbol] for run in runs]
        if fmean(found) >= _SYMBOL_LEAST * fmean(wall_ns):
            yield row(role, symbol, "symbol-ns", found)
