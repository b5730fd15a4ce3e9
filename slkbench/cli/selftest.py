"""``slkbench selftest``: prove what the verdicts are worth, with known differences and faults."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import DURATION, PERCENT, wait_option
from slkbench.cli.say import say

if TYPE_CHECKING:
    from slkbench.selftest.session import Outcome

__all__ = ["command"]

_CONTRADICTED_EXIT_CODE = 1
_TOO_NOISY_EXIT_CODE = 3
_INTERRUPTED_EXIT_CODE = 130

_EPILOG = """\b
Examples:
  slkbench selftest --quick
  slkbench selftest --budget 10m --cells 'inproc 64 B' --effect 5% --effect 20%
  slkbench selftest --budget 4h

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
    help="Pass over all cells again and again for this long. [1h]",
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
@click.option("--min-time", type=DURATION, default=0.25, help="Length of a sample. [250ms]")
@click.option("--faults/--no-faults", default=True, help="Try libraries with known faults. [yes]")
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

    Measures libzmq against its own copy and against itself with a known extra cost per message,
    and libraries with known faults: how often a verdict is false, an interval misses the truth, an
    effect is found, and in which time. Ctrl-C keeps what was measured.
    """
    outcome = _quick(options) if options["quick"] else _measured(options)
    say(outcome.text)
    if outcome.path is not None:
        say(f"\nkept in {outcome.path}")
    return _exit_code(outcome)


def _quick(options: dict[str, Any]) -> Outcome:
    from slkbench.selftest.session import run_quick

    return run_quick() if options["seed"] is None else run_quick(seed=options["seed"])


def _measured(options: dict[str, Any]) -> Outcome:
    from slkbench.cli.display import progress_display
    from slkbench.selftest.known import choose_cells
    from slkbench.selftest.session import SelftestRequest, run_selftest

    usual = SelftestRequest(choose_cells(options["cells"]))
    request = SelftestRequest(
        usual.cells,
        effects=tuple(sorted(set(options["effects"]))) or usual.effects,
        budget_s=options["budget"],
        min_time_s=options["min_time"],
        seed=options["seed"],
        results=options["out"],
        wait_s=options["wait"],
        with_faults=options["faults"],
        command_line=tuple(sys.argv),
    )
    with progress_display(quiet=options["quiet"]) as observer:
        return run_selftest(request, observer=observer)


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
