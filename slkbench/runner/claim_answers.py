"""The answer to a test of a claim: one value, how sure it is, and what measures it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from slkbench.model import Cell, Pattern
from slkbench.scenario.claims import ClaimTest

__all__ = [
    "ONE_CORE_RUN",
    "RUN",
    "Answer",
    "ClaimVerdict",
    "cells_of",
    "command_for",
    "listed",
    "not_there",
    "surest",
    "tool_of",
]

RUN = "run"
"""What measures samples, where others are profiled."""

ONE_CORE_RUN = "run on one core"
"""The same with both application threads on one core."""


class ClaimVerdict(StrEnum):
    """What is to be thought of a claim."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    CANNOT_TELL = "CAN'T TELL"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a test measured; ``source`` is the run or profile, ``reason`` why there is nothing.

    Without bounds the value is not known well enough to judge by; ``is_final`` is what no further
    measurement mends.  ``floor`` is what bare sockets, or a bare ring, reach in the same run.
    """

    test: ClaimTest
    value: float | None = None
    low: float | None = None
    high: float | None = None
    source: str = ""
    reason: str = ""
    is_final: bool = False
    floor: float | None = None

    @property
    def verdict(self) -> ClaimVerdict:
        """Of this test alone."""
        if self.low is None or self.high is None:
            return ClaimVerdict.CANNOT_TELL
        within, beyond = ClaimVerdict.SUPPORTED, ClaimVerdict.REFUTED
        if self.test.outside:
            within, beyond = beyond, within
        if self.test.low <= self.low and self.high <= self.test.high:
            return within
        if self.high < self.test.low or self.low > self.test.high:
            return beyond
        return ClaimVerdict.CANNOT_TELL

    @property
    def is_missing(self) -> bool:
        """Whether another measurement could say more: there is none, or none with an interval."""
        return (self.low is None or self.high is None) and not self.is_final


def tool_of(test: ClaimTest) -> str:
    """A run of either kind, or the profile that measures what the test asks for."""
    run = ONE_CORE_RUN if test.one_core else RUN
    return {
        "operation-us": "operations",
        "instrumentation": "operations",
        "timed-rate": "operations",
        "option": "syscalls",
        "share": "cpu",
        "build": "builds",
    }.get(test.measure, test.tool or run)


def cells_of(test: ClaimTest) -> tuple[Cell, ...]:
    """Where the test measures: its cell, and the one that is compared with it."""
    if test.instead is not None:
        return (test.cell, test.instead)
    if test.measure == "pattern-ratio":
        return tuple(replace(test.cell, pattern=pattern) for pattern in Pattern)
    return (test.cell,)


def command_for(test: ClaimTest) -> str:
    """What a user may call to have it measured."""
    tool = tool_of(test)
    verb = {RUN: RUN, ONE_CORE_RUN: f"{RUN} --affinity 0"}.get(tool, f"profile {tool}")
    parts = [f"slkbench {verb}", f"--transport {test.cell.transport}"]
    parts.append(f"--size {test.cell.size_bytes}")
    parts += [f"--pattern {name}" for name in dict.fromkeys(c.pattern for c in cells_of(test))]
    if tool in {RUN, ONE_CORE_RUN}:
        parts += _unusual_conditions(test.cell)
        if test.against not in {None, "libzmq", "serverlink"}:
            parts += [f"--contender {name}" for name in (test.contender, test.against)]
    if tool == "builds":
        parts.append(f"--variant {test.against} --variant {test.what}")
    return " ".join(parts)


def _unusual_conditions(cell: Cell) -> Iterator[str]:
    """What ``slkbench run`` has to be told of, beyond pattern, transport and size."""
    usual = Cell(cell.pattern, cell.transport, cell.size_bytes)
    options = {
        "layer": "layer",
        "topology": "topology",
        "metric": "metric",
        "io_threads": "io-threads",
        "sndhwm": "hwm",
        "senders": "senders",
        "receivers": "receivers",
        "idle_peers": "idle-peers",
        "offered_msgs_per_s": "rate",
        "messages": "count",
    }
    for name, option in options.items():
        if (value := getattr(cell, name)) != getattr(usual, name):
            yield f"--{option} {value}"


def not_there(test: ClaimTest) -> Answer:
    """Nothing is stored; the reason names the command."""
    return Answer(test, reason=f"not measured: {command_for(test)}")


def surest(test: ClaimTest, found: Iterable[Answer]) -> Answer:
    """The first that has an interval, else the first, else that there is none."""
    answers = list(found)
    for each in answers:
        if each.low is not None and each.high is not None:
            return each
    if not answers:
        return not_there(test)
    reason = f"too few blocks for an interval: {command_for(test)}"
    return replace(answers[0], reason=reason)


def listed(names: Iterable[str]) -> str:
    """Each name once."""
    return ", ".join(dict.fromkeys(names))
