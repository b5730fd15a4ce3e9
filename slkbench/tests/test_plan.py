"""slkbench.plan: seeded, independent blocks; roles and names of arms; the estimate."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from slkbench.model import (
    ArmRole,
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Metric,
    Pattern,
    Scenario,
    Transport,
)
from slkbench.plan import (
    MAX_ENV_PAD_BYTES,
    arms_of,
    block_slots,
    cell_order,
    estimate,
    lack,
    unsupported,
)

CELL = Cell(Pattern.ROUTER_ROUTER, Transport.TCP, 64)
LIBZMQ = Contender("libzmq", Layer.NATIVE, ContenderKind.LIBRARY)
SERVERLINK = Contender("serverlink", Layer.NATIVE, ContenderKind.LIBRARY)
FLOOR = Contender("floor", Layer.NATIVE, ContenderKind.FLOOR)
COPY = Contender("libzmq", Layer.NATIVE, ContenderKind.LIBRARY, path="/elsewhere/libzmq.so")
PYZMQ = Contender("pyzmq", Layer.PYTHON, ContenderKind.MODULE)
NO_PUSH = dataclasses.replace(SERVERLINK, name="other", patterns=(Pattern.ROUTER_ROUTER,))
ALL = (LIBZMQ, SERVERLINK, FLOOR, PYZMQ)
ARMS = arms_of(CELL, ALL, "libzmq", COPY)
KNOWN_BLOCK = [
    ("serverlink", 451),
    ("libzmq", 2724),
    ("floor", 4092),
    ("placebo", 3872),
    ("serverlink", 304),
    ("floor", 3773),
    ("libzmq", 1813),
    ("placebo", 2523),
]


def test_arms_have_the_roles_of_the_cell_s_layer() -> None:
    assert {arm.name: arm.role for arm in ARMS} == {
        "libzmq": ArmRole.BASELINE,
        "serverlink": ArmRole.CONTENDER,
        "floor": ArmRole.FLOOR,
        "placebo": ArmRole.PLACEBO,
    }
    assert next(arm for arm in ARMS if arm.name == "placebo").contender is COPY


def test_on_layer_python_the_baseline_libzmq_is_pyzmq() -> None:
    python = dataclasses.replace(CELL, layer=Layer.PYTHON)
    assert [(a.name, a.role) for a in arms_of(python, ALL, "libzmq", COPY)] == [
        ("pyzmq", ArmRole.BASELINE)
    ]


def test_a_contender_without_the_pattern_is_left_out_and_named() -> None:
    push = dataclasses.replace(CELL, pattern=Pattern.PUSH_PULL)
    contenders = (LIBZMQ, NO_PUSH)
    assert unsupported(push, contenders) == (NO_PUSH,)
    assert [arm.name for arm in arms_of(push, contenders, "libzmq")] == ["libzmq"]
    assert unsupported(CELL, contenders) == ()


def test_many_peers_are_driven_natively_and_have_no_floor() -> None:
    crowd = dataclasses.replace(CELL, senders=8)
    assert unsupported(crowd, ALL) == (FLOOR,)
    assert lack(crowd, FLOOR) == "has no more than one sender and one receiver"
    paced = dataclasses.replace(CELL, metric=Metric.PACED, offered_msgs_per_s=9)
    assert unsupported(paced, ALL) == (FLOOR,)
    python = dataclasses.replace(CELL, layer=Layer.PYTHON, idle_peers=9)
    assert unsupported(python, ALL) == (PYZMQ,)


def test_without_a_baseline_there_is_no_placebo() -> None:
    assert [a.name for a in arms_of(CELL, (SERVERLINK,), "libzmq", COPY)] == ["serverlink"]


@given(seed=st.integers(0, 2**63), block=st.integers(0, 1000))
def test_each_half_of_a_block_runs_every_arm_once(seed: int, block: int) -> None:
    slots = block_slots(seed, CELL, ARMS, block)
    order = [slot.arm.name for slot in slots]
    every = sorted(arm.name for arm in ARMS)
    assert [sorted(order[: len(ARMS)]), sorted(order[len(ARMS) :])] == [every, every]
    assert [slot.slot for slot in slots] == list(range(2 * len(ARMS)))
    assert {slot.block for slot in slots} == {block}
    assert all(0 <= slot.env_pad_bytes <= MAX_ENV_PAD_BYTES for slot in slots)


@given(seed=st.integers(0, 2**63), block=st.integers(0, 1000))
def test_the_same_seed_gives_the_same_block(seed: int, block: int) -> None:
    assert block_slots(seed, CELL, ARMS, block) == block_slots(seed, CELL, ARMS, block)


def test_a_known_seed_gives_the_block_that_older_runs_had() -> None:
    slots = block_slots(7, CELL, ARMS, 0)
    assert [(slot.arm.name, slot.env_pad_bytes) for slot in slots] == KNOWN_BLOCK


def test_blocks_and_cells_are_drawn_independently() -> None:
    def orders(seed: int, cell: Cell) -> list[tuple[str, ...]]:
        return [
            tuple(slot.arm.name for slot in block_slots(seed, cell, ARMS, block)[: len(ARMS)])
            for block in range(200)
        ]

    first = orders(1, CELL)
    assert len(set(first)) == 24, "every permutation of four arms comes up"
    leads = sum(order.index("libzmq") < order.index("serverlink") for order in first)
    assert 70 < leads < 130, "either arm leads in about half of the blocks"
    assert first != orders(2, CELL)
    assert first != orders(1, dataclasses.replace(CELL, size_bytes=65))


def test_the_order_of_cells_is_a_seeded_permutation() -> None:
    cells = [dataclasses.replace(CELL, size_bytes=size) for size in range(10)]
    order = cell_order(3, cells, 0)
    assert sorted(cell.size_bytes for cell in order) == list(range(10))
    assert order == cell_order(3, cells, 0)
    assert order != cell_order(3, cells, 1)


def test_the_estimate_counts_samples_and_respects_the_budget() -> None:
    scenario = Scenario("s", "?", cells=(CELL,), looks=(8, 12), min_time_s=0.25)
    cost = estimate(scenario)
    assert (cost.cells, cost.samples_least, cost.samples_most) == (1, 64, 96)
    assert 64 * 0.25 < cost.least_s < cost.most_s < 96 * 1.0
    tight = estimate(dataclasses.replace(scenario, budget_s=cost.least_s + 1))
    assert tight.most_s == cost.least_s + 1
    short = estimate(dataclasses.replace(scenario, budget_s=5))
    assert short.least_s == short.most_s == 5
    fixed = estimate(dataclasses.replace(scenario, rounds=3), arms_per_cell=2)
    assert fixed.samples_least == fixed.samples_most == 12
