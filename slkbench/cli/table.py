"""Verdicts as a table for reading: one row per contender and cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from slkbench.model import CellKey, Status, Verdict, VerdictKind
from slkbench.units import format_percent, format_rate

__all__ = ["verdict_table"]

_HEAD = ("cell", "baseline", "contender", "time/msg", "interval", "verdict", "n", "cpu/msg", "")
_RIGHT_ALIGNED = frozenset((3, 6, 7))
_NOTHING = "-"


def verdict_table(
    verdicts: Sequence[Verdict], cpu: Mapping[tuple[CellKey, str], Verdict] | None = None
) -> str:
    """The table of ``verdicts``, failures first, then the largest effects.

    ``cpu`` holds the verdicts on CPU time per message by cell and contender.  ``~`` marks what is
    not decided, so that nothing hangs on colour.
    """
    rows = [_HEAD]
    for verdict in sorted(verdicts, key=_prominence):
        rows.append(_row(verdict, (cpu or {}).get((verdict.cell.key, verdict.contender))))
    widths = [max(len(row[index]) for row in rows) for index in range(len(_HEAD))]
    return "\n".join(_line(row, widths) for row in rows)


def _prominence(verdict: Verdict) -> tuple[int, float, str]:
    if verdict.status is Status.FAILED:
        return (0, 0.0, verdict.cell.title)
    if verdict.time_ratio is None:
        return (2, 0.0, verdict.cell.title)
    return (1, -abs(math.log(verdict.time_ratio)), verdict.cell.title)


def _row(verdict: Verdict, cpu: Verdict | None) -> tuple[str, ...]:
    rates = dict(verdict.rates_msgs_per_s)
    return (
        verdict.cell.title,
        _named_rate(verdict.baseline, rates),
        _named_rate(verdict.contender, rates),
        _NOTHING if verdict.time_ratio is None else f"{verdict.time_ratio:.3f}x",
        _interval(verdict),
        _judgement(verdict),
        str(verdict.blocks) if verdict.blocks else _NOTHING,
        _change(cpu),
        _remark(verdict),
    )


def _named_rate(name: str, rates: Mapping[str, float]) -> str:
    return f"{name} {format_rate(rates[name])}" if name in rates else name


def _interval(verdict: Verdict) -> str:
    if verdict.low is None or verdict.high is None:
        return _NOTHING
    low = format_percent(verdict.low - 1, signed=True)
    high = format_percent(verdict.high - 1, signed=True)
    return f"[{low}, {high}]"


def _judgement(verdict: Verdict) -> str:
    if verdict.status is Status.SKIPPED:
        return "n/a"
    if verdict.status is Status.FAILED:
        return str(Status.FAILED)
    undecided = verdict.kind is VerdictKind.INCONCLUSIVE
    return f"{verdict.kind}~" if undecided else str(verdict.kind)


def _change(cpu: Verdict | None) -> str:
    if cpu is None or cpu.time_ratio is None:
        return _NOTHING
    return format_percent(cpu.time_ratio - 1, signed=True)


def _remark(verdict: Verdict) -> str:
    if verdict.reason:
        return f"({verdict.reason})"
    if verdict.kind is VerdictKind.INCONCLUSIVE and verdict.blocks_needed is not None:
        return f"(needs ~{verdict.blocks_needed} blocks)"
    return ""


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        text.rjust(width) if index in _RIGHT_ALIGNED else text.ljust(width)
        for index, (text, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
