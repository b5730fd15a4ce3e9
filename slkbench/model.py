"""The frozen records that every layer speaks in. Fields carry their unit in the name.

A *contender* is a library under measurement.  A *cell* is one condition under which contenders
are compared.  An *arm* is a contender as it takes part in a cell (or the placebo, a byte copy of
the baseline).  A *sample* is one fresh process set measuring one arm in one cell: the unit of
observation, a row of ``samples.csv``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from slkbench.units import format_rate, format_size

__all__ = [
    "CELL_COLUMNS",
    "UNMEASURED",
    "USUAL_LOOKS",
    "Abi",
    "Arm",
    "ArmRole",
    "Cell",
    "CellKey",
    "Contender",
    "ContenderKind",
    "Finding",
    "Layer",
    "Metric",
    "Pattern",
    "Placement",
    "ProfileRow",
    "Sample",
    "Scenario",
    "Slot",
    "Status",
    "Topology",
    "Transport",
    "Verdict",
    "VerdictKind",
    "column",
]


class Layer(StrEnum):
    """Which face of the library is driven."""

    NATIVE = "native"
    PYTHON = "python"


class Pattern(StrEnum):
    """Socket types and message shape."""

    ROUTER_ROUTER = "router-router"
    PUSH_PULL = "push-pull"


class Transport(StrEnum):
    """Where the bytes travel."""

    TCP = "tcp"
    IPC = "ipc"
    INPROC = "inproc"


class Topology(StrEnum):
    """Two application threads in one process, or one in each of two processes."""

    THREADS = "threads"
    PROCESSES = "processes"


class Metric(StrEnum):
    """What a sample measures."""

    THROUGHPUT = "throughput"
    ROUND_TRIP = "round-trip"
    PACED = "paced"

    @property
    def times_round_trips(self) -> bool:
        """Whether what is timed is each message there and back, by the sender."""
        return self is not Metric.THROUGHPUT


class Status(StrEnum):
    """What became of a sample."""

    OK = "OK"
    FAILED = "FAILED"
    INVALID = "INVALID"
    SKIPPED = "SKIPPED"
    SATURATED = "SATURATED"


UNMEASURED = frozenset({Status.FAILED, Status.SATURATED})
"""Of a sample that was tried in vain; it is tried once more in its place."""


class Abi(StrEnum):
    """How a native library's functions are named and shaped."""

    ZMQ = "zmq"
    SERVERLINK = "serverlink"
    PUBLIC_SERVERLINK = "public-serverlink"


class ContenderKind(StrEnum):
    """A shared object, a Python module, or the driver's own lower bound."""

    LIBRARY = "library"
    MODULE = "module"
    FLOOR = "floor"


class ArmRole(StrEnum):
    """How an arm takes part in the comparison of a cell."""

    BASELINE = "baseline"
    CONTENDER = "contender"
    PLACEBO = "placebo"
    FLOOR = "floor"


class VerdictKind(StrEnum):
    """The five answers; see ``slkbench.stats``."""

    SLOWER = "SLOWER"
    FASTER = "FASTER"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class Contender:
    """A library under measurement. ``path`` is a shared object's file or a module's name.

    ``variant`` is the way in which a module is used: "" by its plain calls, ``batch``, ``asyncio``
    or ``uvloop``.
    """

    name: str
    layer: Layer
    kind: ContenderKind
    path: str = ""
    abi: Abi | None = None
    version: str = ""
    sha256: str = ""
    build_flags: str = ""
    variant: str = ""
    patterns: tuple[Pattern, ...] = (Pattern.ROUTER_ROUTER, Pattern.PUSH_PULL)
    transports: tuple[Transport, ...] = (Transport.TCP, Transport.IPC, Transport.INPROC)


CellKey = tuple[str | int, ...]
"""What tells one cell from another, in samples as in scenarios: every condition but ``messages``,
which is calibrated where the scenario leaves it open."""


CELL_COLUMNS = (
    "pattern",
    "transport",
    "size_bytes",
    "layer",
    "topology",
    "metric",
    "io_threads",
    "sndhwm",
    "rcvhwm",
    "senders",
    "receivers",
    "idle_peers",
    "offered_msgs_per_s",
)
"""The columns of a sample that say its cell."""


