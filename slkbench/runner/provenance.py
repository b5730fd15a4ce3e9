"""What ``run.json`` says of a run: enough to repeat it, and to refuse to mix it with another."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import slkbench
from slkbench.errors import StoreError
from slkbench.machine import Machine, Tool, fingerprint, machine_record, stored_fingerprint
from slkbench.model import Contender, Placement, Scenario
from slkbench.scenario import scenario_hash, scenario_to_json

__all__ = ["check_same_conditions", "package_folder", "run_record"]

_PACKAGES = ("pyzmq", "numpy", "scipy", "nanobind")


def run_record(
    scenario: Scenario,
    *,
    seed: int,
    machine: Machine,
    tools: Sequence[Tool],
    contenders: Sequence[Contender],
    libs: Sequence[str],
    placement: Placement,
    git: tuple[str | None, bool],
    command_line: Sequence[str],
) -> dict[str, Any]:
    """The record of a run that is about to begin, as JSON values."""
    commit, dirty = git
    return {
        "scenario": scenario_to_json(scenario),
        "scenario_hash": scenario_hash(scenario),
        "seed": seed,
        "machine": machine_record(machine),
        "placement": asdict(placement),
        "libraries": [_library_record(contender) for contender in contenders],
        "lib_options": list(libs),
        "tools": {tool.name: tool.version for tool in tools},
        "packages": _package_versions(),
        "slkbench": slkbench.__version__,
        "commit": commit,
        "dirty": dirty,
        "command_line": list(command_line),
        "calibrated": [],
        "measured_s": 0.0,
    }


def check_same_conditions(
    stored: Mapping[str, Any],
    *,
    name: str,
    scenario: Scenario,
    machine: Machine,
    contenders: Sequence[Contender],
) -> None:
    """Refuse to go on with a run under other conditions than those it began with.

    Raises StoreError that says what differs.
    """
    differences = []
    if stored.get("scenario_hash") != scenario_hash(scenario):
        differences.append("the scenario is another")
    if stored.get("slkbench") != slkbench.__version__:
        differences.append(f"it was measured by slkbench {stored.get('slkbench')}")
    was = stored_fingerprint(stored.get("machine", {}))
    if was != fingerprint(machine):
        differences.append(f"the machine was {was!r} and is {fingerprint(machine)!r}")
    hashes = {(each["name"], each["layer"]): each["sha256"] for each in stored["libraries"]}
    for contender in contenders:
        key = (contender.name, contender.layer.value)
        if hashes.get(key) != contender.sha256:
            differences.append(f"{contender.name} ({contender.path}) is another build")
    if differences:
        raise StoreError(
            f"cannot go on with {name}: {'; '.join(differences)}. Start a new run instead, "
            "without --resume."
        )


def package_folder() -> Path:
    """Where slkbench itself is; its checkout, if it is in one, names the run."""
    return Path(slkbench.__file__).resolve().parent


def _library_record(contender: Contender) -> dict[str, Any]:
    record = asdict(contender)
    record["patterns"] = list(contender.patterns)
    record["transports"] = list(contender.transports)
    return record


def _package_versions() -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
