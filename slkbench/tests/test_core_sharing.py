"""Strangers on the cores: what goes with them is taken out, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slkbench.checks import check_run
from slkbench.model import ArmRole, Cell, Pattern, Placement, Sample, Scenario, Transport
from slkbench.runner.hardware_threads import may_share_a_core
from slkbench.stats import TIME_PER_MESSAGE, interval, judge_cell, slow_downs
from slkbench.stats.blocks import paired, paired_differences
from slkbench.stats.core_sharing import (
    MAX_SLOPE,
    _slopes,
    less_sharing,
    sharing_of,
    without_sharing,
)
from slkbench.stats.signed_rank import Array

CELL = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)
FIXED = Scenario("s", "?", cells=(CELL,), rounds=16)
LEAST_NS = 1100.0
seeds = st.integers(0, 2**32 - 1)


def drawn(
    seed: int, count: int = 32, slopes: Sequence[float] = (1.0, 0.0), sd: float = 0.03
) -> tuple[Array, Array]:
    """Differences about 0 of which the covariates explain a part."""
    generator = np.random.default_rng(seed)
    sharing = generator.normal(0.0, 0.2, (count, 2))
    sharing -= sharing.mean(axis=0)  # or an arm would seem to slow its core, by chance
    return sharing @ np.array(slopes) + generator.normal(0.0, sd, count), sharing


@given(seeds, st.floats(0.5, 1.2))
def test_what_goes_with_strangers_is_taken_out(seed: int, slope: float) -> None:
    differences, sharing = drawn(seed, 64, (slope, 0.2))
    left = without_sharing(differences, sharing)
    assert float(np.std(left)) < 0.06 < float(np.std(differences))


@given(seeds)
def test_swapping_both_arms_throughout_changes_signs_alone(seed: int) -> None:
    differences, sharing = drawn(seed)
    found = without_sharing(differences, sharing)
    assert without_sharing(-differences, -sharing) == pytest.approx(-found, abs=1e-12)


@given(seeds, seeds)
def test_swapping_the_arms_of_single_halves_leaves_slopes_as_they_are(
    seed: int, which: int
) -> None:
    differences, sharing = drawn(seed)
    signs = np.random.default_rng(which).choice((-1.0, 1.0), len(differences))
    plain = _slopes(differences, sharing)
    swapped = _slopes(signs * differences, signs[:, None] * sharing)
    assert swapped == pytest.approx(plain, abs=1e-9)
    left = np.abs(differences - sharing @ plain)
    assert np.abs(signs * differences - (signs[:, None] * sharing) @ swapped) == pytest.approx(
        left, abs=1e-9
    )


@given(seeds, st.floats(-2, 2))
def test_an_effect_moves_the_differences_and_not_the_slopes(seed: int, effect: float) -> None:
    differences, sharing = drawn(seed)
    moved = without_sharing(differences + effect, sharing) - effect
    assert moved == pytest.approx(without_sharing(differences, sharing), abs=0.01)


@given(seeds)
def test_nothing_is_taken_out_where_nothing_is_known(seed: int) -> None:
    differences, sharing = drawn(seed)
    rows = [tuple(row) for row in sharing.tolist()]
    plain = differences.tolist()
    assert less_sharing(plain, rows) != plain
    assert less_sharing(plain, [None] * len(plain)) == plain
    assert less_sharing(plain, [None, *rows[1:]]) == plain
    assert less_sharing(plain, [(0.0, 0.0)] * len(plain)) == plain
    assert less_sharing([], []) == []


@pytest.mark.parametrize(("count", "are_enough"), [(15, False), (16, True)])
def test_nothing_is_taken_out_of_few_differences(count: int, are_enough: bool) -> None:
    differences, sharing = drawn(3, count)
    found = without_sharing(differences, sharing)
    assert np.array_equal(found, differences) != are_enough


@pytest.mark.parametrize("role", [0, 1])
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_arm_that_slows_a_core_itself_is_charged_for_it(role: int, sign: int) -> None:
    differences, sharing = drawn(1)
    sharing[:, role] += sign * 0.3
    assert without_sharing(differences, sharing) is differences
    sharing[:, role] -= sign * 0.3
    assert without_sharing(differences, sharing) is not differences


@given(seeds, st.floats(-20, 20), st.floats(-20, 20))
def test_slopes_are_bounded(seed: int, one: float, other: float) -> None:
    differences, sharing = drawn(seed, 16, (one, other))
    found = _slopes(differences, sharing)
    assert np.all((found >= 0) & (found <= MAX_SLOPE))


def test_known_slopes_are_found_whatever_a_few_are_hit_by() -> None:
    for seed in range(20):
        differences, sharing = drawn(seed, 64, (1.0, 0.4), sd=0.02)
        assert _slopes(differences, sharing) == pytest.approx([1.0, 0.4], abs=0.1)
        differences[:4] += (3.0, -2.0, 5.0, 1.0)
        assert _slopes(differences, sharing) == pytest.approx([1.0, 0.4], abs=0.15)


@pytest.mark.parametrize("count", [16, 64])
def test_covariates_without_spread_of_their_own_do_no_harm(count: int) -> None:
    differences, sharing = drawn(2, count)
    alike = np.repeat(sharing[:, :1], 2, axis=1)
    same = np.full(count, 0.5)
    for values, rows in ((differences, alike), (same, sharing), (same, alike)):
        assert np.all(np.isfinite(without_sharing(values, rows)))
    hardly = without_sharing(differences, 1e-6 * sharing)
    assert hardly == pytest.approx(differences, abs=1e-3)


def test_what_is_left_is_wider_by_the_degrees_of_freedom_that_slopes_take() -> None:
    squares = []
    for seed in range(400):
        differences, sharing = drawn(seed, 16, sd=0.03)
        squares.append(float(np.var(without_sharing(differences, sharing), ddof=1)))
    assert 0.9 < np.mean(squares) / 0.03**2 < 1.4


def sample(block: int, slot: int, arm: str, time_ns: float, probes: Sequence[float]) -> Sample:
    role = {"libzmq": ArmRole.BASELINE, "copy": ArmRole.PLACEBO}.get(arm, ArmRole.CONTENDER)
    return Sample(
        run_id="run",
        block=block,
        slot=slot,
        arm=arm,
        role=role,
        pattern=CELL.pattern,
        transport=CELL.transport,
        size_bytes=64,
        messages=1000,
        time_per_message_ns=time_ns,
        sender_core_probe_ns=probes[0],
        receiver_core_probe_ns=probes[1],
    )


def shared_run(seed: int = 5, blocks: int = 16, effect: float = 0.0) -> list[Sample]:
    """Arms that are as slow as the sender's core, which strangers share at times."""
    generator = np.random.default_rng(seed)
    made = []
    for block in range(blocks):
        arms = [arm for _ in range(2) for arm in generator.permutation(["libzmq", "copy", "mine"])]
        for slot, arm in enumerate(arms):
            slowed = np.exp(generator.uniform(0.0, 0.6, 2))
            noise = math.exp(generator.normal(0.0, 0.01))
            time_ns = 200.0 * slowed[0] * noise * (1 + effect * (arm == "mine"))
            made.append(sample(block, slot, str(arm), time_ns, (LEAST_NS * slowed).tolist()))
    return made


