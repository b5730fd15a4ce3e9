"""The tables of what was measured: gaps, patterns, floor, CPU time, round trips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from slkbench import stats
from slkbench.model import Metric, Pattern, Status, Verdict
from slkbench.report.evidence import Evidence
from slkbench.report.frames import ArmSummary, Interval, Setting
from slkbench.report.markdown import heading, plain, table
from slkbench.report.modes import TwoWays, speed_form
from slkbench.report.naming import (
    NOT_AVAILABLE,
    change,
    contender_title,
    count,
    interval_text,
    or_na,
    pattern_title,
    reference_size,
    status_title,
    telling_columns,
    times,
    transport_title,
)
from slkbench.stats.latency import PERCENTILES
from slkbench.units import format_rate, format_time_ns

__all__ = [
    "bounds_text",
    "by_pattern",
    "cpu_section",
    "floor_section",
    "gap_section",
    "marked_median",
    "notes_of",
    "pattern_section",
    "round_trip_section",
    "samples_text",
    "settings_of",
]


_PATTERN_NOTE = (
    "Time per message of ROUTER-ROUTER (2 frames, a routing id in front) divided by that of "
    "PUSH-PULL (1 frame): above 1.00x the explicit routing costs time."
)
_FLOOR_NOTE = (
    "Time per message (or round trip) divided by that of the floor: the driver's own loop over "
    "a bare socket (tcp, ipc) or a single-producer ring (inproc), with the same payload and "
    "the same checks. 1.00x would be a library that costs nothing."
)
_CPU_NOTE = (
    "User and system time of all threads and processes while the clock ran. A gap in time "
    "without a gap in CPU time means waiting and wake-ups, not code; a library that polls "
    "burns CPU time to gain time. For round trips a message is one round trip."
)
_ROUND_TRIP_NOTE = (
    "One message there and back, one at a time. A percentile is shown where every sample has "
    "at least 100 round trips beyond it (p99: 10,000 round trips), else n/a."
)
_PACED_NOTE = (
    "Messages there and back at a given rate, whatever is under way. A round trip counts from when "
    "its message was due, so waiting to be sent counts too. The rate fixes the time per message; "
    "round trips are compared, and CPU time per message says what a low load costs: of the sender, "
    "its timer, the one who echoes, and all threads of the library."
)


def settings_of(
    summaries: Iterable[ArmSummary],
) -> list[tuple[Setting, list[ArmSummary]]]:
    """``summaries`` by setting, in the order of the run."""
    found: dict[Setting, list[ArmSummary]] = {}
    for one in summaries:
        found.setdefault(Setting.of(one.cell), []).append(one)
    return list(found.items())


def samples_text(one: ArmSummary, of: Interval) -> str:
    """How many processes a median is of, and whether all of them were disturbed."""
    return f"{of.samples}, all disturbed" if one.disturbed else str(of.samples)


def gap_section(evidence: Evidence, metric: Metric) -> list[str]:
    """The reference report's gap table, with the interval, the verdict and the ratio of times."""
    parts: list[str] = []
    ways = TwoWays()
    verdicts = [one for one in evidence.verdicts if one.cell.metric is metric]
    for key in dict.fromkeys(
        (Setting.of(one.cell), one.cell.pattern, one.baseline, one.contender) for one in verdicts
    ):
        members = [
            one
            for one in verdicts
            if (Setting.of(one.cell), one.cell.pattern, one.baseline, one.contender) == key
        ]
        _, pattern, baseline, contender = key
        rate = metric is Metric.THROUGHPUT
        names = (contender_title(contender), contender_title(baseline))
        parts += [
            heading(
                3,
                evidence.titled(
                    f"{pattern_title(pattern)}, {names[0]} against {names[1]}",
                    members[0].cell,
                ),
            ),
            table(
                (
                    "Cell",
                    *names,
                    *(("Gap", "Gap interval") if rate else ()),
                    "Time per message" if rate else "Round trip",
                    _interval_header(members),
                    "Verdict",
                    "Blocks",
                ),
                [_gap_row(evidence, one, ways, rate=rate) for one in members],
            ),
        ]
    return [*parts, *notes_of(ways)]


def _interval_header(verdicts: Sequence[Verdict]) -> str:
    """``99% interval``; the looks that were planned set the level, the same in a whole run."""
    levels = {one.level for one in verdicts if one.level is not None}
    return f"{levels.pop():.0%} interval" if len(levels) == 1 else "Interval"


def notes_of(ways: TwoWays) -> list[str]:
    """The note on medians that are marked, as a paragraph of its own."""
    return [plain(ways.note)] if ways.note else []


