"""``slkbench selftest``: prove what the verdicts are worth, with known differences and faults."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import DURATION, LOOKS, PERCENT, wait_option
from slkbench.cli.say import say
from slkbench.errors import UsageError

if TYPE_CHECKING:
    from slkbench.selftest.session import Outcome, SelftestRequest

__all__ = ["command"]

_CONTRADICTED_EXIT_CODE = 1
_TOO_NOISY_EXIT_CODE = 3
_INTERRUPTED_EXIT_CODE = 130

_EPILOG = """\b
Examples:
  slkbench selftest --quick
  slkbench selftest --budget 10m --cells 'inproc 64 B' --effect 5% --effect 20%
  slkbench selftest --budget 4h
  slkbench selftest --keep-libraries slowed --effect 5%
  slkbench selftest --placebos all
  slkbench selftest --resume results/20260101T120000Z-selftest-0123456789ab --budget 30m

\b
Exit codes: 0 nothing contradicts the claims (the last table says what is shown, and what could
not be in so short a time), 1 a claim is contradicted, 3 too noisy to judge, 130 interrupted.
"""


@click.command(epilog=_EPILOG)
@click.option("--quick", is_flag=True, help="Simulated noise alone: seconds, no process.")
@click.option(
    "--budget",
    type=DURATION,
    default=3600.0,
    help="Pass over all cells again and again for this long; with --resume, so much longer. [1h]",
)
@click.option(
    "--resume",
    type=click.Path(file_okay=False, path_type=Path),
    help="Go on with the self-test in this folder: more passes over its cells, with its effects.",
)
@click.option(
    "--cells", multiple=True, metavar="GLOB", help="Part of a cell's title. Repeatable. [all 8]"
)
@click.option(
    "--effect",
    "effects",
    multiple=True,
    type=PERCENT,
    help="A slowdown to try. Repeatable. [2%, 5%, 10%, 20%, 50%]",
)
@click.option(
    "--keep-libraries",
    type=click.Path(file_okay=False, path_type=Path),
    help="Only write libzmq-plus-0.so and, for each --effect, libzmq-plus-5.so there, slowed by so "
    "much: to try slkbench gate on.",
)
@click.option(
    "--placebos",
    multiple=True,
    metavar="RUN|all",
    help="Measure nothing: judge the placebos of stored runs in --out. Repeatable.",
)
@click.option("--min-time", type=DURATION, help="Length of a sample. [250ms]")
@click.option(
    "--looks",
    type=LOOKS,
    help="Blocks after which a verdict may be, and at the last must. [8,12,16,24,32]",
)
@click.option("--faults/--no-faults", default=True, help="Try libraries with known faults. [yes]")
@click.option(
    "--instructions/--no-instructions",
    default=True,
    help="Count what a slowdown executes, with valgrind: two minutes or so, once. [yes]",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of the random order. [new]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for the outcome's folder.",
)
@wait_option
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the tables.")
def command(**options: Any) -> int:
    """Prove the error rates of the verdicts on this machine.

    Measures libzmq against its own copy, against itself with a known share of its work done twice,
    and libraries with known faults: how often a verdict is false, an interval misses the truth, an
    effect is found, and in which time. Ctrl-C keeps what was measured, and --resume goes on with
    it: what takes hours may take many sittings.
    """
    if options["quick"] and options["resume"]:
        raise UsageError("--quick keeps nothing, so there is nothing to --resume")
    if options["keep_libraries"]:
        return _keep_libraries(options)
    if options["placebos"] and (options["quick"] or options["resume"]):
        raise UsageError("--placebos only reads stored runs; leave --quick and --resume away")
    outcome = _outcome(options)
    say(outcome.text)
    if outcome.path is not None:
        say(f"\nkept in {outcome.path}")
    return _exit_code(outcome)


def _outcome(options: dict[str, Any]) -> Outcome:
    if options["placebos"]:
        from slkbench.selftest.placebos import runs_named
        from slkbench.selftest.session import judge_placebos

        return judge_placebos(runs_named(options["placebos"], options["out"]))
    return _quick(options) if options["quick"] else _measured(options)


def _quick(options: dict[str, Any]) -> Outcome:
    from slkbench.selftest.session import run_quick

    return run_quick() if options["seed"] is None else run_quick(seed=options["seed"])


def _keep_libraries(options: dict[str, Any]) -> int:
    from slkbench.selftest.keep import keep_libraries

    for path in keep_libraries(options["keep_libraries"], _request(options).effects):
        say(path)
    return 0


def _measured(options: dict[str, Any]) -> Outcome:
    from slkbench.cli.display import progress_display
    from slkbench.selftest.session import run_selftest

    request = _request(options)
    with progress_display(quiet=options["quiet"]) as observer:
        return run_selftest(request, observer=observer)


def _request(options: dict[str, Any]) -> SelftestRequest:
    """What is asked for; a self-test that is gone on with says itself what is not."""
    from slkbench.selftest.known import choose_cells
    from slkbench.selftest.session import SelftestRequest
    from slkbench.selftest.stored import read_selftest

    resume: Path | None = options["resume"]
    usual = SelftestRequest(choose_cells(()))
    globs: Sequence[str] = options["cells"]
    if resume is not None:
        stored = read_selftest(resume).conditions
        usual = replace(
            usual, effects=stored.effects, min_time_s=stored.min_time_s, looks=stored.looks
        )
        if not globs:
            named = tuple(cell for cell in usual.cells if cell.title in stored.cells)
            usual = replace(usual, cells=named)
    given = options["min_time"]
    return replace(
        usual,
        cells=choose_cells(globs) if globs else usual.cells,
        effects=tuple(sorted(set(options["effects"]))) or usual.effects,
        budget_s=options["budget"],
        min_time_s=usual.min_time_s if given is None else given,
        looks=options["looks"] or usual.looks,
        seed=options["seed"],
        results=options["out"],
        wait_s=options["wait"],
        with_faults=options["faults"],
        with_instructions=options["instructions"],
        command_line=tuple(sys.argv),
        resume=resume,
    )


def _exit_code(outcome: Outcome) -> int:
    if outcome.is_interrupted:
        say("slkbench: interrupted; the tables are of what was measured", err=True)
        return _INTERRUPTED_EXIT_CODE
    if outcome.contradicted:
        say(f"slkbench: contradicted: {outcome.contradicted[0].text}", err=True)
        return _CONTRADICTED_EXIT_CODE
    if outcome.is_too_noisy:
        say("slkbench: this machine is too noisy to judge", err=True)
        return _TOO_NOISY_EXIT_CODE
    return 0
