"""slkbench selftest: the way from cells to claims, over fake processes of known speed."""

from __future__ import annotations

import csv
import ctypes
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from slkbench.cli.main import cli
from slkbench.contenders import parse_lib
from slkbench.errors import UsageError
from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Metric,
    Pattern,
    Placement,
    Sample,
    Slot,
    Status,
    Transport,
    VerdictKind,
)
from slkbench.runner.launch import ProcessLauncher
from slkbench.selftest.claims import Answer, Claim, is_too_noisy
from slkbench.selftest.faults import FAULTS, measure_faults
from slkbench.selftest.keep import keep_libraries
from slkbench.selftest.known import CELLS, Bench, choose_cells
from slkbench.selftest.library import known_library, real_libzmq
from slkbench.selftest.session import SelftestRequest, run_quick, run_selftest
from slkbench.selftest.stored import stored_passes

EFFECTS = (0.05, 0.5)


def bench_of(world: Any) -> Bench:
    """A bench over a fake world, in which an arm takes as much longer as its name says."""
    world.speeds = {"libzmq": 1.0, "copy": 1.0, "plus-5%": 1.05, "plus-50%": 1.5}

    def timed(number: int, cell: Cell, slot: Slot, sample: Sample) -> Sample:
        assert sample.time_per_message_ns is not None
        return replace(
            sample,
            p50_ns=round(sample.time_per_message_ns) if cell.metric.times_round_trips else None,
            started_utc=f"2026-01-01T00:{number // 600 % 60:02d}:{number // 10 % 60:02d}",
        )

    world.on_sample = timed
    return Bench(world.backend)


def request(tmp_path: Path, **changes: Any) -> SelftestRequest:
    usual = SelftestRequest(
        (CELLS[0], CELLS[3]),
        effects=EFFECTS,
        budget_s=119.0,
        seed=3,
        results=tmp_path,
        with_faults=False,
    )
    return replace(usual, **changes)


def test_known_slowdowns_are_found_and_the_copy_is_not(tmp_path: Path, fake_world: Any) -> None:
    fake_world.noise_sd = 0.005
    outcome = run_selftest(request(tmp_path), bench=bench_of(fake_world))
    assert outcome.path is not None
    assert outcome.contradicted == ()
    assert not outcome.is_too_noisy
    with (outcome.path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    by_effect = {
        effect: {row["kind"] for row in rows if float(row["effect"]) == effect}
        for effect in (0.0, *EFFECTS)
    }
    assert by_effect == {
        0.0: {VerdictKind.EQUIVALENT},
        0.05: {VerdictKind.SLOWER},
        0.5: {VerdictKind.SLOWER},
    }
    for row in rows:
        assert float(row["low"]) <= float(row["truth"]) <= float(row["high"])
        assert float(row["truth"]) == 1 + float(row["effect"])
    record = json.loads((outcome.path / "selftest.json").read_text())
    assert (record["status"], record["seed"]) == ("complete", 3)
    of_intervals = {
        each["text"]: each["trials"] for each in record["claims"] if "misses" in each["text"]
    }
    # Every cell counts, whatever it times: so many passes of a copy and two slowdowns.
    assert of_intervals == {
        "interval of time misses the truth, throughput": len(rows) // 2,
        "interval of time misses the truth, round-trip": len(rows) // 2,
        "interval of CPU time misses the truth": len(rows),
    }
    assert (outcome.path / "selftest.md").read_text() == outcome.text + "\n"
    assert "SLOWER or FASTER" in outcome.text


def test_there_are_as_many_passes_as_the_budget_lets(tmp_path: Path, fake_world: Any) -> None:
    fake_world.noise_sd = 0.002
    outcome = run_selftest(
        request(tmp_path, cells=CELLS[:1], budget_s=130.0), bench=bench_of(fake_world)
    )
    assert outcome.path is not None
    with (outcome.path / "trials.csv").open() as file:
        numbers = {int(row["number"]) for row in csv.DictReader(file)}
    assert len(numbers) > 1
    assert numbers == set(range(len(numbers)))


def test_noise_is_said_to_be_too_much(tmp_path: Path, fake_world: Any) -> None:
    fake_world.noise_sd = 1.5
    bench = bench_of(fake_world)
    outcome = run_selftest(request(tmp_path, cells=CELLS[3:4], budget_s=400.0), bench=bench)
    assert outcome.is_too_noisy
    assert outcome.contradicted == ()
    assert "too noisy to judge" in outcome.text
    assert not is_too_noisy(())


def test_what_ends_before_the_first_look_is_short_and_not_noisy(
    tmp_path: Path, fake_world: Any
) -> None:
    outcome = run_selftest(request(tmp_path, budget_s=30.0), bench=bench_of(fake_world))
    assert not outcome.is_too_noisy
    assert "too short to judge" in outcome.text


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path, fake_world: Any) -> None:
    bench = bench_of(fake_world)
    usual = fake_world.on_sample

    def interrupted(number: int, cell: Cell, slot: Slot, sample: Sample) -> Sample:
        if number == 150:
            raise KeyboardInterrupt
        changed: Sample = usual(number, cell, slot, sample)
        return changed

    fake_world.on_sample = interrupted
    outcome = run_selftest(request(tmp_path), bench=bench)
    assert outcome.is_interrupted
    assert outcome.path is not None
    assert "interrupted" in outcome.text
    assert len((outcome.path / "trials.csv").read_text().splitlines()) == 1 + 2 * 3


