"""What a stored run says: verdicts and doubts, computed from its samples alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slkbench.checks import Ending, check_run
from slkbench.doubts import further_doubts
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
from slkbench.runner.companions import instruction_rows, instruction_verdicts
from slkbench.stats import (
    CPU_PER_MESSAGE,
    Noise,
    Ratio,
    default_statistic,
    geometric_mean,
    judge_cell,
    median_rate,
    median_time_ns,
    noise_of,
    session_of,
)
from slkbench.store import StoredRun

__all__ = ["RunResult", "judge_run", "stored_contenders"]

_PARITY_CODES = ("options-differ", "placement-differs")


@dataclass(frozen=True, slots=True)
class RunResult:
    """A judged run. ``cpu_verdicts`` compare CPU time per message; ``status`` is the run's.

    ``instruction_verdicts`` compare instructions per message, where a profile has counted them.
    ``holds_for`` names the builds, the machine and the day that the verdicts are of.
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
    holds_for: str = ""
    instruction_verdicts: tuple[Verdict, ...] = ()

    @property
    def unjudged_cells(self) -> tuple[Cell, ...]:
        """Cells in which nothing but the baseline and the floor were to be measured."""
        judged = {verdict.cell.key for verdict in self.verdicts}
        return tuple(cell for cell in self.scenario.cells if cell.key not in judged)

    def median_rate(self, cell: Cell, arm: str) -> float | None:
        """Messages per second of an arm in a cell, the median of its samples."""
        return median_rate(self.samples, cell, arm)

    def median_time_ns(self, cell: Cell, arm: str) -> float | None:
        """What an arm is judged by in a cell, in ns: the median of its samples."""
        return median_time_ns(self.samples, cell, arm)

    def noise(self, cell: Cell, arm: str) -> Noise | None:
        """The spread and the modes of an arm in a cell, of what the cell is judged by."""
        own = [each for each in self.samples if each.arm == arm and each.cell_key == cell.key]
        return noise_of(own, default_statistic(cell.metric))

    def cpu_verdict(self, verdict: Verdict) -> Verdict | None:
        """The companion of ``verdict``: of CPU time per message."""
        return _companion(verdict, self.cpu_verdicts)

    def instruction_verdict(self, verdict: Verdict) -> Verdict | None:
        """The companion of ``verdict``: of instructions per message, where they were counted."""
        return _companion(verdict, self.instruction_verdicts)

    @property
    def failed_samples(self) -> tuple[Sample, ...]:
        """Those in which a contender crashed, hung, or lost or corrupted messages."""
        return tuple(each for each in self.samples if each.status == Status.FAILED)

    @property
    def parity_findings(self) -> tuple[Finding, ...]:
        """Evidence that the contenders did not run under the same conditions."""
        return tuple(each for each in self.findings if each.code in _PARITY_CODES)


def _companion(verdict: Verdict, among: Sequence[Verdict]) -> Verdict | None:
    for each in among:
        if (each.cell.key, each.contender) == (verdict.cell.key, verdict.contender):
            return each
    return None


def judge_run(run: StoredRun) -> RunResult:
    """The verdicts of a run, cell by cell in its scenario's order, and what to doubt in it.

    Raises StoreError for a profile of instructions that cannot be read.
    """
    scenario, samples = run.scenario, run.samples
    verdicts = tuple(v for cell in scenario.cells for v in judge_cell(cell, samples, scenario))
    cpu_verdicts = tuple(
        verdict
        for cell in scenario.cells
        for verdict in judge_cell(cell, samples, scenario, statistic=CPU_PER_MESSAGE)
    )
    counted = instruction_verdicts(instruction_rows(run.path), scenario, verdicts)
    findings = check_run(
        samples,
        verdicts,
        stored_contenders(run.metadata),
        baseline=scenario.baseline,
        scenario=scenario,
        ending=_ending(run),
        cpu_count=len(run.metadata.get("machine", {}).get("usable_cpus", ())) or None,
    )
    return RunResult(
        path=run.path,
        scenario=scenario,
        status=str(run.metadata.get("status", "unknown")),
        samples=samples,
        verdicts=verdicts,
        cpu_verdicts=cpu_verdicts,
        findings=(
            *run.findings,
            *findings,
            *further_doubts(scenario, samples, verdicts, cpu_verdicts, counted),
        ),
        means=_means(scenario, samples, verdicts),
        holds_for=_holds_for(run),
        instruction_verdicts=counted,
    )


def _ending(run: StoredRun) -> Ending:
    is_over = run.metadata.get("status") == "complete"
    by = str(run.metadata.get("ended_by", "verdicts")) if is_over else None
    return Ending(run.run_id, by)


def _holds_for(run: StoredRun) -> str:
    """Builds, machine and session: verdicts of others may differ."""
    builds = [
        f"{each['name']} {each['version']} ({each['sha256'][:8]})"
        for each in run.metadata.get("libraries", ())
        if each["sha256"]
    ]
    machine = run.metadata.get("machine", {}).get("fingerprint")
    began = session_of(run.samples)
    session = f"the session of {began}" if began else "this session"
    return "; ".join([", ".join(builds), *([machine] if machine else []), session])


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
