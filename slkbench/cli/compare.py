"""``slkbench compare``: what changed from one stored run to another."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import PERCENT, cells_option, results_option
from slkbench.cli.say import say

if TYPE_CHECKING:
    from slkbench.across.compare import Comparison
    from slkbench.report.modes import TwoWays
    from slkbench.stats import Shift
    from slkbench.store import StoredRun

__all__ = ["command", "comparison_document", "print_comparison"]

_HEAD = (
    "cell",
    "contender",
    "as ratio to",
    "first",
    "second",
    "time/msg",
    "interval",
    "verdict",
    "n",
    "placebo",
    "cpu/msg",
    "",
)

_EPILOG = """\b
Examples:
  slkbench compare 20261120 latest
  slkbench compare before after --contender serverlink --json
  slkbench compare before after --reference none

\b
A run is its name, a part of it that no other has, its folder, or latest. Where both runs have the
same build of the baseline, the ratio to it is what is compared: a day on which the machine was
slow then cancels. An unpaired comparison never says EQUIVALENT; `slkbench gate` measures in pairs.
"""


@click.command(epilog=_EPILOG)
@click.argument("first")
@click.argument("second")
@click.option("--contender", "-c", "contenders", multiple=True, help="Repeatable. [all in both]")
@click.option(
    "--reference",
    metavar="NAME|none",
    help="Compare ratios to this contender; none: times as they are. "
    "[the baseline, where it is the same build in both]",
)
@cells_option
@click.option("--min-effect", type=PERCENT, help="Smallest difference that matters. [2%]")
@click.option("--force", is_flag=True, help="Compare runs of unlike machines or workloads too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@results_option()
def command(
    first: str,
    second: str,
    contenders: tuple[str, ...],
    reference: str | None,
    cells: tuple[str, ...],
    min_effect: float | None,
    results: Path,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Tell what changed from the run FIRST to the run SECOND, cell by cell.

    Below 1x the second run took less time per message. Everything else that differs between the
    runs is named: machine, workload, builds, socket options.
    """
    from slkbench.across.compare import compare_runs
    from slkbench.store import find_run, read_run

    comparison = compare_runs(
        read_run(find_run(first, results)),
        read_run(find_run(second, results)),
        contenders=contenders,
        reference=reference,
        min_effect=min_effect,
        globs=cells,
        force=force,
    )
    if as_json:
        say(json.dumps(comparison_document(comparison), indent=2, allow_nan=False))
        return
    print_comparison(comparison)


def print_comparison(comparison: Comparison) -> None:
    """The table, what else differs, and what to mind."""
    from slkbench.cli.grid import bounds_text, print_grid, reach_text, shift_text
    from slkbench.report.modes import TwoWays
    from slkbench.units import format_percent

    ways = TwoWays()
    for word, (_, run), session in zip(
        ("from", "to  "), _runs(comparison), comparison.sessions, strict=True
    ):
        say(f"{word} {run.run_id}{f', the session of {session}' if session else ''}")
    say()
    rows = []
    for shift, cpu, placebos in sorted(
        zip(comparison.shifts, comparison.cpu_shifts, comparison.placebos, strict=True),
        key=lambda each: _order(each[0]),
    ):
        change = "-" if cpu.time_ratio is None else format_percent(cpu.time_ratio - 1, signed=True)
        rows.append(
            (
                shift.cell.title,
                shift.contender,
                shift.reference or "-",
                *_speeds(comparison, shift, ways),
                shift_text(shift.time_ratio),
                bounds_text(shift.low, shift.high),
                _judgement(shift),
                f"{shift.first_count}/{shift.second_count}",
                reach_text(*placebos),
                change,
                f"({shift.reason})" if shift.reason else "",
            )
        )
    print_grid(_HEAD, rows, right=("time/msg", "n", "placebo", "cpu/msg"))
    _print_tails(comparison, ways)
    if ways.note:
        say(ways.note)
    levels = sorted({shift.level for shift in comparison.shifts})
    say(f"intervals at {' and '.join(f'{level:.0%}' for level in levels)}")
    for each in comparison.differences:
        say(f"differs: {each.text}")
    for warning in comparison.warnings:
        say(f"mind: {warning}")


def _print_tails(comparison: Comparison, ways: TwoWays) -> None:
    """The percentiles of round trips beyond the median, where there are any."""
    from slkbench.cli.grid import bounds_text, print_grid, shift_text
    from slkbench.stats.latency import PERCENTILES

    if not comparison.tails:
        return
    rows = [
        (
            tail.cell.title,
            PERCENTILES[tail.statistic][0],
            tail.contender,
            tail.reference or "-",
            *_tail_times(comparison, tail, ways),
            shift_text(tail.time_ratio),
            bounds_text(tail.low, tail.high),
            _judgement(tail),
            f"{tail.first_count}/{tail.second_count}",
            f"({tail.reason})" if tail.reason else "",
        )
        for tail in comparison.tails
    ]
    head = ("cell", "round trip", *_HEAD[1:5], "ratio", "interval", "verdict", "n", "")
    print_grid(head, rows, right=("ratio", "n"))


