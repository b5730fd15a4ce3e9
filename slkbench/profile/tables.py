"""Tables for reading, of a profile's rows: contenders side by side, one set for each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slkbench.model import ProfileRow
from slkbench.profile.counting import ROLES
from slkbench.profile.instructions import FUNCTION_GROUPS
from slkbench.profile.side_by_side import (
    NOTHING,
    Side,
    Table,
    number_text,
    shortened,
    side_table,
)
from slkbench.profile.time_tables import cpu_tables, operation_tables
from slkbench.units import format_percent, format_rate, format_size

__all__ = ["Table", "profile_tables"]

_HOT_FUNCTIONS = 12
_CALLS_SHOWN_PER_1000 = 0.05


def profile_tables(rows: Sequence[ProfileRow]) -> list[Table]:
    """The tables of a profile: by cell, as the rows come."""
    tables: list[Table] = []
    for cell in dict.fromkeys(map(_cell_of, rows)):
        own = [row for row in rows if _cell_of(row) == cell]
        makers = {
            "operations": operation_tables,
            "cpu": cpu_tables,
            "instructions": _instruction_tables,
            "allocations": _allocation_tables,
            "syscalls": _syscall_tables,
        }
        tables += makers[own[0].tool](_title(own[0]), Side(own))
    return tables


def _cell_of(row: ProfileRow) -> tuple[object, ...]:
    where = (row.pattern, row.transport, row.topology)
    return (*where, row.size_bytes, row.io_threads, row.sndhwm, row.rcvhwm, row.workload)


def _title(row: ProfileRow) -> str:
    parts = [row.pattern, row.transport, format_size(row.size_bytes)]
    if row.topology != "threads":
        parts.append(row.topology)
    return " ".join(parts)


def _instruction_tables(title: str, side: Side) -> list[Table]:
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
    tables = side_table(f"{title}: instructions per message, user space", ["role"], side, lines)
    tables += side_table(f"{title}: calls per message", ["calls"], side, calls)
    for contender in side.contenders:
        tables += _hot_functions(f"{title}: where {contender} spends them", contender, side)
    return tables


def _hot_functions(title: str, contender: str, side: Side) -> list[Table]:
    own = [row for row in side.matching("instructions") if row.contender == contender]
    functions = [row for row in own if row.what != "all" and row.role != "all"]
    functions.sort(key=lambda row: -(row.per_message or 0.0))
    lines = []
    for row in functions[:_HOT_FUNCTIONS]:
        calls = side.find(contender, row.role, "calls", row.what)
        shown = number_text(calls.per_message) if calls is not None else None
        lines.append(
            (
                row.role,
                shortened(row.what),
                number_text(row.per_message) or NOTHING,
                shown or NOTHING,
            )
        )
    head = ("role", "function", "instructions", "calls")
    return [Table(title, head, tuple(lines), 2)] if lines else []


def _allocation_tables(title: str, side: Side) -> list[Table]:
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
    tables = side_table(f"{title}: allocations per message", ["role", "count"], side, lines)
    backlogs = dict.fromkeys((row.what, row.from_bytes) for row in side.matching("backlog-bytes"))
    held = [
        side.line(
            (what.removeprefix("backlog "),),
            side.number("all", "backlog-bytes", what, from_bytes=from_bytes),
        )
        for what, from_bytes in backlogs
    ]
    return tables + side_table(
        f"{title}: resident bytes per message of a backlog", ["messages waiting"], side, held
    )


def _syscall_tables(title: str, side: Side) -> list[Table]:
    names = dict.fromkeys(
        row.what
        for row in sorted(side.matching("calls"), key=lambda row: -(row.per_message or 0.0))
        if row.what != "all"
    )
    lines = [
        side.line((role, name, quantity), _often(side, role, quantity, name))
        for role in ROLES
        if role != "harness"
        for quantity in ("calls", "futile-calls", "wake-up-calls", "untraced-calls")
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
    return [
        *side_table(f"{title}: system calls per 1000 messages", head, side, lines),
        *_moved(title, side),
        *_kernel_options(title, side),
    ]


def _kernel_options(title: str, side: Side) -> list[Table]:
    names = dict.fromkeys((row.role, row.what) for row in side.matching("kernel-option"))

    def values(role: str, name: str) -> Callable[[str], str | None]:
        def show(contender: str) -> str | None:
            found = [
                f"{row.count:.0f}"
                for row in side.all_rows
                if (row.contender, row.role, row.what, row.quantity)
                == (contender, role, name, "kernel-option")
            ]
            return ", ".join(found) or None

        return show

    lines = [side.line((role, name), values(role, name)) for role, name in names]
    head = ["role", "option"]
    return side_table(f"{title}: connected sockets, as the kernel sees them", head, side, lines)


def _often(
    side: Side, role: str, quantity: str, name: str, from_bytes: int | None = None
) -> Callable[[str], str | None]:
    """What ``line`` shows: the count for 1000 messages, of what happens now and then at least."""

    def show(contender: str) -> str | None:
        row = side.find(contender, role, quantity, name, from_bytes)
        if row is None or abs(row.per_message or 0.0) * 1000 < _CALLS_SHOWN_PER_1000:
            return None
        return number_text(row.per_message, 1000)

    return show


def _moved(title: str, side: Side) -> list[Table]:
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
    return side_table(f"{title}: what calls move, calls per 1000 messages", head, side, lines)
