"""Near or far: which samples ran while the CPUs were as far apart as they were for another.

The host of a virtual machine may move its CPUs to cores that share a cache, and away again.  What
one CPU hands to the other then takes several times as long, for seconds or minutes, whichever
library does it.  It is measured beside the samples and not from them, so to compare only what ran
at the same distance does not depend on the outcome.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from slkbench.model import Sample

__all__ = [
    "Distances",
    "at_distance",
    "at_usual_distance",
    "distances_of",
    "ran_alike",
    "usual_distance",
]

# Between means of a cache line's way there and back.  Two states were seen to differ by 2.5 at
# least and by 6 usually; within one, 2 pairs of 100 differ by more than this, and are lost.
MAX_RATIO_OF_ONE_STATE = 2.0
MIN_GAP = 1.6
# On either side: a few that were held up are no state.
FEWEST_TRIPS = 4
LEAST_SHARE = 0.02


def _trips_ns(*samples: Sample) -> list[float]:
    found = (trip for s in samples for trip in (s.line_trip_before_ns, s.line_trip_after_ns))
    return [trip for trip in found if trip is not None and trip > 0]


def ran_alike(*samples: Sample) -> bool:
    """Whether the CPUs were equally far apart before and after all of ``samples``.

    True as well where that was not measured.
    """
    trips = _trips_ns(*samples)
    return not trips or max(trips) <= MAX_RATIO_OF_ONE_STATE * min(trips)


@dataclass(frozen=True, slots=True)
class Distances:
    """Two states of the machine: a cache line's typical way there and back, and their shares.

    ``split_ns`` lies between the two. What is left of the shares are samples in which it changed.
    """

    near_ns: float
    far_ns: float
    split_ns: float
    near_share: float
    far_share: float


def distances_of(samples: Iterable[Sample]) -> Distances | None:
    """The two distances at which ``samples`` ran, of one machine; None where there is one."""
    measured = [each for each in samples if _trips_ns(each)]
    trips = sorted(trip for each in measured for trip in _trips_ns(each))
    if len(trips) < 2 or trips[-1] <= MAX_RATIO_OF_ONE_STATE * trips[0]:
        return None
    least = max(FEWEST_TRIPS, math.ceil(LEAST_SHARE * len(trips)))
    gaps = [(after / before, place) for place, (before, after) in enumerate(pairwise(trips))]
    gap, place = max(gaps[least - 1 : len(gaps) - least + 1], default=(0.0, 0))
    if gap < MIN_GAP:
        return None
    split_ns = math.sqrt(trips[place] * trips[place + 1])
    near, far = (len(at_distance(measured, split_ns, is_near=each)) for each in (True, False))
    return Distances(
        near_ns=median(trips[: place + 1]),
        far_ns=median(trips[place + 1 :]),
        split_ns=split_ns,
        near_share=near / len(measured),
        far_share=far / len(measured),
    )


def at_distance(samples: Iterable[Sample], split_ns: float, *, is_near: bool) -> list[Sample]:
    """Those before and after which the CPUs were nearer than ``split_ns``, or farther."""
    return [
        each
        for each in samples
        if (trips := _trips_ns(each)) and all((trip < split_ns) == is_near for trip in trips)
    ]


def at_usual_distance(samples: Sequence[Sample]) -> list[Sample]:
    """Those that ran at the distance at which most did; all where there is but one, or none."""
    is_usual = usual_distance(samples)
    return [each for each in samples if is_usual(each)] or list(samples)


def usual_distance(samples: Sequence[Sample]) -> Callable[[Sample], bool]:
    """Whether a sample ran at the distance at which most of ``samples`` did.

    All did where there is but one.
    """
    if (found := distances_of(samples)) is None:
        return lambda _sample: True
    split_ns, is_near = found.split_ns, found.near_share >= found.far_share
    return lambda sample: bool(at_distance([sample], split_ns, is_near=is_near))
