"""slkbench.stats.signed_rank: exact levels, agreement with scipy, symmetries, true coverage."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from slkbench.stats.signed_rank import (
    exact_level,
    hodges_lehmann,
    interval,
    p_value,
    rank_k,
    shift_interval,
    walsh_averages,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOATS = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("count", "k", "exact"),
    # At n = 12, k = 10 would cover 98.4 % only.
    [(8, 1, 0.992), (12, 8, 0.991), (16, 20, 0.991), (24, 62, 0.990), (32, 129, 0.990)],
)
def test_k_of_the_looks_at_99_percent(count: int, k: int, exact: float) -> None:
    assert rank_k(count, 0.99) == k
    assert exact_level(count, k) == pytest.approx(exact, abs=5e-4)
    assert exact_level(count, k) >= 0.99 > exact_level(count, k + 1)


@pytest.mark.parametrize(
    ("count", "k"),
    [(5, 0), (6, 1), (8, 4), (10, 9), (12, 14), (16, 30), (20, 53), (24, 82), (32, 160)],
)
def test_k_of_a_single_look_at_95_percent(count: int, k: int) -> None:
    assert rank_k(count, 0.95) == k


def test_p_agrees_with_scipy() -> None:
    generator = np.random.default_rng(1)
    for count in (6, 8, 12, 25):
        values = generator.normal(0.5, size=count)
        expected = scipy_stats.wilcoxon(values, method="exact").pvalue
        assert p_value(values) == pytest.approx(expected)


def test_the_unpaired_bounds_agree_with_scipy_s_test() -> None:
    generator = np.random.default_rng(2)
    for fewer, more in ((4, 7), (8, 8), (5, 20)):
        first, second = generator.normal(size=fewer), generator.normal(1, size=more)
        found = shift_interval(second, first, 0.95)
        assert found is not None

        def p_of(
            shift: float, a: NDArray[np.float64] = first, b: NDArray[np.float64] = second
        ) -> float:
            return float(scipy_stats.mannwhitneyu(b - shift, a, method="exact").pvalue)

        assert p_of(found.low - 1e-9) <= 0.05 < p_of(found.low + 1e-9)
        assert p_of(found.high + 1e-9) <= 0.05 < p_of(found.high - 1e-9)
        assert found.level >= 0.95


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_too_few_values_have_no_interval(count: int) -> None:
    assert interval([0.1] * count, 0.95) is None
    assert p_value([0.1] * count) == (1.0 if count == 0 else 2 / 2**count)


def test_degenerate_input() -> None:
    assert hodges_lehmann([]) is None
    assert hodges_lehmann([3.0]) == 3.0
    assert walsh_averages([]).size == 0
    equal = interval([0.5] * 8, 0.99)
    assert equal is not None
    assert (equal.low, equal.point, equal.high) == (0.5, 0.5, 0.5)
    assert p_value([0.0] * 8) == 1.0
    assert shift_interval([], [1.0], 0.95) is None
    assert shift_interval([1.0], [2.0], 0.95) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        interval([1.0] * 8 + [bad], 0.95)
    with pytest.raises(ValueError, match="finite"):
        shift_interval([1.0, bad], [1.0], 0.95)


@given(st.lists(FLOATS, min_size=8, max_size=20), FLOATS)
def test_a_shift_moves_point_and_bounds(values: list[float], shift: float) -> None:
    before = interval(values, 0.95)
    after = interval([value + shift for value in values], 0.95)
    assert before is not None
    assert after is not None
    assert after.low == pytest.approx(before.low + shift, abs=1e-5)
    assert after.point == pytest.approx(before.point + shift, abs=1e-5)
    assert after.high == pytest.approx(before.high + shift, abs=1e-5)


@given(st.lists(FLOATS, min_size=8, max_size=20))
def test_turning_the_sign_mirrors_everything(values: list[float]) -> None:
    here, there = interval(values, 0.95), interval([-value for value in values], 0.95)
    assert here is not None
    assert there is not None
    assert (there.low, there.high) == (-here.high, -here.low)
    assert there.point == pytest.approx(-here.point)
    assert p_value(values) == p_value([-value for value in values])


@given(st.lists(FLOATS, min_size=6, max_size=20), st.sampled_from([0.90, 0.95, 0.99]))
def test_the_interval_excludes_zero_exactly_where_p_is_small(
    values: list[float], level: float
) -> None:
    found = interval(values, level)
    excludes = found is not None and (found.low > 0 or found.high < 0)
    assert excludes == (p_value(values) <= (1 - level) * (1 + 1e-9))


@given(st.lists(FLOATS, min_size=1, max_size=20), st.randoms())
def test_the_order_of_values_does_not_matter(values: list[float], random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert interval(shuffled, 0.95) == interval(values, 0.95)


def _bimodal(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    return generator.choice([-1.0, 1.0], size=count) + generator.normal(0, 0.05, size=count)


@pytest.mark.parametrize(
    "draw",
    [
        lambda generator, count: generator.normal(size=count),
        lambda generator, count: generator.standard_t(1.5, size=count),
        lambda generator, count: generator.uniform(-1, 1, size=count),
        _bimodal,
    ],
    ids=["normal", "heavy-tailed", "uniform", "bimodal"],
)
@pytest.mark.parametrize(("count", "level"), [(8, 0.95), (12, 0.99)])
def test_the_interval_covers_as_often_as_it_says(
    draw: Callable[[np.random.Generator, int], NDArray[np.float64]], count: int, level: float
) -> None:
    generator = np.random.default_rng(20)
    trials = 1000
    covered = 0
    for _ in range(trials):
        found = interval(draw(generator, count), level)
        assert found is not None
        covered += found.low <= 0 <= found.high
    exact = exact_level(count, rank_k(count, level))
    low, high = scipy_stats.binom.interval(0.9999, trials, exact)
    assert low <= covered <= high


def test_five_looks_together_err_in_at_most_five_percent() -> None:
    generator = np.random.default_rng(21)
    trials = 600
    wrong = 0
    for _ in range(trials):
        values = generator.standard_t(3, size=32)
        looks = [interval(values[:count], 0.99) for count in (8, 12, 16, 24, 32)]
        wrong += any(found is not None and found.low * found.high > 0 for found in looks)
    assert wrong <= scipy_stats.binom.ppf(0.9999, trials, 0.05)


def test_the_unpaired_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(22)
    trials, covered = 1000, 0
    for _ in range(trials):
        found = shift_interval(generator.normal(size=8), generator.normal(size=9), 0.95)
        assert found is not None
        covered += found.low <= 0 <= found.high
    assert covered >= scipy_stats.binom.ppf(0.0001, trials, 0.95)
