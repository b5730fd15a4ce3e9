"""The trend over many stored runs: a series of points, and where it steps.

Only runs of one machine, one workload and one build of the baseline make a series; whatever else
was measured is a series of its own.  A point is a run's ratio to the baseline, which the machine's
day cancels from, or where a run has no baseline the time itself.

Steps are sought by PELT with the absolute deviation as cost (Killick et al., JASA 2012; the package
ruptures).  A segment has two runs at least, so one bad run is no step, and the median cost is not
swayed by it.  The penalty is six times the noise between neighbouring runs: simulated for normal,
Laplace and t laws, 8 to 40 runs without any step show one in at most 5 % of series.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

from slkbench.across.differences import build_of
from slkbench.machine import stored_fingerprint
from slkbench.model import ArmRole, Cell, Layer, Sample, Status
from slkbench.plan import baseline_name
from slkbench.stats import default_statistic, discarded_blocks, paired_ratio, summarise, value_of
from slkbench.store import StoredRun

__all__ = ["FEWEST_FOR_STEPS", "Point", "Series", "Step", "trends"]

FEWEST_FOR_STEPS = 8
FEWEST_IN_SEGMENT = 2
PENALTY_OVER_NOISE = 6.0
MIN_STEP = 0.02
_SMALLEST_NOISE = 0.002
_MEDIAN_NORMAL_DIFFERENCE = 0.9539  # of two normal values, in their standard deviation
_DEVIATIONS_OF_95_PERCENT = 1.96
_HASH_LETTERS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """One run's value: a ratio to the baseline, or a time in ns. None bounds: too few blocks."""

    run_id: str
    commit: str
    version: str
    build: str
    value: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Step:
    """The level changed at ``points[index]`` by ``ratio``: after / before, above 1 is slower."""

    index: int
    ratio: float


@dataclass(frozen=True, slots=True)
class Series:
    """A contender in a cell over runs that may be compared, oldest first.

    ``reference`` is the baseline that values are ratios to; None where they are times in ns.
    """

    machine: str
    cell: Cell
    work: str
    contender: str
    reference: str | None
    reference_build: str
    points: tuple[Point, ...]
    steps: tuple[Step, ...]

    @property
    def is_too_short(self) -> bool:
        """Whether there are too few runs to look for steps."""
        return len(self.points) < FEWEST_FOR_STEPS

    @property
    def segments(self) -> tuple[tuple[int, int, float], ...]:
        """First and last index, and the median, of each stretch between steps."""
        starts = [0, *(step.index for step in self.steps), len(self.points)]
        return tuple(
            (start, end - 1, median(point.value for point in self.points[start:end]))
            for start, end in pairwise(starts)
        )


def trends(runs: Iterable[StoredRun], contenders: Sequence[str] = ()) -> tuple[Series, ...]:
    """The series of all contenders, or those named, in the runs; machine by machine.

    There is no point where a contender failed or fell behind its rate, or every block of the run
    was disturbed.
    """
    found: dict[tuple[Any, ...], list[Point]] = {}
    shown: dict[tuple[Any, ...], tuple[str, Cell, str]] = {}
    for run in sorted(runs, key=lambda one: one.run_id):
        machine = stored_fingerprint(dict(run.metadata.get("machine", {}))) or "unknown"
        for cell in run.scenario.cells:
            work = _work(run, cell)
            own = [sample for sample in run.samples if sample.cell_key == cell.key]
            for name, reference in _whom(run, cell, own, contenders):
                point = _point(run, cell, own, name, reference)
                if point is None:
                    continue
                build = _build(run, reference, cell.layer) if reference else ""
                key = (machine, cell.key, work, name, reference, build)
                found.setdefault(key, []).append(point)
                shown[key] = (machine, cell, work)
    series = []
    for key, points in found.items():
        machine, cell, work = shown[key]
        series.append(
            Series(
                machine=machine,
                cell=cell,
                work=work,
                contender=key[3],
                reference=key[4],
                reference_build=key[5],
                points=tuple(points),
                steps=find_steps(points),
            )
        )
    return tuple(sorted(series, key=lambda one: (one.machine, -len(one.points))))