def _gap_row(evidence: Evidence, one: Verdict, ways: TwoWays, *, rate: bool) -> tuple[str, ...]:
    gap = None if one.time_ratio is None else 1 / one.time_ratio - 1
    low = None if one.high is None else 1 / one.high - 1
    high = None if one.low is None else 1 / one.low - 1
    medians = [
        _headline(evidence, evidence.summary(one.cell, name), ways)
        for name in (one.contender, one.baseline)
    ]
    gaps = (or_na(gap, _signed), interval_text(low, high, _signed)) if rate else ()
    return (
        f"{transport_title(one.cell.transport)}, {reference_size(one.cell.size_bytes)}",
        *medians,
        *gaps,
        or_na(one.time_ratio, times),
        interval_text(one.low, one.high, times),
        verdict_text(one),
        str(one.blocks),
    )


def _headline(evidence: Evidence, summary: ArmSummary | None, ways: TwoWays) -> str:
    """The rate, or where round trips are timed the median of them."""
    if summary is None:
        return NOT_AVAILABLE
    if summary.is_failed:
        return "FAILED"
    if summary.cell.metric.times_round_trips:
        return marked_median(evidence, summary, summary.p50_ns, format_time_ns, ways)
    return marked_median(evidence, summary, summary.rate_msgs_per_s, format_rate, ways)


def marked_median(
    evidence: Evidence,
    summary: ArmSummary,
    of: Interval,
    form: Callable[[float], str],
    ways: TwoWays,
    statistic: str | None = None,
) -> str:
    """A median of ``summary``, with a mark where its processes run in two ways.

    ``statistic`` is the column that it is of, None for what the cell is judged by.
    """
    if of.point is None:
        return NOT_AVAILABLE
    cell, name = summary.cell, summary.contender
    modes = stats.modes_of(evidence.samples, cell, name, statistic)
    whose = f"{contender_title(name)} in {cell.title}"
    if statistic is not None:
        whose = f"{PERCENTILES[statistic][0]} of {whose}"
    in_ns = format_time_ns if statistic is not None else speed_form(cell)
    return ways.marked(form(of.point), modes, whose, in_ns)


def verdict_text(one: Verdict) -> str:
    """The verdict as a word; an estimate without an interval has none."""
    if one.status is not Status.OK:
        return status_title(one.status)
    if one.time_ratio is None:
        return NOT_AVAILABLE
    return str(one.kind) if one.low is not None else "none: too few blocks"


def pattern_section(evidence: Evidence) -> list[str]:
    """What ROUTER-ROUTER costs against PUSH-PULL within each library."""
    found = {(one.cell, one.contender): one for one in evidence.of(Metric.THROUGHPUT)}
    rows = []
    ways = TwoWays()
    telling = telling_columns([cell for cell, _ in found])
    for (cell, name), one in found.items():
        twin = replace(cell, pattern=Pattern.PUSH_PULL)
        if cell.pattern is not Pattern.ROUTER_ROUTER or (twin, name) not in found:
            continue
        ratio = stats.pattern_ratio(cell, name, evidence.samples)
        rows.append(
            (
                contender_title(name),
                transport_title(cell.transport),
                reference_size(cell.size_bytes),
                *(value(cell) for _, value in telling),
                _headline(evidence, one, ways),
                _headline(evidence, found[twin, name], ways),
                *ratio_cells(ratio),
            )
        )
    if not rows:
        return ["This run has no cell that was measured with both patterns."]
    header = ("Contender", "Transport", "Message Size", *_titles(telling))
    patterns = (pattern_title(Pattern.ROUTER_ROUTER), pattern_title(Pattern.PUSH_PULL))
    return [
        _PATTERN_NOTE,
        table(
            (*header, *patterns, "RR / PP time", "95% interval", "Blocks"),
            _by_name(evidence, rows),
            left=2,
        ),
        *notes_of(ways),
    ]


def floor_section(evidence: Evidence) -> list[str]:
    """How far each library is from the driver's own lower bound."""
    telling = telling_columns(evidence.cells)
    rows = [
        (
            contender_title(name),
            pattern_title(cell.pattern),
            transport_title(cell.transport),
            reference_size(cell.size_bytes),
            str(cell.metric),
            *(value(cell) for _, value in telling),
            *ratio_cells(ratio),
        )
        for cell in evidence.cells
        for name, ratio in stats.floor_ratios(cell, evidence.samples).items()
    ]
    if not rows:
        return ["This run has no measurement of the floor."]
    header = ("Contender", "Pattern", "Transport", "Message Size", "Metric", *_titles(telling))
    return [
        _FLOOR_NOTE,
        table(
            (*header, "Time / floor", "95% interval", "Blocks"),
            _by_name(evidence, rows),
            left=3,
        ),
    ]


