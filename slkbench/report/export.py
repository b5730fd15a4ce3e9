"""A run's figures in the formats of other tools. Pure: samples in, JSON values out.

Each contender in each cell is one benchmark, called ``push-pull tcp 64 B, libzmq``; its value is
the median over processes of the time per message, or of the median round trip.  Disturbed blocks
are left out, and so is a benchmark of which a sample failed.

- bencher: Bencher Metric Format, https://bencher.dev/docs/reference/bencher-metric-format/
- github-action-benchmark: its tool ``customSmallerIsBetter``,
  https://github.com/benchmark-action/github-action-benchmark
- pyperf: its JSON format 1.0, https://pyperf.readthedocs.io/
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slkbench.model import ArmRole, Cell, Sample, Scenario, Status, Verdict
from slkbench.stats import Summary, default_statistic, discarded_blocks, summarise, value_of
from slkbench.stats.latency import PERCENTILES

__all__ = ["arm_records", "bencher_document", "github_action_document", "pyperf_document"]

_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class _Series:
    """The times of one contender in one cell, one of each process, in ns."""

    cell: Cell
    contender: str
    samples: tuple[Sample, ...]
    times_ns: tuple[float, ...]

    @property
    def name(self) -> str:
        return f"{self.cell.title}, {self.contender}"

    @property
    def summary(self) -> Summary:
        summary = summarise(self.times_ns)
        assert summary is not None  # a series has a value at least
        return summary


def arm_records(
    scenario: Scenario, samples: Sequence[Sample], contenders: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Median and interval of each contender in each cell, as slkbench's own JSON has them."""
    records = []
    for each in _series(scenario, samples, contenders):
        summary = each.summary
        records.append(
            {
                "name": each.name,
                "cell": each.cell.title,
                "contender": each.contender,
                "library_version": each.samples[0].library_version,
                "statistic": default_statistic(each.cell.metric),
                "median_ns": summary.median,
                "low_ns": summary.low,
                "high_ns": summary.high,
                "level": summary.level,
                "processes": summary.count,
            }
        )
    return records


def bencher_document(
    scenario: Scenario,
    samples: Sequence[Sample],
    verdicts: Sequence[Verdict],
    contenders: Collection[str] = (),
) -> dict[str, dict[str, dict[str, float]]]:
    """Bencher's built-in measures ``latency`` in ns and ``throughput`` in messages per second.

    ``time-ratio`` is the paired ratio to the baseline, for whoever has a verdict.  Round trips have
    ``latency-p99`` and the like too, where every process has 100 of them beyond it.
    """
    ratios = {(verdict.cell.key, verdict.contender): verdict for verdict in verdicts}
    document: dict[str, dict[str, dict[str, float]]] = {}
    for each in _series(scenario, samples, contenders):
        summary = each.summary
        measures = {"latency": _metric(summary.median, summary.low, summary.high)}
        if not each.cell.metric.times_round_trips:
            low, high = (
                None if bound is None else _NS_PER_S / bound for bound in _swapped(summary)
            )
            measures["throughput"] = _metric(_NS_PER_S / summary.median, low, high)
        else:
            measures |= {
                f"latency-{name}": _metric(found.median, found.low, found.high)
                for name, found in _tails(each)
            }
        verdict = ratios.get((each.cell.key, each.contender))
        if verdict is not None and verdict.time_ratio is not None:
            measures["time-ratio"] = _metric(verdict.time_ratio, verdict.low, verdict.high)
        document[each.name] = measures
    return document


def github_action_document(
    scenario: Scenario, samples: Sequence[Sample], contenders: Collection[str] = ()
) -> list[dict[str, Any]]:
    """What github-action-benchmark takes from its tool ``customSmallerIsBetter``."""
    document: list[dict[str, Any]] = []
    for each in _series(scenario, samples, contenders):
        summary = each.summary
        round_trips = each.cell.metric.times_round_trips
        record: dict[str, Any] = {
            "name": each.name,
            "unit": "ns/round-trip" if round_trips else "ns/message",
            "value": round(summary.median, 3),
            "extra": f"{each.contender} {each.samples[0].library_version or ''}, median of "
            f"{summary.count} processes",
        }
        if summary.low is not None and summary.high is not None:
            half = max(summary.median - summary.low, summary.high - summary.median)
            record["range"] = f"± {half:.3f}"
            record["extra"] += f", {summary.level:.0%} interval"
        document.append(record)
    return document


def pyperf_document(
    scenario: Scenario,
    samples: Sequence[Sample],
    machine: Mapping[str, Any],
    contenders: Collection[str] = (),
) -> dict[str, Any]:
    """A pyperf suite: a run for each process, with one value in seconds."""
    metadata: dict[str, Any] = {"unit": "second"}
    for name, field in (("cpu_model_name", "cpu_model"), ("cpu_count", "cpus")):
        if machine.get(field):
            metadata[name] = machine[field]
    return {
        "version": "1.0",
        "metadata": metadata,
        "benchmarks": [
            {
                "metadata": {"name": each.name},
                "runs": [
                    _pyperf_run(sample, time_ns)
                    for sample, time_ns in zip(each.samples, each.times_ns, strict=True)
                ],
            }
            for each in _series(scenario, samples, contenders)
        ],
    }


def _pyperf_run(sample: Sample, time_ns: float) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if sample.messages:
        metadata["loops"] = sample.messages
    if sample.elapsed_ns:
        metadata["duration"] = sample.elapsed_ns / _NS_PER_S
    if sample.started_utc:
        started = datetime.fromisoformat(sample.started_utc).astimezone(UTC)
        metadata["date"] = started.replace(tzinfo=None).isoformat(" ")
    return {"values": [time_ns / _NS_PER_S], "metadata": metadata}


def _tails(series: _Series) -> Iterator[tuple[str, Summary]]:
    """The percentiles beyond the median, over processes that all have them."""
    fewest = min(sample.messages or 0 for sample in series.samples)
    for statistic, (name, needed) in PERCENTILES.items():
        values = [value_of(sample, statistic) for sample in series.samples]
        known = [value for value in values if value is not None]
        found = summarise(known)
        is_whole = len(known) == len(values) and fewest >= needed
        if is_whole and found is not None and statistic != default_statistic(series.cell.metric):
            yield name, found


def _metric(value: float, low: float | None, high: float | None) -> dict[str, float]:
    metric = {"value": value}
    if low is not None and high is not None:
        metric |= {"lower_value": low, "upper_value": high}
    return metric


def _swapped(summary: Summary) -> tuple[float | None, float | None]:
    return summary.high, summary.low


def _series(
    scenario: Scenario, samples: Sequence[Sample], contenders: Collection[str]
) -> Iterator[_Series]:
    """Cells in the scenario's order, contenders by name; the placebo is none."""
    for cell in scenario.cells:
        own = [s for s in samples if s.cell_key == cell.key and s.role != ArmRole.PLACEBO]
        disturbed = discarded_blocks(own)
        statistic = default_statistic(cell.metric)
        for name in sorted({s.arm for s in own if not contenders or s.arm in contenders}):
            arm = [s for s in own if s.arm == name]
            if any(s.status in {Status.FAILED, Status.SATURATED} for s in arm):
                continue
            usable = [
                (s, time)
                for s in arm
                if s.status == Status.OK
                and (s.run_id, s.block) not in disturbed
                and (time := value_of(s, statistic)) is not None
            ]
            if usable:
                kept, times = zip(*usable, strict=True)
                yield _Series(cell, name, kept, times)