def find_steps(points: Sequence[Point]) -> tuple[Step, ...]:
    """Where the level of the points changes by more than noise and ``MIN_STEP``; () for too few."""
    if len(points) < FEWEST_FOR_STEPS:
        return ()
    import numpy as np
    import ruptures

    logs = np.log([point.value for point in points])
    search = ruptures.Pelt(model="l1", min_size=FEWEST_IN_SEGMENT, jump=1).fit(logs)
    ends = search.predict(pen=PENALTY_OVER_NOISE * _noise(points))
    starts = [0, *ends[:-1]]
    levels = [float(np.median(logs[a:b])) for a, b in zip(starts, ends, strict=True)]
    return tuple(
        Step(int(start), math.exp(after - before))
        for start, before, after in zip(ends[:-1], levels, levels[1:], strict=False)
        if abs(after - before) > math.log1p(MIN_STEP)
    )


def _noise(points: Sequence[Point]) -> float:
    """Standard deviation of ln value from run to run, at least that within the runs."""
    logs = [math.log(point.value) for point in points]
    between = median(abs(b - a) for a, b in pairwise(logs))
    within = [
        math.log(point.high / point.low) / 2 / _DEVIATIONS_OF_95_PERCENT
        for point in points
        if point.low and point.high
    ]
    smallest = median(within) if within else _SMALLEST_NOISE
    return max(between / _MEDIAN_NORMAL_DIFFERENCE, smallest, _SMALLEST_NOISE)


def _whom(
    run: StoredRun, cell: Cell, own: Sequence[Sample], asked: Sequence[str]
) -> list[tuple[str, str | None]]:
    """Each contender with the baseline that it is a ratio to; the baseline itself has none."""
    baseline = baseline_name(run.scenario.baseline, cell.layer)
    roles = {sample.arm: sample.role for sample in own}
    names = [
        name
        for name, role in sorted(roles.items())
        if (name in asked if asked else role == ArmRole.CONTENDER)
    ]
    if not names and not asked:
        names = [baseline] if baseline in roles else []
    return [
        (name, None if name == baseline or baseline not in roles else baseline) for name in names
    ]


def _point(
    run: StoredRun, cell: Cell, own: Sequence[Sample], name: str, reference: str | None
) -> Point | None:
    arm = [sample for sample in own if sample.arm == name]
    base = [sample for sample in own if sample.arm == reference]
    if any(sample.status in {Status.FAILED, Status.SATURATED} for sample in (*arm, *base)):
        return None
    statistic, disturbed = default_statistic(cell.metric), discarded_blocks(own)
    empty = Point(
        run_id=run.run_id,
        commit=str(run.metadata.get("commit") or "")[:_HASH_LETTERS],
        version=next((s.library_version for s in arm if s.library_version), ""),
        build=_build(run, name, cell.layer),
        value=math.nan,
        low=None,
        high=None,
        count=0,
    )
    if reference is not None:
        ratio = paired_ratio(arm, base, statistic, without=disturbed)
        if ratio is None:
            return None
        return replace(empty, value=ratio.point, low=ratio.low, high=ratio.high, count=ratio.blocks)
    values = [
        value
        for sample in arm
        if sample.status == Status.OK
        and (sample.run_id, sample.block) not in disturbed
        and (value := value_of(sample, statistic)) is not None
    ]
    summary = summarise(values)
    if summary is None:
        return None
    return replace(
        empty, value=summary.median, low=summary.low, high=summary.high, count=summary.count
    )


def _build(run: StoredRun, name: str, layer: Layer) -> str:
    return (build_of(run, name, layer) or "unknown")[:_HASH_LETTERS]


def _work(run: StoredRun, cell: Cell) -> str:
    """What must be alike for two runs' values to be points of one series, in words."""
    work = (
        f"{cell.messages} messages"
        if cell.messages is not None
        else f"samples of {run.scenario.min_time_s:g} s"
    )
    placement = run.metadata.get("placement") or {}
    cpus = ("sender_cpus", "receiver_cpus")
    where = "/".join(",".join(map(str, placement.get(name, ()))) or "any" for name in cpus)
    return f"{work}, CPUs {where}"
