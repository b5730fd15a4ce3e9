"""The table of throughput, as in the reference report, and what many peers add to it."""

from __future__ import annotations

from slkbench.model import Metric
from slkbench.report.evidence import Evidence
from slkbench.report.frames import ArmSummary
from slkbench.report.markdown import heading, table
from slkbench.report.modes import TwoWays
from slkbench.report.naming import (
    NOT_AVAILABLE,
    contender_title,
    count,
    or_na,
    pattern_title,
    reference_size,
    transport_title,
)
from slkbench.report.results import bounds_text, by_pattern, marked_median, notes_of, samples_text
from slkbench.units import format_bandwidth, format_rate, format_time_ns

__all__ = ["throughput_section"]

_FAIRNESS_NOTE = (
    "Slowest sender: what had come from it when half of all messages had, of a fair share; the "
    "median over samples."
)
_MEMORY_NOTE = (
    "Memory per idle peer: growth of the resident set while they connected, with both ends of each "
    "connection."
)


def throughput_section(evidence: Evidence) -> list[str]:
    """The reference report's table for each pattern and contender."""
    parts: list[str] = []
    ways = TwoWays()
    for pattern, members in by_pattern(evidence.of(Metric.THROUGHPUT)):
        parts.append(heading(3, evidence.titled(pattern_title(pattern), members[0].cell)))
        for name in evidence.ordered({one.contender for one in members}):
            rows = [
                _throughput_row(evidence, one, ways) for one in members if one.contender == name
            ]
            parts += [
                f"**{contender_title(name)}**",
                table(
                    (
                        "Transport",
                        "Message Size",
                        "Message Count",
                        "Time",
                        "Throughput",
                        "Bandwidth",
                        "95% interval",
                        "Samples",
                        *_peer_header(members[0]),
                    ),
                    rows,
                ),
            ]
        parts += _peer_notes(members[0])
    return [*parts, *notes_of(ways)] or ["This run measured no throughput."]


def _throughput_row(evidence: Evidence, one: ArmSummary, ways: TwoWays) -> tuple[str, ...]:
    rate = one.rate_msgs_per_s
    failed = one.is_failed
    return (
        transport_title(one.cell.transport),
        reference_size(one.cell.size_bytes),
        NOT_AVAILABLE if failed else count(one.messages.point),
        NOT_AVAILABLE if failed else or_na(one.elapsed_ns.point, format_time_ns),
        "FAILED" if failed else marked_median(evidence, one, rate, format_rate, ways),
        NOT_AVAILABLE if failed else or_na(one.bandwidth_mib_per_s.point, format_bandwidth),
        NOT_AVAILABLE if failed else bounds_text(rate, format_rate),
        samples_text(one, rate),
        *_peer_cells(one),
    )


def _peer_header(one: ArmSummary) -> tuple[str, ...]:
    """Columns of cells with several senders or idle peers; a setting has them or has not."""
    fairness = ("Slowest sender",) if one.cell.senders > 1 else ()
    memory = ("Memory per idle peer",) if one.cell.idle_peers > 0 else ()
    return (*fairness, *memory)


def _peer_cells(one: ArmSummary) -> tuple[str, ...]:
    share = one.slowest_sender_share.point
    memory = one.idle_peer_bytes.point
    fairness = (or_na(share, lambda value: f"{value:.0%}"),) if one.cell.senders > 1 else ()
    bytes_each = (or_na(memory, _kib),) if one.cell.idle_peers > 0 else ()
    return (*fairness, *bytes_each)


def _peer_notes(one: ArmSummary) -> list[str]:
    notes = [_FAIRNESS_NOTE] * (one.cell.senders > 1) + [_MEMORY_NOTE] * (one.cell.idle_peers > 0)
    return [" ".join(notes)] if notes else []


def _kib(size_bytes: float) -> str:
    return f"{size_bytes / 1024:.1f} KiB"
