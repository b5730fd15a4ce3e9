"""The placebos of stored runs as A/A trials: how often would one have been called different?

Every run measures a copy of its baseline in every cell.  Put in the place of a contender, without
a placebo of its own that it must differ from as well, it is judged by a rule that is stricter than
the one in use: what is in use calls a copy different only where it differs from two, and not where
these two look different themselves.  Both copies are
files of the same bytes in random slots of the same blocks, so whatever befalls one befalls the
other as often.  And a placebo counts as called different where it was so at any look, though a run
may have ended before.  So the share that is false here is at least that of the verdicts in use.

A run ends when its contenders are decided, whatever its placebo says: one that ended before its
last look gave its placebo fewer chances, so it is shown, and not counted.  Those that are counted
are noisier than most where a run had several looks: the quiet ones are decided early.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from slkbench.errors import StoreError
from slkbench.model import ArmRole, Cell, Sample, Scenario, Status, Verdict, VerdictKind
from slkbench.plan import PLACEBO_NAME
from slkbench.stats import judge_cell, looks_of
from slkbench.store import StoredRun, find_run, list_runs, read_run

__all__ = ["ALL", "PlaceboTrial", "placebo_trials", "runs_named"]

ALL = "all"
_DIFFERENT = (VerdictKind.SLOWER, VerdictKind.FASTER)


@dataclass(frozen=True, slots=True)
class PlaceboTrial:
    """What the rule says of the placebo of one cell of a run, at the look that was worst for it.

    ``is_complete`` tells whether the run reached its last look there.

    ``min_effect`` is a fraction.
    """

    run: str
    cell: str
    kind: VerdictKind
    reason: str
    blocks: int
    level: float
    min_effect: float
    time_ratio: float | None
    low: float | None
    high: float | None
    is_complete: bool

    @property
    def is_false(self) -> bool:
        """Whether the copy was called slower or faster."""
        return self.kind in _DIFFERENT


def runs_named(names: Sequence[str], results: Path) -> Iterator[StoredRun]:
    """Runs by name as elsewhere, or all that are in ``results``. Raises StoreError."""
    if ALL not in names:
        for name in names:
            yield read_run(find_run(name, results))
        return
    folders = list_runs(results)
    if not folders:
        raise StoreError(f"{results} holds no run; name the folder of runs with --out")
    for folder in folders:
        yield read_run(folder)


def placebo_trials(run: StoredRun) -> list[PlaceboTrial]:
    """A trial for every cell of ``run`` in which its placebo has an interval."""
    trials: list[PlaceboTrial] = []
    for cell in run.scenario.cells:
        own = [sample for sample in run.samples if sample.cell_key == cell.key]
        if any(sample.role == ArmRole.PLACEBO for sample in own):
            trials += _trials(run.run_id, cell, own, run.scenario)
    return trials


def _trials(
    run: str, cell: Cell, own: Sequence[Sample], scenario: Scenario
) -> Iterator[PlaceboTrial]:
    # All arms stay: what was disturbed is judged by all samples of a block.
    alone = [
        replace(sample, role=ArmRole.CONTENDER) if sample.role == ArmRole.PLACEBO else sample
        for sample in own
    ]
    looks = looks_of(scenario)
    seen = list(_verdicts(cell, alone, scenario, looks))
    if not seen:
        return
    different = [verdict for verdict in seen if verdict.kind in _DIFFERENT]
    worst, last = (different or seen[-1:])[0], seen[-1]
    yield PlaceboTrial(
        run=run,
        cell=cell.title,
        kind=worst.kind,
        reason=worst.reason,
        blocks=worst.blocks,
        level=worst.level or 0.0,
        min_effect=worst.min_effect,
        time_ratio=worst.time_ratio,
        low=worst.low,
        high=worst.high,
        is_complete=last.blocks >= looks[-1],
    )


def _verdicts(
    cell: Cell, alone: Sequence[Sample], scenario: Scenario, looks: Collection[int]
) -> Iterator[Verdict]:
    """What is said of the placebo at every look, and at the end; only where it has an interval."""
    blocks = sorted({sample.block for sample in alone})
    for block in blocks:
        if block + 1 < min(looks) and block != blocks[-1]:
            continue
        seen = [sample for sample in alone if sample.block <= block]
        for verdict in judge_cell(cell, seen, scenario):
            is_placebo = verdict.contender == PLACEBO_NAME and verdict.status is Status.OK
            is_looked_at = verdict.blocks in looks or block == blocks[-1]
            if is_placebo and is_looked_at and verdict.low is not None:
                yield verdict
