"""Decide "B is x % slower than A" on a noisy machine; pure functions over samples and arrays.

``judge_cell`` and ``should_stop`` answer for a cell.  ``ratios`` describes, ``signed_rank`` holds
the estimate and its exact interval, ``blocks`` the pairing and the outcome-blind discarding.
"x % slower" is always t_B / t_A - 1, of time per message.
"""

from slkbench.stats.blocks import (
    CPU_PER_MESSAGE,
    P50,
    P90,
    P99,
    P999,
    TIME_PER_MESSAGE,
    Paired,
    discarded_blocks,
    value_of,
)
from slkbench.stats.cells import cell_of
from slkbench.stats.core_sharing import slow_downs
from slkbench.stats.counts import INSTRUCTIONS_PER_MESSAGE, judge_extremes
from slkbench.stats.cpu_distance import (
    Distances,
    at_distance,
    at_usual_distance,
    distances_of,
    ran_alike,
    usual_distance,
)
from slkbench.stats.means import mean_interval
from slkbench.stats.medians import median_rate, median_time_ns, modes_of
from slkbench.stats.noise import (
    FEWEST_FOR_MODES,
    Mode,
    Noise,
    find_modes,
    noise_of,
    smallest_effect,
)
from slkbench.stats.ratios import (
    Ratio,
    Summary,
    adjusted_p_values,
    floor_ratios,
    geometric_mean,
    noise_sd,
    paired_ratio,
    pattern_ratio,
    summarise,
    unpaired_ratio,
)
from slkbench.stats.sessions import Recurrence, recurrences, session_of
from slkbench.stats.signed_rank import Interval, hodges_lehmann, interval
from slkbench.stats.unpaired import Shift, judge_shift
from slkbench.stats.verdict import (
    DECIDED,
    SATURATED_FROM,
    Decision,
    decide,
    default_statistic,
    is_at_look,
    judge_cell,
    level_per_look,
    looks_of,
    minimum_effect,
    placebo_reach,
    should_stop,
)

__all__ = [
    "CPU_PER_MESSAGE",
    "DECIDED",
    "FEWEST_FOR_MODES",
    "INSTRUCTIONS_PER_MESSAGE",
    "P50",
    "P90",
    "P99",
    "P999",
    "SATURATED_FROM",
    "TIME_PER_MESSAGE",
    "Decision",
    "Distances",
    "Interval",
    "Mode",
    "Noise",
    "Paired",
    "Ratio",
    "Recurrence",
    "Shift",
    "Summary",
    "adjusted_p_values",
    "at_distance",
    "at_usual_distance",
    "cell_of",
    "decide",
    "default_statistic",
    "discarded_blocks",
    "distances_of",
    "find_modes",
    "floor_ratios",
    "geometric_mean",
    "hodges_lehmann",
    "interval",
    "is_at_look",
    "judge_cell",
    "judge_extremes",
    "judge_shift",
    "level_per_look",
    "looks_of",
    "mean_interval",
    "median_rate",
    "median_time_ns",
    "minimum_effect",
    "modes_of",
    "noise_of",
    "noise_sd",
    "paired_ratio",
    "pattern_ratio",
    "placebo_reach",
    "ran_alike",
    "recurrences",
    "session_of",
    "should_stop",
    "slow_downs",
    "smallest_effect",
    "summarise",
    "unpaired_ratio",
    "usual_distance",
    "value_of",
]
