"""``slkbench claims``: sentences about speed, against what is measured."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import DURATION, results_option, wait_option
from slkbench.cli.say import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slkbench.profile.side_by_side import Table
    from slkbench.runner.archive import Archive
    from slkbench.runner.claim_answers import Answer
    from slkbench.runner.claim_work import Step
    from slkbench.runner.claims import Judged
    from slkbench.scenario.claims import Claims

__all__ = ["claims_table", "command"]

_EPILOG = """\b
Examples:
  slkbench claims
  slkbench claims --dry-run
  slkbench claims --budget 20m
  slkbench claims claims-targets
  slkbench claims claims-targets --machine EPYC
  slkbench claims my-claims.toml --subject mine --lib mine=/opt/mine/libzmq.so.5

\b
FILE is a file of claims, or a shipped one: claims-2026-01-03, which tests the reference report and
is the usual one, or claims-targets, what ServerLink is built to reach. Claims are judged by what is
stored under --results, the newest first, whatever machine it is of: --machine keeps to one, or to
some. Of what is missing there, --budget measures as much as there is time for, but no builds:
those are for slkbench profile builds.
"""
_QUOTE_MAX = 110
_ANSWERS_TOLD_EACH = 4
_MEASURES_WITHOUT_NAME = ("operation-us", "count", "count-ratio", "sample", "round-trip-ratio")


@click.command(epilog=_EPILOG)
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--budget", type=DURATION, help="Measure what is missing, for so long. [nothing]")
@click.option("--dry-run", is_flag=True, help="Only say what --budget would measure.")
@click.option("--subject", metavar="NAME", help="The contender that the claims are about.")
@click.option(
    "--lib", "libs", multiple=True, metavar="NAME=PATH[:ABI]", help="Another library. Repeatable."
)
@click.option(
    "--machine",
    metavar="TEXT",
    default="",
    help="Only what was measured on machines with this in their description. [any]",
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
    from slkbench.report.markdown import plain, table
    from slkbench.runner.archive import Archive
    from slkbench.runner.claim_work import plan_steps, steps_left_out
    from slkbench.runner.claims import judge_claims
    from slkbench.scenario.claims import load_claims, with_subject

    claims = load_claims(file)
    machine = options["machine"]
    archive = Archive(options["results"], machine=machine)
    if machine:
        _check_machine(machine, archive, options)
    if options["subject"]:
        _check_subject(options["subject"], archive, options)
        claims = with_subject(claims, options["subject"])
    judged = judge_claims(claims, archive)
    steps = plan_steps(claims, judged, options["budget"])
    left_out = steps_left_out(judged)
    if options["dry_run"]:
        _print_plan(steps)
        for line in left_out:
            say(line)
        return
    if options["budget"]:
        _measure(steps, options)
        judged = judge_claims(claims, Archive(options["results"], machine=machine))
    shown = claims_table(claims, judged, quote_max=None if options["markdown"] else _QUOTE_MAX)
    if options["markdown"]:
        rows = [[plain(cell) for cell in row] for row in shown.rows]
        say(table(shown.head, rows, left=len(shown.head)))
    else:
        print_tables([shown])
    sources = sorted(
        {name for each in judged for one in each.answers for name in one.source.split(", ") if name}
    )
    say(f"measured in: {', '.join(sources) or 'nothing'}")
    reasons = dict.fromkeys(one.reason for each in judged for one in each.answers if one.reason)
    for reason in (*reasons, *left_out):
        say(reason)


def _check_machine(asked: str, archive: Archive, options: dict[str, Any]) -> None:
    """Raise a usage error for machines on which nothing was measured that is stored."""
    if not any(asked in known for known in archive.machines):
        raise click.UsageError(
            f"--machine {asked}: nothing in {options['results']} was measured on such a machine. "
            f"There are: {'; '.join(sorted(filter(None, archive.machines))) or 'none'}"
        )


def _check_subject(name: str, archive: Archive, options: dict[str, Any]) -> None:
    """Raise a usage error for a contender that is neither stored nor known nor given."""
    from slkbench.contenders import native_names

    given = {text.partition("=")[0] for text in options["libs"]}
    there = {*archive.contenders, *native_names(), *given} - {"placebo"}
    if name not in there:
        raise click.UsageError(
            f"--subject {name}: no such contender. Stored in {options['results']} or known are "
            f"{', '.join(sorted(there))}; --lib {name}=PATH adds another"
        )


def claims_table(claims: Claims, judged: list[Judged], *, quote_max: int | None = None) -> Table:
    """A row for each claim: what it says, what was measured, what to think of it.

    Quotes longer than ``quote_max`` letters are cut short.
    """
    from slkbench.profile.side_by_side import Table

    rows = []
    for each in judged:
        quote = each.claim.quote
        if quote_max is not None and len(quote) > quote_max:
            quote = f"{quote[: quote_max - 1]}…"
        measured = _measured(each.answers, whole=quote_max is None) or each.claim.untestable
        rows.append((each.claim.section, quote, measured, str(each.verdict)))
    head = ("section", "claim", "measured [interval]", "verdict")
    return Table(f"{claims.about}: claims about {claims.subject}", head, tuple(rows), 4)


def _measured(answers: Sequence[Answer], *, whole: bool) -> str:
    """Every answer; of many those alone that do not hold, and unless ``whole`` not all of them."""
    from slkbench.runner.claim_answers import ClaimVerdict

    if len(answers) <= _ANSWERS_TOLD_EACH:
        return "; ".join(map(_words, answers))
    parts = []
    held = [one for one in answers if one.verdict is ClaimVerdict.SUPPORTED]
    if held:
        parts.append(f"{len(held)} of {len(answers)} hold")
    for verdict in (ClaimVerdict.REFUTED, ClaimVerdict.CANNOT_TELL):
        own = [one for one in answers if one.verdict is verdict]
        told = own if whole else own[:_ANSWERS_TOLD_EACH]
        more = f"; and {len(own) - len(told)} more" if len(told) < len(own) else ""
        if own:
            parts.append(f"{str(verdict).lower()}: {'; '.join(map(_words, told))}{more}")
    return ". ".join(parts)


def _words(answer: Answer) -> str:
    from slkbench.model import Cell

    test = answer.test
    subject = test.contender
    if test.against and test.measure in ("count", "option"):
        subject += f" - {test.against}"
    if test.against and (test.measure == "gap" or test.measure.endswith("-ratio")):
        subject += f" / {test.against}"
    where = f"{test.cell.transport} {test.cell.size_bytes} B"
    if test.measure not in ("pattern-ratio", "flag", "build"):
        where += f" {'RR' if test.cell.pattern == 'router-router' else 'PP'}"
    usual = Cell(test.cell.pattern, test.cell.transport, test.cell.size_bytes)
    where += test.cell.title.removeprefix(usual.title) + (" one core" if test.one_core else "")
    figure = test.figure if test.measure == "round-trip-ratio" else ""
    what = " ".join(
        word
        for word in (test.measure, figure, test.what, test.role, test.quantity)
        if word not in ("all", "application", "", *_MEASURES_WITHOUT_NAME)
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
    floor = f", floor {_figure(test.measure, answer.floor)}" if answer.floor is not None else ""
    return f"{name}: {_figure(test.measure, answer.value)}{bounds}{floor}"


def _figure(measure: str, value: float) -> str:
    from slkbench.units import format_percent, format_rate

    match measure:
        case "gap" | "instrumentation" | "build":
            return format_percent(value, signed=True)
        case "share":
            return format_percent(value)
        case "rate" | "timed-rate":
            return format_rate(value)
        case "operation-us":
            return f"{value:.3f} us"
        case _ if measure.endswith("-ratio"):
            return f"{value:.2f}x"
        case _:
            return f"{value:.3g}"


def _measure(steps: tuple[Step, ...], options: dict[str, Any]) -> None:
    """Take the steps, until the time is over."""
    from slkbench.cli.display import progress_display
    from slkbench.cli.profile import progress
    from slkbench.runner.claim_work import Measuring, measure_steps

    quiet = options["quiet"]
    how = Measuring(
        libs=options["libs"],
        results=options["results"],
        wait_s=options["wait"],
        command_line=tuple(sys.argv),
        announce=lambda text: None if quiet else say(f"slkbench: {text}", err=True),
        observing=lambda: progress_display(quiet=quiet),
        noting=lambda: progress(quiet=quiet),
    )
    taken = measure_steps(steps, options["budget"], how)
    if taken < len(steps):
        say(f"the budget is spent after {taken} of {len(steps)}; call it again for more", err=True)


def _print_plan(steps: tuple[Step, ...]) -> None:
    from slkbench.units import format_duration

    total_s = sum(step.about_s for step in steps)
    say(f"would measure, in about {format_duration(total_s)}:" if steps else "nothing to measure")
    for step in steps:
        say(f"  {step.text}")
