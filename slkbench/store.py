"""Runs on disk: ``samples.csv`` grows by a synced row per sample, ``run.json`` changes atomically.

A run is a folder ``<utc>-<scenario>-<commit>[-dirty]`` under a results folder; it appears whole.  A
crash can tear at most the last row; it has no line feed then, and is left out when the run is read
and cut off when the run is continued.  Nothing else is ever rewritten.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from slkbench.disk import append, disk_errors, replace_file, sync_folder, write_all, write_whole
from slkbench.errors import StoreError
from slkbench.folders import claimed_folder, remove_abandoned
from slkbench.integrity import check_samples
from slkbench.model import Finding, Sample, Scenario
from slkbench.scenario import scenario_from_json
from slkbench.schema import READABLE_VERSIONS, SCHEMA_VERSION, header, row_of, sample_of

__all__ = [
    "DEFAULT_ROOT",
    "NAME_MAX",
    "RunStore",
    "StoredRun",
    "create_folder",
    "find_run",
    "list_runs",
    "read_metadata",
    "read_run",
    "write_whole",
]

DEFAULT_ROOT = Path("results")
METADATA_NAME = "run.json"
SAMPLES_NAME = "samples.csv"
STORED = "stored_samples"
"""How many rows there were at least, in ``run.json``: a table that was cut short is known by it."""
LATEST = "latest"
# Not yet runs: a folder that is being filled.
_UNBORN_PREFIX = ".slkbench-new-"
NAME_MAX = 100  # of a name within a name; a file system takes 255 bytes


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a run's folder holds. ``findings`` tell of a torn row that was left out."""

    path: Path
    metadata: Mapping[str, Any]
    samples: tuple[Sample, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def scenario(self) -> Scenario:
        """The scenario as it was run. Raises ``StoreError`` if ``run.json`` holds none."""
        if not isinstance(stored := self.metadata.get("scenario"), dict):
            raise StoreError(
                f"{self.path / METADATA_NAME} does not say which scenario was run. "
                "Restore the file; without it the run cannot be judged."
            )
        return scenario_from_json(stored, where=str(self.path / METADATA_NAME))


class RunStore:
    """A run that is being measured: a context manager around the open ``samples.csv``."""

    def __init__(self, run: StoredRun) -> None:
        """Go on with ``run``; ``create`` and ``reopen`` are the ways to get here."""
        self._path = run.path
        self._metadata = dict(run.metadata)
        self._samples = list(run.samples)
        self._findings = run.findings
        with disk_errors("append to", run.path / SAMPLES_NAME):
            self._file = (run.path / SAMPLES_NAME).open("ab", buffering=0)

    @classmethod
    def create(
        cls,
        root: Path,
        scenario: str,
        metadata: Mapping[str, Any],
        *,
        commit: str = "nogit",
        dirty: bool = False,
    ) -> Self:
        """Make the run's folder under ``root`` with a ``run.json`` and an empty ``samples.csv``.

        ``run_id`` and ``schema_version`` are added to ``metadata``, which must be JSON and whose
        ``scenario`` should be ``scenario_to_json(...)``.  Raises ``StoreError`` where the folder
        cannot be written.
        """
        name = _folder_name(scenario, commit=commit, dirty=dirty)
        with disk_errors("create a run in", root):
            root.mkdir(parents=True, exist_ok=True)
            remove_abandoned(root, _UNBORN_PREFIX)
            run = _make_run(root, name, {**metadata, "schema_version": SCHEMA_VERSION})
        return cls(run)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Go on with a stored run; a torn last row is cut off and named in ``findings``.

        Raises ``StoreError`` as ``read_run`` does, and for a run of an older schema version.
        """
        run = read_run(path)
        if (version := run.metadata["schema_version"]) != SCHEMA_VERSION:
            raise StoreError(
                f"{path} has schema version {version}, which this slkbench reads but does not "
                f"write (it writes {SCHEMA_VERSION}). Start a new run instead."
            )
        samples_path = path / SAMPLES_NAME
        with disk_errors("repair", samples_path):
            whole_bytes = samples_path.read_bytes().rfind(b"\n") + 1
            os.truncate(samples_path, whole_bytes)
            for left_by_a_crash in path.glob(f".{METADATA_NAME}.*"):
                left_by_a_crash.unlink(missing_ok=True)
            remove_abandoned(path.absolute().parent, _UNBORN_PREFIX)
        mended = "it was cut off, and that sample is measured again"
        return cls(replace(run, findings=tuple(replace(f, remedy=mended) for f in run.findings)))

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._path

    @property
    def run_id(self) -> str:
        """The folder's name; what ``Sample.run_id`` should say."""
        return self._path.name

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What ``run.json`` holds."""
        return self._metadata

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Everything measured so far, those of before ``reopen`` included."""
        return tuple(self._samples)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What ``reopen`` mended."""
        return self._findings

    def append(self, sample: Sample) -> None:
        """Add one row; it is on the disk when this returns.

        Raises ``StoreError`` where it cannot be written; the file is then as it was before.
        """
        line = _line(row_of(sample))
        with disk_errors("append to", self._path / SAMPLES_NAME):
            before_bytes = os.fstat(self._file.fileno()).st_size
            try:
                write_all(self._file.fileno(), line)
            except OSError:
                os.ftruncate(self._file.fileno(), before_bytes)
                raise
        self._samples.append(sample)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set keys of ``run.json``; a crash leaves the old file or the new one, whole."""
        changed = {**self._metadata, **changes, STORED: len(self._samples)}
        write_whole(self._path / METADATA_NAME, _json(changed))
        self._metadata = changed

    def close(self) -> None:
        """Close the file. Nothing is pending: every row is synced when it is appended."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def create_folder(root: Path, name: str, *, commit: str, dirty: bool) -> Path:
    """A new folder ``<utc>-<name>-<commit>[-dirty]`` under ``root``.

    Raises ``StoreError`` where it cannot be made.
    """
    with disk_errors("create a run in", root):
        return _make_folder(root, _folder_name(name, commit=commit, dirty=dirty))


def read_run(path: Path) -> StoredRun:
    """Read a run's folder.

    Raises ``StoreError`` for a file that is missing, damaged, foreign or of another schema version;
    it names file, line and remedy.  A torn last row is left out and becomes a finding.
    """
    metadata = read_metadata(path)
    lines, findings = _read_samples(path / SAMPLES_NAME, metadata["schema_version"])
    samples = tuple(lines.values())
    run = StoredRun(path, metadata, samples, findings)
    cells = run.scenario.cells if isinstance(metadata.get("scenario"), dict) else None
    try:
        check_samples(
            lines, run_id=metadata.get("run_id"), cells=cells, stored=metadata.get(STORED)
        )
    except StoreError as error:
        raise StoreError(f"{path / SAMPLES_NAME}, {error} {_RESTORE}") from None
    return run


def read_metadata(path: Path) -> dict[str, Any]:
    """``run.json`` of the run in the folder ``path``. Raises ``StoreError`` as ``read_run``."""
    file = path / METADATA_NAME
    text = _decoded(file, _read(file))
    try:
        metadata = json.loads(text)
    except RecursionError:
        raise StoreError(f"{file} nests too deeply: slkbench did not write it.") from None
    except json.JSONDecodeError as error:
        raise StoreError(
            f"{file} is damaged: line {error.lineno}, column {error.colno} is not JSON "
            f"({error.msg}). "
            "Restore the file from a copy; samples.csv beside it is not affected."
        ) from None
    version = metadata.get("schema_version") if isinstance(metadata, dict) else None
    if not isinstance(version, int):
        raise StoreError(
            f"{file} has no schema_version, so slkbench did not write it. "
            "Name a folder that `slkbench run` made."
        )
    if version not in READABLE_VERSIONS:
        raise StoreError(
            f"{file} has schema version {version}; this slkbench reads versions "
            f"{READABLE_VERSIONS[0]} to {SCHEMA_VERSION}. "
            f"Read it with the slkbench that wrote it{', or upgrade' * (version > SCHEMA_VERSION)}."
        )
    assert isinstance(metadata, dict)
    return metadata


def list_runs(root: Path = DEFAULT_ROOT) -> tuple[Path, ...]:
    """The folders of all runs under ``root``, oldest first; none if there is no such folder."""
    if not root.is_dir():
        return ()
    return tuple(sorted(file.parent for file in root.glob(f"[!.]*/{SAMPLES_NAME}")))


def find_run(name: str, root: Path = DEFAULT_ROOT) -> Path:
    """The folder that ``name`` means: a path, a run's name or a unique part of it, or ``latest``.

    Raises ``StoreError`` where that is none or several.
    """
    runs = list_runs(root)
    if name == LATEST and runs:
        return runs[-1]
    as_path = Path(name)
    if (as_path / SAMPLES_NAME).is_file():
        # A report is written to a folder of the same name, so "." and ".." need theirs.
        return as_path.resolve() if as_path.name in {"", ".", ".."} else as_path
    exact = [run for run in runs if run.name == name]
    if matches := exact or [run for run in runs if name in run.name]:
        if len(matches) == 1:
            return matches[0]
        raise StoreError(
            f"{name!r} means {len(matches)} runs: {_some_names(matches)}. Write more of the name."
        )
    known = f"There are: {_some_names(runs)}" if runs else "There is none; `slkbench run` makes one"
    raise StoreError(f"no run {name!r} in {root}. {known}.")


def _some_names(runs: tuple[Path, ...] | list[Path], most: int = 5) -> str:
    names = ", ".join(run.name for run in runs[-most:])
    return f"{names} and {len(runs) - most} older" if len(runs) > most else names


def _read_samples(file: Path, version: int) -> tuple[dict[int, Sample], tuple[Finding, ...]]:
    """The samples by the number of their line, and what to know of the last row."""
    whole, _, torn = _read(file).rpartition(b"\n")
    rows = csv.reader(io.StringIO(_decoded(file, whole)), strict=True)
    samples: dict[int, Sample] = {}
    try:
        _check_header(file, next(rows, []), version)
        for row in rows:
            samples[rows.line_num] = sample_of(row, version)
    except csv.Error as error:
        raise _damaged(file, rows.line_num, str(error)) from None
    except StoreError as error:
        if rows.line_num <= 1:
            raise
        raise _damaged(file, rows.line_num, str(error)) from None
    if not torn:
        return samples, ()
    finding = Finding(
        code="torn-row",
        subject=str(file),
        evidence=f"the last row breaks off after {len(torn)} bytes; it was left out",
        remedy="`slkbench run --resume` cuts it off and measures that sample again",
    )
    return samples, (finding,)


def _check_header(file: Path, found: list[str], version: int) -> None:
    expected = header(version)
    if tuple(found) == expected:
        return
    if len(set(found) & set(expected)) <= len(expected) // 2:
        raise StoreError(
            f"{file} is not a table of samples: its first line is {','.join(found)[:60]!r}. "
            "Name a folder that `slkbench run` made."
        )
    missing = ", ".join(name for name in expected if name not in found)
    unknown = ", ".join(name for name in found if name not in expected)
    differences = [f"without {missing}"] * bool(missing) + [f"with unknown {unknown}"] * bool(
        unknown
    )
    raise StoreError(
        f"{file}, line 1: the header differs from schema version {version}: "
        f"{' and '.join(differences) or 'in another order'}. Restore the file from a copy, or read "
        "it with the slkbench that wrote it."
    )


_RESTORE = (
    "The file was damaged or edited; restore it from a copy, or measure anew: a stored sample is "
    "never altered."
)


def _damaged(file: Path, line: int, what: str) -> StoreError:
    return StoreError(f"{file}, line {line}: {what}. {_RESTORE}")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise StoreError(
            f"{file} is missing, so {file.parent} is not a whole run. "
            "`slkbench list` shows the runs that are."
        ) from None
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}. Check its permissions.") from None


def _decoded(file: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StoreError(
            f"{file}, line {line} is not text (byte {error.start}): damaged or foreign. "
            "Restore it from a copy."
        ) from None


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "unnamed"


def _folder_name(name: str, *, commit: str, dirty: bool) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{_slug(name)[:NAME_MAX]}-{_slug(commit)}{'-dirty' if dirty else ''}"


def _candidates(root: Path, name: str) -> Iterator[Path]:
    """The folder of that name, then others, should it be there already."""
    yield root / name
    yield from (root / f"{name}-{number}" for number in range(2, 100))
    raise FileExistsError(errno.EEXIST, "too many runs in this second", str(root / name))


def _make_folder(root: Path, name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for path in _candidates(root, name):
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            break
    return path


def _make_run(root: Path, name: str, metadata: Mapping[str, Any]) -> StoredRun:
    """Fill a folder elsewhere and move it, so that a crash leaves a run that is whole, or none."""
    with claimed_folder(root, _UNBORN_PREFIX) as claimed:
        (unborn := claimed / "run").mkdir()
        append(unborn / SAMPLES_NAME, _line(header()))
        for path in _candidates(root, name):
            whole = {**metadata, "run_id": path.name, STORED: 0}
            replace_file(unborn / METADATA_NAME, _json(whole).encode())
            if not path.exists():
                unborn.rename(path)
                break
        sync_folder(root)
    return StoredRun(path, whole, ())


def _json(metadata: Mapping[str, Any]) -> str:
    return json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"


def _line(cells: tuple[str, ...] | list[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
