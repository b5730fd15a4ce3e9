"""The section on noise: how far processes differ, in which ways, and what could have been found."""

from __future__ import annotations

from slkbench import stats
from slkbench.model import ArmRole
from slkbench.report.evidence import Evidence
from slkbench.report.markdown import table
from slkbench.report.naming import (
    NOT_AVAILABLE,
    contender_title,
    or_na,
    pattern_title,
    reference_size,
    transport_title,
)
from slkbench.units import format_percent, format_time_ns

__all__ = ["noise_section"]

_NOTE = (
    "Standard deviation of ln t between processes: over all of them, between the two of a block "
    "(seconds apart), and what blocks differ by beyond that (drift, which pairing takes out). "
    "*Inside* is how much of it comes from what varies in the course of one process, by 16 parts "
    "of each sample: where that is nearly all, longer samples help, where it is little, only more "
    "processes do. Where processes run in two ways, both are shown with "
    "their shares, and a median elsewhere is of neither. The smallest effect is the slowdown that "
    "as many blocks with this noise find in nine of ten runs."
)


def noise_section(evidence: Evidence) -> list[str]:
    """A row for each contender in each cell."""
    rows = []
    effects = {
        (one.cell.key, one.contender): stats.smallest_effect(one) for one in evidence.verdicts
    }
    for cell in evidence.cells:
        statistic = stats.default_statistic(cell.metric)
        own = [one for one in evidence.samples if one.cell_key == cell.key]
        for name in evidence.ordered({one.arm for one in own if one.role != ArmRole.PLACEBO}):
            noise = stats.noise_of([one for one in own if one.arm == name], statistic)
            if noise is None:
                continue
            rows.append(
                (
                    contender_title(name),
                    pattern_title(cell.pattern),
                    transport_title(cell.transport),
                    reference_size(cell.size_bytes),
                    str(cell.metric),
                    str(noise.processes),
                    format_percent(noise.sd),
                    or_na(noise.sd_within_blocks, format_percent),
                    or_na(noise.sd_between_blocks, format_percent),
                    or_na(noise.sd_of_parts, format_percent),
                    _modes(noise),
                    or_na(effects.get((cell.key, name)), format_percent),
                )
            )
    if not rows:
        return ["This run has too few samples to tell its noise."]
    header = (
        "Contender",
        "Pattern",
        "Transport",
        "Message Size",
        "Metric",
        "Processes",
        "SD",
        "Within blocks",
        "Between blocks",
        "Inside",
        "Modes",
        "Smallest effect",
    )
    return [_NOTE, table(header, rows, left=3)]


def _modes(noise: stats.Noise) -> str:
    if not noise.modes:
        return "1" if noise.processes >= stats.FEWEST_FOR_MODES else NOT_AVAILABLE
    return ", ".join(
        f"{format_time_ns(mode.value_ns)} ({format_percent(mode.share, digits=0)})"
        for mode in noise.modes
    )
