"""slkbench.model: a sample and its cell agree on the key; titles say what is unusual."""

from __future__ import annotations

import dataclasses

from slkbench.model import Cell, Layer, Metric, Pattern, Sample, Topology, Transport

CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 1024)


def sample_in(cell: Cell) -> Sample:
    return Sample(
        pattern=cell.pattern,
        transport=cell.transport,
        size_bytes=cell.size_bytes,
        layer=cell.layer,
        topology=cell.topology,
        metric=cell.metric,
        io_threads=cell.io_threads,
        sndhwm=cell.sndhwm,
        rcvhwm=cell.rcvhwm,
        senders=cell.senders,
        receivers=cell.receivers,
        idle_peers=cell.idle_peers,
        offered_msgs_per_s=cell.offered_msgs_per_s,
    )


def test_a_sample_has_the_key_of_its_cell() -> None:
    assert sample_in(CELL).cell_key == CELL.key
    assert all(type(part) in {str, int} for part in CELL.key)


def test_every_condition_but_the_count_is_part_of_the_key() -> None:
    others = [
        dataclasses.replace(CELL, pattern=Pattern.ROUTER_ROUTER),
        dataclasses.replace(CELL, transport=Transport.IPC),
        dataclasses.replace(CELL, size_bytes=64),
        dataclasses.replace(CELL, layer=Layer.PYTHON),
        dataclasses.replace(CELL, topology=Topology.PROCESSES),
        dataclasses.replace(CELL, metric=Metric.ROUND_TRIP),
        dataclasses.replace(CELL, io_threads=2),
        dataclasses.replace(CELL, sndhwm=0),
        dataclasses.replace(CELL, rcvhwm=0),
        dataclasses.replace(CELL, senders=8),
        dataclasses.replace(CELL, receivers=8),
        dataclasses.replace(CELL, idle_peers=8),
        dataclasses.replace(CELL, offered_msgs_per_s=8),
    ]
    assert all(sample_in(other).cell_key == other.key for other in others)
    assert len({CELL.key, *(other.key for other in others)}) == 1 + len(others)
    assert dataclasses.replace(CELL, messages=5).key == CELL.key


def test_a_title_names_what_is_not_the_usual() -> None:
    assert CELL.title == "push-pull tcp 1 KiB"
    unusual = dataclasses.replace(
        CELL, layer=Layer.PYTHON, topology=Topology.PROCESSES, metric=Metric.ROUND_TRIP
    )
    assert unusual.title == "push-pull tcp 1 KiB python processes round-trip"
    crowded = dataclasses.replace(CELL, senders=8, idle_peers=999)
    assert crowded.title == "push-pull tcp 1 KiB 8 senders 999 idle"
    assert dataclasses.replace(CELL, sndhwm=0, rcvhwm=0).title == "push-pull tcp 1 KiB hwm 0"
    lopsided = dataclasses.replace(CELL, sndhwm=10, rcvhwm=0, io_threads=2)
    assert lopsided.title == "push-pull tcp 1 KiB hwm 10/0 2 I/O threads"


def test_a_cell_of_one_peer_each_has_the_key_that_older_runs_stored() -> None:
    usual = ("push-pull", "tcp", 1024, "native", "threads", "throughput", 1, 1000, 1000)
    assert CELL.key == usual
