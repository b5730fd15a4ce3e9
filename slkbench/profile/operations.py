"""How long single calls of a library take, timed by the driver in a run as it is sampled.

One message in some has its calls timed, so that timing changes little; how little is measured too:
runs without timed calls, with some and with those of every message take turns, and the cost is the
paired difference of their times.  All three run the same machine code, or where that lies in memory
would be part of the difference.  How many is some, a pilot tells: beside its looks at the timer, a
message that is timed has branches mispredicted and makes the other thread wait.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Any

from slkbench.model import ProfileRow
from slkbench.profile.counting import Request, known_row
from slkbench.profile.workload import ProcessReport, Workload, elapsed_ns_of, run_workload
from slkbench.stats import hodges_lehmann, interval, summarise

__all__ = ["EVERY", "INFLUENCE_MAX", "TOOL", "profile_operations"]

TOOL = "operations"
EVERY = "every"
"""What rows are about that are not of some timed messages but of timing each of them."""

INFLUENCE_MAX = 0.02
"""The share of a message's time that timing some of them is to cost at most."""

_LEVEL = 0.95
_NEVER = -1
# Two looks at the timer for each of two frames and one at the end.
_TIMED_MESSAGE_NS = 200.0
_INFLUENCE_WANTED = 0.004
_ONE_IN_MIN = 16
_PILOT_ONE_IN = 50
_PILOT_PAIRS = 3
# Long enough that a process's start and end are no part of it, for a message of any speed.
_RUN_NS = 0.4e9
_TIMED_MIN = 200  # in a run, for its p99
_FIGURES = ("mean_ns", "p50_ns", "p99_ns", "max_ns")


def profile_operations(request: Request) -> list[ProfileRow]:
    """Rows of one contender in one cell. Raises ProfileFailure."""
    messages, one_in = _pilot(request)
    arms = [replace(request.workload, time_one_in=each) for each in (_NEVER, one_in, 1)]
    plain_ns: list[list[float]] = []
    timed_ns: list[list[float]] = []
    every_ns: list[list[float]] = []
    reports: list[ProcessReport] = []
    for number in range(request.repetitions):
        request.note(f"timing one in {one_in}, repetition {number + 1} of {request.repetitions}")
        # Mirrored, so that drift cancels.
        turns = [_time(each, messages) for each in (*arms, *reversed(arms))]
        for times_ns, place in ((plain_ns, 0), (timed_ns, 1), (every_ns, 2)):
            times_ns.append([turns[place][0], turns[-1 - place][0]])
        reports += [report for each in (turns[1], turns[-2]) for report in each[1]]
    blank = known_row(TOOL, request, reports)
    return [
        *_operation_rows(blank, reports),
        *_rate_rows(replace(blank, quantity="rate"), messages, plain_ns),
        *_cost_rows(blank, messages, plain_ns, timed_ns),
        *_cost_rows(replace(blank, what=EVERY), messages, plain_ns, every_ns),
        replace(blank, role="harness", quantity="timed-one-in", count=float(one_in)),
        replace(
            blank,
            role="harness",
            what=str(_timers(reports)[0]["name"]),
            quantity="timer-cost-ns",
            count=median(float(each["cost_ns"]) for each in _timers(reports)),
        ),
    ]


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
        messages = max(messages, round(_RUN_NS / message_ns))
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
    differences = [
        fmean(map(math.log, timed)) - fmean(map(math.log, plain))
        for timed, plain in zip(timed_ns, plain_ns, strict=True)
    ]
    point = hodges_lehmann(differences)
    assert point is not None
    bounds = interval(differences, _LEVEL)
    yield replace(
        blank,
        role="all",
        quantity="instrumentation-cost",
        count=math.expm1(point),
        low=math.expm1(bounds.low) if bounds else None,
        high=math.expm1(bounds.high) if bounds else None,
        messages=messages,
    )
