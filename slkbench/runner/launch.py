"""Measures one sample: fresh processes, one cell, one arm. Whatever happens becomes a Sample."""

from __future__ import annotations

import datetime as dt
import math
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from slkbench.endpoint.spec import EndpointSpec
from slkbench.folders import scratch_folder
from slkbench.model import (
    Arm,
    Cell,
    Metric,
    Placement,
    Sample,
    Slot,
    Status,
    Topology,
    Transport,
)
from slkbench.runner.conversation import Conversation
from slkbench.runner.cpu_distance import cpu_distance_ns
from slkbench.runner.hardware_threads import may_share_a_core
from slkbench.runner.launch_load import LoadMeter
from slkbench.runner.launch_memory import usual_memory_bytes
from slkbench.runner.launch_process import LaunchFailure
from slkbench.runner.launch_sample import (
    UnlikeAResultError,
    blank_sample,
    failed_sample,
    measured_sample,
    without_core_probes,
)

__all__ = ["Calibration", "Launcher", "ProcessLauncher", "calibrate"]

_WARMUP_FRACTION = 5  # one warm-up message for so many timed ones
_WARMUP_MIN = 10
_STALL_S = 10.0  # without a message for so long, a role gives up
_PACED_STALL_S = 2.0  # at a given rate there is always something to do
_CLOSE_S = 5.0  # to close sockets and the context after the result

_PROBE_MESSAGES = {Metric.THROUGHPUT: 1000, Metric.ROUND_TRIP: 200, Metric.PACED: 200}
_MESSAGES_MAX = {
    Metric.THROUGHPUT: 100_000_000,
    Metric.ROUND_TRIP: 1_000_000,
    Metric.PACED: 10_000_000,
}
# With an unlimited queue everything may be in memory at once.
_UNLIMITED_QUEUE_BYTES_MAX = 256 << 20
_GROWTH_MIN, _GROWTH_MAX = 2.0, 10.0
_GROWTH_MARGIN = 1.2
# At a given rate: enough round trips for a 99th percentile, unless that takes too long.
_PACED_MESSAGES_WANTED = 10_000
_PACED_TIME_MAX_S = 2.0


class Launcher(Protocol):
    """Measures samples."""

    def measure(
        self,
        cell: Cell,
        slot: Slot,
        placement: Placement,
        messages: int,
        timeout_s: float,
    ) -> Sample:
        """Measure ``slot.arm`` in ``cell`` with ``messages`` timed messages.

        A failure of the contender is a Sample with status FAILED and a reason, one that the
        contender cannot help (it lacks the socket type) is SKIPPED, and a rate that it cannot
        keep SATURATED; none is raised.  Where there are histograms, it is a RecordedSample.
        """
        ...


