"""Scenarios in ``run.json``, and the hash that says whether two runs measured the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from slkbench.errors import ScenarioError
from slkbench.model import Cell, Layer, Metric, Pattern, Scenario, Topology, Transport

__all__ = ["scenario_from_json", "scenario_hash", "scenario_to_json"]

_CELL_ENUMS: dict[str, Callable[[str], str]] = {
    "pattern": Pattern,
    "transport": Transport,
    "layer": Layer,
    "topology": Topology,
    "metric": Metric,
}
_LATER_CONDITIONS = (
    "senders",
    "receivers",
    "idle_peers",
    "offered_msgs_per_s",
    "offered_share",
)


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 of what is measured: equal for runs whose samples may be compared.

    How long, how often and how surely it is measured, and the words about it, do not count.
    """
    stored = scenario_to_json(scenario)
    # Conditions that came later do not count where they are what was usual before.
    usual = Cell(Pattern.PUSH_PULL, Transport.TCP, 0)
    stored["cells"] = [
        {
            key: value
            for key, value in cell.items()
            if key not in _LATER_CONDITIONS or value != getattr(usual, key)
        }
        for cell in stored["cells"]
    ]
    kept = ("cells", "contenders", "baseline", "placebo", "min_time_s", "affinity")
    canonical = json.dumps({key: stored[key] for key in kept}, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def scenario_to_json(scenario: Scenario) -> dict[str, Any]:
    """Plain lists, dicts and scalars, for ``run.json``."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(scenario)))
    return plain


def scenario_from_json(stored: Mapping[str, Any], *, where: str = "run.json") -> Scenario:
    """The inverse of ``scenario_to_json``.

    Raises ``ScenarioError`` for what is not the JSON of a scenario; ``where`` is the file's name.
    """
    try:
        cells = tuple(_cell_from_json(cell) for cell in stored["cells"])
        tuples = {
            "cells": cells,
            "contenders": tuple(stored["contenders"]),
            "looks": tuple(stored["looks"]),
            "affinity": None
            if stored["affinity"] is None
            else tuple(tuple(cpus) for cpus in stored["affinity"]),
        }
        return Scenario(**{**stored, **tuples})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScenarioError(
            f"{where} does not hold a scenario that this slkbench can read "
            f"({type(error).__name__}: {error}). Restore the file from a copy."
        ) from None


def _cell_from_json(stored: Mapping[str, Any]) -> Cell:
    values: dict[str, Any] = dict(stored)
    for key, kind in _CELL_ENUMS.items():
        values[key] = kind(values[key])
    return Cell(**values)
