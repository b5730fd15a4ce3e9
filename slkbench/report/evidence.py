"""Everything that one report says, computed once: medians, verdicts, ratios, findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slkbench import stats
from slkbench.model import ArmRole, Cell, Finding, Metric, Sample, Scenario, Verdict
from slkbench.report.frames import ArmSummary, Setting, sample_frame, summarise
from slkbench.report.naming import setting_title
from slkbench.runner.result import judge_run
from slkbench.runner.sessions import stored_recurrences
from slkbench.stats.blocks import BlockKey
from slkbench.store import StoredRun

__all__ = ["Evidence", "gather"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run, ready to be written down.

    ``contenders`` are in the order of tables and charts: what is judged, the baseline, the floor.
    Cells have ``messages`` None throughout.  ``recurrences`` are of all sessions, where the run is
    the last of several.  ``cpu_verdicts`` and ``instruction_verdicts`` are companions of
    ``verdicts``, the latter where a profile of the run has counted instructions.
    ``holds_for`` names the builds, the machine and the session of all of them.
    """

    run_id: str
    run_dir: Path
    metadata: Mapping[str, Any]
    scenario: Scenario
    samples: tuple[Sample, ...]
    summaries: tuple[ArmSummary, ...]
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    discarded: Mapping[Cell, Mapping[BlockKey, str]]
    contenders: tuple[str, ...]
    baselines: tuple[str, ...]
    floors: tuple[str, ...]
    recurrences: tuple[stats.Recurrence, ...] = ()
    cpu_verdicts: tuple[Verdict, ...] = ()
    instruction_verdicts: tuple[Verdict, ...] = ()
    holds_for: str = ""

    @property
    def cells(self) -> list[Cell]:
        """The cells that samples were taken in."""
        return list(self.discarded)

    def titled(self, title: str, cell: Cell) -> str:
        """``title``, and the setting of ``cell`` where the run has several."""
        if len({Setting.of(one.cell) for one in self.summaries}) <= 1:
            return title
        return f"{title} ({setting_title(cell)})"

    def of(self, metric: Metric) -> list[ArmSummary]:
        """Summaries of cells that measure ``metric``."""
        return [one for one in self.summaries if one.cell.metric is metric]

    def summary(self, cell: Cell, contender: str) -> ArmSummary | None:
        """What ``contender`` did in ``cell``, or None if it was not there."""
        wanted = replace(cell, messages=None)
        for one in self.summaries:
            if one.cell == wanted and one.contender == contender:
                return one
        return None

    def ordered(self, names: set[str]) -> list[str]:
        """``names`` in the report's order."""
        return [name for name in self.contenders if name in names]

    def ratio(self, cell: Cell, of: str, to: str, statistic: str) -> stats.Ratio | None:
        """``of`` / ``to`` of ``statistic`` within the undisturbed blocks of ``cell``."""
        arms = {
            name: [one for one in self.samples if one.cell_key == cell.key and one.arm == name]
            for name in (of, to)
        }
        disturbed = self.discarded.get(replace(cell, messages=None), {})
        return stats.paired_ratio(arms[of], arms[to], statistic, without=disturbed)


def gather(run: StoredRun) -> Evidence:
    """Judge every cell of ``run`` and collect what is told of it."""
    result = judge_run(run)
    scenario, samples = result.scenario, result.samples
    by_cell: dict[Cell, list[Sample]] = {}
    for sample in samples:
        by_cell.setdefault(stats.cell_of(sample), []).append(sample)
    planned = dict.fromkeys(replace(cell, messages=None) for cell in scenario.cells)
    cells = [*planned, *(cell for cell in by_cell if cell not in planned)]
    discarded = {cell: stats.discarded_blocks(by_cell[cell]) for cell in cells if cell in by_cell}
    rank = {cell: index for index, cell in enumerate(cells)}
    summaries = summarise(sample_frame(samples), discarded)
    summaries.sort(key=lambda one: rank[one.cell])
    roles = {role: _names(samples, role) for role in ArmRole}
    return Evidence(
        run_id=run.run_id,
        run_dir=run.path,
        metadata=run.metadata,
        scenario=scenario,
        samples=samples,
        summaries=tuple(summaries),
        verdicts=result.verdicts,
        findings=result.findings,
        discarded=discarded,
        contenders=tuple(
            dict.fromkeys(
                (
                    *roles[ArmRole.CONTENDER],
                    *roles[ArmRole.BASELINE],
                    *roles[ArmRole.FLOOR],
                )
            )
        ),
        baselines=roles[ArmRole.BASELINE],
        floors=roles[ArmRole.FLOOR],
        recurrences=stored_recurrences(run.path),
        cpu_verdicts=result.cpu_verdicts,
        instruction_verdicts=result.instruction_verdicts,
        holds_for=result.holds_for,
    )


def _names(samples: tuple[Sample, ...], role: ArmRole) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.contender for one in samples if one.role == role))
