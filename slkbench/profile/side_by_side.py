"""Tables in which contenders stand side by side, and how their figures are found and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from slkbench.model import ProfileRow, Status

__all__ = ["NOTHING", "Side", "Table", "number_text", "shortened", "side_table"]

NOTHING = "-"
_NAME_MAX = 60
_NOISE = 0.05  # of a difference of two runs, where it comes out below nothing


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first ``left`` columns are text and the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


class Side:
    """The rows of one cell, to be looked up by contender."""

    def __init__(self, rows: Sequence[ProfileRow]) -> None:
        self.contenders = tuple(dict.fromkeys(row.contender for row in rows))
        self.all_rows = tuple(rows)
        self._rows = {
            (row.contender, row.role, row.quantity, row.what, row.from_bytes): row for row in rows
        }
        self._absent = {row.contender: row.status for row in rows if row.status != Status.OK}

    def find(
        self,
        contender: str,
        role: str,
        quantity: str,
        what: str = "all",
        from_bytes: int | None = None,
    ) -> ProfileRow | None:
        """A contender's row, or None."""
        return self._rows.get((contender, role, quantity, what, from_bytes))

    def matching(self, quantity: str) -> list[ProfileRow]:
        """All rows of a quantity."""
        return [row for row in self._rows.values() if row.quantity == quantity]

    def line(
        self, names: Iterable[str], show: Callable[[str], str | None]
    ) -> tuple[str, ...] | None:
        """A line of a table, None if no contender has anything to show in it."""
        shown = [show(contender) for contender in self.contenders]
        if not any(shown):
            return None
        absent = [self._absent.get(each, NOTHING) for each in self.contenders]
        return (*names, *(text or other for text, other in zip(shown, absent, strict=True)))

    def number(
        self,
        role: str,
        quantity: str,
        what: str = "all",
        *,
        per: float = 1.0,
        from_bytes: int | None = None,
    ) -> Callable[[str], str | None]:
        """What ``line`` shows: the count for each of ``per`` messages."""

        def show(contender: str) -> str | None:
            row = self.find(contender, role, quantity, what, from_bytes)
            return None if row is None else number_text(row.per_message, per)

        return show


def number_text(per_message: float | None, per: float = 1.0) -> str | None:
    """A figure with two or three digits; None for a missing one."""
    if per_message is None:
        return None
    value = per_message * per
    if -_NOISE < value < 0:
        value = 0.0
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value + 0.0:.{digits}f}" if abs(value) >= 0.005 else "0"


def side_table(
    title: str, names: Sequence[str], side: Side, lines: Iterable[tuple[str, ...] | None]
) -> list[Table]:
    """The table of these lines, if any of them has something to show."""
    kept = tuple(line for line in lines if line is not None)
    return [Table(title, (*names, *side.contenders), kept, len(names))] if kept else []


def shortened(name: str) -> str:
    """A function's name without its arguments, and not so long that it hides the figures."""
    plain = name.replace("(anonymous namespace)::", "").partition("(")[0] or name
    return plain if len(plain) <= _NAME_MAX else f"{plain[: _NAME_MAX - 1]}…"
