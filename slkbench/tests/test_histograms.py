"""The driver's histograms, held against HdrHistogram's own package."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]
from hdrh.log import HistogramLogReader  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from slkbench.driver import _driver
from slkbench.errors import StoreError
from slkbench.histograms import Distribution, log_text, read_distribution

HIGHEST = 60_000_000_000
FRACTIONS = (0.5, 0.9, 0.99, 0.999, 1.0)
TIMES = st.lists(
    st.one_of(st.integers(0, 3000), st.integers(0, HIGHEST), st.sampled_from([0, 2047, 2048])),
    min_size=1,
    max_size=200,
)


def recorded(values: list[int]) -> Any:
    histogram = _driver.Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def text_of(values: list[int], lags: list[int]) -> str:
    histogram = recorded(values)
    return log_text(
        histogram.encoded(),
        recorded(lags).encoded(),
        started=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
        elapsed_s=1.5,
        max_ns=histogram.max,
    )


def standard_of(values: list[int]) -> Any:
    standard = HdrHistogram(1, HIGHEST, 3)
    for value in values:
        standard.record_value(value)
    return standard


def counts_of(histogram: Any) -> dict[int, int]:
    return {
        item.value_iterated_to: item.count_at_value_iterated_to
        for item in histogram.get_recorded_iterator()
    }


@settings(deadline=None, max_examples=15)
@given(TIMES)
def test_the_standard_tool_reads_the_same_counts_and_percentiles(values: list[int]) -> None:
    encoded = text_of(values, []).splitlines()[4].rsplit(",", 1)[1]
    decoded, standard = HdrHistogram.decode(encoded), standard_of(values)
    assert decoded.get_total_count() == len(values) == recorded(values).total
    assert counts_of(decoded) == counts_of(standard)
    for fraction in FRACTIONS:
        assert decoded.get_value_at_percentile(100 * fraction) == (
            standard.get_value_at_percentile(100 * fraction)
        )


@settings(deadline=None, max_examples=15)
@given(TIMES)
def test_percentiles_are_right_to_three_digits(values: list[int]) -> None:
    histogram, ordered = recorded(values), sorted(values)
    for fraction in FRACTIONS:
        exact = ordered[math.ceil(fraction * len(values)) - 1]
        assert exact <= histogram.value_at(fraction) <= exact * 1.001
    assert ordered[-1] <= histogram.max <= ordered[-1] * 1.001


def test_many_equal_values_and_what_lies_outside() -> None:
    histogram = _driver.Histogram()
    for _ in range(70_000):
        histogram.record(12_345)
    histogram.record(-5)
    histogram.record(10 * HIGHEST)
    assert histogram.total == 70_002
    assert histogram.value_at(0.0) == 0
    assert histogram.max == pytest.approx(HIGHEST, rel=1e-3)
    assert histogram.value_at(0.5) == pytest.approx(12_345, rel=1e-3)
    empty = _driver.Histogram()
    assert (empty.total, empty.max, empty.value_at(0.99)) == (0, 0, 0)


def test_a_log_is_read_by_the_standard_reader(tmp_path: Path) -> None:
    file = tmp_path / "one.hlog"
    file.write_text(text_of([1000, 2000, 3_000_000], [7]))
    reader = HistogramLogReader(str(file), HdrHistogram(1, HIGHEST, 3))
    trips, lags = (reader.get_next_interval_histogram() for _ in range(2))
    reader.close()
    assert (trips.get_total_count(), lags.get_total_count(), lags.get_tag()) == (3, 1, "send-lag")
    trips.add(lags)
    assert trips.get_total_count() == 4
    assert reader.get_start_time_sec() == dt.datetime(2026, 11, 22, tzinfo=dt.UTC).timestamp()


def test_a_log_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "one.hlog"
    file.write_text(text_of([5, 5, 900], [7]))
    assert read_distribution(file) == Distribution((5, 900), (2, 1))
    assert read_distribution(file, "send-lag").values == (7,)
    assert read_distribution(file).values_at([0.0, 0.6, 0.7, 1.0]) == [5, 5, 900, 900]
    with pytest.raises(StoreError, match="no histogram of other"):
        read_distribution(file, "other")
    file.write_text("1,2,3,HISTFAAAA\n")
    with pytest.raises(StoreError, match="is damaged"):
        read_distribution(file)
    with pytest.raises(StoreError, match="cannot read"):
        read_distribution(tmp_path / "none")
