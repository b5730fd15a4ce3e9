"""Two runs against each other: coverage, symmetry, and what never may be said."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, mannwhitneyu

from slkbench.model import ArmRole, Cell, Pattern, Sample, Status, Transport, VerdictKind
from slkbench.stats import Shift, judge_shift
from slkbench.stats.signed_rank import shift_interval, shift_p_value

CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
LEVEL = 0.99
VALUES = st.lists(st.floats(-3, 3).map(lambda value: round(value, 6)), min_size=5, max_size=12)

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def bimodal(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    modes: NDArray[np.float64] = rng.choice([0.0, 1.0], count, p=[0.7, 0.3])
    return modes + rng.normal(0, 0.1, count)


LAWS: dict[str, Draw] = {
    "normal": lambda rng, count: rng.normal(size=count),
    "heavy tails": lambda rng, count: rng.standard_t(2, size=count),
    "skewed": lambda rng, count: rng.exponential(size=count),
    "bimodal": bimodal,
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("sizes", [(6, 6), (8, 16), (24, 12)])
def test_the_interval_covers_as_often_as_it_says(law: str, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    shift, repetitions, covered, level = 0.3, 400, 0, 0.0
    for _ in range(repetitions):
        bounds = shift_interval(LAWS[law](rng, sizes[0]) + shift, LAWS[law](rng, sizes[1]), 0.95)
        assert bounds is not None
        covered += bounds.low <= shift <= bounds.high
        level = bounds.level
    assert level >= 0.95
    # Exact for every continuous law: neither too few nor too many.
    assert binom.ppf(1e-5, repetitions, level) <= covered
    assert covered <= binom.ppf(1 - 1e-5, repetitions, level)


def test_many_values_are_taken_as_normal_without_a_jump() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=200), rng.normal(size=150) + 0.1
    bounds = shift_interval(second, first, 0.95)
    assert bounds is not None
    assert bounds.level == pytest.approx(0.95, abs=1e-3)
    expected = mannwhitneyu(second, first, method="asymptotic").pvalue
    assert shift_p_value(second, first) == pytest.approx(expected, rel=1e-2)


@given(VALUES, VALUES)
def test_swapping_the_runs_inverts_the_answer(first: list[float], second: list[float]) -> None:
    there, back = shift_interval(second, first, 0.95), shift_interval(first, second, 0.95)
    assert (there is None) == (back is None)
    if there and back:
        assert (there.point, there.low, there.high) == pytest.approx(
            (-back.point, -back.high, -back.low)
        )
    assert shift_p_value(second, first) == shift_p_value(first, second)


@given(VALUES, VALUES)
def test_the_p_value_agrees_with_the_interval(first: list[float], second: list[float]) -> None:
    bounds = shift_interval(second, first, 0.95)
    if bounds is not None:
        excludes_zero = bounds.low > 0 or bounds.high < 0
        assert excludes_zero == (shift_p_value(second, first) <= 1 - 0.95)


def run_of(
    seed: int,
    *,
    ratio: float = 0.5,
    day: float = 1.0,
    blocks: int = 8,
    noise: float = 0.02,
) -> list[Sample]:
    """A run in which the contender takes ``ratio`` of the baseline's time, ``day`` times slower."""
    rng = random.Random(f"{seed} {day} {ratio}")
    arms = (
        ("libzmq", ArmRole.BASELINE, 1.0),
        ("serverlink", ArmRole.CONTENDER, ratio),
        ("placebo", ArmRole.PLACEBO, 1.0),
    )
    samples = []
    for block in range(blocks):
        for slot, (arm, role, speed) in enumerate((*arms, *reversed(arms))):
            time_ns = 1000 * speed * day * math.exp(rng.gauss(0, noise))
            samples.append(
                Sample(
                    run_id=f"run-{seed}",
                    block=block,
                    slot=slot,
                    arm=arm,
                    contender=arm,
                    role=role,
                    pattern="push-pull",
                    transport="tcp",
                    size_bytes=64,
                    messages=1000,
                    time_per_message_ns=time_ns,
                    steal_fraction=0.0,
                )
            )
    return samples


def judge(
    first: list[Sample], second: list[Sample], *, reference: str | None = "libzmq", **more: str
) -> Shift:
    return judge_shift(
        CELL,
        first,
        second,
        "serverlink",
        level=LEVEL,
        min_effect=0.02,
        reference=reference,
        **more,
    )


def test_the_ratio_to_the_reference_cancels_the_machines_day() -> None:
    first, second = run_of(1, day=1.0), run_of(2, day=1.3, ratio=0.5 * 1.2)
    shift = judge(first, second)
    assert shift.kind is VerdictKind.SLOWER
    assert (shift.first_count, shift.second_count) == (8, 8)
    assert shift.low is not None
    assert shift.high is not None
    assert shift.low < 1.2 < shift.high
    bare = judge(first, second, reference=None)
    assert bare.time_ratio == pytest.approx(1.2 * 1.3, rel=0.03)
    assert (bare.first_count, bare.second_count) == (16, 16)


def test_a_control_takes_the_machines_day_for_what_it_is() -> None:
    first, second = run_of(1, day=1.0), run_of(2, day=1.3)
    assert judge(first, second, reference=None).kind is VerdictKind.SLOWER
    shift = judge(first, second, reference=None, control="libzmq")
    assert shift.effective_min_effect > 0.25
    assert shift.kind is VerdictKind.INCONCLUSIVE


def test_what_has_not_changed_is_rarely_called_changed_and_never_equivalent() -> None:
    repetitions = 150
    kinds = [
        judge(run_of(2 * n, day=0.9), run_of(2 * n + 1, day=1.1)).kind for n in range(repetitions)
    ]
    wrong = sum(kind is not VerdictKind.INCONCLUSIVE for kind in kinds)
    assert wrong <= binom.ppf(1 - 1e-5, repetitions, 1 - LEVEL)
    assert VerdictKind.EQUIVALENT not in kinds


def test_a_run_against_itself_shows_no_difference() -> None:
    run = run_of(3)
    shift = judge(run, run)
    assert shift.time_ratio == pytest.approx(1.0)
    assert shift.low is not None
    assert shift.high is not None
    assert shift.low * shift.high == pytest.approx(1.0)
    assert shift.p_value == 1.0


def test_few_values_have_no_interval() -> None:
    shift = judge(run_of(1, blocks=3), run_of(2, blocks=3))
    assert (shift.low, shift.high, shift.kind) == (None, None, VerdictKind.INCONCLUSIVE)
    assert "too few" in shift.reason
    assert shift.time_ratio == pytest.approx(1.0, rel=0.1)


def test_a_failed_or_missing_contender_has_no_ratio() -> None:
    failed = [
        replace(s, status=Status.FAILED, reason="crashed") if s.arm == "serverlink" else s
        for s in run_of(2)
    ]
    shift = judge(run_of(1), failed)
    assert (shift.status, shift.time_ratio) == (Status.FAILED, None)
    assert "second run: serverlink failed: crashed" in shift.reason
    absent = [s for s in run_of(2) if s.arm != "serverlink"]
    assert judge(absent, run_of(1)).status is Status.SKIPPED


def test_a_disturbed_run_is_invalid() -> None:
    disturbed = [replace(s, foreign_cpu_fraction=0.5) if s.block < 3 else s for s in run_of(2)]
    shift = judge(run_of(1), disturbed)
    assert shift.kind is VerdictKind.INVALID
    assert "second run: 3 of 8 blocks were disturbed" in shift.reason
