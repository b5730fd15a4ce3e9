"""Known slowdowns in instructions: libzmq with a known number of them more for each message.

Counting is slow, and small effects take few messages here, where a library that does some of them
twice would repeat none: ``burning.so`` turns in a loop before it passes a message on.  How many
instructions a turn and the passing on are is found by counting; the turns of an effect follow from
that.  Counts hardly vary, so there is no interval: an effect is known to within the extremes of
what was counted.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from slkbench.model import Cell, Contender, Metric, Pattern, Placement, Transport, VerdictKind
from slkbench.profile.counting import Request
from slkbench.profile.instructions import profile_instructions
from slkbench.profile.workload import LOCKSTEP, ProfileFailure, Workload
from slkbench.selftest.library import BURN_VARIABLE, LIBZMQ_VARIABLE, as_contender, environment
from slkbench.stats import judge_extremes

__all__ = ["Count", "InstructionTrial", "callgrind_count", "lack_of_valgrind", "measure_effects"]

PLAIN, COPY, BURNING = "libzmq", "copy", "burning"
Count = Callable[[Cell, str, int], float]
"""Instructions per message in a cell, of PLAIN, COPY, or BURNING with so many turns of its loop.
Raises ProfileFailure."""

_CELLS = (
    (Pattern.PUSH_PULL, Transport.INPROC),
    (Pattern.PUSH_PULL, Transport.TCP),
    (Pattern.ROUTER_ROUTER, Transport.TCP),
)
_SIZE_BYTES = 64
_TIMES = 2
_MESSAGES = 4000  # over tcp, what I/O threads do at once varies; 1000 left 3 % of noise
_TIMEOUT_S = 60.0
_CALIBRATING_TURNS = 1000
MIN_EFFECT = 0.02


@dataclass(frozen=True, slots=True)
class InstructionTrial:
    """One known number of instructions more, and what was counted.

    ``effect`` is what was asked for, ``truth`` the ratio that whole turns make of it; 0 and 1 are
    the copy's.  ``plain`` is libzmq's own number per message.  ``ratio`` is that of what was
    counted, with the extremes over all counts.  ``reason`` says why there is none.
    """

    cell: str
    effect: float
    truth: float | None = None
    plain: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @property
    def kind(self) -> VerdictKind:
        """As of time: beyond 2 % slower or faster, within it equivalent."""
        if self.low is None or self.high is None:
            return VerdictKind.INVALID
        return judge_extremes(self.low, self.high, MIN_EFFECT)


def lack_of_valgrind() -> str:
    """Why nothing can be counted; empty where it can."""
    if shutil.which("valgrind") is not None:
        return ""
    return "valgrind is missing, install it (on Debian and Ubuntu: apt install valgrind)"


def callgrind_count(libzmq: Contender, copy: Path, burning: Path) -> Count:
    """Counts by callgrind; ``copy`` is a copy of libzmq's file."""
    contenders = {
        PLAIN: libzmq,
        COPY: replace(libzmq, path=str(copy)),
        BURNING: as_contender(BURNING, burning, libzmq),
    }

    def count(cell: Cell, arm: str, turns: int) -> float:
        workload = Workload(cell, contenders[arm], LOCKSTEP, Placement(), _TIMEOUT_S)
        # Of the same length for all arms: the environment moves the stack.
        values = {LIBZMQ_VARIABLE: libzmq.path, BURN_VARIABLE: f"{turns:09d}"}
        with environment(values):
            rows = profile_instructions(Request(workload, _MESSAGES))
        for row in rows:
            whole = (row.role, row.what, row.quantity) == ("all", "all", "instructions")
            if whole and row.per_message:
                return row.per_message
        raise ProfileFailure("callgrind counted no instructions")

    return count


def measure_effects(
    count: Count,
    cells: Sequence[Cell],
    effects: Sequence[float],
    lack_of_tool: Callable[[], str] = lack_of_valgrind,
) -> Iterator[InstructionTrial]:
    """The copy and each of ``effects`` in those of ``cells`` that this is tried in.

    One with a reason for each cell in which nothing can be counted.
    """
    for cell in cells:
        is_small_stream = cell.metric is Metric.THROUGHPUT and cell.size_bytes == _SIZE_BYTES
        if not is_small_stream or (cell.pattern, cell.transport) not in _CELLS:
            continue
        if lack := lack_of_tool():
            yield InstructionTrial(cell.title, 0.0, reason=lack)
            continue
        try:
            yield from _measure_cell(count, cell, effects)
        except ProfileFailure as failure:
            yield InstructionTrial(cell.title, 0.0, reason=f"counting failed: {failure}")


def _measure_cell(count: Count, cell: Cell, effects: Sequence[float]) -> Iterator[InstructionTrial]:
    plain = [count(cell, PLAIN, 0) for _ in range(_TIMES)]
    own = sum(plain) / len(plain)
    passed_on = sum(count(cell, BURNING, 0) for _ in range(_TIMES)) / _TIMES
    more = count(cell, BURNING, _CALIBRATING_TURNS) - passed_on
    # Whole instructions: what is left over is noise.
    turn = max(1, round(more / _CALIBRATING_TURNS))
    yield _trial(cell, 0.0, 1.0, plain, [count(cell, COPY, 0) for _ in range(_TIMES)])
    for effect in effects:
        turns = max(0, round((own * (1 + effect) - passed_on) / turn))
        truth = (passed_on + turns * turn) / own
        counted = [count(cell, BURNING, turns) for _ in range(_TIMES)]
        yield _trial(cell, effect, truth, plain, counted)


def _trial(
    cell: Cell, effect: float, truth: float, plain: Sequence[float], counted: Sequence[float]
) -> InstructionTrial:
    ratios = [slowed / usual for slowed, usual in product(counted, plain)]
    return InstructionTrial(
        cell.title,
        effect,
        truth,
        sum(plain) / len(plain),
        sum(counted) / sum(plain),
        min(ratios),
        max(ratios),
    )
