"""Noise, modes, drift and disagreement: what a run says of its own doubts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from slkbench.doubts import further_doubts
from slkbench.model import (
    ArmRole,
    Cell,
    Pattern,
    ProfileRow,
    Sample,
    Scenario,
    Status,
    Transport,
    Verdict,
    VerdictKind,
)
from slkbench.runner.companions import instruction_verdicts
from slkbench.stats import find_modes, judge_cell, noise_of, smallest_effect

CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 1024)
SCENARIO = Scenario("s", "?", (CELL,))
TIME = "time_per_message_ns"
WOBBLE = (0.0, 0.004, -0.003, 0.001, -0.004, 0.003, -0.001, 0.002)


def cell_samples(
    blocks: Sequence[float], *, ratio: float = 1.0, cpu_ratio: float = 1.0
) -> list[Sample]:
    """The baseline at 200 ns times each of ``blocks``, the contender beside it."""
    return [
        Sample(
            run_id="run",
            block=block,
            slot=slot,
            arm=arm,
            role=role,
            pattern=CELL.pattern,
            transport=CELL.transport,
            size_bytes=CELL.size_bytes,
            messages=1000,
            time_per_message_ns=200 * at * factor * math.exp(WOBBLE[(3 * block + slot) % 8]),
            cpu_ns=round(400_000 * at * cpu * math.exp(WOBBLE[(5 * block + slot) % 8])),
        )
        for block, at in enumerate(blocks)
        for slot, (arm, role, factor, cpu) in enumerate(
            [
                ("libzmq", ArmRole.BASELINE, 1.0, 1.0),
                ("mine", ArmRole.CONTENDER, ratio, cpu_ratio),
                ("mine", ArmRole.CONTENDER, ratio, cpu_ratio),
                ("libzmq", ArmRole.BASELINE, 1.0, 1.0),
            ]
        )
    ]


def doubts(samples: Sequence[Sample]) -> list[str]:
    verdicts = judge_cell(CELL, samples, SCENARIO)
    cpu = judge_cell(CELL, samples, SCENARIO, statistic="cpu_ns_per_message")
    return [each.code for each in further_doubts(SCENARIO, samples, verdicts, cpu)]


def test_a_steady_run_whose_time_and_cpu_agree_gives_no_doubt() -> None:
    assert doubts(cell_samples([1.0] * 8, ratio=1.2, cpu_ratio=1.2)) == []
    assert doubts([]) == []


@pytest.mark.parametrize(
    ("ratio", "cpu_ratio", "said"),
    [(0.5, 1.3, "polling"), (1.3, 1.0, "waits"), (0.5, 1.0, "part of the gain")],
)
def test_time_and_cpu_that_disagree_are_a_finding(
    ratio: float, cpu_ratio: float, said: str
) -> None:
    samples = cell_samples([1.0] * 8, ratio=ratio, cpu_ratio=cpu_ratio)
    assert doubts(samples) == ["time-and-cpu-disagree"]
    verdicts = judge_cell(CELL, samples, SCENARIO)
    cpu = judge_cell(CELL, samples, SCENARIO, statistic="cpu_ns_per_message")
    (found,) = further_doubts(SCENARIO, samples, verdicts, cpu)
    assert said in found.remedy
    failed = [replace(each, status=Status.FAILED) for each in verdicts]
    assert further_doubts(SCENARIO, samples, failed, cpu) == ()


def test_a_machine_that_slows_is_a_finding_and_one_that_jitters_is_not() -> None:
    assert doubts(cell_samples([1 + block / 50 for block in range(8)])) == ["drift"]
    assert doubts(cell_samples([1 + block / 1000 for block in range(8)])) == []
    assert doubts(cell_samples([1.0, 1.1, 0.9, 1.2, 0.8, 1.1, 0.9, 1.0])) == []


def test_noise_is_told_within_and_between_blocks() -> None:
    samples = cell_samples([1.0, 1.2] * 8)
    noise = noise_of([s for s in samples if s.arm == "libzmq"], TIME)
    assert noise is not None
    assert noise.processes == 32
    assert noise.sd == pytest.approx(math.log(1.2) / 2, rel=0.05)
    assert noise.sd_within_blocks is not None
    assert noise.sd_within_blocks < 0.005
    assert noise.sd_between_blocks == pytest.approx(math.log(1.2) / 2, rel=0.05)
    assert [mode.share for mode in noise.modes] == [0.5, 0.5]
    assert [mode.value_ns for mode in noise.modes] == pytest.approx([200, 240], rel=0.01)
    assert noise_of(samples[:1], TIME) is None
    few = noise_of([s for s in samples if s.arm == "libzmq"][:2], TIME)
    assert few is not None
    assert few.sd_within_blocks is None


def test_modes_are_the_faster_first_with_their_shares() -> None:
    logs = [math.log(100) + x for x in WOBBLE] * 2 + [math.log(150) + x for x in WOBBLE]
    fast, slow = find_modes(logs)
    assert (fast.value_ns, slow.value_ns) == pytest.approx((100, 150), rel=0.01)
    assert (fast.share, slow.share) == pytest.approx((2 / 3, 1 / 3))
    assert find_modes(logs[:7]) == ()
    assert find_modes([5.0] * 20) == ()
    assert find_modes([*logs[:16], math.log(150)]) == ()
    assert find_modes([math.nan] * 20) == ()


def test_the_smallest_effect_is_more_than_the_minimum_and_half_the_interval() -> None:
    (verdict,) = judge_cell(CELL, cell_samples([1.0] * 8, ratio=1.2), SCENARIO)
    assert verdict.kind is VerdictKind.SLOWER
    effect = smallest_effect(verdict)
    assert effect is not None
    wider = smallest_effect(replace(verdict, min_effect=0.10))
    assert wider is not None
    assert 0.02 < effect < 0.05
    assert wider > 0.10
    unknown: Verdict = replace(verdict, low=None)
    assert smallest_effect(unknown) is None


def counted(
    mine: float, *, spread: float | None = 0.001, cell: Cell = CELL
) -> tuple[ProfileRow, ...]:
    """Instructions per message of both contenders; libzmq's are 2000."""
    return tuple(
        ProfileRow(
            tool="instructions",
            contender=name,
            pattern=cell.pattern,
            transport=cell.transport,
            size_bytes=cell.size_bytes,
            role="all",
            quantity="instructions",
            per_message=count,
            spread=spread,
        )
        for name, count in (("libzmq", 2000.0), ("mine", mine))
    )


