"""Charts of medians and verdicts that are made up here: when there is one, and that it is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from slkbench.model import Cell, Metric, Pattern, Status, Transport, Verdict, VerdictKind
from slkbench.report.appearance import marks, short_number
from slkbench.report.figures import RATE, draw_by_size
from slkbench.report.forest import draw_gaps
from slkbench.report.frames import ArmSummary, Interval
from slkbench.report.round_trips import draw_round_trips

EMPTY = Interval()


def summary(
    contender: str,
    size_bytes: int,
    rate: float | None,
    *,
    transport: Transport = Transport.TCP,
    p50_ns: float | None = None,
    bounds: bool = True,
) -> ArmSummary:
    """An arm with a rate or a round trip, 10 % wide; None is not measured."""
    return ArmSummary(
        cell=Cell(Pattern.PUSH_PULL, transport, size_bytes),
        contender=contender,
        samples=16,
        failed=0,
        messages=EMPTY,
        elapsed_ns=EMPTY,
        rate_msgs_per_s=around(rate, bounds=bounds),
        bandwidth_mib_per_s=EMPTY,
        p50_ns=around(p50_ns, bounds=bounds),
        p90_ns=EMPTY,
        p99_ns=EMPTY,
        p999_ns=EMPTY,
        cpu_ns_per_message=EMPTY,
        cpu_busy_cores=EMPTY,
        disturbed=False,
    )


def around(value: float | None, *, bounds: bool) -> Interval:
    if value is None:
        return EMPTY
    if not bounds:
        return Interval(value, samples=2)
    return Interval(value, value * 0.95, value * 1.05, 0.95, 16)


def verdict(
    kind: VerdictKind,
    ratio: float | None,
    half_width: float | None = 0.02,
    *,
    status: Status = Status.OK,
    metric: Metric = Metric.THROUGHPUT,
) -> Verdict:
    known = ratio is not None and half_width is not None
    return Verdict(
        cell=Cell(Pattern.PUSH_PULL, Transport.TCP, 64, metric=metric),
        baseline="libzmq",
        contender="serverlink",
        kind=kind,
        blocks=8,
        discarded_blocks=0,
        time_ratio=ratio,
        low=ratio * (1 - half_width) if known and ratio and half_width else None,
        high=ratio * (1 + half_width) if known and ratio and half_width else None,
        level=0.99 if known else None,
        p_value=None,
        min_effect=0.02,
        effective_min_effect=0.02,
        status=status,
    )


def is_png(path: Path | None) -> bool:
    return path is not None and path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    "sizes",
    [(1024,), (64, 1024), (0, 1, 2, 64), (28, 29, 30, 31, 32)],
    ids=["one", "two", "with-empty-messages", "neighbours"],
)
def test_a_rate_at_any_choice_of_sizes_is_drawn(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    shown = [summary("serverlink", size, 1e6 / (size + 1)) for size in sizes]
    assert is_png(draw_by_size(shown, RATE, marks(["serverlink"]), tmp_path / "rate.png"))


def test_what_was_not_measured_makes_no_chart(tmp_path: Path) -> None:
    looks = marks(["libzmq"])
    missing = [summary("libzmq", 64, None)]
    path = tmp_path / "none.png"
    assert draw_by_size(missing, RATE, looks, path) is None
    assert draw_by_size([], RATE, looks, path) is None
    assert draw_round_trips(missing, looks, path) is None
    assert draw_gaps([verdict(VerdictKind.INVALID, None)], path) is None
    assert not path.exists()


def test_a_contender_missing_at_some_sizes_and_without_intervals_is_drawn(tmp_path: Path) -> None:
    shown = [
        summary("libzmq", 64, 1e6, bounds=False),
        summary("libzmq", 1024, 5e5, bounds=False),
        summary("serverlink", 64, 9e6),
        summary("serverlink", 1024, None),
        summary("serverlink", 64, 2e7, transport=Transport.INPROC),
    ]
    looks = marks(["serverlink", "libzmq"])
    assert is_png(draw_by_size(shown, RATE, looks, tmp_path / "rate.png"))


def test_the_order_of_samples_does_not_change_a_chart(tmp_path: Path) -> None:
    shown = [summary(name, 64, 1e6) for name in ("libzmq", "floor", "serverlink")]
    looks = marks(["serverlink", "libzmq", "floor"])
    first = draw_by_size(shown, RATE, looks, tmp_path / "first.png")
    second = draw_by_size(shown[::-1], RATE, looks, tmp_path / "second.png")
    assert first is not None
    assert second is not None
    assert first.read_bytes() == second.read_bytes()


def test_a_round_trip_without_p99_is_drawn(tmp_path: Path) -> None:
    shown = [summary("libzmq", 64, None, p50_ns=30_000.0)]
    assert is_png(draw_round_trips(shown, marks(["libzmq"]), tmp_path / "trips.png"))


def test_every_kind_of_verdict_is_drawn(tmp_path: Path) -> None:
    shown = [
        *(
            verdict(kind, ratio)
            for kind, ratio in zip(VerdictKind, (1.2, 0.1, 1, 1, 1), strict=True)
        ),
        verdict(VerdictKind.INCONCLUSIVE, 0.9, None),
        verdict(VerdictKind.INVALID, None, status=Status.FAILED),
    ]
    assert is_png(draw_gaps(shown, tmp_path / "gap.png"))


@pytest.mark.parametrize("ratio", [0.001, 0.98, 1.0, 1.3, 80.0])
def test_a_single_gap_of_any_size_is_drawn(tmp_path: Path, ratio: float) -> None:
    shown = [verdict(VerdictKind.INCONCLUSIVE, ratio, metric=Metric.ROUND_TRIP)]
    assert is_png(draw_gaps(shown, tmp_path / "gap.png"))


def test_contenders_differ_in_more_than_colour() -> None:
    names = ["serverlink", "libzmq", "pyzmq", "floor", "own-build", "debian"]
    found = marks(names)
    assert list(found) == names
    for feature in ("color", "marker", "line", "hatch"):
        assert len({getattr(mark, feature) for mark in found.values()}) == len(names)


def test_axis_numbers_are_short() -> None:
    assert [short_number(value) for value in (0.5, 64, 20_000, 1.5e6, 2e9)] == [
        "0.5",
        "64",
        "20 k",
        "1.5 M",
        "2 G",
    ]
