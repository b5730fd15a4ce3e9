"""Printing what others wrote: nothing in a name or a reason may steer the terminal."""

from __future__ import annotations

import click

from slkbench.foreign_text import visible

__all__ = ["say"]


def say(text: object = "", *, err: bool = False) -> None:
    r"""Print ``text`` and a line's end, control characters in it as ``\x1b`` and the like."""
    click.echo(visible(str(text), keep="\n"), err=err)