def trials_of(path: Path) -> list[dict[str, str]]:
    with (path / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_second_sitting_goes_on_where_the_first_one_ended(
    tmp_path: Path, fake_world: Any
) -> None:
    fake_world.noise_sd = 0.005
    bench = bench_of(fake_world)
    first = run_selftest(request(tmp_path, seed=None), bench=bench)
    assert first.path is not None
    before = trials_of(first.path)
    sooner = json.loads((first.path / "selftest.json").read_text())
    again = run_selftest(request(tmp_path, seed=None, resume=first.path), bench=bench)
    assert again.path == first.path
    after = trials_of(first.path)
    assert after[: len(before)] == before
    assert {int(row["number"]) for row in before} == {0}
    assert {int(row["number"]) for row in after} == {0, 1}
    later = json.loads((first.path / "selftest.json").read_text())
    assert [each["passes"] for each in later["sittings"]] == [[0], [1]]
    assert later["sittings"][0] == sooner["sittings"][0]
    assert later["elapsed_s"] == pytest.approx(
        sooner["elapsed_s"] + later["sittings"][1]["elapsed_s"], abs=0.2
    )
    seeds = {run.metadata["seed"] for _, run in stored_passes(first.path)}
    assert len(seeds) == 2
    assert "Trials by sitting" in again.text


def test_a_pass_that_was_killed_counts_and_its_number_is_not_used_again(
    tmp_path: Path, fake_world: Any
) -> None:
    bench = bench_of(fake_world)
    usual = fake_world.on_sample

    def killed(number: int, cell: Cell, slot: Slot, sample: Sample) -> Sample:
        if number == 150:
            raise SystemError("as if it were killed: nothing more is written")
        changed: Sample = usual(number, cell, slot, sample)
        return changed

    fake_world.on_sample = killed
    with pytest.raises(SystemError):
        run_selftest(request(tmp_path), bench=bench)
    fake_world.on_sample = usual
    (path,) = (each.parent for each in tmp_path.glob("*/selftest.json"))
    run_selftest(request(tmp_path, resume=path), bench=bench)
    assert {int(row["number"]) for row in trials_of(path)} == {0, 1}
    sittings = json.loads((path / "selftest.json").read_text())["sittings"]
    assert [each["status"] for each in sittings] == ["killed", "complete"]
    assert sittings[0]["elapsed_s"] > 30


def test_another_self_test_is_not_mixed_with_this_one(tmp_path: Path, fake_world: Any) -> None:
    bench = bench_of(fake_world)
    path = run_selftest(request(tmp_path, effects=(0.5,)), bench=bench).path
    assert path is not None
    for changes, said in (
        ({"min_time_s": 0.5}, r"min_time_s was 0\.25 and is 0\.5"),
        ({"effects": (0.05,)}, r"effects was 0\.5 and is 0\.05"),
        ({"cells": CELLS[:1]}, "cells was .*round-trip.* and is push-pull inproc 64 B"),
        ({"looks": (8, 64)}, "looks was 8, 12, 16, 24, 32 and is 8, 64"),
        ({"seed": 4}, "its seed is 3, not 4"),
    ):
        usual = request(tmp_path, effects=(0.5,), resume=path)
        with pytest.raises(UsageError, match=said):
            run_selftest(replace(usual, **changes), bench=bench)
    other = replace(bench, libraries={"libzmq": "f" * 64})
    with pytest.raises(UsageError, match=r"libraries was .* and is libzmq ffffffffffff"):
        run_selftest(request(tmp_path, effects=(0.5,), resume=path), bench=other)
    with pytest.raises(UsageError, match="no self-test to go on with"):
        run_selftest(request(tmp_path, resume=tmp_path), bench=bench)


def test_what_is_decided_takes_no_further_time(tmp_path: Path, fake_world: Any) -> None:
    fake_world.noise_sd = 0.05
    outcome = run_selftest(
        request(tmp_path, cells=CELLS[:1], budget_s=600.0), bench=bench_of(fake_world)
    )
    assert outcome.path is not None
    rows = [row for row in trials_of(outcome.path) if row["number"] == "0"]
    (_, run), *_ = stored_passes(outcome.path)
    measured = {
        arm: len({sample.block for sample in run.samples if sample.arm == arm})
        for arm in ("copy", "plus-5%", "plus-50%")
    }
    arms = {0.0: "copy", 0.05: "plus-5%", 0.5: "plus-50%"}
    # As many as a run of this contender alone would have had, and what is scored is all of them.
    assert {arms[float(row["effect"])]: int(row["blocks"]) for row in rows} == measured
    assert measured["plus-50%"] == 8 < measured["copy"]


@pytest.mark.parametrize(
    ("trials", "misses", "allowed", "answer"),
    [
        (58, 0, 0.05, Answer.OPEN),
        (59, 0, 0.05, Answer.SHOWN),
        (20, 2, 0.05, Answer.OPEN),
        (20, 5, 0.05, Answer.CONTRADICTED),
        (2, 2, 0.05, Answer.CONTRADICTED),
        (0, 0, 0.05, Answer.OPEN),
        (9, 0, 0.0, Answer.SHOWN),
        (9, 1, 0.0, Answer.CONTRADICTED),
    ],
)
def test_a_claim_is_shown_only_by_trials_enough(
    trials: int, misses: int, allowed: float, answer: Answer
) -> None:
    assert Claim("?", trials, misses, allowed).answer is answer


def test_cells_are_chosen_by_a_part_of_their_title() -> None:
    assert {cell.transport for cell in choose_cells(["inproc"])} == {"inproc"}
    assert choose_cells([]) == CELLS
    with pytest.raises(UsageError, match="push-pull inproc 64 B"):
        choose_cells(["no such cell"])


@pytest.mark.slow
def test_the_quick_one_needs_no_process_and_is_reproducible() -> None:
    outcome = run_quick(trials=5, seed=5)
    assert outcome.path is None
    assert outcome.contradicted == ()
    assert outcome == run_quick(trials=5, seed=5)


def test_the_command_says_what_may_be_asked() -> None:
    result = CliRunner().invoke(cli, ["selftest", "--help"])
    assert result.exit_code == 0
    assert "--budget" in result.output
    wrong = CliRunner().invoke(cli, ["selftest", "--cells", "no such cell"])
    assert wrong.exit_code == 2


def built() -> bool:
    try:
        known_library("repeating")
    except UsageError:
        return False
    return True


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, ...]:
    """Libraries that repeat nothing, every second message, and each message four times."""
    pytest.importorskip("slkbench.driver._driver")
    if not built():
        pytest.skip("the libraries with known faults are not built")
    return keep_libraries(tmp_path / "kept", (0.5, 4.0))


