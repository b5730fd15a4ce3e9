"""slkbench.stats: the five verdicts, discarding, stopping, and the ratios shown beside them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from slkbench.model import (
    ArmRole,
    Cell,
    Metric,
    Pattern,
    Sample,
    Scenario,
    Status,
    Transport,
    Verdict,
    VerdictKind,
)
from slkbench.stats import (
    CPU_PER_MESSAGE,
    P50,
    P99,
    Interval,
    adjusted_p_values,
    discarded_blocks,
    floor_ratios,
    geometric_mean,
    interval,
    judge_cell,
    level_per_look,
    minimum_effect,
    noise_of,
    noise_sd,
    paired_ratio,
    pattern_ratio,
    should_stop,
    summarise,
    unpaired_ratio,
    value_of,
)

CELL = Cell(Pattern.ROUTER_ROUTER, Transport.TCP, 1024)
SCENARIO = Scenario("s", "?", cells=(CELL,))
ROLES = {
    "libzmq": ArmRole.BASELINE,
    "placebo": ArmRole.PLACEBO,
    "floor": ArmRole.FLOOR,
}
BASE_NS = 200.0


def slot(cell: Cell, block: int, place: int, arm: str, time_ns: float | None) -> Sample:
    return Sample(
        run_id="run",
        block=block,
        slot=place,
        arm=arm,
        contender="libzmq" if arm == "placebo" else arm,
        role=ROLES.get(arm, ArmRole.CONTENDER),
        pattern=cell.pattern,
        transport=cell.transport,
        metric=cell.metric,
        offered_msgs_per_s=cell.offered_msgs_per_s,
        size_bytes=cell.size_bytes,
        messages=1000,
        time_per_message_ns=time_ns,
        p50_ns=round(time_ns * 100) if time_ns else None,
        rate_msgs_per_s=1e9 / time_ns if time_ns else None,
        cpu_ns=round(time_ns * 2000) if time_ns else None,
        steal_fraction=0.01,
        foreign_cpu_fraction=0.0,
    )


def measured(
    effects: Mapping[str, Sequence[float]], *, cell: Cell = CELL, first_block: int = 0
) -> list[Sample]:
    """Two slots a block for libzmq, at 200 ns, and for each arm, at 200 ns times exp(effect)."""
    blocks = len(next(iter(effects.values())))
    arms = {"libzmq": [0.0] * blocks, **effects}
    return [
        slot(cell, first_block + block, place, arm, BASE_NS * math.exp(logs[block]))
        for block in range(blocks)
        for place, (arm, logs) in enumerate([*arms.items(), *arms.items()])
    ]


def around(ratio: float, blocks: int, spread: float = 0.003) -> list[float]:
    """Logarithms about ln ``ratio``, evenly spread, so that the middle is exact."""
    return [float(x) for x in math.log(ratio) + np.linspace(-spread, spread, blocks)]


def of_halves(logs: Sequence[float]) -> Interval:
    """The interval at 99 % of what ``measured`` makes of ``logs``: two values of each."""
    found = interval(np.repeat(logs, 2), 0.99)
    assert found is not None
    return found


def verdict(samples: Sequence[Sample], scenario: Scenario = SCENARIO) -> Verdict:
    (found,) = judge_cell(CELL, samples, scenario)
    return found


def test_time_ratio_and_interval_are_of_contender_over_baseline() -> None:
    found = verdict(measured({"serverlink": around(1.235, 8)}))
    assert found.kind is VerdictKind.SLOWER
    assert (found.baseline, found.contender, found.blocks) == ("libzmq", "serverlink", 8)
    assert found.time_ratio == pytest.approx(1.235)
    expected = of_halves(around(1.235, 8))
    assert found.low == pytest.approx(math.exp(expected.low))
    assert found.high == pytest.approx(math.exp(expected.high))
    assert found.level == 0.99
    assert found.p_value == pytest.approx(2 / 2**16 * 5)
    assert dict(found.rates_msgs_per_s)["libzmq"] == pytest.approx(1e9 / BASE_NS)
    assert found.statistic == "time_per_message_ns"


@pytest.mark.parametrize(
    ("ratio", "spread", "kind", "reason"),
    [
        (1.10, 0.003, VerdictKind.SLOWER, ""),
        (0.90, 0.003, VerdictKind.FASTER, ""),
        (1.00, 0.003, VerdictKind.EQUIVALENT, ""),
        (1.01, 0.003, VerdictKind.EQUIVALENT, ""),
        (1.02, 0.003, VerdictKind.INCONCLUSIVE, "slower, perhaps by less"),
        (0.98, 0.003, VerdictKind.INCONCLUSIVE, "faster, perhaps by less"),
        (1.00, 0.200, VerdictKind.INCONCLUSIVE, "not even the direction"),
    ],
)
def test_the_verdict_compares_the_interval_with_the_minimum_effect(
    ratio: float, spread: float, kind: VerdictKind, reason: str
) -> None:
    found = verdict(measured({"serverlink": around(ratio, 8, spread)}))
    assert found.kind is kind
    assert found.reason.startswith(reason)
    assert found.status is Status.OK


def test_inconclusive_says_how_many_blocks_it_would_take() -> None:
    found = verdict(measured({"serverlink": around(1.0, 8, 0.2)}))
    half_width = of_halves(around(1.0, 8, 0.2)).high
    assert found.blocks_needed == math.ceil(8 * (half_width / math.log(1.02)) ** 2)
    assert verdict(measured({"serverlink": around(2.0, 8)})).blocks_needed is None


def test_a_contender_no_more_different_than_the_placebo_is_not_slower() -> None:
    samples = measured({"serverlink": around(1.022, 8, 0.001), "placebo": around(1.0, 8, 0.045)})
    found = verdict(samples)
    known = of_halves(around(1.0, 8, 0.045))
    assert known.high > math.log(1.023)
    assert found.effective_min_effect == pytest.approx(math.expm1(known.high))
    assert found.kind is VerdictKind.EQUIVALENT
    assert found.placebo_low == pytest.approx(math.exp(known.low))
    assert found.placebo_high == pytest.approx(math.exp(known.high))
    assert found.placebo_ratio == pytest.approx(1.0)
    assert verdict([s for s in samples if s.arm != "placebo"]).kind is VerdictKind.SLOWER


def test_what_differs_from_the_baseline_must_differ_from_its_copy_as_well() -> None:
    copy = around(1.0, 8, 0.1)
    found = verdict(measured({"serverlink": around(1.06, 8, 0.001), "placebo": copy}))
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert "not surely than the placebo" in found.reason
    alike = [x + math.log(1.06) for x in copy]
    noisy = verdict(measured({"serverlink": alike, "placebo": copy}))
    assert noisy.kind is VerdictKind.INCONCLUSIVE
    far = verdict(measured({"serverlink": around(1.2, 8, 0.001), "placebo": copy}))
    assert far.kind is VerdictKind.SLOWER


def test_noise_is_no_proof_of_equality() -> None:
    wide = around(1.0, 8, 0.2)
    found = verdict(measured({"serverlink": [x * 0.9 for x in wide], "placebo": wide}))
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert "placebo" in found.reason


def test_a_block_whose_second_half_mirrors_the_first_is_one_observation() -> None:
    logs = around(1.2, 8, 0.05)
    mirrored = [
        dataclasses.replace(sample, slot={2: 3, 3: 2}.get(sample.slot, sample.slot))
        for sample in measured({"serverlink": logs})
    ]
    found = verdict(mirrored)
    whole = interval(logs, 0.99)
    assert whole is not None
    assert (found.low, found.high) == pytest.approx((math.exp(whole.low), math.exp(whole.high)))
    assert found.p_value == pytest.approx(2 / 2**8 * 5)


def test_a_look_is_taken_once() -> None:
    samples = measured({"serverlink": around(2.0, 9)})
    assert should_stop(CELL, [one for one in samples if one.block < 8], SCENARIO)
    # The ninth block adds nothing, so it is no second chance at eight.
    assert not should_stop(CELL, disturbed(samples, [8], steal_fraction=0.5), SCENARIO)


def test_a_placebo_that_differs_makes_the_cell_invalid() -> None:
    found = verdict(measured({"serverlink": around(2.0, 8), "placebo": around(1.015, 8)}))
    assert found.kind is VerdictKind.INVALID
    assert "the placebo differs" in found.reason
    close = measured({"serverlink": around(2.0, 8), "placebo": around(1.005, 8)})
    assert verdict(close).kind is VerdictKind.SLOWER


def test_a_placebo_still_unknown_after_32_blocks_makes_the_cell_invalid() -> None:
    samples = measured({"serverlink": around(1.0, 32), "placebo": around(1.0, 32, 0.1)})
    found = verdict(samples)
    assert found.kind is VerdictKind.INVALID
    assert "not known well" in found.reason


@given(
    st.floats(0.5, 2.0),
    st.lists(st.floats(-0.05, 0.05), min_size=8, max_size=12),
)
def test_swapping_the_arms_swaps_the_verdict(ratio: float, noise: list[float]) -> None:
    logs = [math.log(ratio) + x for x in noise]
    here = verdict(measured({"serverlink": logs}))
    there = verdict(measured({"serverlink": [-x for x in logs]}))
    opposite = {
        VerdictKind.SLOWER: VerdictKind.FASTER,
        VerdictKind.FASTER: VerdictKind.SLOWER,
    }
    assert there.kind is opposite.get(here.kind, here.kind)
    assert here.time_ratio is not None
    assert there.time_ratio == pytest.approx(1 / here.time_ratio)


@pytest.mark.parametrize("blocks", [0, 1, 5, 7])
def test_too_few_blocks_have_no_interval_and_no_verdict(blocks: int) -> None:
    samples = measured({"serverlink": around(2.0, blocks)}) if blocks else []
    if not blocks:
        samples = [slot(CELL, 0, 0, "libzmq", 200.0), slot(CELL, 0, 1, "serverlink", 400.0)]
    found = verdict(samples)
    assert (found.kind, found.blocks) == (VerdictKind.INCONCLUSIVE, blocks)
    assert (found.low, found.high, found.level) == (None, None, None)
    assert (found.time_ratio is None) == (blocks == 0)
    assert "too few" in found.reason


def test_fixed_rounds_are_one_look_at_95_percent() -> None:
    six = dataclasses.replace(SCENARIO, rounds=6)
    found = verdict(measured({"serverlink": around(2.0, 6)}), six)
    assert (found.kind, found.level) == (VerdictKind.SLOWER, 0.95)
    assert found.p_value == pytest.approx(2 / 2**12)
    assert level_per_look(SCENARIO) == pytest.approx(0.99)
    assert level_per_look(dataclasses.replace(SCENARIO, looks=(8, 12))) == pytest.approx(0.975)


def test_the_last_block_may_be_incomplete() -> None:
    samples = measured({"serverlink": around(2.0, 9)})[:-1]
    assert verdict(samples).blocks == 8


def test_other_cells_and_other_orders_do_not_matter() -> None:
    samples = measured({"serverlink": around(1.1, 8)})
    other = measured({"serverlink": around(9.0, 8)}, cell=dataclasses.replace(CELL, size_bytes=64))
    assert verdict((samples + other)[::-1]) == verdict(samples)


def test_each_contender_has_its_verdict_by_name() -> None:
    samples = measured(
        {"serverlink": around(1.1, 8), "mine": around(0.9, 8), "floor": around(0.1, 8)}
    )
    found = judge_cell(CELL, samples, SCENARIO)
    assert [(v.contender, v.kind) for v in found] == [
        ("mine", VerdictKind.FASTER),
        ("serverlink", VerdictKind.SLOWER),
    ]
    assert set(dict(found[0].rates_msgs_per_s)) == {"libzmq", "mine", "serverlink", "floor"}


def test_values_that_are_no_times_are_missing() -> None:
    for value in (None, 0.0, -1.0, math.nan, math.inf):
        assert value_of(Sample(time_per_message_ns=value), "time_per_message_ns") is None
    assert value_of(Sample(cpu_ns=500, messages=None), CPU_PER_MESSAGE) is None
    assert value_of(Sample(cpu_ns=500, messages=0), CPU_PER_MESSAGE) is None
    assert value_of(Sample(cpu_ns=500, messages=2), CPU_PER_MESSAGE) == 250


def test_a_round_trip_cell_is_judged_by_its_median_and_cpu_can_be_asked_for() -> None:
    cell = dataclasses.replace(CELL, metric=Metric.ROUND_TRIP)
    samples = measured({"serverlink": around(1.04, 8, 0.001)}, cell=cell)
    (found,) = judge_cell(cell, samples, SCENARIO)
    assert (found.statistic, found.min_effect) == (P50, 0.05)
    assert found.kind is VerdictKind.EQUIVALENT
    (tail,) = judge_cell(cell, samples, SCENARIO, statistic=P99)
    assert (tail.min_effect, tail.blocks, tail.kind) == (0.10, 0, VerdictKind.INCONCLUSIVE)
    (cpu,) = judge_cell(cell, samples, SCENARIO, statistic=CPU_PER_MESSAGE)
    assert (cpu.min_effect, cpu.kind) == (0.02, VerdictKind.SLOWER)
    assert minimum_effect(dataclasses.replace(SCENARIO, min_effect=0.2), P99) == 0.2
    paced = dataclasses.replace(cell, metric=Metric.PACED, offered_msgs_per_s=10_000)
    (found,) = judge_cell(paced, measured({"serverlink": around(1.1, 8)}, cell=paced), SCENARIO)
    assert (found.statistic, found.kind) == (P50, VerdictKind.SLOWER)


def test_a_failed_sample_fails_the_cell_of_its_contender_only() -> None:
    samples = measured({"serverlink": around(1.1, 8), "mine": around(0.9, 8)})
    samples.append(
        dataclasses.replace(
            samples[0], arm="mine", role="contender", status="FAILED", reason="lost 1"
        )
    )
    mine, serverlink = judge_cell(CELL, samples, SCENARIO)
    assert (mine.kind, mine.status) == (VerdictKind.INVALID, Status.FAILED)
    assert mine.reason == "mine failed in 1 of 17 samples: lost 1"
    assert mine.time_ratio is mine.low is mine.p_value is None
    assert serverlink.kind is VerdictKind.SLOWER


@pytest.mark.parametrize("arm", ["libzmq", "placebo"])
def test_a_baseline_that_fails_fails_every_comparison(arm: str) -> None:
    samples = measured({"serverlink": around(1.1, 8), "placebo": around(1.0, 8)})
    samples.append(
        dataclasses.replace(samples[0], arm=arm, role=ROLES[arm], status="FAILED", reason="crash")
    )
    found = verdict(samples)
    assert (found.kind, found.status) == (VerdictKind.INVALID, Status.FAILED)
    assert found.reason.startswith(f"{arm} failed")


def test_what_was_skipped_or_never_measured_is_shown_as_such() -> None:
    samples = measured({"floor": around(0.1, 8)})
    samples.append(
        dataclasses.replace(
            samples[0], arm="mine", role="contender", status="SKIPPED", reason="no push-pull"
        )
    )
    found = verdict(samples)
    assert (found.status, found.reason) == (Status.SKIPPED, "mine: no push-pull")
    (never,) = judge_cell(CELL, [], SCENARIO)
    assert (never.contender, never.status) == ("serverlink", Status.SKIPPED)
    assert "not measured" in never.reason


# ---- blocks that the machine disturbed


def disturbed(samples: Sequence[Sample], blocks: Sequence[int], **facts: object) -> list[Sample]:
    """``samples`` with ``facts`` on one slot of each of ``blocks``."""
    return [
        dataclasses.replace(s, **facts)  # type: ignore[arg-type]
        if s.block in blocks and s.slot == 0
        else s
        for s in samples
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"steal_fraction": 0.12}, "steal 12% > 10%"),
        ({"foreign_cpu_fraction": 0.06}, "foreign CPU use 6% > 5%"),
        ({"status": "INVALID", "reason": "clock jumped"}, "clock jumped"),
    ],
)
def test_one_disturbed_process_discards_its_whole_block(
    facts: dict[str, object], said: str
) -> None:
    samples = disturbed(measured({"serverlink": around(1.1, 9)}), [4], **facts)
    assert discarded_blocks(samples) == {("run", 4): said}
    found = verdict(samples)
    assert (found.blocks, found.discarded_blocks) == (8, 1)
    assert found.kind is VerdictKind.SLOWER


def test_steal_is_judged_by_what_is_usual_on_the_machine() -> None:
    samples = [
        dataclasses.replace(s, steal_fraction=0.08)
        for s in measured({"serverlink": around(1.1, 9)})
    ]
    assert discarded_blocks(disturbed(samples, [5], steal_fraction=0.2)) == {}
    assert len(discarded_blocks(disturbed(samples, [5], steal_fraction=0.3))) == 1


def test_many_disturbed_blocks_make_the_cell_invalid() -> None:
    samples = measured({"serverlink": around(1.1, 12)})
    assert verdict(disturbed(samples, [1, 2, 3], steal_fraction=0.5)).kind is VerdictKind.SLOWER
    found = verdict(disturbed(samples, [1, 2, 3, 4], steal_fraction=0.5))
    assert (found.kind, found.blocks) == (VerdictKind.INVALID, 8)
    assert found.reason == "4 of 12 blocks were disturbed"


def test_a_verdict_that_turns_with_the_discarded_blocks_is_inconclusive() -> None:
    logs = around(1.05, 12, 0.001)
    logs[10:] = [-1.0, -1.0]
    found = verdict(disturbed(measured({"serverlink": logs}), [10, 11], steal_fraction=0.5))
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert found.reason == "SLOWER turns INCONCLUSIVE with the 2 disturbed blocks put back"
    assert found.time_ratio == pytest.approx(1.05, abs=0.002)


# ---- when to stop


def test_a_run_stops_at_looks_only_and_only_when_decided() -> None:
    clear = {"serverlink": around(2.0, 11)}
    assert [should_stop(CELL, measured({"serverlink": clear["serverlink"][:n]}), SCENARIO)
            for n in (1, 7, 8, 9, 11)] == [False, False, True, False, False]  # fmt: skip
    unclear = measured({"serverlink": around(1.02, 12)})
    assert not should_stop(CELL, unclear, SCENARIO)
    assert should_stop(CELL, measured({"serverlink": around(1.02, 32)}), SCENARIO)


def test_a_run_stops_when_every_contender_is_decided() -> None:
    samples = measured({"serverlink": around(2.0, 8), "mine": around(1.02, 8)})
    assert not should_stop(CELL, samples, SCENARIO)
    samples = measured({"serverlink": around(2.0, 8), "mine": around(0.5, 8)})
    assert should_stop(CELL, samples, SCENARIO)


def test_fixed_rounds_stop_there_whatever_is_seen() -> None:
    fixed = dataclasses.replace(SCENARIO, rounds=3)
    assert not should_stop(CELL, measured({"serverlink": around(2.0, 2)}), fixed)
    assert should_stop(CELL, measured({"serverlink": around(2.0, 3)}), fixed)
    assert should_stop(CELL, measured({"floor": around(0.1, 3)}), fixed)


def test_disturbed_blocks_are_made_up_for_within_reason() -> None:
    fixed = dataclasses.replace(SCENARIO, rounds=6)
    samples = measured({"serverlink": around(2.0, 8)})
    six = [s for s in samples if s.block < 6]
    assert not should_stop(CELL, disturbed(six, [0], steal_fraction=0.5), fixed)
    seven = [s for s in samples if s.block < 7]
    assert should_stop(CELL, disturbed(seven, [0], steal_fraction=0.5), fixed)
    assert should_stop(CELL, disturbed(samples, range(8), steal_fraction=0.5), fixed)


def test_failure_leaves_nothing_to_decide() -> None:
    samples = measured({"serverlink": around(2.0, 1)})
    samples[1] = dataclasses.replace(samples[1], status="FAILED", reason="crash")
    assert should_stop(CELL, samples, SCENARIO)


def test_identical_arms_are_rarely_called_different() -> None:
    generator = np.random.default_rng(30)
    trials, wrong = 60, 0
    for _ in range(trials):
        noise = generator.standard_t(4, size=(2, 32)) * 0.02
        samples = measured({"serverlink": list(noise[0]), "placebo": list(noise[1])})
        for count in SCENARIO.looks:
            so_far = [s for s in samples if s.block < count]
            if should_stop(CELL, so_far, SCENARIO):
                kind = verdict(so_far).kind
                wrong += kind in {VerdictKind.SLOWER, VerdictKind.FASTER}
                break
    assert wrong <= scipy_stats.binom.ppf(0.9999, trials, 0.05)


# ---- ratios beside the verdicts


def test_the_ratio_to_the_floor_is_paired_and_for_every_library() -> None:
    samples = measured({"serverlink": around(0.5, 8), "floor": around(0.25, 8)})
    found = floor_ratios(CELL, samples)
    assert set(found) == {"libzmq", "serverlink"}
    assert found["serverlink"].point == pytest.approx(2.0)
    assert found["libzmq"].point == pytest.approx(4.0)
    ratio = found["libzmq"]
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < 4.0 < ratio.high
    assert (ratio.level, ratio.blocks) == (0.95, 8)
    assert floor_ratios(CELL, measured({"serverlink": around(0.5, 8)})) == {}


def test_few_blocks_give_a_ratio_without_bounds() -> None:
    samples = measured({"serverlink": around(2.0, 3)})
    arms = {arm: [s for s in samples if s.arm == arm] for arm in ("libzmq", "serverlink")}
    ratio = paired_ratio(arms["serverlink"], arms["libzmq"], "time_per_message_ns")
    assert ratio is not None
    assert ratio.point == pytest.approx(2.0)
    assert (ratio.low, ratio.high, ratio.blocks) == (None, None, 3)
    assert paired_ratio([], arms["libzmq"], "time_per_message_ns") is None


def test_patterns_are_compared_within_one_arm_by_block() -> None:
    push = dataclasses.replace(CELL, pattern=Pattern.PUSH_PULL)
    samples = measured({"serverlink": around(1.5, 8)})
    samples += measured({"serverlink": around(1.0, 8)}, cell=push)
    ratio = pattern_ratio(CELL, "serverlink", samples)
    assert ratio is not None
    assert ratio.point == pytest.approx(1.5)
    assert ratio.low is not None
    failed = dataclasses.replace(samples[1], status="FAILED")
    assert pattern_ratio(CELL, "serverlink", [*samples, failed]) is None
    assert pattern_ratio(CELL, "serverlink", measured({"serverlink": around(1.5, 8)})) is None


def test_unpaired_sets_have_a_ratio_with_wider_bounds() -> None:
    first, second = [100.0, 101, 99, 100.5, 99.5, 102], [200.0, 202, 198, 201, 199, 204]
    ratio = unpaired_ratio(second, first)
    assert ratio is not None
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < 2.0 < ratio.high
    assert ratio.point == pytest.approx(2.0, rel=0.01)
    lone = unpaired_ratio([2.0], [1.0])
    assert lone is not None
    assert lone.point == pytest.approx(2.0)
    assert lone.low is None
    assert unpaired_ratio([], [1.0]) is None


def test_the_geometric_mean_is_over_all_cells_or_none() -> None:
    other = dataclasses.replace(CELL, size_bytes=64)
    samples = measured({"serverlink": around(2.0, 8)})
    samples += measured({"serverlink": around(0.5, 10)}, cell=other)
    mean = geometric_mean([CELL, other], samples, SCENARIO, "serverlink")
    assert mean is not None
    assert mean.point == pytest.approx(1.0, abs=0.002)
    assert (mean.blocks, mean.level) == (8, 0.99)
    unmeasured = dataclasses.replace(CELL, size_bytes=7)
    assert geometric_mean([CELL, unmeasured], samples, SCENARIO, "serverlink") is None
    failed = dataclasses.replace(samples[1], status="FAILED")
    assert geometric_mean([CELL, other], [*samples, failed], SCENARIO, "serverlink") is None
    assert geometric_mean([], samples, SCENARIO, "serverlink") is None


@given(st.lists(st.none() | st.floats(0, 1), max_size=20))
def test_adjusted_p_values_agree_with_scipy(p_values: list[float | None]) -> None:
    blank = verdict(measured({"serverlink": around(2.0, 1)}))
    adjusted = adjusted_p_values([dataclasses.replace(blank, p_value=p) for p in p_values])
    known = [p for p in p_values if p is not None]
    expected = list(scipy_stats.false_discovery_control(known)) if known else []
    assert [p for p in adjusted if p is not None] == pytest.approx(expected)
    assert [p is None for p in adjusted] == [p is None for p in p_values]


def test_noise_is_the_spread_between_processes() -> None:
    samples = [slot(CELL, 0, i, "libzmq", t) for i, t in enumerate((100.0, 110.0, None))]
    sd = noise_sd(samples, "time_per_message_ns")
    assert sd == pytest.approx(math.log(1.1) / math.sqrt(2))
    assert noise_sd(samples[:1], "time_per_message_ns") is None


def test_what_varies_inside_a_process_is_told_as_its_share_of_the_spread() -> None:
    samples = [slot(CELL, 0, i, "libzmq", t) for i, t in enumerate((100.0, 110.0))]
    known = noise_of(samples, "time_per_message_ns")
    assert known is not None
    assert known.sd_of_parts is None
    parts = [dataclasses.replace(each, slice_sd=0.08) for each in samples]
    known = noise_of(parts, "time_per_message_ns")
    assert known is not None
    assert known.sd_of_parts == pytest.approx(0.08 / math.sqrt(16))


def test_a_summary_is_a_median_with_order_statistics() -> None:
    found = summarise([5.0, 1.0, 3.0, 2.0, 4.0, 6.0])
    assert found is not None
    assert (found.median, found.low, found.high, found.count) == (3.5, 1.0, 6.0, 6)
    few = summarise([1.0, 2.0])
    assert few is not None
    assert (few.median, few.low, few.high) == (1.5, None, None)
    assert summarise([]) is None
    assert summarise([4.0]) is not None


@pytest.mark.parametrize(
    ("second_start", "changes", "said"),
    [
        ("2026-01-03T10:06:00+00:00", {}, "interrupted for 360 s"),
        ("2026-01-03T10:04:00+00:00", {}, None),
        ("2026-01-03T10:06:00+00:00", {"elapsed_ns": 100 * 10**9}, None),
        ("2026-01-03T10:06:00+00:00", {"status": Status.FAILED}, None),
        ("no date", {}, None),
    ],
)
def test_a_block_that_rested_long_is_discarded(
    second_start: str, changes: dict[str, Any], said: str | None
) -> None:
    first, second, *others = measured({"serverlink": [0.0]})
    first = dataclasses.replace(first, started_utc="2026-01-03T10:00:00+00:00", **changes)
    second = dataclasses.replace(second, started_utc=second_start)
    assert discarded_blocks([first, second, *others]).get(("run", 0)) == said
