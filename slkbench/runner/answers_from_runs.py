"""What the samples of runs say to the test of a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from slkbench.model import ArmRole, Sample
from slkbench.runner.archive import Archive
from slkbench.runner.claim_answers import Answer, cells_of, surest
from slkbench.scenario.claims import ClaimTest
from slkbench.stats import (
    CPU_PER_MESSAGE,
    TIME_PER_MESSAGE,
    Ratio,
    default_statistic,
    discarded_blocks,
    paired_ratio,
    summarise,
)
from slkbench.stats.latency import PERCENTILES

__all__ = ["FROM_RUNS"]

_FLOOR = ArmRole.FLOOR.value
_COLUMNS = {name: column for column, (name, _) in PERCENTILES.items()}


def _paired(test: ClaimTest, archive: Archive, statistic: str) -> Iterator[tuple[str, Ratio]]:
    """By run: the statistic of the contender / that of the other one in the same cell."""
    assert test.against is not None
    arms = (test.contender, test.against)
    for name, samples in archive.cell_samples(test.cell, arms, one_core=test.one_core):
        own, others = ([one for one in samples if one.arm == arm] for arm in arms)
        ratio = paired_ratio(own, others, statistic, without=discarded_blocks(samples))
        if ratio is not None:
            yield name, ratio


def _inverse(test: ClaimTest, name: str, ratio: Ratio, offset: float = 0.0) -> Answer:
    low, high = (None if b is None else 1 / b + offset for b in (ratio.high, ratio.low))
    return Answer(test, 1 / ratio.point + offset, low, high, name)


def _gap(test: ClaimTest, archive: Archive) -> Answer:
    found = _paired(test, archive, TIME_PER_MESSAGE)
    return surest(test, (_inverse(test, name, ratio, -1.0) for name, ratio in found))


def _rate_ratio(test: ClaimTest, archive: Archive) -> Answer:
    found = _paired(test, archive, TIME_PER_MESSAGE)
    answer = surest(test, (_inverse(test, name, ratio) for name, ratio in found))
    if _FLOOR in {test.contender, test.against}:
        return answer
    # Which share of what is possible: a claim that does not hold may be beyond it.
    of_floor = _paired(replace(test, contender=_FLOOR), archive, TIME_PER_MESSAGE)
    floors = (1 / ratio.point for name, ratio in of_floor if name == answer.source)
    return replace(answer, floor=next(floors, None))


def _cpu_ratio(test: ClaimTest, archive: Archive) -> Answer:
    found = _paired(test, archive, CPU_PER_MESSAGE)
    return surest(test, (_as_it_is(test, name, ratio) for name, ratio in found))


def _round_trip_ratio(test: ClaimTest, archive: Archive) -> Answer:
    found = _paired(test, archive, _COLUMNS[test.figure])
    return surest(test, (_as_it_is(test, name, ratio) for name, ratio in found))


def _as_it_is(test: ClaimTest, name: str, ratio: Ratio) -> Answer:
    return Answer(test, ratio.point, ratio.low, ratio.high, name)


def _rate(test: ClaimTest, archive: Archive) -> Answer:
    return _middle(test, archive, lambda one: one.rate_msgs_per_s or None)


def _sample(test: ClaimTest, archive: Archive) -> Answer:
    return _middle(test, archive, lambda one: getattr(one, test.what))


def _middle(test: ClaimTest, archive: Archive, figure: Callable[[Sample], float | None]) -> Answer:
    """The median over samples."""
    answers = []
    for name, samples in archive.cell_samples(test.cell, (test.contender,), one_core=test.one_core):
        disturbed = discarded_blocks(samples)
        values = [
            value
            for one in samples
            if (value := figure(one)) is not None and (one.run_id, one.block) not in disturbed
        ]
        found = summarise(values)
        if found is not None:
            answers.append(Answer(test, found.median, found.low, found.high, name))
    return surest(test, answers)


def _cell_ratio(test: ClaimTest, archive: Archive) -> Answer:
    """Time in one cell / time in the other, of runs that have both, paired by block."""
    first, second = cells_of(test)
    arms = (test.contender,)
    others = dict(archive.cell_samples(second, arms, one_core=test.one_core))
    found = []
    for name, samples in archive.cell_samples(first, arms, one_core=test.one_core):
        if name not in others:
            continue
        disturbed = {*discarded_blocks(samples), *discarded_blocks(others[name])}
        ratio = paired_ratio(
            samples, others[name], default_statistic(first.metric), without=disturbed
        )
        if ratio is not None:
            found.append(_as_it_is(test, name, ratio))
    return surest(test, found)


FROM_RUNS: dict[str, Callable[[ClaimTest, Archive], Answer]] = {
    "gap": _gap,
    "rate": _rate,
    "rate-ratio": _rate_ratio,
    "cpu-ratio": _cpu_ratio,
    "round-trip-ratio": _round_trip_ratio,
    "cell-ratio": _cell_ratio,
    "pattern-ratio": _cell_ratio,
    "sample": _sample,
}
"""By measure: the newest run's answer that has an interval, or the newest at all."""