def beside(samples: Sequence[Sample], rows: Sequence[ProfileRow]) -> tuple[Verdict, ...]:
    return instruction_verdicts(rows, SCENARIO, judge_cell(CELL, samples, SCENARIO))


@pytest.mark.parametrize(
    ("mine", "spread", "kind"),
    [
        (500.0, 0.001, VerdictKind.FASTER),
        (2001.0, 0.001, VerdictKind.EQUIVALENT),
        (2100.0, 0.001, VerdictKind.SLOWER),
        (2050.0, 0.005, VerdictKind.INCONCLUSIVE),
        (2100.0, 0.03, VerdictKind.INCONCLUSIVE),
    ],
)
def test_instructions_have_a_verdict_where_all_pairs_of_counts_agree(
    mine: float, spread: float, kind: VerdictKind
) -> None:
    (verdict,) = beside(cell_samples([1.0] * 8), counted(mine, spread=spread))
    assert verdict.kind is kind
    assert verdict.time_ratio == mine / 2000
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < verdict.time_ratio < verdict.high
    assert verdict.high - verdict.low == pytest.approx(4 * spread * mine / 2000, rel=0.01)


def test_what_was_counted_once_has_a_ratio_and_no_verdict() -> None:
    (verdict,) = beside(cell_samples([1.0] * 8), counted(500.0, spread=None))
    assert (verdict.time_ratio, verdict.low, verdict.high) == (0.25, None, None)
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert "once" in verdict.reason


def test_instructions_are_compared_where_both_were_counted_in_the_cell() -> None:
    samples = cell_samples([1.0] * 8)
    assert beside(samples, counted(500.0)[:1]) == ()
    assert beside(samples, ()) == ()
    assert beside(samples, counted(500.0, cell=replace(CELL, size_bytes=64))) == ()
    (verdict,) = judge_cell(CELL, samples, SCENARIO)
    many = replace(verdict, cell=replace(CELL, senders=2))
    assert instruction_verdicts(counted(500.0), SCENARIO, [many]) == ()


@pytest.mark.parametrize(
    ("ratio", "mine", "said"),
    [
        (0.5, 3000.0, "does not explain"),
        (1.3, 1000.0, "does not explain"),
        (0.5, 2000.0, "in the kernel"),
        (1.0, 1000.0, "not on the way that limits"),
    ],
)
def test_time_and_instructions_that_disagree_are_a_finding(
    ratio: float, mine: float, said: str
) -> None:
    samples = cell_samples([1.0] * 8, ratio=ratio, cpu_ratio=ratio)
    verdicts = judge_cell(CELL, samples, SCENARIO)
    (found,) = further_doubts(SCENARIO, samples, verdicts, (), beside(samples, counted(mine)))
    assert found.code == "time-and-instructions-disagree"
    assert said in found.remedy
    assert "slkbench explain" in found.remedy


def test_instructions_that_agree_or_are_open_are_no_finding() -> None:
    samples = cell_samples([1.0] * 8, ratio=0.5, cpu_ratio=0.5)
    verdicts = judge_cell(CELL, samples, SCENARIO)
    for rows in (counted(900.0), counted(2050.0, spread=0.01), counted(900.0, spread=None)):
        assert further_doubts(SCENARIO, samples, verdicts, (), beside(samples, rows)) == ()
