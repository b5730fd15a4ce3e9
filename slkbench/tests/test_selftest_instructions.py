"""A self-test's known slowdowns in instructions: what is executed must be found by counting."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slkbench.errors import UsageError
from slkbench.model import Cell, Pattern, Transport, VerdictKind
from slkbench.profile.workload import ProfileFailure
from slkbench.selftest import instructions
from slkbench.selftest.claims import Answer, claims_of_instructions
from slkbench.selftest.instructions import callgrind_count, lack_of_valgrind, measure_effects
from slkbench.selftest.known import CELLS, Bench
from slkbench.selftest.library import known_library, real_libzmq
from slkbench.selftest.session import SelftestRequest, run_selftest

INPROC = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)


class Counter:
    """1000 instructions per message, 20 more where they are passed on, 2 more for each turn."""

    def __init__(self) -> None:
        self.counts = 0
        self.turn = 2.0

    def __call__(self, _cell: Cell, arm: str, turns: int) -> float:
        self.counts += 1
        noise = 1.0 if self.counts % 2 else -1.0
        return 1000 + noise + (20 + self.turn * turns) * (arm == instructions.BURNING)


def nothing_lacks() -> str:
    return ""


def test_each_effect_is_found_and_the_copy_is_not() -> None:
    trials = list(measure_effects(Counter(), CELLS, (0.05, 0.5), nothing_lacks))
    assert [trial.cell for trial in trials[::3]] == [
        "push-pull inproc 64 B",
        "push-pull tcp 64 B",
        "router-router tcp 64 B",
    ]
    copy, slow, slowest = trials[:3]
    assert (copy.kind, slow.kind, slowest.kind) == (
        VerdictKind.EQUIVALENT,
        VerdictKind.SLOWER,
        VerdictKind.SLOWER,
    )
    for trial in trials:
        assert trial.low is not None
        assert trial.high is not None
        assert trial.truth == pytest.approx(1 + trial.effect, abs=0.002)
        assert trial.low <= 1 + trial.effect <= trial.high
    assert {claim.answer for claim in claims_of_instructions(trials)} == {Answer.SHOWN}


def test_a_slowdown_that_is_missed_contradicts() -> None:
    counter = Counter()

    def deaf(cell: Cell, arm: str, turns: int) -> float:
        return counter(cell, instructions.PLAIN, turns)

    trials = list(measure_effects(deaf, [INPROC], (0.05,), nothing_lacks))
    missed, _ = claims_of_instructions(trials)
    assert (missed.misses, missed.answer) == (1, Answer.CONTRADICTED)


def test_without_the_tool_nothing_is_claimed(
    tmp_path: Path, fake_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    fake_world.speeds = {"libzmq": 1.0, "copy": 1.0, "plus-50%": 1.5}
    counter = Counter()
    bench = Bench(fake_world.backend, count=counter)
    request = SelftestRequest(
        CELLS[:1], effects=(0.5,), budget_s=60, seed=3, results=tmp_path, with_faults=False
    )
    first = run_selftest(request, bench=bench)
    assert first.path is not None
    assert first.contradicted == ()
    assert "CAN'T TELL: valgrind is missing, install it" in first.text
    assert counter.counts == 0

    monkeypatch.undo()
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    again = replace(request, resume=first.path)
    assert "CAN'T TELL" not in run_selftest(again, bench=bench).text
    counted = counter.counts
    kept = run_selftest(again, bench=bench)
    assert counter.counts == counted > 0, "counted once"
    assert "| push-pull inproc 64 B |" in kept.text
    record = json.loads((first.path / "selftest.json").read_text())
    assert [each["effect"] for each in record["instructions"]] == [0.0, 0.5]


def test_a_count_that_fails_says_why() -> None:
    def broken(_cell: Cell, _arm: str, _turns: int) -> float:
        raise ProfileFailure("callgrind wrote nothing")

    trials = list(measure_effects(broken, [INPROC], (0.05,), nothing_lacks))
    assert [trial.reason for trial in trials] == ["counting failed: callgrind wrote nothing"]
    assert {claim.answer for claim in claims_of_instructions(trials)} == {Answer.UNTRIED}


@pytest.mark.slow
@pytest.mark.skipif(bool(lack_of_valgrind()), reason="valgrind is not installed")
def test_turns_are_executed_for_each_message(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("slkbench.driver._driver")
    try:
        burning = known_library("burning")
    except UsageError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(instructions, "_MESSAGES", 1000)
    libzmq = real_libzmq()
    count = callgrind_count(libzmq, Path(libzmq.path), burning)
    plain, passed_on, turned = (
        count(INPROC, instructions.PLAIN, 0),
        count(INPROC, instructions.BURNING, 0),
        count(INPROC, instructions.BURNING, 1000),
    )
    assert plain < passed_on < 1.1 * plain
    assert turned - passed_on == pytest.approx(2000, rel=0.02)
