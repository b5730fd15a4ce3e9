"""A run from beginning to end, against fake processes with seeded noise and a fake clock."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slkbench.errors import InterruptedRunError, StoreError, UsageError
from slkbench.model import (
    Cell,
    Pattern,
    Sample,
    Scenario,
    Slot,
    Status,
    Transport,
    VerdictKind,
)
from slkbench.runner.progress import Progress
from slkbench.runner.result import RunResult, judge_run
from slkbench.runner.session import Request, run_request
from slkbench.store import read_metadata, read_run

CELLS = tuple(
    Cell(pattern, Transport.TCP, 1024) for pattern in (Pattern.ROUTER_ROUTER, Pattern.PUSH_PULL)
)
SCENARIO = Scenario("test", "Does it work?", CELLS, seed=7, affinity=())


class Listener:
    """Remembers everything that a run tells."""

    def __init__(self) -> None:
        self.steps: list[Progress] = []
        self.notes: list[str] = []

    def progress(self, progress: Progress) -> None:
        self.steps.append(progress)

    def note(self, text: str) -> None:
        self.notes.append(text)


def request(tmp_path: Path, scenario: Scenario | None = SCENARIO, **changes: Any) -> Request:
    return Request(scenario, results=tmp_path / "results", **changes)


def verdict_kinds(result: RunResult) -> list[VerdictKind]:
    return [verdict.kind for verdict in result.verdicts]


def test_a_clear_difference_is_found_at_the_first_look(tmp_path: Path, fake_world: Any) -> None:
    result = run_request(request(tmp_path), backend=fake_world.backend)
    assert verdict_kinds(result) == [VerdictKind.FASTER, VerdictKind.FASTER]
    assert all(verdict.blocks == 8 for verdict in result.verdicts)
    for verdict in result.verdicts:
        assert verdict.time_ratio == pytest.approx(0.5, rel=0.02)
    assert result.status == "complete"
    # 2 cells, 8 blocks, 4 arms (the placebo among them), twice each
    assert len(result.samples) == 2 * 8 * 4 * 2


def test_equal_contenders_are_equivalent(tmp_path: Path, fake_world: Any) -> None:
    fake_world.speeds["serverlink"] = 1.0
    fake_world.noise_sd = 0.005
    result = run_request(request(tmp_path), backend=fake_world.backend)
    assert set(verdict_kinds(result)) == {VerdictKind.EQUIVALENT}


def test_every_sample_is_stored_before_the_next_starts(tmp_path: Path, fake_world: Any) -> None:
    stored_before: list[int] = []

    def look(_number: int, _cell: Cell, _slot: Slot, sample: Sample) -> Sample:
        files = list((tmp_path / "results").glob("*/samples.csv"))
        stored_before.append(len(files[0].read_text().splitlines()) - 1)
        return sample

    fake_world.on_sample = look
    cells = tuple(replace(cell, messages=1000) for cell in CELLS)  # no calibration
    scenario = replace(SCENARIO, cells=cells, rounds=2)
    run_request(request(tmp_path, scenario), backend=fake_world.backend)
    assert stored_before == list(range(2 * 2 * 8))


def test_cells_take_turns_block_by_block(tmp_path: Path, fake_world: Any) -> None:
    scenario = replace(SCENARIO, rounds=3)
    result = run_request(request(tmp_path, scenario), backend=fake_world.backend)
    blocks = [sample.block for sample in result.samples]
    assert blocks == sorted(blocks)
    assert Counter((s.cell_key, s.block) for s in result.samples) == {
        (cell.key, block): 8 for cell in CELLS for block in range(3)
    }


def test_work_is_calibrated_to_the_minimum_time(tmp_path: Path, fake_world: Any) -> None:
    scenario = replace(SCENARIO, rounds=1, min_time_s=0.4)
    result = run_request(request(tmp_path, scenario), backend=fake_world.backend)
    assert all((sample.elapsed_ns or 0) >= 0.37e9 for sample in result.samples)
    by_arm = {sample.arm: sample.messages or 0 for sample in result.samples}
    assert by_arm["placebo"] == by_arm["libzmq"] < by_arm["serverlink"] < by_arm["floor"]
    calibrated = read_metadata(result.path)["calibrated"]
    assert {tuple(each["cell"]): each["messages"] for each in calibrated}[CELLS[0].key] == {
        sample.arm: sample.messages for sample in result.samples if sample.cell_key == CELLS[0].key
    }


def test_a_fixed_count_is_not_calibrated(tmp_path: Path, fake_world: Any) -> None:
    scenario = replace(SCENARIO, rounds=1, cells=(replace(CELLS[0], messages=123),))
    run_request(request(tmp_path, scenario), backend=fake_world.backend)
    assert [messages for _cell, _slot, _placement, messages in fake_world.measured] == [123] * 8


def test_a_contender_that_cannot_run_a_cell_is_skipped_there(
    tmp_path: Path, fake_world: Any
) -> None:
    fake_world.without_push_pull = frozenset({"serverlink"})
    result = run_request(request(tmp_path), backend=fake_world.backend)
    by_pattern = {verdict.cell.pattern: verdict for verdict in result.verdicts}
    assert by_pattern[Pattern.ROUTER_ROUTER].kind is VerdictKind.FASTER
    assert by_pattern[Pattern.PUSH_PULL].status is Status.SKIPPED
    skipped = [sample for sample in result.samples if sample.status == Status.SKIPPED]
    assert [(s.arm, s.pattern, s.reason) for s in skipped] == [
        ("serverlink", "push-pull", "n/a: has no push-pull")
    ]


def test_a_failure_is_confirmed_once_and_the_others_go_on(
    tmp_path: Path, fake_world: Any, fail_samples: Callable[..., Any]
) -> None:
    # Failures in calibration (once per cell and arm) are not samples yet.
    fake_world.on_sample = fail_samples("serverlink", "lost 3 messages", times=10**6)
    scenario = replace(SCENARIO, cells=CELLS[:1])
    listener = Listener()
    result = run_request(request(tmp_path, scenario), backend=fake_world.backend, observer=listener)
    failed = [sample for sample in result.samples if sample.status == Status.FAILED]
    assert [(sample.arm, sample.block) for sample in failed] == [("serverlink", 0)] * 2
    assert result.verdicts[0].status is Status.FAILED
    assert "lost 3 messages" in result.verdicts[0].reason
    others = Counter(s.arm for s in result.samples if s.status == Status.OK)
    assert others == {"libzmq": 16, "floor": 16, "placebo": 16}
    assert any("measuring it once more" in note for note in listener.notes)
    assert any("go on without it" in note for note in listener.notes)


def test_a_run_in_which_everything_fails_ends(
    tmp_path: Path, fake_world: Any, fail_samples: Callable[..., Any]
) -> None:
    def fail(number: int, cell: Cell, slot: Slot, sample: Sample) -> Sample:
        failed: Sample = fail_samples(slot.arm.name, "crashed", times=1)(number, cell, slot, sample)
        return failed

    fake_world.on_sample = fail
    result = run_request(request(tmp_path), backend=fake_world.backend)
    assert {sample.status for sample in result.samples} == {Status.FAILED}
    assert len(result.samples) == 2 * 4 * 2


def test_disturbed_blocks_are_discarded_and_replaced(tmp_path: Path, fake_world: Any) -> None:
    def disturb(_number: int, _cell: Cell, slot: Slot, sample: Sample) -> Sample:
        return replace(sample, foreign_cpu_fraction=0.5) if slot.block == 4 else sample

    fake_world.on_sample = disturb
    listener = Listener()
    result = run_request(request(tmp_path), backend=fake_world.backend, observer=listener)
    assert [verdict.discarded_blocks for verdict in result.verdicts] == [1, 1]
    assert [verdict.blocks for verdict in result.verdicts] == [8, 8]
    assert max(sample.block for sample in result.samples) == 8
    assert sum("block 4 discarded: foreign CPU use 50%" in note for note in listener.notes) == 2


def test_the_budget_stops_before_a_block_and_leaves_cells_even(
    tmp_path: Path, fake_world: Any
) -> None:
    fake_world.noise_sd = 0.2
    scenario = replace(SCENARIO, budget_s=40.0)
    result = run_request(request(tmp_path, scenario), backend=fake_world.backend)
    assert 40.0 <= fake_world.now_s < 44.0
    blocks = [len({s.block for s in result.samples if s.cell_key == c.key}) for c in CELLS]
    assert max(blocks) - min(blocks) <= 1
    assert read_metadata(result.path)["ended_by"] == "budget"


def test_rounds_fix_the_number_of_blocks(tmp_path: Path, fake_world: Any) -> None:
    scenario = replace(SCENARIO, rounds=10)
    result = run_request(request(tmp_path, scenario), backend=fake_world.backend)
    assert [verdict.blocks for verdict in result.verdicts] == [10, 10]


def interrupted_at(number: int) -> Callable[[int, Cell, Slot, Sample], Sample]:
    def interrupt(at: int, _cell: Cell, _slot: Slot, sample: Sample) -> Sample:
        if at == number:
            raise KeyboardInterrupt
        return sample

    return interrupt


def test_an_interrupted_run_keeps_its_samples_and_resumes_with_its_plan(
    tmp_path: Path, fake_world: Any
) -> None:
    fake_world.on_sample = interrupted_at(60)
    with pytest.raises(InterruptedRunError, match="slkbench run --resume") as caught:
        run_request(request(tmp_path), backend=fake_world.backend)
    path = next((tmp_path / "results").iterdir())
    assert str(path) in str(caught.value)
    kept = read_run(path)
    assert kept.metadata["status"] == "interrupted"
    assert kept.samples
    work = kept.metadata["calibrated"]

    fake_world.on_sample = lambda _n, _cell, _slot, sample: sample
    result = run_request(request(tmp_path, None, resume="latest"), backend=fake_world.backend)
    assert result.path == path
    assert result.samples[: len(kept.samples)] == kept.samples
    assert result.status == "complete"
    assert verdict_kinds(result) == [VerdictKind.FASTER, VerdictKind.FASTER]
    assert read_metadata(path)["calibrated"] == work
    assert {sample.seed for sample in result.samples} == {7}
    # Within each cell no place in a block was measured twice.
    places = Counter((s.cell_key, s.block, s.slot) for s in result.samples)
    assert set(places.values()) == {1}


def test_a_resumed_run_measures_the_blocks_that_an_unbroken_one_would(
    tmp_path: Path, fake_world: Any
) -> None:
    unbroken = run_request(request(tmp_path / "a"), backend=fake_world.backend)
    other = type(fake_world)(fake_world.lock_file)
    other.on_sample = interrupted_at(60)
    with pytest.raises(InterruptedRunError):
        run_request(request(tmp_path / "b"), backend=other.backend)
    other.on_sample = lambda _n, _cell, _slot, sample: sample
    resumed = run_request(request(tmp_path / "b", None, resume="latest"), backend=other.backend)

    def plan(result: RunResult) -> dict[object, tuple[str, int | None]]:
        return {(s.cell_key, s.block, s.slot): (s.arm, s.env_pad_bytes) for s in result.samples}

    first, second = plan(unbroken), plan(resumed)
    assert all(second[place] == first[place] for place in first.keys() & second.keys())


@pytest.mark.parametrize("what", ["scenario", "machine", "library"])
def test_resuming_under_other_conditions_is_refused(
    tmp_path: Path, fake_world: Any, what: str
) -> None:
    fake_world.on_sample = interrupted_at(60)
    with pytest.raises(InterruptedRunError):
        run_request(request(tmp_path), backend=fake_world.backend)
    path = next((tmp_path / "results").iterdir())
    again = request(tmp_path, None, resume="latest")
    expected = {
        "scenario": "something else",
        "machine": "the machine was",
        "library": "libzmq .*another build",
    }[what]
    if what == "scenario":
        again = replace(again, scenario=replace(SCENARIO, baseline="serverlink"))
    elif what == "machine":
        text = (path / "run.json").read_text()
        fingerprint = read_metadata(path)["machine"]["fingerprint"]
        (path / "run.json").write_text(text.replace(fingerprint, "another machine"))
    else:
        fake_world.sha256 = "1" * 64
    with pytest.raises(StoreError, match=expected):
        run_request(again, backend=fake_world.backend)


def test_a_complete_run_is_not_resumed(tmp_path: Path, fake_world: Any) -> None:
    run_request(request(tmp_path), backend=fake_world.backend)
    with pytest.raises(StoreError, match="is complete"):
        run_request(request(tmp_path, None, resume="latest"), backend=fake_world.backend)


def test_verdicts_can_be_recomputed_from_what_is_stored(tmp_path: Path, fake_world: Any) -> None:
    result = run_request(request(tmp_path), backend=fake_world.backend)
    again = judge_run(read_run(result.path))
    assert again.verdicts == result.verdicts
    assert again.scenario == result.scenario


def test_run_json_tells_what_was_measured_on_what(tmp_path: Path, fake_world: Any) -> None:
    result = run_request(
        request(tmp_path, command_line=("slkbench", "run")), backend=fake_world.backend
    )
    record = read_metadata(result.path)
    assert record["seed"] == 7
    assert record["command_line"] == ["slkbench", "run"]
    assert record["machine"]["fingerprint"]
    assert [each["name"] for each in record["libraries"]] == ["libzmq", "serverlink", "floor"]
    assert {"scenario_hash", "placement", "tools", "packages", "slkbench", "commit"} <= set(record)


def test_a_random_seed_is_recorded(tmp_path: Path, fake_world: Any) -> None:
    result = run_request(
        request(tmp_path, replace(SCENARIO, seed=None, rounds=1)), backend=fake_world.backend
    )
    seed = read_metadata(result.path)["seed"]
    assert isinstance(seed, int)
    assert {sample.seed for sample in result.samples} == {seed}


def test_the_label_names_the_run(tmp_path: Path, fake_world: Any) -> None:
    scenario = replace(SCENARIO, rounds=1)
    result = run_request(request(tmp_path, scenario, label="my change"), backend=fake_world.backend)
    assert "-my-change-" in result.path.name


def test_the_placement_is_the_same_for_every_arm(tmp_path: Path, fake_world: Any) -> None:
    scenario = replace(SCENARIO, rounds=1, affinity=((0,),))
    run_request(request(tmp_path, scenario), backend=fake_world.backend)
    placements = {placement for _cell, _slot, placement, _messages in fake_world.measured}
    assert [(each.sender_cpus, each.receiver_cpus) for each in placements] == [((0,), (0,))]


def test_progress_never_promises_less_than_comes(tmp_path: Path, fake_world: Any) -> None:
    listener = Listener()
    result = run_request(request(tmp_path), backend=fake_world.backend, observer=listener)
    assert listener.steps[-1].samples_done == len(result.samples)
    for step in listener.steps:
        assert step.samples_done <= step.samples_expected
    assert max(step.samples_expected for step in listener.steps) == 2 * 32 * 8
    measuring = [step for step in listener.steps if step.phase == "measuring"]
    assert all(step.remaining_s is not None for step in measuring)
    assert any("serverlink FASTER" in note for note in listener.notes)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, fake_world: Any) -> None:
    (tmp_path / "results").write_text("in the way", encoding="utf-8")
    with pytest.raises(UsageError, match="results"):
        run_request(request(tmp_path), backend=fake_world.backend)


def test_two_runs_do_not_share_the_machine(tmp_path: Path, fake_world: Any) -> None:
    def run_another(_number: int, _cell: Cell, _slot: Slot, sample: Sample) -> Sample:
        with pytest.raises(UsageError, match="measures on this machine"):
            run_request(request(tmp_path), backend=type(fake_world)(fake_world.lock_file).backend)
        return sample

    fake_world.on_sample = run_another
    scenario = replace(SCENARIO, rounds=1, cells=CELLS[:1])
    result = run_request(request(tmp_path, scenario), backend=fake_world.backend)
    assert len(list(csv.reader((result.path / "samples.csv").read_text().splitlines()))) == 1 + 8
