"""The columns of ``samples.csv``, all derived from the fields of ``model.Sample``.

Those of ``profile-TOOL.csv`` are derived from ``model.ProfileRow`` in the same way.  The order of
the fields is the order of the columns.  ``python -m slkbench.schema`` prints the data
dictionary that is kept as ``results/README.md``.

History of ``SCHEMA_VERSION``; readers refuse a version that they do not know, and read the rows of
an older one with the defaults of the columns that came later:

1. the first;
2. cells with many peers and at a paced rate: ``senders``, ``receivers``, ``idle_peers``,
   ``offered_msgs_per_s``, ``slowest_sender_share``, ``idle_peer_bytes``;
3. latency at a given rate: ``max_ns``, ``send_lag_p99_ns``, ``histograms``, and the status
   SATURATED;
4. ``slice_sd``: how far the time per message varies inside a process;
5. ``line_trip_before_ns``, ``line_trip_after_ns``: how far the CPUs were apart.  The second half of
   a block is no mirror image of the first any more;
6. ``sender_core_probe_ns``, ``receiver_core_probe_ns``: whether strangers shared the cores.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal

from slkbench.errors import StoreError
from slkbench.foreign_text import guarded, unguarded, visible
from slkbench.model import ProfileRow, Sample

__all__ = [
    "READABLE_VERSIONS",
    "SCHEMA_VERSION",
    "Column",
    "columns",
    "data_dictionary",
    "header",
    "pandas_dtypes",
    "profile_columns",
    "profile_row_from",
    "profile_row_of",
    "row_of",
    "sample_of",
]

SCHEMA_VERSION = 6
READABLE_VERSIONS = range(1, SCHEMA_VERSION + 1)

_FORM = """\
A run is a folder `<utc>-<scenario>-<commit>[-dirty]/`:

- `run.json`: what was run and on what: scenario, seed, machine, libraries with their path, hash,
  version and build flags, tool versions, `schema_version`.
- `samples.csv`: one row per sample, appended and synced to disk as it is measured. RFC 4180,
  UTF-8, one line per row, a line feed at the end of each. A text that a spreadsheet would take for
  a formula (it begins with `=`, `+`, `-`, `@` or the like) has an apostrophe before it.
- `histograms/*.hlog`: of each sample of metric paced all round trips and, under the tag `send-lag`,
  how late the messages went, in ns: an HdrHistogram log, compressed V2, for its usual tools.
- `sessions.json`, in the last run of `--sessions`: the names of all of them, and what they say
  together; `slkbench show` computes it anew.

What `slkbench profile` counted is a folder of its own, `<utc>-profile-<tool>-<commit>[-dirty]/`:
`run.json` as above, `profile-<tool>.csv` in the same form and `profile-<tool>.md`, its tables. A
profile of a run (`--run`) is in the run's folder, beside its samples: the same files, with
`profile-<tool>.json` in place of `run.json`, and `stacks/` with the folded stacks and flame graphs
of `profile cpu`. It holds no samples: what runs under such a tool is not timed.

A *sample* is one fresh process set that measures one arm in one cell; it is the unit of
observation. An empty cell is a missing value: unknown or not applicable, never 0. A row is never
altered after it is written; every verdict in a report can be recomputed from these rows."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``kind`` is how its cells are read, ``optional`` whether they may be empty."""

    name: str
    kind: Literal["int", "float", "str"]
    optional: bool
    unit: str
    meaning: str


@cache
def columns(version: int = SCHEMA_VERSION) -> tuple[Column, ...]:
    """All columns of ``samples.csv`` in a schema version, in the order of the file."""
    return _columns_of(Sample, version)


@cache
def profile_columns() -> tuple[Column, ...]:
    """All columns of a ``profile-TOOL.csv``, in the order of the file."""
    return _columns_of(ProfileRow, SCHEMA_VERSION)


def _columns_of(record: type[Sample | ProfileRow], version: int) -> tuple[Column, ...]:
    hints = typing.get_type_hints(record)
    return tuple(
        _column(item.name, hints[item.name], item.metadata["unit"], item.metadata["meaning"])
        for item in fields(record)
        if item.metadata.get("since", 1) <= version
    )


