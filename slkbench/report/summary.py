"""What a run says, in words: verdicts with their intervals, and what cannot be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from slkbench import stats
from slkbench.model import Metric, Status, Verdict, VerdictKind
from slkbench.report.evidence import Evidence
from slkbench.report.frames import Setting
from slkbench.report.markdown import bullets, plain
from slkbench.report.naming import (
    cell_title,
    change,
    contender_title,
    interval_text,
    setting_title,
    status_title,
    times,
)
from slkbench.units import format_percent

__all__ = ["in_words", "summary_section"]

# More sentences than this hide what matters: then only the extremes and the exceptions are told.
_ALL_IN_WORDS = 8
_ONE_SESSION = (
    "Every verdict is provisional: one session, one build of each library, one machine. Blocks "
    "cancel drift, not the layout of a build; repeat in three sessions, each with a rebuild, "
    "before publishing a difference."
)
_SEVERAL_SESSIONS = (
    "Every verdict above is of one session; what all sessions say together is under "
    "[Sessions](#sessions). They had the same builds of each library on one machine: blocks cancel "
    "drift, sessions show what differs between starts, neither shows the layout of a build."
)
_NOTHING_COMPARED = (
    "This run compares nothing: it measured no contender beside a baseline. "
    "The tables below stand on their own."
)
_ORDER = (
    VerdictKind.FASTER,
    VerdictKind.EQUIVALENT,
    VerdictKind.SLOWER,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.INVALID,
)
_WHAT = {
    Metric.THROUGHPUT: "time per message",
    Metric.ROUND_TRIP: "median round trip",
    Metric.PACED: "median round trip",
}


def summary_section(evidence: Evidence) -> list[str]:
    """Paragraphs and lists: one group per contender, metric and setting, then the limits."""
    if not evidence.samples:
        return ["This run holds no samples, so there is nothing to report yet."]
    groups: dict[tuple[str, str, Metric, Setting], list[Verdict]] = {}
    for one in evidence.verdicts:
        key = (one.contender, one.baseline, one.cell.metric, Setting.of(one.cell))
        groups.setdefault(key, []).append(one)
    parts: list[str] = []
    for members in groups.values():
        parts += _group(evidence, members)
    if parts and evidence.holds_for:
        parts.append(f"These builds, this machine, this session: {plain(evidence.holds_for)}.")
    if not parts:
        parts = [_NOTHING_COMPARED]
    return [*parts, "What this run cannot tell:", bullets(_limits(evidence))]


def _group(evidence: Evidence, members: Sequence[Verdict]) -> list[str]:
    first = members[0]
    names = f"{contender_title(first.contender)} against {contender_title(first.baseline)}"
    head = f"**{names}, {first.cell.metric}** ({setting_title(first.cell)}): {_tally(members)}."
    mean = None
    if len(members) > 1:
        cells = [one.cell for one in members]
        mean = stats.geometric_mean(cells, evidence.samples, evidence.scenario, first.contender)
    if mean is not None and mean.low is not None:
        bounds = interval_text(mean.low, mean.high, times)
        head += (
            f" Geometric mean over the {len(members)} cells: {times(mean.point)} the "
            f"{_WHAT[first.cell.metric]} of {contender_title(first.baseline)} "
            f"({mean.level:.0%} CI {bounds}, {mean.blocks} blocks)."
        )
    told = _worth_telling(members)
    lead = "" if len(told) == len(members) else "The extremes and the exceptions (all cells below):"
    return [head, *([lead] if lead else []), bullets([in_words(one) for one in told])]


def _tally(members: Sequence[Verdict]) -> str:
    """``FASTER in 14 of 16 cells, INCONCLUSIVE in 2``; what has no verdict is counted too."""
    words = Counter(_word(one) for one in members)
    order = [str(kind) for kind in _ORDER]
    found = sorted(words.items(), key=lambda item: order.index(item[0]) if item[0] in order else 9)
    first, *rest = found
    cells = "cell" if len(members) == 1 else "cells"
    text = f"{first[0]} in {first[1]} of {len(members)} {cells}"
    return ", ".join([text, *(f"{word} in {number}" for word, number in rest)])


def _word(one: Verdict) -> str:
    if one.status is not Status.OK:
        return status_title(one.status)
    return str(one.kind) if one.low is not None else "no verdict"


def _worth_telling(members: Sequence[Verdict]) -> list[Verdict]:
    if len(members) <= _ALL_IN_WORDS:
        return list(members)
    known = sorted(
        (one for one in members if one.time_ratio is not None),
        key=lambda one: one.time_ratio or 0,
    )
    usual = Counter(_word(one) for one in members).most_common(1)[0][0]
    exceptions = [one for one in members if _word(one) != usual]
    told = [*known[:1], *known[-1:], *exceptions]
    return [one for one in members if one in told]


def in_words(one: Verdict) -> str:
    """One verdict as a sentence that stands alone."""
    title = cell_title(one.cell)
    names = (contender_title(one.contender), contender_title(one.baseline))
    if one.status is not Status.OK:
        return f"{title}: {status_title(one.status)}: {plain(one.reason or 'no reason stored')}."
    if one.time_ratio is None:
        return f"{title}: no estimate: {plain(one.reason or 'no block has both contenders')}."
    size = format_percent(abs(one.time_ratio - 1))
    shorter = one.time_ratio < 1
    if one.cell.metric.times_round_trips:
        said = f"{names[0]}'s median round trip is {size} {'shorter' if shorter else 'longer'}"
    else:
        said = f"{names[0]} takes {size} {'less' if shorter else 'more'} time per message"
    text = f"{title}: {said} than {names[1]}{_own(one)}, {times(one.time_ratio)}"
    if one.low is None or one.high is None or one.level is None:
        return f"{text}; {_blocks(one)}: too few for an interval, so no verdict."
    text += f" [{one.level:.0%} CI {times(one.low)}, {times(one.high)}], {_blocks(one)}"
    if one.placebo_ratio is not None and "placebo" not in one.reason:
        bounds = interval_text(one.placebo_low, one.placebo_high, change)
        text += f", placebo {change(one.placebo_ratio)} {bounds}"
    text += f": **{one.kind}**"
    if one.reason:
        text += f" ({plain(one.reason)})"
    if one.blocks_needed is not None:
        text += f"; about {one.blocks_needed:,} blocks would decide"
    return f"{text}; these builds, this machine, this session."


def _own(one: Verdict) -> str:
    """``'s`` where a round trip is compared with a round trip."""
    return "'s" if one.cell.metric.times_round_trips else ""


