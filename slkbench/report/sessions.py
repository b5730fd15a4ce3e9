"""What several sessions of one question say together, in the report of the last of them."""

from __future__ import annotations

from slkbench.model import VerdictKind
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
from slkbench.stats import Recurrence

__all__ = ["session_section"]

_NOTE = (
    "This run is the last of {count} sessions, each of which started everything anew with another "
    "seed. A session counts once, however many blocks it has: the interval is Student's t over "
    "their ratios of time, so it holds what blocks cannot cancel. A verdict is there where all "
    "sessions agree; everything else in this report is of this session alone."
)
_HEAD = (
    "Cell",
    "Contender",
    "Sessions",
    "Ratio of times",
    "{level} interval",
    "Verdict",
    "Of each",
)


def session_section(evidence: Evidence) -> list[str]:
    """A row for each contender and cell; nothing for a run that was not the last of several."""
    found = evidence.recurrences
    if not found:
        return []
    count = max(len(one.kinds) for one in found)
    head = [text.format(level=f"{found[0].level:.0%}") for text in _HEAD]
    return [_NOTE.format(count=count), table(head, [_row(one) for one in found], left=2)]


def _row(one: Recurrence) -> tuple[str, ...]:
    undecided = one.kind is VerdictKind.INCONCLUSIVE and len(set(one.kinds)) > 1
    return (
        cell_title(one.cell),
        f"{contender_title(one.contender)} against {contender_title(one.baseline)}",
        str(one.sessions),
        or_na(one.time_ratio, times),
        interval_text(one.low, one.high, times),
        f"{one.kind}: they disagree" if undecided else str(one.kind),
        ", ".join(map(str, one.kinds)) or NOT_AVAILABLE,
    )
