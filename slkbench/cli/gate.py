"""``slkbench gate``: does a library take more time per message than it did?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import cells_option, results_option, wait_option
from slkbench.cli.run import cell_options, effort_options, fail_on_words, peer_options
from slkbench.cli.say import say
from slkbench.errors import UsageError

if TYPE_CHECKING:
    from slkbench.across.gate import Gate
    from slkbench.model import Scenario
    from slkbench.runner.session import Request

__all__ = ["command"]

_BASELINE, _CANDIDATE, _INSTALLED = "baseline", "candidate", "serverlink"
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
_MEASURING: dict[str, str] = {}
"""The options that say what is measured and how, by the names of their parameters."""

_EPILOG = """\b
Examples:
  slkbench gate --baseline-lib old/libserverlink.so
  slkbench gate --baseline-lib old.so --lib new.so -t tcp -t inproc --size 64 --min-effect 5%
  slkbench gate before after --cells 'tcp 64 B'
  slkbench gate before after --fail-on regression,inconclusive
  slkbench gate latest --summary summary.md

\b
With --baseline-lib both libraries take turns, which is what finds small differences. Two stored
runs are compared unpaired, the first being the baseline; of one its own baseline is.
Exit codes: 0 no regression found, 1 slower by more than --min-effect, 3 undecided (only with
--fail-on inconclusive), 4 a library failed, 5 unlike conditions (only with --fail-on unfair).
"""


def _measuring_options(function: Any) -> Any:
    """What ``slkbench run`` has, without what a gate settles itself."""
    # Those below this decorator are there already, and are of use with stored runs too.
    others = {each.name for each in getattr(function, "__click_params__", ())}
    for options in (effort_options, peer_options, cell_options):
        function = options(function)
    settled = {"contenders", "libs"}
    function.__click_params__ = [
        each for each in function.__click_params__ if each.name not in settled
    ]
    _MEASURING.update(
        {
            each.name: each.opts[0]
            for each in function.__click_params__
            if each.name and each.name not in others
        }
    )
    return function


@click.command(epilog=_EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN [RUN]]")
@click.option("--baseline-lib", metavar="PATH[:ABI]", help="The library as it was.")
@click.option(
    "--lib", metavar="PATH[:ABI]", help="The library as it is. [the installed ServerLink]"
)
@_measuring_options
@cells_option
@click.option(
    "--fail-on",
    multiple=True,
    default=("regression,failure",),
    callback=fail_on_words,
    metavar="WHAT",
    help="When to end with a code above 0: regression, inconclusive, failure, unfair, none. "
    "[regression,failure]",
)
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Write Markdown there. [appended to ${_STEP_SUMMARY}, where that is set]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--force", is_flag=True, help="Compare runs of unlike machines or workloads too.")
@results_option("--out", "out")
@wait_option
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the table.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """End with code 1 if a library takes more time per message than its baseline.

    Measures --lib against --baseline-lib in pairs, or judges one or two stored runs.
    """
    from slkbench.across.gate import gate_exit_code

    given = {
        name
        for name in options
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    _check_summary(_summary_file(options["summary"]))
    gate = _measured(options, ctx.obj) if options["baseline_lib"] else _stored(options, given)
    if options["as_json"]:
        say(json.dumps(_document(gate), indent=2, allow_nan=False))
    else:
        _print_gate(gate)
    _write_summary(gate, _summary_file(options["summary"]))
    code, reason = gate_exit_code(gate, options["fail_on"])
    if code:
        say(f"slkbench: {reason}", err=True)
    elif gate.has_decided_nothing:
        say(
            f"slkbench: {gate.headline}: this is not the same as no regression; "
            "--fail-on regression,inconclusive ends with code 3 here",
            err=True,
        )
    return code


def _measured(options: Mapping[str, Any], backend: Any) -> Gate:
    """Measure both libraries in pairs."""
    if options["runs"]:
        raise UsageError("name stored runs, or measure with --baseline-lib: not both")
    from slkbench.across.gate import gate_verdicts
    from slkbench.cli.display import progress_display
    from slkbench.runner.session import run_request
    from slkbench.stats import default_statistic, minimum_effect
    from slkbench.store import read_metadata

    request = _request(options)
    with progress_display(quiet=options["quiet"]) as observer:
        result = run_request(request, observer=observer, backend=backend)
    metadata = read_metadata(result.path)
    statistic = default_statistic(result.scenario.cells[0].metric)
    return gate_verdicts(
        result.verdicts,
        result.samples,
        run=result.path.name,
        machine=_machine(metadata),
        min_effect=minimum_effect(result.scenario, statistic),
        builds=_builds(metadata),
        parity_findings=result.parity_findings,
    )


def _request(options: Mapping[str, Any]) -> Request:
    from slkbench.cli.selection import scenario_of
    from slkbench.runner.session import Request
    from slkbench.scenario import cells_named

    libs = [f"{_BASELINE}={options['baseline_lib']}"]
    libs += [f"{_CANDIDATE}={options['lib']}"] if options["lib"] else []
    names = (_BASELINE, _CANDIDATE if options["lib"] else _INSTALLED)
    settled = {"contenders": names, "libs": tuple(libs), "resume": None, "label": None}
    scenario = scenario_of({**options, **settled})
    assert scenario is not None  # only a bare --resume has none
    scenario = replace(scenario, cells=cells_named(scenario.cells, options["cells"]))
    name = "gate" if options["scenario"] is None else f"gate-{scenario.name}"
    return Request(
        scenario=replace(scenario, name=name, looks=_looks(scenario)),
        libs=tuple(libs),
        results=options["out"],
        budget_s=options["budget"],
        wait_s=options["wait"],
        command_line=tuple(sys.argv),
    )


def _looks(scenario: Scenario) -> tuple[int, ...]:
    """The looks at which a regression in one cell can be told from chance."""
    from slkbench.across.gate import FALSE_DISCOVERY_RATE, looks_for

    cells, rounds = len(scenario.cells), scenario.rounds
    if rounds is not None and 2.0 ** (1 - rounds) * cells > FALSE_DISCOVERY_RATE:
        say(
            f"slkbench: --rounds {rounds} is too few to tell one slower cell of {cells} from "
            "chance; the gate will find it undecided",
            err=True,
        )
    return looks_for(cells)


def _stored(options: Mapping[str, Any], given: Collection[str]) -> Gate:
    """Judge one stored run, or what changed between two; ``given`` are the options in use."""
    runs = options["runs"]
    if options["lib"]:
        raise UsageError("--lib is measured against --baseline-lib; name that too")
    if len(runs) not in (1, 2):
        raise UsageError(
            "name a library with --baseline-lib to measure against, or one or two stored runs"
        )
    idle = [flag for name, flag in _MEASURING.items() if name in given and name != "min_effect"]
    if idle:
        raise UsageError(
            f"{', '.join(idle)}: of no use with stored runs, which --cells narrows; leave "
            "that away, or measure with --baseline-lib"
        )
    from slkbench.across.compare import compare_runs
    from slkbench.across.gate import gate_comparison, gate_verdicts
    from slkbench.runner.result import judge_run
    from slkbench.scenario import cells_named
    from slkbench.stats import default_statistic, minimum_effect
    from slkbench.store import find_run, read_run

    stored = [read_run(find_run(name, options["out"])) for name in runs]
    asked, last = options["min_effect"], stored[-1]
    statistic = default_statistic(last.scenario.cells[0].metric)
    effect = asked if asked is not None else minimum_effect(last.scenario, statistic)
    if len(stored) == 2:
        comparison = compare_runs(
            *stored, min_effect=asked, globs=options["cells"], force=options["force"]
        )
        return gate_comparison(comparison, min_effect=effect, machine=_machine(last.metadata))
    if asked is not None:
        scenario = {**last.metadata["scenario"], "min_effect": asked}
        last = replace(last, metadata={**last.metadata, "scenario": scenario})
    result = judge_run(last)
    cells = cells_named([one.cell for one in result.verdicts], options["cells"])
    if not result.verdicts:
        raise UsageError(
            f"{last.run_id} has no contender beside its baseline {last.scenario.baseline}, so "
            "there is nothing to judge; name a second run, or measure with --baseline-lib"
        )
    return gate_verdicts(
        [one for one in result.verdicts if one.cell in cells],
        result.samples,
        run=last.run_id,
        machine=_machine(last.metadata),
        min_effect=effect,
        builds=_builds(last.metadata),
        parity_findings=result.parity_findings,
    )


def _machine(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("machine", {}).get("fingerprint", "unknown"))


def _builds(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{each['name']}: {Path(each['path']).name or each['kind']} {each['version']} "
        f"{str(each['sha256'])[:12]}".rstrip()
        for each in metadata.get("libraries", ())
    )


def _print_gate(gate: Gate) -> None:
    from slkbench.cli.grid import bounds_text, print_grid, reach_text, shift_text, speed_text
    from slkbench.model import Status
    from slkbench.report.modes import TwoWays, speed_form

    ways = TwoWays()
    head = ("cell", "library", "was", "is", "time/msg", "interval", "verdict", "n", "placebo", "")
    rows = [
        (
            row.cell.title,
            row.contender,
            *(
                ways.marked(
                    speed_text(row.cell, rate, time_ns),
                    modes,
                    f"{row.contender} in {row.cell.title} {tense}",
                    speed_form(row.cell),
                )
                for tense, rate, time_ns, modes in zip(
                    ("was", "is"), row.rates, row.times_ns, row.modes, strict=True
                )
            ),
            shift_text(row.time_ratio),
            bounds_text(row.low, row.high),
            f"{row.kind}{'~' * row.is_open}" if row.status is Status.OK else str(row.status),
            "/".join(map(str, row.counts)),
            reach_text(*row.placebos),
            f"({row.remark})" if row.remark else "",
        )
        for row in gate.rows
    ]
    print_grid(head, rows, right=("time/msg", "n", "placebo"))
    if ways.note:
        say(ways.note)
    for build in gate.builds:
        say(build)
    say(f"machine: {gate.machine}")
    if any(gate.sessions):
        say(f"session: {' to '.join(each or 'unknown' for each in gate.sessions)}")
    for warning in gate.warnings:
        say(f"mind: {warning}")
    say(f"{gate.headline} (run {' to '.join(gate.runs)})")


def _summary_file(asked: Path | None) -> Path | None:
    github = os.environ.get(_STEP_SUMMARY)
    return asked or (Path(github) if github else None)


def _check_summary(target: Path | None) -> None:
    """Raise UsageError for a summary that cannot be written, before minutes are spent on it."""
    if target is None:
        return
    try:
        is_new = not target.exists()
        target.open("a", encoding="utf-8").close()
        if is_new:
            target.unlink()
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {target}: {error.strerror}; name another --summary")


def _write_summary(gate: Gate, target: Path | None) -> None:
    """Write the Markdown; GitHub's own file is shared by a job's steps, so it only grows."""
    if target is None:
        return
    from slkbench.report.gate_summary import gate_summary

    github = os.environ.get(_STEP_SUMMARY)
    mode = "a" if github and target == Path(github) else "w"
    try:
        with target.open(mode, encoding="utf-8") as file:
            file.write(gate_summary(gate))
    except OSError as error:
        raise _unwritable(target, error) from None


def _document(gate: Gate) -> dict[str, Any]:
    return {
        "headline": gate.headline,
        "paired": gate.is_paired,
        "runs": list(gate.runs),
        "machine": gate.machine,
        "sessions": list(gate.sessions),
        "min_effect": gate.min_effect,
        "warnings": list(gate.warnings),
        "cells": [
            {
                "cell": row.cell.title,
                "contender": row.contender,
                "against": row.against,
                "time_ratio": row.time_ratio,
                "low": row.low,
                "high": row.high,
                "level": row.level,
                "adjusted_p": row.adjusted_p,
                "effective_min_effect": row.effective_min_effect,
                "verdict": row.kind,
                "status": row.status,
                "regression": row.is_regression,
                "counts": list(row.counts),
                "placebos": list(row.placebos),
                "rates": list(row.rates),
                "times_ns": list(row.times_ns),
                "modes": [[asdict(mode) for mode in modes] for modes in row.modes],
                "reason": row.remark,
            }
            for row in gate.rows
        ],
    }