def _key_of(conditions: Cell | Sample) -> CellKey:
    """The conditions in order; the later ones only where they are not the usual.

    A plan is drawn from the key and a run stores it, so the key of a cell never changes.
    """
    usual = (
        str(conditions.pattern),
        str(conditions.transport),
        conditions.size_bytes,
        str(conditions.layer),
        str(conditions.topology),
        str(conditions.metric),
        conditions.io_threads,
        conditions.sndhwm,
        conditions.rcvhwm,
    )
    further = (
        conditions.senders,
        conditions.receivers,
        conditions.idle_peers,
        conditions.offered_msgs_per_s,
    )
    if isinstance(conditions, Cell) and conditions.offered_share is not None:
        return (*usual, *further, f"{conditions.offered_share:.6%}")
    return usual if further == _USUAL_FURTHER else (*usual, *further)


_USUAL_FURTHER = (1, 1, 0, 0)


@dataclass(frozen=True, slots=True)
class Cell:
    """One condition: contenders are compared inside a cell and never across cells.

    ``messages`` is None where the work per sample is calibrated to ``Scenario.min_time_s``.
    ``senders`` and ``receivers`` are sockets, those of one side driven by one thread; at most one
    of the two is above 1.  ``idle_peers`` are connected to the receiver and silent.
    ``offered_msgs_per_s`` is the schedule of the metric paced, 0 for the others.  Until it is known
    it may be given as ``offered_share`` of what the slowest contender sustains; a run finds that
    out before it measures, and its cells then have the rate alone.
    """

    pattern: Pattern
    transport: Transport
    size_bytes: int
    layer: Layer = Layer.NATIVE
    topology: Topology = Topology.THREADS
    metric: Metric = Metric.THROUGHPUT
    io_threads: int = 1
    sndhwm: int = 1000
    rcvhwm: int = 1000
    messages: int | None = None
    senders: int = 1
    receivers: int = 1
    idle_peers: int = 0
    offered_msgs_per_s: int = 0
    offered_share: float | None = None

    @property
    def key(self) -> CellKey:
        """Equal to ``Sample.cell_key`` of the samples that were measured in this cell."""
        return _key_of(self)

    @property
    def has_many_peers(self) -> bool:
        """Whether a role has more than one socket, or the receiver more peers than take part."""
        return self.senders > 1 or self.receivers > 1 or self.idle_peers > 0

    @property
    def columns(self) -> dict[str, Any]:
        """Its conditions, by the names that they have in ``samples.csv``."""
        return {name: getattr(self, name) for name in CELL_COLUMNS}

    @property
    def title(self) -> str:
        """For reading: ``router-router tcp 1 KiB``, and whatever differs from the usual."""
        marks = dict.fromkeys((self.sndhwm, self.rcvhwm))
        share = self.offered_share or 0.0
        unusual = (
            (self.layer is not Layer.NATIVE, f"{self.layer}"),
            (self.topology is not Topology.THREADS, f"{self.topology}"),
            (self.metric is not Metric.THROUGHPUT, f"{self.metric}"),
            (list(marks) != [1000], f"hwm {'/'.join(map(str, marks))}"),
            (self.io_threads != 1, f"{self.io_threads} I/O threads"),
            (self.senders > 1, f"{self.senders} senders"),
            (self.receivers > 1, f"{self.receivers} receivers"),
            (self.idle_peers > 0, f"{self.idle_peers} idle"),
            (self.offered_msgs_per_s > 0, f"at {format_rate(self.offered_msgs_per_s)}"),
            (self.offered_share is not None, f"at {100 * share:.3g}% of what the slowest sustains"),
        )
        parts = [str(self.pattern), str(self.transport), format_size(self.size_bytes)]
        parts += [text for is_unusual, text in unusual if is_unusual]
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Arm:
    """A contender in a cell. The placebo is a byte copy of the baseline under another path."""

    name: str
    contender: Contender
    role: ArmRole


