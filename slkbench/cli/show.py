"""``slkbench show``: the verdicts of a stored run, or what a scenario measures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import results_option
from slkbench.cli.say import say

if TYPE_CHECKING:
    from slkbench.model import ProfileRow, Scenario, Verdict
    from slkbench.runner.result import RunResult
    from slkbench.stats import Noise

__all__ = ["command", "verdict_document"]

_EPILOG = """\b
Examples:
  slkbench show latest
  slkbench show 20261122T101500Z-default-1a2b3c4d5e6f --json
  slkbench show reference-report
  slkbench show my-scenario.toml

\b
A run's verdicts are computed anew from its samples.
"""


@click.command(epilog=_EPILOG)
@click.argument("what", metavar="RUN|SCENARIO")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@results_option()
def command(what: str, as_json: bool, results: Path) -> None:
    """Show the verdicts of RUN, or the cells of SCENARIO.

    RUN is the name of a run, a part of it that no other has, its folder, or latest.
    """
    scenario = _scenario_named(what)
    if scenario is not None:
        _show_scenario(scenario, as_json=as_json)
        return
    from slkbench.runner.profile_folder import profiles_in
    from slkbench.runner.result import judge_run
    from slkbench.store import SAMPLES_NAME, read_run

    path = _run_named(what, results)
    profiles = profiles_in(path)
    if (path / SAMPLES_NAME).is_file() or not profiles:
        _show_run(judge_run(read_run(path)), as_json=as_json)
        if profiles and not as_json:
            say(f"profiles: {', '.join(profiles)} (in the report and in profile-TOOL.md)")
    else:
        _show_profiles(path.name, profiles, as_json=as_json)


def _show_profiles(
    name: str, profiles: dict[str, tuple[ProfileRow, ...]], *, as_json: bool
) -> None:
    """The tables of a folder that holds profiles alone, or its rows."""
    from dataclasses import asdict

    from slkbench.cli.profile import print_tables
    from slkbench.profile.tables import profile_tables

    if as_json:
        stored = {tool: [asdict(row) for row in rows] for tool, rows in profiles.items()}
        say(json.dumps({"run": name, "profiles": stored}, indent=2))
        return
    for rows in profiles.values():
        print_tables(profile_tables(rows))


def _scenario_named(what: str) -> Scenario | None:
    """A shipped scenario's name or a TOML file, else None: then it must be a run."""
    from slkbench.scenario import list_scenarios, load_scenario

    shipped = {path.stem for path in list_scenarios()}
    return load_scenario(what) if what in shipped or what.endswith(".toml") else None


def _run_named(what: str, results: Path) -> Path:
    from slkbench.errors import StoreError
    from slkbench.runner.profile_folder import find_folder

    try:
        return find_folder(what, results)
    except StoreError as error:
        from difflib import get_close_matches

        from slkbench.scenario import list_scenarios

        names = [path.stem for path in list_scenarios()]
        near = get_close_matches(what, names, n=1, cutoff=0.7)
        hint = f"Did you mean the scenario {near[0]}?" if near else f"Scenarios: {', '.join(names)}"
        raise StoreError(f"{error} {hint}") from None


def _show_scenario(scenario: Scenario, *, as_json: bool) -> None:
    from slkbench.plan import estimate
    from slkbench.scenario import scenario_hash, scenario_to_json
    from slkbench.units import format_duration

    if as_json:
        record = scenario_to_json(scenario) | {"hash": scenario_hash(scenario)}
        say(json.dumps(record, indent=2))
        return
    cost = estimate(scenario)
    say(f"{scenario.name}: {scenario.question}")
    say(f"contenders {', '.join(scenario.contenders)}; baseline {scenario.baseline}")
    say(f"{format_duration(cost.least_s)} to {format_duration(cost.most_s)}")
    for cell in scenario.cells:
        work = "calibrated" if cell.messages is None else f"{cell.messages} messages"
        say(f"  {cell.title}, {work}")


def _show_run(result: RunResult, *, as_json: bool) -> None:
    from slkbench.runner.sessions import stored_recurrences

    sessions = stored_recurrences(result.path)
    if as_json:
        document = verdict_document(result)
        if sessions:
            document["sessions"] = [asdict(each) | {"cell": each.cell.title} for each in sessions]
        say(json.dumps(document, indent=2, allow_nan=False))
        return
    from slkbench.cli.latency_table import latency_lines
    from slkbench.cli.table import (
        closing_lines,
        finding_lines,
        recurrence_lines,
        verdict_table,
    )

    say(verdict_table(result))
    for line in closing_lines(result) + latency_lines(result) + finding_lines(result.findings):
        say(line)
    for line in recurrence_lines(sessions):
        say(line)
    say(f"\n{len(result.samples)} samples in {result.path}, run {result.status}")


def verdict_document(result: RunResult, contenders: Sequence[str] = ()) -> dict[str, Any]:
    """The verdicts for programs, of ``contenders`` or of all; what is not known is null.

    With them what they hold for, the findings, and the percentiles of round trips at a given rate.
    """
    from slkbench.cli.latency_table import latency_records

    cells = [
        _cell_record(verdict)
        | {
            "cpu": _companion_record(result.cpu_verdict(verdict)),
            "instructions": _companion_record(result.instruction_verdict(verdict)),
            "noise": {
                arm: _noise_record(result.noise(verdict.cell, arm))
                for arm in (verdict.baseline, verdict.contender)
            },
        }
        for verdict in result.verdicts
        if not contenders or verdict.contender in contenders
    ]
    document = {
        "run": result.path.name,
        "status": result.status,
        "holds_for": result.holds_for,
        "cells": cells,
        "findings": [asdict(each) for each in result.findings],
    }
    percentiles = [
        each
        for each in latency_records(result)
        if not contenders or each["contender"] in contenders
    ]
    return document | ({"percentiles": percentiles} if percentiles else {})


def _companion_record(verdict: Verdict | None) -> dict[str, Any] | None:
    """CPU time or instructions per message: contender / baseline; null where there are none."""
    if verdict is None:
        return None
    return {
        "ratio": verdict.time_ratio,
        "low": verdict.low,
        "high": verdict.high,
        "verdict": verdict.kind,
    }


def _noise_record(noise: Noise | None) -> dict[str, Any] | None:
    """Standard deviations of ln t; one mode is an empty list."""
    return None if noise is None else asdict(noise)


def _cell_record(verdict: Verdict) -> dict[str, Any]:
    from slkbench.stats import smallest_effect

    return {
        "cell": verdict.cell.title,
        **verdict.cell.columns,
        "baseline": verdict.baseline,
        "contender": verdict.contender,
        "blocks": verdict.blocks,
        "time_ratio": verdict.time_ratio,
        "low": verdict.low,
        "high": verdict.high,
        "level": verdict.level,
        "verdict": verdict.kind,
        "status": verdict.status,
        "reason": verdict.reason,
        "smallest_effect": smallest_effect(verdict),
        "effective_min_effect": verdict.effective_min_effect,
        "blocks_needed": verdict.blocks_needed,
        "rates": dict(verdict.rates_msgs_per_s),
        "placebo": {
            "ratio": verdict.placebo_ratio,
            "low": verdict.placebo_low,
            "high": verdict.placebo_high,
        },
    }
