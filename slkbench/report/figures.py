"""Charts of what each contender did: throughput and bandwidth by message size.

A chart over several sizes has lines on logarithmic axes; over a single size it has bars, because a
lone point says nothing about a slope.  Whiskers are the intervals of ``frames.Interval``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.patheffects import withStroke

from slkbench.report.appearance import (
    Mark,
    chart,
    new_figure,
    save,
    short_number,
    size_positions,
    value_axis,
)
from slkbench.report.frames import ArmSummary, Interval
from slkbench.report.naming import contender_title
from slkbench.report.panels import (
    draw_whiskered,
    in_order,
    panel_grid,
    panels_of,
    point_of,
)
from slkbench.units import format_bandwidth, format_rate, format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BANDWIDTH", "RATE", "Quantity", "draw_by_size"]

_LABEL_GAP_PT = 13.0
_TICK_IN = 0.5
_CHARACTER_IN = 0.088
_WIDTH_IN = {1: 6.9, 2: 3.4}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What the y axis shows, and where an ``ArmSummary`` has it."""

    label: str
    of: Callable[[ArmSummary], Interval]
    form: Callable[[float], str]


RATE = Quantity("messages per second", lambda summary: summary.rate_msgs_per_s, format_rate)
BANDWIDTH = Quantity(
    "MiB per second", lambda summary: summary.bandwidth_mib_per_s, format_bandwidth
)


def draw_by_size(
    summaries: Sequence[ArmSummary],
    quantity: Quantity,
    marks: dict[str, Mark],
    path: Path,
) -> Path | None:
    """Write a chart of ``quantity`` by size to ``path``, or None if there is nothing to show."""
    shown = in_order([one for one in summaries if quantity.of(one).point is not None], marks)
    if not shown:
        return None
    with chart():
        if len({one.cell.size_bytes for one in shown}) == 1:
            return save(_bars(shown, quantity, marks), path)
        return save(_lines(shown, quantity, marks), path)


def _lines(shown: Sequence[ArmSummary], quantity: Quantity, marks: dict[str, Mark]) -> Figure:
    panels = panels_of(shown)
    figure, grid = panel_grid(panels)
    positions = size_positions([one.cell.size_bytes for one in shown])
    names = [contender_title(name) for name in marks]
    extremes = [
        bound
        for one in shown
        for bound in (quantity.of(one).point, *(quantity.of(one).bounds or ()))
        if bound is not None
    ]
    ends: list[tuple[Axes, list[tuple[str, float, float]]]] = []
    for axes, (title, members) in zip(grid, panels, strict=True):
        labels = []
        for name in dict.fromkeys(one.contender for one in members):
            series = sorted(
                (one for one in members if one.contender == name),
                key=lambda one: one.cell.size_bytes,
            )
            x = [positions[one.cell.size_bytes] for one in series]
            draw_whiskered(axes, x, [quantity.of(one) for one in series], marks[name])
            labels.append((name, x[-1], point_of(quantity.of(series[-1]))))
        ends.append((axes, labels))
        axes.set_title(title)
        _size_ticks(axes, positions, _WIDTH_IN[min(2, len(panels))], names)
        value_axis(axes, min(extremes), max(extremes))
    figure.supylabel(quantity.label, fontsize=11)
    figure.supxlabel("message size", fontsize=11)
    figure.canvas.draw()
    for axes, labels in ends:
        _label_ends(axes, labels, marks)
    return figure


def _size_ticks(
    axes: Axes, positions: dict[int, float], width_in: float, names: Sequence[str]
) -> None:
    """A tick at each size that has room, and space on the right for the lines' names."""
    left, right = min(positions.values()), max(positions.values())
    span = right - left
    names_in = min(width_in / 2, 0.18 + _CHARACTER_IN * max(map(len, names)))
    axes.set_xlim(left - 0.06 * span, right + 1.06 * span * names_in / (width_in - names_in))
    gap = span * _TICK_IN / (width_in - names_in)
    kept: list[int] = []
    for size in sorted(positions):
        if not kept or positions[size] - positions[kept[-1]] >= gap:
            kept.append(size)
    axes.set_xticks([positions[size] for size in kept], [format_size(size) for size in kept])


def _label_ends(axes: Axes, ends: list[tuple[str, float, float]], marks: dict[str, Mark]) -> None:
    """Write each line's name beside its last point, moved apart where they would overlap."""
    points_per_pixel = 72.0 / axes.figure.dpi
    heights = [float(axes.transData.transform((x, y))[1]) * points_per_pixel for _, x, y in ends]
    order = sorted(range(len(ends)), key=lambda index: heights[index])
    placed = _apart([heights[index] for index in order], _LABEL_GAP_PT)
    for index, target in zip(order, placed, strict=True):
        name, x, y = ends[index]
        axes.annotate(
            contender_title(name),
            (x, y),
            xytext=(9, target - heights[index]),
            textcoords="offset points",
            va="center",
            fontsize=10,
            color=marks[name].color,
            fontweight="bold",
            annotation_clip=False,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        ).set_in_layout(False)


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """``heights``, ascending, moved as little as needed to be ``gap`` apart, around their mean."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _bottom(groups[-1], gap) < _top(groups[-2], gap) + gap:
            last = groups.pop()
            groups[-1].extend(last)
    return [_bottom(group, gap) + gap * index for group in groups for index in range(len(group))]


def _bottom(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _top(group: Sequence[float], gap: float) -> float:
    return _bottom(group, gap) + gap * (len(group) - 1)


def _bars(shown: Sequence[ArmSummary], quantity: Quantity, marks: dict[str, Mark]) -> Figure:
    """Bars from zero, one group per transport and pattern, the value at each bar's end."""
    panels = panels_of(shown)
    figure = new_figure(1.0 + 0.36 * len(shown) + 0.45 * len(panels))
    axes = figure.subplots()
    height, ticks, names = 0.0, [], []
    for title, members in panels:
        names.append((height - 0.85, title))
        for one in members:
            _bar(axes, height, one, quantity, marks[one.contender])
            ticks.append((height, contender_title(one.contender)))
            height += 1.0
        height += 1.25
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.set_ylim(height - 1.25 - 0.3, -1.4)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    top = max(
        max(point_of(quantity.of(one)), *(quantity.of(one).bounds or (0.0,))) for one in shown
    )
    axes.set_xlim(0, top * 1.24)
    axes.xaxis.set_major_formatter(lambda value, _: short_number(value))
    for at, title in names:
        axes.text(0.0, at, title, fontweight="bold", va="center", fontsize=10.5)
    axes.set_xlabel(f"{quantity.label}, messages of {format_size(shown[0].cell.size_bytes)}")
    return figure


def _bar(axes: Axes, at: float, one: ArmSummary, quantity: Quantity, mark: Mark) -> None:
    interval = quantity.of(one)
    value = point_of(interval)
    low, high = interval.bounds or (value, value)
    axes.barh(
        at,
        value,
        height=0.78,
        color=mark.color,
        alpha=0.75,
        hatch=mark.hatch,
        edgecolor="white",
    )
    if interval.bounds:
        axes.errorbar(
            value,
            at,
            xerr=[[max(0.0, value - low)], [max(0.0, high - value)]],
            color="black",
            capsize=4,
            elinewidth=1.3,
        )
    axes.annotate(
        quantity.form(value),
        (max(value, high), at),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=10,
    )
