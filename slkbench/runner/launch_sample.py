"""From what endpoints report to a row of ``samples.csv``."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from slkbench.model import Cell, Placement, Sample, Slot, Status, Topology
from slkbench.runner.launch_load import Load

__all__ = [
    "RecordedSample",
    "UnlikeAResultError",
    "blank_sample",
    "failed_sample",
    "measured_sample",
    "without_core_probes",
]

_MIB_BYTES = 1 << 20


class UnlikeAResultError(Exception):
    """What came as a result lacks what a result has: a library wrote it, or a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSample(Sample):
    """A sample with its histograms, in ns, as the driver encodes them; they are not in its row."""

    round_trips: bytes = b""
    send_lag: bytes = b""


def blank_sample(cell: Cell, slot: Slot, placement: Placement, started_utc: str) -> Sample:
    """A sample with everything that is known before anything is measured."""
    contender = slot.arm.contender
    return Sample(
        block=slot.block,
        slot=slot.slot,
        arm=slot.arm.name,
        contender=contender.name,
        library_version=contender.version or None,
        layer=cell.layer.value,
        pattern=cell.pattern.value,
        transport=cell.transport.value,
        topology=cell.topology.value,
        metric=cell.metric.value,
        size_bytes=cell.size_bytes,
        io_threads=cell.io_threads,
        sndhwm=cell.sndhwm,
        rcvhwm=cell.rcvhwm,
        senders=cell.senders,
        receivers=cell.receivers,
        idle_peers=cell.idle_peers,
        offered_msgs_per_s=cell.offered_msgs_per_s,
        sender_cpus=_cpus(placement.sender_cpus),
        receiver_cpus=_cpus(placement.receiver_cpus),
        env_pad_bytes=slot.env_pad_bytes,
        started_utc=started_utc,
    )


def failed_sample(blank: Sample, status: Status, reason: str, load: Load) -> Sample:
    """A sample that has a reason instead of numbers."""
    return replace(
        blank,
        status=status.value,
        reason=reason,
        steal_fraction=load.steal_fraction,
        foreign_cpu_fraction=load.foreign_cpu_fraction,
    )


def measured_sample(
    blank: Sample,
    cell: Cell,
    messages: int,
    version: str,
    results: Mapping[str, Mapping[str, Any]],
    load: Load,
) -> Sample:
    """A sample with its numbers. ``results`` are the ``result`` events by process.

    Raises UnlikeAResultError.
    """
    try:
        return _measured(blank, cell, messages, version, results, load)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnlikeAResultError(f"{type(error).__name__}: {error}") from error


def _measured(
    blank: Sample,
    cell: Cell,
    messages: int,
    version: str,
    results: Mapping[str, Mapping[str, Any]],
    load: Load,
) -> Sample:
    merged = {key: value for result in results.values() for key, value in result.items()}
    is_round_trip = cell.metric.times_round_trips
    timer = merged["sender" if is_round_trip else "receiver"]
    in_threads = cell.topology is Topology.THREADS
    scope = "thread" if in_threads else "process"
    sending, receiving = merged["sender"][scope], merged["receiver"][scope]
    # In one process the role with the clock has seen all threads; two processes add up.
    whole = [timer["process"]] if in_threads else [sending, receiving]
    elapsed_ns = int(timer["elapsed_ns"])
    rate = messages / elapsed_ns * 1e9 if elapsed_ns > 0 else None
    return replace(
        _recorded(blank, timer) if "round_trips" in timer else blank,
        library_version=version or blank.library_version,
        messages=messages,
        elapsed_ns=elapsed_ns,
        time_per_message_ns=float(timer["p50_ns"]) if is_round_trip else elapsed_ns / messages,
        rate_msgs_per_s=rate,
        bandwidth_mib_per_s=None if rate is None else rate * cell.size_bytes / _MIB_BYTES,
        p50_ns=timer.get("p50_ns"),
        p90_ns=timer.get("p90_ns"),
        p99_ns=timer.get("p99_ns"),
        p999_ns=timer.get("p999_ns"),
        max_ns=timer.get("max_ns"),
        send_lag_p99_ns=timer.get("send_lag_p99_ns"),
        sender_user_ns=sending["user_ns"],
        sender_system_ns=sending["system_ns"],
        receiver_user_ns=receiving["user_ns"],
        receiver_system_ns=receiving["system_ns"],
        cpu_ns=sum(each["user_ns"] + each["system_ns"] for each in whole),
        voluntary_switches=sum(each["voluntary_switches"] for each in whole),
        involuntary_switches=sum(each["involuntary_switches"] for each in whole),
        max_rss_bytes=max(result["max_rss_bytes"] for result in results.values()),
        slowest_sender_share=merged["receiver"].get("slowest_sender_share"),
        slice_sd=merged["receiver"].get("slice_sd"),
        sender_core_probe_ns=merged["sender"].get("core_probe_ns"),
        receiver_core_probe_ns=merged["receiver"].get("core_probe_ns"),
        idle_peer_bytes=_idle_peer_bytes(cell, merged),
        steal_fraction=load.steal_fraction,
        foreign_cpu_fraction=load.foreign_cpu_fraction,
        options=json.dumps(
            {k: v for result in results.values() for k, v in result["options"].items()},
            sort_keys=True,
            separators=(",", ":"),
        ),
    )


def without_core_probes(sample: Sample) -> Sample:
    """A sample that does not tell of its cores, where threads of its own may have shared them."""
    return replace(sample, sender_core_probe_ns=None, receiver_core_probe_ns=None)


def _recorded(blank: Sample, timer: Mapping[str, Any]) -> RecordedSample:
    return RecordedSample(
        **{each.name: getattr(blank, each.name) for each in fields(Sample)},
        round_trips=base64.b64decode(timer["round_trips"]),
        send_lag=base64.b64decode(timer["send_lag"]),
    )


def _idle_peer_bytes(cell: Cell, merged: Mapping[str, Any]) -> float | None:
    """What each idle peer cost in resident memory, both of its ends together."""
    if cell.idle_peers == 0:
        return None
    roles = ("sender",) if cell.topology is Topology.THREADS else ("sender", "receiver")
    return float(sum(merged[role]["idle_peers_bytes"] for role in roles)) / cell.idle_peers


def _cpus(chosen: tuple[int, ...]) -> str:
    return ",".join(str(cpu) for cpu in sorted(chosen or os.sched_getaffinity(0)))
