"""The section on noise: how far processes differ, in which ways, and what could have been found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from slkbench import stats
from slkbench.model import ArmRole, Sample, Status
from slkbench.report.evidence import Evidence
from slkbench.report.markdown import table
from slkbench.report.naming import (
    NOT_AVAILABLE,
    contender_title,
    or_na,
    pattern_title,
    reference_size,
    telling_columns,
    times,
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
_DISTANCE_NOTE = (
    "*CPUs near* and *CPUs far* are medians, with the number of processes, by how long a cache "
    "line took from one CPU to the other and back before and after: {near} and {far} here. It is "
    "measured beside the samples, and only what ran at the same distance is compared. The last "
    "figure is that median as a multiple of the baseline's at this distance, from {fewest} "
    "processes of each on."
)
# Of fewer processes a ratio of medians tells nothing.
_FEWEST_FOR_RATIO = 4


def noise_section(evidence: Evidence) -> list[str]:
    """A row for each contender in each cell."""
    rows = []
    effects = {
        (one.cell.key, one.contender): stats.smallest_effect(one) for one in evidence.verdicts
    }
    distances = stats.distances_of(evidence.samples)
    telling = telling_columns(evidence.cells)
    for cell in evidence.cells:
        statistic = stats.default_statistic(cell.metric)
        own = [one for one in evidence.samples if one.cell_key == cell.key]
        for name in evidence.ordered({one.arm for one in own if one.role != ArmRole.PLACEBO}):
            arm = [one for one in own if one.arm == name]
            noise = stats.noise_of(arm, statistic)
            if noise is None:
                continue
            rows.append(
                (
                    contender_title(name),
                    pattern_title(cell.pattern),
                    transport_title(cell.transport),
                    reference_size(cell.size_bytes),
                    str(cell.metric),
                    *(value(cell) for _, value in telling),
                    str(noise.processes),
                    format_percent(noise.sd),
                    or_na(noise.sd_within_blocks, format_percent),
                    or_na(noise.sd_between_blocks, format_percent),
                    or_na(noise.sd_of_parts, format_percent),
                    _modes(noise),
                    or_na(effects.get((cell.key, name)), format_percent),
                    *_by_distance(own, name, distances, statistic),
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
        *(title for title, _ in telling),
        "Processes",
        "SD",
        "Within blocks",
        "Between blocks",
        "Inside",
        "Modes",
        "Smallest effect",
        *(("CPUs near", "CPUs far") if distances else ()),
    )
    notes = [_NOTE]
    if distances:
        near, far = format_time_ns(distances.near_ns), format_time_ns(distances.far_ns)
        notes.append(_DISTANCE_NOTE.format(near=near, far=far, fewest=_FEWEST_FOR_RATIO))
    return [*notes, table(header, rows, left=3)]


def _by_distance(
    own: Sequence[Sample], name: str, distances: stats.Distances | None, statistic: str
) -> Iterator[str]:
    """What ``name`` took while the CPUs were near, and far; ``own`` are all samples of its cell."""
    if distances is None:
        return
    for is_near in (True, False):
        found = stats.at_distance(own, distances.split_ns, is_near=is_near)
        taken = _values((one for one in found if one.arm == name), statistic)
        others = (one for one in found if one.role == ArmRole.BASELINE and one.arm != name)
        baseline = _values(others, statistic)
        if not taken:
            yield NOT_AVAILABLE
            continue
        text = f"{format_time_ns(median(taken))} ({len(taken)})"
        if min(len(taken), len(baseline)) >= _FEWEST_FOR_RATIO:
            text += f", {times(median(taken) / median(baseline))}"
        yield text


def _values(samples: Iterable[Sample], statistic: str) -> list[float]:
    found = (stats.value_of(one, statistic) for one in samples if one.status == Status.OK)
    return [value for value in found if value is not None]


def _modes(noise: stats.Noise) -> str:
    if not noise.modes:
        return "1" if noise.processes >= stats.FEWEST_FOR_MODES else NOT_AVAILABLE
    return ", ".join(
        f"{format_time_ns(mode.value_ns)} ({format_percent(mode.share, digits=0)})"
        for mode in noise.modes
    )
