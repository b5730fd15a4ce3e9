"""What flags do to speed, with the interval between builds, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from slkbench.profile.side_by_side import Table
from slkbench.report.markdown import plain, table
from slkbench.runner.builds import BuildEffect
from slkbench.units import format_percent

__all__ = ["BUILDS_NOTE", "builds_section", "effects_table"]

BUILDS_NOTE = (
    "Rate of a variant against the first, each built several times with its objects linked in "
    "another order. The unit is a build: the interval, Student's at 95 %, is over builds, and the "
    "spread is what link order alone does between the builds of one variant."
)


def effects_table(effects: Sequence[BuildEffect]) -> Table:
    """A row for each variant in each cell."""
    rows = []
    for one in effects:
        bounds = "n/a"
        if one.low is not None and one.high is not None:
            bounds = f"[{_rate(one.high)}, {_rate(one.low)}]"
        rows.append(
            (
                one.cell.title,
                one.library,
                f"{one.variant} against {one.against}",
                _rate(one.ratio),
                bounds,
                format_percent(one.spread),
                str(one.builds),
            )
        )
    head = ("cell", "library", "build", "rate", "95 % between builds", "spread", "builds")
    return Table("Build variants", head, tuple(rows), 3)


def builds_section(effects: Sequence[BuildEffect]) -> list[str]:
    """The section of a report."""
    shown = effects_table(effects)
    rows = [[plain(cell) for cell in row] for row in shown.rows]
    return [BUILDS_NOTE, table(shown.head, rows, left=shown.left)]


def _rate(time_ratio: float) -> str:
    return format_percent(1 / time_ratio - 1, signed=True)
