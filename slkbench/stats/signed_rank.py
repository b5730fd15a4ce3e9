"""The Hodges-Lehmann estimate and its exact intervals, paired and unpaired, over plain arrays.

References: Hollander, Wolfe, Chicken, "Nonparametric Statistical Methods", 3rd ed., chapters 3
(signed rank, Walsh averages) and 4 (rank sum, two-sample shift).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = [
    "Array",
    "Interval",
    "Values",
    "exact_level",
    "hodges_lehmann",
    "interval",
    "p_value",
    "rank_k",
    "shift_interval",
    "shift_p_value",
    "walsh_averages",
]

Array = NDArray[np.float64]
Values = Sequence[float] | Array

MAX_PAIRS_COUNTED = 20_000
"""Above so many pairs of values the rank sum is taken as normal, which then errs by < 1e-3."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A point and its bounds, in the unit of the input; ``level`` is the exact coverage."""

    point: float
    low: float
    high: float
    level: float


def hodges_lehmann(values: Values) -> float | None:
    """The median of the Walsh averages; None for no values."""
    averages = walsh_averages(values)
    return float(np.median(averages)) if averages.size else None


def walsh_averages(values: Values) -> NDArray[np.float64]:
    """The n(n+1)/2 means of all pairs, each value paired with itself too, in ascending order.

    Raises ``ValueError`` for a value that is not finite.
    """
    array = _finite(values)
    first, second = np.triu_indices(array.size)
    return np.sort(array[first] / 2 + array[second] / 2)


def interval(values: Values, level: float) -> Interval | None:
    """Invert the exact signed-rank test: the k-th smallest and the k-th largest Walsh average.

    Coverage is at least ``level`` for every symmetric law.  None where so few values cannot reach
    it: 95 % needs 6, 99 % needs 8.
    """
    averages = walsh_averages(values)
    count = len(values)
    k = rank_k(count, level)
    if k == 0:
        return None
    return Interval(
        point=float(np.median(averages)),
        low=float(averages[k - 1]),
        high=float(averages[-k]),
        level=exact_level(count, k),
    )


def p_value(values: Values) -> float:
    """Two-sided exact signed-rank p of "symmetric about 0"; 1 for no values.

    At most ``1 - level`` exactly where ``interval`` at that level excludes 0.  Zeros and ties count
    against significance.
    """
    averages = walsh_averages(values)
    smaller = min(int(np.sum(averages >= 0)), int(np.sum(averages <= 0)))
    return min(1.0, 2 * float(_cumulative(len(values))[smaller]))


def rank_k(count: int, level: float) -> int:
    """The largest k whose interval covers with probability ``level`` or more; 0 if none does."""
    tail = (1 - level) / 2
    # The slack admits a level that equals an exact one but for rounding.
    return int(np.searchsorted(_cumulative(count), tail * (1 + 1e-9), side="right"))


def exact_level(count: int, k: int) -> float:
    """The coverage of the interval between the k-th smallest and k-th largest Walsh average."""
    return 1 - 2 * float(_cumulative(count)[k - 1]) if k else 0.0


@cache
def _cumulative(count: int) -> NDArray[np.float64]:
    """P(T <= t) for the signed-rank sum T of ``count`` values, t = 0 .. count(count+1)/2."""
    probabilities = np.ones(1)
    for rank in range(1, count + 1):
        grown = np.zeros(probabilities.size + rank)
        grown[: probabilities.size] += probabilities / 2
        grown[rank:] += probabilities / 2
        probabilities = grown
    return np.cumsum(probabilities)


def shift_interval(second: Values, first: Values, level: float) -> Interval | None:
    """Estimate by how much ``second`` lies above ``first``, unpaired: Hodges-Lehmann's shift.

    The bounds invert the rank-sum test, exactly up to ``MAX_PAIRS_COUNTED`` pairs.  None where
    there are too few values for ``level``.
    """
    differences = np.sort(np.subtract.outer(_finite(second), _finite(first)).ravel())
    if not differences.size:
        return None
    cumulative = _rank_sum_cumulative(*sorted((len(second), len(first))))
    k = int(np.searchsorted(cumulative, (1 - level) / 2 * (1 + 1e-9), side="right"))
    if k == 0:
        return None
    return Interval(
        point=float(np.median(differences)),
        low=float(differences[k - 1]),
        high=float(differences[-k]),
        level=1 - 2 * float(cumulative[k - 1]),
    )


def shift_p_value(second: Values, first: Values) -> float:
    """Two-sided rank-sum p of "no shift"; 1 where one of them is empty. Ties count against it.

    At most ``1 - level`` exactly where ``shift_interval`` at that level excludes 0.
    """
    differences = np.subtract.outer(_finite(second), _finite(first)).ravel()
    if not differences.size:
        return 1.0
    smaller = min(int(np.sum(differences >= 0)), int(np.sum(differences <= 0)))
    cumulative = _rank_sum_cumulative(*sorted((len(second), len(first))))
    return min(1.0, 2 * float(cumulative[smaller]))


@cache
def _rank_sum_cumulative(fewer: int, more: int) -> NDArray[np.float64]:
    """P(U <= u) for Mann and Whitney's U, u = 0 .. fewer*more.

    ``chosen[j]`` holds how many ways j of the ranks seen so far give each rank sum, divided by the
    number of ways there are in the end; a sum beyond the last U cannot lead to a U in range.
    """
    size = fewer * more + 1
    if size > MAX_PAIRS_COUNTED:
        sd = math.sqrt(fewer * more * (fewer + more + 1) / 12)
        return np.asarray(ndtr((np.arange(size) + 0.5 - fewer * more / 2) / sd), dtype=np.float64)
    chosen = np.zeros((fewer + 1, size))
    chosen[0, 0] = 1.0
    for rank in range(1, fewer + more + 1):
        for j in range(min(fewer, rank), 0, -1):
            # The j-th smallest chosen rank is at least j: count the excess, which sums to U.
            excess = rank - j
            if excess <= more:
                chosen[j, excess:] += chosen[j - 1, : size - excess]
    counts = chosen[fewer]
    return np.cumsum(counts / counts.sum())


def _finite(values: Values) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError("values must be finite; leave out what is missing")
    return array
