"""Several sessions of one question: their interval, their agreement, and how they are run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from slkbench.cli.main import cli
from slkbench.errors import UsageError
from slkbench.model import Cell, Pattern, Scenario, Status, Transport, Verdict, VerdictKind
from slkbench.report.document import render_report
from slkbench.runner.session import Request
from slkbench.runner.sessions import run_sessions, stored_recurrences
from slkbench.stats import recurrences

CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 1024)
SCENARIO = Scenario("test", "?", (CELL,), contenders=("libzmq", "serverlink"), seed=7, affinity=())
SLOWER = Verdict(
    cell=CELL,
    baseline="libzmq",
    contender="mine",
    kind=VerdictKind.SLOWER,
    blocks=8,
    discarded_blocks=0,
    time_ratio=1.10,
    low=1.08,
    high=1.12,
    level=0.99,
    p_value=0.01,
    min_effect=0.02,
    effective_min_effect=0.02,
)


def test_the_interval_is_over_sessions_and_wider_than_that_of_any() -> None:
    ratios = (1.05, 1.10, 1.16)
    (found,) = recurrences([[replace(SLOWER, time_ratio=ratio)] for ratio in ratios])
    assert found.time_ratio == pytest.approx(1.1024, abs=1e-3)
    assert found.low is not None
    assert found.high is not None
    # Student's t with two degrees of freedom: 4.303 standard errors
    assert (found.low, found.high) == pytest.approx((0.974, 1.248), abs=1e-3)
    assert (found.kind, found.sessions) == (VerdictKind.SLOWER, 3)


def test_sessions_that_do_not_agree_decide_nothing() -> None:
    other = replace(SLOWER, kind=VerdictKind.EQUIVALENT, time_ratio=1.0)
    (found,) = recurrences([[SLOWER], [other], [SLOWER]])
    assert found.kind is VerdictKind.INCONCLUSIVE
    assert found.kinds == (VerdictKind.SLOWER, VerdictKind.EQUIVALENT, VerdictKind.SLOWER)
    (missing,) = recurrences([[SLOWER], []])
    assert (missing.kind, missing.low) == (VerdictKind.INCONCLUSIVE, None)
    failed = replace(SLOWER, status=Status.FAILED, kind=VerdictKind.INVALID, time_ratio=None)
    (none,) = recurrences([[failed], [failed]])
    assert (none.kind, none.time_ratio) == (VerdictKind.INVALID, None)
    assert recurrences([]) == ()


def test_each_session_is_a_run_of_its_own_with_its_seed(tmp_path: Path, fake_world: Any) -> None:
    pauses: list[float] = []
    results, found = run_sessions(
        Request(SCENARIO, results=tmp_path),
        3,
        every_s=600.0,
        backend=fake_world.backend,
        sleep=pauses.append,
        clock_s=lambda: 0.0,
    )
    assert len({result.path for result in results}) == 3
    assert [result.scenario.seed for result in results] == [7, 8, 9]
    assert pauses == [600.0, 600.0]
    assert [each.kind for each in found] == [VerdictKind.FASTER]
    record = json.loads((results[-1].path / "sessions.json").read_text())
    assert record["runs"] == [result.path.name for result in results]
    assert record["cells"][0]["kind"] == "FASTER"
    shown = stored_recurrences(results[-1].path)
    assert shown == found
    assert stored_recurrences(results[0].path) == ()
    text = CliRunner().invoke(cli, ["show", str(results[-1].path)]).stdout
    assert "over 3 sessions: " in text
    reports = tmp_path / "reports"
    (report,) = render_report([results[-1].path], reports, ["md"])
    told = report.read_text()
    assert "## Sessions" in told
    assert f"[{shown[0].low:.3f}x, {shown[0].high:.3f}x]" in told
    assert "FASTER, FASTER, FASTER" in told
    assert "Every verdict is provisional: one session" not in told
    (alone,) = render_report([results[0].path], reports, ["md"])
    assert "## Sessions" not in alone.read_text()
    with pytest.raises(UsageError, match="--resume"):
        run_sessions(Request(None, resume="latest"), 3)


def test_a_target_asks_for_a_width_and_not_for_a_verdict(tmp_path: Path, fake_world: Any) -> None:
    fake_world.noise_sd = 0.03
    wide, narrow = (
        run_sessions(
            Request(replace(SCENARIO, target=target), results=tmp_path),
            1,
            backend=fake_world.backend,
        )[0][0].verdicts[0]
        for target in (0.10, 0.02)
    )
    assert wide.blocks == 8
    assert narrow.blocks > 8
    assert narrow.low is not None
    assert narrow.high is not None
    assert math.log(narrow.high / narrow.low) / 2 <= math.log(1.02)


def test_no_cell_takes_more_time_than_it_may(tmp_path: Path, fake_world: Any) -> None:
    fake_world.noise_sd = 0.5
    scenario = replace(SCENARIO, max_time_s=20.0)
    ((result,), _) = run_sessions(
        Request(scenario, results=tmp_path), 1, backend=fake_world.backend
    )
    assert 20.0 <= fake_world.now_s < 24.0
    assert result.verdicts[0].blocks < 32
