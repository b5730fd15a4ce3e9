"""Strangers on the other hardware thread of a core: what goes with them, taken out of differences.

A core with two hardware threads gives each about half of what it can do while the other is busy.
In a virtual machine the other one may be somebody else's: no clock of the machine tells of him, and
he comes and goes several times a second.  So the driver times a fixed piece of arithmetic amid the
messages (``Sample.sender_core_probe_ns``), and what the differences between two arms owe to the
differences of its time is taken out of them, by a robust regression without a constant.

Swapping the two arms of one half of a block changes the sign of its difference and of its
covariates alike, and so leaves slopes about 0 as they are: differences that were symmetric about 0
stay so.  The centre is estimated along with the slopes, which takes degrees of freedom: the rest is
widened by them.  ``slkbench selftest --quick`` counts how often intervals then hold the truth, and
how often a verdict is false.

The covariates are measured in the process, yet tell of others alone, unless a contender itself
slows its core down: where they differ between two arms in one direction, nothing is taken out.

References: Fisher's analysis of covariance; Huber 1964 for the weights; Rosenbaum, "Covariance
adjustment in randomized experiments", Statistical Science 2002, for exactness by randomisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from slkbench.model import Sample
from slkbench.stats.signed_rank import Array, hodges_lehmann, interval

__all__ = ["Sharing", "less_sharing", "sharing_of", "slow_downs", "without_sharing"]

Sharing = tuple[float, ...]
"""How much longer the arithmetic took, in ln, for the sender and for the receiver."""

# Two of each block.  Of 12, intervals of 95 and 99 % held the truth in 94.1 and 98.1 of a hundred
# simulated runs whose cores slow alike; from 16 on as often as they say.
FEWEST_DIFFERENCES = 16
# A stranger slows no work by much more than arithmetic that wants the whole core: slopes of 0 to
# 1.3 were seen.
MAX_SLOPE = 1.5
# How sure of a slope one is beforehand, as if a standard deviation of it: keeps covariates that
# hardly vary from adding noise.
PRIOR_SD = 1.0
# In ln of the arithmetic's time: less may lie in what a library leaves in the caches.
MAX_OWN_INFLUENCE = math.log(1.02)
# By chance it is seen in few runs, since these then lack the adjustment just where it matters.
LEVEL_OF_INFLUENCE = 0.999
HUBER_K = 1.345
_MAD_TO_SD = 1.4826
_ROUNDS = 4
_STEPS = 4
# Below what any clock tells; a ridge of its square still keeps matrices regular.
_NO_SPREAD = 1e-6


def sharing_of(second: Sample, first: Sample) -> Sharing | None:
    """How much longer the arithmetic took in each role, in ln; None where it was not timed."""
    later, sooner = _probes_ns(second), _probes_ns(first)
    if later is None or sooner is None:
        return None
    return tuple(math.log(one / other) for one, other in zip(later, sooner, strict=True))


def slow_downs(samples: Iterable[Sample]) -> list[float]:
    """How many times its least the arithmetic took in each sample, on the slower core of the two.

    Of samples of one machine, and of those alone that timed it.
    """
    known = [probes for each in samples if (probes := _probes_ns(each)) is not None]
    least_ns = min((min(probes) for probes in known), default=1.0)
    return [max(probes) / least_ns for probes in known]


def _probes_ns(sample: Sample) -> tuple[float, ...] | None:
    probes = (sample.sender_core_probe_ns, sample.receiver_core_probe_ns)
    known = tuple(each for each in probes if each is not None and 0 < each < math.inf)
    return known if len(known) == len(probes) else None


def less_sharing(differences: Sequence[float], sharing: Sequence[Sharing | None]) -> list[float]:
    """``without_sharing`` where it is known for all ``differences``, else these as they are."""
    known = [each for each in sharing if each is not None]
    if not known or len(known) < len(sharing):
        return list(differences)
    adjusted: list[float] = without_sharing(np.array(differences), np.array(known)).tolist()
    return adjusted


def without_sharing(differences: Array, sharing: Array) -> Array:
    """Differences of ln t as they were had strangers shared the cores alike.

    ``sharing`` has a row for each difference and a column for each role, as of ``sharing_of``.  As
    they are where they are few, or where one of the two arms itself seems to slow a core.
    """
    if len(differences) < FEWEST_DIFFERENCES or not np.any(sharing) or _is_own(sharing):
        return differences
    adjusted = differences
    for _ in range(_ROUNDS):
        slopes = _slopes(differences - _centre(adjusted), sharing)
        adjusted = differences - sharing @ slopes
    centre = _centre(adjusted)
    return centre + _widening(adjusted - centre, sharing) * (adjusted - centre)


def _centre(values: Array) -> float:
    centre = hodges_lehmann(values)
    assert centre is not None
    return centre


def _widening(left: Array, sharing: Array) -> float:
    """How much farther from their centre values were without slopes that were fitted to them.

    By the degrees of freedom that slopes take, and by what their errors shift the centre where
    covariates are not 0 on average.  Both are those of the linear model with a constant.
    """
    count = len(left)
    mean = sharing.mean(axis=0)
    gram = (sharing - mean).T @ (sharing - mean)
    known = gram + _ridge(_spread(left)) * np.eye(len(gram))
    taken = float(np.trace(np.linalg.solve(known, gram)))
    shift = float(count * mean @ np.linalg.solve(known, mean))
    return math.sqrt((count - 1) / (count - 1 - taken) * (1 + shift))


def _is_own(sharing: Array) -> bool:
    for column in sharing.T:
        found = interval(column, LEVEL_OF_INFLUENCE)
        if found and (found.low > MAX_OWN_INFLUENCE or found.high < -MAX_OWN_INFLUENCE):
            return True
    return False


def _slopes(values: Array, sharing: Array) -> Array:
    """Huber's regression through 0, each slope within 0 and ``MAX_SLOPE``."""
    slopes = np.zeros(sharing.shape[1])
    for _ in range(_STEPS):
        left = values - sharing @ slopes
        spread = _spread(left)
        weights = np.minimum(1.0, HUBER_K * spread / np.maximum(np.abs(left), _NO_SPREAD))
        slopes = _bounded(values, sharing, weights, _ridge(spread))
    return slopes


def _spread(left: Array) -> float:
    return max(_MAD_TO_SD * float(np.median(np.abs(left))), _NO_SPREAD)


def _ridge(spread: float) -> float:
    return (spread / PRIOR_SD) ** 2


def _bounded(values: Array, sharing: Array, weights: Array, ridge: float) -> Array:
    weighted = sharing * weights[:, None]
    gram = weighted.T @ sharing + ridge * np.eye(sharing.shape[1])
    moments = weighted.T @ values
    slopes = np.asarray(np.linalg.solve(gram, moments))
    free = (slopes >= 0) & (slopes <= MAX_SLOPE)
    if free.all():
        return slopes
    slopes = np.clip(slopes, 0.0, MAX_SLOPE)
    while free.any():
        rest = moments[free] - gram[np.ix_(free, ~free)] @ slopes[~free]
        slopes[free] = np.linalg.solve(gram[np.ix_(free, free)], rest)
        outside = free & ((slopes < 0) | (slopes > MAX_SLOPE))
        if not outside.any():
            break
        slopes[outside] = np.clip(slopes[outside], 0.0, MAX_SLOPE)
        free &= ~outside
    return slopes
