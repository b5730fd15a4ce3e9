"""Whether stored rows can be what slkbench wrote: what an editor or a copy in parts has changed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

from slkbench.errors import StoreError
from slkbench.foreign_text import NAME_RULE, is_name, visible
from slkbench.model import (
    CELL_COLUMNS,
    UNMEASURED,
    ArmRole,
    Cell,
    CellKey,
    Layer,
    Metric,
    Pattern,
    Sample,
    Status,
    Topology,
    Transport,
)

__all__ = ["check_samples"]

_MIB_BYTES = 1 << 20
_TOLERANCE = 1e-5  # of what is computed again from the row
_WORDS: dict[str, type[StrEnum]] = {
    "role": ArmRole,
    "layer": Layer,
    "pattern": Pattern,
    "transport": Transport,
    "topology": Topology,
    "metric": Metric,
    "status": Status,
}
_NAMES = ("arm", "contender")


def check_samples(
    lines: Mapping[int, Sample],
    *,
    run_id: Any = None,
    cells: Collection[Cell] | None = None,
    stored: Any = None,
) -> None:
    """Check the samples of a run, which are given by the numbers of their lines.

    ``run_id``, ``cells`` and ``stored`` (how many rows there were, at least) are what ``run.json``
    says, None where it says nothing.  Raises StoreError that names line, column and what was
    expected there.
    """
    first_at: dict[tuple[CellKey, int, int, str], int] = {}
    for line, sample in lines.items():
        if run_id is not None and sample.run_id not in {"", run_id}:
            raise _wrong(line, "run_id", sample.run_id, f"{run_id!r}, which run.json says")
        _check_values(line, sample)
        _check_sums(line, sample)
        if cells:
            _check_cell(line, sample, cells)
        place = (sample.cell_key, sample.block, sample.slot, sample.arm)
        # A sample that failed, or was saturated, is measured once more, in the same place.
        before = first_at.get(place)
        if before is not None and lines[before].status not in UNMEASURED:
            raise StoreError(
                f"line {line}: it repeats line {before}: {sample.arm} in block {sample.block}, "
                f"slot {sample.slot}. A place is measured once."
            )
        first_at[place] = line
    if isinstance(stored, int) and len(lines) < stored:
        raise StoreError(
            f"line {2 + len(lines)}: the table ends after {len(lines)} rows, and run.json says "
            f"that {stored} were stored."
        )


def _wrong(line: int, column: str, found: object, expected: str) -> StoreError:
    shown = repr(visible(found)) if isinstance(found, str) else repr(found)
    return StoreError(f"line {line}: column {column} holds {shown} instead of {expected}.")


def _check_values(line: int, sample: Sample) -> None:
    """Whether words are words, names are names, and nothing is negative."""
    for column, words in _WORDS.items():
        if (word := getattr(sample, column)) not in set(words):
            raise _wrong(line, column, word, " or ".join(words))
    for column in _NAMES:
        if not is_name(name := getattr(sample, column)):
            raise _wrong(line, column, name, f"a contender's name ({NAME_RULE})")
    for each in fields(sample):
        value = getattr(sample, each.name)
        if isinstance(value, (int, float)) and value < 0:
            raise _wrong(line, each.name, value, "a number that is not negative")


def _check_sums(line: int, sample: Sample) -> None:
    """Whether the columns that follow from others do."""
    messages, elapsed_ns, rate = sample.messages, sample.elapsed_ns, sample.rate_msgs_per_s
    if not messages or not elapsed_ns:
        return
    sums = [("rate_msgs_per_s", messages / elapsed_ns * 1e9, "messages / elapsed_ns")]
    if sample.metric == Metric.THROUGHPUT:
        sums.append(("time_per_message_ns", elapsed_ns / messages, "elapsed_ns / messages"))
    if rate is not None:
        bandwidth = rate * sample.size_bytes / _MIB_BYTES
        sums.append(("bandwidth_mib_per_s", bandwidth, "rate_msgs_per_s * size_bytes"))
    for column, expected, why in sums:
        found = getattr(sample, column)
        if found is not None and not math.isclose(found, expected, rel_tol=_TOLERANCE):
            raise _wrong(line, column, found, f"{expected!r} ({why})")


def _check_cell(line: int, sample: Sample, cells: Collection[Cell]) -> None:
    """Whether the sample is of a cell of the scenario."""
    key = sample.cell_key
    if any(cell.key == key for cell in cells):
        return
    nearest = max(cells, key=lambda cell: sum(_alike(sample, cell, n) for n in CELL_COLUMNS))
    column = next((name for name in CELL_COLUMNS if not _alike(sample, nearest, name)), "pattern")
    expected = dict.fromkeys(str(getattr(cell, column)) for cell in cells)
    raise _wrong(
        line,
        column,
        getattr(sample, column),
        f"{' or '.join(expected)}, as the scenario in run.json has it",
    )


def _alike(sample: Sample, cell: Cell, name: str) -> bool:
    return str(getattr(sample, name)) == str(getattr(cell, name))
