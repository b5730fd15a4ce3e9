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
from slkbench.runner.companions import instructions_ratio
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


def test_instructions_are_compared_where_both_were_counted_in_the_cell() -> None:
    rows = [
        ProfileRow(
            tool="instructions",
            contender=name,
            pattern=CELL.pattern,
            transport=CELL.transport,
            size_bytes=CELL.size_bytes,
            role=role,
            quantity="instructions",
            per_message=count,
        )
        for name, count in (("libzmq", 2000.0), ("mine", 500.0))
        for role in ("sender", "all")
    ]
    profiles = {"instructions": rows}
    assert instructions_ratio(profiles, CELL, "mine", "libzmq") == 0.25
    assert instructions_ratio(profiles, CELL, "other", "libzmq") is None
    assert instructions_ratio({}, CELL, "mine", "libzmq") is None
    larger = replace(CELL, size_bytes=64)
    assert instructions_ratio(profiles, larger, "mine", "libzmq") is None
    assert instructions_ratio(profiles, replace(CELL, senders=2), "mine", "libzmq") is None
