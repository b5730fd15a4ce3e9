"""Means with Student's interval, for few values of which each is a mean itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from slkbench.stats.signed_rank import Interval

__all__ = ["mean_interval"]


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """The mean of ``values`` and its bounds, if they are normal; None for fewer than two."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    half = float(t.ppf((1 + level) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    point = fmean(values)
    return Interval(point, point - half, point + half, level)
