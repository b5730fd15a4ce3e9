"""Tables for reading, of a profile's rows: contenders side by side, one set for each cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from slkbench.model import ProfileRow, Status
from slkbench.profile.counting import ROLES
from slkbench.profile.instructions import FUNCTION_GROUPS
from slkbench.units import format_percent, format_rate, format_size

__all__ = ["Table", "profile_tables"]

_NOTHING = "-"
_HOT_FUNCTIONS = 12
_NAME_MAX = 60
_NOISE = 0.05  # of a difference of two runs, where it comes out below nothing
_CALLS_SHOWN_PER_1000 = 0.05


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first ``left`` columns are text and the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


def profile_tables(rows: Sequence[ProfileRow]) -> list[Table]:
    """The tables of a profile: by cell, as the rows come."""
    tables: list[Table] = []
    for cell in dict.fromkeys(map(_cell_of, rows)):
        own = [row for row in rows if _cell_of(row) == cell]
        makers = {
            "instructions": _instruction_tables,
            "allocations": _allocation_tables,
            "syscalls": _syscall_tables,
        }
        tables += makers[own[0].tool](_title(own[0]), _Side(own))
    return tables


def _cell_of(row: ProfileRow) -> tuple[object, ...]:
    marks = (row.sndhwm, row.rcvhwm)
    where = (row.pattern, row.transport, row.topology)
    return (*where, row.size_bytes, row.io_threads, *marks, row.workload)


def _title(row: ProfileRow) -> str:
    parts = [row.pattern, row.transport, format_size(row.size_bytes)]
    if row.topology != "threads":
        parts.append(row.topology)
    return " ".join(parts)


class _Side:
    """The rows of one cell, to be looked up by contender."""

    def __init__(self, rows: Sequence[ProfileRow]) -> None:
        self.contenders = tuple(dict.fromkeys(row.contender for row in rows))
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
        return self._rows.get((contender, role, quantity, what, from_bytes))

    def matching(self, quantity: str) -> list[ProfileRow]:
        return [row for row in self._rows.values() if row.quantity == quantity]

    def line(
        self, names: Iterable[str], show: Callable[[str], str | None]
    ) -> tuple[str, ...] | None:
        """A line of a table, None if no contender has anything to show in it."""
        shown = [show(contender) for contender in self.contenders]
        if not any(shown):
            return None
        absent = [self._absent.get(each, _NOTHING) for each in self.contenders]
        return (*names, *(text or other for text, other in zip(shown, absent, strict=True)))

    def number(
        self, role: str, quantity: str, what: str = "all", *, per: float = 1.0
    ) -> Callable[[str], str | None]:
        """What ``line`` shows: the count for each of ``per`` messages."""

        def show(contender: str) -> str | None:
            row = self.find(contender, role, quantity, what)
            return None if row is None else _number(row.per_message, per)

        return show


def _number(per_message: float | None, per: float = 1.0) -> str | None:
    if per_message is None:
        return None
    value = per_message * per
    if -_NOISE < value < 0:
        value = 0.0
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value + 0.0:.{digits}f}" if abs(value) >= 0.005 else "0"


def _table(
    title: str, names: Sequence[str], side: _Side, lines: Iterable[tuple[str, ...] | None]
) -> list[Table]:
    kept = tuple(line for line in lines if line is not None)
    return [Table(title, (*names, *side.contenders), kept, len(names))] if kept else []


def _instruction_tables(title: str, side: _Side) -> list[Table]:
    def spread(contender: str) -> str | None:
        row = side.find(contender, "all", "instructions")
        return None if row is None or row.spread is None else format_percent(row.spread, digits=2)

    lines = [
        side.line((role,), side.number(role, "instructions"))
        for role in ROLES
        if role != "application"
    ]
    lines.append(side.line(("spread of all",), spread))
    calls = [side.line((name,), side.number("all", "calls", name)) for name in FUNCTION_GROUPS]
    tables = _table(f"{title}: instructions per message, user space", ["role"], side, lines)
    tables += _table(f"{title}: calls per message", ["calls"], side, calls)
    for contender in side.contenders:
        tables += _hot_functions(f"{title}: where {contender} spends them", contender, side)
    return tables


def _hot_functions(title: str, contender: str, side: _Side) -> list[Table]:
    own = [row for row in side.matching("instructions") if row.contender == contender]
    functions = [row for row in own if row.what != "all" and row.role != "all"]
    functions.sort(key=lambda row: -(row.per_message or 0.0))
    lines = []
    for row in functions[:_HOT_FUNCTIONS]:
        calls = side.find(contender, row.role, "calls", row.what)
        shown = _number(calls.per_message) if calls is not None else None
        lines.append(
            (
                row.role,
                _shortened(row.what),
                _number(row.per_message) or _NOTHING,
                shown or _NOTHING,
            )
        )
    head = ("role", "function", "instructions", "calls")
    return [Table(title, head, tuple(lines), 2)] if lines else []


def _shortened(name: str) -> str:
    """A function's name without its arguments, and not so long that it hides the figures."""
    plain = name.replace("(anonymous namespace)::", "").partition("(")[0] or name
    return plain if len(plain) <= _NAME_MAX else f"{plain[: _NAME_MAX - 1]}…"


