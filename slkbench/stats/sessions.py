"""Several sessions of one question: what they agree on, and how far they differ.

Blocks cancel what changes within a session.  What differs between sessions (where memory lies, who
shares the machine, the hour) they cannot, so a session counts once, however many blocks it has
(Kalibera and Jones 2013).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from slkbench.model import Cell, Sample, Status, Verdict, VerdictKind

__all__ = ["Recurrence", "recurrences", "session_of"]

LEVEL = 0.95
FEWEST_SESSIONS = 2


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A contender in a cell over several sessions.

    ``kinds`` are the verdicts in their order; ``kind`` is theirs where all agree, else
    INCONCLUSIVE.  ``time_ratio`` is the mean over ``sessions``, with its interval of Student's t.
    """

    cell: Cell
    baseline: str
    contender: str
    kind: VerdictKind
    kinds: tuple[VerdictKind, ...]
    sessions: int
    time_ratio: float | None
    low: float | None
    high: float | None
    level: float = LEVEL


def session_of(samples: Iterable[Sample]) -> str:
    """When the session of ``samples`` began: ``2026-11-22 10:15 UTC``; empty if it is not known."""
    first = min((each.started_utc for each in samples if each.started_utc), default="")
    return f"{first[:16].replace('T', ' ')} UTC" if first else ""


def recurrences(sessions: Sequence[Sequence[Verdict]]) -> tuple[Recurrence, ...]:
    """One for each contender and cell of the first session, in its order."""
    by_session = [{(each.cell.key, each.contender): each for each in found} for found in sessions]
    return tuple(
        _recurrence([found[key] for found in by_session if key in found], len(sessions))
        for key in (by_session[0] if by_session else {})
    )


def _recurrence(verdicts: Sequence[Verdict], of: int) -> Recurrence:
    first = verdicts[0]
    kinds = tuple(each.kind for each in verdicts)
    logs = [
        math.log(each.time_ratio)
        for each in verdicts
        if each.status is Status.OK and each.time_ratio is not None
    ]
    low = high = None
    if len(logs) >= FEWEST_SESSIONS:
        from scipy.stats import t

        reach = float(t.ppf((1 + LEVEL) / 2, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
        low, high = math.exp(fmean(logs) - reach), math.exp(fmean(logs) + reach)
    agreed = len(set(kinds)) == 1 and len(kinds) == of
    return Recurrence(
        cell=first.cell,
        baseline=first.baseline,
        contender=first.contender,
        kind=kinds[0] if agreed else VerdictKind.INCONCLUSIVE,
        kinds=kinds,
        sessions=len(logs),
        time_ratio=math.exp(fmean(logs)) if logs else None,
        low=low,
        high=high,
    )
