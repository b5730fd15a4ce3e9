"""What is stored under a results folder, looked up by what was measured: the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from slkbench.errors import StoreError
from slkbench.machine import stored_fingerprint
from slkbench.model import Cell, ProfileRow, Sample, Status
from slkbench.runner.profile_folder import list_folders, profiles_in
from slkbench.store import SAMPLES_NAME, StoredRun, read_metadata, read_run

__all__ = ["Archive"]


class Archive:
    """Everything that is stored under a results folder, the newest first; read once.

    With ``machine`` only what was measured where the fingerprint has that text in it.
    """

    def __init__(self, results: Path, *, machine: str = "") -> None:
        """Read; what cannot be read is left out."""
        self.machines: set[str] = set()  # of all that was read, left out or not
        self.runs: list[StoredRun] = []
        self.profiles: list[tuple[str, dict[str, tuple[ProfileRow, ...]]]] = []
        self.metadata: list[tuple[str, dict[str, Any]]] = []
        for path in reversed(list_folders(results)):
            try:
                metadata = read_metadata(path)
                measured_on = stored_fingerprint(metadata.get("machine", {})) or ""
                self.machines.add(measured_on)
                if machine not in measured_on:
                    continue
                self.metadata.append((path.name, metadata))
                self.profiles.append((path.name, profiles_in(path)))
                if (path / SAMPLES_NAME).is_file():
                    self.runs.append(read_run(path))
            except StoreError:
                continue

    @property
    def contenders(self) -> frozenset[str]:
        """The names of all that has samples or profiles."""
        profiled = {
            row.contender
            for _, profiles in self.profiles
            for rows in profiles.values()
            for row in rows
        }
        return frozenset(profiled | {one.arm for run in self.runs for one in run.samples})

    def cell_samples(
        self, wanted: Cell, arms: Sequence[str], *, one_core: bool = False
    ) -> Iterator[tuple[str, list[Sample]]]:
        """By run that has them all: the samples of these arms in this cell.

        Either of runs that were to have both threads on one core, or of the others: these are two
        questions.
        """
        for run in self.runs:
            if _shares_one_core(run) != one_core:
                continue
            own = [one for one in run.samples if one.cell_key == wanted.key and one.arm in arms]
            if {one.arm for one in own if one.status == Status.OK} == set(arms):
                yield run.run_id, own

    def rows(self, tool: str, wanted: Cell, contender: str) -> tuple[str, list[ProfileRow]] | None:
        """The newest profile of a contender in such a cell."""
        for name, profiles in self.profiles:
            own = [
                row
                for row in profiles.get(tool, ())
                if row.contender == contender
                and (row.pattern, row.transport, row.size_bytes)
                == (wanted.pattern.value, wanted.transport.value, wanted.size_bytes)
                and row.topology == wanted.topology.value
            ]
            if own:
                return name, own
        return None


def _shares_one_core(run: StoredRun) -> bool:
    asked = run.scenario.affinity
    return asked is not None and len({cpu for cpus in asked for cpu in cpus}) == 1
