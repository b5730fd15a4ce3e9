"""``slkbench profile``: what a message costs, counted or sampled, and never a timing sample."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slkbench.cli.parameters import AFFINITY, COUNT, DURATION, results_option, wait_option
from slkbench.cli.run import cell_options
from slkbench.cli.say import say, table_console
from slkbench.foreign_text import visible

if TYPE_CHECKING:
    from slkbench.model import Scenario
    from slkbench.profile.side_by_side import Table
    from slkbench.runner.profiling import Note, ProfileRequest, ProfileResult

__all__ = ["command", "narrowed", "print_tables", "progress"]

_EPILOG = """\b
Examples:
  slkbench profile operations --transport tcp --size 1KiB --pattern router-router
  slkbench profile cpu --run latest
  slkbench profile instructions --transport inproc --size 64
  slkbench profile syscalls --transport tcp --size 64 --pattern push-pull
  slkbench profile allocations --size 64 --lib mine=/opt/mine/libzmq.so.5

A profile is a folder in results/: profile-TOOL.csv, profile-TOOL.md and run.json. With --run it is
taken in the cells of a stored run, and stored in its folder beside the samples.
"""
_WIDTH_WITHOUT_TERMINAL = 160
_FAILED_EXIT_CODE = 4


@click.group(epilog=_EPILOG)
def command() -> None:
    """Tell what a message costs: operations, CPU time, instructions, system calls, allocations.

    For every contender side by side, per message and by the thread that spends it. A tool slows
    what it watches, so nothing here is a sample of a run.
    """


def _work_options(function: Any) -> Any:
    """How much, where and for how long."""
    for option in reversed(
        (
            click.option(
                "--run",
                "run",
                metavar="RUN",
                help="Profile a stored run's contenders in its cells, into its folder.",
            ),
            click.option(
                "--count", type=COUNT, help="Messages of the shorter of two runs. [by size]"
            ),
            click.option(
                "--repetitions", type=click.IntRange(1, 100), help="So many. [3; operations: 8]"
            ),
            click.option("--affinity", type=AFFINITY, help="CPUs. [a core for each thread]"),
            click.option(
                "--timeout",
                type=DURATION,
                default=60.0,
                help="Longest that one process may take. [60s]",
            ),
            results_option("--out", "out"),
            wait_option,
            click.option("--quiet", "-q", is_flag=True, help="No progress, only the tables."),
        )
    ):
        function = option(function)
    return function


@command.command(
    epilog="""\b
Examples:
  slkbench profile operations --transport tcp --size 1KiB --pattern router-router
  slkbench profile operations -t inproc --size 64 --lib mine=/opt/mine/libzmq.so.5
  slkbench profile operations -t tcp --size 64 --budget 20m

Needs nothing but slkbench.
"""
)
@cell_options
@_work_options
@click.option(
    "--budget",
    type=DURATION,
    help="Go on, for so long at most, until what timing costs is known within 1 %. [only "
    "--repetitions]",
)
def operations(**options: Any) -> int:
    """Time single calls: send routing id, send message, recv routing id, recv message.

    One message in some has its calls timed, by the time stamp counter where it is invariant; the
    timer's own cost is subtracted. Runs without timed calls, with some, more and all of them take
    turns; the table says what timing costs, and whether it is shown to be below 2 %.
    """
    return _profile("operations", options)


@command.command(
    epilog="""\b
Examples:
  slkbench profile cpu --transport tcp --size 1KiB
  slkbench profile cpu --run latest
  slkbench profile cpu -t inproc --size 64 --lib mine=/opt/mine/libzmq.so.5

