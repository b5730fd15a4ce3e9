"""What a stored run says: verdicts and doubts, computed from its samples alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from slkbench.checks import check_run
from slkbench.model import (
    Cell,
    Contender,
    ContenderKind,
    Finding,
    Layer,
    Sample,
    Scenario,
    Status,
    Verdict,
)
from slkbench.stats import CPU_PER_MESSAGE, Ratio, geometric_mean, judge_cell
from slkbench.store import StoredRun

__all__ = ["RunResult", "judge_run", "stored_contenders"]

_PARITY_CODES = ("options-differ", "placement-differs")


@dataclass(frozen=True, slots=True)
class RunResult:
    """A judged run. ``cpu_verdicts`` compare CPU time per message; ``status`` is the run's.

    ``means`` are the geometric means over all cells, by contender, where there are several cells.
    """

    path: Path
    scenario: Scenario
    status: str
    samples: tuple[Sample, ...]
    verdicts: tuple[Verdict, ...]
    cpu_verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    means: tuple[tuple[str, Ratio], ...] = ()

    @property
    def unjudged_cells(self) -> tuple[Cell, ...]:
        """Cells in which nothing but the baseline and the floor were to be measured."""
        judged = {verdict.cell.key for verdict in self.verdicts}
        return tuple(cell for cell in self.scenario.cells if cell.key not in judged)

    def median_rate(self, cell: Cell, arm: str) -> float | None:
        """Messages per second of an arm in a cell, the median of its samples."""
        rates = [
            sample.rate_msgs_per_s
            for sample in self.samples
            if sample.arm == arm and sample.cell_key == cell.key and sample.rate_msgs_per_s
        ]
        return median(rates) if rates else None

    @property
    def failed_samples(self) -> tuple[Sample, ...]:
        """Those in which a contender crashed, hung, or lost or corrupted messages."""
        return tuple(each for each in self.samples if each.status == Status.FAILED)

    @property
    def parity_findings(self) -> tuple[Finding, ...]:
        """Evidence that the contenders did not run under the same conditions."""
        return tuple(each for each in self.findings if each.code in _PARITY_CODES)


def judge_run(run: StoredRun) -> RunResult:
    """The verdicts of a run, cell by cell in its scenario's order, and what to doubt in it."""
    scenario, samples = run.scenario, run.samples
    verdicts = tuple(v for cell in scenario.cells for v in judge_cell(cell, samples, scenario))
    cpu_verdicts = tuple(
        verdict
        for cell in scenario.cells
        for verdict in judge_cell(cell, samples, scenario, statistic=CPU_PER_MESSAGE)
    )
    findings = check_run(
        samples,
        verdicts,
        stored_contenders(run.metadata),
        baseline=scenario.baseline,
        cpu_count=len(run.metadata.get("machine", {}).get("usable_cpus", ())) or None,
    )
    return RunResult(
        path=run.path,
        scenario=scenario,
        status=str(run.metadata.get("status", "unknown")),
        samples=samples,
        verdicts=verdicts,
        cpu_verdicts=cpu_verdicts,
        findings=(*run.findings, *findings),
        means=_means(scenario, samples, verdicts),
    )


def _means(
    scenario: Scenario, samples: tuple[Sample, ...], verdicts: tuple[Verdict, ...]
) -> tuple[tuple[str, Ratio], ...]:
    names = dict.fromkeys(verdict.contender for verdict in verdicts)
    if len(scenario.cells) < 2:
        return ()
    found = ((name, geometric_mean(scenario.cells, samples, scenario, name)) for name in names)
    return tuple((name, mean) for name, mean in found if mean is not None)


def stored_contenders(metadata: Mapping[str, Any]) -> tuple[Contender, ...]:
    """The contenders that ``run.json`` tells of, as far as a check needs them."""
    return tuple(
        Contender(
            name=each["name"],
            layer=Layer(each["layer"]),
            kind=ContenderKind(each["kind"]),
            path=each["path"],
            version=each["version"],
            sha256=each["sha256"],
            build_flags=each["build_flags"],
            variant=each.get("variant", ""),
        )
        for each in metadata.get("libraries", ())
    )