class Pipeline:
    """PUSH to PULL within this thread, through a library with libzmq's functions."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library.zmq_ctx_new.restype = library.zmq_socket.restype = ctypes.c_void_p
        library.zmq_socket.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.zmq_bind.argtypes = library.zmq_connect.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
        ]
        library.zmq_send.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_int,
        ]
        library.zmq_close.argtypes = library.zmq_ctx_term.argtypes = [ctypes.c_void_p]
        self._library = library
        self._context = library.zmq_ctx_new()
        self._pull = library.zmq_socket(self._context, 7)
        self._push = library.zmq_socket(self._context, 8)
        assert library.zmq_bind(self._pull, b"inproc://kept") == 0
        assert library.zmq_connect(self._push, b"inproc://kept") == 0

    def send(self, number: int) -> None:
        """Send a message that begins with ``number``."""
        message = number.to_bytes(8, "little") + b"rest"
        assert self._library.zmq_send(self._push, message, len(message), 0) == len(message)

    def receive_all(self, library: ctypes.CDLL) -> list[int]:
        """What is there, received through ``library``."""
        library.zmq_recv.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_int,
        ]
        found = []
        buffer = ctypes.create_string_buffer(12)
        while library.zmq_recv(self._pull, buffer, 12, 1) == 12:
            found.append(int.from_bytes(buffer.raw[:8], "little"))
        return found

    def close(self) -> None:
        """End the sockets and the context."""
        for socket in (self._push, self._pull):
            self._library.zmq_close(socket)
        self._library.zmq_ctx_term(self._context)


def test_a_kept_library_repeats_its_share_and_shows_each_message_once(
    kept: tuple[Path, ...],
) -> None:
    names = ["libzmq-plus-0.so", "libzmq-plus-50.so", "libzmq-plus-400.so"]
    assert [path.name for path in kept] == names
    real = ctypes.CDLL(real_libzmq().path)
    for path, times in zip(kept, (1, 1.5, 5), strict=True):
        library = ctypes.CDLL(str(path))
        pipeline = Pipeline(library)
        try:
            for number in range(100):
                pipeline.send(number)
            assert pipeline.receive_all(library) == list(range(100))
            for number in range(100):
                pipeline.send(number)
            carried = pipeline.receive_all(real)
            assert sorted(set(carried)) == list(range(100))
            assert len(carried) == 100 * times
        finally:
            pipeline.close()


@pytest.mark.parametrize("transport", [Transport.INPROC, Transport.TCP])
@pytest.mark.parametrize("pattern", [Pattern.PUSH_PULL, Pattern.ROUTER_ROUTER])
def test_a_kept_library_is_slow_by_itself(
    kept: tuple[Path, ...], pattern: Pattern, transport: Transport
) -> None:
    launcher = ProcessLauncher()
    cell = Cell(pattern, transport, 64, metric=Metric.ROUND_TRIP)
    times = []
    # Five times as long; twice leaves room for where its threads run.
    for path in (kept[0], kept[2]):
        slot = Slot(0, 0, Arm(path.stem, parse_lib(f"lib={path}"), ArmRole.CONTENDER), 0)
        found = [launcher.measure(cell, slot, Placement(), 50, 20.0) for _ in range(2)]
        assert [each.status for each in found] == [Status.OK] * 2
        times.append(min(each.elapsed_ns or 0 for each in found))
    assert times[1] > 2 * times[0] > 0


@pytest.mark.slow
@pytest.mark.skipif(not built(), reason="the libraries with known faults are not built")
def test_known_faults_are_named_and_a_slow_start_is_none() -> None:
    pytest.importorskip("slkbench.driver._driver")
    outcomes = list(measure_faults(("dropping", "slow_start")))
    assert [(each.fault, each.is_named) for each in outcomes] == [
        ("dropping", True),
        ("slow_start", True),
    ]
    assert all(known_library(fault).is_file() for fault in FAULTS)
