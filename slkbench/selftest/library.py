"""The libraries whose fault is known: where they are, and how they are told what to do."""

from __future__ import annotations

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
    "RepeatingLauncher",
    "as_contender",
    "environment",
    "known_library",
    "real_libzmq",
]

LIBZMQ_VARIABLE = "SLKBENCH_REAL_LIBZMQ"
SHARE_VARIABLE = "SLKBENCH_REPEAT"
BURN_VARIABLE = "SLKBENCH_BURN"


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


class RepeatingLauncher:
    """Measures samples of ``repeating.so``, telling each arm what share it repeats."""

    def __init__(
        self, inner: Launcher, effects: Mapping[str, float], libzmq_of: Callable[[str], Path]
    ) -> None:
        """``effects`` are by arm, 0 for others; ``libzmq_of`` is the real library of an arm."""
        self._inner = inner
        self._effects = dict(effects)
        self._libzmq_of = libzmq_of

    def measure(
        self, cell: Cell, slot: Slot, placement: Placement, messages: int, timeout_s: float
    ) -> Sample:
        """See ``Launcher``."""
        values = {
            LIBZMQ_VARIABLE: str(self._libzmq_of(slot.arm.name)),
            # Of the same length for all arms: the environment moves the stack.
            SHARE_VARIABLE: f"{self._effects.get(slot.arm.name, 0.0):012.6f}",
        }
        with environment(values):
            return self._inner.measure(cell, slot, placement, messages, timeout_s)
