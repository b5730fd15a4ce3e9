"""Percentiles of round trips at a given rate as a table for reading, and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slkbench.cli.grid import remark_text
from slkbench.report.modes import TwoWays
from slkbench.stats import modes_of
from slkbench.stats.latency import ComparedPercentile, compared_percentiles
from slkbench.units import format_percent, format_time_ns

if TYPE_CHECKING:
    from slkbench.runner.result import RunResult
    from slkbench.stats import Summary

__all__ = ["latency_lines", "latency_records"]

_HEAD = ("cell", "round trip", "baseline", "contender", "ratio", "interval", "verdict", "n", "")
_NOTHING = "-"


def latency_lines(result: RunResult) -> list[str]:
    """A heading and a row for each percentile of each cell; nothing where no rate was given."""
    compared = compared_percentiles(result.scenario, result.samples)
    if not compared:
        return []
    ways = TwoWays()
    rows = [_HEAD, *(_row(result, each, ways) for each in compared)]
    widths = [max(len(text) for text in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    title = "round trips at a given rate, from when each message was due; medians over processes"
    return ["", title, *lines, *([ways.note] if ways.note else [])]


def latency_records(result: RunResult) -> list[dict[str, Any]]:
    """The same for programs; what is not known is null."""
    return [_record(each) for each in compared_percentiles(result.scenario, result.samples)]


def _row(result: RunResult, each: ComparedPercentile, ways: TwoWays) -> tuple[str, ...]:
    verdict = each.verdict
    arms = tuple(
        f"{name} {_summary(result, each, name, ways)}"
        for name in (verdict.baseline, verdict.contender)
    )
    shown = each.reason == "" and verdict.time_ratio is not None
    if not shown or verdict.time_ratio is None:
        word = str(verdict.status) if verdict.status != "OK" else "n/a"
        remark = f"({each.reason or verdict.reason})"
        return (each.cell.title, each.name, *arms, _NOTHING, _NOTHING, word, _NOTHING, remark)
    bounds = (
        _NOTHING
        if verdict.low is None or verdict.high is None
        else f"[{_signed(verdict.low)}, {_signed(verdict.high)}]"
    )
    return (
        each.cell.title,
        each.name,
        *arms,
        f"{verdict.time_ratio:.3f}x",
        bounds,
        str(verdict.kind) if verdict.low is not None else "no verdict",
        str(verdict.blocks),
        remark_text(verdict),
    )


def _summary(result: RunResult, each: ComparedPercentile, name: str, ways: TwoWays) -> str:
    summary = each.summaries[name]
    if summary is None:
        return "n/a"
    modes = modes_of(result.samples, each.cell, name, each.verdict.statistic)
    whose = f"{each.name} of {name} in {each.cell.title}"
    text = ways.marked(format_time_ns(summary.median), modes, whose, format_time_ns)
    if summary.low is None or summary.high is None:
        return text
    return f"{text} [{format_time_ns(summary.low)}, {format_time_ns(summary.high)}]"


def _signed(ratio: float) -> str:
    return format_percent(ratio - 1, signed=True)


def _record(each: ComparedPercentile) -> dict[str, Any]:
    verdict = each.verdict
    is_known = each.reason == ""
    return {
        **each.cell.columns,
        "percentile": each.name,
        "baseline": verdict.baseline,
        "contender": verdict.contender,
        "round_trip_ns": {name: _interval(found) for name, found in each.summaries.items()},
        "ratio": verdict.time_ratio if is_known else None,
        "low": verdict.low if is_known else None,
        "high": verdict.high if is_known else None,
        "level": verdict.level if is_known else None,
        "verdict": verdict.kind if is_known else None,
        "status": verdict.status,
        "reason": each.reason or verdict.reason,
        "blocks": verdict.blocks,
    }


def _interval(summary: Summary | None) -> dict[str, float | None] | None:
    if summary is None:
        return None
    return {"median": summary.median, "low": summary.low, "high": summary.high}
