"""How long single calls of a library take, timed by the driver in a run as it is sampled.

One message in some has its calls timed, so that timing changes little; how little is measured too:
runs without timed calls, with some, with more and with those of every message take turns, and the
cost is the paired difference of their times.  All run the same machine code, or where that lies in
memory would be part of the difference.  How many is some, a pilot tells: beside its looks at the
timer, a message that is timed has branches mispredicted and makes the other thread wait.

A cost of some thousandths drowns in what runs differ anyhow.  So it is told twice: as measured,
for which a budget buys repetitions until it is sure, and by proportion: of one in ``MORE_ONE_IN``
the cost is large enough to be seen, each of these is as unforeseen as one in many, and so many
times fewer cost so many times less.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Any

from slkbench.model import ProfileRow
from slkbench.profile.counting import Request, known_row
from slkbench.profile.workload import ProcessReport, Workload, elapsed_ns_of, run_workload
from slkbench.stats import hodges_lehmann, interval, summarise
from slkbench.units import format_duration

__all__ = [
    "EVERY",
    "INFLUENCE_MAX",
    "MORE",
    "MORE_ONE_IN",
    "PROPORTION",
    "TOOL",
    "cost_of",
    "profile_operations",
]

TOOL = "operations"
EVERY = "every"
"""What rows are about that are not of some timed messages but of timing each of them."""

MORE = "more"
"""What rows are about that are of timing one in ``MORE_ONE_IN``."""

MORE_ONE_IN = 16

PROPORTION = "by proportion"
"""What the row is about that scales the cost of ``MORE`` to that of some."""

INFLUENCE_MAX = 0.02
"""The share of a message's time that timing some of them is to cost at most."""

_PLAIN = "plain"
_SOME = "some"
_LEVEL = 0.95
# A budget is spent until the cost is known to so much either way.
_COST_WITHIN = INFLUENCE_MAX / 2
_NEVER = -1
# Two looks at the timer for each of two frames and one at the end.
_TIMED_MESSAGE_NS = 200.0
_INFLUENCE_WANTED = 0.004
_ONE_IN_MIN = MORE_ONE_IN
_PILOT_ONE_IN = 50
_PILOT_PAIRS = 3
# Long enough that a process's start and end are no part of it, for a message of any speed.
_RUN_NS = 0.4e9
_TIMED_MIN = 200  # in a run, for its p99
_FIGURES = ("mean_ns", "p50_ns", "p99_ns", "max_ns")


@dataclass(slots=True)
class _Turns:
    """The times of all runs, ns, by what they timed and by repetition; reports of some timed."""

    messages: int
    one_in: int
    times_ns: dict[str, list[list[float]]] = field(default_factory=dict)
    reports: list[ProcessReport] = field(default_factory=list)

    def take(self, workload: Workload, *whats: str) -> None:
        """One repetition, mirrored, so that drift cancels."""
        timed = {_PLAIN: _NEVER, _SOME: self.one_in, MORE: MORE_ONE_IN, EVERY: 1}
        taken: dict[str, list[float]] = {}
        for what in (*whats, *reversed(whats)):
            work = replace(workload, time_one_in=timed[what])
            elapsed_ns, reports = _time(work, self.messages)
            taken.setdefault(what, []).append(elapsed_ns)
            self.reports += reports if what == _SOME else ()
        for what, times_ns in taken.items():
            self.times_ns.setdefault(what, []).append(times_ns)


