"""The table of percentiles at each rate, of a run that measured some."""

from __future__ import annotations

from collections.abc import Mapping

from slkbench import stats
from slkbench.report.evidence import Evidence
from slkbench.report.markdown import heading, table
from slkbench.report.modes import TwoWays
from slkbench.report.naming import (
    NOT_AVAILABLE,
    contender_title,
    interval_text,
    or_na,
    pattern_title,
    reference_size,
    status_title,
    times,
    transport_title,
)
from slkbench.report.results import micros, notes_of, verdict_text
from slkbench.stats.latency import ComparedPercentile, compared_percentiles
from slkbench.units import format_rate, format_time_ns

__all__ = ["percentile_section"]

_NOTE = (
    "Round trips in µs, each from when its message was due by the schedule: the median over "
    "processes, with its 95% interval. The last columns compare contender and baseline, paired by "
    "block. A percentile is shown where every process has 100 round trips or more beyond it."
)


def percentile_section(evidence: Evidence) -> list[str]:
    """One table of all rates for each pattern, transport, size and contender."""
    compared = compared_percentiles(evidence.scenario, evidence.samples)
    groups: dict[tuple[str, ...], list[ComparedPercentile]] = {}
    for one in compared:
        cell, names = one.cell, (one.verdict.baseline, one.verdict.contender)
        where = (
            pattern_title(cell.pattern),
            transport_title(cell.transport),
            reference_size(cell.size_bytes),
        )
        groups.setdefault((*where, *names), []).append(one)
    if not groups:
        return []
    parts = [heading(3, "Percentiles by rate"), _NOTE, *_sustained(evidence)]
    ways = TwoWays()
    for (pattern, transport, size, baseline, contender), members in groups.items():
        names = (contender_title(contender), contender_title(baseline))
        parts += [
            heading(4, f"{pattern}, {transport}, {size}: {names[0]} against {names[1]}"),
            table(
                (
                    "Rate",
                    "Percentile",
                    names[0],
                    "95% interval",
                    names[1],
                    "95% interval",
                    "Ratio",
                    "Interval",
                    "Verdict",
                    "Blocks",
                ),
                [_row(evidence, one, (contender, baseline), ways) for one in members],
                left=2,
            ),
        ]
        reasons = dict.fromkeys(
            f"{format_rate(one.cell.offered_msgs_per_s)}, {one.name}: {one.reason}."
            for one in members
            if one.reason
        )
        if reasons:
            parts.append("n/a: " + " ".join(reasons))
    return [*parts, *notes_of(ways)]


def _row(
    evidence: Evidence, one: ComparedPercentile, names: tuple[str, str], ways: TwoWays
) -> tuple[str, ...]:
    verdict = one.verdict
    arms = [text for name in names for text in _summary(evidence, one, name, ways)]
    rate = format_rate(one.cell.offered_msgs_per_s)
    if one.reason:
        word = NOT_AVAILABLE if verdict.status == "OK" else status_title(verdict.status)
        return (rate, one.name, *arms, NOT_AVAILABLE, NOT_AVAILABLE, word, NOT_AVAILABLE)
    return (
        rate,
        one.name,
        *arms,
        or_na(verdict.time_ratio, times),
        interval_text(verdict.low, verdict.high, times),
        verdict_text(verdict),
        str(verdict.blocks),
    )


def _summary(
    evidence: Evidence, one: ComparedPercentile, name: str, ways: TwoWays
) -> tuple[str, str]:
    summary = one.summaries[name]
    if summary is None:
        return NOT_AVAILABLE, NOT_AVAILABLE
    modes = stats.modes_of(evidence.samples, one.cell, name, one.verdict.statistic)
    whose = f"{one.name} of {contender_title(name)} in {one.cell.title}"
    median = ways.marked(micros(summary.median), modes, whose, format_time_ns)
    return median, interval_text(summary.low, summary.high, micros)


def _sustained(evidence: Evidence) -> list[str]:
    """What was found before the rates that are shares were known."""
    searches = evidence.metadata.get("rates", ())
    texts = []
    for search in searches if isinstance(searches, list) else ():
        found: Mapping[str, int] = search["sustained_msgs_per_s"]
        each = ", ".join(
            f"{contender_title(name)} {format_rate(rate)}" for name, rate in found.items()
        )
        pattern, transport, size = search["cell"][:3]
        where = f"{pattern_title(pattern)}, {transport_title(transport)}, {reference_size(size)}"
        texts.append(f"Sustained before the run, to within 10%: {each} ({where}).")
    return texts
