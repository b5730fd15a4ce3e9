"""``slkbench list``: what there is to run, to measure and to read."""

from __future__ import annotations

from pathlib import Path

import click

from slkbench.cli.parameters import results_option
from slkbench.cli.say import say

__all__ = ["command"]

_EPILOG = """\b
Examples:
  slkbench list
  slkbench list scenarios
  slkbench list contenders --lib mine=/opt/mine/libzmq.so.5
  slkbench list runs --results /data/results
"""


@click.command(epilog=_EPILOG)
@click.argument(
    "what",
    required=False,
    type=click.Choice(["scenarios", "contenders", "runs"]),
    metavar="[scenarios|contenders|runs]",
)
@click.option(
    "--lib", "libs", multiple=True, metavar="NAME=PATH[:ABI]", help="Another library. Repeatable."
)
@results_option()
def command(what: str | None, libs: tuple[str, ...], results: Path) -> None:
    """List scenarios, contenders or stored runs; all three if none is named."""
    if what in (None, "scenarios"):
        _list_scenarios()
    if what in (None, "contenders"):
        _list_contenders(libs)
    if what in (None, "runs"):
        _list_runs(results)


def _list_scenarios() -> None:
    from slkbench.plan import estimate
    from slkbench.scenario import list_scenarios, load_scenario
    from slkbench.units import format_duration

    say("Scenarios")
    for path in list_scenarios():
        scenario = load_scenario(str(path))
        cost = estimate(scenario)
        span = f"{format_duration(cost.least_s)} to {format_duration(cost.most_s)}"
        say(f"  {scenario.name:<18} {cost.cells:>3} cells, {span}")
        say(f"  {'':<18} {scenario.question}")


def _list_contenders(libs: tuple[str, ...]) -> None:
    from slkbench.contenders import known_contenders
    from slkbench.errors import ContenderError

    say("Contenders")
    for name, layer, found in known_contenders(libs):
        if isinstance(found, ContenderError):
            what = f"not here: {found}"
        else:
            parts = (found.version, str(found.abi or found.kind), found.path)
            what = ", ".join(part for part in parts if part)
        say(f"  {name:<18} {layer:<7} {what}")


def _list_runs(results: Path) -> None:
    from slkbench.errors import StoreError
    from slkbench.runner.lock import is_held
    from slkbench.runner.profile_folder import list_folders, profiles_in
    from slkbench.store import read_metadata

    say(f"Runs and profiles in {results}")
    for path in list_folders(results):
        try:
            status = str(read_metadata(path).get("status", "unknown"))
            if status == "running" and not is_held():
                status = "cut off (nothing runs on this machine now)"
            profiles = ", ".join(profiles_in(path))
            status += f", profiles: {profiles}" if profiles else ""
        except StoreError as error:
            status = f"unreadable: {error}"
        say(f"  {path.name:<58} {status}")