Needs perf (Debian's package linux-perf).
"""
)
@cell_options
@_work_options
def cpu(**options: Any) -> int:
    """Sample where CPU time goes, with perf, while messages are timed.

    By thread and by what it does: the library in send and recv, its I/O thread, the kernel's send
    and receive paths, waking and waiting. stacks/ has folded stacks, speedscope files and flame
    graphs of each contender against the baseline.
    """
    return _profile("cpu", options)


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


@command.command(
    epilog="""\b
Examples:
  slkbench profile builds --transport inproc --size 64 --pattern push-pull
  slkbench profile builds --variant O3 --variant O3-lto --rebuilds 5 --source ~/libzmq

Needs g++ and the sources of ServerLink; takes some minutes for each variant. What it measures is a
run of its own, with samples.
"""
)
@cell_options
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Repeatable. [all]")
@click.option(
    "--rebuilds", type=click.IntRange(3, 50), default=3, show_default=True, help="Of each variant."
)
@click.option(
    "--impl",
    type=click.Path(file_okay=False, path_type=Path),
    help="ServerLink's sources. [the checkout's]",
)
@click.option(
    "--source",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="libzmq's source tree, to build that as well.",
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep builds there.")
@click.option("--rounds", type=click.IntRange(1), default=6, show_default=True, help="Blocks.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"))
@wait_option
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the table.")
def builds(**options: Any) -> int:
    """Measure what compiler flags do, each against O3.

    O2, O3-lto, O3-native, O3-lto-native and O3-pgo. Each variant is linked several times with its
    objects in another order; the interval is over these builds, because link order alone can do
    more than flags.
    """
    from slkbench.cli.display import progress_display
    from slkbench.cli.selection import scenario_of
    from slkbench.folders import scratch_folder
    from slkbench.profile.builds import VARIANTS
    from slkbench.report.builds import BUILDS_NOTE, effects_table
    from slkbench.runner.builds import BuildRequest, build_effects, make_builds, run_builds
    from slkbench.store import read_run

    for name in options["variants"]:
        if name not in VARIANTS:
            raise click.UsageError(f"no variant {name}; there are {', '.join(VARIANTS)}")
    if options["contenders"]:
        raise click.UsageError("the builds are the contenders; --lib NAME=PATH adds others")
    settled = ("min_time", "budget", "min_effect", "seed", "label", "resume", "count", "affinity")
    chosen = {**dict.fromkeys((*settled, "timeout")), **options, "libs": (), "contenders": ()}
    scenario = scenario_of(chosen)
    assert scenario is not None
    with scratch_folder() as scratch:
        request = BuildRequest(
            scenario=replace(scenario, budget_s=None),
            into=(options["keep"] or scratch).absolute(),
            variants=tuple(dict.fromkeys(options["variants"])) or tuple(VARIANTS),
            rebuilds=options["rebuilds"],
            impl=options["impl"],
            source=options["source"],
            libs=options["libs"],
            results=options["out"],
            wait_s=options["wait"],
            command_line=tuple(sys.argv),
        )
        with progress(quiet=options["quiet"]) as note:
            builds = make_builds(request, note)
        with progress_display(quiet=options["quiet"]) as observer:
            path = run_builds(request, builds, observer)
    print_tables([effects_table(build_effects(read_run(path)))])
    say(BUILDS_NOTE)
    say(f"\nthe samples are in {path}")
    return 0


def _profile(tool: str, options: dict[str, Any]) -> int:
    """Profile, store, print. The exit code."""
    from slkbench.report.profiles import CAVEATS, failure_lines, write_profile
    from slkbench.runner.profiling import run_profile

    request = _request(tool, options)
    with progress(quiet=options["quiet"]) as note:
        result = run_profile(request, note)
    file = write_profile(result.path, tool)
    print_tables(profile_tables_of(result))
    say(CAVEATS[tool])
    for line in failure_lines(result.rows):
        say(f"not profiled: {line}")
    say(f"\n{len(result.rows)} rows in {result.path}; the tables in {file}")
    if result.failed:
        worst = result.failed[0]
        say(f"slkbench: {worst.contender} failed: {worst.reason}", err=True)
        return _FAILED_EXIT_CODE
    return 0


def _request(tool: str, options: dict[str, Any]) -> ProfileRequest:
    """What the options ask for. Raises UsageError and StoreError."""
    from slkbench.cli.selection import scenario_of
    from slkbench.runner.profiling import ProfileRequest, request_of_run
    from slkbench.store import find_run

    settings: dict[str, Any] = {
        "messages": options["count"],
        "repetitions": options["repetitions"],
        "workload": options.get("workload"),
        "timeout_s": options["timeout"],
        "wait_s": options["wait"],
        "command_line": tuple(sys.argv),
        "budget_s": options.get("budget"),
    }
    if options["run"] is not None:
        for name in ("scenario", "libs"):
            if options[name]:
                raise click.UsageError(f"--run brings its own {name}; leave --{name} away")
        request = request_of_run(find_run(options["run"], options["out"]), tool, **settings)
        return replace(request, scenario=pairs_of(narrowed(request.scenario, options)))
    settled = ("min_time", "rounds", "budget", "min_effect", "seed", "label", "resume")
    scenario = scenario_of({**options, **dict.fromkeys(settled)})
    assert scenario is not None  # only a bare --resume has none
    return ProfileRequest(
        tool=tool,
        scenario=pairs_of(scenario),
        libs=options["libs"],
        results=options["out"],
        **settings,
    )


def pairs_of(scenario: Scenario) -> Scenario:
    """Its cells of one sender and one receiver; says which are left out. UsageError if all are."""
    cells = tuple(cell for cell in scenario.cells if not cell.has_many_peers)
    if not cells:
        raise click.UsageError(
            f"{scenario.cells[0].title}: a profile is of one sender and one receiver; choose a "
            "scenario or a run that has cells without further senders, receivers or idle peers"
        )
    for cell in scenario.cells:
        if cell.has_many_peers:
            say(f"not profiled, having more than one sender and receiver: {cell.title}", err=True)
    return replace(scenario, cells=cells)


def narrowed(scenario: Scenario, options: dict[str, Any]) -> Scenario:
    """Of a run's cells and contenders those that the options name."""
    from slkbench.cli.selection import fits

    cells = tuple(cell for cell in scenario.cells if fits(cell, options))
    names = options["contenders"] or scenario.contenders
    if not cells or not set(names) <= set(scenario.contenders):
        raise click.UsageError("the run has no such cell or contender; slkbench show RUN tells")
    baseline = scenario.baseline if scenario.baseline in names else names[0]
    return replace(scenario, cells=cells, contenders=tuple(names), baseline=baseline)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Note]:
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


def profile_tables_of(result: ProfileResult) -> list[Table]:
    """The tables of what was profiled just now."""
    from slkbench.profile.tables import profile_tables

    return profile_tables(result.rows)


def print_tables(tables: Sequence[Table]) -> None:
    """Print tables for reading."""
    console = table_console(None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)
    for each in tables:
        console.print(visible(each.title), style="bold", markup=False, highlight=False)
        console.print(_rich_table(each))


def _rich_table(table: Table) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table as RichTable

    shown = RichTable(box=box.SIMPLE_HEAD)
    for number, name in enumerate(table.head):
        shown.add_column(escape(visible(name)), justify="left" if number < table.left else "right")
    for row in table.rows:
        shown.add_row(*(escape(visible(text)) for text in row))
    return shown
