"""Which charts a run gets, what they are called and what their captions say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from slkbench.histograms import Distribution, read_distribution
from slkbench.model import Cell, Metric, Status, Verdict
from slkbench.report.appearance import Mark, marks
from slkbench.report.evidence import Evidence
from slkbench.report.figures import BANDWIDTH, RATE, draw_by_size
from slkbench.report.forest import draw_gaps
from slkbench.report.frames import Interval, Setting
from slkbench.report.latency_curves import Curve, curve_of, draw_latency
from slkbench.report.markdown import code
from slkbench.report.naming import cell_title, setting_title
from slkbench.report.round_trips import draw_round_trips
from slkbench.stats import SATURATED_FROM

__all__ = ["Illustration", "draw_all"]

_ROWS_PER_GAP_CHART = 30
_TRIP_SECTIONS = {Metric.ROUND_TRIP: "round-trips", Metric.PACED: "paced"}


@dataclass(frozen=True, slots=True)
class Illustration:
    """A chart that was drawn, and its section: throughput, gap, round-trips or paced."""

    section: str
    file_name: str
    caption: str


def draw_all(evidence: Evidence, folder: Path) -> list[Illustration]:
    """Draw every chart that the run has data for into ``folder``."""
    looks = marks(evidence.contenders)
    drawn = _latency(evidence, looks, folder)
    settings = list(dict.fromkeys(Setting.of(one.cell) for one in evidence.summaries))
    for index, setting in enumerate(settings):
        suffix = "" if len(settings) == 1 else f"-{index + 1}"
        drawn += _of_setting(evidence, setting, suffix, looks, folder)
    for metric in Metric:
        drawn += _gaps(evidence, metric, folder)
    return drawn


def _latency(evidence: Evidence, looks: dict[str, Mark], folder: Path) -> list[Illustration]:
    """A chart for each family of cells that differ in their rate alone."""
    families: dict[Cell, dict[Cell, dict[str, Curve]]] = {}
    processes: list[int] = []
    for cell in evidence.cells:
        if cell.metric is not Metric.PACED:
            continue
        curves = families.setdefault(replace(cell, offered_msgs_per_s=0), {})
        for name in evidence.contenders:
            if found := curve_of(_distributions(evidence, cell, name)):
                curves.setdefault(cell, {})[name] = found
                processes.append(len(found.times_us))
    drawn = []
    for index, (family, curves) in enumerate(families.items()):
        file_name = f"latency{'' if len(families) == 1 else f'-{index + 1}'}.png"
        if draw_latency(curves, looks, folder / file_name):
            number = f"{min(processes)}" + f" to {max(processes)}" * (len(set(processes)) > 1)
            caption = (
                f"Round trips at a given rate by percentile, run {code(evidence.run_id)}; "
                f"{cell_title(family)}, {setting_title(family)}; lines: medians over {number} "
                "processes, bands: lowest to highest; each ends where a process has fewer than "
                "100 round trips beyond."
            )
            drawn.append(Illustration("paced", file_name, caption))
    return drawn


def _distributions(evidence: Evidence, cell: Cell, name: str) -> list[Distribution]:
    """One for each undisturbed sample whose histograms are there; none of a saturated arm."""
    disturbed = evidence.discarded.get(cell, {})
    own = [one for one in evidence.samples if one.arm == name and one.cell_key == cell.key]
    if sum(one.status == Status.SATURATED for one in own) >= SATURATED_FROM:
        return []
    files = (
        evidence.run_dir / one.histograms
        for one in own
        if one.histograms and one.status == Status.OK and (one.run_id, one.block) not in disturbed
    )
    return [read_distribution(file) for file in files if file.is_file()]


def _of_setting(
    evidence: Evidence,
    setting: Setting,
    suffix: str,
    looks: dict[str, Mark],
    folder: Path,
) -> list[Illustration]:
    members = [one for one in evidence.summaries if Setting.of(one.cell) == setting]
    kept = [one for one in members if not one.is_failed]
    rates = [one for one in kept if one.cell.metric is Metric.THROUGHPUT]
    where = f"run {code(evidence.run_id)}; {setting_title(members[0].cell)}"
    drawn = []
    for quantity, name, title in (
        (RATE, "throughput", "Throughput by message size"),
        (BANDWIDTH, "bandwidth", "Bandwidth by message size"),
    ):
        file_name = f"{name}{suffix}.png"
        if draw_by_size(rates, quantity, looks, folder / file_name):
            whiskers = _whiskers([quantity.of(one) for one in rates])
            drawn.append(Illustration("throughput", file_name, f"{title}, {where}; {whiskers}."))
    for metric, name in _TRIP_SECTIONS.items():
        trips = [one for one in kept if one.cell.metric is metric]
        file_name = f"{name}{suffix}.png"
        if draw_round_trips(trips, looks, folder / file_name):
            whiskers = _whiskers([one.p50_ns for one in trips])
            caption = f"Round trips by message size, {where}; {whiskers}."
            drawn.append(Illustration(name, file_name, caption))
    return drawn


def _whiskers(intervals: Sequence[Interval]) -> str:
    counts = sorted({one.samples for one in intervals if one.point is not None})
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    if not any(one.bounds for one in intervals):
        return f"medians of {number} samples, too few for intervals"
    level = max(one.level or 0.0 for one in intervals)
    return f"whiskers: {level:.0%} interval of the median of {number} samples"


def _gaps(evidence: Evidence, metric: Metric, folder: Path) -> list[Illustration]:
    groups: dict[tuple[Setting, str], list[Verdict]] = {}
    for one in evidence.verdicts:
        if one.cell.metric is metric:
            groups.setdefault((Setting.of(one.cell), one.baseline), []).append(one)
    charts = [
        members[start : start + _ROWS_PER_GAP_CHART]
        for members in groups.values()
        for start in range(0, len(members), _ROWS_PER_GAP_CHART)
    ]
    throughput = metric is Metric.THROUGHPUT
    name = "gap" if throughput else f"{metric}-gap"
    drawn = []
    for index, members in enumerate(charts):
        suffix = "" if len(charts) == 1 else f"-{index + 1}"
        file_name = f"{name}{suffix}.png"
        if not draw_gaps(members, folder / file_name):
            continue
        levels = sorted({one.level for one in members if one.level is not None})
        bars = (
            f"bars: {' and '.join(f'{level:.0%}' for level in levels)} intervals"
            if levels
            else "too few blocks for intervals"
        )
        what = "Time per message" if throughput else "Median round trip"
        caption = (
            f"{what} against {members[0].baseline}, run {code(evidence.run_id)}; "
            f"{setting_title(members[0].cell)}; {bars}."
        )
        section = _TRIP_SECTIONS.get(metric, "gap")
        drawn.append(Illustration(section, file_name, caption))
    return drawn
