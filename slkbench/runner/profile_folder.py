"""Profiles on disk: in a folder of their own, or in a run's folder beside its samples."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slkbench.errors import StoreError
from slkbench.model import ProfileRow
from slkbench.schema import profile_columns, profile_row_from, profile_row_of
from slkbench.store import LATEST, METADATA_NAME, SAMPLES_NAME, find_run, list_runs, write_whole

__all__ = [
    "STACKS",
    "ProfileFolder",
    "cell_of_row",
    "find_folder",
    "list_folders",
    "profile_file",
    "profiles_in",
    "read_profile",
]

STACKS = "stacks"
"""The folder of folded stacks and flame graphs, in a profile's or a run's folder."""

_PREFIX = "profile-"


class ProfileFolder:
    """The rows of one tool so far, and what is said about them.

    In a run's folder (one with samples) the record is ``profile-TOOL.json``, and rows of other
    cells and contenders that are already there stay.  Elsewhere it is ``run.json``.
    """

    def __init__(self, path: Path, tool: str, record: Mapping[str, Any]) -> None:
        """Begin: the record says that it is running. Raises StoreError."""
        self.path = path
        self.rows: list[ProfileRow] = []
        self._file = profile_file(path, tool)
        is_of_run = (path / SAMPLES_NAME).is_file()
        self._record_file = path / (f"{_PREFIX}{tool}.json" if is_of_run else METADATA_NAME)
        self._record = {**record, "profile": tool}
        self._earlier = list(read_profile(self._file)) if is_of_run and self._file.is_file() else []
        self.end("running")
        self.add([])

    def add(self, rows: Sequence[ProfileRow]) -> None:
        """Put more rows on the disk, in place of those of the same contender and cell."""
        self.rows += rows
        fresh = {(row.contender, cell_of_row(row)) for row in self.rows}
        kept = [row for row in self._earlier if (row.contender, cell_of_row(row)) not in fresh]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(column.name for column in profile_columns())
        writer.writerows(profile_row_of(row) for row in (*kept, *self.rows))
        write_whole(self._file, text.getvalue())

    def end(self, status: str) -> None:
        """Say in the record how far it came."""
        self._record["status"] = status
        text = json.dumps(self._record, indent=2, ensure_ascii=False) + "\n"
        write_whole(self._record_file, text)


def profile_file(folder: Path, tool: str) -> Path:
    """Where the rows of a tool are in a folder, if they are there."""
    return folder / f"{_PREFIX}{tool}.csv"


def cell_of_row(row: ProfileRow) -> tuple[object, ...]:
    """What a row is of, but for its contender. High water marks do not count for a backlog."""
    marks = () if row.quantity == "backlog-bytes" else (row.sndhwm, row.rcvhwm)
    where = (row.pattern, row.transport, row.topology, row.size_bytes, row.io_threads)
    return (*where, *marks)


def read_profile(file: Path) -> tuple[ProfileRow, ...]:
    """The rows of a ``profile-TOOL.csv``. Raises StoreError that names file and line."""
    rows: list[ProfileRow] = []
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            rows.extend(map(profile_row_from, reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"cannot read {file}: {error}. Profile again.") from None
    except StoreError as error:
        raise StoreError(f"{file}, line {reader.line_num}: {error}. Profile again.") from None
    return tuple(rows)


def profiles_in(folder: Path) -> dict[str, tuple[ProfileRow, ...]]:
    """The rows of every profile in a folder, by tool. Raises StoreError.

    One that was interrupted before its first contender was through is none.
    """
    found = {
        file.stem.removeprefix(_PREFIX): read_profile(file)
        for file in sorted(folder.glob(f"{_PREFIX}*.csv"))
    }
    return {tool: rows for tool, rows in found.items() if rows}


def list_folders(root: Path) -> tuple[Path, ...]:
    """The folders of all runs and of all profiles under ``root``, oldest first."""
    if not root.is_dir():
        return ()
    profiles = {file.parent for file in root.glob(f"*/{_PREFIX}*.csv")}
    return tuple(sorted({*list_runs(root), *profiles}))


def find_folder(name: str, root: Path) -> Path:
    """What ``find_run`` finds, or a folder that holds profiles alone. Raises StoreError."""
    if name != LATEST:
        known = [each for each in list_folders(root) if not (each / SAMPLES_NAME).is_file()]
        if list(Path(name).glob(f"{_PREFIX}*.csv")):
            return Path(name)
        matches = [each for each in known if each.name == name] or [
            each for each in known if name in each.name
        ]
        if len(matches) == 1 and not any(name in run.name for run in list_runs(root)):
            return matches[0]
    return find_run(name, root)
