"""Counts that hardly vary, such as instructions: a verdict from their extremes, without a level.

The same work executes nearly the same instructions each time, so there is no noise whose law an
interval could be taken from.  The interval is what the ratio can be over all pairs of counts, and a
verdict is there where all of these pairs say the same.
"""

from __future__ import annotations

from slkbench.model import VerdictKind

__all__ = ["INSTRUCTIONS_PER_MESSAGE", "judge_extremes"]

INSTRUCTIONS_PER_MESSAGE = "instructions_per_message"
"""The statistic of verdicts on instructions."""


def judge_extremes(low: float, high: float, min_effect: float) -> VerdictKind:
    """What a ratio that lies from ``low`` to ``high`` says; ``min_effect`` is a fraction.

    As of time, beyond the effect that matters SLOWER or FASTER, within it EQUIVALENT.
    """
    slower_from, faster_to = 1 + min_effect, 1 / (1 + min_effect)
    if low > slower_from:
        return VerdictKind.SLOWER
    if high < faster_to:
        return VerdictKind.FASTER
    is_inside = low > faster_to and high < slower_from
    return VerdictKind.EQUIVALENT if is_inside else VerdictKind.INCONCLUSIVE
