"""Samples of real processes, and how much work makes one."""

from __future__ import annotations

import itertools
import json
import os
import select
import selectors
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slkbench.contenders import known_contenders
from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Metric,
    Pattern,
    Placement,
    Sample,
    Slot,
    Status,
    Topology,
    Transport,
)
from slkbench.runner.conversation import Conversation
from slkbench.runner.hardware_threads import may_share_a_core
from slkbench.runner.launch import ProcessLauncher, calibrate
from slkbench.runner.launch_load import LoadMeter
from slkbench.runner.launch_process import LaunchFailure

FLOOR = Contender("floor", Layer.NATIVE, ContenderKind.FLOOR)
MISSING = Contender("gone", Layer.NATIVE, ContenderKind.LIBRARY, path="/no/such/lib.so")


def libzmq() -> Contender:
    for name, layer, found in known_contenders():
        if (name, layer) == ("libzmq", Layer.NATIVE) and isinstance(found, Contender):
            return found
    pytest.skip("no libzmq")


def arm(contender: Contender) -> Arm:
    return Arm(contender.name, contender, ArmRole.CONTENDER)


def measure(
    contender: Contender,
    cell: Cell,
    *,
    messages: int = 2000,
    placement: Placement | None = None,
) -> Sample:
    slot = Slot(block=3, slot=2, arm=arm(contender), env_pad_bytes=123)
    launcher = ProcessLauncher(stall_s=10.0)
    return launcher.measure(cell, slot, placement or Placement(), messages, 60.0)


CELLS = [
    Cell(pattern, transport, 64, topology=topology, metric=metric)
    for pattern, transport, topology, metric in itertools.product(
        Pattern, Transport, Topology, (Metric.THROUGHPUT, Metric.ROUND_TRIP)
    )
    if (transport, topology) != (Transport.INPROC, Topology.PROCESSES)
]
CELLS += [
    Cell(pattern, Transport.TCP, 64, topology=topology, **conditions)
    for pattern, topology in zip(Pattern, Topology, strict=True)
    for conditions in (
        {"metric": Metric.PACED, "offered_msgs_per_s": 4000},
        {"senders": 5, "idle_peers": 3},
        {"receivers": 5},
    )
]


def test_a_sample_tells_how_its_parts_vary_where_it_is_long_enough() -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
    few, many = (measure(libzmq(), cell, messages=count).slice_sd for count in (1500, 3000))
    assert few is None
    assert many is not None
    assert 0 < many < 10


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is only one CPU")
def test_a_sample_tells_how_far_the_cpus_were_apart_before_and_after() -> None:
    for _ in range(20):  # CPUs that others keep busy give no answer
        sample = measure(libzmq(), Cell(Pattern.PUSH_PULL, Transport.TCP, 64))
        trips = (sample.line_trip_before_ns, sample.line_trip_after_ns)
        if None not in trips:
            break
    assert all(trip is not None and 1 < trip < 1e5 for trip in trips)


@pytest.mark.parametrize("metric", [Metric.THROUGHPUT, Metric.ROUND_TRIP])
@pytest.mark.parametrize("messages", [3, 1000])
def test_a_sample_tells_how_the_cores_computed_meanwhile(metric: Metric, messages: int) -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, metric=metric)
    sample = measure(libzmq(), cell, messages=messages)
    probes = (sample.sender_core_probe_ns, sample.receiver_core_probe_ns)
    if may_share_a_core(Placement()):
        assert probes == (None, None)
    else:
        assert all(probe is not None and 10 < probe < 1e6 for probe in probes)


@pytest.mark.parametrize("may_share", [False, True])
@pytest.mark.parametrize("topology", Topology)
@pytest.mark.parametrize("metric", [Metric.THROUGHPUT, Metric.ROUND_TRIP])
def test_a_sample_tells_of_its_cores_unless_threads_of_its_own_may_be_there(
    metric: Metric, topology: Topology, may_share: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slkbench.runner.launch.may_share_a_core", lambda _placement: may_share)
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, metric=metric, topology=topology)
    sample = measure(libzmq(), cell)
    assert sample.status == Status.OK
    for probe_ns in (sample.sender_core_probe_ns, sample.receiver_core_probe_ns):
        assert (probe_ns is None) == may_share
        assert probe_ns is None or 100 < probe_ns < 1e6