def of_arm(samples: Sequence[Sample], arm: str) -> list[Sample]:
    return [each for each in samples if each.arm == arm]


def test_verdicts_are_of_what_is_left() -> None:
    samples = shared_run(effect=0.05)
    blind = [replace(each, receiver_core_probe_ns=None) for each in samples]
    seen, unseen = (judge_cell(CELL, each, FIXED)[0] for each in (samples, blind))
    assert seen.low is not None
    assert seen.high is not None
    assert unseen.low is not None
    assert unseen.high is not None
    assert seen.low <= 1.05 <= seen.high
    assert seen.high - seen.low < (unseen.high - unseen.low) / 5


def test_pairs_are_less_what_goes_with_strangers_unless_one_sample_does_not_tell() -> None:
    samples = shared_run()
    mine, libzmq = of_arm(samples, "mine"), of_arm(samples, "libzmq")
    found = paired(mine, libzmq, TIME_PER_MESSAGE)
    assert (len(found.values), found.blocks) == (32, 16)
    assert float(np.std(found.values)) < 0.03
    means = paired_differences(mine, libzmq, TIME_PER_MESSAGE)
    assert len(means) == 16
    assert float(np.std(list(means.values()))) < 0.03
    gap = [replace(mine[0], sender_core_probe_ns=None), *mine[1:]]
    none = [replace(each, sender_core_probe_ns=None) for each in mine]
    plain = paired(none, libzmq, TIME_PER_MESSAGE)
    assert paired(gap, libzmq, TIME_PER_MESSAGE) == plain
    assert float(np.std(plain.values)) > 0.1
    bounds = interval(found.values, 0.99)
    assert bounds is not None
    assert bounds.low <= 0 <= bounds.high


