"""What a run tells while it goes on: to a terminal, a log or nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from slkbench.model import Cell

__all__ = ["Observer", "Progress", "Silent", "Standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Time per message of a contender over the baseline's, so far; below 1 is faster.

    ``half_width`` is half the width of the interval, None before there are blocks enough for one.
    """

    contender: str
    time_ratio: float
    half_width: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    ``blocks`` are those of the cell that count.  ``samples_expected`` and ``remaining_s`` are
    upper bounds, because a cell that is decided ends early; cells that are decided are not in them.
    ``open_cells`` of ``cells`` are not over yet.
    """

    phase: str
    cell: Cell
    blocks: int
    samples_done: int
    samples_expected: int
    elapsed_s: float
    remaining_s: float | None
    standings: tuple[Standing, ...] = ()
    open_cells: int = 1
    cells: int = 1


class Observer(Protocol):
    """Hears of a run. Called between samples, never while one is measured."""

    def progress(self, progress: Progress) -> None:
        """After every sample and every calibration."""

    def note(self, text: str) -> None:
        """Something that a user should know: a failure, a cell that is decided."""


class Silent:
    """An observer that says nothing."""

    def progress(self, progress: Progress) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""
