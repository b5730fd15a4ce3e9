"""How far the CPUs are apart: measured beside the samples, and what is compared by it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slkbench.checks import check_run
from slkbench.model import (
    ArmRole,
    Cell,
    Pattern,
    Placement,
    Sample,
    Scenario,
    Transport,
    VerdictKind,
)
from slkbench.runner.cpu_distance import cpu_distance_ns
from slkbench.stats import at_distance, distances_of, judge_cell, ran_alike

CELL = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)
FIXED = Scenario("s", "?", cells=(CELL,), rounds=6)
NEAR_NS, FAR_NS = 100.0, 450.0
TWO_CPUS = len(os.sched_getaffinity(0)) > 1


def sample(before_ns: float | None, after_ns: float | None = None, **fields: object) -> Sample:
    blank = Sample(
        run_id="run",
        pattern=CELL.pattern,
        transport=CELL.transport,
        size_bytes=64,
        messages=1000,
        line_trip_before_ns=before_ns,
        line_trip_after_ns=before_ns if after_ns is None else after_ns,
    )
    return replace(blank, **fields)  # type: ignore[arg-type]


def blocks(distances: Sequence[tuple[float, float]]) -> list[Sample]:
    """A block for each: libzmq and mine at these distances, and thrice as slow when far."""
    made = []
    for block, trips in enumerate(distances):
        for half in range(2):
            for place, (arm, trip) in enumerate(zip(("libzmq", "mine"), trips, strict=True)):
                own = 200.0 if arm == "libzmq" else 100.0
                slow = 3.0 if trip == FAR_NS else 1.0
                role = ArmRole.BASELINE if arm == "libzmq" else ArmRole.CONTENDER
                made.append(
                    sample(
                        trip,
                        block=block,
                        slot=2 * half + place,
                        arm=arm,
                        role=role,
                        time_per_message_ns=own * slow * (1 + block / 1e4),
                    )
                )
    return made


def test_only_what_ran_at_the_same_distance_is_compared() -> None:
    alike = [(NEAR_NS, NEAR_NS), (FAR_NS, FAR_NS)] * 3
    (verdict,) = judge_cell(CELL, blocks(alike), FIXED)
    assert verdict.blocks == 6
    assert verdict.time_ratio == pytest.approx(0.5)
    (mixed,) = judge_cell(CELL, blocks([*alike, (NEAR_NS, FAR_NS), (FAR_NS, NEAR_NS)]), FIXED)
    assert mixed.blocks == 6
    assert (mixed.low, mixed.high) == (verdict.low, verdict.high)


def test_a_placebo_that_cannot_be_compared_leaves_the_question_open() -> None:
    samples = blocks([(NEAR_NS, NEAR_NS)] * 6)
    copies = [
        replace(
            one,
            arm="placebo",
            role=ArmRole.PLACEBO,
            slot=one.slot + 4,
            line_trip_before_ns=FAR_NS if one.block == 0 else NEAR_NS,
        )
        for one in samples
        if one.arm == "libzmq"
    ]
    (verdict,) = judge_cell(CELL, [*samples, *copies], FIXED)
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert "placebo has too few blocks" in verdict.reason
    (alone,) = judge_cell(CELL, samples, FIXED)
    assert alone.kind is VerdictKind.FASTER


def test_the_report_of_a_run_says_that_the_distance_changed() -> None:
    seen = check_run(blocks([(NEAR_NS, NEAR_NS), (FAR_NS, FAR_NS), (NEAR_NS, NEAR_NS)]))
    (finding,) = [each for each in seen if each.code == "cpu-distance"]
    assert "100 ns" in finding.evidence
    assert "450 ns" in finding.evidence
    same = check_run(blocks([(NEAR_NS, NEAR_NS)] * 3))
    assert not [each for each in same if each.code == "cpu-distance"]


@given(
    st.lists(st.floats(90, 130), min_size=2, max_size=20),
    st.lists(st.floats(400, 500), min_size=2, max_size=20),
)
def test_two_distances_are_told_apart(near: list[float], far: list[float]) -> None:
    samples = [sample(trip) for trip in (*near, *far)]
    found = distances_of(samples)
    assert found is not None
    assert max(near) < found.split_ns < min(far)
    assert found.near_share + found.far_share == pytest.approx(1.0)
    assert len(at_distance(samples, found.split_ns, is_near=True)) == len(near)
    assert len(at_distance(samples, found.split_ns, is_near=False)) == len(far)
    assert not ran_alike(samples[0], samples[-1])


@given(st.lists(st.floats(80, 140), max_size=20))
def test_one_distance_is_not_called_two(trips: list[float]) -> None:
    samples = [sample(trip) for trip in trips]
    assert distances_of(samples) is None
    assert ran_alike(*samples)


def test_one_that_was_held_up_is_no_state() -> None:
    samples = [sample(trip) for trip in (100.0, 110.0, 105.0, 98.0, 900.0)]
    assert distances_of(samples) is None
    far = [sample(440.0), sample(450.0), sample(460.0)]
    found = distances_of([*samples, *far])
    assert found is not None
    assert 110 < found.split_ns < 440


def test_what_saw_both_is_at_neither_and_what_saw_none_is_like_all() -> None:
    changing = sample(NEAR_NS, FAR_NS)
    split_ns = math.sqrt(NEAR_NS * FAR_NS)
    assert at_distance([changing], split_ns, is_near=True) == []
    assert at_distance([changing], split_ns, is_near=False) == []
    assert not ran_alike(changing)
    assert ran_alike(replace(changing, line_trip_before_ns=None, line_trip_after_ns=None))


@pytest.mark.skipif(not TWO_CPUS, reason="there is only one CPU")
def test_the_way_to_another_cpu_and_back_is_measured_and_moves_nobody() -> None:
    pytest.importorskip("slkbench.driver._driver")
    before = os.sched_getaffinity(0)
    # A CPU that others keep busy gives no answer: one in many tries is enough here.
    found = next((trip for _ in range(50) if (trip := cpu_distance_ns(Placement()))), None)
    assert found is not None
    assert 1 < found < 1e5
    assert os.sched_getaffinity(0) == before


def test_where_there_is_no_way_none_is_measured() -> None:
    driver = pytest.importorskip("slkbench.driver._driver")
    cpu = min(os.sched_getaffinity(0))
    assert cpu_distance_ns(Placement(sender_cpus=(cpu,), receiver_cpus=(cpu,))) is None
    assert driver.line_trip_ns(cpu, cpu) is None
    assert driver.line_trip_ns(cpu, 100_000) is None
    assert driver.line_trip_ns(-1, cpu) is None