USUAL_LOOKS = (8, 12, 16, 24, 32)
"""After so many blocks the stopping rule may decide, where a scenario says nothing."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A question in machine-readable form: which cells, which contenders, how long.

    ``contenders`` are names that ``slkbench.contenders`` resolves; ``baseline`` is one of them.
    ``min_effect`` is a fraction of time per message (0.02 is 2 %).
    ``looks`` are the numbers of blocks after which the stopping rule may decide.  With a ``target``
    it stops a cell not at a verdict, but when the interval is known to within that fraction.
    ``max_time_s`` is the most that one cell may take.
    """

    name: str
    question: str
    cells: tuple[Cell, ...]
    contenders: tuple[str, ...] = ("libzmq", "serverlink", "floor")
    baseline: str = "libzmq"
    placebo: bool = True
    min_time_s: float = 0.25
    min_effect: float | None = None
    looks: tuple[int, ...] = USUAL_LOOKS
    rounds: int | None = None
    budget_s: float | None = None
    sample_timeout_s: float = 60.0
    affinity: tuple[tuple[int, ...], ...] | None = None
    seed: int | None = None
    target: float | None = None
    max_time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in a block: which arm is measured, and with how many bytes of environment pad."""

    block: int
    slot: int
    arm: Arm
    env_pad_bytes: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Which CPUs the two application threads may use; empty means wherever the kernel likes."""

    sender_cpus: tuple[int, ...] = ()
    receiver_cpus: tuple[int, ...] = ()


