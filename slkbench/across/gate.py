"""Has a library become slower? One answer over many cells, from pairs or from two stored runs.

A cell counts as a regression where its verdict is SLOWER and its p, adjusted for the number of
cells (Benjamini and Hochberg), is at most 5 %: among many cells one looks slower by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slkbench.across.compare import Comparison
from slkbench.model import Cell, Finding, Sample, Status, Verdict, VerdictKind
from slkbench.stats import (
    Mode,
    adjusted_p_values,
    median_rate,
    median_time_ns,
    modes_of,
    placebo_reach,
    session_of,
)

__all__ = [
    "Gate",
    "GateRow",
    "gate_comparison",
    "gate_exit_code",
    "gate_verdicts",
    "looks_for",
]

FALSE_DISCOVERY_RATE = 0.05
_USUAL_LOOKS = (8, 12, 16, 24, 32)
_OPEN = (VerdictKind.INCONCLUSIVE, VerdictKind.INVALID)


@dataclass(frozen=True, slots=True)
class GateRow:
    """One cell's answer. ``rates`` are medians in messages/s, of the baseline and the candidate.

    ``times_ns`` are their medians of what the cell is judged by: a message's, or a round trip's.
    ``modes`` are the two ways in which the processes of each run, () where they run in one.
    ``placebos`` are how far a copy of the baseline may seem to be from it, in each run.
    ``against`` is the baseline contender, or the run that the candidate's is compared with.
    ``counts`` are of blocks: one number in pairs, two for two runs.
    """

    cell: Cell
    contender: str
    against: str
    kind: VerdictKind
    status: Status
    reason: str
    time_ratio: float | None
    low: float | None
    high: float | None
    level: float | None
    adjusted_p: float | None
    effective_min_effect: float
    counts: tuple[int, ...]
    rates: tuple[float | None, float | None]
    times_ns: tuple[float | None, float | None] = (None, None)
    modes: tuple[tuple[Mode, ...], tuple[Mode, ...]] = ((), ())
    placebos: tuple[float | None, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether it is slower by more than matters, the number of cells minded."""
        return (
            self.status is Status.OK
            and self.kind is VerdictKind.SLOWER
            and self.adjusted_p is not None
            and self.adjusted_p <= FALSE_DISCOVERY_RATE
        )

    @property
    def is_open(self) -> bool:
        """Whether nothing is decided."""
        is_chance = self.kind is VerdictKind.SLOWER and not self.is_regression
        is_undecided = self.kind in _OPEN or is_chance
        return self.status is Status.SATURATED or (self.status is Status.OK and is_undecided)

    @property
    def remark(self) -> str:
        """Why there is no clear answer; empty where there is one."""
        if self.status is Status.OK and self.kind is VerdictKind.SLOWER and not self.is_regression:
            return f"may be chance among so many cells, adjusted p {self.adjusted_p:.2g}"
        return self.reason


@dataclass(frozen=True, slots=True)
class Gate:
    """All cells' answers, and what they hold for. ``min_effect`` is a fraction of time.

    ``sessions`` say when those of ``runs`` began.
    """

    rows: tuple[GateRow, ...]
    is_paired: bool
    min_effect: float
    runs: tuple[str, ...]
    machine: str
    builds: tuple[str, ...] = ()
    parity_findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()

    @property
    def has_decided_nothing(self) -> bool:
        """Whether no cell has an answer: neither a regression nor that there is none."""
        return all(
            row.is_open or row.status in (Status.FAILED, Status.SKIPPED) for row in self.rows
        )

    @property
    def headline(self) -> str:
        """What came out, in a line."""
        cells = f"{len(self.rows)} cell{'s' * (len(self.rows) != 1)}"
        failed = sum(row.status is Status.FAILED for row in self.rows)
        slower = sum(row.is_regression for row in self.rows)
        undecided = sum(row.is_open for row in self.rows)
        absent = sum(row.status is Status.SKIPPED for row in self.rows)
        if self.has_decided_nothing:
            parts = [f"nothing decided in {cells}"]
        else:
            parts = [f"{slower} of {cells} slower" if slower else f"no regression found in {cells}"]
            parts += [f"{undecided} undecided"] * (undecided > 0)
        parts += [f"{failed} failed"] * (failed > 0)
        parts += [f"{absent} not measured"] * (absent > 0)
        return ", ".join(parts)


def looks_for(comparisons: int) -> tuple[int, ...]:
    """After how many blocks a run may stop so that one slow cell among so many can be told.

    The signed-rank p of n blocks that all point one way is 2^(1-n); times the looks, and adjusted
    for the number of cells, it must be able to reach 5 %.
    """
    smallest = {n: 2.0 ** (1 - n) * len(_USUAL_LOOKS) * comparisons for n in _USUAL_LOOKS}
    fitting = tuple(n for n in _USUAL_LOOKS if smallest[n] <= FALSE_DISCOVERY_RATE)
    return fitting or _USUAL_LOOKS[-1:]


