"""Scenarios: a question in TOML becomes a typed ``Scenario``, or an error that says how to mend it.

::

    [scenario]
    question = "Is it slower?"      # the one key that must be there
    contenders = ["libzmq", "serverlink", "floor"]
    baseline = "libzmq"
    min_time = "250ms"              # also: placebo, min_effect, looks, rounds, budget,
                                    # target, max_time, sample_timeout, affinity, seed
    [[cells]]                       # one table per group; every list is a dimension of a product
    pattern = ["router-router", "push-pull"]
    transport = ["tcp", "inproc"]
    size = [64, "1KiB"]
    messages = [100_000, 50_000]    # a list runs parallel to size; also layer, topology, metric,
                                    # io_threads, and hwm or sndhwm and rcvhwm
    senders = 8                     # sockets of one thread; also receivers, and idle_peers: further
                                    # connected peers of the receiver that say nothing
    rate = ["10k", "50%"]           # messages per second, for metric = "paced"; or a share of what
                                    # the slowest contender sustains, found before measuring

inproc joins threads of one process, so a product leaves out inproc between processes; a table of
which nothing is left is an error.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slkbench.errors import ScenarioError, UsageError
from slkbench.model import Cell, Layer, Metric, Scenario, Topology, Transport
from slkbench.scenario.conditions import check_conditions
from slkbench.scenario.keys import CELL_KEYS, SCENARIO_KEYS, Parser, as_list, nearest

__all__ = ["ad_hoc_scenario", "parse_scenario"]

DEFAULT_CONTENDERS = ("libzmq", "serverlink", "floor")
_EXAMPLES = {
    "pattern": '"router-router"',
    "transport": '"tcp"',
    "size": '[64, "1KiB"]',
}


def parse_scenario(text: str, *, name: str, where: str) -> Scenario:
    """The scenario that a TOML text states. ``where`` is the file's name, for errors.

    Raises ``ScenarioError`` naming file, key path and what is allowed.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{where} is not TOML: {error}. Mend the file there.") from None
    return _build(document, name, where)


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
    senders: int = 1,
    receivers: int = 1,
    idle_peers: int = 0,
    rates: Sequence[str | int | float] = (),
    contenders: Sequence[str] = DEFAULT_CONTENDERS,
    **settings: Any,
) -> Scenario:
    """The scenario of what the command line asked for.

    ``settings`` are the further keys of a file's ``[scenario]`` by their names there, such as
    ``min_time`` and ``budget`` (seconds, or text with a unit); one that is None is left to its
    default, and so is ``messages``.  The baseline is libzmq if it is a contender (on layer python
    pyzmq), else the first.  Raises ``ScenarioError`` naming the value and what is allowed.
    """
    usual = next((name for name in ("libzmq", "pyzmq") if name in contenders), None)
    options: dict[str, Any] = {
        "question": "What was asked for on the command line",
        "contenders": list(contenders),
        "baseline": usual or next(iter(contenders), ""),
        **settings,
    }
    cells: dict[str, Any] = {
        "pattern": list(patterns),
        "transport": list(transports),
        "size": list(sizes),
        "layer": list(layers),
        "topology": list(topologies),
        "metric": list(metrics),
        "hwm": hwm,
        "io_threads": io_threads,
        "messages": messages,
        "senders": senders,
        "receivers": receivers,
        "idle_peers": idle_peers,
        "rate": [_rate_text(rate) for rate in rates] or None,
    }
    document = {"scenario": _given(options), "cells": [_given(cells)]}
    return _build(document, "ad-hoc", "the command line")


def _rate_text(rate: str | float) -> str:
    """A share as a percentage: in a scenario a bare number is a rate."""
    return f"{rate:.9%}" if isinstance(rate, float) else str(rate)


