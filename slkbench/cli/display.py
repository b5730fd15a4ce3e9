"""Progress of a run: a bar on a terminal, a plain line now and then elsewhere, or nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from slkbench.foreign_text import visible
from slkbench.runner.progress import Observer, Progress, Silent, Standing
from slkbench.units import format_duration, format_percent

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = ["PlainLines", "describe_standings", "fits_terminal", "progress_display"]

_LINE_EVERY_S = 10.0


@contextmanager
def progress_display(*, quiet: bool) -> Iterator[Observer]:
    """An observer that fits where standard error goes. It is gone when the run is over."""
    if quiet:
        yield Silent()
    elif fits_terminal(sys.stderr):
        yield from _bar_on_terminal()
    else:
        yield PlainLines(sys.stderr)


def fits_terminal(stream: TextIO) -> bool:
    """Whether a line may be rewritten there: a terminal, and not a dumb one."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


class PlainLines:
    """One line every ten seconds and one for every note, without colour or control codes."""

    def __init__(self, stream: TextIO, clock_s: Callable[[], float] = time.monotonic) -> None:
        """``clock_s`` tells seconds that only grow."""
        self._stream = stream
        self._clock_s = clock_s
        self._next_s = clock_s()

    def progress(self, progress: Progress) -> None:
        """Print where the run is, unless it was said less than ten seconds ago."""
        now_s = self._clock_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _LINE_EVERY_S
        share = f"{progress.samples_done}/{progress.samples_expected} samples{_cells(progress)}"
        left = (
            f", at most {format_duration(progress.remaining_s)} left"
            if progress.remaining_s
            else ""
        )
        self._print(f"{share}{left}: {_describe(progress)}")

    def note(self, text: str) -> None:
        """Print the note."""
        self._print(text)

    def _print(self, text: str) -> None:
        self._stream.write(f"slkbench: {visible(text)}\n")
        self._stream.flush()


class _Bar:
    """A bar with the time left, and under it the cell that is measured."""

    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def progress(self, progress: Progress) -> None:
        left = format_duration(progress.remaining_s) if progress.remaining_s else "?"
        self._bar.update(
            self._task,
            completed=progress.samples_done,
            total=progress.samples_expected,
            left=left,
            open=_cells(progress),
            what=_describe(progress),
        )
        self._bar.refresh()

    def note(self, text: str) -> None:
        self._bar.console.print(visible(text), markup=False, highlight=False)


def _bar_on_terminal() -> Iterator[Observer]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress

    bar = RichProgress(
        BarColumn(bar_width=24),
        TextColumn(
            "{task.completed:.0f}/{task.total:.0f} samples{task.fields[open]}  "
            "≤ {task.fields[left]} left"
        ),
        TextColumn("{task.fields[what]}", markup=False),
        console=Console(file=sys.stderr),  # minds NO_COLOR itself
        transient=True,
        auto_refresh=False,  # a thread that paints would disturb what is measured
    )
    with bar:
        yield _Bar(bar, bar.add_task("run", total=1, left="?", open="", what="starting"))


def _cells(progress: Progress) -> str:
    """How many cells are still measured, where there are several."""
    if progress.cells < 2:
        return ""
    return f", {progress.open_cells} of {progress.cells} cells open"


def _describe(progress: Progress) -> str:
    standings = describe_standings(progress.standings)
    where = f"{progress.cell.title}, {progress.phase}"
    if progress.blocks:
        where += f", {progress.blocks} blocks"
    return f"{where}  {standings}" if standings else where


def describe_standings(standings: tuple[Standing, ...]) -> str:
    """``serverlink 0.121x ±2.1%``: the estimates so far, the half-width where there is one."""
    parts = []
    for standing in standings:
        text = f"{standing.contender} {standing.time_ratio:.3f}x"
        if standing.half_width is not None:
            text += f" ±{format_percent(standing.half_width)}"
        parts.append(text)
    return ", ".join(parts)
