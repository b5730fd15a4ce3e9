"""Printing what others wrote: nothing in a name or a reason may steer the terminal.

A reader may go before all is said, as ``head`` does.  The rest is then said to nobody, and the
command goes on to its end: what it writes elsewhere, and its exit code, are not that reader's.
"""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING

import click

from slkbench.foreign_text import visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["say", "table_console"]


def say(text: object = "", *, err: bool = False) -> None:
    r"""Print ``text`` and a line's end, control characters in it as ``\x1b`` and the like."""
    try:
        click.echo(visible(str(text), keep="\n"), err=err)
    except BrokenPipeError:
        _discard(sys.stderr if err else sys.stdout)


def table_console(width: int | None = None) -> Console:
    """Standard output for rich's tables, of ``width`` columns, or as wide as the terminal."""
    from rich.console import Console

    class TableConsole(Console):
        def on_broken_pipe(self) -> None:
            # rich would end the program with code 1, which is a gate's word for a regression.
            _discard(sys.stdout)

    return TableConsole(width=width, highlight=False)


def _discard(stream: IO[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
