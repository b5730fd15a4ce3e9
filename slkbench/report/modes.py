"""A mark on medians of processes that run in two ways, and a note below that tells both.

Such a median is the speed of few processes or of none.  Every table that shows medians marks them
alike, on the terminal and in reports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slkbench.model import Cell
from slkbench.stats import Mode
from slkbench.units import format_percent, format_rate, format_time_ns

__all__ = ["TwoWays", "speed_form", "ways_text"]

_MARK = "*"

Form = Callable[[float], str]


def speed_form(cell: Cell) -> Form:
    """How a time in ns is told where speeds of ``cell`` are: as a rate, or as a round trip."""
    if cell.metric.times_round_trips:
        return format_time_ns
    return lambda time_ns: format_rate(1e9 / time_ns)


def ways_text(modes: Sequence[Mode], form: Form) -> str:
    """``4.10 M msg/s (60%) or 2.20 M msg/s (40%)``; ``form`` takes ns."""
    return " or ".join(
        f"{form(mode.value_ns)} ({format_percent(mode.share, digits=0)})" for mode in modes
    )


class TwoWays:
    """Marks the medians of a table, and remembers what its note has to tell."""

    def __init__(self) -> None:
        """Nothing is marked yet."""
        self._told: dict[str, str] = {}

    def marked(self, text: str, modes: Sequence[Mode], whose: str, form: Form) -> str:
        """``text``, a median, with a mark where there are two ``modes``; ``whose`` says of what."""
        if not modes:
            return text
        self._told[whose] = ways_text(modes, form)
        return f"{text}{_MARK}"

    @property
    def note(self) -> str:
        """A line that explains the mark; empty where nothing is marked."""
        if not self._told:
            return ""
        told = "; ".join(f"{whose}: {ways}" for whose, ways in self._told.items())
        return f"{_MARK} the median of processes that run in two ways: {told}"
