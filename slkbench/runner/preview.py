"""What a run would measure, told without measuring."""

from __future__ import annotations

from collections.abc import Sequence

from slkbench.model import Contender, Placement, Scenario
from slkbench.plan import arms_of, estimate, unsupported
from slkbench.runner.rate_search import describe_search
from slkbench.units import format_duration, format_percent

__all__ = ["describe_ends", "describe_plan"]


def describe_plan(scenario: Scenario, contenders: Sequence[Contender], placement: Placement) -> str:
    """Cells with the contenders that take part in each, placement, blocks and duration."""
    cost = estimate(scenario)
    blocks = str(scenario.rounds) if scenario.rounds else f"looks at {_listed(scenario.looks)}"
    placebo = "with" if scenario.placebo else "without"
    seed = "new" if scenario.seed is None else scenario.seed
    where = f"sender on CPU {_cpus(placement.sender_cpus)}, "
    where += f"receiver on CPU {_cpus(placement.receiver_cpus)}"
    samples = f"{cost.samples_least} to {cost.samples_most} samples"
    duration = f"{format_duration(cost.least_s)} to {format_duration(cost.most_s)}"
    lines = [
        f"{scenario.name}: {scenario.question}",
        f"baseline {scenario.baseline}, {placebo} placebo; blocks: {blocks}; seed: {seed}",
        describe_ends(scenario),
        where,
        f"{samples}, about {duration}",
        *([search] if (search := describe_search(scenario, contenders)) else []),
    ]
    for cell in scenario.cells:
        names = [arm.name for arm in arms_of(cell, contenders, scenario.baseline)]
        names += [f"{contender.name} n/a" for contender in unsupported(cell, contenders)]
        work = "" if cell.messages is None else f", {cell.messages} messages"
        lines.append(f"  {cell.title}{work}: {', '.join(names)}")
    return "\n".join(lines)


def describe_ends(scenario: Scenario) -> str:
    """When a cell ends, and when the run: what shares the time over cells."""
    if scenario.rounds is not None:
        first = f"each cell has {scenario.rounds} blocks"
    elif scenario.target is not None:
        reach = format_percent(scenario.target)
        first = f"a cell ends when its interval is within ±{reach} of the ratio"
    else:
        first = "a cell ends when it is decided"
    last = "" if scenario.rounds is not None else f", at {max(scenario.looks)} blocks at the latest"
    if scenario.max_time_s is not None:
        last += f", or after {format_duration(scenario.max_time_s)}"
    if scenario.budget_s is not None:
        last += f"; no block begins after {format_duration(scenario.budget_s)}"
    return first + last


def _listed(looks: Sequence[int]) -> str:
    return ", ".join(str(look) for look in looks)


def _cpus(cpus: Sequence[int]) -> str:
    return ",".join(str(cpu) for cpu in cpus) or "any"
