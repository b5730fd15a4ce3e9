"""``show``, ``list`` and ``report``: reading what there is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import slkbench.report
from slkbench.cli.main import cli
from slkbench.model import Cell, Pattern, ProfileRow, Scenario, Transport
from slkbench.runner.profile_folder import ProfileFolder
from slkbench.runner.session import Request, run_request

CELL_KEYS = {
    "cell",
    "pattern",
    "transport",
    "size_bytes",
    "layer",
    "topology",
    "metric",
    "io_threads",
    "sndhwm",
    "rcvhwm",
    "senders",
    "receivers",
    "idle_peers",
    "offered_msgs_per_s",
    "baseline",
    "contender",
    "blocks",
    "time_ratio",
    "low",
    "high",
    "level",
    "verdict",
    "status",
    "rates",
    "placebo",
}


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_world: Any) -> Path:
    """A stored run in the current folder's ``results``."""
    monkeypatch.chdir(tmp_path)
    cells = (Cell(Pattern.PUSH_PULL, Transport.TCP, 64),)
    scenario = Scenario("test", "?", cells, seed=1, affinity=())
    return run_request(Request(scenario), backend=fake_world.backend).path


def test_json_is_the_documented_form(stored: Path) -> None:
    result = invoke("show", "latest", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["run"], document["status"]) == (stored.name, "complete")
    assert "serverlink" in document["holds_for"]
    (cell,) = document["cells"]
    assert set(cell) >= CELL_KEYS
    assert (cell["baseline"], cell["contender"]) == ("libzmq", "serverlink")
    assert (cell["verdict"], cell["status"], cell["blocks"]) == ("FASTER", "OK", 8)
    assert cell["low"] < cell["time_ratio"] < cell["high"] < 1
    assert cell["level"] == pytest.approx(0.99)
    assert set(cell["rates"]) == {"libzmq", "serverlink", "floor"}
    assert cell["placebo"]["low"] < cell["placebo"]["ratio"] < cell["placebo"]["high"]


def test_what_is_not_known_is_null(tmp_path: Path, fake_world: Any, fail_samples: Any) -> None:
    fake_world.on_sample = fail_samples("serverlink", "crashed", times=10**6)
    cells = (Cell(Pattern.PUSH_PULL, Transport.TCP, 64),)
    scenario = Scenario("test", "?", cells, seed=1, affinity=())
    path = run_request(Request(scenario, results=tmp_path), backend=fake_world.backend).path
    (cell,) = json.loads(invoke("show", str(path), "--json").stdout)["cells"]
    assert cell["status"] == "FAILED"
    assert "crashed" in cell["reason"]
    assert cell["time_ratio"] is None
    assert cell["placebo"] == {"ratio": None, "low": None, "high": None}


def test_a_run_is_shown_as_a_table(stored: Path) -> None:
    result = invoke("show", stored.name)
    assert result.exit_code == 0
    for word in ("push-pull tcp 64 B", "FASTER", "complete", "placebo: within"):
        assert word in result.stdout


def count_instructions(run: Path, counts: dict[str, float]) -> None:
    """A profile of the run in which each contender has so many instructions per message."""
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
    folder = ProfileFolder(run, "instructions", {})
    folder.add(
        [
            ProfileRow(
                tool="instructions",
                contender=name,
                pattern=cell.pattern,
                transport=cell.transport,
                size_bytes=cell.size_bytes,
                role="all",
                quantity="instructions",
                count=count * 1000,
                messages=1000,
                per_message=count,
                spread=0.001,
                workload="lockstep",
            )
            for name, count in counts.items()
        ]
    )
    folder.end("complete")


def test_instructions_that_were_counted_have_a_verdict_beside_time(
    stored: Path, tmp_path: Path
) -> None:
    assert "instr/msg" not in invoke("show", stored.name).stdout
    (cell,) = json.loads(invoke("show", stored.name, "--json").stdout)["cells"]
    assert cell["instructions"] is None
    count_instructions(stored, {"libzmq": 1000.0, "serverlink": 1200.0})
    shown = invoke("show", stored.name).stdout
    assert "instr/msg" in shown
    assert "+20.0% SLOWER" in shown
    assert "instructions per message are more: SLOWER (+20.0%)" in shown
    document = json.loads(invoke("show", stored.name, "--json").stdout)
    record = document["cells"][0]["instructions"]
    assert (record["ratio"], record["verdict"]) == (1.2, "SLOWER")
    assert 1.19 < record["low"] < record["ratio"] < record["high"] < 1.21
    assert "time-and-instructions-disagree" in {each["code"] for each in document["findings"]}
    assert invoke("report", stored.name, "--format", "md").exit_code == 0
    report = (tmp_path / "reports" / stored.name / "report.md").read_text(encoding="utf-8")
    section = report.split("## Instructions\n")[1].split("\n## ")[0]
    assert "SLOWER" in section
    assert "FASTER" in section


