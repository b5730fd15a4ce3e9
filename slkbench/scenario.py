"""Scenarios: a question in TOML becomes a typed ``Scenario``, or an error that says how to mend it.

::

    [scenario]
    question = "Is it slower?"      # the one key that must be there
    contenders = ["libzmq", "serverlink", "floor"]
    baseline = "libzmq"
    min_time = "250ms"              # also: placebo, min_effect, looks, rounds, budget,
                                    # sample_timeout, affinity, seed
    [[cells]]                       # one table per group; every list is a dimension of a product
    pattern = ["router-router", "push-pull"]
    transport = ["tcp", "inproc"]
    size = [64, "1KiB"]
    messages = [100_000, 50_000]    # a list runs parallel to size; also layer, topology, metric,
                                    # io_threads, and hwm or sndhwm and rcvhwm

inproc joins threads of one process, so a product leaves out inproc between processes; a table of
which nothing is left is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slkbench.model import Scenario

__all__ = [
    "ad_hoc_scenario",
    "find_scenario",
    "list_scenarios",
    "load_scenario",
    "parse_scenario",
    "scenario_from_json",
    "scenario_hash",
    "scenario_to_json",
]


def list_scenarios() -> tuple[Path, ...]:
    """The files of the scenarios that slkbench ships, by name."""
    raise NotImplementedError


def find_scenario(name: str) -> Path:
    """The file of a shipped scenario's name, or ``name`` itself if it is a file's path.

    Raises ``ScenarioError`` that names the nearest shipped ones.
    """
    raise NotImplementedError


def load_scenario(name: str) -> Scenario:
    """``parse_scenario`` of the file that ``find_scenario`` finds."""
    raise NotImplementedError


def parse_scenario(text: str, *, name: str, where: str) -> Scenario:
    """The scenario that a TOML text states. ``where`` is the file's name, for errors.

    Raises ``ScenarioError`` naming file, key path and what is allowed.
    """
    raise NotImplementedError


def ad_hoc_scenario(
    *,
    transports: Sequence[str] = ("tcp",),
    sizes: Sequence[str | int] = (1024,),
    patterns: Sequence[str] = ("router-router", "push-pull"),
    layers: Sequence[str] = ("native",),
    topologies: Sequence[str] = ("threads",),
    metrics: Sequence[str] = ("throughput",),
    hwm: int = 1000,
    io_threads: int = 1,
    messages: int | None = None,
    contenders: Sequence[str] | None = None,
    **settings: Any,
) -> Scenario:
    """The scenario of what the command line asked for; ``settings`` are fields of ``Scenario``.

    Raises ``ScenarioError`` naming the option's value and what is allowed.
    """
    raise NotImplementedError


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 of what is measured: equal for runs whose samples may be compared."""
    raise NotImplementedError


def scenario_to_json(scenario: Scenario) -> dict[str, Any]:
    """For ``run.json``."""
    raise NotImplementedError


def scenario_from_json(stored: Mapping[str, Any], *, where: str = "run.json") -> Scenario:
    """The inverse of ``scenario_to_json``. Raises ``ScenarioError`` for an unknown key."""
    raise NotImplementedError