def column(meaning: str, *, unit: str = "", default: Any = None, since: int = 1) -> Any:
    """A ``Sample`` field with what the data dictionary says of it.

    ``since`` is the schema version that brought it; a row of before has the default.
    """
    return field(default=default, metadata={"unit": unit, "meaning": meaning, "since": since})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of ``samples.csv``. None is an empty cell: unknown or not applicable, never 0."""

    run_id: str = column("name of the run's folder", default="")
    scenario: str = column("name of the scenario", default="")
    block: int = column("number of the block within the cell, from 0", default=0)
    slot: int = column("place within the block, from 0", default=0)
    arm: str = column("name of the arm: a contender's, or placebo", default="")
    contender: str = column("name of the contender measured", default="")
    role: str = column("baseline, contender, placebo or floor: the arm's part", default="contender")
    library_version: str | None = column("version that the library itself reports")
    layer: str = column("native or python", default="native")
    pattern: str = column("router-router or push-pull", default="")
    transport: str = column("tcp, ipc or inproc", default="")
    topology: str = column("threads (one process) or processes (two)", default="threads")
    metric: str = column(
        "throughput, round-trip (one at a time) or paced (round trips at a given rate)",
        default="throughput",
    )
    size_bytes: int = column("payload of one message", unit="B", default=0)
    io_threads: int = column("I/O threads of each context", default=1)
    sndhwm: int = column("send high water mark; 0 is unlimited", unit="messages", default=1000)
    rcvhwm: int = column("receive high water mark; 0 is unlimited", unit="messages", default=1000)
    messages: int | None = column("messages timed, each accounted for; round trips if metric is so")
    elapsed_ns: int | None = column(
        "from the first message at the receiver to the last, so of messages after the first; "
        "for round trips the time of all of them",
        unit="ns",
    )
    time_per_message_ns: float | None = column(
        "elapsed_ns / messages; for round trips the median round trip", unit="ns"
    )
    rate_msgs_per_s: float | None = column("messages / elapsed", unit="messages/s")
    bandwidth_mib_per_s: float | None = column("payload rate", unit="MiB/s")
    p50_ns: int | None = column(
        "median round trip; where metric is paced, from when the message was due", unit="ns"
    )
    p90_ns: int | None = column("90th percentile of round trips", unit="ns")
    p99_ns: int | None = column("99th percentile, only from 10,000 round trips up", unit="ns")
    p999_ns: int | None = column("99.9th percentile, only from 100,000 round trips up", unit="ns")
    sender_user_ns: int | None = column(
        "user CPU time of the sending role: its process, or where both share one, its thread",
        unit="ns",
    )
    sender_system_ns: int | None = column("system CPU time of the sending role", unit="ns")
    receiver_user_ns: int | None = column("user CPU time of the receiving role", unit="ns")
    receiver_system_ns: int | None = column("system CPU time of the receiving role", unit="ns")
    cpu_ns: int | None = column(
        "user and system CPU time of all processes and threads while the clock ran", unit="ns"
    )
    voluntary_switches: int | None = column("voluntary context switches of all threads")
    involuntary_switches: int | None = column("involuntary context switches of all threads")
    max_rss_bytes: int | None = column("largest resident set of a process", unit="B")
    sender_cpus: str | None = column("CPUs that the sending thread could use, as 0,1")
    receiver_cpus: str | None = column("CPUs that the receiving thread could use, as 0,1")
    steal_fraction: float | None = column(
        "stolen / (busy + stolen) time of all CPUs meanwhile, beyond two clock ticks"
    )
    foreign_cpu_fraction: float | None = column(
        "CPU use of foreign processes, of one CPU, beyond two clock ticks"
    )
    env_pad_bytes: int | None = column("random pad of the environment block", unit="B")
    status: str = column(
        "OK, FAILED, INVALID, SKIPPED, or SATURATED: fell behind the schedule of metric paced",
        default="OK",
    )
    reason: str | None = column("why the status is not OK")
    options: str | None = column("socket options read back, as JSON")
    started_utc: str | None = column("start of the sample, ISO 8601, UTC")
    seed: int | None = column("seed of the run's plan")
    senders: int = column("sockets of the sending thread, served in turn", default=1, since=2)
    receivers: int = column("sockets of the receiving thread, served in turn", default=1, since=2)
    idle_peers: int = column(
        "further connected peers of the receiver, silent while the clock runs", default=0, since=2
    )
    offered_msgs_per_s: int = column(
        "schedule of the metric paced; 0 for the others",
        unit="messages/s",
        default=0,
        since=2,
    )
    slowest_sender_share: float | None = column(
        "where there are several senders: messages received from the slowest of them / mean per "
        "sender, at the moment when half of the timed messages had been received; 1 is fair",
        since=2,
    )
    idle_peer_bytes: float | None = column(
        "growth of the resident set while the idle peers connected / their number; of the one "
        "process, so both ends of each connection, and of two processes both added up",
        unit="B",
        since=2,
    )
    max_ns: int | None = column(
        "longest round trip, where metric is paced; the percentiles beside it are then of the "
        "histogram too, so to three digits",
        unit="ns",
        since=3,
    )
    send_lag_p99_ns: int | None = column(
        "99th percentile of how late the sender of metric paced was with a message, before it "
        "first tried to send it; only from 10,000 messages up",
        unit="ns",
        since=3,
    )
    histograms: str | None = column(
        "file in the run's folder with all round trips and all send lags of metric paced",
        since=3,
    )
    slice_sd: float | None = column(
        "standard deviation of ln(time per message) between 16 equal parts of the timed messages, "
        "by the receiver's clock; of metric throughput with one sender, layer native, from 1600 "
        "messages on",
        since=4,
    )
    line_trip_before_ns: float | None = column(
        "time in which a cache line travelled from the sender's CPU to the receiver's and back "
        "just before the processes started, while nothing was measured: how far the CPUs were "
        "apart; of the first two that may be used where no CPU was chosen, empty where there is "
        "only one",
        unit="ns",
        since=5,
    )
    line_trip_after_ns: float | None = column(
        "the same just after they had ended", unit="ns", since=5
    )
    sender_core_probe_ns: float | None = column(
        "mean time of a fixed piece of arithmetic in the sending thread, taken at up to 256 "
        "moments amid the timed messages (or round trips, outside of their times): up to twice its "
        "least while somebody else's thread shares the core, be it another virtual machine's. "
        "Layer native, one pair of sockets, no given rate; and no other CPU on the core of a "
        "role's that the contender's own threads might use",
        unit="ns",
        since=6,
    )
    receiver_core_probe_ns: float | None = column(
        "the same in the receiving thread", unit="ns", since=6
    )

    @property
    def cell_key(self) -> CellKey:
        """Equal to ``Cell.key`` of the cell in which this was measured."""
        return _key_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """One row of a ``profile-TOOL.csv``: a count or a time per message. None is an empty cell.

    Profiles are taken under tools that slow a process, so they are never mixed with samples.
    """

    tool: str = column("operations, cpu, instructions, syscalls or allocations", default="")
    contender: str = column("name of the contender profiled", default="")
    library_version: str | None = column("version that the library itself reports")
    pattern: str = column("router-router or push-pull", default="")
    transport: str = column("tcp, ipc or inproc", default="")
    topology: str = column("threads (one process) or processes (two)", default="threads")
    size_bytes: int = column("payload of one message", unit="B", default=0)
    io_threads: int = column("I/O threads of each context", default=1)
    sndhwm: int = column("send high water mark; 0 is unlimited", unit="messages", default=1000)
    rcvhwm: int = column("receive high water mark; 0 is unlimited", unit="messages", default=1000)
    workload: str = column(
        "threads: as in a sample; lockstep: one thread sends some messages, waits until the I/O "
        "threads are idle, and receives them",
        default="threads",
    )
    role: str = column(
        "sender, receiver (in lockstep: the calls of the library's send and recv), sender I/O, "
        "receiver I/O, I/O (both share it), application (in lockstep: all of its thread), harness "
        "(slkbench's own part), all",
        default="",
    )
    what: str = column(
        "function, system call, kernel's socket option, operation (send routing id, send message, "
        "recv routing id, recv message, total iteration) or part of the time that is counted; "
        "memory copies, allocations, frees, mutex locks: all functions that do so; backlog: "
        "messages that were sent and not yet received; all: any",
        default="all",
    )
    quantity: str = column(
        "instructions; calls; futile-calls (ended with EAGAIN); untraced-calls (counted by perf in "
        "the kernel, not by strace); bytes-calls (calls that moved from_bytes or more, but less "
        "than twice that); allocations; frees; allocated-bytes; peak-rss-bytes; "
        "wake-up-calls (futex, eventfd, epoll and the like); voluntary-switches; "
        "involuntary-switches; kernel-option (its value); backlog-bytes (resident memory that a "
        "backlog of from_bytes of payload brings); mean-ns, p50-ns, p99-ns, max-ns (of an "
        "operation, of which timed-operations were timed, of one message in timed-one-in); "
        "instrumentation-cost (time per message with timed calls / without - 1; of what every: all "
        "messages were timed); timer-cost-ns; rate; timed-rate (of the instrumented "
        "run); on-cpu-ns, core-wait-ns (runnable without a core), blocked-ns (of a thread); "
        "part-ns (of the time on a core, by what was done); symbol-ns; wall-ns; perf-wall-ns (the "
        "same under perf)",
        default="",
    )
    from_bytes: int | None = column(
        "lower bound of a class of bytes-calls; payload of a backlog", unit="B"
    )
    count: float | None = column(
        "what the longer of two runs counted more than the shorter; the median of repetitions, of "
        "times of cpu the mean. As seen where there is no per_message, and a rate in messages/s"
    )
    messages: int | None = column("messages that the longer run sent more")
    per_message: float | None = column("count / messages")
    low: float | None = column(
        "lower bound, at 95 %, over repetitions: of per_message, or of count where that is empty"
    )
    high: float | None = column("upper bound, in the same way")
    spread: float | None = column(
        "(largest - smallest) / median of the repetitions, of which there are then several"
    )
    status: str = column("OK, FAILED or SKIPPED", default="OK")
    reason: str | None = column("why the status is not OK")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one contender against the baseline in one cell.

    ``time_ratio`` is contender / baseline of time per message: below 1 is faster.  ``low`` and
    ``high`` bound it at confidence ``level``.  ``rates_msgs_per_s`` are medians, for reading.
    ``statistic`` says of which column the ratio is, or ``cpu_ns_per_message``, or
    ``instructions_per_message``: without blocks and a level, with bounds of all pairs of counts.
    """

    cell: Cell
    baseline: str
    contender: str
    kind: VerdictKind
    blocks: int
    discarded_blocks: int
    time_ratio: float | None
    low: float | None
    high: float | None
    level: float | None
    p_value: float | None
    min_effect: float
    effective_min_effect: float
    placebo_ratio: float | None = None
    placebo_low: float | None = None
    placebo_high: float | None = None
    blocks_needed: int | None = None
    status: Status = Status.OK
    reason: str = ""
    rates_msgs_per_s: tuple[tuple[str, float], ...] = ()
    statistic: str = "time_per_message_ns"


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason to doubt something in a run: what was seen, and what can be done about it."""

    code: str
    subject: str
    evidence: str
    remedy: str
