"""Medians of an arm in a cell, over the samples in which it was measured, and what they hide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median

from slkbench.model import Cell, Sample, Status
from slkbench.stats.blocks import value_of
from slkbench.stats.noise import Mode, noise_of
from slkbench.stats.verdict import default_statistic

__all__ = ["median_rate", "median_time_ns", "modes_of"]


def median_rate(samples: Iterable[Sample], cell: Cell, arm: str) -> float | None:
    """Messages per second; None without a sample."""
    own = _measured(samples, cell, arm)
    rates = [sample.rate_msgs_per_s for sample in own if sample.rate_msgs_per_s]
    return median(rates) if rates else None


def median_time_ns(
    samples: Iterable[Sample], cell: Cell, arm: str, statistic: str | None = None
) -> float | None:
    """What the cell is judged by, in ns: the time per message, or the median round trip.

    Or else the column ``statistic``.
    """
    asked = statistic or default_statistic(cell.metric)
    values = (value_of(sample, asked) for sample in _measured(samples, cell, arm))
    known = [value for value in values if value is not None]
    return median(known) if known else None


def modes_of(
    samples: Iterable[Sample], cell: Cell, arm: str, statistic: str | None = None
) -> tuple[Mode, ...]:
    """The two ways in which processes run, in ns of what ``median_time_ns`` is of; else ()."""
    noise = noise_of(
        list(_measured(samples, cell, arm)), statistic or default_statistic(cell.metric)
    )
    return () if noise is None else noise.modes


def _measured(samples: Iterable[Sample], cell: Cell, arm: str) -> Iterator[Sample]:
    return (
        sample
        for sample in samples
        if sample.arm == arm and sample.cell_key == cell.key and sample.status == Status.OK
    )