def _allocation_tables(title: str, side: _Side) -> list[Table]:
    def peak(contender: str) -> str | None:
        row = side.find(contender, "all", "peak-rss-bytes")
        return None if row is None or row.count is None else f"{row.count / 2**20:.1f} MiB"

    quantities = ("allocations", "frees", "allocated-bytes")
    lines = [
        side.line((role, quantity), side.number(role, quantity))
        for role in ROLES
        if role != "harness"
        for quantity in quantities
    ]
    lines.append(side.line(("all", "largest resident set"), peak))
    return _table(f"{title}: allocations per message", ["role", "count"], side, lines)


def _syscall_tables(title: str, side: _Side) -> list[Table]:
    names = dict.fromkeys(
        row.what
        for row in sorted(side.matching("calls"), key=lambda row: -(row.per_message or 0.0))
        if row.what != "all"
    )
    lines = [
        side.line((role, name, quantity), _often(side, role, quantity, name))
        for role in ROLES
        if role != "harness"
        for quantity in ("calls", "futile-calls", "untraced-calls")
        for name in ("all", *names)
    ]
    for kind in ("voluntary-switches", "involuntary-switches"):
        lines += [
            side.line((role, kind, "undisturbed"), side.number(role, kind, per=1000))
            for role in ROLES
        ]

    def rate(contender: str) -> str | None:
        row = side.find(contender, "all", "rate")
        return None if row is None or row.count is None else format_rate(row.count)

    lines.append(side.line(("all", "rate", "undisturbed"), rate))
    head = ["role", "call", "count"]
    return _table(f"{title}: system calls per 1000 messages", head, side, lines) + _moved(
        title, side
    )


def _often(
    side: _Side, role: str, quantity: str, name: str, from_bytes: int | None = None
) -> Callable[[str], str | None]:
    """What ``line`` shows: the count for 1000 messages, of what happens now and then at least."""

    def show(contender: str) -> str | None:
        row = side.find(contender, role, quantity, name, from_bytes)
        if row is None or abs(row.per_message or 0.0) * 1000 < _CALLS_SHOWN_PER_1000:
            return None
        return _number(row.per_message, 1000)

    return show


def _moved(title: str, side: _Side) -> list[Table]:
    """How many bytes a call moves: calls in classes of two to the power of something."""
    keys = sorted(
        {(row.role, row.what, row.from_bytes or 0) for row in side.matching("bytes-calls")},
        key=lambda key: (ROLES.index(key[0]), key[1], key[2]),
    )
    lines = [
        side.line(
            (role, name, f"{format_size(low)} to {format_size(2 * low)}"),
            _often(side, role, "bytes-calls", name, low),
        )
        for role, name, low in keys
        if role != "harness"
    ]
    head = ["role", "call", "bytes moved"]
    return _table(f"{title}: what calls move, calls per 1000 messages", head, side, lines)
