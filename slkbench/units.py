"""Parse and format sizes, durations, counts, percentages and rates.

Sizes are binary throughout: ``k``, ``K``, ``KB`` and ``KiB`` all mean 1024 bytes (and so on for M
and G), because message sizes are powers of two by custom and the reports that we compare with
write "1KB" for 1024.  Output always says KiB and MiB.  Counts of messages are decimal: ``10k`` is
10,000.  Every parser raises ``UsageError`` that names the value, what is allowed and a remedy.
"""

from __future__ import annotations

import math
import re

from slkbench.errors import UsageError

__all__ = [
    "format_bandwidth",
    "format_duration",
    "format_percent",
    "format_rate",
    "format_size",
    "format_time_ns",
    "parse_count",
    "parse_duration_s",
    "parse_percent",
    "parse_rate",
    "parse_size",
]

MAX_SIZE_BYTES = 1 << 30
MAX_RATE_SHARE = 2.0
MAX_DURATION_S = 10_000 * 3600.0

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|b|[kmg](?:i?b)?)", re.IGNORECASE)
_SIZE_FACTORS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_COUNT = re.compile(r"(\d[\d_]*(?:\.\d+)?)\s*([km]?)", re.IGNORECASE)
_COUNT_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|min|m|h|)\s*")
_DURATION_FACTORS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_SECONDS_PER_MINUTE = 60
_SECONDS_PER_HOUR = 3600


def parse_size(text: str | int, *, most_bytes: int = MAX_SIZE_BYTES) -> int:
    """Bytes of ``64``, ``64B``, ``1k``, ``1KB``, ``1KiB``, ``1.5M``, up to 1 GiB or ``most_bytes``.

    Raises ``UsageError`` unless the result is a whole number of bytes in that range.
    """
    match = _SIZE.fullmatch(str(text).strip())
    if match:
        size = float(match[1]) * _SIZE_FACTORS[match[2][:1].lower()]
        if size == int(size) and size <= most_bytes:
            return int(size)
    raise UsageError(
        f"{str(text)!r} is not a size. Allowed: whole bytes from 0 to 1 GiB with an optional unit "
        "B, k, KB, KiB, M, MB, MiB or G (k is 1024). Write for example 64, 1KiB or 64k."
    )


def parse_duration_s(text: str | float) -> float:
    """Seconds of ``250ms``, ``2s``, ``3m``, ``1m30s`` or ``1.5``, above zero and up to 10000 h.

    Raises ``UsageError`` for anything else.
    """
    stripped = str(text).strip()
    total_s = 0.0
    end = 0
    while end < len(stripped):
        match = _DURATION_PART.match(stripped, end)
        whole = match is not None and match.span() == (0, len(stripped))
        if match is None or (not match[2] and not whole):
            break
        total_s += float(match[1]) * _DURATION_FACTORS[match[2]]
        end = match.end()
    if end == len(stripped) and 0 < total_s <= MAX_DURATION_S:
        return total_s
    raise UsageError(
        f"{str(text)!r} is not a duration. Allowed: a number above 0 with a unit ns, us, ms, s, m "
        "or h (none is seconds), up to 10000h. Write for example 250ms, 2s or 1m30s."
    )


def parse_count(text: str | int) -> int:
    """A whole number above 0, such as ``100000``, ``100_000`` or ``100k`` (k is 1000 here).

    Raises ``UsageError`` for anything else.
    """
    match = _COUNT.fullmatch(str(text).strip())
    if match:
        count = float(match[1].replace("_", "")) * _COUNT_FACTORS[match[2].lower()]
        if count == int(count) and count > 0:
            return int(count)
    raise UsageError(
        f"{str(text)!r} is not a count. Allowed: a whole number above 0, with k for 1000 or M for "
        "1000000. Write for example 100000 or 100k."
    )


def parse_percent(text: str | float) -> float:
    """The fraction that ``2%`` or ``0.02`` stands for, above 0 and below 1.

    Raises ``UsageError`` for anything else: a bare ``2`` might mean either.
    """
    stripped = str(text).strip()
    match = _PERCENT.fullmatch(stripped)
    try:
        fraction = float(match[1]) / 100 if match else float(stripped)
    except ValueError:
        fraction = math.nan
    if 0 < fraction < 1:
        return fraction
    raise UsageError(
        f"{str(text)!r} is not a percentage. Allowed: above 0% and below 100%, or the fraction. "
        "Write for example 2% or 0.02."
    )


def parse_rate(text: str | int) -> int | float:
    """Messages per second as a whole number, like ``10k``; or a share of what can be had, ``50%``.

    Raises ``UsageError`` for anything else.  Of a share, 1 is all.
    """
    stripped = str(text).strip()
    if match := _PERCENT.fullmatch(stripped):
        share = float(match[1]) / 100
        if 0 < share <= MAX_RATE_SHARE:
            return share
    else:
        try:
            return parse_count(stripped)
        except UsageError:
            pass
    raise UsageError(
        f"{str(text)!r} is not a rate. Allowed: messages per second, with k for 1000 or M for "
        "1000000, or above 0% and up to 200% of what the slowest contender sustains. Write for "
        "example 10k or 50%."
    )


def format_size(size_bytes: int) -> str:
    """``64 B``, ``1 KiB``, ``16 MiB``; sizes that are not round stay in bytes: ``1000 B``."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes} B"


def format_duration(duration_s: float) -> str:
    """Seconds for reading: ``250 ms``, ``2.5 s``, ``3 min 20 s``, ``1 h 5 min``."""
    if duration_s < 1:
        return format_time_ns(duration_s * 1e9)
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    seconds = round(duration_s)
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds} s"
    minutes, rest_s = divmod(seconds, _SECONDS_PER_MINUTE)
    if seconds < _SECONDS_PER_HOUR:
        return f"{minutes} min {rest_s} s" if rest_s else f"{minutes} min"
    hours, rest_min = divmod(minutes, 60)
    return f"{hours} h {rest_min} min" if rest_min else f"{hours} h"


def format_time_ns(time_ns: float) -> str:
    """Nanoseconds to three digits: ``195 ns``, ``9.12 µs``, ``12.3 ms``, ``1.50 s``."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if time_ns >= factor * 0.9995:
            return f"{_three_digits(time_ns / factor)} {unit}"
    return f"{_three_digits(time_ns) if 0 < time_ns < 100 else f'{time_ns:.0f}'} ns"


def format_rate(rate_msgs_per_s: float) -> str:
    """Messages per second to three digits: ``1.87 M msg/s``, ``61.0 k msg/s``, ``512 msg/s``."""
    for prefix, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate_msgs_per_s >= factor * 0.9995:
            return f"{_three_digits(rate_msgs_per_s / factor)} {prefix} msg/s"
    return f"{rate_msgs_per_s:.0f} msg/s"


def format_bandwidth(bandwidth_mib_per_s: float) -> str:
    """MiB per second: ``10260 MiB/s``, ``313 MiB/s``, ``4.91 MiB/s``."""
    return f"{_three_digits(bandwidth_mib_per_s)} MiB/s"


def format_percent(fraction: float, *, signed: bool = False, digits: int = 1) -> str:
    """A fraction as a percentage: ``23.5%``, with ``signed`` ``+23.5%``; never ``-0.0%``."""
    percent = round(fraction * 100, digits) + 0.0
    return f"{percent:{'+' if signed else ''}.{digits}f}%"


def _three_digits(value: float) -> str:
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