def _tail_times(comparison: Comparison, tail: Shift, ways: TwoWays) -> Iterator[str]:
    from slkbench.stats import median_time_ns, modes_of
    from slkbench.stats.latency import PERCENTILES
    from slkbench.units import format_time_ns

    for order, run in _runs(comparison):
        where = (run.samples, tail.cell, tail.contender, tail.statistic)
        time_ns = median_time_ns(*where)
        text = "-" if time_ns is None else format_time_ns(time_ns)
        name = PERCENTILES[tail.statistic][0]
        whose = f"{name} of {tail.contender} in {tail.cell.title}, {order} run"
        yield ways.marked(text, modes_of(*where), whose, format_time_ns)


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The comparison for programs; what is not known is null."""
    return {
        "first": comparison.first.run_id,
        "second": comparison.second.run_id,
        "sessions": list(comparison.sessions),
        "paired": False,
        "differences": [
            {
                "kind": each.kind,
                "what": each.what,
                "first": each.first,
                "second": each.second,
                "barrier": each.is_barrier,
            }
            for each in comparison.differences
        ],
        "warnings": list(comparison.warnings),
        "cells": [
            _cell_record(comparison, shift, cpu) | {"placebos": list(placebos)}
            for shift, cpu, placebos in zip(
                comparison.shifts, comparison.cpu_shifts, comparison.placebos, strict=True
            )
        ],
        "percentiles": [_tail_record(comparison, tail) for tail in comparison.tails],
    }


def _cell_record(comparison: Comparison, shift: Shift, cpu: Shift) -> dict[str, Any]:
    from slkbench.stats import median_rate, median_time_ns, modes_of

    cell = shift.cell
    both = comparison.first.samples, comparison.second.samples
    return {
        "cell": cell.title,
        **cell.columns,
        "contender": shift.contender,
        "reference": shift.reference,
        "statistic": shift.statistic,
        "counts": [shift.first_count, shift.second_count],
        "time_ratio": shift.time_ratio,
        "low": shift.low,
        "high": shift.high,
        "level": shift.level,
        "p_value": shift.p_value,
        "min_effect": shift.min_effect,
        "effective_min_effect": shift.effective_min_effect,
        "verdict": shift.kind,
        "status": shift.status,
        "reason": shift.reason,
        "rates": [median_rate(samples, cell, shift.contender) for samples in both],
        "times_ns": [median_time_ns(samples, cell, shift.contender) for samples in both],
        "modes": [
            [asdict(mode) for mode in modes_of(samples, cell, shift.contender)] for samples in both
        ],
        "cpu": {
            "ratio": cpu.time_ratio,
            "low": cpu.low,
            "high": cpu.high,
            "verdict": cpu.kind,
        },
        "control": {"low": shift.control_low, "high": shift.control_high},
    }


def _tail_record(comparison: Comparison, tail: Shift) -> dict[str, Any]:
    from slkbench.stats import median_time_ns
    from slkbench.stats.latency import PERCENTILES

    return {
        "cell": tail.cell.title,
        "percentile": PERCENTILES[tail.statistic][0],
        "contender": tail.contender,
        "reference": tail.reference,
        "counts": [tail.first_count, tail.second_count],
        "time_ratio": tail.time_ratio,
        "low": tail.low,
        "high": tail.high,
        "level": tail.level,
        "min_effect": tail.min_effect,
        "effective_min_effect": tail.effective_min_effect,
        "verdict": tail.kind,
        "status": tail.status,
        "reason": tail.reason,
        "times_ns": [
            median_time_ns(run.samples, tail.cell, tail.contender, tail.statistic)
            for run in (comparison.first, comparison.second)
        ],
    }


def _order(shift: Shift) -> tuple[int, float]:
    """What failed, then the largest changes."""
    from slkbench.model import Status

    if shift.status is not Status.OK:
        return (0, 0.0)
    return (1, -abs(math.log(shift.time_ratio)) if shift.time_ratio else 0.0)


def _judgement(shift: Shift) -> str:
    from slkbench.model import Status, VerdictKind

    if shift.status is not Status.OK:
        return "n/a" if shift.status is Status.SKIPPED else str(shift.status)
    return f"{shift.kind}~" if shift.kind is VerdictKind.INCONCLUSIVE else str(shift.kind)


def _speeds(comparison: Comparison, shift: Shift, ways: TwoWays) -> Iterator[str]:
    """The medians of both runs, marked where the processes of a run run in two ways."""
    from slkbench.cli.grid import speed_text
    from slkbench.report.modes import speed_form
    from slkbench.stats import median_rate, median_time_ns, modes_of

    for order, run in _runs(comparison):
        where = (run.samples, shift.cell, shift.contender)
        text = speed_text(shift.cell, median_rate(*where), median_time_ns(*where))
        whose = f"{shift.contender} in {shift.cell.title}, {order} run"
        yield ways.marked(text, modes_of(*where), whose, speed_form(shift.cell))


def _runs(comparison: Comparison) -> tuple[tuple[str, StoredRun], ...]:
    return ("first", comparison.first), ("second", comparison.second)
