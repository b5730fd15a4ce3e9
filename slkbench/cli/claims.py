"""``slkbench claims``: sentences about speed, against what is measured."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import DURATION, results_option, wait_option
from slkbench.cli.say import say

if TYPE_CHECKING:
    from slkbench.profile.side_by_side import Table
    from slkbench.runner.claims import Answer, Judged
    from slkbench.scenario.claims import Claims

__all__ = ["claims_table", "command"]

_EPILOG = """\b
Examples:
  slkbench claims
  slkbench claims --budget 20m
  slkbench claims my-claims.toml --subject mine --lib mine=/opt/mine/libzmq.so.5

\b
FILE is a file of claims; the shipped one tests the reference report of 2026-01-03. Claims are
judged by what is stored under --results, the newest first. Of what is missing there, --budget
measures as much as there is time for.
"""
_QUOTE_MAX = 110


@click.command(epilog=_EPILOG)
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--budget", type=DURATION, help="Measure what is missing, for so long. [nothing]")
@click.option("--subject", metavar="NAME", help="The contender that the claims are about.")
@click.option(
    "--lib", "libs", multiple=True, metavar="NAME=PATH[:ABI]", help="Another library. Repeatable."
)
@results_option()
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@wait_option
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the table.")
def command(file: str | None, **options: Any) -> None:
    """Judge claims by measurements: SUPPORTED, REFUTED or CAN'T TELL.

    A claim is refuted where the interval of a measurement lies outside of what it allows, and
    supported where all of them lie within.
    """
    from slkbench.cli.profile import print_tables
    from slkbench.report.markdown import table
    from slkbench.runner.claims import Archive, judge_claims
    from slkbench.scenario.claims import load_claims, with_subject

    claims = load_claims(file)
    if options["subject"]:
        claims = with_subject(claims, options["subject"])
    judged = judge_claims(claims, Archive(options["results"]))
    if options["budget"]:
        _measure_missing(claims, judged, options)
        judged = judge_claims(claims, Archive(options["results"]))
    shown = claims_table(claims, judged)
    if options["markdown"]:
        say(table(shown.head, shown.rows, left=len(shown.head)))
    else:
        print_tables([shown])
    sources = sorted(
        {name for each in judged for one in each.answers for name in one.source.split(", ") if name}
    )
    say(f"measured in: {', '.join(sources) or 'nothing'}")
    reasons = dict.fromkeys(one.reason for each in judged for one in each.answers if one.reason)
    for reason in reasons:
        say(reason)


def claims_table(claims: Claims, judged: list[Judged]) -> Table:
    """A row for each claim: what it says, what was measured, what to think of it."""
    from slkbench.profile.side_by_side import Table

    rows = []
    for each in judged:
        quote = each.claim.quote
        short = quote if len(quote) <= _QUOTE_MAX else f"{quote[: _QUOTE_MAX - 1]}…"
        measured = "; ".join(_words(one) for one in each.answers) or each.claim.untestable
        rows.append((each.claim.section, short, measured, str(each.verdict)))
    head = ("section", "claim", "measured [interval]", "verdict")
    return Table(f"{claims.about}: claims about {claims.subject}", head, tuple(rows), 4)


def _words(answer: Answer) -> str:
    test = answer.test
    subject = test.contender + (
        f" - {test.against}" if test.against and test.measure in ("count", "option") else ""
    )
    if test.measure == "gap":
        subject = f"{test.contender} / {test.against}"
    where = f"{test.cell.transport} {test.cell.size_bytes} B"
    if test.measure not in ("pattern-ratio", "flag", "build"):
        where += f" {'RR' if test.cell.pattern == 'router-router' else 'PP'}"
    what = " ".join(
        word
        for word in (test.measure, test.what, test.quantity)
        if word not in ("all", "", "operation-us", "count")
    )
    if test.measure == "flag":
        where = ""
    name = " ".join(word for word in (subject, where, what) if word)
    if answer.value is None:
        return f"{name}: n/a"
    bounds = ""
    if answer.low is not None and answer.high is not None:
        same = answer.low == answer.high == answer.value
        bounds = (
            ""
            if same
            else f" [{_figure(test.measure, answer.low)}, {_figure(test.measure, answer.high)}]"
        )
    return f"{name}: {_figure(test.measure, answer.value)}{bounds}"


def _figure(measure: str, value: float) -> str:
    from slkbench.units import format_percent, format_rate

    match measure:
        case "gap" | "instrumentation" | "build":
            return format_percent(value, signed=True)
        case "share":
            return format_percent(value)
        case "rate":
            return format_rate(value)
        case "operation-us":
            return f"{value:.3f} us"
        case "pattern-ratio":
            return f"{value:.2f}x"
        case _:
            return f"{value:.3g}"


def _measure_missing(claims: Claims, judged: list[Judged], options: dict[str, Any]) -> None:
    """Measure and profile what no stored run has, until the time is over."""
    from slkbench.cli.profile import progress
    from slkbench.runner.claims import missing_work
    from slkbench.runner.profiling import ProfileRequest, run_profile
    from slkbench.runner.session import Request, run_request
    from slkbench.scenario import ad_hoc_scenario

    end_s = time.monotonic() + options["budget"]
    work = missing_work(judged)
    command_line = tuple(sys.argv)
    cells = tuple(dict.fromkeys(cell for cell, _ in work.pop("run", ())))
    if cells:
        names = (claims.baseline, claims.subject)
        # Half of the time: profiles want some of it.
        scenario = replace(
            ad_hoc_scenario(contenders=names),
            name="claims",
            cells=cells,
            baseline=claims.baseline,
            budget_s=options["budget"] / 2,
        )
        run_request(
            Request(
                scenario,
                options["libs"],
                options["results"],
                wait_s=options["wait"],
                command_line=command_line,
            )
        )
    for tool, wanted in work.items():
        if tool == "builds":
            continue  # takes longer than a budget should hide: slkbench profile builds
        for cell in dict.fromkeys(cell for cell, _ in wanted):
            if time.monotonic() > end_s:
                say("the budget is spent; a longer one measures more", err=True)
                return
            who = tuple(dict.fromkeys(name for each, name in wanted if each == cell))
            scenario = replace(
                ad_hoc_scenario(contenders=who), name="claims", cells=(cell,), baseline=who[0]
            )
            request = ProfileRequest(
                tool,
                scenario,
                options["libs"],
                options["results"],
                wait_s=options["wait"],
                command_line=command_line,
            )
            with progress(quiet=options["quiet"]) as note:
                run_profile(request, note)