@pytest.mark.parametrize(
    "conditions",
    [
        {"senders": 3},
        {"receivers": 3},
        {"metric": Metric.PACED, "offered_msgs_per_s": 2000},
        {"layer": Layer.PYTHON},
    ],
    ids=str,
)
def test_a_sample_of_another_kind_tells_nothing_of_its_cores(conditions: dict[str, Any]) -> None:
    pyzmq = Contender("pyzmq", Layer.PYTHON, ContenderKind.MODULE, path="zmq")
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, **conditions)
    for _ in range(20):  # a machine that stops for 100 ms does not keep a rate
        sample = measure(pyzmq if cell.layer is Layer.PYTHON else libzmq(), cell, messages=500)
        if sample.status != Status.SATURATED:
            break
    assert (sample.status, sample.reason) == (Status.OK, None)
    assert sample.sender_core_probe_ns is None
    assert sample.receiver_core_probe_ns is None


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_sample_of_every_cell_is_complete(cell: Cell) -> None:
    for _ in range(20):  # a machine that stops for 100 ms does not keep a rate
        sample = measure(libzmq(), cell, messages=500)
        if sample.status != Status.SATURATED:
            break
    assert (sample.status, sample.reason) == (Status.OK, None)
    assert sample.messages == 500
    assert sample.elapsed_ns is not None
    assert sample.elapsed_ns > 0
    assert sample.rate_msgs_per_s == pytest.approx(500 / sample.elapsed_ns * 1e9)
    bandwidth = 500 * 64 / 2**20 / sample.elapsed_ns * 1e9
    assert sample.bandwidth_mib_per_s == pytest.approx(bandwidth)
    assert (sample.slowest_sender_share is not None) == (cell.senders > 1)
    assert (sample.idle_peer_bytes is not None) == (cell.idle_peers > 0)
    if cell.metric.times_round_trips:
        assert sample.time_per_message_ns == sample.p50_ns
    else:
        assert sample.time_per_message_ns == pytest.approx(sample.elapsed_ns / 500)
        assert sample.p50_ns is None
    assert sample.cpu_ns is not None
    assert sample.cpu_ns > 0
    assert sample.max_rss_bytes is not None
    assert sample.max_rss_bytes < 100 << 20
    assert sample.steal_fraction is not None
    assert sample.foreign_cpu_fraction is not None
    assert sample.library_version == libzmq().version
    assert (sample.block, sample.slot, sample.env_pad_bytes) == (3, 2, 123)
    assert sample.options is not None
    options = json.loads(sample.options)
    assert {each.partition(".")[0] for each in options} == {"sender", "receiver"}


def test_python_bindings_are_measured_likewise() -> None:
    pyzmq = Contender("pyzmq", Layer.PYTHON, ContenderKind.MODULE, path="zmq")
    cell = Cell(Pattern.ROUTER_ROUTER, Transport.TCP, 64, layer=Layer.PYTHON)
    for topology in Topology:
        sample = measure(pyzmq, replace(cell, topology=topology), messages=500)
        assert (sample.status, sample.reason) == (Status.OK, None)
        assert "libzmq" in (sample.library_version or "")


def test_the_last_words_of_a_process_are_heard_after_its_end(tmp_path: Path) -> None:
    with Conversation(tmp_path, env_pad_bytes=0, timeout_s=20.0) as talk:
        process = talk.start("process")
        process.tell("no specification", "setting up")
        ended, _, _ = select.select([process.pidfd], [], [], 20.0)
        assert ended
        with pytest.raises(LaunchFailure, match=r"exit code 2 .* stderr: slkbench\.endpoint: "):
            talk.await_event(process, "ready")


def test_the_placement_is_written_down() -> None:
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
    placement = Placement(sender_cpus=cpus[:1], receiver_cpus=cpus[-1:])
    sample = measure(FLOOR, cell, placement=placement)
    assert (sample.sender_cpus, sample.receiver_cpus) == (str(cpus[0]), str(cpus[-1]))
    everywhere = measure(FLOOR, cell)
    assert everywhere.sender_cpus == ",".join(map(str, cpus))


def test_a_library_that_is_gone_is_a_failure_and_no_exception() -> None:
    for topology in Topology:
        cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, topology=topology)
        sample = measure(MISSING, cell)
        assert sample.status == Status.FAILED
        assert "/no/such/lib.so" in (sample.reason or "")


def test_inproc_between_processes_is_not_applicable() -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64, topology=Topology.PROCESSES)
    sample = measure(FLOOR, cell)
    assert sample.status == Status.SKIPPED
    assert sample.reason == "n/a: inproc does not pass between processes"


