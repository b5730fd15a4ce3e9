"""From a run's folder to what explains its gaps: its samples and its cpu profile, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slkbench.model import ArmRole, Cell, Pattern, ProfileRow
from slkbench.profile.accounting import (
    Account,
    Difference,
    accounts_of,
    explain_cell,
    explain_pattern,
)
from slkbench.profile.cpu import TOOL
from slkbench.runner.profile_folder import cell_of_row, profiles_in
from slkbench.runner.profiling import can_profile
from slkbench.store import StoredRun

__all__ = ["Explanation", "explain_run", "unprofiled_cells"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The gaps of a run, explained: each by the limiting threads, then by all threads."""

    gaps: tuple[tuple[Difference, ...], ...]
    patterns: tuple[tuple[Difference, ...], ...]


def explain_run(
    run: StoredRun, is_wanted: Callable[[Cell], bool] = lambda _cell: True
) -> Explanation:
    """Whatever the cpu profile in the run's folder can explain; nothing without one."""
    rows = profiles_in(run.path).get(TOOL, ())
    cores = _cores(run)
    cells = [cell for cell in _cells(run) if is_wanted(cell)]
    by_cell = {cell: _rows_of(rows, cell) for cell in cells}
    baseline = run.scenario.baseline
    judged = [
        name
        for name in dict.fromkeys(one.arm for one in run.samples if one.role == ArmRole.CONTENDER)
        if name != baseline
    ]
    gaps = []
    for cell in cells:
        for name in judged:
            pairs = _pairs(
                accounts_of(by_cell[cell], baseline, cores), accounts_of(by_cell[cell], name, cores)
            )
            gaps.append(explain_cell(cell, (baseline, name), run.samples, pairs))
    patterns = []
    for cell in cells:
        twin = replace(cell, pattern=Pattern.PUSH_PULL)
        if cell.pattern is not Pattern.ROUTER_ROUTER or twin not in by_cell:
            continue
        for name in (baseline, *judged):
            pairs = _pairs(
                accounts_of(by_cell[twin], name, cores), accounts_of(by_cell[cell], name, cores)
            )
            patterns.append(explain_pattern(cell, twin, name, run.samples, pairs))
    return Explanation(
        tuple(tuple(each) for each in gaps if each), tuple(tuple(each) for each in patterns if each)
    )


def unprofiled_cells(run: StoredRun) -> tuple[Cell, ...]:
    """Cells that could have a cpu profile and have none of every contender."""
    rows = profiles_in(run.path).get(TOOL, ())
    judged = {one.arm for one in run.samples if one.role in (ArmRole.CONTENDER, ArmRole.BASELINE)}
    return tuple(
        cell
        for cell in _cells(run)
        if not judged <= {row.contender for row in _rows_of(rows, cell)}
    )


def _cells(run: StoredRun) -> list[Cell]:
    return list(
        dict.fromkeys(
            replace(cell, messages=None) for cell in run.scenario.cells if can_profile(cell)
        )
    )


def _cores(run: StoredRun) -> int:
    machine: Any = run.metadata.get("machine")
    usable = machine.get("usable_cpus") if isinstance(machine, dict) else None
    return max(1, len(usable or ()))


def _rows_of(rows: Sequence[ProfileRow], cell: Cell) -> list[ProfileRow]:
    wanted = (
        *(cell.pattern.value, cell.transport.value, cell.topology.value, cell.size_bytes),
        *(cell.io_threads, cell.sndhwm, cell.rcvhwm),
    )
    return [row for row in rows if cell_of_row(row) == wanted]


def _pairs(first: list[Account], second: list[Account]) -> list[tuple[Account, Account]]:
    return list(zip(first, second, strict=False))
