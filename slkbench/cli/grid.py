"""Rows as a table on standard output, fitted to the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from slkbench.cli.say import table_console

if TYPE_CHECKING:
    from slkbench.model import Cell, Verdict

__all__ = ["bounds_text", "print_grid", "reach_text", "remark_text", "shift_text", "speed_text"]

_WIDTH_WITHOUT_TERMINAL = 200


def print_grid(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """Print a table; the columns named in ``right`` are aligned to the right.

    Where standard output is no terminal, nothing is shortened or wrapped.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        table.add_column(
            escape(name), justify="right" if name in right else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*map(escape, row))
    width = None
    if not sys.stdout.isatty():
        needed = sum(max(len(row[i]) for row in (head, *rows)) + 3 for i in range(len(head)))
        width = max(_WIDTH_WITHOUT_TERMINAL, needed)
    table_console(width).print(table)


def shift_text(ratio: float | None) -> str:
    """``1.235x``, or ``-`` where it is not known."""
    return "-" if ratio is None else f"{ratio:.3f}x"


def bounds_text(low: float | None, high: float | None) -> str:
    """``[+20.9%, +26.3%]``, or ``-`` where there is no interval."""
    from slkbench.units import format_percent

    if low is None or high is None:
        return "-"
    return f"[{format_percent(low - 1, signed=True)}, {format_percent(high - 1, signed=True)}]"


def reach_text(*reaches: float | None) -> str:
    """``±1.2%``, or of two runs ``±1.2%/±0.8%``; ``-`` where no placebo took part."""
    from slkbench.units import format_percent

    if all(reach is None for reach in reaches):
        return "-"
    return "/".join("-" if reach is None else f"±{format_percent(reach)}" for reach in reaches)


def remark_text(verdict: Verdict) -> str:
    """Why a verdict is none, and how many blocks it would take: ``(slower, perhaps ...; ...)``."""
    needed = verdict.blocks_needed
    parts = [verdict.reason] if verdict.reason else []
    parts += [f"needs ~{needed:,} blocks"] if needed is not None else []
    return f"({'; '.join(parts)})" if parts else ""


def speed_text(cell: Cell, rate_msgs_per_s: float | None, time_ns: float | None) -> str:
    """``2.31 M msg/s``, or where round trips are timed ``52.1 µs``; ``-`` where it is not known."""
    from slkbench.units import format_rate, format_time_ns

    if cell.metric.times_round_trips:
        return "-" if time_ns is None else format_time_ns(time_ns)
    return "-" if rate_msgs_per_s is None else format_rate(rate_msgs_per_s)
