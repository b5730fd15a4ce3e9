"""``slkbench report``: figures and tables from stored runs."""

from __future__ import annotations

from pathlib import Path

import click

from slkbench.cli.parameters import results_option
from slkbench.cli.say import say

__all__ = ["command"]

_FORMATS = ("md", "png")

_EPILOG = """\b
Examples:
  slkbench report
  slkbench report 20261122T101500Z-default-1a2b3c4d5e6f
  slkbench report latest --out /tmp/reports --format md

\b
RUN is the name of a run, a part of it that no other has, its folder, or latest.
"""


def _formats(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(word.strip() for value in values for word in value.split(",")))
    for word in chosen:
        if word not in _FORMATS:
            raise click.BadParameter(f"{word!r} is not a format; allowed: {', '.join(_FORMATS)}")
    return chosen


@click.command(epilog=_EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--format",
    "formats",
    multiple=True,
    default=("md,png",),
    callback=_formats,
    metavar="FORMAT",
    help=f"{', '.join(_FORMATS)}; repeatable. [both]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Folder of the reports' folders.",
)
@results_option()
def command(runs: tuple[str, ...], formats: tuple[str, ...], out: Path, results: Path) -> None:
    """Write reports/RUN/report.md with its charts for every RUN, the latest if none is named."""
    from slkbench.runner.profile_folder import find_folder

    folders = [find_folder(run, results) for run in runs or ("latest",)]
    from slkbench.report import render_report

    for path in render_report(folders, out, formats):
        say(path)
