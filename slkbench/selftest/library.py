"""The libraries whose fault is known: where they are, and how they are told what to do."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from slkbench.contenders import resolve_contenders
from slkbench.errors import UsageError
from slkbench.model import (
    Abi,
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Pattern,
    Placement,
    Sample,
    Scenario,
    Slot,
    Transport,
)
from slkbench.runner.launch import Launcher

__all__ = [
    "SpinningLauncher",
    "as_contender",
    "environment",
    "known_library",
    "real_libzmq",
    "turns_of_sides",
    "work_ns",
]

LIBZMQ_VARIABLE = "SLKBENCH_REAL_LIBZMQ"
TURNS_VARIABLE = "SLKBENCH_SPIN_TURNS"
_REPEATS = 40
_WORK_AT_ONCE_TURNS = 200_000


def known_library(name: str) -> Path:
    """The shared object ``name`` beside this module. Raises UsageError if it was not built."""
    path = Path(__file__).with_name(f"{name}.so")
    if not path.is_file():
        raise UsageError(
            f"{path} is missing; it is built with slkbench: install it with pip install ."
        )
    return path


def real_libzmq() -> Contender:
    """The libzmq that takes part in runs. Raises ContenderError where there is none."""
    cell = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)
    (found,) = resolve_contenders(Scenario("selftest", "?", (cell,), contenders=("libzmq",)))
    return found


def as_contender(name: str, path: Path, like: Contender) -> Contender:
    """The known library ``path`` as a contender; what it forwards to is ``like``."""
    return Contender(
        name,
        Layer.NATIVE,
        ContenderKind.LIBRARY,
        path=str(path),
        abi=Abi.ZMQ,
        version=like.version,
        sha256=like.sha256,
        build_flags=like.build_flags,
    )


def work_ns(turns: float, path: Path | None = None) -> float:
    """What so many turns a call cost, in ns a call beyond a call without any.

    The least of many repeats: what a processor needs that nobody disturbs.
    """
    function = ctypes.CDLL(str(path or known_library("spinning"))).slkbench_work_ns
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_double, ctypes.c_long]
    calls = max(200, min(20_000, int(_WORK_AT_ONCE_TURNS / max(turns, 1.0))))
    costs = [min(function(each, calls) for _ in range(_REPEATS)) for each in (turns, 0.0)]
    return float(costs[0] - costs[1])


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for processes that are started meanwhile."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def turns_of_sides(cell: Cell, turns: float) -> tuple[float, float]:
    """What a call to send and a call to receive have to do, so that either side does ``turns``."""
    # A message to a ROUTER is received in two calls: the routing id and the payload.
    receives = 2 if cell.pattern is Pattern.ROUTER_ROUTER else 1
    return turns, turns / receives


class SpinningLauncher:
    """Measures samples of ``spinning.so``, telling each arm how much extra work it does."""

    def __init__(self, inner: Launcher, turn_ns: float, libzmq_of: Callable[[str], Path]) -> None:
        """``turn_ns`` is the cost of a turn; ``libzmq_of`` the real library of an arm."""
        self._inner = inner
        self._turn_ns = turn_ns
        self._libzmq_of = libzmq_of
        self._extra_ns: dict[tuple[object, str], float] = {}

    def charge(self, cell: Cell, arm: str, call_ns: float) -> None:
        """Let each message cost ``arm`` so much more where it is sent, and where it is received."""
        self._extra_ns[cell.key, arm] = call_ns

    def turns(self, cell: Cell, arm: str) -> float:
        """Turns for each message on either side."""
        return self._extra_ns.get((cell.key, arm), 0.0) / self._turn_ns

    def measure(
        self, cell: Cell, slot: Slot, placement: Placement, messages: int, timeout_s: float
    ) -> Sample:
        """See ``Launcher``."""
        send, receive = turns_of_sides(cell, self.turns(cell, slot.arm.name))
        values = {
            LIBZMQ_VARIABLE: str(self._libzmq_of(slot.arm.name)),
            # Of the same length for all arms: the environment moves the stack.
            TURNS_VARIABLE: f"{send:016.6f} {receive:016.6f}",
        }
        with environment(values):
            return self._inner.measure(cell, slot, placement, messages, timeout_s)