def gate_verdicts(
    verdicts: Sequence[Verdict],
    samples: Sequence[Sample] = (),
    *,
    run: str,
    machine: str,
    min_effect: float,
    builds: Sequence[str] = (),
    parity_findings: Sequence[Finding] = (),
) -> Gate:
    """The gate over one run, in which baseline and candidate took turns; ``samples`` are its."""
    rows = []
    for verdict, adjusted in zip(verdicts, adjusted_p_values(verdicts), strict=True):
        rates = dict(verdict.rates_msgs_per_s)
        rows.append(
            GateRow(
                cell=verdict.cell,
                contender=verdict.contender,
                against=verdict.baseline,
                kind=verdict.kind,
                status=verdict.status,
                reason=verdict.reason,
                time_ratio=verdict.time_ratio,
                low=verdict.low,
                high=verdict.high,
                level=verdict.level,
                adjusted_p=adjusted,
                effective_min_effect=verdict.effective_min_effect,
                counts=(verdict.blocks,),
                rates=(rates.get(verdict.baseline), rates.get(verdict.contender)),
                times_ns=(
                    median_time_ns(samples, verdict.cell, verdict.baseline),
                    median_time_ns(samples, verdict.cell, verdict.contender),
                ),
                modes=(
                    modes_of(samples, verdict.cell, verdict.baseline),
                    modes_of(samples, verdict.cell, verdict.contender),
                ),
                placebos=(placebo_reach(verdict),),
            )
        )
    return Gate(
        rows=tuple(rows),
        is_paired=True,
        min_effect=min_effect,
        runs=(run,),
        machine=machine,
        builds=tuple(builds),
        parity_findings=tuple(parity_findings),
        sessions=(session_of(samples),),
    )


def gate_comparison(comparison: Comparison, *, min_effect: float, machine: str) -> Gate:
    """The gate over two stored runs, of which the first is the baseline."""
    first, second = comparison.first, comparison.second
    rows = [
        GateRow(
            cell=shift.cell,
            contender=shift.contender,
            against=first.run_id,
            kind=shift.kind,
            status=shift.status,
            reason=shift.reason,
            time_ratio=shift.time_ratio,
            low=shift.low,
            high=shift.high,
            level=shift.level if shift.low is not None else None,
            adjusted_p=adjusted,
            effective_min_effect=shift.effective_min_effect,
            counts=(shift.first_count, shift.second_count),
            rates=(
                median_rate(first.samples, shift.cell, shift.contender),
                median_rate(second.samples, shift.cell, shift.contender),
            ),
            times_ns=(
                median_time_ns(first.samples, shift.cell, shift.contender),
                median_time_ns(second.samples, shift.cell, shift.contender),
            ),
            modes=(
                modes_of(first.samples, shift.cell, shift.contender),
                modes_of(second.samples, shift.cell, shift.contender),
            ),
            placebos=placebos,
        )
        for shift, adjusted, placebos in zip(
            comparison.shifts,
            adjusted_p_values(comparison.shifts),
            comparison.placebos,
            strict=True,
        )
    ]
    return Gate(
        rows=tuple(rows),
        is_paired=False,
        min_effect=min_effect,
        runs=(first.run_id, second.run_id),
        machine=machine,
        builds=tuple(each.text for each in comparison.differences if each.kind == "library"),
        warnings=comparison.warnings,
        sessions=comparison.sessions,
    )


def gate_exit_code(gate: Gate, fail_on: frozenset[str]) -> tuple[int, str]:
    """The code and its reason; (0, "") where nothing is there that the user wants to fail on.

    A failure (4) outranks unlike conditions (5), these a regression (1), that an open question (3).
    """
    for word, code, rows in (
        ("failure", 4, [row for row in gate.rows if row.status is Status.FAILED]),
        ("unfair", 5, []),
        ("regression", 1, [row for row in gate.rows if row.is_regression]),
        ("inconclusive", 3, [row for row in gate.rows if row.is_open]),
    ):
        if word == "unfair" and word in fail_on and gate.parity_findings:
            finding = gate.parity_findings[0]
            return code, f"{finding.subject}: {finding.evidence}"
        if word in fail_on and rows:
            more = f" (and {len(rows) - 1} more)" * (len(rows) > 1)
            return code, f"{_sentence(rows[0])}{more}"
    if "inconclusive" in fail_on and all(row.status is Status.SKIPPED for row in gate.rows):
        return 3, "nothing was compared"
    return 0, ""


def _sentence(row: GateRow) -> str:
    where = f"{row.contender} in {row.cell.title}"
    if row.status is Status.FAILED:
        return f"{where}: {row.reason}"
    if row.is_regression and row.time_ratio and row.low and row.high:
        return (
            f"{where} takes {row.time_ratio - 1:+.1%} time per message against {row.against} "
            f"[{row.low - 1:+.1%}, {row.high - 1:+.1%}]"
        )
    return f"{where} is undecided: {row.remark or row.kind}"
