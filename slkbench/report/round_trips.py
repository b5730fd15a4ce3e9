"""Chart of round trips: median and 99th percentile of each contender by message size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from slkbench.report.appearance import Mark, chart, save, value_axis
from slkbench.report.frames import ArmSummary, Interval
from slkbench.report.naming import contender_title
from slkbench.report.panels import (
    draw_whiskered,
    in_order,
    panel_grid,
    panels_of,
    point_of,
)
from slkbench.units import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_round_trips"]


def draw_round_trips(
    summaries: Sequence[ArmSummary], marks: dict[str, Mark], path: Path
) -> Path | None:
    """Write the median and the 99th percentile of round trips, or None if there are none."""
    shown = in_order([one for one in summaries if one.p50_ns.point is not None], marks)
    if not shown:
        return None
    with chart():
        panels = panels_of(shown)
        figure, grid = panel_grid(panels)
        points = [
            bound / 1e3
            for one in shown
            for interval in (one.p50_ns, one.p99_ns)
            for bound in (interval.point, *(interval.bounds or ()))
            if bound is not None
        ]
        for axes, (title, members) in zip(grid, panels, strict=True):
            _round_trip_panel(axes, members, marks)
            value_axis(axes, min(points), max(points))
            axes.set_title(title)
        figure.supylabel("round trip in µs", fontsize=11)
        figure.supxlabel("message size;   filled: median (p50),   hollow: p99", fontsize=11)
        _legend(figure, shown, marks)
        return save(figure, path)


def _round_trip_panel(axes: Axes, members: Sequence[ArmSummary], marks: dict[str, Mark]) -> None:
    sizes = sorted({one.cell.size_bytes for one in members})
    names = list(dict.fromkeys(one.contender for one in members))
    step = 0.66 / max(1, len(names))
    for one in members:
        shift = (names.index(one.contender) - (len(names) - 1) / 2) * step
        x = sizes.index(one.cell.size_bytes) + shift
        mark = marks[one.contender]
        p50 = point_of(one.p50_ns) / 1e3
        if one.p99_ns.point is not None:
            p99 = one.p99_ns.point / 1e3
            axes.plot([x, x], [p50, p99], color=mark.color, linewidth=1.2, linestyle=":")
            low, high = one.p99_ns.bounds or (one.p99_ns.point,) * 2
            _hollow(axes, x, p99, low / 1e3, high / 1e3, mark)
        draw_whiskered(axes, [x], [_in_us(one.p50_ns)], mark, joined=False)
    axes.set_xticks(range(len(sizes)), [format_size(size) for size in sizes])
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    axes.grid(visible=False, axis="x")


def _hollow(axes: Axes, x: float, y: float, low: float, high: float, mark: Mark) -> None:
    axes.errorbar(
        x,
        y,
        yerr=[[max(0.0, y - low)], [max(0.0, high - y)]],
        color=mark.color,
        marker=mark.marker,
        markerfacecolor="white",
        markeredgewidth=1.6,
        capsize=4,
        elinewidth=1.3,
    )


def _in_us(interval: Interval) -> Interval:
    bounds = interval.bounds
    return Interval(
        point_of(interval) / 1e3,
        bounds[0] / 1e3 if bounds else None,
        bounds[1] / 1e3 if bounds else None,
        interval.level,
        interval.samples,
    )


def _legend(figure: Figure, shown: Sequence[ArmSummary], marks: dict[str, Mark]) -> None:
    names = list(dict.fromkeys(one.contender for one in shown))
    handles = [
        Line2D([], [], color=marks[name].color, marker=marks[name].marker, linestyle="none")
        for name in names
    ]
    figure.legend(
        handles,
        [contender_title(name) for name in names],
        loc="outside upper center",
        ncols=len(names),
        frameon=False,
    )
