"""``slkbench run``: measure contenders against each other and store every sample."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.outcome import FAIL_ON, exit_code
from slkbench.cli.parameters import (
    AFFINITY,
    COUNT,
    DURATION,
    LABEL,
    LOOKS,
    MEMORY,
    PERCENT,
    RATES,
    SIZE,
    enum_choice,
    wait_option,
)
from slkbench.cli.say import say
from slkbench.errors import UsageError
from slkbench.model import Layer, Metric, Pattern, Topology, Transport

if TYPE_CHECKING:
    from slkbench.runner.result import RunResult
    from slkbench.runner.session import Backend, Request

__all__ = [
    "cell_options",
    "command",
    "effort_options",
    "fail_on_words",
    "narrowing_options",
    "peer_options",
]

_LATEST = "latest"

_EPILOG = """\b
Examples:
  slkbench run --transport tcp --size 1024
  slkbench run --transport tcp --transport inproc --size 64 --size 64KiB --budget 10m
  slkbench run --scenario reference-report --label my-change
  slkbench run --metric round-trip --contender libzmq --contender serverlink
  slkbench run --metric paced --rate 10k,50%,80% --size 64 --count 100k
  slkbench run --size 1KiB --lib mine=/opt/mine/libzmq.so.5:zmq
  slkbench run --scenario default --dry-run
  slkbench run --resume