def _blocks(one: Verdict) -> str:
    return "1 block" if one.blocks == 1 else f"{one.blocks} blocks"


def _limits(evidence: Evidence) -> list[str]:
    verdicts = evidence.verdicts
    undecided = [
        one
        for one in verdicts
        if one.status is Status.OK and one.low is not None and one.kind is VerdictKind.INCONCLUSIVE
    ]
    short = [one for one in verdicts if one.status is Status.OK and one.low is None]
    failed = [one for one in verdicts if one.status is not Status.OK]
    limits = [_SEVERAL_SESSIONS if evidence.recurrences else _ONE_SESSION]
    if short:
        limits.append(
            f"{_cells(len(short))} no interval and so no verdict: an interval needs 6 blocks "
            "at 95% and 8 at 99%."
        )
    if undecided:
        limits.append(f"{_cells(len(undecided))} no decision: the interval is too wide.")
    if failed:
        limits.append(
            f"{len(failed)} of {len(verdicts)} comparisons could not be made: a contender failed "
            "or is n/a."
        )
    if verdicts:
        limits.append(_small_differences(verdicts))
        widened = [one for one in verdicts if one.effective_min_effect > one.min_effect + 1e-9]
        if widened:
            most = max(one.effective_min_effect for one in widened)
            limits.append(
                f"In {len(widened)} of {len(verdicts)} comparisons the placebo, a copy of the "
                f"baseline, was known only to within more than that (at most "
                f"{format_percent(most)}): there, no more than that is shown to be EQUIVALENT."
            )
    if evidence.findings:
        limits.append(
            f"The checks found {len(evidence.findings)} reason(s) for doubt: see "
            "[What to distrust](#what-to-distrust)."
        )
    return limits


def _small_differences(verdicts: Sequence[Verdict]) -> str:
    effects = {one.cell.metric: one.min_effect for one in verdicts}
    text = " and ".join(
        f"{format_percent(effect, digits=0)} ({metric})" for metric, effect in effects.items()
    )
    return (
        f"Differences under {text} count as equal. Nothing is claimed about sizes, options or "
        "loads that are not in the tables."
    )


def _cells(number: int) -> str:
    return "1 comparison has" if number == 1 else f"{number} comparisons have"
