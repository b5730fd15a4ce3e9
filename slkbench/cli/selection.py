"""Which scenario the options of ``slkbench run`` mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from slkbench.errors import UsageError
from slkbench.model import Cell, Scenario

__all__ = ["fits", "scenario_of"]

# What 30 blocks of four arms take at the default work per sample.
_AD_HOC_BUDGET_PER_CELL_S = 120.0

_DIMENSIONS = {
    "transports": "transport",
    "sizes": "size_bytes",
    "patterns": "pattern",
    "layers": "layer",
    "topologies": "topology",
    "metrics": "metric",
}
_USUAL_CONTENDERS = {
    "native": ("libzmq", "serverlink", "floor"),
    "python": ("pyzmq", "serverlink"),
}
_CONDITIONS = ("io_threads", "senders", "receivers", "idle_peers")
_SETTINGS = ("hwm", *_CONDITIONS, "rates", "count", "contenders", "libs")


def scenario_of(options: Mapping[str, Any]) -> Scenario | None:
    """The scenario of the options; None for a bare ``--resume``, which brings its own.

    A verb without an option for one of the conditions leaves it as it is.
    Raises UsageError, and ScenarioError for a scenario that is not one.
    """
    named = options["scenario"]
    if options["resume"] is not None:
        _check_resumable(options)
    asked = [key for key in (*_DIMENSIONS, *_SETTINGS) if options.get(key) not in (None, ())]
    if options["resume"] is not None and not named and not asked:
        return None
    scenario = _narrowed(options) if named else _ad_hoc(options)
    return _with_settings(scenario, options)


def _check_resumable(options: Mapping[str, Any]) -> None:
    """How long and how surely is settled when a run begins; only more time can be given."""
    settled = ("min_time", "rounds", "min_effect", "affinity", "seed", "timeout", "label")
    given = [
        key for key in (*settled, "looks", "target", "max_time") if options.get(key) is not None
    ]
    if given:
        raise UsageError(
            f"--{given[0].replace('_', '-')} cannot change while a run goes on; leave it away, or "
            "start a new run without --resume (--budget may be given with it)"
        )


def _ad_hoc(options: Mapping[str, Any]) -> Scenario:
    from slkbench.scenario import ad_hoc_scenario

    given = {key: options[key] for key in _DIMENSIONS if options[key]}
    given |= {
        key: value
        for key in ("hwm", "rates", *_CONDITIONS)
        if (value := options.get(key)) is not None
    }
    usual = tuple(
        name
        for layer, names in _USUAL_CONTENDERS.items()
        if layer in (options["layers"] or ("native",))
        for name in names
    )
    contenders = _contenders(options, tuple(dict.fromkeys(usual)))
    scenario = ad_hoc_scenario(**given, messages=options["count"], contenders=contenders)
    return replace(scenario, budget_s=_AD_HOC_BUDGET_PER_CELL_S * len(scenario.cells))


def _narrowed(options: Mapping[str, Any]) -> Scenario:
    """The named scenario, of whose cells those are kept that fit the options."""
    from slkbench.scenario import load_scenario

    scenario = load_scenario(options["scenario"])
    cells = tuple(cell for cell in scenario.cells if fits(cell, options))
    if not cells:
        asked = ", ".join(
            f"{field} {value}" for key, field in _DIMENSIONS.items() for value in options[key]
        )
        raise UsageError(
            f"scenario {scenario.name} has no cell with {asked}; "
            f"slkbench show {options['scenario']} lists its cells"
        )
    contenders = _contenders(options, scenario.contenders)
    in_order = (scenario.baseline, "libzmq", "pyzmq", contenders[0])
    return replace(
        scenario,
        # Cells that differed only in what an option now sets have become the same.
        cells=tuple(
            dict.fromkeys(each for cell in cells for each in _with_conditions(cell, options))
        ),
        contenders=contenders,
        baseline=next(name for name in in_order if name in contenders),
    )


def _contenders(options: Mapping[str, Any], usual: tuple[str, ...]) -> tuple[str, ...]:
    """Those named, or the usual ones; a library that was brought along takes part in any case."""
    brought = tuple(lib.partition("=")[0] for lib in options["libs"])
    return tuple(dict.fromkeys((*(options["contenders"] or usual), *brought)))


def fits(cell: Cell, options: Mapping[str, Any]) -> bool:
    """Whether a cell is one of those that the options name."""
    return all(
        not options.get(key) or getattr(cell, field) in options[key]
        for key, field in _DIMENSIONS.items()
    )


def _with_conditions(cell: Cell, options: Mapping[str, Any]) -> list[Cell]:
    """The cell as the options have it, once for each rate that they name."""
    from slkbench.scenario import check_conditions

    changes: dict[str, Any] = {}
    if options["hwm"] is not None:
        changes |= {"sndhwm": options["hwm"], "rcvhwm": options["hwm"]}
    changes |= {key: value for key in _CONDITIONS if (value := options.get(key)) is not None}
    if options["count"] is not None:
        changes["messages"] = options["count"]
    changed = [replace(cell, **changes, **rate) for rate in _rates(options.get("rates")) or ({},)]
    for each in changed:
        check_conditions(each)
    return changed


def _rates(given: Sequence[int | float] | None) -> list[dict[str, Any]]:
    return [
        {"offered_msgs_per_s": 0, "offered_share": rate}
        if isinstance(rate, float)
        else {"offered_msgs_per_s": rate, "offered_share": None}
        for rate in given or ()
    ]


def _with_settings(scenario: Scenario, options: Mapping[str, Any]) -> Scenario:
    fields = {
        "min_time_s": options["min_time"],
        "rounds": options["rounds"],
        "looks": options.get("looks"),
        "budget_s": options["budget"],
        "min_effect": options["min_effect"],
        "target": options.get("target"),
        "max_time_s": options.get("max_time"),
        "affinity": options["affinity"],
        "seed": options["seed"],
        "sample_timeout_s": options["timeout"],
    }
    return replace(scenario, **{key: value for key, value in fields.items() if value is not None})
