"""Chart of round trips at each rate: the value of every percentile, with a band over processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch

from slkbench.histograms import Distribution
from slkbench.model import Cell
from slkbench.report.appearance import Mark, chart, new_figure, save, value_axis
from slkbench.report.naming import contender_title
from slkbench.units import format_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Curve", "curve_of", "draw_latency"]

_BEYOND = 100
_POINTS = 120
_COLUMNS = 3
_TICKS = {1: "0", 2: "50", 10: "90", 100: "99", 1000: "99.9", 10_000: "99.99", 100_000: "99.999"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One contender at one rate: at each ``x`` = 1/(1-p) the times in µs, a row per process."""

    x: NDArray[np.float64]
    times_us: NDArray[np.float64]


def curve_of(distributions: Sequence[Distribution]) -> Curve | None:
    """The percentiles that every process has 100 round trips beyond; None if none has any."""
    fewest = min((one.total for one in distributions), default=0)
    if fewest < 2 * _BEYOND:
        return None
    x = np.logspace(0, log10(fewest / _BEYOND), _POINTS)
    rows = [one.values_at((1 - 1 / x).tolist()) for one in distributions]
    return Curve(x, np.array(rows, dtype=np.float64) / 1e3)


def draw_latency(
    curves: Mapping[Cell, Mapping[str, Curve]], marks: Mapping[str, Mark], path: Path
) -> Path | None:
    """Write a panel for each rate; the lines are medians over processes, bands lowest to highest.

    ``curves`` are by cell and contender, of cells that differ in their rate alone.
    """
    shown = {cell: found for cell, found in curves.items() if found}
    if not shown:
        return None
    with chart():
        columns = min(_COLUMNS, len(shown))
        rows = -(-len(shown) // columns)
        figure = new_figure(0.9 + 3.1 * rows)
        axes: Any = figure.subplots(rows, columns, squeeze=False, sharey=True)
        panels: list[Axes] = list(axes.flat)
        for unused in panels[len(shown) :]:
            unused.remove()
        every = [curve.times_us for found in shown.values() for curve in found.values()]
        low, high = min(one.min() for one in every), max(one.max() for one in every)
        for panel, (cell, found) in zip(panels, shown.items(), strict=False):
            for name, curve in found.items():
                _draw(panel, curve, marks[name])
            value_axis(panel, max(low, 0.1), high)
            _percentile_axis(panel, max(curve.x[-1] for curve in found.values()))
            panel.set_title(format_rate(cell.offered_msgs_per_s))
        names = list(dict.fromkeys(name for found in shown.values() for name in found))
        figure.legend(
            [Patch(color=marks[name].color) for name in names],
            [contender_title(name) for name in names],
            loc="outside upper center",
            ncols=len(names),
            frameon=False,
        )
        figure.supylabel("round trip in µs, from when it was due", fontsize=11)
        figure.supxlabel("percentile p, spaced as 1/(1-p)", fontsize=11)
        return save(figure, path)


def _draw(panel: Axes, curve: Curve, mark: Mark) -> None:
    low, high = curve.times_us.min(axis=0), curve.times_us.max(axis=0)
    panel.fill_between(curve.x, low, high, color=mark.color, alpha=0.2, linewidth=0)
    panel.plot(curve.x, np.median(curve.times_us, axis=0), color=mark.color, linestyle=mark.line)


def _percentile_axis(panel: Axes, last: float) -> None:
    panel.set_xscale("log")
    panel.set_xlim(1, last)
    ticks = [tick for tick in _TICKS if tick <= last * 1.01]
    panel.set_xticks(ticks, [_TICKS[tick] for tick in ticks])
    panel.minorticks_off()
