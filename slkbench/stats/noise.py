"""How noisy a cell was: the spread between processes, the modes, and what could have been found.

A process that runs in one of two ways (asleep or awake, sharing a core or not) has two times per
message, and their mean is the time of none.  ``find_modes`` tells two modes from one by a mixture
of two normal laws of equal spread, taken only where Bayes' information criterion (Schwarz 1978)
prefers it clearly, where the modes are well apart for their spread and where each has a share that
is no outlier: one law with heavy tails is rarely called two.  ``slkbench selftest --quick`` prints
how rarely.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median

import numpy as np

from slkbench.model import Sample, Status, Verdict
from slkbench.stats.blocks import BlockKey, value_of
from slkbench.stats.signed_rank import Array, Values

__all__ = ["Mode", "Noise", "find_modes", "noise_of", "smallest_effect"]

FEWEST_FOR_MODES = 8
# In units of the criterion; above 10 the evidence is called very strong (Kass and Raftery 1995).
MIN_PREFERENCE = 10.0
# Between the centres, in standard deviations of a mode, and in ln t: less does not matter.
MIN_DISTANCE_OVER_SD = 4.5
MIN_DISTANCE = 0.10
MIN_SHARE = 0.15
FEWEST_IN_A_MODE = 3
# What nine of ten normal values exceed, in standard deviations below their mean; and what both of
# two do that share half of their variance, as differences to two arms do.
FOUND_AGAINST_ONE = NormalDist().inv_cdf(0.9)
FOUND_AGAINST_BOTH = 1.58
PARTS = 16  # of a sample, as the driver cuts it (``driver/slices.hpp``)
_MAX_STEPS = 60
_CONVERGED = 1e-4


@dataclass(frozen=True, slots=True)
class Mode:
    """One of the ways in which processes run: its typical value in ns, and its share of them."""

    value_ns: float
    share: float


@dataclass(frozen=True, slots=True)
class Noise:
    """Spread of ln t over the processes of one arm in one cell.

    ``sd`` is the standard deviation over all of them, ``sd_within_blocks`` that of the two of a
    block, which run seconds apart, and ``sd_between_blocks`` what the blocks differ by beyond it:
    drift and slow changes, which pairing takes out.  ``sd_of_parts`` is how far the parts of a
    process's run make the whole of it vary, from ``Sample.slice_sd``: where it is nearly all of
    ``sd``, longer samples are less noisy; where it is little of it, only more processes help.
    ``modes`` are two or none: none means one.
    """

    processes: int
    sd: float
    sd_within_blocks: float | None
    sd_between_blocks: float | None
    modes: tuple[Mode, ...] = ()
    sd_of_parts: float | None = None


@dataclass(frozen=True, slots=True)
class _TwoLaws:
    """``upper`` is each value's share in the upper of two normal laws of a common ``variance``."""

    upper: Array
    distance: float
    variance: float
    log_likelihood: float


def noise_of(samples: Sequence[Sample], statistic: str) -> Noise | None:
    """The noise of the arm that ``samples`` are of, all of one cell; None below two processes."""
    by_block: dict[BlockKey, list[float]] = defaultdict(list)
    for sample in samples:
        if sample.status == Status.OK and (value := value_of(sample, statistic)) is not None:
            by_block[sample.run_id, sample.block].append(math.log(value))
    logs = [log for found in by_block.values() for log in found]
    if len(logs) < 2:
        return None
    pairs = [found for found in by_block.values() if len(found) == 2]
    within = between = None
    if len(pairs) > 1:
        within_variance = fmean((first - second) ** 2 / 2 for first, second in pairs)
        of_means = float(np.var([fmean(pair) for pair in pairs], ddof=1))
        within = math.sqrt(within_variance)
        between = math.sqrt(max(0.0, of_means - within_variance / 2))
    parts = [each.slice_sd for each in samples if each.slice_sd is not None]
    of_parts = median(parts) / math.sqrt(PARTS) if parts else None
    sd = float(np.std(logs, ddof=1))
    return Noise(len(logs), sd, within, between, find_modes(logs), of_parts)


def find_modes(logs: Values) -> tuple[Mode, ...]:
    """Two modes of ``logs`` (of ns), the faster first, or () where one law explains them."""
    values = np.sort(np.asarray(logs, dtype=np.float64))
    count = values.size
    if count < FEWEST_FOR_MODES or not np.all(np.isfinite(values)):
        return ()
    one = float(values.var())
    if one <= 0:
        return ()
    two = _two_laws(values)
    share = float(two.upper.mean())
    floor = max(MIN_SHARE, FEWEST_IN_A_MODE / count)
    # One law has a centre and a spread, two have another centre and a share besides.
    one_bic = count * (math.log(2 * math.pi * one) + 1) + 2 * math.log(count)
    two_bic = -2 * two.log_likelihood + 4 * math.log(count)
    is_two = (
        floor <= share <= 1 - floor
        and two.distance >= max(MIN_DISTANCE, MIN_DISTANCE_OVER_SD * math.sqrt(two.variance))
        and one_bic - two_bic >= MIN_PREFERENCE
    )
    if not is_two:
        return ()
    slow = two.upper > 0.5
    return tuple(
        Mode(math.exp(median(values[chosen].tolist())), float(chosen.mean()))
        for chosen in (~slow, slow)
    )


def _two_laws(values: Array) -> _TwoLaws:
    """Expectation and maximisation from the widest gap between neighbours amid the values."""
    count = values.size
    least = max(1, count // 10)
    gaps = np.diff(values)[least - 1 : count - least]
    cut = least + int(np.argmax(gaps))
    upper = np.where(np.arange(count) >= cut, 1 - 1e-9, 1e-9)
    tiny = 1e-6 * float(values.var())
    variance = 0.0
    for _ in range(_MAX_STEPS):
        weight = float(upper.sum())
        share = weight / count
        high = float(upper @ values) / weight
        low = float((1 - upper) @ values) / (count - weight)
        to_low, to_high = (values - low) ** 2, (values - high) ** 2
        before, variance = variance, float((1 - upper) @ to_low + upper @ to_high) / count + tiny
        odds = math.log(share / (1 - share)) + (to_low - to_high) / (2 * variance)
        upper = 1 / (1 + np.exp(-np.clip(odds, -20, 20)))
        if abs(before - variance) <= _CONVERGED * variance:
            break
    density = (1 - share) * np.exp(-to_low / (2 * variance)) + share * np.exp(
        -to_high / (2 * variance)
    )
    scale = math.log(2 * math.pi * variance) / 2
    likelihood = float(np.log(np.maximum(density, 1e-300)).sum()) - scale * count
    return _TwoLaws(upper, high - low, variance, likelihood)


def smallest_effect(verdict: Verdict) -> float | None:
    """The slowdown that such an interval finds in nine of ten runs, as a fraction; None without.

    What must fit beside the effect is what counts as none (the minimum effect), half the interval,
    and how far the estimates against baseline and placebo stray: in one run of ten at least one of
    the two does by so much.
    """
    if verdict.low is None or verdict.high is None or verdict.level is None:
        return None
    half_width = (math.log(verdict.high) - math.log(verdict.low)) / 2
    standard_error = half_width / NormalDist().inv_cdf((1 + verdict.level) / 2)
    strays = FOUND_AGAINST_BOTH if verdict.placebo_low is not None else FOUND_AGAINST_ONE
    return math.expm1(math.log1p(verdict.min_effect) + half_width + strays * standard_error)
