"""Tables of times: of single operations, and of what the threads do on their cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from slkbench.model import ProfileRow
from slkbench.profile.counting import ROLES
from slkbench.profile.cpu import PARTS
from slkbench.profile.operations import EVERY, INFLUENCE_MAX, MORE, MORE_ONE_IN, PROPORTION
from slkbench.profile.side_by_side import (
    NOTHING,
    Side,
    Table,
    number_text,
    shortened,
    side_table,
)
from slkbench.units import format_percent, format_rate

__all__ = ["cpu_tables", "operation_tables"]

_OPERATIONS = (
    ("sender", "send routing id"),
    ("sender", "send message"),
    ("sender", "total iteration"),
    ("receiver", "recv routing id"),
    ("receiver", "recv message"),
    ("receiver", "total iteration"),
)
_FIGURES = ("mean", "p50", "p99", "max")
_HOT_SYMBOLS = 12


def operation_tables(title: str, side: Side) -> list[Table]:
    """The reference report's table for all contenders, and what timing has cost."""
    lines = [
        side.line((role, what, figure), _time_us(side, role, what, figure))
        for role, what in _OPERATIONS
        for figure in _FIGURES
    ]
    tables = side_table(
        f"{title}: time per operation, us", ["role", "operation", "of"], side, lines
    )
    whole = [
        side.line(("timed messages",), _timed_messages(side)),
        side.line(("rate, none timed",), _bounded(side, "rate", format_rate)),
        side.line(("rate, some timed",), _bounded(side, "timed-rate", format_rate)),
        side.line(("instrumentation costs",), _bounded(side, "instrumentation-cost", _percent)),
        side.line(
            (f"rate, one in {MORE_ONE_IN} timed",), _bounded(side, "timed-rate", format_rate, MORE)
        ),
        side.line(
            (f"of one in {MORE_ONE_IN} it costs",),
            _bounded(side, "instrumentation-cost", _percent, MORE),
        ),
        side.line(
            ("so some cost, by proportion",),
            _bounded(side, "instrumentation-cost", _fine_percent, PROPORTION),
        ),
        side.line((f"which is below {INFLUENCE_MAX:.0%}",), _is_small(side)),
        side.line(("rate, every message timed",), _bounded(side, "timed-rate", format_rate, EVERY)),
        side.line(
            ("of every message it costs",), _bounded(side, "instrumentation-cost", _percent, EVERY)
        ),
        side.line(("timer",), _timer(side)),
    ]
    return tables + side_table(f"{title}: overall", ["figure"], side, whole)


def _time_us(side: Side, role: str, what: str, figure: str) -> Callable[[str], str | None]:
    def show(contender: str) -> str | None:
        row = side.find(contender, role, f"{figure}-ns", what)
        return None if row is None or row.count is None else f"{row.count / 1000:.3f}"

    return show


def _percent(value: float) -> str:
    return format_percent(value, signed=True)


def _fine_percent(value: float) -> str:
    return f"{value:+.2%}"


def _timed_messages(side: Side) -> Callable[[str], str | None]:
    def show(contender: str) -> str | None:
        row = side.find(contender, "harness", "timed-one-in")
        return None if row is None or row.count is None else f"one in {row.count:.0f}"

    return show


def _bounded(
    side: Side, quantity: str, form: Callable[[float], str], what: str = "all"
) -> Callable[[str], str | None]:
    def show(contender: str) -> str | None:
        row = side.find(contender, "all", quantity, what)
        if row is None or row.count is None:
            return None
        if row.low is None or row.high is None:
            return form(row.count)
        return f"{form(row.count)} [{form(row.low)}, {form(row.high)}]"

    return show


def _is_small(side: Side) -> Callable[[str], str | None]:
    """Whether the times of operations are those of a run that nothing is timed in."""

    def show(contender: str) -> str | None:
        row = side.find(contender, "all", "instrumentation-cost")
        if row is None or row.count is None:
            return None
        if row.low is None or row.high is None:
            return "not shown: too few repetitions"
        if row.high < INFLUENCE_MAX:
            return "shown"
        if row.low > INFLUENCE_MAX:
            return "refuted"
        scaled = side.find(contender, "all", "instrumentation-cost", PROPORTION)
        if scaled is not None and scaled.high is not None and scaled.high < INFLUENCE_MAX:
            return "shown by proportion"
        return "not shown: --budget 10m"

    return show


def _timer(side: Side) -> Callable[[str], str | None]:
    def show(contender: str) -> str | None:
        for row in side.matching("timer-cost-ns"):
            if row.contender == contender and row.count is not None:
                return f"{row.what}, {row.count:.1f} ns subtracted"
        return None

    return show


def cpu_tables(title: str, side: Side) -> list[Table]:
    """What each thread does with the time of a message, and the hottest functions."""
    lines: list[tuple[str, ...] | None] = []
    for role in ROLES:
        lines += [side.line((role, part), side.number(role, "part-ns", part)) for part in PARTS]
        for quantity, name in (
            ("on-cpu-ns", "on a core, all of it"),
            ("core-wait-ns", "waiting for a core"),
            ("blocked-ns", "blocked"),
            ("wall-ns", "time per message"),
            ("perf-wall-ns", "time per message, under perf"),
        ):
            lines.append(side.line((role, name), side.number(role, quantity)))
    lines.append(
        side.line(("all", "time per message in the run"), side.number("harness", "run-wall-ns"))
    )
    lines.append(side.line(("all", "repetitions like the run"), _like_the_run(side)))
    tables = side_table(f"{title}: ns per message", ["thread", "doing"], side, lines)
    for contender in side.contenders:
        own = (row for row in side.matching("symbol-ns") if row.contender == contender)
        tables += _hot_symbols(f"{title}: where {contender} spends CPU time", own)
    return tables


def _like_the_run(side: Side) -> Callable[[str], str | None]:
    """Of those that were taken; where none is like the run, the nearest is shown."""

    def show(contender: str) -> str | None:
        like = side.find(contender, "harness", "repetitions-like-the-run")
        taken = side.find(contender, "harness", "repetitions-taken")
        if like is None or taken is None or like.count is None or taken.count is None:
            return None
        return f"{like.count:.0f} of {taken.count:.0f}"

    return show


def _hot_symbols(title: str, rows: Iterable[ProfileRow]) -> list[Table]:
    hottest = sorted(rows, key=lambda row: -(row.per_message or 0.0))[:_HOT_SYMBOLS]
    lines = []
    for row in hottest:
        place, _, symbol = row.what.partition(": ")
        lines.append((row.role, place, shortened(symbol), number_text(row.per_message) or NOTHING))
    head = ("thread", "in", "function", "ns per message")
    return [Table(title, head, tuple(lines), 3)] if lines else []
