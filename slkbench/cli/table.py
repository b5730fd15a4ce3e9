"""Verdicts as a table for reading: one row per contender and cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from slkbench.cli.grid import reach_text, remark_text, speed_text
from slkbench.foreign_text import visible
from slkbench.model import ArmRole, Cell, Finding, Status, Verdict, VerdictKind
from slkbench.plan import baseline_name
from slkbench.report.modes import speed_form, ways_text
from slkbench.stats import placebo_reach
from slkbench.units import format_percent

if TYPE_CHECKING:
    from slkbench.runner.result import RunResult
    from slkbench.stats import Recurrence

__all__ = ["closing_lines", "finding_lines", "recurrence_lines", "verdict_table"]

_HEAD = (
    "cell",
    "baseline",
    "contender",
    "floor",
    "time/msg",
    "interval",
    "verdict",
    "n",
    "placebo",
    "cpu/msg",
    "instr/msg",
    "",
)
_RIGHT_ALIGNED = frozenset(("time/msg", "n", "placebo"))
_NOTHING = "-"


def verdict_table(result: RunResult) -> str:
    """The table of a run's verdicts, failures first, then the largest effects.

    ``~`` marks what is not decided, so that nothing hangs on colour.
    """
    floor = next((each.arm for each in result.samples if each.role == ArmRole.FLOOR), None)
    rows: list[tuple[str, ...]] = [_HEAD]
    rows += [_row(result, verdict, floor) for verdict in sorted(result.verdicts, key=_prominence)]
    rows += [_unjudged_row(result, cell, floor) for cell in result.unjudged_cells]
    unused = {"floor"} if floor is None else set()
    unused |= set() if result.instruction_verdicts else {"instr/msg"}
    shown = [place for place, name in enumerate(_HEAD) if name not in unused]
    rows = [tuple(row[place] for place in shown) for row in rows]
    rows = [tuple(visible(text) for text in row) for row in rows]
    widths = [max(len(text) for text in column) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, rows[0], widths) for row in rows)


def closing_lines(result: RunResult) -> list[str]:
    """Over all cells: the mean effect, what the placebo shows, what was discarded."""
    lines = [
        f"geometric mean over {len(result.scenario.cells)} cells: {name} "
        f"{mean.point:.3f}x time per message{_bounds(mean.low, mean.high)}"
        for name, mean in result.means
    ]
    bounds = [
        abs(bound - 1)
        for verdict in result.verdicts
        for bound in (verdict.placebo_low, verdict.placebo_high)
        if bound is not None
    ]
    if bounds:
        lines.append(f"placebo: within {format_percent(max(bounds))} of the baseline everywhere")
    discarded = {each.cell.key: each.discarded_blocks for each in result.verdicts}
    if any(discarded.values()):
        blocks = len({(sample.cell_key, sample.block) for sample in result.samples})
        lines.append(f"discarded: {sum(discarded.values())} of {blocks} blocks")
    if result.verdicts and result.holds_for:
        lines.append(f"each verdict holds for: {result.holds_for}")
    return lines


def recurrence_lines(found: Sequence[Recurrence]) -> list[str]:
    """A line for each contender and cell: what several sessions say together."""
    lines = []
    for each in found:
        ratio = _NOTHING if each.time_ratio is None else f"{each.time_ratio:.3f}x time per message"
        kinds = ", ".join(map(str, each.kinds))
        lines.append(
            f"over {each.sessions} sessions: {each.cell.title}: {each.contender} {ratio}"
            f"{_bounds(each.low, each.high)} {each.level:.0%}: {each.kind} ({kinds})"
        )
    return lines


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """What to distrust, a line for each kind: many of a kind are counted, the report has them all.

    The line shows the first of its kind, so that the remedy stands beside a case to look at.
    """
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.code, []).append(finding)
    lines = []
    for same in kinds.values():
        first = same[0]
        others = f" (and {len(same) - 1} more like it)" if len(same) > 1 else ""
        lines.append(f"mind: {first.subject}: {first.evidence}{others}; {first.remedy}")
    return lines


def _prominence(verdict: Verdict) -> tuple[int, float, str]:
    if verdict.status is Status.FAILED:
        return (0, 0.0, verdict.cell.title)
    if verdict.time_ratio is None:
        return (2, 0.0, verdict.cell.title)
    return (1, -abs(math.log(verdict.time_ratio)), verdict.cell.title)


def _row(result: RunResult, verdict: Verdict, floor: str | None) -> tuple[str, ...]:
    return (
        verdict.cell.title,
        _named_speed(result, verdict.cell, verdict.baseline),
        _named_speed(result, verdict.cell, verdict.contender),
        _speed(result, verdict.cell, floor),
        _NOTHING if verdict.time_ratio is None else f"{verdict.time_ratio:.3f}x",
        _bounds(verdict.low, verdict.high).strip() or _NOTHING,
        _judgement(verdict),
        str(verdict.blocks) if verdict.blocks else _NOTHING,
        reach_text(placebo_reach(verdict)),
        _change(result.cpu_verdict(verdict)),
        _change(result.instruction_verdict(verdict)),
        remark_text(verdict),
    )


def _unjudged_row(result: RunResult, cell: Cell, floor: str | None) -> tuple[str, ...]:
    """Speeds alone, where there was nobody to compare the baseline with."""
    baseline = baseline_name(result.scenario.baseline, cell.layer)
    shown = (_named_speed(result, cell, baseline), _NOTHING, _speed(result, cell, floor))
    return (cell.title, *shown, *[_NOTHING] * 7, "")


def _speed(result: RunResult, cell: Cell, name: str | None) -> str:
    """The rate, or where round trips are timed the median of them."""
    if name is None:
        return _NOTHING
    return speed_text(cell, result.median_rate(cell, name), result.median_time_ns(cell, name))


def _named_speed(result: RunResult, cell: Cell, name: str) -> str:
    """``libzmq 2.31 M msg/s``; of processes that run in two ways both, with their shares."""
    speed = _speed(result, cell, name)
    noise = None if speed == _NOTHING else result.noise(cell, name)
    if noise is not None and noise.modes:
        speed = ways_text(noise.modes, speed_form(cell))
    return name if speed == _NOTHING else f"{name} {speed}"


def _bounds(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f" [{format_percent(low - 1, signed=True)}, {format_percent(high - 1, signed=True)}]"


def _judgement(verdict: Verdict) -> str:
    if verdict.status is Status.SKIPPED:
        return "n/a"
    if verdict.status in (Status.FAILED, Status.SATURATED):
        return str(verdict.status)
    undecided = verdict.kind is VerdictKind.INCONCLUSIVE
    return f"{verdict.kind}~" if undecided else str(verdict.kind)


def _change(companion: Verdict | None) -> str:
    """``-12.3% FASTER``; without an interval there is no verdict."""
    if companion is None or companion.time_ratio is None:
        return _NOTHING
    change = format_percent(companion.time_ratio - 1, signed=True)
    return change if companion.low is None else f"{change} {_judgement(companion)}"


def _line(row: Sequence[str], head: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        text.rjust(width) if name in _RIGHT_ALIGNED else text.ljust(width)
        for text, name, width in zip(row, head, widths, strict=True)
    )
    return "  ".join(cells).rstrip()
