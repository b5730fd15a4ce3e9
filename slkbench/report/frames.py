"""From samples to the medians and intervals that a report shows.

A point is the median over processes, its interval comes from order statistics, which supposes
nothing about the shape of the noise.  Samples of blocks that the machine disturbed take no part
where there are others.
Ratios between contenders and verdicts are not made here: ``slkbench.stats`` makes them from the
same samples.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from slkbench import stats
from slkbench.model import (
    CELL_COLUMNS,
    ArmRole,
    Cell,
    Sample,
    Status,
)
from slkbench.stats.blocks import BlockKey

__all__ = [
    "ArmSummary",
    "Interval",
    "Setting",
    "sample_frame",
    "summarise",
]


_MEASURED = (
    "messages",
    "elapsed_ns",
    "time_per_message_ns",
    "rate_msgs_per_s",
    "bandwidth_mib_per_s",
    "p50_ns",
    "p90_ns",
    "p99_ns",
    "p999_ns",
    "cpu_ns",
    "slowest_sender_share",
    "idle_peer_bytes",
)
# A percentile p is worth telling from 100 round trips beyond it in every sample.
_FEWEST_ROUND_TRIPS = {"p99_ns": 10_000, "p999_ns": 100_000}
_SUMMARISED = (
    "messages",
    "elapsed_ns",
    "rate_msgs_per_s",
    "bandwidth_mib_per_s",
    "p50_ns",
    "p90_ns",
    "p99_ns",
    "p999_ns",
    "cpu_ns_per_message",
    "cpu_busy_cores",
    "slowest_sender_share",
    "idle_peer_bytes",
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A median over ``samples`` processes; ``low`` to ``high`` hold it at confidence ``level``.

    ``point`` is None where nothing was measured; the bounds are None where that was too little.
    """

    point: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    samples: int = 0

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The median of ``values`` and the order statistics around it."""
        found = stats.summarise(values)
        if found is None:
            return cls()
        return cls(found.median, found.low, found.high, found.level, found.count)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Both bounds, or None where there are too few samples for any."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """What cells of one table share besides pattern: tables never mix settings."""

    layer: str
    topology: str
    io_threads: int
    sndhwm: int
    rcvhwm: int
    senders: int
    receivers: int
    idle_peers: int
    offered_msgs_per_s: int

    @classmethod
    def of(cls, cell: Cell) -> Setting:
        """The setting that ``cell`` belongs to."""
        return cls(
            cell.layer.value,
            cell.topology.value,
            cell.io_threads,
            cell.sndhwm,
            cell.rcvhwm,
            cell.senders,
            cell.receivers,
            cell.idle_peers,
            cell.offered_msgs_per_s,
        )


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One contender in one cell: medians over blocks; ``failed`` counts samples that failed.

    ``disturbed`` says that no block of the cell was left undisturbed, so that the medians are of
    disturbed ones: something to see, nothing to conclude from.
    """

    cell: Cell
    contender: str
    samples: int
    failed: int
    disturbed: bool
    messages: Interval
    elapsed_ns: Interval
    rate_msgs_per_s: Interval
    bandwidth_mib_per_s: Interval
    p50_ns: Interval
    p90_ns: Interval
    p99_ns: Interval
    p999_ns: Interval
    cpu_ns_per_message: Interval
    cpu_busy_cores: Interval
    slowest_sender_share: Interval = Interval()
    idle_peer_bytes: Interval = Interval()

    @property
    def is_failed(self) -> bool:
        """Whether a sample failed: a contender that loses messages has no throughput."""
        return self.failed > 0


def sample_frame(samples: Sequence[Sample]) -> pd.DataFrame:
    """One row per sample, a column per field plus ``cell``; missing numbers are NaN."""
    columns: dict[str, list[Any]] = {
        one.name: [getattr(sample, one.name) for sample in samples] for one in fields(Sample)
    }
    frame = pd.DataFrame(columns)
    for name in _MEASURED:
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    frame["cell"] = pd.Series([stats.cell_of(sample) for sample in samples], dtype=object)
    frame["cpu_ns_per_message"] = frame["cpu_ns"] / frame["messages"].where(frame["messages"] > 0)
    frame["cpu_busy_cores"] = frame["cpu_ns"] / frame["elapsed_ns"].where(frame["elapsed_ns"] > 0)
    return frame


def summarise(
    frame: pd.DataFrame, discarded: Mapping[Cell, Collection[BlockKey]] | None = None
) -> list[ArmSummary]:
    """Every contender in every cell, in the order in which the run first met them.

    ``discarded`` names blocks whose samples take no part, unless a cell has no others.  The
    placebo is left out.
    """
    arms = frame[frame["role"] != ArmRole.PLACEBO.value]
    return [
        _summary(rows, str(rows["contender"].iloc[0]), discarded or {})
        for _, rows in arms.groupby([*CELL_COLUMNS, "contender"], sort=False)
    ]


def _summary(
    rows: pd.DataFrame, contender: str, discarded: Mapping[Cell, Collection[BlockKey]]
) -> ArmSummary:
    cell: Cell = rows["cell"].iloc[0]
    dropped = discarded.get(cell, ())
    is_saturated = (rows["status"] == Status.SATURATED.value).sum() >= stats.SATURATED_FROM
    ok = ((rows["status"] == Status.OK.value) & (not is_saturated)).to_numpy(dtype=bool)
    kept = [
        (run, int(block)) not in dropped
        for run, block in zip(rows["run_id"], rows["block"], strict=True)
    ]
    disturbed = bool(ok.any()) and not bool((ok & kept).any())
    good = rows[ok] if disturbed else rows[ok & kept]
    medians = {
        name: Interval.of(good[name].dropna().tolist()) if _is_observed(good, name) else Interval()
        for name in _SUMMARISED
    }
    return ArmSummary(
        cell=cell,
        contender=contender,
        samples=len(rows),
        failed=int((rows["status"] == Status.FAILED.value).sum()),
        disturbed=disturbed,
        **medians,
    )


def _is_observed(rows: pd.DataFrame, column: str) -> bool:
    """Whether every sample saw enough round trips for a percentile; other columns need none."""
    if column not in _FEWEST_ROUND_TRIPS:
        return True
    enough = rows["messages"] >= _FEWEST_ROUND_TRIPS[column]
    return bool((enough & rows[column].notna()).all())