def test_the_environment_pad_reaches_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    seen = tmp_path / "seen"
    script.write_text(f'#!/bin/sh\nprintf %s "$SLKBENCH_ENV_PAD" > {seen}\nexit 7\n')
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    sample = measure(FLOOR, Cell(Pattern.PUSH_PULL, Transport.TCP, 64))
    assert seen.read_text() == "x" * 123
    assert "process ended with exit code 7 without a result" in (sample.reason or "")


class LinearLauncher:
    """Messages take ``ns`` each, after so many have failed to."""

    def __init__(self, ns: float, status: Status = Status.OK) -> None:
        self.asked: list[int] = []
        self._ns = ns
        self._status = status

    def measure(
        self,
        cell: Cell,
        slot: Slot,
        placement: Placement,
        messages: int,
        timeout_s: float,
    ) -> Sample:
        self.asked.append(messages)
        elapsed_ns = int(messages * self._ns) if self._status is Status.OK else None
        return Sample(status=self._status, elapsed_ns=elapsed_ns, messages=messages)


def calibrated(launcher: LinearLauncher, cell: Cell, min_time_s: float = 0.25) -> int:
    found = calibrate(launcher, cell, arm(FLOOR), Placement(), min_time_s=min_time_s, timeout_s=1.0)
    return found.messages


@pytest.mark.parametrize("ns", [3.0, 50.0, 1000.0, 1e6])
def test_calibration_reaches_the_time_without_going_far_beyond(ns: float) -> None:
    launcher = LinearLauncher(ns)
    messages = calibrated(launcher, Cell(Pattern.PUSH_PULL, Transport.TCP, 64))
    elapsed_s = messages * ns / 1e9
    assert elapsed_s >= 0.25
    assert elapsed_s < 0.6 or launcher.asked == [1000]
    assert all(1.9 <= b / a <= 10 for a, b in itertools.pairwise(launcher.asked))


def test_calibration_stops_at_a_failure() -> None:
    launcher = LinearLauncher(10.0, Status.FAILED)
    found = calibrate(
        launcher,
        Cell(Pattern.PUSH_PULL, Transport.TCP, 64),
        arm(FLOOR),
        Placement(),
        min_time_s=1.0,
        timeout_s=1.0,
    )
    assert found.sample.status == Status.FAILED
    assert len(launcher.asked) == 1


def test_unlimited_queues_are_kept_within_memory() -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 65536, sndhwm=0, rcvhwm=0)
    assert calibrated(LinearLauncher(1.0), cell, min_time_s=100.0) * 65536 <= 256 << 20


def test_a_given_rate_needs_one_sample_to_calibrate() -> None:
    cell = Cell(
        Pattern.PUSH_PULL, Transport.TCP, 64, metric=Metric.PACED, offered_msgs_per_s=10_000
    )
    launcher = LinearLauncher(1e5)
    assert calibrated(launcher, cell, min_time_s=2.0) == 24_000
    assert launcher.asked == [24_000]
    # Enough for a 99th percentile.
    assert calibrated(LinearLauncher(1e5), cell, min_time_s=0.25) == 10_000


def test_peers_beyond_the_descriptors_that_a_process_may_have_are_not_applicable() -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, idle_peers=1_000_000)
    sample = measure(libzmq(), cell)
    assert sample.status == Status.SKIPPED
    assert "descriptors" in (sample.reason or "")


def test_round_trips_are_few_enough_to_keep_each() -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, metric=Metric.ROUND_TRIP)
    assert calibrated(LinearLauncher(1.0), cell, min_time_s=100.0) == 1_000_000


def test_the_load_of_a_quiet_moment_is_a_small_fraction() -> None:
    load = LoadMeter().read()
    assert load.steal_fraction is None or 0.0 <= load.steal_fraction <= 1.0
    assert load.foreign_cpu_fraction is not None
    assert load.foreign_cpu_fraction >= 0.0


def test_an_end_that_is_noticed_along_with_the_last_words_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end is noted, which reads the pipes to their ends; they come up in the same batch."""
    plain = selectors.DefaultSelector.select

    def ends_first(
        self: selectors.DefaultSelector, timeout_s: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        events = plain(self, timeout_s)
        ends = [key.fd for key in self.get_map().values() if isinstance(key.fileobj, int)]
        if ends and select.select(ends, [], [], 0.02)[0]:
            events = plain(self, 0)
        return sorted(events, key=lambda each: not isinstance(each[0].fileobj, int))

    monkeypatch.setattr(selectors.DefaultSelector, "select", ends_first)
    assert measure(FLOOR, Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)).status == Status.OK