def profile_operations(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell. Raises ProfileFailure."""
    begun_s = time.monotonic()
    turns = _Turns(*_pilot(request))
    for number in range(request.repetitions):
        of_all = f"repetition {number + 1} of {request.repetitions}"
        request.note(f"timing one in {turns.one_in}, {of_all}")
        turns.take(request.workload, _PLAIN, _SOME, MORE, EVERY)
    if request.budget_s is not None:
        _spend(request, turns, begun_s + request.budget_s)
    return list(_rows(known_row(TOOL, request, turns.reports), turns))


def _spend(request: Request, turns: _Turns, end_s: float) -> None:
    """Repeat what tells the cost of some, until that is sure or the time is over."""
    while (left_s := end_s - time.monotonic()) > 0:
        plain_ns, some_ns = turns.times_ns[_PLAIN], turns.times_ns[_SOME]
        point, low, high = cost_of(plain_ns, some_ns)
        shown = f"{point:+.2%}"
        if low is not None and high is not None:
            if high - low <= 2 * _COST_WITHIN:
                return
            shown += f" [{low:+.2%}, {high:+.2%}]"
        request.note(
            f"timing one in {turns.one_in} costs {shown}; repetition {len(some_ns) + 1}, "
            f"at most {format_duration(left_s)} left"
        )
        turns.take(request.workload, _PLAIN, _SOME)


def _rows(blank: ProfileRow, turns: _Turns) -> Iterator[ProfileRow]:
    plain_ns, messages = turns.times_ns[_PLAIN], turns.messages
    yield from _operation_rows(blank, turns.reports)
    yield from _rate_rows(replace(blank, quantity="rate"), messages, plain_ns)
    yield from _cost_rows(blank, messages, plain_ns, turns.times_ns[_SOME])
    for what in (MORE, EVERY):
        times_ns = turns.times_ns[what]  # a budget buys no more of these
        yield from _cost_rows(
            replace(blank, what=what), messages, plain_ns[: len(times_ns)], times_ns
        )
    yield _scaled_row(blank, turns)
    yield replace(blank, role="harness", quantity="timed-one-in", count=float(turns.one_in))
    yield replace(
        blank,
        role="harness",
        what=str(_timers(turns.reports)[0]["name"]),
        quantity="timer-cost-ns",
        count=median(float(each["cost_ns"]) for each in _timers(turns.reports)),
    )


def _scaled_row(blank: ProfileRow, turns: _Turns) -> ProfileRow:
    """What some cost if a timed message costs as much as where more of them are."""
    more_ns = turns.times_ns[MORE]
    share = MORE_ONE_IN / turns.one_in
    point, low, high = cost_of(turns.times_ns[_PLAIN][: len(more_ns)], more_ns)
    return replace(
        blank,
        role="all",
        what=PROPORTION,
        quantity="instrumentation-cost",
        count=point * share,
        low=None if low is None else low * share,
        high=None if high is None else high * share,
        messages=turns.messages,
    )


def _as_it_is(_role: str, command: list[str]) -> list[str]:
    return command


def _pilot(request: Request) -> tuple[int, int]:
    """How many messages a run needs, and of how many one can be timed without changing much."""
    request.note("a pilot")
    plain = replace(request.workload, time_one_in=_NEVER)
    timed = replace(request.workload, time_one_in=_PILOT_ONE_IN)
    message_ns = _time(plain, request.messages)[0] / request.messages
    messages = request.messages
    if not request.is_count_given:
        messages = max(_TIMED_MIN * _ONE_IN_MIN, round(_RUN_NS / message_ns))
    costs_ns = []
    for number in range(_PILOT_PAIRS):
        request.note(f"a pilot, {number + 1} of {_PILOT_PAIRS}")
        turns = [_time(each, messages)[0] / messages for each in (plain, timed, timed, plain)]
        message_ns = min(message_ns, *turns)
        costs_ns.append((turns[1] + turns[2] - turns[0] - turns[3]) / 2 * _PILOT_ONE_IN)
    cost_ns = max(_TIMED_MESSAGE_NS, *costs_ns)
    wanted = math.ceil(cost_ns / (_INFLUENCE_WANTED * message_ns))
    return messages, max(_ONE_IN_MIN, min(messages // _TIMED_MIN, wanted))


def _time(workload: Workload, messages: int) -> tuple[float, tuple[ProcessReport, ...]]:
    reports = run_workload(workload, messages, wrap=_as_it_is)
    return elapsed_ns_of(reports), reports


def _timers(reports: Sequence[ProcessReport]) -> list[Mapping[str, Any]]:
    return [report.result["timer"] for report in reports]


def _operation_rows(blank: ProfileRow, reports: Sequence[ProcessReport]) -> Iterator[ProfileRow]:
    """For each operation its figures: the median over runs, and the bounds of that."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for report in reports:
        for each in report.result["operations"]:
            found.setdefault((str(each["role"]), str(each["what"])), []).append(each)
    for (role, what), runs in found.items():
        row = replace(blank, role=role, what=what)
        for figure in _FIGURES:
            over_runs = summarise([float(each[figure]) for each in runs], level=_LEVEL)
            assert over_runs is not None
            yield replace(
                row,
                quantity=figure.replace("_", "-"),
                count=over_runs.median,
                low=over_runs.low,
                high=over_runs.high,
            )
        timed = sum(int(each["count"]) for each in runs)
        yield replace(row, quantity="timed-operations", count=float(timed))


def _rate_rows(
    row: ProfileRow, messages: int, times_ns: Sequence[Sequence[float]]
) -> Iterator[ProfileRow]:
    over_runs = summarise([messages / ns * 1e9 for pair in times_ns for ns in pair])
    assert over_runs is not None
    yield replace(
        row,
        role="all",
        count=over_runs.median,
        low=over_runs.low,
        high=over_runs.high,
        messages=messages,
    )


def _cost_rows(
    blank: ProfileRow,
    messages: int,
    plain_ns: Sequence[Sequence[float]],
    timed_ns: Sequence[Sequence[float]],
) -> Iterator[ProfileRow]:
    """The rate with timed calls, and how much longer a message takes than without."""
    yield from _rate_rows(replace(blank, quantity="timed-rate"), messages, timed_ns)
    point, low, high = cost_of(plain_ns, timed_ns)
    yield replace(
        blank,
        role="all",
        quantity="instrumentation-cost",
        count=point,
        low=low,
        high=high,
        messages=messages,
    )


def cost_of(
    plain_ns: Sequence[Sequence[float]], timed_ns: Sequence[Sequence[float]]
) -> tuple[float, float | None, float | None]:
    """By which share timed runs take longer than plain ones, by repetition, and its interval.

    The bounds are None where there are too few repetitions.
    """
    differences = [
        fmean(map(math.log, timed)) - fmean(map(math.log, plain))
        for timed, plain in zip(timed_ns, plain_ns, strict=True)
    ]
    point = hodges_lehmann(differences)
    assert point is not None
    bounds = interval(differences, _LEVEL)
    if bounds is None:
        return math.expm1(point), None, None
    return math.expm1(point), math.expm1(bounds.low), math.expm1(bounds.high)
