"""A gate's answer as GitHub-flavoured Markdown, for a job's summary or a comment."""

from __future__ import annotations

from slkbench.across.gate import Gate, GateRow
from slkbench.model import Status
from slkbench.report.markdown import bullets, code, heading, plain, table
from slkbench.report.modes import TwoWays, speed_form
from slkbench.report.naming import (
    change,
    interval_text,
    or_na,
    status_title,
    times,
)
from slkbench.units import format_percent, format_rate, format_time_ns

__all__ = ["gate_summary"]

_HEAD = ("Cell", "Verdict", "Time per message", "Interval", "Baseline", "Candidate", "n", "Placebo")


def gate_summary(gate: Gate) -> str:
    """Heading, a row for each cell with what is slower first, and what the answer holds for."""
    rows = sorted(gate.rows, key=lambda row: (not row.is_regression, not row.is_open))
    remarks = [
        f"{row.cell.title}: {row.remark}" for row in rows if row.remark and not row.is_regression
    ]
    holds_for = [
        f"{'In pairs, run' if gate.is_paired else 'Two stored runs:'} "
        + " and ".join(code(run) for run in gate.runs),
        f"Machine: {gate.machine}",
        *([f"Session: {' to '.join(gate.sessions)}"] if any(gate.sessions) else []),
        *gate.builds,
        f"Differences under {format_percent(gate.min_effect)} do not matter; {_levels(gate)}",
        *gate.warnings,
    ]
    ways = TwoWays()
    parts = [
        heading(3, f"slkbench gate: {gate.headline}"),
        table(_HEAD, [_cells(row, ways) for row in rows], left=2),
        *([plain(ways.note)] if ways.note else []),
        bullets([*remarks, *holds_for]),
    ]
    return "\n\n".join(parts) + "\n"


def _cells(row: GateRow, ways: TwoWays) -> tuple[str, ...]:
    return (
        f"{row.cell.title}, {row.contender}",
        _verdict(row),
        or_na(row.time_ratio, times),
        interval_text(row.low, row.high, change),
        *(
            ways.marked(
                or_na(time_ns, format_time_ns)
                if row.cell.metric.times_round_trips
                else or_na(rate, format_rate),
                modes,
                f"{row.contender} in {row.cell.title} {tense}",
                speed_form(row.cell),
            )
            for tense, rate, time_ns, modes in zip(
                ("was", "is"), row.rates, row.times_ns, row.modes, strict=True
            )
        ),
        "/".join(str(count) for count in row.counts),
        "/".join(or_na(reach, lambda value: f"±{format_percent(value)}") for reach in row.placebos),
    )


def _verdict(row: GateRow) -> str:
    if row.status is not Status.OK:
        return status_title(row.status)
    return f"**{row.kind}**" if row.is_regression else f"{row.kind}{'~' * row.is_open}"


def _levels(gate: Gate) -> str:
    levels = sorted({row.level for row in gate.rows if row.level is not None})
    if not levels:
        return "too few blocks for intervals"
    return f"intervals at {' and '.join(format_percent(level, digits=0) for level in levels)}"
