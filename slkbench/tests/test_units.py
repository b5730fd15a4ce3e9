"""slkbench.units: what users type is understood or refused with a remedy; output is short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slkbench.errors import UsageError
from slkbench.units import (
    format_bandwidth,
    format_duration,
    format_percent,
    format_rate,
    format_size,
    format_time_ns,
    parse_count,
    parse_duration_s,
    parse_percent,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("64", 64),
        (64, 64),
        ("64B", 64),
        ("1k", 1024),
        ("64K", 65536),
        ("8KB", 8192),
        ("1KiB", 1024),
        ("1 kib", 1024),
        ("1.5k", 1536),
        ("2M", 2 << 20),
        ("1GiB", 1 << 30),
        (" 64k ", 65536),
    ],
)
def test_sizes_are_binary(text: str | int, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("250ms", 0.25), ("2s", 2), ("3m", 180), ("3min", 180), ("1m30s", 90), ("1.5", 1.5),
     (2.0, 2), ("1h", 3600), ("100us", 1e-4), ("100µs", 1e-4), ("5ns", 5e-9)],
)  # fmt: skip
def test_durations_are_seconds(text: str | float, duration_s: float) -> None:
    assert parse_duration_s(text) == pytest.approx(duration_s)


@pytest.mark.parametrize(
    ("text", "count"),
    [("100000", 100_000), ("100_000", 100_000), ("10k", 10_000), ("1.5M", 1_500_000)],
)
def test_counts_are_decimal(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(("text", "fraction"), [("2%", 0.02), ("0.02", 0.02), ("0.5 %", 0.005)])
def test_percentages_are_fractions(text: str, fraction: float) -> None:
    assert parse_percent(text) == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *[
            (parse_size, text)
            for text in ("12x", "", "k", "-1", "1.5", "1e3", "2G", "1KiBB", "nan")
        ],
        *[
            (parse_duration_s, text)
            for text in ("", "0", "0s", "-1s", "5 parsecs", "1m30", "s", "10001h")
        ],
        *[(parse_count, text) for text in ("", "0", "1.5", "many", "-3", "1KiB")],
        *[(parse_percent, text) for text in ("", "2", "0", "0%", "100%", "-2%", "two", "nan")],
    ],
)
def test_a_refusal_names_value_allowed_and_remedy(parse: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    message = str(caught.value)
    assert repr(text) in message
    assert "Allowed:" in message
    assert "Write for example" in message


@given(st.integers(0, 1 << 30))
def test_a_formatted_size_parses_back(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (format_size(64), "64 B"),
        (format_size(1000), "1000 B"),
        (format_size(1024), "1 KiB"),
        (format_size(65536), "64 KiB"),
        (format_size(16 << 20), "16 MiB"),
        (format_rate(1_870_000), "1.87 M msg/s"),
        (format_rate(61_000), "61.0 k msg/s"),
        (format_rate(512.4), "512 msg/s"),
        (format_rate(999_999), "1.00 M msg/s"),
        (format_time_ns(195.2), "195 ns"),
        (format_time_ns(9_120), "9.12 µs"),
        (format_time_ns(12_345_678), "12.3 ms"),
        (format_time_ns(1.5e9), "1.50 s"),
        (format_time_ns(0), "0 ns"),
        (format_bandwidth(313.16), "313 MiB/s"),
        (format_bandwidth(4.91), "4.91 MiB/s"),
        (format_percent(0.235), "23.5%"),
        (format_percent(0.235, signed=True), "+23.5%"),
        (format_percent(-0.0001, signed=True), "+0.0%"),
        (format_duration(0.25), "250 ms"),
        (format_duration(2.5), "2.5 s"),
        (format_duration(59.7), "1 min"),
        (format_duration(200), "3 min 20 s"),
        (format_duration(3900), "1 h 5 min"),
    ],
)
def test_what_is_shown(shown: str, expected: str) -> None:
    assert shown == expected
