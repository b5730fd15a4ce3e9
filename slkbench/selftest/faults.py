"""Libraries that lose, repeat, reorder or spoil messages, crash or hang: each must be named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Pattern,
    Placement,
    Sample,
    Slot,
    Status,
    Transport,
)
from slkbench.runner.launch import ProcessLauncher
from slkbench.selftest.library import (
    LIBZMQ_VARIABLE,
    as_contender,
    environment,
    known_library,
    real_libzmq,
)

__all__ = ["FAULTS", "FaultOutcome", "measure_faults"]

_CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
_MESSAGES = 12_000
_TIMEOUT_S = 4.0
_STALL_S = 1.0
# A library that is slow to start is as fast as any once it has.
_MAX_TIME_PER_MESSAGE_NS = 100_000.0


def _is_told(*words: str) -> Callable[[Sample], bool]:
    def check(sample: Sample) -> bool:
        reason = sample.reason or ""
        return sample.status == Status.FAILED and any(word in reason for word in words)

    return check


def _is_not_blamed(sample: Sample) -> bool:
    time_ns = sample.time_per_message_ns
    return sample.status == Status.OK and time_ns is not None and time_ns < _MAX_TIME_PER_MESSAGE_NS


FAULTS: dict[str, Callable[[Sample], bool]] = {
    "dropping": _is_told("lost "),
    "duplicating": _is_told("duplicate: "),
    "reordering": _is_told("reordered: "),
    "corrupting": _is_told("corrupt: "),
    "truncating": _is_told("wrong size: "),
    "crashing": _is_told("killed by SIGSEGV"),
    "hanging": _is_told("hang: ", "then no progress"),
    "hanging_at_end": _is_told("did not end within"),
    "slow_start": _is_not_blamed,
}
"""Each known fault, and whether a sample of it says so."""


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """What was said of a library with a known fault."""

    fault: str
    is_named: bool
    said: str


def measure_faults(faults: Iterable[str] = FAULTS) -> Iterator[FaultOutcome]:
    """Measure each of ``faults`` once, in a second or a few."""
    libzmq = real_libzmq()
    launcher = ProcessLauncher(stall_s=_STALL_S, close_s=_STALL_S)
    for fault in faults:
        is_named = FAULTS[fault]
        contender = as_contender(fault, known_library(fault), libzmq)
        slot = Slot(0, 0, Arm(fault, contender, ArmRole.CONTENDER), 0)
        with environment({LIBZMQ_VARIABLE: libzmq.path}):
            sample = launcher.measure(_CELL, slot, Placement(), _MESSAGES, _TIMEOUT_S)
        said = sample.reason or "OK, and its start is not counted as time per message"
        yield FaultOutcome(fault, is_named(sample), said)
