"""``slkbench doctor``: is this machine fit to measure on, and which tools does it have?"""

from __future__ import annotations

import click

from slkbench.cli.say import say
from slkbench.machine import Doubt, Machine, Tool

__all__ = ["command"]

_EPILOG = """\b
Examples:
  slkbench doctor
  slkbench doctor --json | jq .machine.fingerprint
"""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(as_json: bool) -> None:
    """Tell how fit this machine is to measure on, and which profilers it has.

    Reads the CPUs, steal, load, governor, ASLR and compilers; changes nothing.
    """
    from slkbench.machine import find_doubts, find_tools, machine_record, read_machine

    machine, tools = read_machine(), find_tools()
    doubts = find_doubts(machine)
    if as_json:
        import json

        record = {
            "machine": machine_record(machine),
            "tools": {
                tool.name: {"version": tool.version, "path": tool.path, "install": tool.install}
                for tool in tools
            },
            "doubts": [{"seen": doubt.seen, "remedy": doubt.remedy} for doubt in doubts],
        }
        say(json.dumps(record, indent=2))
        return
    _print_machine(machine)
    _print_tools(tools)
    _print_doubts(doubts)


def _print_machine(machine: Machine) -> None:
    from slkbench.units import format_percent

    def known(value: object) -> str:
        return "unknown" if value is None else str(value)

    def share(fraction: float | None) -> str:
        return "unknown" if fraction is None else format_percent(fraction)

    memory = None if machine.memory_bytes is None else f"{machine.memory_bytes / 2**30:.1f} GiB"
    usable = ", ".join(str(cpu) for cpu in machine.usable_cpus)
    rows = [
        ("CPU", f"{machine.cpu_model}, {machine.cpus} CPUs, usable here: {usable}"),
        ("kernel", machine.kernel),
        ("virtualisation", machine.virtualisation),
        ("memory", known(memory)),
        ("governor", known(machine.governor)),
        ("turbo", known(machine.turbo)),
        ("ASLR", known(machine.aslr)),
        ("huge pages", known(machine.transparent_huge_pages)),
        ("TCP congestion", known(machine.congestion_control)),
        ("load 1, 5, 15 min", f"{machine.load_1m} {machine.load_5m} {machine.load_15m}"),
        ("steal since boot", share(machine.steal_fraction_since_boot)),
        ("CPU pressure 60 s", f"{known(machine.cpu_pressure_avg60_percent)} %"),
        ("Python", machine.python),
        *machine.compilers,
    ]
    say("Machine")
    for name, value in rows:
        say(f"  {name:<18} {value}")


def _print_tools(tools: tuple[Tool, ...]) -> None:
    say("Tools")
    for tool in tools:
        say(f"  {tool.name:<18} {tool.summary}   ({tool.purpose})")


def _print_doubts(doubts: tuple[Doubt, ...]) -> None:
    if not doubts:
        say("Nothing speaks against measuring here.")
        return
    say("Mind")
    for doubt in doubts:
        say(f"  {doubt.seen}: {doubt.remedy}")
