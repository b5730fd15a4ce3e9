"""``slkbench export``: a run's figures for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import results_option

if TYPE_CHECKING:
    from slkbench.store import StoredRun

__all__ = ["command"]

_FORMATS = ("json", "bencher", "github-action-benchmark", "pyperf")

_EPILOG = """\b
Examples:
  slkbench export latest --format bencher --out bmf.json
  slkbench export latest --format github-action-benchmark --contender serverlink
  slkbench export latest --format pyperf --out run.json && python -m pyperf stats run.json

\b
bencher: for `bencher run --adapter json --file`. github-action-benchmark: for its tool
customSmallerIsBetter. These tools know no pairs: their alerts want wide thresholds, and
`slkbench gate` is what tells noise from a regression.
"""


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="json",
    show_default=True,
    help="Whose.",
)
@click.option("--contender", "-c", "contenders", multiple=True, help="Repeatable. [all]")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=Path("-"),
    help="File to write. [standard output]",
)
@results_option()
def command(run: str, form: str, contenders: tuple[str, ...], out: Path, results: Path) -> None:
    """Write the figures of RUN as JSON in the format of another tool."""
    from slkbench.errors import UsageError
    from slkbench.store import find_run, read_run, write_whole

    stored = read_run(find_run(run, results))
    known = {sample.arm for sample in stored.samples}
    if unknown := [name for name in contenders if name not in known]:
        raise UsageError(f"{stored.run_id} has no contender {unknown[0]!r}")
    document = _document(stored, form, contenders)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    if out == Path("-"):
        click.echo(text)
    else:
        write_whole(out, text + "\n")


def _document(stored: StoredRun, form: str, contenders: tuple[str, ...]) -> Any:
    from slkbench.report import export
    from slkbench.runner.result import judge_run

    scenario, samples = stored.scenario, stored.samples
    machine = stored.metadata.get("machine", {})
    if form == "pyperf":
        return export.pyperf_document(scenario, samples, machine, contenders)
    if form == "github-action-benchmark":
        return export.github_action_document(scenario, samples, contenders)
    result = judge_run(stored)
    if form == "bencher":
        return export.bencher_document(scenario, samples, result.verdicts, contenders)
    from slkbench.cli.show import verdict_document

    return {
        **verdict_document(result, contenders),
        "arms": export.arm_records(scenario, samples, contenders),
        "machine": machine,
        "libraries": stored.metadata.get("libraries", []),
        "scenario_hash": stored.metadata.get("scenario_hash"),
    }
