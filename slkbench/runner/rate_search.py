"""Finds the rate that contenders sustain, for cells whose rate is a share of it.

The rate is raised until a contender is saturated and then halved in, by samples of half a second.
What is found is an observation of this session, stored with the run; all arms of a cell then have
the same absolute rate, a share of what the slowest of them sustains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slkbench.errors import UsageError
from slkbench.model import Arm, Cell, Contender, Placement, Sample, Scenario, Slot, Status
from slkbench.plan import OVERHEAD_PER_SAMPLE_S, arms_of
from slkbench.runner.launch import Launcher
from slkbench.runner.progress import Observer
from slkbench.units import format_duration, format_rate

__all__ = ["RateSearch", "describe_search", "find_rates", "with_stored_rates"]

_START_MSGS_PER_S = 16_000
_LEAST_MSGS_PER_S = 250
_MOST_MSGS_PER_S = 8_192_000
_CLOSE_ENOUGH = 1.1
_PROBE_S = 0.5
_PROBE_MESSAGES_MIN, _PROBE_MESSAGES_MAX = 500, 5_000_000
# Processes differ, and the machine may stop for a moment: the majority of three decides.
_MAJORITY = 2
_DIGITS = 3
# So many rates are tried for an arm, by how far what it sustains is from the first.
_RATES_LEAST, _RATES_MOST = 6, 14


@dataclass(frozen=True, slots=True)
class RateSearch:
    """``sustained``: messages per second by arm, in the cells that differ from ``cell`` by rate.

    An arm that failed is not in it; one that keeps up with the highest rate tried has that.
    """

    cell: Cell
    sustained: Mapping[str, int]

    @property
    def slowest(self) -> int:
        """What every arm sustains."""
        return min(self.sustained.values())

    def to_json(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {"cell": list(self.cell.key), "sustained_msgs_per_s": dict(self.sustained)}


def describe_search(scenario: Scenario, contenders: Sequence[Contender]) -> str:
    """What finding the rates takes, before the first block; empty where none is to be found."""
    cells = dict.fromkeys(_bare(cell) for cell in scenario.cells if cell.offered_share is not None)
    arms = sum(len(arms_of(cell, contenders, scenario.baseline)) for cell in cells)
    if not arms:
        return ""
    probe_s = _PROBE_S + OVERHEAD_PER_SAMPLE_S
    least_s = arms * _RATES_LEAST * _MAJORITY * probe_s
    most_s = arms * _RATES_MOST * (2 * _MAJORITY - 1) * probe_s
    text = (
        f"before the first block it finds what each contender sustains, {arms} times: about "
        f"{format_duration(least_s)} to {format_duration(most_s)}"
    )
    if scenario.budget_s is None:
        return text
    left = ", all of which it may take" if most_s >= scenario.budget_s else ""
    return f"{text} of the budget of {format_duration(scenario.budget_s)}{left}"


def find_rates(
    scenario: Scenario,
    contenders: Sequence[Contender],
    placement: Placement,
    launcher: Launcher,
    observer: Observer,
) -> tuple[Scenario, tuple[RateSearch, ...]]:
    """The scenario with rates instead of shares, and the searches that this took.

    Raises UsageError where no contender of a cell sustains any rate.
    """
    searches: dict[Cell, RateSearch] = {}
    for cell in scenario.cells:
        bare = _bare(cell)
        if cell.offered_share is None or bare in searches:
            continue
        sustained = {}
        for arm in arms_of(cell, contenders, scenario.baseline):
            rate = _sustained(launcher, bare, arm, placement, scenario.sample_timeout_s)
            observer.note(f"{bare.title}: {arm.name} {_in_words(rate)}")
            if rate is not None:
                sustained[arm.name] = rate
        if not sustained:
            raise UsageError(
                f"no contender sustains {_LEAST_MSGS_PER_S} messages a second in "
                f"{bare.title!r}, so a share of it is no rate; give an absolute one, as --rate 10k"
            )
        searches[bare] = RateSearch(bare, sustained)
    return _resolved(scenario, searches), tuple(searches.values())


def with_stored_rates(scenario: Scenario, stored: Sequence[Mapping[str, Any]]) -> Scenario:
    """``scenario`` with the rates that an earlier session of its run found."""
    found = {tuple(each["cell"]): each["sustained_msgs_per_s"] for each in stored}
    searches = {
        bare: RateSearch(bare, found[bare.key])
        for bare in map(_bare, scenario.cells)
        if bare.key in found
    }
    return _resolved(scenario, searches)


def _resolved(scenario: Scenario, searches: Mapping[Cell, RateSearch]) -> Scenario:
    cells = (_with_rate(cell, searches.get(_bare(cell))) for cell in scenario.cells)
    # A share may come to a rate that is there already.
    return replace(scenario, cells=tuple({cell.key: cell for cell in cells}.values()))


def _bare(cell: Cell) -> Cell:
    return replace(cell, offered_share=None, offered_msgs_per_s=0, messages=None)


def _with_rate(cell: Cell, search: RateSearch | None) -> Cell:
    if cell.offered_share is None or search is None:
        return cell
    rate = int(float(f"{cell.offered_share * search.slowest:.{_DIGITS - 1}e}"))
    return replace(cell, offered_share=None, offered_msgs_per_s=max(1, rate))


def _sustained(
    launcher: Launcher, cell: Cell, arm: Arm, placement: Placement, timeout_s: float
) -> int | None:
    """The highest rate found that ``arm`` keeps up with; None if there is none, or it fails."""

    def keeps_up(rate: int) -> bool | None:
        kept = missed = 0
        while max(kept, missed) < _MAJORITY:
            sample = _probe(launcher, cell, arm, placement, rate, timeout_s)
            if sample.status not in {Status.OK, Status.SATURATED}:
                return None
            kept += sample.status == Status.OK
            missed += sample.status == Status.SATURATED
        return kept == _MAJORITY

    low, high, rate = 0, 0, _START_MSGS_PER_S
    while not (low and high and high <= low * _CLOSE_ENOUGH):
        kept = keeps_up(rate)
        if kept is None:
            return None
        if kept:
            low = rate
            if rate >= _MOST_MSGS_PER_S:
                break
        else:
            high = rate
            if rate <= _LEAST_MSGS_PER_S:
                return None
        rate = round(math.sqrt(low * high)) if low and high else 2 * low if low else high // 4
        rate = max(_LEAST_MSGS_PER_S, rate)
    return low


def _probe(
    launcher: Launcher, cell: Cell, arm: Arm, placement: Placement, rate: int, timeout_s: float
) -> Sample:
    messages = min(max(round(rate * _PROBE_S), _PROBE_MESSAGES_MIN), _PROBE_MESSAGES_MAX)
    slot = Slot(block=0, slot=0, arm=arm, env_pad_bytes=0)
    paced = replace(cell, offered_msgs_per_s=rate)
    return launcher.measure(paced, slot, placement, messages, timeout_s)


def _in_words(rate: int | None) -> str:
    return "sustains no rate" if rate is None else f"sustains {format_rate(rate)}"