@pytest.mark.parametrize("unknown", [None, 0.0, -1.0, math.inf, math.nan])
def test_what_is_no_time_tells_nothing(unknown: float | None) -> None:
    known = sample(0, 0, "mine", 200.0, (1100.0, 2200.0))
    other = replace(known, receiver_core_probe_ns=1100.0)
    assert sharing_of(known, other) == pytest.approx((0.0, math.log(2)))
    assert sharing_of(other, known) == pytest.approx((0.0, -math.log(2)))
    bad = replace(known, sender_core_probe_ns=unknown)
    assert sharing_of(bad, other) is None
    assert sharing_of(other, bad) is None
    assert slow_downs([bad, known, other]) == pytest.approx([2.0, 1.0])
    assert slow_downs([bad]) == []


def with_slow_downs(*found: float) -> list[Sample]:
    return [
        sample(block, 0, "mine", 200.0, (LEAST_NS, LEAST_NS * slowed))
        for block, slowed in enumerate(found)
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([1.0, 1.16, 1.2, 1.2], "typically took 1.18 times its least, at most 1.20 times"),
        ([1.0] * 8 + [1.31, 1.9], "in 20.0% of the samples"),
    ],
)
def test_a_run_beside_strangers_is_doubted(found: Sequence[float], said: str) -> None:
    (finding,) = [
        each for each in check_run(with_slow_downs(*found)) if each.code == "core-sharing"
    ]
    assert said in finding.evidence
    assert finding.subject == f"{len(found)} of {len(found)} samples"
    assert "verdicts take out" in finding.remedy


@pytest.mark.parametrize("found", [[], [1.0, 1.02, 1.05], [1.0] * 9 + [1.9]])
def test_a_run_of_cores_of_its_own_is_not(found: Sequence[float]) -> None:
    codes = [each.code for each in check_run(with_slow_downs(*found))]
    assert "core-sharing" not in codes


def with_cores(root: Path, *cores: str) -> Path:
    """A /sys in which each text lists the CPUs of one core."""
    for core in cores:
        ends = [part.split("-") for part in core.split(",")]
        for cpu in (cpu for end in ends for cpu in range(int(end[0]), int(end[-1]) + 1)):
            folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
            folder.mkdir(parents=True)
            (folder / "thread_siblings_list").write_text(core + "\n")
    return root


def test_cpus_of_one_core_are_known(tmp_path: Path) -> None:
    root = with_cores(tmp_path, "0-1", "2,6", "3")
    assert may_share_a_core(Placement(), root, usable={0, 1})
    assert may_share_a_core(Placement(), root, usable={2, 3, 6})
    assert not may_share_a_core(Placement(), root, usable={0, 2, 3}), "others are strangers'"
    # A library's own threads may go where the roles are not.
    assert may_share_a_core(Placement((0,), (3,)), root, usable={0, 1, 3})
    assert not may_share_a_core(Placement((0,), (3,)), root, usable={0, 2, 3, 6})
    assert may_share_a_core(Placement((2,), (6,)), root, usable={3})


def test_cores_that_are_not_told_are_not_shared(tmp_path: Path) -> None:
    assert not may_share_a_core(Placement(), tmp_path, usable={0, 1})
    root = with_cores(tmp_path, "0-1")
    for cpu in (0, 1):
        listed = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        listed.write_text("none\n")
    assert not may_share_a_core(Placement(), root, usable={0, 1})
