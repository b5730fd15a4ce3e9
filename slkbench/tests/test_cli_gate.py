"""``gate``: exit codes and the summary, measured in pairs and from stored runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from slkbench.across.gate import gate_exit_code, gate_verdicts, looks_for
from slkbench.cli.main import cli
from slkbench.model import Cell, Pattern, Status, Transport, Verdict, VerdictKind

CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
MEASURE = ("gate", "--baseline-lib", "old.so", "-p", "push-pull", "--size", "64", "--quiet")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def invoke(world: Any, *arguments: str, candidate: float = 1.0) -> Result:
    world.speeds = {"baseline": 1.0, "candidate": candidate, "serverlink": candidate}
    return CliRunner().invoke(cli, arguments, obj=world.backend)


def invoke_world(world: Any, *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=world.backend)


def test_a_slower_library_is_code_1_and_says_by_how_much(fake_world: Any) -> None:
    result = invoke(fake_world, *MEASURE, "--lib", "new.so", candidate=1.1)
    assert result.exit_code == 1, result.output
    last = result.stderr.splitlines()[-1]
    assert "candidate in push-pull tcp 64 B takes +" in last
    assert "1 of 1 cell slower" in result.stdout


def test_the_installed_library_is_the_candidate_by_default(fake_world: Any) -> None:
    result = invoke(fake_world, *MEASURE, "--json", candidate=0.8)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert {cell["contender"] for cell in document["cells"]} == {"serverlink"}
    assert {cell["verdict"] for cell in document["cells"]} == {"FASTER"}
    assert document["paired"] is True


def test_the_same_library_passes(fake_world: Any) -> None:
    result = invoke(fake_world, *MEASURE, "--fail-on", "regression,inconclusive")
    assert result.exit_code == 0, result.output
    assert "no regression found in 1 cell" in result.stdout


def test_less_than_the_minimum_effect_passes(fake_world: Any) -> None:
    arguments = (*MEASURE, "--min-effect", "20%")
    assert invoke(fake_world, *arguments, candidate=1.1).exit_code == 0


def test_undecided_is_code_3_only_when_asked(fake_world: Any) -> None:
    fake_world.noise_sd = 0.5
    arguments = (*MEASURE, "--rounds", "8")
    assert invoke(fake_world, *arguments).exit_code == 0
    result = invoke(fake_world, *arguments, "--fail-on", "inconclusive")
    assert result.exit_code == 3
    assert "undecided" in result.stderr.splitlines()[-1]


def test_a_failing_library_is_code_4(fake_world: Any, fail_samples: Any) -> None:
    fake_world.on_sample = fail_samples("serverlink", "lost 3 messages", times=10**6)
    result = invoke(fake_world, *MEASURE)
    assert result.exit_code == 4
    assert "lost 3 messages" in result.stderr.splitlines()[-1]


def test_the_summary_is_markdown_and_githubs_file_grows(
    fake_world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given.md"
    assert invoke(fake_world, *MEASURE, "--summary", str(given), candidate=1.1).exit_code == 1
    lines = given.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "### slkbench gate: 1 of 1 cell slower"
    assert lines[2].startswith("| Cell")
    assert any("**SLOWER**" in line for line in lines)
    github = tmp_path / "github.md"
    github.write_text("# Before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(github))
    assert invoke(fake_world, "gate", "latest").exit_code == 1
    text = github.read_text(encoding="utf-8")
    assert text.startswith("# Before\n### slkbench gate:")


@pytest.mark.parametrize("is_githubs", [False, True])
def test_a_summary_that_cannot_be_written_is_told_before_anything_is_measured(
    fake_world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_githubs: bool
) -> None:
    lost = str(tmp_path / "nowhere" / "summary.md")
    if is_githubs:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", lost)
    result = invoke(fake_world, *MEASURE, *(() if is_githubs else ("--summary", lost)))
    assert result.exit_code == 2
    assert f"cannot write {lost}" in result.stderr.splitlines()[-1]
    assert not fake_world.measured


def test_a_summary_is_there_only_when_something_came_out(fake_world: Any) -> None:
    before = Path("before.md")
    before.write_text("before", encoding="utf-8")
    for name in ("new.md", "before.md"):
        assert invoke(fake_world, "gate", "nothing", "--summary", name).exit_code == 2
    assert not Path("new.md").exists()
    assert before.read_text(encoding="utf-8") == "before"


def test_nothing_decided_is_said_on_stderr(fake_world: Any) -> None:
    passed = invoke(fake_world, *MEASURE)
    assert (passed.exit_code, passed.stderr) == (0, "")
    fake_world.noise_sd = 0.5
    result = invoke(fake_world, *MEASURE, "--rounds", "8", "--json")
    assert result.exit_code == 0
    assert "nothing decided in 1 cell" in result.stderr
    assert "--fail-on regression,inconclusive" in result.stderr
    assert json.loads(result.stdout)["headline"].startswith("nothing decided")


def test_two_stored_runs_are_judged_unpaired(
    fake_world: Any, write_run: Callable[..., Path]
) -> None:
    write_run("before")
    write_run("same", day=1.2)
    write_run("after", {"serverlink": 0.6})
    passed = invoke(fake_world, "gate", "before", "same")
    assert passed.exit_code == 0, passed.output
    assert "unpaired" in passed.stdout
    slower = invoke(fake_world, "gate", "before", "after")
    assert slower.exit_code == 1, slower.output
    asked = ("--fail-on", "none", "--summary", "summary.md", "--quiet")
    assert invoke(fake_world, "gate", "before", "after", *asked).exit_code == 0
    assert "SLOWER" in Path("summary.md").read_text(encoding="utf-8")
    assert invoke(fake_world, "gate", "after", "before").exit_code == 0


@pytest.mark.parametrize(("runs", "code"), [(("before", "same"), 0), (("before", "after"), 1)])
def test_a_reader_that_has_gone_does_not_change_the_code(
    write_run: Callable[..., Path], runs: tuple[str, str], code: int
) -> None:
    write_run("before")
    write_run("same", day=1.2)
    write_run("after", {"serverlink": 0.6})
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "slkbench", "gate", *runs]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert ended.returncode == code, ended.stderr


def test_a_gate_says_what_its_placebo_shows_and_when_it_was_measured(
    fake_world: Any, write_run: Callable[..., Path]
) -> None:
    write_run("before")
    write_run("after")
    both = invoke(fake_world, "gate", "before", "after", "--summary", "both.md").stdout
    assert re.search(r"±\d\.\d%/±\d\.\d%", both)
    assert "session: 2026-01-01 00:00 UTC to 2026-01-01 00:00 UTC" in both
    one = invoke(fake_world, "gate", "after", "--summary", "one.md").stdout
    assert re.search(r" ±\d\.\d%\s", one)
    for word in ("machine: a CPU | 2 CPUs", "session: 2026-01-01 00:00 UTC\n"):
        assert word in one
    text = Path("one.md").read_text(encoding="utf-8")
    assert re.search(r"\| +±\d\.\d% \|", text)
    assert "- Session: 2026-01-01 00:00 UTC" in text
    assert re.search(r"±\d\.\d%/±\d\.\d%", Path("both.md").read_text(encoding="utf-8"))


def test_a_median_of_two_ways_is_marked_and_told(
    fake_world: Any, write_run: Callable[..., Path]
) -> None:
    write_run("before", noise_sd=0.002)
    write_run("after", noise_sd=0.002, two_ways=("serverlink",))
    shown = invoke(fake_world, "gate", "before", "after", "--summary", "summary.md").stdout
    note = (
        "the median of processes that run in two ways: serverlink in push-pull tcp 64 B is: 2.00 M"
    )
    assert f"* {note}" in shown
    assert "(50%) or 1.33 M msg/s (50%)" in shown
    summary = Path("summary.md").read_text(encoding="utf-8")
    assert f"\\* {note}" in summary
    assert "msg/s* |" in summary
    rows = json.loads(invoke(fake_world, "gate", "before", "after", "--json").stdout)["cells"]
    assert [len(modes) for modes in rows[0]["modes"]] == [0, 2]


@pytest.mark.parametrize(
    "arguments",
    [("gate",), ("gate", "--lib", "new.so"), (*MEASURE, "latest"), ("gate", "a", "b", "c")],
)
def test_an_unclear_wish_is_code_2(fake_world: Any, arguments: Sequence[str]) -> None:
    result = invoke(fake_world, *arguments)
    assert result.exit_code == 2
    assert "--baseline-lib" in result.stderr


def test_options_that_measure_are_refused_with_stored_runs(
    fake_world: Any, write_run: Callable[..., Path]
) -> None:
    write_run("before")
    write_run("after")
    result = invoke(fake_world, "gate", "before", "after", "-t", "tcp", "--size", "64")
    assert result.exit_code == 2
    assert "--size, --transport: of no use with stored runs" in result.stderr


def test_a_gate_over_stored_runs_is_narrowed_to_cells(
    fake_world: Any, write_run: Callable[..., Path]
) -> None:
    cells = (CELL, replace(CELL, size_bytes=1024))
    write_run("before", cells=cells)
    write_run("after", {"serverlink": 0.6}, cells=cells)
    for runs in (("before", "after"), ("after",)):
        result = invoke(fake_world, "gate", *runs, "--cells", "tcp 1 KiB", "--json")
        titles = [cell["cell"] for cell in json.loads(result.stdout)["cells"]]
        assert titles == ["push-pull tcp 1 KiB"]
        nothing = invoke(fake_world, "gate", *runs, "--cells", "ipc")
        assert nothing.exit_code == 2
        said = "no cell fits ipc; there are: push-pull tcp 64 B; push-pull tcp 1 KiB"
        assert said in nothing.stderr


def test_a_gate_that_measures_is_narrowed_to_cells(fake_world: Any) -> None:
    arguments = ("gate", "--baseline-lib", "old.so", "-p", "push-pull", "--quiet", "--json")
    result = invoke(
        fake_world, *arguments, "--size", "1k", "-t", "tcp", "-t", "ipc", "--cells", "tcp 1 KiB"
    )
    assert result.exit_code == 0, result.output
    assert {each["cell"] for each in json.loads(result.stdout)["cells"]} == {"push-pull tcp 1 KiB"}


def test_a_gate_that_compared_nothing_does_not_pass_silently(fake_world: Any) -> None:
    arguments = ("run", "-c", "libzmq", "--size", "64", "--rounds", "1", "-q")
    assert invoke_world(fake_world, *arguments).exit_code == 0
    result = invoke_world(fake_world, "gate", "latest")
    assert result.exit_code == 2
    assert "nothing to judge" in result.stderr
    skipped = replace(verdict(1, VerdictKind.INVALID, 1.0), status=Status.SKIPPED)
    gate = gate_verdicts([skipped], run="r", machine="m", min_effect=0.02)
    assert gate.headline == "nothing decided in 1 cell, 1 not measured"
    assert gate_exit_code(gate, frozenset({"inconclusive"})) == (3, "nothing was compared")


def verdict(size: int, kind: VerdictKind, p_value: float) -> Verdict:
    return Verdict(
        cell=replace(CELL, size_bytes=size),
        baseline="baseline",
        contender="candidate",
        kind=kind,
        blocks=8,
        discarded_blocks=0,
        time_ratio=1.1,
        low=1.05,
        high=1.15,
        level=0.99,
        p_value=p_value,
        min_effect=0.02,
        effective_min_effect=0.02,
        status=Status.OK,
    )


def test_one_slow_cell_of_many_may_be_chance() -> None:
    others = [verdict(size, VerdictKind.EQUIVALENT, 0.9) for size in range(1, 20)]
    for p_value, regressions in ((0.04, 0), (0.001, 1)):
        slow = verdict(0, VerdictKind.SLOWER, p_value)
        gate = gate_verdicts([slow, *others], run="r", machine="m", min_effect=0.02)
        assert sum(row.is_regression for row in gate.rows) == regressions
        assert sum(row.is_open for row in gate.rows) == 1 - regressions


def test_a_gate_looks_only_where_a_regression_can_be_told() -> None:
    assert looks_for(1) == (8, 12, 16, 24, 32)
    assert looks_for(2) == (12, 16, 24, 32)
    assert looks_for(30) == (16, 24, 32)