\b
Sizes: 64, 1KiB, 64k (k is 1024). Durations: 250ms, 30s, 5m. --count: 10000, 10k.
--affinity: 0 (both threads on CPU 0), '0;1' (sender; receiver), none.
"""


def fail_on_words(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> frozenset[str]:
    """Split and check what ``--fail-on`` names, for click."""
    chosen = frozenset(word.strip() for value in values for word in value.split(","))
    for word in sorted(chosen):
        if word not in FAIL_ON:
            raise click.BadParameter(f"{word!r} is not one of {', '.join(FAIL_ON)}")
    return chosen - {"none"}


def narrowing_options(function: Any) -> Any:
    """Which cells of a stored run."""
    for name, letter, key, choices in (
        ("--transport", "-t", "transports", enum_choice(Transport)),
        ("--size", None, "sizes", SIZE),
        ("--pattern", "-p", "patterns", enum_choice(Pattern)),
    ):
        names = [name, *([letter] if letter else []), key]
        option = click.option(*names, multiple=True, type=choices, help="Only such cells.")
        function = option(function)
    return function


def cell_options(function: Any) -> Any:
    """What is compared with what, under which conditions."""
    for option in reversed(
        (
            click.option("--scenario", "-s", metavar="NAME|FILE", help="Shipped name, or a file."),
            click.option(
                "--transport",
                "-t",
                "transports",
                multiple=True,
                type=enum_choice(Transport),
                help="Repeatable. [tcp]",
            ),
            click.option(
                "--size", "sizes", multiple=True, type=SIZE, help="Payload. Repeatable. [1KiB]"
            ),
            click.option(
                "--pattern",
                "-p",
                "patterns",
                multiple=True,
                type=enum_choice(Pattern),
                help="Repeatable. [both]",
            ),
            click.option(
                "--contender",
                "-c",
                "contenders",
                multiple=True,
                metavar="NAME",
                help="Repeatable. Baseline: libzmq, else the first. [libzmq, serverlink, floor]",
            ),
            click.option(
                "--layer",
                "layers",
                multiple=True,
                type=enum_choice(Layer),
                help="Repeatable. [native]",
            ),
            click.option(
                "--topology",
                "topologies",
                multiple=True,
                type=enum_choice(Topology),
                help="Repeatable. [threads]",
            ),
            click.option(
                "--metric",
                "-m",
                "metrics",
                multiple=True,
                type=enum_choice(Metric),
                help="Repeatable. [throughput]",
            ),
            click.option(
                "--hwm", type=click.IntRange(min=0), help="High water marks; 0: unlimited. [1000]"
            ),
            click.option("--io-threads", type=click.IntRange(1, 64), help="Of each context. [1]"),
            click.option(
                "--lib",
                "libs",
                multiple=True,
                metavar="NAME=PATH[:ABI]",
                help="Another library to measure. Repeatable. ABI: zmq, serverlink, "
                "public-serverlink.",
            ),
        )
    ):
        function = option(function)
    return function


def peer_options(function: Any) -> Any:
    """How many take part, and at which rate."""
    for option in reversed(
        (
            click.option(
                "--senders", type=click.IntRange(1, 512), help="Sockets of one sending thread. [1]"
            ),
            click.option(
                "--receivers",
                type=click.IntRange(1, 512),
                help="Sockets of one receiving thread. [1]",
            ),
            click.option(
                "--idle-peers",
                type=click.IntRange(0, 4096),
                help="Further, silent peers of the receiver. [0]",
            ),
            click.option(
                "--rate",
                "rates",
                type=RATES,
                help="Messages per second, for --metric paced; or % of what the slowest contender "
                "sustains, found before measuring. A cell for each: 10k,50%,80%.",
            ),
        )
    ):
        function = option(function)
    return function


def effort_options(function: Any) -> Any:
    """How long, how often and where."""
    for option in reversed(
        (
            click.option("--count", type=COUNT, help="Messages per sample, not calibrated."),
            click.option("--min-time", type=DURATION, help="Calibrate samples to this. [250ms]"),
            click.option(
                "--rounds",
                "-r",
                type=click.IntRange(1, 10_000),
                help="Exactly so many blocks, instead of until the verdict is clear.",
            ),
            click.option(
                "--looks",
                type=LOOKS,
                help="Blocks after which a cell may end, and must at the last: up to 32,64,128,192 "
                "for small effects amid much noise. [8,12,16,24,32]",
            ),
            click.option(
                "--budget",
                type=DURATION,
                help="Start no block after this time. [2m for each cell, ad hoc]",
            ),
            click.option(
                "--min-effect", type=PERCENT, help="Smallest difference that matters. [2%]"
            ),
            click.option(
                "--target",
                type=PERCENT,
                help="Stop a cell when its interval is so narrow, not when it is decided.",
            ),
            click.option("--max-time", type=DURATION, help="The most that a cell may take."),
            click.option("--affinity", type=AFFINITY, help="CPUs. [a core for each thread]"),
            click.option(
                "--seed", type=click.IntRange(0, 2**63 - 1), help="Of the random order. [new]"
            ),
            click.option("--timeout", type=DURATION, help="Longest a sample may take. [60s]"),
            click.option(
                "--memory-limit",
                type=MEMORY,
                help="Of each measured process. [half of the machine's]",
            ),
        )
    ):
        function = option(function)
    return function


@click.command(epilog=_EPILOG)
@cell_options
@peer_options
@effort_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder of the runs' folders.",
)
@click.option(
    "--label",
    type=LABEL,
    metavar="WORD",
    help="Stands in the run's name instead of the scenario's.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be measured, and how long.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value=_LATEST,
    metavar="[RUN]",
    help="Go on with an interrupted run. [the latest]",
)
@click.option(
    "--fail-on",
    multiple=True,
    default=("failure",),
    callback=fail_on_words,
    metavar="WHAT",
    help=f"When to end with a code above 0: {', '.join(FAIL_ON)}. Repeatable. [failure]",
)
@wait_option
@click.option(
    "--sessions",
    type=click.IntRange(1, 100),
    default=1,
    metavar="N",
    help="Do it all so many times, and tell how far the sessions differ. [1]",
)
@click.option(
    "--every", type=DURATION, metavar="DURATION", help="From the start of a session to the next."
)
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the table.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> int:
    """Measure contenders against each other and store every sample.

    Name a scenario, or say ad hoc what to measure; with both, the ad hoc options choose among the
    scenario's cells and override its settings. Contenders take turns in blocks of random order
    until the verdict is clear. Ctrl-C keeps what was measured, and --resume goes on.
    """
    request = _request(options)
    if options["every"] is not None and options["sessions"] < 2:
        raise UsageError("--every is from session to session; say how many with --sessions")
    if options["dry_run"]:
        _print_plan(request, options, ctx.obj)
        return 0
    from slkbench.cli.display import progress_display
    from slkbench.runner.session import run_request

    if options["sessions"] > 1:
        return _run_sessions(request, options, ctx.obj)
    with progress_display(quiet=options["quiet"]) as observer:
        result = run_request(request, observer=observer, backend=ctx.obj)
    _print_result(result, options["out"])
    return _exit_code(result, options["fail_on"])


def _run_sessions(request: Request, options: Mapping[str, Any], backend: Backend | None) -> int:
    """The table of each session, and what they say together; the worst of their exit codes."""
    from slkbench.cli.display import progress_display
    from slkbench.cli.table import recurrence_lines
    from slkbench.runner.sessions import run_sessions

    with progress_display(quiet=options["quiet"]) as observer:
        results, found = run_sessions(
            request,
            options["sessions"],
            every_s=options["every"] or 0.0,
            observer=observer,
            backend=backend,
        )
    for result in results:
        _print_result(result, options["out"])
        say()
    for line in recurrence_lines(found):
        say(line)
    return max(_exit_code(result, options["fail_on"]) for result in results)


def _request(options: Mapping[str, Any]) -> Request:
    from slkbench.cli.selection import scenario_of
    from slkbench.runner.session import Request

    return Request(
        scenario=scenario_of(options),
        libs=options["libs"],
        results=options["out"],
        label=options["label"],
        resume=options["resume"],
        budget_s=options["budget"],
        wait_s=options["wait"],
        memory_bytes=options["memory_limit"],
        command_line=tuple(sys.argv),
    )


def _print_plan(request: Request, options: Mapping[str, Any], backend: Backend | None) -> None:
    from slkbench.runner.session import preview
    from slkbench.units import format_duration

    say(preview(request, backend))
    if options["sessions"] > 1:
        apart = options["every"]
        pause = f", {format_duration(apart)} from start to start" if apart else ""
        say(f"all of that {options['sessions']} times{pause}, each with a seed of its own")


def _print_result(result: RunResult, results: Path) -> None:
    """The table, the doubts, the folder and what to do next."""
    from slkbench.cli.latency_table import latency_lines
    from slkbench.cli.table import closing_lines, finding_lines, verdict_table

    say(verdict_table(result))
    for line in closing_lines(result) + latency_lines(result) + finding_lines(result.findings):
        say(line)
    where = "" if results == Path("results") else f" --results {results}"
    say(f"\n{len(result.samples)} samples in {result.path}")
    say(f"next: slkbench report{where} {result.path.name}")


def _exit_code(result: RunResult, fail_on: frozenset[str]) -> int:
    """0, or the code of the worst thing that the user wants to fail on, with its reason."""
    code, reason = exit_code(result, fail_on)
    if code:
        say(f"slkbench: {reason}", err=True)
    return code