def _given(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _build(document: Mapping[str, Any], name: str, where: str) -> Scenario:
    _check_keys(document, ("scenario", "cells"), where, "")
    head = _table(document.get("scenario", {}), where, "scenario")
    _check_keys(head, SCENARIO_KEYS, where, "scenario")
    if "question" not in head:
        raise ScenarioError(
            f"{where}: scenario.question is missing. Say in a sentence what is to be found out."
        )
    fields = {}
    for key, value in head.items():
        field, parse = SCENARIO_KEYS[key]
        fields[field] = _parsed(parse, value, where, f"scenario.{key}")
    scenario = Scenario(name=name, cells=_cells(document.get("cells", []), where), **fields)
    _check_baseline(scenario, where)
    return scenario


def _check_baseline(scenario: Scenario, where: str) -> None:
    if scenario.baseline not in scenario.contenders:
        raise ScenarioError(
            f"{where}: scenario.baseline is {scenario.baseline!r}, which is no contender. "
            f"{nearest(scenario.baseline, scenario.contenders)}"
        )


def _cells(tables: Any, where: str) -> tuple[Cell, ...]:
    if not isinstance(tables, list) or not tables:
        raise ScenarioError(f"{where}: there are no cells. Add a [[cells]] table with a transport.")
    found: dict[Any, str] = {}
    cells = []
    for number, table in enumerate(tables):
        path = f"cells[{number}]"
        for cell in cells_in(_table(table, where, path), where, path):
            if cell.key in found:
                raise ScenarioError(
                    f"{where}: {path} has the cell {cell.title!r} of {found[cell.key]} again. "
                    "Remove it from one of them."
                )
            found[cell.key] = path
            cells.append(cell)
    return tuple(cells)


def cells_in(table: Mapping[str, Any], where: str, path: str) -> list[Cell]:
    """Every combination of the cell keys in a table; a key may have a list of values.

    ``where`` and ``path`` name the file and the table in errors.  Raises ScenarioError.
    """
    _check_keys(table, CELL_KEYS, where, path)
    values = {
        key: [_parsed(CELL_KEYS[key], item, where, f"{path}.{key}") for item in as_list(value)]
        for key, value in table.items()
    }
    for key, found in values.items():
        if not found:
            raise ScenarioError(f"{where}: {path}.{key} is an empty list. Remove it or fill it.")
    for key in ("pattern", "transport", "size"):
        if key not in values:
            raise ScenarioError(
                f"{where}: {path}.{key} is missing. Add for example {_EXAMPLES[key]}."
            )
    sizes = _sizes_with_messages(values, where, path)
    marks = _high_water_marks(values, where, path)
    axes = {
        "pattern": values["pattern"],
        "transport": values["transport"],
        "topology": values.get("topology", [Topology.THREADS]),
        "layer": values.get("layer", [Layer.NATIVE]),
        "metric": values.get("metric", [Metric.THROUGHPUT]),
        "io_threads": values.get("io_threads", [1]),
        "senders": values.get("senders", [1]),
        "receivers": values.get("receivers", [1]),
        "idle_peers": values.get("idle_peers", [0]),
    }
    rates = [
        {"offered_share": rate} if isinstance(rate, float) else {"offered_msgs_per_s": rate}
        for rate in values.get("rate", [0])
    ]
    cells = [
        Cell(**dict(zip(axes, chosen, strict=True)), **rate, **size, **mark)
        for *chosen, rate, size, mark in itertools.product(*axes.values(), rates, sizes, marks)
    ]
    cells = [
        c for c in cells if (c.transport, c.topology) != (Transport.INPROC, Topology.PROCESSES)
    ]
    if not cells:
        raise ScenarioError(
            f"{where}: {path} asks for inproc between processes only, but inproc joins threads of "
            'one process. Use topology = "threads", or transport = "ipc".'
        )
    for cell in cells:
        try:
            check_conditions(cell)
        except UsageError as error:
            raise ScenarioError(f"{where}: {path}: {error}") from None
    return cells


def _sizes_with_messages(
    values: Mapping[str, list[Any]], where: str, path: str
) -> list[dict[str, Any]]:
    sizes = values["size"]
    messages = values.get("messages", [None])
    if len(messages) == 1:
        messages = messages * len(sizes)
    if len(messages) != len(sizes):
        raise ScenarioError(
            f"{where}: {path}.messages has {len(messages)} values for {len(sizes)} sizes. "
            "Write one for all, or one for each size in the same order."
        )
    return [
        {"size_bytes": size, "messages": count} for size, count in zip(sizes, messages, strict=True)
    ]


def _high_water_marks(
    values: Mapping[str, list[int]], where: str, path: str
) -> list[dict[str, int]]:
    if "hwm" not in values:
        return [
            {"sndhwm": send, "rcvhwm": receive}
            for send in values.get("sndhwm", [1000])
            for receive in values.get("rcvhwm", [1000])
        ]
    if clash := {"sndhwm", "rcvhwm"} & set(values):
        raise ScenarioError(
            f"{where}: {path}.hwm sets both marks, and {min(clash)} one of them again. "
            "Use either hwm, or sndhwm and rcvhwm."
        )
    return [{"sndhwm": mark, "rcvhwm": mark} for mark in values["hwm"]]


def _table(value: Any, where: str, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{where}: {path} is not a table. Begin it with [{path}].")
    return value


def _check_keys(table: Mapping[str, Any], known: Iterable[str], where: str, path: str) -> None:
    for key in table:
        if key not in known:
            full = f"{path}.{key}" if path else key
            raise ScenarioError(f"{where}: unknown key {full}. {nearest(key, known)}")


def _parsed(parse: Parser, value: Any, where: str, path: str) -> Any:
    try:
        return parse(value)
    except UsageError as error:
        raise ScenarioError(f"{where}: {path}: {error}") from None