def cpu_section(evidence: Evidence) -> list[str]:
    """CPU time per message of both endpoints together, and its ratio to the baseline's."""
    rows = []
    telling = telling_columns([one.cell for one in evidence.summaries])
    for one in evidence.summaries:
        if one.cpu_ns_per_message.point is None or one.is_failed:
            continue
        ratios = [
            evidence.ratio(one.cell, one.contender, base, stats.CPU_PER_MESSAGE)
            for base in evidence.baselines
            if base != one.contender
        ]
        known = [ratio for ratio in ratios if ratio is not None]
        rows.append(
            (
                contender_title(one.contender),
                pattern_title(one.cell.pattern),
                transport_title(one.cell.transport),
                reference_size(one.cell.size_bytes),
                str(one.cell.metric),
                *(value(one.cell) for _, value in telling),
                or_na(one.cpu_ns_per_message.point, format_time_ns),
                bounds_text(one.cpu_ns_per_message, format_time_ns),
                or_na(one.cpu_busy_cores.point, lambda value: f"{value:.2f}"),
                *(
                    ("baseline", NOT_AVAILABLE, NOT_AVAILABLE)
                    if one.contender in evidence.baselines
                    else ratio_cells(known[0] if known else None)
                ),
            )
        )
    if not rows:
        return ["This run holds no CPU times."]
    header = ("Contender", "Pattern", "Transport", "Message Size", "Metric", *_titles(telling))
    baseline = " or ".join(map(contender_title, evidence.baselines)) or "baseline"
    return [
        _CPU_NOTE,
        table(
            (
                *header,
                "CPU per message",
                "95% interval",
                "Cores busy",
                f"CPU / {baseline}'s",
                "95% interval",
                "Blocks",
            ),
            _by_name(evidence, rows),
            left=3,
        ),
    ]


def round_trip_section(evidence: Evidence, metric: Metric = Metric.ROUND_TRIP) -> list[str]:
    """Percentiles of round trips for each pattern; where they are paced, with CPU time."""
    is_paced = metric is Metric.PACED
    parts: list[str] = []
    ways = TwoWays()
    for pattern, members in by_pattern(evidence.of(metric)):
        rows = [
            (
                contender_title(one.contender),
                transport_title(one.cell.transport),
                reference_size(one.cell.size_bytes),
                "FAILED"
                if one.is_failed
                else marked_median(evidence, one, one.p50_ns, micros, ways),
                NOT_AVAILABLE if one.is_failed else bounds_text(one.p50_ns, micros),
                NOT_AVAILABLE
                if one.is_failed
                else marked_median(evidence, one, one.p99_ns, micros, ways, stats.P99),
                NOT_AVAILABLE if one.is_failed else bounds_text(one.p99_ns, micros),
                NOT_AVAILABLE if one.is_failed else count(one.messages.point),
                samples_text(one, one.p50_ns),
                *((_cpu_cell(one),) if is_paced else ()),
            )
            for one in members
        ]
        header = (
            "Contender",
            "Transport",
            "Message Size",
            "p50, µs",
            "95% interval",
            "p99, µs",
        )
        parts += [
            heading(3, evidence.titled(pattern_title(pattern), members[0].cell)),
            table(
                (
                    *header,
                    "95% interval",
                    "Round Trips",
                    "Samples",
                    *(("CPU per message",) if is_paced else ()),
                ),
                _by_name(evidence, rows),
                left=2,
            ),
        ]
    if not parts:
        return ["This run measured no round trips."]
    return [_PACED_NOTE if is_paced else _ROUND_TRIP_NOTE, *parts, *notes_of(ways)]


def _cpu_cell(one: ArmSummary) -> str:
    return NOT_AVAILABLE if one.is_failed else or_na(one.cpu_ns_per_message.point, format_time_ns)


def bounds_text(interval: Interval, form: Callable[[float], str]) -> str:
    """An interval's bounds, or ``n/a`` where there are too few samples."""
    return interval_text(interval.low, interval.high, form)


def ratio_cells(ratio: stats.Ratio | None) -> tuple[str, str, str]:
    """A ratio, its bounds and its number of blocks."""
    if ratio is None:
        return (NOT_AVAILABLE, NOT_AVAILABLE, "0")
    return (
        times(ratio.point),
        interval_text(ratio.low, ratio.high, times),
        str(ratio.blocks),
    )


def micros(time_ns: float | None) -> str:
    """Microseconds with three significant digits, or ``n/a``."""
    if time_ns is None:
        return NOT_AVAILABLE
    value = time_ns / 1e3
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _signed(gap: float) -> str:
    return change(1 + gap)


def by_pattern(summaries: Sequence[ArmSummary]) -> list[tuple[str, list[ArmSummary]]]:
    """``summaries`` by setting, then by pattern."""
    return [
        (pattern, [one for one in members if one.cell.pattern == pattern])
        for _, members in settings_of(summaries)
        for pattern in dict.fromkeys(one.cell.pattern.value for one in members)
    ]


def _titles(telling: Iterable[tuple[str, object]]) -> tuple[str, ...]:
    return tuple(title for title, _ in telling)


def _by_name(evidence: Evidence, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """``rows`` in the report's order of contenders; the first column is the contender's title."""
    rank = {contender_title(name): index for index, name in enumerate(evidence.contenders)}
    return sorted(rows, key=lambda row: rank.get(row[0], len(rank)))
