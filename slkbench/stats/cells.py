"""The cell of a sample, as a record."""

from __future__ import annotations

from slkbench.model import Cell, Layer, Metric, Pattern, Sample, Topology, Transport

__all__ = ["cell_of"]


def cell_of(sample: Sample) -> Cell:
    """The cell that ``sample`` was measured in, whatever its number of messages."""
    return Cell(
        pattern=Pattern(sample.pattern),
        transport=Transport(sample.transport),
        size_bytes=sample.size_bytes,
        layer=Layer(sample.layer),
        topology=Topology(sample.topology),
        metric=Metric(sample.metric),
        io_threads=sample.io_threads,
        sndhwm=sample.sndhwm,
        rcvhwm=sample.rcvhwm,
        senders=sample.senders,
        receivers=sample.receivers,
        idle_peers=sample.idle_peers,
        offered_msgs_per_s=sample.offered_msgs_per_s,
    )
