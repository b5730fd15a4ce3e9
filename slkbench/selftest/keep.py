"""Copies of libzmq with a known extra cost that work by themselves: to try a gate on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from slkbench.disk import disk_errors
from slkbench.errors import UsageError
from slkbench.model import Cell
from slkbench.runner.placement import choose_placement, usable_cores
from slkbench.selftest.known import charge_cell, process_bench
from slkbench.selftest.library import known_library, real_libzmq, turns_of_sides

__all__ = ["keep_libraries"]

_KEPT = b"slkbench kept: "
_KEPT_BYTES = 4096


def keep_libraries(
    folder: Path, cell: Cell, effects: Sequence[float], *, min_time_s: float, scratch: Path
) -> tuple[Path, ...]:
    """Write ``libzmq-plus-0.so``, and one for each of ``effects`` of the time that ``cell`` takes.

    Raises UsageError where there is no room for them, and ContenderFailedError where libzmq fails.
    """
    bench = process_bench(effects, scratch)
    placement = choose_placement(None, usable_cores(os.sched_getaffinity(0)))
    _, charges = charge_cell(bench, cell, effects, min_time_s=min_time_s, placement=placement)
    calls = 4 if cell.metric.times_round_trips else 1
    wanted = [(0.0, 0.0), *((each.effect, each.aimed_ns / calls) for each in charges)]
    image = known_library("spinning").read_bytes()
    paths = []
    with disk_errors("write libraries to", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for effect, call_ns in wanted:
            path = folder / f"libzmq-plus-{effect * 100:g}.so"
            turns = turns_of_sides(cell, call_ns / bench.turn_ns)
            path.write_bytes(_with_turns(image, turns, real_libzmq().path))
            paths.append(path)
    return tuple(paths)


def _with_turns(image: bytes, turns: tuple[float, float], libzmq: str) -> bytes:
    place = image.find(_KEPT)
    text = _KEPT + f"{turns[0]:.6f} {turns[1]:.6f} {libzmq}".encode()
    if place < 0 or len(text) >= _KEPT_BYTES:
        raise UsageError(f"{libzmq} has too long a path, or slkbench was built without its place")
    return image[:place] + text + image[place + len(text) :]
