"""The gap chart: one row per cell, how much more or less time a message takes than the baseline.

The axis is logarithmic in the ratio, so that half the time and twice the time stand equally far
from the zero line; its ticks are written as percentages.  The verdict is told by the shape of the
marker and in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p
from pathlib import Path
from typing import TYPE_CHECKING

from slkbench.model import Metric, Status, Verdict, VerdictKind
from slkbench.report.appearance import chart, new_figure, save
from slkbench.report.naming import cell_title, change, contender_title, status_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_gaps"]

_WIDE_RATIOS = (
    *(0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7),
    *(1, 1.5, 2, 3, 5, 10, 20, 50, 100),
)
_NARROW_RATIOS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0)
_NARROWEST_RATIOS = tuple(1 + percent / 100 for percent in range(-12, 14, 2))

_LOOKS = {
    VerdictKind.FASTER: ("<", "#0072B2", "#0072B2"),
    VerdictKind.SLOWER: (">", "#D55E00", "#D55E00"),
    VerdictKind.EQUIVALENT: ("s", "#444444", "#444444"),
    VerdictKind.INCONCLUSIVE: ("o", "#444444", "white"),
    VerdictKind.INVALID: ("X", "#444444", "white"),
}


def draw_gaps(verdicts: Sequence[Verdict], path: Path) -> Path | None:
    """Write the gap chart of ``verdicts``, in their order, or None if none has an estimate."""
    if not any(one.time_ratio is not None for one in verdicts):
        return None
    with chart():
        return save(_forest(verdicts), path)


def _forest(verdicts: Sequence[Verdict]) -> Figure:
    figure = new_figure(1.25 + 0.34 * len(verdicts))
    axes = figure.subplots()
    several = len({one.contender for one in verdicts}) > 1
    low, high = _limits(verdicts)
    _scale(axes, low, high)
    band = max(one.min_effect for one in verdicts)
    axes.axvspan(-log1p(band), log1p(band), color="#cccccc", alpha=0.55, linewidth=0)
    axes.axvline(0.0, color="black", linewidth=1.1)
    for row, verdict in enumerate(verdicts):
        _row(axes, row, verdict)
        axes.text(
            1.015,
            row,
            words(verdict),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=9.5,
        )
    titles = [
        f"{contender_title(one.contender)}: {cell_title(one.cell)}"
        if several
        else cell_title(one.cell)
        for one in verdicts
    ]
    axes.set_yticks(range(len(verdicts)), titles)
    axes.set_ylim(len(verdicts) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    baseline = contender_title(verdicts[0].baseline)
    throughput = verdicts[0].cell.metric is Metric.THROUGHPUT
    what = "time per message" if throughput else "median round trip"
    figure.supxlabel(
        f"{what} against {baseline} (left is faster); grey band: differences under {band:.0%}",
        fontsize=10.5,
    )
    return figure


def _row(axes: Axes, row: int, verdict: Verdict) -> None:
    if verdict.time_ratio is None:
        return
    marker, edge, face = _LOOKS[verdict.kind]
    if verdict.low is not None and verdict.high is not None:
        axes.plot([log(verdict.low), log(verdict.high)], [row, row], color=edge, linewidth=2.2)
        for bound in (verdict.low, verdict.high):
            axes.plot([log(bound)] * 2, [row - 0.16, row + 0.16], color=edge, linewidth=1.6)
    axes.plot(
        [log(verdict.time_ratio)],
        [row],
        marker=marker,
        markersize=8.5,
        color=edge,
        markerfacecolor=face,
        markeredgewidth=1.4,
    )


def words(verdict: Verdict) -> str:
    """What stands beside a row: the verdict and the change, or why there is none."""
    if verdict.status is not Status.OK or verdict.time_ratio is None:
        return status_title(verdict.status) if verdict.status is not Status.OK else "not measured"
    if verdict.low is None or verdict.high is None:
        return f"{change(verdict.time_ratio)}, no interval"
    return f"{verdict.kind} {change(verdict.time_ratio)}"


def _limits(verdicts: Sequence[Verdict]) -> tuple[float, float]:
    """The ratios at both ends of the axis: all bounds, the band, and some air."""
    ratios = [
        ratio
        for one in verdicts
        if one.time_ratio is not None
        for ratio in (one.time_ratio, one.low, one.high)
        if ratio is not None
    ]
    band = max(one.min_effect for one in verdicts)
    low, high = min(*ratios, 1 - 2 * band), max(*ratios, 1 + 2 * band)
    air = 0.06 * log(high / low)
    return low * exp(-air), high * exp(air)


def _scale(axes: Axes, low: float, high: float) -> None:
    span = log(high / low)
    ratios = _NARROWEST_RATIOS if span < 0.25 else _NARROW_RATIOS if span < 1.2 else _WIDE_RATIOS
    kept: list[float] = [1.0]
    for ratio in sorted(ratios, key=lambda one: abs(log(one))):
        near = min(abs(log(ratio / other)) for other in kept)
        if low <= ratio <= high and near > 0.115 * span:
            kept.append(ratio)
    axes.set_xlim(log(low), log(high))
    axes.set_xticks(
        [log(one) for one in sorted(kept)],
        ["0" if one == 1 else f"{100 * (one - 1):+.3g}%" for one in sorted(kept)],
    )
