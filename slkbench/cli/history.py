"""``slkbench history``: the trend over stored runs, and its steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.say import say

if TYPE_CHECKING:
    from slkbench.across.history import Series
    from slkbench.store import StoredRun

__all__ = ["command"]

_HEAD = ("cell", "library", "versions", "ratio to", "runs", "builds", "first", "last", "steps")

_EPILOG = """\b
Examples:
  slkbench history
  slkbench history results /data/results --contender serverlink
  slkbench history --json

\b
Runs of other machines, other workloads and other builds of the baseline are not mixed: each makes
a series of its own. Steps are looked for from 8 runs on; a step has 2 runs at least on each side.
"""


@click.command(epilog=_EPILOG)
@click.argument(
    "folders",
    nargs=-1,
    metavar="[FOLDER]...",
    type=click.Path(file_okay=False, path_type=Path),
)
@click.option("--contender", "-c", "contenders", multiple=True, help="Repeatable. [all]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports/history"),
    show_default=True,
    help="Folder of the charts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs; no chart.")
def command(
    folders: tuple[Path, ...], contenders: tuple[str, ...], out: Path, *, as_json: bool
) -> None:
    """Show how each contender's time per message went over the runs in FOLDER, results by default.

    Prints a table with the steps that were found and writes a chart.
    """
    from slkbench.across.history import trends

    runs, unreadable = _runs(folders or (Path("results"),))
    for each in unreadable:
        say(f"slkbench: left out: {each}", err=True)
    _check_names(runs, contenders)
    series = trends(runs, contenders)
    if as_json:
        say(json.dumps([_record(one) for one in series], indent=2, allow_nan=False))
        return
    _print_series(series)
    for path in _charts(series, out):
        say(path)


def _runs(folders: tuple[Path, ...]) -> tuple[list[StoredRun], list[str]]:
    """All runs in the folders; a folder may be a run itself. One that is damaged is left out."""
    from slkbench.errors import StoreError
    from slkbench.store import list_runs, read_run

    runs: list[StoredRun] = []
    unreadable: list[str] = []
    for folder in folders:
        own = (folder,) if (folder / "samples.csv").is_file() else list_runs(folder)
        if not own:
            raise StoreError(f"there is no run in {folder}; `slkbench run` makes one")
        for path in own:
            try:
                run = read_run(path)
                run.scenario  # noqa: B018 a run without one is unreadable here
                runs.append(run)
            except StoreError as error:
                unreadable.append(str(error))
    return runs, unreadable


def _check_names(runs: Sequence[StoredRun], names: Sequence[str]) -> None:
    from slkbench.errors import UsageError

    known = {sample.contender for run in runs for sample in run.samples}
    for name in names:
        if name not in known:
            raise UsageError(f"no run has a contender {name!r}, only {', '.join(sorted(known))}")


def _print_series(series: tuple[Series, ...]) -> None:
    from slkbench.across.history import FEWEST_FOR_STEPS
    from slkbench.cli.grid import print_grid

    if not series:
        say("no run has a contender with a figure, so there is no series")
        return
    shown: list[Series] = []
    for machine in dict.fromkeys(one.machine for one in series):
        own = [one for one in series if one.machine == machine]
        # What has one run is no trend, and is shown where a machine has nothing else.
        members = [one for one in own if len(one.points) > 1] or own
        shown += members
        say(machine)
        print_grid(_HEAD, [_row(one) for one in members], right=("runs", "builds"))
    if alone := len(series) - len(shown):
        say(f"{alone} more series have one run, which is no trend: --json has them")
    short = sum(one.is_too_short for one in shown)
    if short:
        say(
            f"{short} of {len(shown)} series have too few runs to look for steps: "
            f"{FEWEST_FOR_STEPS} are needed, of one machine, one workload and one baseline build"
        )


def _row(series: Series) -> tuple[str, ...]:
    points = series.points
    reference = f"{series.reference} {series.reference_build}" if series.reference else "-"
    return (
        f"{series.cell.title} ({series.work})",
        series.contender,
        ", ".join(dict.fromkeys(point.version for point in points if point.version)) or "-",
        reference,
        str(len(points)),
        str(len({point.build for point in points})),
        _value(series, points[0].value),
        _value(series, points[-1].value),
        _steps(series),
    )


def _value(series: Series, value: float) -> str:
    from slkbench.units import format_time_ns

    return f"{value:.3f}x" if series.reference else format_time_ns(value)


def _steps(series: Series) -> str:
    from slkbench.units import format_percent

    if series.is_too_short:
        return f"too few runs ({len(series.points)})"
    told = []
    for step in series.steps:
        point = series.points[step.index]
        what = " ".join(word for word in (point.version, point.build, point.commit) if word)
        told.append(
            f"{format_percent(step.ratio - 1, signed=True)} from {point.run_id[:16]} ({what})"
        )
    return "; ".join(told) or "none"


def _charts(series: tuple[Series, ...], out: Path) -> list[Path]:
    """Draw what there is to draw, and say so where that is nothing."""
    from slkbench.errors import UsageError

    if all(len(one.points) < 2 for one in series):
        say("no chart: no series has two runs")
        return []
    from slkbench.report.history_chart import draw_history

    try:
        out.mkdir(parents=True, exist_ok=True)
        return draw_history(series, out)
    except OSError as error:
        raise UsageError(
            f"cannot write to {out}: {error.strerror}; name another folder with --out"
        ) from None


def _record(series: Series) -> dict[str, Any]:
    return {
        "machine": series.machine,
        "cell": series.cell.title,
        "work": series.work,
        "contender": series.contender,
        "reference": series.reference,
        "reference_build": series.reference_build,
        "too_short": series.is_too_short,
        "points": [
            {
                "run": point.run_id,
                "commit": point.commit,
                "version": point.version,
                "build": point.build,
                "value": point.value,
                "low": point.low,
                "high": point.high,
                "count": point.count,
            }
            for point in series.points
        ],
        "steps": [
            {
                "run": series.points[step.index].run_id,
                "index": step.index,
                "ratio": step.ratio,
            }
            for step in series.steps
        ],
    }
