"""``slkbench profile``: what a message costs, counted under a tool and never timed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import AFFINITY, COUNT, DURATION, WAIT
from slkbench.cli.run import cell_options
from slkbench.cli.say import say
from slkbench.foreign_text import visible

if TYPE_CHECKING:
    from slkbench.profile.tables import Table
    from slkbench.runner.profiling import Note, ProfileResult

__all__ = ["command"]

_EPILOG = """\b
Examples:
  slkbench profile instructions --transport inproc --size 64
  slkbench profile syscalls --transport tcp --size 64 --pattern push-pull
  slkbench profile allocations --size 64 --lib mine=/opt/mine/libzmq.so.5

A profile is a folder in results/: profile-TOOL.csv, profile-TOOL.md and run.json.
"""
_WIDTH_WITHOUT_TERMINAL = 160
_FAILED_EXIT_CODE = 4


@click.group(epilog=_EPILOG)
def command() -> None:
    """Count what a message costs: instructions, system calls, allocations.

    For every contender side by side, per message and by the thread that spends it. A tool slows
    what it watches, so nothing here is timed.
    """


def _work_options(function: Any) -> Any:
    """How much, where and for how long."""
    for option in reversed(
        (
            click.option(
                "--count", type=COUNT, help="Messages of the shorter of two runs. [by size]"
            ),
            click.option(
                "--repetitions", type=click.IntRange(1, 100), help="Medians of so many. [3]"
            ),
            click.option("--affinity", type=AFFINITY, help="CPUs. [a core for each thread]"),
            click.option(
                "--timeout",
                type=DURATION,
                default=60.0,
                help="Longest that one process may take. [60s]",
            ),
            click.option(
                "--results",
                "--out",
                "out",
                type=click.Path(file_okay=False, path_type=Path),
                default=Path("results"),
                show_default=True,
                help="Folder of the runs' folders.",
            ),
            click.option(
                "--wait",
                is_flag=False,
                flag_value="forever",
                type=WAIT,
                default=0.0,
                metavar="[DURATION]",
                help="Wait for another run on this machine to end.",
            ),
            click.option("--quiet", "-q", is_flag=True, help="No progress, only the tables."),
        )
    ):
        function = option(function)
    return function


@command.command(
    epilog="""\b
Examples:
  slkbench profile instructions --transport inproc --size 64 --pattern push-pull
  slkbench profile instructions -t tcp --size 1KiB --contender libzmq --count 5k

Needs valgrind (Debian's package valgrind).
"""
)
@cell_options
@_work_options
def instructions(**options: Any) -> int:
    """Count instructions per message with callgrind.

    By sender, receiver and I/O threads, with the functions that spend them and how often they are
    called. One thread drives both sockets in turns, so that the figures are the same on a busy
    machine.
    """
    return _profile("instructions", options)


@command.command(
    epilog="""\b
Examples:
  slkbench profile syscalls --transport tcp --size 64
  slkbench profile syscalls -t tcp --size 64KiB --topology processes --pattern push-pull

Needs strace (Debian's package strace). perf (linux-perf), where it is and may count system
calls, gives counts of an almost undisturbed run beside.
"""
)
@cell_options
@_work_options
def syscalls(**options: Any) -> int:
    """Count system calls per message with strace.

    By name and thread, with those in vain (EAGAIN), the bytes that a call moves, and context
    switches. strace slows the run, so counts under it may differ from an undisturbed one's.
    """
    return _profile("syscalls", options)


@command.command(
    epilog="""\b
Examples:
  slkbench profile allocations --transport tcp --size 64
  slkbench profile allocations -t inproc --size 1KiB --workload lockstep

Needs nothing but slkbench.
"""
)
@cell_options
@_work_options
@click.option(
    "--workload",
    type=click.Choice(["threads", "lockstep"]),
    help="lockstep: one thread drives both sockets. [threads, as in a sample]",
)
def allocations(**options: Any) -> int:
    """Count allocations, frees and bytes per message, by thread, once warm.

    Also the largest resident set.
    """
    return _profile("allocations", options)


def _profile(tool: str, options: dict[str, Any]) -> int:
    """Profile, store, print. The exit code."""
    from slkbench.cli.selection import scenario_of
    from slkbench.report.profiles import CAVEATS, failure_lines, write_profile
    from slkbench.runner.profiling import ProfileRequest, run_profile

    settled = ("min_time", "rounds", "budget", "min_effect", "seed", "label", "resume")
    scenario = scenario_of({**dict.fromkeys(settled), **options})
    assert scenario is not None  # only a bare --resume has none
    request = ProfileRequest(
        tool=tool,
        scenario=scenario,
        libs=options["libs"],
        results=options["out"],
        messages=options["count"],
        repetitions=options["repetitions"],
        workload=options.get("workload"),
        timeout_s=options["timeout"],
        wait_s=options["wait"],
        command_line=tuple(sys.argv),
    )
    with _progress(quiet=options["quiet"]) as note:
        result = run_profile(request, note)
    file = write_profile(result.path, tool, result.rows)
    _print_tables(result)
    say(CAVEATS[tool])
    for line in failure_lines(result.rows):
        say(f"not profiled: {line}")
    say(f"\n{len(result.rows)} rows in {result.path}; the tables in {file}")
    if result.failed:
        worst = result.failed[0]
        say(f"slkbench: {worst.contender} failed: {worst.reason}", err=True)
        return _FAILED_EXIT_CODE
    return 0


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Note]:
    """Hears what is about to be done: one line on a terminal, elsewhere a line for each step."""
    from slkbench.cli.display import fits_terminal

    if quiet:
        yield lambda _done, _of, _text: None
        return
    if not fits_terminal(sys.stderr):
        yield lambda done, of, text: say(f"slkbench: {done}/{of} {text}", err=True)
        return
    from rich.console import Console

    with Console(file=sys.stderr).status("starting") as status:
        yield lambda done, of, text: status.update(f"{done}/{of} {text}")


def _print_tables(result: ProfileResult) -> None:
    from rich.console import Console

    from slkbench.profile.tables import profile_tables

    console = Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)
    for each in profile_tables(result.rows):
        console.print(visible(each.title), style="bold", markup=False, highlight=False)
        console.print(_rich_table(each))


def _rich_table(table: Table) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table as RichTable

    shown = RichTable(box=box.SIMPLE_HEAD)
    for number, name in enumerate(table.head):
        shown.add_column(escape(name), justify="left" if number < table.left else "right")
    for row in table.rows:
        shown.add_row(*(escape(visible(text)) for text in row))
    return shown
