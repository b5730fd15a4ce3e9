"""What charts over several transports and patterns share: the grid of panels and the whiskers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slkbench.report.appearance import Mark, new_figure
from slkbench.report.frames import ArmSummary, Interval
from slkbench.report.naming import pattern_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Panel", "draw_whiskered", "in_order", "panel_grid", "panels_of", "point_of"]

Panel = tuple[str, list[ArmSummary]]


def in_order(summaries: Sequence[ArmSummary], marks: dict[str, Mark]) -> list[ArmSummary]:
    """Contenders in the order of ``marks``, the same in every panel; cells in the run's order."""
    rank = {name: index for index, name in enumerate(marks)}
    cells = {key: index for index, key in enumerate(dict.fromkeys(one.cell for one in summaries))}
    return sorted(summaries, key=lambda one: (cells[one.cell], rank[one.contender]))


def panels_of(summaries: Sequence[ArmSummary]) -> list[Panel]:
    """One panel per transport and pattern, patterns side by side."""
    found: dict[tuple[str, str], list[ArmSummary]] = {}
    for one in summaries:
        found.setdefault((one.cell.transport.value, one.cell.pattern.value), []).append(one)
    transports = list(dict.fromkeys(transport for transport, _ in found))
    patterns = sorted({pattern for _, pattern in found}, reverse=True)
    return [
        (f"{pattern_title(pattern)}, {transport}", found[transport, pattern])
        for transport in transports
        for pattern in patterns
        if (transport, pattern) in found
    ]


def panel_grid(panels: Sequence[Panel]) -> tuple[Figure, list[Axes]]:
    """Panels in one or two columns, with common y limits so that they can be compared."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(0.7 + (3.6 if columns == 1 else 2.75) * rows)
    axes: Any = figure.subplots(rows, columns, squeeze=False, sharey=True)
    cells: list[Axes] = list(axes.flat)
    for unused in cells[len(panels) :]:
        unused.remove()
    return figure, cells[: len(panels)]


def draw_whiskered(
    axes: Axes,
    x: Sequence[float],
    intervals: Sequence[Interval],
    mark: Mark,
    *,
    joined: bool = True,
) -> None:
    """A line of points with a whisker for each interval; a point without one stands alone."""
    points = [point_of(one) for one in intervals]
    bounds = [one.bounds or (point, point) for one, point in zip(intervals, points, strict=True)]
    axes.errorbar(
        x,
        points,
        yerr=[
            [max(0.0, point - low) for point, (low, _) in zip(points, bounds, strict=True)],
            [max(0.0, high - point) for point, (_, high) in zip(points, bounds, strict=True)],
        ],
        color=mark.color,
        marker=mark.marker,
        linestyle=mark.line if joined else "none",
        capsize=4,
        elinewidth=1.3,
    )


def point_of(interval: Interval) -> float:
    """The point of an interval that is known to have one."""
    assert interval.point is not None
    return interval.point