class ProcessLauncher:
    """The real thing: one process for two threads, or two processes."""

    def __init__(
        self,
        *,
        stall_s: float = _STALL_S,
        close_s: float = _CLOSE_S,
        memory_bytes: int | None = None,
    ) -> None:
        """Give up a role after ``stall_s`` seconds without a message.

        Closing may take ``close_s`` seconds after that.  A process may have ``memory_bytes`` of
        memory; None is half of what there is.
        """
        self._stall_s = stall_s
        self._close_s = close_s
        self._memory_bytes = usual_memory_bytes() if memory_bytes is None else memory_bytes

    def measure(
        self,
        cell: Cell,
        slot: Slot,
        placement: Placement,
        messages: int,
        timeout_s: float,
    ) -> Sample:
        """See ``Launcher``. Ends every process that it started, also when interrupted.

        Raises UsageError where there is no place for temporary files.
        """
        before_ns = cpu_distance_ns(placement)
        sample = self._measure(cell, slot, placement, messages, timeout_s)
        if may_share_a_core(placement):
            sample = without_core_probes(sample)
        return replace(
            sample, line_trip_before_ns=before_ns, line_trip_after_ns=cpu_distance_ns(placement)
        )

    def _measure(
        self, cell: Cell, slot: Slot, placement: Placement, messages: int, timeout_s: float
    ) -> Sample:
        started_utc = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        blank = blank_sample(cell, slot, placement, started_utc)
        load = LoadMeter()
        try:
            with (
                scratch_folder() as folder,
                Conversation(folder, slot.env_pad_bytes, timeout_s, self._memory_bytes) as talk,
            ):
                spec = self._spec(cell, slot, placement, messages, timeout_s, folder)
                version, results = _measure(spec, cell.topology, talk)
                talk.await_ends(self._close_s)
            return measured_sample(blank, cell, messages, version, results, load.read())
        except LaunchFailure as failure:
            status = _status_of(failure)
            reason = f"n/a: {failure}" if failure.is_unsupported else str(failure)
            return failed_sample(blank, status, reason, load.read())
        except OSError as error:
            return failed_sample(blank, Status.FAILED, f"cannot measure: {error}", load.read())
        except UnlikeAResultError as error:
            reason = f"garbage on stdout: a result that is none ({error})"
            return failed_sample(blank, Status.FAILED, reason, load.read())

    def _spec(
        self,
        cell: Cell,
        slot: Slot,
        placement: Placement,
        messages: int,
        timeout_s: float,
        folder: Path,
    ) -> EndpointSpec:
        contender = slot.arm.contender
        stall_s = min(self._stall_s, timeout_s / 2)
        if cell.metric is Metric.PACED:
            stall_s = min(stall_s, _PACED_STALL_S)
        return EndpointSpec(
            role="both",
            layer=cell.layer.value,
            kind=contender.kind.value,
            path=contender.path,
            abi=contender.abi.value if contender.abi is not None else "",
            variant=contender.variant,
            pattern=cell.pattern.value,
            transport=cell.transport.value,
            metric=cell.metric.value,
            size_bytes=cell.size_bytes,
            messages=messages,
            warmup=max(_WARMUP_MIN, cell.senders, cell.receivers, messages // _WARMUP_FRACTION),
            io_threads=cell.io_threads,
            sndhwm=cell.sndhwm,
            rcvhwm=cell.rcvhwm,
            senders=cell.senders,
            receivers=cell.receivers,
            idle_peers=cell.idle_peers,
            offered_msgs_per_s=cell.offered_msgs_per_s,
            endpoint=_endpoint(cell.transport, folder),
            # Well within the limit: who lost a message must be told from who hangs.
            stall_ms=int(1000 * stall_s),
            limit_ms=int(1000 * timeout_s),
            sender_cpus=placement.sender_cpus,
            receiver_cpus=placement.receiver_cpus,
            parent_pid=os.getpid(),
            memory_bytes=self._memory_bytes,
        )


def _status_of(failure: LaunchFailure) -> Status:
    if failure.is_saturated:
        return Status.SATURATED
    return Status.SKIPPED if failure.is_unsupported else Status.FAILED


_Results = tuple[str, Mapping[str, Mapping[str, Any]]]


def _measure(spec: EndpointSpec, topology: Topology, talk: Conversation) -> _Results:
    """The library's version and the ``result`` events by process; or LaunchFailure."""
    if topology is Topology.PROCESSES:
        return _measure_in_processes(spec, talk)
    process = talk.start("process")
    process.tell(spec.to_line(), "setting up")
    ready = talk.await_event(process, "ready")
    process.tell("go", "measuring")
    result = talk.await_event(process, "result")
    return process.value(ready, "library_version"), {"process": result}


def _measure_in_processes(spec: EndpointSpec, talk: Conversation) -> _Results:
    if spec.transport == Transport.INPROC:
        raise LaunchFailure("inproc does not pass between processes", is_unsupported=True)
    lines = socket.socketpair()
    with lines[0], lines[1]:  # each process keeps its own end open
        fds = [line.fileno() for line in lines]
        receiver, sender = (
            talk.start(role, pass_fds=(fd,))
            for role, fd in zip(("receiver", "sender"), fds, strict=True)
        )
    receiver.tell(replace(spec, role="receiver", control_fd=fds[0]).to_line(), "setting up")
    ready = talk.await_event(receiver, "ready")
    # Only the receiver knows which port it got.
    where = receiver.value(ready, "endpoint")
    connecting = replace(spec, role="sender", control_fd=fds[1], endpoint=where)
    sender.tell(connecting.to_line(), "setting up")
    talk.await_event(sender, "ready")
    for endpoint in (receiver, sender):
        endpoint.tell("go", "measuring")
    results = {each.role: talk.await_event(each, "result") for each in (receiver, sender)}
    return receiver.value(ready, "library_version"), results


def _endpoint(transport: Transport, folder: Path) -> str:
    """Where the receiver binds: a port or a file that nobody else has."""
    if transport is Transport.TCP:
        return "tcp://127.0.0.1:*"
    return f"ipc://{folder}/socket" if transport is Transport.IPC else "inproc://slkbench"


@dataclass(frozen=True, slots=True)
class Calibration:
    """``messages`` to time so that a sample lasts long enough, and the ``sample`` that showed it.

    Where ``sample.status`` is not OK, ``messages`` is how many it was tried with.
    """

    messages: int
    sample: Sample


def calibrate(
    launcher: Launcher,
    cell: Cell,
    arm: Arm,
    placement: Placement,
    *,
    min_time_s: float,
    timeout_s: float,
) -> Calibration:
    """Find how many messages take at least ``min_time_s`` seconds, from a small probe upwards.

    Never more than memory can hold where queues are unlimited.  The samples that this takes are
    not part of any block.
    """
    slot = Slot(block=0, slot=0, arm=arm, env_pad_bytes=0)
    limit = _MESSAGES_MAX[cell.metric]
    if 0 in (cell.sndhwm, cell.rcvhwm) and cell.metric is Metric.THROUGHPUT:
        limit = min(limit, max(1000, _UNLIMITED_QUEUE_BYTES_MAX // max(cell.size_bytes, 64)))
    # A rate that is given leaves nothing to find out.
    by_rate = math.ceil(_GROWTH_MARGIN * min_time_s * cell.offered_msgs_per_s)
    if cell.metric is Metric.PACED:
        most = math.ceil(_PACED_TIME_MAX_S * cell.offered_msgs_per_s)
        by_rate = max(by_rate, min(_PACED_MESSAGES_WANTED, most))
    messages = min(limit, max(_PROBE_MESSAGES[cell.metric], by_rate))
    while True:
        sample = launcher.measure(cell, slot, placement, messages, timeout_s)
        if sample.status != Status.OK or sample.elapsed_ns is None or messages >= limit:
            return Calibration(messages, sample)
        elapsed_s = sample.elapsed_ns / 1e9
        if elapsed_s >= min_time_s:
            return Calibration(messages, sample)
        wanted = _GROWTH_MARGIN * min_time_s / max(elapsed_s, 1e-9)
        growth = min(_GROWTH_MAX, max(_GROWTH_MIN, wanted))
        messages = min(limit, int(messages * growth))
