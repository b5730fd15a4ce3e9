"""What a run's folder has beside its samples that says the same with less noise: instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slkbench.model import Cell, Layer, Metric, ProfileRow, Status
from slkbench.runner.profile_folder import cell_of_row

__all__ = ["instructions_ratio"]

_INSTRUCTIONS = "instructions"


def instructions_ratio(
    profiles: Mapping[str, Sequence[ProfileRow]], cell: Cell, contender: str, baseline: str
) -> float | None:
    """Instructions per message of contender / baseline; None where they were not both counted."""
    if cell.layer is not Layer.NATIVE or cell.metric is not Metric.THROUGHPUT:
        return None
    if cell.has_many_peers:
        return None
    marks = (cell.sndhwm, cell.rcvhwm)
    where = (
        str(cell.pattern),
        str(cell.transport),
        str(cell.topology),
        cell.size_bytes,
        cell.io_threads,
        *marks,
    )
    counts = {
        row.contender: row.per_message
        for row in profiles.get(_INSTRUCTIONS, ())
        if (row.role, row.what, row.quantity) == ("all", "all", _INSTRUCTIONS)
        and row.status == Status.OK
        and cell_of_row(row) == where
    }
    own, other = counts.get(contender), counts.get(baseline)
    return own / other if own and other else None