def _column(name: str, hint: Any, unit: str, meaning: str) -> Column:
    optional = isinstance(hint, types.UnionType)
    kind = next(t for t in typing.get_args(hint) if t is not type(None)) if optional else hint
    return Column(name, kind.__name__, optional, unit, meaning)


@cache
def header(version: int = SCHEMA_VERSION) -> tuple[str, ...]:
    """The first row of ``samples.csv`` in a schema version."""
    return tuple(item.name for item in columns(version))


def pandas_dtypes() -> dict[str, str]:
    """For ``pandas.read_csv(dtype=...)``; nullable where a cell may be empty."""
    optional = {"int": "Int64", "float": "float64", "str": "string"}
    certain = {"int": "int64", "float": "float64", "str": "string"}
    return {c.name: (optional if c.optional else certain)[c.kind] for c in columns()}


def row_of(sample: Sample) -> list[str]:
    """The cells of a sample; floats so that they read back to the same value.

    Line breaks in a text become spaces, so that a row is always one line and a line that has no end
    is always a torn row.  A float that is not finite is a missing value.
    """
    return [_to_cell(getattr(sample, name)) for name in header()]


def profile_row_of(row: ProfileRow) -> list[str]:
    """The cells of a profile's row, in the form of ``row_of``."""
    return [_to_cell(getattr(row, item.name)) for item in profile_columns()]


def profile_row_from(cells: Mapping[str, str]) -> ProfileRow:
    """The row whose cells, by the name of their column, are these.

    Columns that are not there have their defaults; others than the known ones are left out.  Raises
    ``StoreError`` that names the column and the cell.
    """
    known = {item.name: item for item in profile_columns()}
    values: dict[str, Any] = {
        name: _from_cell(known[name], cell) for name, cell in cells.items() if name in known
    }
    return ProfileRow(**values)


def _to_cell(value: float | str | None) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, str):
        return guarded(" ".join(value.splitlines()))
    return repr(value)


def sample_of(cells: Sequence[str], version: int = SCHEMA_VERSION) -> Sample:
    """The sample whose ``row_of`` is ``cells``, or was in an older schema version.

    Raises ``StoreError`` that names the column and the cell; the caller knows file and line.
    """
    known = columns(version)
    if len(cells) != len(known):
        raise StoreError(f"the row has {len(cells)} cells instead of {len(known)}")
    values: dict[str, Any] = {
        item.name: _from_cell(item, cell) for item, cell in zip(known, cells, strict=True)
    }
    return Sample(**values)


def _from_cell(item: Column, cell: str) -> float | str | None:
    if cell == "" and item.optional:
        return None
    allowed = ""
    match item.kind:
        case "int":
            allowed = "a whole number"
            if _WHOLE.fullmatch(cell):
                return int(cell)
        case "float":
            allowed = "a number"
            if _NUMBER.fullmatch(cell):
                return float(cell)
        case "str":
            return unguarded(cell)
    found = repr(visible(cell)) if cell else "an empty cell"
    raise StoreError(f"column {item.name} holds {found} instead of {allowed}")


# As Python writes them: no blanks, underscores, nan.
_WHOLE = re.compile(r"-?[0-9]{1,100}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?")


def data_dictionary() -> str:
    """``results/README.md``: every column with its type, unit and meaning, as Markdown."""
    lines = [
        "# Stored runs",
        "",
        "<!-- Generated by `python -m slkbench.schema`; edit slkbench/model.py instead. -->",
        "",
        _FORM,
        "",
        f"## Columns of `samples.csv` (schema version {SCHEMA_VERSION})",
        "",
        *_table_of(columns()),
        "",
        "## Columns of `profile-<tool>.csv`",
        "",
        *_table_of(profile_columns()),
    ]
    return "\n".join(lines) + "\n"


def _table_of(described: Sequence[Column]) -> list[str]:
    return [
        "| Column | Type | May be empty | Unit | Meaning |",
        "|---|---|---|---|---|",
        *(
            f"| `{c.name}` | {c.kind} | {'yes' if c.optional else 'no'} | {c.unit} | {c.meaning} |"
            for c in described
        ),
    ]


if __name__ == "__main__":
    print(data_dictionary(), end="")
