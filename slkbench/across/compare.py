"""Two stored runs, cell by cell: what changed from the first to the second, and what besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slkbench.across.differences import Difference, build_of, common_cells, find_differences
from slkbench.errors import UsageError
from slkbench.model import ArmRole, Cell, Status
from slkbench.plan import baseline_name
from slkbench.scenario import cells_named
from slkbench.stats import (
    CPU_PER_MESSAGE,
    P90,
    P99,
    P999,
    Shift,
    default_statistic,
    judge_cell,
    judge_shift,
    level_per_look,
    minimum_effect,
    placebo_reach,
    session_of,
    value_of,
)
from slkbench.store import StoredRun

__all__ = ["NO_REFERENCE", "Comparison", "compare_runs"]

NO_REFERENCE = "none"
"""As a reference: compare times as they are, with the machine's day in them."""

UNPAIRED = (
    "the runs were measured at different times, so this is unpaired, and weaker than a run that "
    "has both libraries as contenders"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from ``first`` to ``second``.

    ``cpu_shifts`` compare CPU time per message, in the order of ``shifts``.  ``tails`` compare p90,
    p99 and p99.9 of round trips, where both runs have 100 beyond it in every process.  ``warnings``
    are for the user, the first of them that the comparison is unpaired.  ``placebos``, in the order
    of ``shifts``, are how far a copy of the baseline may seem to be from it, in each run.
    """

    first: StoredRun
    second: StoredRun
    shifts: tuple[Shift, ...]
    cpu_shifts: tuple[Shift, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    tails: tuple[Shift, ...] = ()
    placebos: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def sessions(self) -> tuple[str, str]:
        """When the session of each run began; empty if that is not known."""
        return session_of(self.first.samples), session_of(self.second.samples)


def compare_runs(
    first: StoredRun,
    second: StoredRun,
    *,
    contenders: Sequence[str] = (),
    reference: str | None = None,
    min_effect: float | None = None,
    globs: Sequence[str] = (),
    force: bool = False,
) -> Comparison:
    """Compare every contender that both runs have, or those named, in every cell that both have.

    ``globs`` leave those of these cells of whose title a part fits one of them.
    ``reference`` is the contender whose time theirs is a ratio to; None takes the baseline where it
    is the same build in both runs, ``NO_REFERENCE`` none at all.  Raises ``UsageError`` for runs of
    another machine or workload unless ``force`` is set, for a run and itself, for runs without a
    contender in common, and for names that the runs do not have.
    """
    if first.path.resolve() == second.path.resolve():
        raise UsageError(f"both names mean the run {first.run_id}; name another one")
    if not (cells := common_cells(first, second)):
        is_paced = any(cell.offered_msgs_per_s for cell in second.scenario.cells)
        hint = "; a --rate of 50% is another one in each run, so give it as 10k" * is_paced
        raise UsageError(
            f"{first.run_id} and {second.run_id} have no cell in common; compare runs of one "
            f"scenario, or of the same --pattern, --transport and --size{hint}"
        )
    cells = cells_named(cells, globs)
    differences = find_differences(first, second)
    barriers = [each.text for each in differences if each.is_barrier]
    if barriers and not force:
        raise UsageError(
            f"{first.run_id} and {second.run_id} cannot be compared: {'; '.join(barriers)}. "
            "--force compares them anyway"
        )
    _check_names(first, second, (*contenders, *([reference] if reference else [])))
    level = max(level_per_look(run.scenario) for run in (first, second))
    shifts: list[Shift] = []
    cpu_shifts: list[Shift] = []
    tails: list[Shift] = []
    for cell in cells:
        common = _reference_in(cell, first, second, reference)
        for name in _names_in(cell, first, second, contenders, common):
            against = None if name == common else common
            asked = [(shifts, default_statistic(cell.metric)), (cpu_shifts, CPU_PER_MESSAGE)]
            arms = [each for each in (name, against) if each is not None]
            asked += [(tails, tail) for tail in _tails_in(cell, first, second, arms)]
            for found, statistic in asked:
                found.append(
                    judge_shift(
                        cell,
                        first.samples,
                        second.samples,
                        name,
                        level=level,
                        min_effect=_effect(second, statistic, min_effect),
                        reference=against,
                        control=_control_in(cell, first, second, name),
                        statistic=statistic,
                    )
                )
    if not shifts:
        raise UsageError(
            f"{first.run_id} and {second.run_id} have no contender in common; `slkbench show RUN` "
            "tells a run's contenders"
        )
    warnings = (UNPAIRED, *_warnings((first, second), shifts, barriers))
    judged = tuple(shifts), tuple(cpu_shifts)
    placebos = _placebos(first, second, shifts)
    return Comparison(first, second, *judged, differences, warnings, tuple(tails), placebos)


def _placebos(
    first: StoredRun, second: StoredRun, shifts: Sequence[Shift]
) -> tuple[tuple[float | None, float | None], ...]:
    cells = dict.fromkeys(shift.cell for shift in shifts)
    known = {cell: (_placebo_in(cell, first), _placebo_in(cell, second)) for cell in cells}
    return tuple(known[shift.cell] for shift in shifts)


def _placebo_in(cell: Cell, run: StoredRun) -> float | None:
    """How far a copy of the baseline may seem to be from it; None where none took part."""
    reaches = map(placebo_reach, judge_cell(cell, run.samples, run.scenario))
    return next((reach for reach in reaches if reach is not None), None)


def _tails_in(
    cell: Cell, first: StoredRun, second: StoredRun, arms: Sequence[str]
) -> tuple[str, ...]:
    """The percentiles beyond the median that every process of ``arms`` has, in both runs."""
    if not cell.metric.times_round_trips:
        return ()
    measured = [
        sample
        for run in (first, second)
        for sample in run.samples
        if sample.cell_key == cell.key and sample.arm in arms and sample.status == Status.OK
    ]
    return tuple(
        tail
        for tail in (P90, P99, P999)
        if measured and all(value_of(sample, tail) is not None for sample in measured)
    )


def _effect(run: StoredRun, statistic: str, asked: float | None) -> float:
    return minimum_effect(run.scenario, statistic) if asked is None else asked


def _warnings(
    runs: Sequence[StoredRun], shifts: Sequence[Shift], barriers: Sequence[str]
) -> list[str]:
    warnings = [
        f"{run.run_id} is {status}: what it has so far is compared"
        for run in runs
        if (status := run.metadata.get("status", "complete")) != "complete"
    ]
    if bare := [each for each in shifts if each.reference is None]:
        cells = len({each.cell.key for each in bare})
        warnings.append(
            f"in {cells} cell{'s' * (cells != 1)} times are compared as they are: how fast the "
            "machine was on each day is in them"
        )
    if barriers:
        warnings.append("forced: what changed may be the machine or the workload")
    return warnings


def _check_names(first: StoredRun, second: StoredRun, names: Sequence[str]) -> None:
    for run in (first, second):
        known = sorted({sample.arm for sample in run.samples if sample.role != ArmRole.PLACEBO})
        for name in names:
            if name not in known and name != NO_REFERENCE:
                raise UsageError(f"{run.run_id} has no contender {name!r}, only {', '.join(known)}")


def _reference_in(cell: Cell, first: StoredRun, second: StoredRun, asked: str | None) -> str | None:
    """The arm that the others are a ratio to; only what is the same build in both runs can be."""
    if asked == NO_REFERENCE:
        return None
    names = [asked or baseline_name(run.scenario.baseline, cell.layer) for run in (first, second)]
    return names[0] if names[0] == names[1] and _is_same(cell, first, second, names[0]) else None


def _control_in(cell: Cell, first: StoredRun, second: StoredRun, contender: str) -> str | None:
    """The baseline, where it is the same build in both runs and not what is asked for."""
    baseline = baseline_name(second.scenario.baseline, cell.layer)
    is_usable = baseline != contender and _is_same(cell, first, second, baseline)
    return baseline if is_usable else None


def _is_same(cell: Cell, first: StoredRun, second: StoredRun, name: str) -> bool:
    was, now = (build_of(run, name, cell.layer) for run in (first, second))
    return was is not None and was == now and all(_arms(cell, run, name) for run in (first, second))


def _arms(cell: Cell, run: StoredRun, name: str) -> bool:
    return any(sample.arm == name and sample.cell_key == cell.key for sample in run.samples)


def _names_in(
    cell: Cell,
    first: StoredRun,
    second: StoredRun,
    asked: Sequence[str],
    reference: str | None,
) -> list[str]:
    """Whom to compare: those named; else all that both have but the floor and the reference.

    Where both have nobody else, it is the reference.
    """
    if asked:
        return list(dict.fromkeys(asked))
    old, new = (
        dict.fromkeys(
            sample.arm
            for sample in run.samples
            if sample.cell_key == cell.key and sample.role in {ArmRole.BASELINE, ArmRole.CONTENDER}
        )
        for run in (first, second)
    )
    common = sorted(name for name in new if name in old)
    return [name for name in common if name != reference] or common
