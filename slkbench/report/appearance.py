"""How every chart looks: colours, marks and sizes that survive grey print and a narrow page.

Colours are from the Okabe-Ito palette; nothing is told by colour alone, each contender has its own
marker, line and hatch too.  Figures are 8 in wide and shown at about 800 px, so 1 pt is 1.4 px.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from slkbench.disk import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Mark",
    "chart",
    "marks",
    "new_figure",
    "save",
    "short_number",
    "size_positions",
    "value_axis",
]

WIDTH_IN = 8.0
_DPI = 200

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "hatch.linewidth": 0.8,
    "svg.hashsalt": "slkbench",
    "text.parse_math": False,  # a dollar in a name is a dollar
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one contender from another in a chart."""

    color: str
    marker: str
    line: str | tuple[int, tuple[int, ...]]
    hatch: str


_KNOWN = {
    "serverlink": Mark("#0072B2", "o", "-", ""),
    "libzmq": Mark("#D55E00", "s", "--", "///"),
    "pyzmq": Mark("#D55E00", "s", "--", "///"),
    "floor": Mark("#555555", "D", ":", "..."),
}
_OTHERS = (
    Mark("#009E73", "^", "-.", "xxx"),
    Mark("#CC79A7", "v", (0, (5, 1, 1, 1, 1, 1)), "+++"),
    Mark("#E69F00", "P", (0, (1, 1)), "\\\\\\"),
    Mark("#56B4E9", "X", (0, (8, 2)), "---"),
)


def marks(contenders: Sequence[str]) -> dict[str, Mark]:
    """A mark for each contender: the same one in every chart of a run."""
    chosen: dict[str, Mark] = {}
    spare = 0
    for name in dict.fromkeys(contenders):
        if name in _KNOWN and not (name == "pyzmq" and "libzmq" in contenders):
            chosen[name] = _KNOWN[name]
        else:
            chosen[name] = _OTHERS[spare % len(_OTHERS)]
            spare += 1
    return chosen


@contextmanager
def chart() -> Iterator[None]:
    """Draw inside this: the report's style, whatever the user's matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(height_in: float) -> Figure:
    """An empty figure as wide as a page, drawn without a display."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write ``figure`` as PNG, the same bytes for the same figure."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_DPI, format="png", metadata={"Software": None})
    replace_file(path, drawn.getvalue())
    return path


def size_positions(sizes: Sequence[int]) -> dict[int, float]:
    """Where message sizes stand on a logarithmic axis; 0 bytes stand one step left of 1 byte."""
    return {size: log2(size) if size > 0 else -1.0 for size in sizes}


def value_axis(axes: Axes, low: float, high: float) -> None:
    """Make y logarithmic from ``low`` to ``high`` with ticks that people can read."""
    axes.set_yscale("log")
    axes.set_ylim(low / 1.35, high * 1.35)
    steps = (1.0,) if high / low > 300 else (1.0, 3.0) if high / low > 20 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(LogLocator(subs=()))


def short_number(value: float) -> str:
    """``value`` with three significant digits and k, M or G, as on an axis."""
    for scale, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= scale * 0.9995:
            return f"{value / scale:.3g}{suffix}"
    return f"{value:.3g}"