def test_what_to_distrust_is_shown_with_its_remedy(stored: Path, fake_world: Any) -> None:
    fake_world.noise_sd = 0.3
    cells = (Cell(Pattern.PUSH_PULL, Transport.TCP, 64),)
    scenario = Scenario("noisy", "?", cells, seed=1, affinity=(), rounds=6)
    path = run_request(Request(scenario), backend=fake_world.backend).path
    assert "; more blocks (--rounds), longer samples" in invoke("show", path.name).stdout
    for verb in ("show", "export"):
        arguments = (verb, path.name, *(("--json",) if verb == "show" else ()))
        findings = json.loads(invoke(*arguments).stdout)["findings"]
        assert "unstable" in {each["code"] for each in findings}
        assert all(each["subject"] and each["evidence"] and each["remedy"] for each in findings)


def test_a_scenario_is_shown_with_its_cells() -> None:
    result = invoke("show", "reference-report")
    assert result.exit_code == 0
    assert "router-router inproc 64 KiB hwm 0, 1000 messages" in result.stdout
    assert json.loads(invoke("show", "smoke", "--json").stdout)["name"] == "smoke"


def test_neither_run_nor_scenario_is_code_2_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("show", "defualt")
    assert result.exit_code == 2
    assert "Did you mean the scenario default?" in result.stderr.splitlines()[-1]


def test_list_tells_of_scenarios_contenders_and_runs(stored: Path) -> None:
    result = invoke("list")
    assert result.exit_code == 0
    for word in ("reference-report", "floor", f"{stored.name} complete"):
        assert word in " ".join(result.stdout.split())
    assert "Scenarios" not in invoke("list", "runs").stdout


@pytest.mark.parametrize(("held", "word"), [(True, "running"), (False, "cut off")])
def test_a_run_that_was_killed_is_not_listed_as_running(
    stored: Path, monkeypatch: pytest.MonkeyPatch, held: bool, word: str
) -> None:
    record = stored / "run.json"
    text = record.read_text(encoding="utf-8")
    record.write_text(text.replace('"complete"', '"running"'), encoding="utf-8")
    monkeypatch.setattr("slkbench.runner.lock.is_held", lambda: held)
    assert f"{stored.name} {word}" in " ".join(invoke("list", "runs").stdout.split())


def test_a_damaged_run_does_not_hide_the_others(stored: Path) -> None:
    damaged = stored.with_name("0-damaged")
    damaged.mkdir()
    (damaged / "samples.csv").write_text("", encoding="utf-8")
    (damaged / "run.json").write_text("{", encoding="utf-8")
    result = invoke("list", "runs")
    assert result.exit_code == 0
    assert "unreadable" in result.stdout
    assert stored.name in result.stdout


def test_report_hands_over_what_was_named(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def render(runs: Sequence[Path], out: Path, formats: Sequence[str]) -> list[Path]:
        seen.append((list(runs), out, tuple(formats)))
        return [out / "report.md"]

    monkeypatch.setattr(slkbench.report, "render_report", render)
    result = invoke("report")
    assert result.exit_code == 0, result.output
    assert result.stdout == "reports/report.md\n"
    invoke("report", stored.name, "--format", "md", "--out", "there")
    relative = Path("results") / stored.name
    assert seen == [
        ([relative], Path("reports"), ("md", "png")),
        ([relative], Path("there"), ("md",)),
    ]


def test_report_refuses_what_it_does_not_know(stored: Path) -> None:
    assert stored.exists()
    result = invoke("report", "--format", "pdf")
    assert (result.exit_code, "md, png" in result.stderr) == (2, True)
    result = invoke("report", "elsewhere")
    assert result.exit_code == 2
    assert "no run 'elsewhere'" in result.stderr.splitlines()[-1]
