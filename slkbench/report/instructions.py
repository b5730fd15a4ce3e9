"""Verdicts on instructions per message, beside those on time and CPU time."""

from __future__ import annotations

from slkbench.model import Verdict
from slkbench.report.evidence import Evidence
from slkbench.report.markdown import table
from slkbench.report.naming import (
    NOT_AVAILABLE,
    cell_title,
    contender_title,
    interval_text,
    or_na,
    times,
)
from slkbench.report.results import verdict_text

__all__ = ["instruction_verdicts_table"]

_NOTE = (
    "Instructions per message of contender / baseline, and what they say beside time and CPU time. "
    "The interval holds the ratio of every pair of repetitions; it has no level, since counts "
    "hardly vary. More instructions than the smallest difference that matters are SLOWER, fewer "
    "FASTER, as of time; of what was counted once there is no verdict. Where instructions and time "
    "disagree, see [What to distrust](#what-to-distrust)."
)
_HEAD = ("Cell", "Contender", "Instructions", "Interval", "Verdict", "CPU time", "Time")


def instruction_verdicts_table(evidence: Evidence) -> list[str]:
    """A row for each comparison whose instructions were counted; nothing where none were."""
    rows = [_row(evidence, one) for one in evidence.instruction_verdicts]
    return [_NOTE, table(_HEAD, rows, left=2)] if rows else []


def _row(evidence: Evidence, counted: Verdict) -> tuple[str, ...]:
    return (
        evidence.titled(cell_title(counted.cell), counted.cell),
        f"{contender_title(counted.contender)} against {contender_title(counted.baseline)}",
        or_na(counted.time_ratio, times),
        interval_text(counted.low, counted.high, times),
        "none: counted once" if counted.low is None else str(counted.kind),
        *(_beside(counted, among) for among in (evidence.cpu_verdicts, evidence.verdicts)),
    )


def _beside(counted: Verdict, among: tuple[Verdict, ...]) -> str:
    for one in among:
        if (one.cell.key, one.contender) == (counted.cell.key, counted.contender):
            return f"{or_na(one.time_ratio, times)} {verdict_text(one)}"
    return NOT_AVAILABLE
