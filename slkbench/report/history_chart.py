"""The chart of a history: a panel for each series, runs from left to right, steps marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from slkbench.across.history import Point, Series
from slkbench.report.appearance import Mark, chart, marks, new_figure, save, value_axis
from slkbench.report.naming import cell_title, change, contender_title, times
from slkbench.units import format_time_ns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_history"]

_PANELS_PER_CHART = 12
_FEWEST_POINTS = 2
_LABELS_PER_PANEL = 6
_WIDE = 3.0
_STEP_COLOR = "#CC3311"


def draw_history(series: Sequence[Series], folder: Path) -> list[Path]:
    """Write ``history-1.png`` and so on, one machine in each; none where no series has two runs."""
    shown = [one for one in series if len(one.points) >= _FEWEST_POINTS]
    looks = marks([one.contender for one in series])
    charts: list[list[Series]] = []
    for machine in dict.fromkeys(one.machine for one in shown):
        members = [one for one in shown if one.machine == machine]
        charts += [
            members[start : start + _PANELS_PER_CHART]
            for start in range(0, len(members), _PANELS_PER_CHART)
        ]
    paths = []
    for number, members in enumerate(charts, start=1):
        with chart():
            paths.append(save(_figure(members, looks), folder / f"history-{number}.png"))
    return paths


def _figure(members: Sequence[Series], looks: dict[str, Mark]) -> Figure:
    columns = min(2, len(members))
    rows = -(-len(members) // columns)
    figure = new_figure(0.9 + (3.4 if columns == 1 else 2.6) * rows)
    axes: Any = figure.subplots(rows, columns, squeeze=False)
    cells: list[Axes] = list(axes.flat)
    for unused in cells[len(members) :]:
        unused.remove()
    for panel, series in zip(cells, members, strict=False):
        _panel(panel, series, looks[series.contender])
    figure.suptitle(f"Time per message over runs; {members[0].machine}", fontsize=10.5)
    figure.supxlabel(
        "runs in the order of their time; bars: 95 % intervals; dotted: another build of the "
        "library;\nthick: level between steps; red: a step",
        fontsize=10,
    )
    return figure


def _panel(axes: Axes, series: Series, mark: Mark) -> None:
    points = series.points
    values = [point.value * _scale(series) for point in points]
    bounds = [_bounds(point, _scale(series)) for point in points]
    axes.errorbar(
        range(len(points)),
        values,
        yerr=[
            [max(0.0, value - low) for value, (low, _) in zip(values, bounds, strict=True)],
            [max(0.0, high - value) for value, (_, high) in zip(values, bounds, strict=True)],
        ],
        color=mark.color,
        marker=mark.marker,
        linestyle="none",
        capsize=3,
        elinewidth=1.2,
    )
    low = min(bound[0] for bound in bounds)
    high = max(bound[1] for bound in bounds)
    _value_axis(axes, series, low, high)
    _segments(axes, series, mark)
    _builds(axes, points)
    _run_axis(axes, points)
    axes.set_title(_title(series), fontsize=10)


def _title(series: Series) -> str:
    title = f"{cell_title(series.cell)}: {contender_title(series.contender)}"
    if series.reference is not None:
        return f"{title},\nratio to {contender_title(series.reference)} {series.reference_build}"
    return title


def _scale(series: Series) -> float:
    """Ratios as they are, times in µs."""
    return 1.0 if series.reference is not None else 1e-3


def _bounds(point: Point, scale: float) -> tuple[float, float]:
    low = point.value if point.low is None else point.low
    high = point.value if point.high is None else point.high
    return low * scale, high * scale


def _value_axis(axes: Axes, series: Series, low: float, high: float) -> None:
    if high / low > _WIDE:
        value_axis(axes, low, high)
    else:
        air = 0.18 * (high - low) or 0.05 * high
        axes.set_ylim(low - air, high + air)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    if series.reference is not None:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: times(value)))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_time_ns(value * 1e3)))


def _segments(axes: Axes, series: Series, mark: Mark) -> None:
    scale = _scale(series)
    for start, end, level in series.segments if series.steps else ():
        axes.plot(
            [start - 0.4, end + 0.4],
            [level * scale] * 2,
            color=mark.color,
            linewidth=4,
            alpha=0.35,
            solid_capstyle="butt",
        )
    for step in series.steps:
        axes.axvline(step.index - 0.5, color=_STEP_COLOR, linewidth=1.4)
        axes.text(
            step.index - 0.4,
            0.985,
            change(step.ratio),
            transform=axes.get_xaxis_transform(),
            va="top",
            color=_STEP_COLOR,
            fontsize=9.5,
        )


def _builds(axes: Axes, points: Sequence[Point]) -> None:
    """A dotted line where the library is another build, and its version where that changed."""
    for index in range(1, len(points)):
        before, after = points[index - 1], points[index]
        if before.build == after.build:
            continue
        axes.axvline(index - 0.5, color="#555555", linewidth=1.0, linestyle=":")
        if before.version != after.version:
            axes.text(
                index - 0.4,
                0.02,
                after.version,
                transform=axes.get_xaxis_transform(),
                fontsize=8.5,
                color="#555555",
            )


def _run_axis(axes: Axes, points: Sequence[Point]) -> None:
    every = -(-len(points) // _LABELS_PER_PANEL)
    ticks = list(range(0, len(points), every))
    axes.set_xticks(ticks, [_day(points[index]) for index in ticks], fontsize=8.5)
    axes.set_xlim(-0.6, len(points) - 0.4)
    axes.grid(visible=False, axis="x")


def _day(point: Point) -> str:
    """Month, day and time of a run called ``20261122T101500Z-…``; another name's first letters."""
    stamp = point.run_id
    if len(stamp) > 15 and stamp[8] == "T" and stamp[:8].isdigit():
        return f"{stamp[4:6]}-{stamp[6:8]}\n{stamp[9:11]}:{stamp[11:13]}"
    return stamp[:8]
