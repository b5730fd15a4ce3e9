"""``slkbench explain``: where the gap between libraries lies, in ns per message."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from slkbench.cli.parameters import results_option, wait_option
from slkbench.cli.run import narrowing_options
from slkbench.cli.say import say

__all__ = ["command"]

_EPILOG = """\b
Examples:
  slkbench explain latest
  slkbench explain latest --transport tcp --size 1KiB
  slkbench explain latest --stored

\b
RUN is the name of a run, a part of it that no other has, its folder, or latest. What has no cpu
profile yet is profiled, which needs perf (Debian's package linux-perf).
"""


@click.command(epilog=_EPILOG)
@click.argument("run", metavar="RUN")
@narrowing_options
@click.option("--stored", is_flag=True, help="Only profiles that are there; take none.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Folder of the reports' folders, for the charts.",
)
@results_option()
@wait_option
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the tables.")
def command(run: str, **options: Any) -> int:
    """Split the gaps of RUN over what threads do: send, receive, I/O, kernel, waking, idle.

    Also what ROUTER-ROUTER takes more than PUSH-PULL, where the run has both. The parts add up to
    the time per message; what they leave of the measured difference is shown as unexplained.
    """
    from slkbench.cli.profile import print_tables
    from slkbench.cli.selection import fits
    from slkbench.errors import UsageError
    from slkbench.profile.cpu import LIKE_WITHIN
    from slkbench.report.explain import EXPLAIN_NOTE, difference_table, draw_accounts
    from slkbench.runner.explaining import explain_run
    from slkbench.store import find_run, read_run

    path = find_run(run, options["results"])
    if not options["stored"]:
        _profile_missing(path, options)
    explanation = explain_run(read_run(path), lambda cell: fits(cell, options))
    groups = (*explanation.gaps, *explanation.patterns)
    if not groups:
        raise UsageError(
            f"{path.name} has no cell with samples and a cpu profile of two contenders; "
            f"slkbench profile cpu --run {path.name} takes profiles"
        )
    for group in groups:
        print_tables([difference_table(one) for one in group])
    say(EXPLAIN_NOTE.replace("**", ""))
    unlike = [one.title for group in groups for one in group if not one.is_like_the_run]
    if unlike:
        say(
            f"not alike: where profile and run differ by more than {LIKE_WITHIN:.0%} in the time "
            "per message, parts are of another state of the machine than the run's median: "
            f"{'; '.join(dict.fromkeys(unlike))}. slkbench profile cpu --run {path.name}, with the "
            "options of the cell, takes that profile again."
        )
    folder = options["out"] / path.name
    folder.mkdir(parents=True, exist_ok=True)
    for name, _caption in draw_accounts(explanation, folder, path.name):
        say(folder / name)
    return 0


def _profile_missing(path: Path, options: dict[str, Any]) -> None:
    """Profile the cells and contenders that have no cpu profile. Raises UsageError without perf."""
    from dataclasses import replace

    from slkbench.cli.profile import progress
    from slkbench.cli.selection import fits
    from slkbench.report.profiles import write_profile
    from slkbench.runner.explaining import unprofiled_cells
    from slkbench.runner.profiling import request_of_run, run_profile
    from slkbench.store import read_run

    missing = [cell for cell in unprofiled_cells(read_run(path)) if fits(cell, options)]
    if not missing:
        return
    wanted = request_of_run(
        path, "cpu", wait_s=options["wait"], command_line=tuple(sys.argv), results=path.parent
    )
    names = tuple(name for name in wanted.scenario.contenders if name != "floor")
    scenario = replace(wanted.scenario, cells=tuple(missing), contenders=names)
    with progress(quiet=options["quiet"]) as note:
        run_profile(replace(wanted, scenario=scenario), note)
    write_profile(path, "cpu")
