"""What is missing to judge claims, as steps: one run for all rates, a profile for each cell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from slkbench.errors import UsageError
from slkbench.model import Scenario
from slkbench.plan import estimate
from slkbench.profile.tools import TOOLS
from slkbench.profile.workload import require_tool
from slkbench.runner.claim_answers import ONE_CORE_RUN, RUN
from slkbench.runner.claims import Judged, missing_work
from slkbench.runner.profiling import Note, ProfileRequest, run_profile
from slkbench.runner.progress import Observer
from slkbench.runner.session import Request, run_request
from slkbench.scenario import ad_hoc_scenario
from slkbench.scenario.claims import Claims
from slkbench.units import format_duration

__all__ = ["Measuring", "Step", "measure_steps", "plan_steps", "steps_left_out"]

# A profile wants some of a budget too.
_SHARE_OF_RUNS = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """Work that nothing interrupts: a run, or a profile in one cell; about how long it takes."""

    tool: str
    scenario: Scenario
    about_s: float

    @property
    def text(self) -> str:
        """For reading: what, where, of whom, and about how long."""
        cells = ", ".join(cell.title for cell in self.scenario.cells)
        verb = self.tool if self.tool.startswith(RUN) else f"profile {self.tool}"
        names = ", ".join(self.scenario.contenders)
        return f"about {format_duration(self.about_s)}: {verb} of {names}: {cells}"


@dataclass(frozen=True, slots=True)
class Measuring:
    """Where steps find libraries and put results, and who hears of them.

    A step has its display to itself: ``observing`` is entered for a run, ``noting`` for a profile.
    """

    libs: tuple[str, ...]
    results: Path
    wait_s: float
    command_line: tuple[str, ...]
    announce: Callable[[str], None]
    observing: Callable[[], AbstractContextManager[Observer]]
    noting: Callable[[], AbstractContextManager[Note]]
    clock_s: Callable[[], float] = time.monotonic


def plan_steps(
    claims: Claims, judged: Sequence[Judged], budget_s: float | None = None
) -> tuple[Step, ...]:
    """What to measure, the run first and then the quicker profiles; no builds.

    Runs may take half of ``budget_s``.  Profiles whose program is missing are left out.
    """
    work = missing_work(judged)
    steps = []
    runs = {kind: work.pop(kind) for kind in (RUN, ONE_CORE_RUN) if kind in work}
    for kind, wanted in runs.items():
        cells = tuple({cell.key: cell for cell, _ in wanted}.values())
        names = (claims.baseline, claims.subject, *(name for _, name in wanted))
        scenario = replace(
            ad_hoc_scenario(contenders=tuple(dict.fromkeys(names))),
            name="claims",
            cells=cells,
            baseline=claims.baseline,
            affinity=((0,),) if kind == ONE_CORE_RUN else None,
            budget_s=None if budget_s is None else budget_s * _SHARE_OF_RUNS / len(runs),
        )
        steps.append(Step(kind, scenario, estimate(scenario).most_s))
    usable = [tool for tool in work if tool in TOOLS and not list(_missing_programs(tool))]
    for tool in sorted(usable, key=lambda name: TOOLS[name].about_s):
        for cell in dict.fromkeys(cell for cell, _ in work[tool]):
            who = tuple(dict.fromkeys(name for each, name in work[tool] if each == cell))
            scenario = replace(
                ad_hoc_scenario(contenders=who), name="claims", cells=(cell,), baseline=who[0]
            )
            steps.append(Step(tool, scenario, TOOLS[tool].about_s * len(who)))
    return tuple(steps)


def steps_left_out(judged: Sequence[Judged]) -> list[str]:
    """What no budget measures, and why: builds take too long, a program is missing."""
    lines: list[str] = []
    for tool in missing_work(judged):
        if tool in TOOLS:
            lines += _missing_programs(tool)
    if "builds" in missing_work(judged):
        lines.append("builds take some minutes each: slkbench profile builds measures them")
    return lines


def _missing_programs(tool: str) -> Iterator[str]:
    for program in TOOLS[tool].programs:
        try:
            require_tool(program)
        except UsageError as error:
            yield f"profile {tool}: {error}"


def measure_steps(steps: Sequence[Step], budget_s: float, how: Measuring) -> int:
    """Take the steps one after the other; none begins after ``budget_s``. How many were taken.

    Raises what a run or a profile raises.
    """
    end_s = how.clock_s() + budget_s
    for number, step in enumerate(steps):
        if how.clock_s() >= end_s:
            return number
        how.announce(f"claims, {number + 1} of {len(steps)}: {step.text}")
        if step.tool in {RUN, ONE_CORE_RUN}:
            request = Request(
                step.scenario,
                how.libs,
                how.results,
                wait_s=how.wait_s,
                command_line=how.command_line,
            )
            with how.observing() as observer:
                run_request(request, observer=observer)
            continue
        profile = ProfileRequest(
            step.tool,
            step.scenario,
            how.libs,
            how.results,
            wait_s=how.wait_s,
            command_line=how.command_line,
        )
        with how.noting() as note:
            run_profile(profile, note)
    return len(steps)
