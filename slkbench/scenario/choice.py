"""Cells by a part of their title."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from slkbench.errors import UsageError
from slkbench.model import Cell

__all__ = ["cells_named"]


def cells_named(cells: Sequence[Cell], globs: Sequence[str]) -> tuple[Cell, ...]:
    """The ``cells`` of whose title a part fits one of ``globs``; all of them where there is none.

    Raises UsageError, which names what there is, for a glob that fits no cell.
    """
    for glob in globs:
        if not any(_fits(cell, glob) for cell in cells):
            titles = "; ".join(dict.fromkeys(cell.title for cell in cells))
            raise UsageError(f"no cell fits {glob}; there are: {titles}")
    return tuple(cell for cell in cells if not globs or any(_fits(cell, each) for each in globs))


def _fits(cell: Cell, glob: str) -> bool:
    return fnmatchcase(cell.title, f"*{glob}*")
