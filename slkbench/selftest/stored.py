"""A self-test on disk: the conditions it holds for, its sittings, and what its passes measured."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from slkbench.disk import disk_errors
from slkbench.errors import UsageError
from slkbench.selftest.faults import FaultOutcome
from slkbench.selftest.instructions import InstructionTrial
from slkbench.store import StoredRun, list_runs, read_run

__all__ = [
    "RECORD",
    "RUNNING",
    "Conditions",
    "Sitting",
    "StoredSelftest",
    "ended_sittings",
    "pass_label",
    "read_selftest",
    "stored_passes",
]

RECORD = "selftest.json"
RUNNING = "running"
_LABEL = re.compile(r"pass-(\d+)")
_REMEDY = "Start a new self-test instead, without --resume."


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all sittings of a self-test have in common. ``libraries`` are hashes by name."""

    machine: str
    commit: str
    dirty: bool
    slkbench: str
    libraries: Mapping[str, str]
    cells: tuple[str, ...]
    effects: tuple[float, ...]
    min_time_s: float
    looks: tuple[int, ...]

    def differences(self, now: Conditions) -> list[str]:
        """What is not as it was, each as "NAME was X and is Y"."""
        return [
            f"{field.name} was {_said(before)} and is {_said(after)}"
            for field in fields(self)
            if (before := getattr(self, field.name)) != (after := getattr(now, field.name))
        ]


@dataclass(frozen=True, slots=True)
class Sitting:
    """One uninterrupted stretch of a self-test; ``passes`` are those that it began, from 0."""

    began_utc: str
    elapsed_s: float
    status: str
    passes: tuple[int, ...] = ()
    command_line: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredSelftest:
    """What a self-test's folder says, but for its passes."""

    path: Path
    conditions: Conditions
    seed: int
    sittings: tuple[Sitting, ...]
    faults: tuple[FaultOutcome, ...]
    instructions: tuple[InstructionTrial, ...] = ()

    @property
    def next_pass(self) -> int:
        """The number of the first pass that was not begun; folders count where no record does."""
        begun = [number for sitting in self.sittings for number in sitting.passes]
        folders = [number for number, _ in _pass_folders(self.path)]
        return max([*begun, *folders], default=-1) + 1

    def check(self, now: Conditions) -> None:
        """Raise UsageError, which names both values, if ``now`` is not what it began with."""
        if differences := self.conditions.differences(now):
            raise UsageError(f"cannot go on with {self.path}: {'; '.join(differences)}. {_REMEDY}")


def pass_label(number: int) -> str:
    """``pass-0001`` of 0, which is part of the name of its folder."""
    return f"pass-{number + 1:04d}"


def stored_passes(path: Path) -> Iterator[tuple[int, StoredRun]]:
    """Every pass below ``path`` with its number, from 0. Raises StoreError as ``read_run``."""
    for number, folder in _pass_folders(path):
        yield number, read_run(folder)


def ended_sittings(stored: StoredSelftest) -> tuple[Sitting, ...]:
    """Its sittings; one that was killed wrote nothing since its last pass began."""
    measured_s = {
        number: float(run.metadata.get("measured_s", 0.0))
        for number, run in stored_passes(stored.path)
    }
    return tuple(
        replace(
            each,
            status="killed",
            elapsed_s=each.elapsed_s + sum(measured_s.get(last, 0.0) for last in each.passes[-1:]),
        )
        if each.status == RUNNING
        else each
        for each in stored.sittings
    )


def _pass_folders(path: Path) -> Iterable[tuple[int, Path]]:
    for folder in list_runs(path):
        if (label := _LABEL.search(folder.name)) is not None:
            yield int(label.group(1)) - 1, folder


def read_selftest(path: Path) -> StoredSelftest:
    """The self-test in the folder ``path``. Raises UsageError if there is none to go on with."""
    record = _read(path / RECORD)
    try:
        conditions = record["conditions"]
        return StoredSelftest(
            path,
            Conditions(
                **{
                    **conditions,
                    "cells": tuple(conditions["cells"]),
                    "effects": tuple(conditions["effects"]),
                    "looks": tuple(conditions["looks"]),
                }
            ),
            int(record["seed"]),
            tuple(
                Sitting(
                    str(each["began_utc"]),
                    float(each["elapsed_s"]),
                    str(each["status"]),
                    tuple(int(number) for number in each["passes"]),
                    tuple(each["command_line"]),
                )
                for each in record["sittings"]
            ),
            tuple(FaultOutcome(**each) for each in record["faults"]),
            tuple(InstructionTrial(**each) for each in record.get("instructions", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path / RECORD} is not of a self-test that this slkbench can go on with ({error!r}). "
            f"{_REMEDY}"
        ) from None


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UsageError(
            f"{file} is missing, so there is no self-test to go on with in {file.parent}; name the "
            "folder that the last line of slkbench selftest says"
        )
    with disk_errors("read", file):
        text = file.read_text(encoding="utf-8", errors="replace")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{file} is damaged: {error}. {_REMEDY}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{file} is damaged: it is no JSON object. {_REMEDY}")
    return found


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {str(each)[:12]}" for key, each in sorted(value.items()))
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return repr(value) if isinstance(value, str) else str(value)
