"""``slkbench run`` against fake contenders: what it prints, stores and ends with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from slkbench.cli.main import cli
from slkbench.model import Status
from slkbench.store import read_metadata, read_run

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(fake_world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command line in an empty folder, against the fake world."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, obj=fake_world.backend)

    return run


def only_run(folder: Path = Path("results")) -> Path:
    (path,) = folder.iterdir()
    return path


def last_line(result: Result) -> str:
    return result.stderr.strip().splitlines()[-1]


def test_the_main_job_measures_both_patterns_and_says_what_is_next(invoke: Invoke) -> None:
    result = invoke("run", "--transport", "tcp", "--size", "1024", "--seed", "1")
    assert result.exit_code == 0, result.output
    path = only_run()
    for word in ("router-router tcp 1 KiB", "push-pull tcp 1 KiB", "FASTER", "0.50"):
        assert word in result.stdout
    assert f"next: slkbench report {path.name}" in result.stdout
    run = read_run(path)
    assert run.scenario.contenders == ("libzmq", "serverlink", "floor")
    assert {sample.arm for sample in run.samples} == {"libzmq", "serverlink", "floor", "placebo"}
    assert {cell.size_bytes for cell in run.scenario.cells} == {1024}


def test_options_reach_the_scenario(invoke: Invoke) -> None:
    arguments = (
        "run --transport tcp --transport inproc --size 64 --size 8k --pattern push-pull "
        "--contender libzmq --contender serverlink --metric throughput --topology threads "
        "--hwm 0 --io-threads 2 --count 5k --rounds 2 --looks 6,64 --budget 10m --affinity none "
        "--seed 5 --min-effect 3% --timeout 9s --out here --label word --fail-on none --quiet"
    )
    result = invoke(*arguments.split())
    assert result.exit_code == 0, result.output
    path = only_run(Path("here"))
    assert "-word-" in path.name
    scenario = read_run(path).scenario
    assert [(str(c.transport), c.size_bytes) for c in scenario.cells] == [
        ("tcp", 64),
        ("tcp", 8192),
        ("inproc", 64),
        ("inproc", 8192),
    ]
    cell = scenario.cells[0]
    assert (cell.sndhwm, cell.rcvhwm, cell.io_threads, cell.messages) == (0, 0, 2, 5000)
    assert scenario.contenders == ("libzmq", "serverlink")
    assert (scenario.rounds, scenario.looks) == (2, (6, 64))
    assert (scenario.budget_s, scenario.seed) == (600.0, 5)
    assert (scenario.min_effect, scenario.sample_timeout_s) == (0.03, 9.0)
    assert scenario.affinity == ()


def test_quiet_says_nothing_while_it_measures(invoke: Invoke) -> None:
    assert invoke("run", "--rounds", "1", "--quiet").stderr == ""


def test_without_a_terminal_progress_is_plain_lines(invoke: Invoke) -> None:
    error = invoke("run", "--rounds", "8").stderr
    assert error.startswith("slkbench: ")
    assert "serverlink FASTER" in error
    assert "\x1b" not in error


def test_a_scenario_is_narrowed_by_ad_hoc_options(invoke: Invoke) -> None:
    result = invoke(
        *("run", "--scenario", "reference-report", "--transport", "tcp", "--size", "64"),
        *("--rounds", "1", "-q"),
    )
    assert result.exit_code == 0, result.output
    cells = read_run(only_run()).scenario.cells
    assert {(str(c.transport), c.size_bytes, c.messages) for c in cells} == {("tcp", 64, 100_000)}


def test_a_scenario_without_such_a_cell_is_an_error(invoke: Invoke) -> None:
    result = invoke("run", "--scenario", "reference-report", "--size", "63")
    assert result.exit_code == 2
    assert "no cell with size_bytes 63" in last_line(result)


def test_a_brought_library_takes_part(invoke: Invoke, fake_world: Any) -> None:
    fake_world.speeds["mine"] = 1.5
    result = invoke("run", "--lib", "mine=/opt/libzmq.so:zmq", "--rounds", "8", "-q")
    assert result.exit_code == 0, result.output
    metadata = read_metadata(only_run())
    assert metadata["lib_options"] == ["mine=/opt/libzmq.so:zmq"]
    assert metadata["scenario"]["contenders"] == ["libzmq", "serverlink", "floor", "mine"]
    assert "SLOWER" in result.stdout


def test_peers_and_rate_reach_the_cells(invoke: Invoke) -> None:
    crowd = invoke(*["run", "--size", "64", "--senders", "8", "--idle-peers", "9", "--dry-run"])
    assert "push-pull tcp 64 B 8 senders 9 idle: libzmq, serverlink, floor n/a" in crowd.stdout
    paced = invoke(*["run", "--size", "64", "--metric", "paced", "--rate", "10k", "--dry-run"])
    assert "push-pull tcp 64 B paced at 10.0 k msg/s: " in paced.stdout
    rates = ["--metric", "paced", "--rate", "10k,50%,80%", "--dry-run"]
    several = invoke(*["run", "--size", "64", "--pattern", "push-pull", *rates])
    for rate in ("10.0 k msg/s", "50% of what the slowest sustains", "80% of what the slowest"):
        assert f"push-pull tcp 64 B paced at {rate}" in several.stdout
    narrow = ["--scenario", "paced", "--size", "64", "--transport", "tcp"]
    narrowed = invoke(*["run", *narrow, "--rate", "5k,10%", "--dry-run"])
    assert narrowed.stdout.count("paced at ") == 4
    without = invoke(*["run", "--metric", "paced", "--dry-run"])
    assert (without.exit_code, "--rate 10k" in without.stderr) == (2, True)


def test_cells_that_an_option_makes_equal_are_measured_once(invoke: Invoke) -> None:
    narrow = "--transport tcp --pattern push-pull --size 64 --topology threads"
    both = invoke(*f"run --scenario targets {narrow} --dry-run".split())
    one = invoke(*f"run --scenario targets {narrow} --hwm 7 --dry-run".split())
    assert both.stdout.count("push-pull tcp 64 B") == 2
    assert one.stdout.count("push-pull tcp 64 B hwm 7: ") == 1


def test_the_plan_says_when_it_ends_and_how_often_it_is_done(invoke: Invoke) -> None:
    limits = "--target 5% --max-time 1m --budget 5m --sessions 3 --every 20m"
    plan = invoke(*f"run --size 64 {limits} --dry-run".split()).stdout
    assert "within ±5.0% of the ratio, at 32 blocks at the latest, or after 1 min" in plan
    assert "; no block begins after 5 min" in plan
    assert "all of that 3 times, 20 min from start to start" in plan
    alone = invoke("run", "--size", "64", "--every", "20m", "--dry-run")
    assert (alone.exit_code, "--sessions" in last_line(alone)) == (2, True)


def test_dry_run_measures_nothing(invoke: Invoke, fake_world: Any) -> None:
    result = invoke("run", "--dry-run", "--size", "64")
    assert result.exit_code == 0
    assert "router-router tcp 64 B: libzmq, serverlink, floor" in result.stdout
    assert not fake_world.measured
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--size 12x", ("'12x' is not a size", "64k")),
        ("--transport tpc", ("'tpc' is not one of", "tcp")),
        ("--budget soon", ("'soon' is not a duration", "250ms")),
        ("--count few", ("'few' is not a count",)),
        ("--min-effect 2", ("'2' is not a percentage", "2%")),
        ("--affinity 0;1;2", ("affinity", "none")),
        ("--affinity 4711", ("CPU 4711", "this process may use")),
        ("--fail-on weather", ("'weather' is not one of", "regression")),
        ("--scenario refrence-report", ("no scenario 'refrence-report'", "reference-report")),
        ("--contender nonesuch", ("no contender 'nonesuch'",)),
        ("--resume", ("no run 'latest'",)),
        ("--resume elsewhere", ("no run 'elsewhere'",)),
        ("--resume --rounds 3", ("--rounds cannot change", "--budget")),
        ("--rounds 0", ("0 is not in the range",)),
        ("--looks 8,x", ("'x' is not allowed", "whole number, 6 or more")),
        ("--looks 16,8", ("does not ascend", "[8, 12, 16]")),
        ("--resume --looks 8,64", ("--looks cannot change",)),
        ("--wait never", ("'never' is not a duration",)),
        ("--budget 99999999999999999h", ("is not a duration", "up to 10000h")),
        ("--label ../../x", ("'../../x' is not a label", "letters, digits")),
        ("--label a--b", ("'a--b' is not a label", "single hyphens")),
        ("--label .", ("'.' is not a label",)),
        (f"--label {'x' * 101}", ("is not a label", "100 at most")),
    ],
)
def test_bad_input_is_code_2_and_says_what_is_allowed(
    invoke: Invoke, arguments: str, words: tuple[str, ...]
) -> None:
    result = invoke("run", *arguments.split())
    assert result.exit_code == 2
    for word in words:
        assert word in last_line(result)
    assert "Traceback" not in result.output
    assert not Path("results").exists()


def test_an_unknown_scenario_key_is_named_with_the_nearest(invoke: Invoke) -> None:
    Path("my.toml").write_text(
        '[scenario]\nquestion = "?"\nbugdet = "1m"\n[[cells]]\ntransport = "tcp"\n',
        encoding="utf-8",
    )
    result = invoke("run", "--scenario", "my.toml")
    assert result.exit_code == 2
    for word in ("my.toml", "bugdet", "budget"):
        assert word in last_line(result)


def test_an_unwritable_folder_is_code_2(invoke: Invoke) -> None:
    Path("results").write_text("in the way", encoding="utf-8")
    result = invoke("run", "--rounds", "1")
    assert result.exit_code == 2
    assert "--out" in last_line(result)


def test_a_failing_contender_is_code_4_with_its_reason(
    invoke: Invoke, fake_world: Any, fail_samples: Callable[..., Any]
) -> None:
    fake_world.on_sample = fail_samples("serverlink", "lost 3 of 1000 messages", times=10**6)
    result = invoke("run", "--pattern", "push-pull")
    assert result.exit_code == 4
    assert "FAILED" in result.stdout
    assert "lost 3 of 1000 messages" in last_line(result)
    assert any(sample.status == Status.FAILED for sample in read_run(only_run()).samples)


def test_failures_can_be_ignored(
    invoke: Invoke, fake_world: Any, fail_samples: Callable[..., Any]
) -> None:
    fake_world.on_sample = fail_samples("serverlink", "crashed", times=10**6)
    assert invoke("run", "--pattern", "push-pull", "--fail-on", "none").exit_code == 0


def test_a_regression_is_code_1_only_when_asked(invoke: Invoke, fake_world: Any) -> None:
    fake_world.speeds["serverlink"] = 1.5
    assert invoke("run", "--pattern", "push-pull").exit_code == 0
    result = invoke("run", "--pattern", "push-pull", "--fail-on", "failure,regression")
    assert result.exit_code == 1
    assert "serverlink in push-pull tcp 1 KiB is slower than libzmq" in last_line(result)


def test_an_open_question_is_code_3_only_when_asked(invoke: Invoke) -> None:
    assert invoke("run", "--rounds", "2").exit_code == 0
    result = invoke("run", "--rounds", "2", "--fail-on", "inconclusive")
    assert result.exit_code == 3
    assert "INCONCLUSIVE" in last_line(result)


def test_an_open_question_has_its_reason_and_how_many_blocks_it_takes(
    invoke: Invoke, fake_world: Any
) -> None:
    fake_world.speeds["serverlink"] = 1.0
    fake_world.noise_sd = 0.1
    one_cell = ("--size", "64", "--pattern", "push-pull")
    result = invoke("run", *one_cell, "--rounds", "8", "--seed", "2", "-q")
    assert re.search(r"INCONCLUSIVE~.*\(.*direction.*; needs ~[\d,]+ blocks\)", result.stdout)


def test_unlike_conditions_are_code_5_only_when_asked(invoke: Invoke, fake_world: Any) -> None:
    from dataclasses import replace

    def unlike(_number: int, _cell: Any, slot: Any, sample: Any) -> Any:
        return replace(sample, options=json.dumps({"SNDHWM": slot.arm.contender.name}))

    fake_world.on_sample = unlike
    assert invoke("run", "--rounds", "1").exit_code == 0
    result = invoke("run", "--rounds", "1", "--fail-on", "unfair")
    assert result.exit_code == 5
    assert "SNDHWM" in last_line(result)


def test_ctrl_c_is_code_130_and_resume_goes_on(invoke: Invoke, fake_world: Any) -> None:
    def interrupt(number: int, _cell: Any, _slot: Any, sample: Any) -> Any:
        if number == 40:
            raise KeyboardInterrupt
        return sample

    fake_world.on_sample = interrupt
    result = invoke("run", "--rounds", "8")
    assert result.exit_code == 130
    path = only_run()
    assert f"slkbench run --resume {path}" in last_line(result)

    fake_world.on_sample = lambda _number, _cell, _slot, sample: sample
    result = invoke("run", "--resume")
    assert result.exit_code == 0, result.output
    assert only_run() == path
    assert read_metadata(path)["status"] == "complete"
    assert invoke("run", "--resume", path.name).exit_code == 2


def test_a_run_whose_budget_is_spent_goes_on_with_a_larger_one(
    invoke: Invoke, fake_world: Any
) -> None:
    fake_world.noise_sd = 0.3
    assert invoke("run", "--budget", "10s").exit_code == 0
    before = len(read_run(only_run()).samples)
    result = invoke("run", "--resume")
    assert result.exit_code == 2
    assert "--budget gives it more" in last_line(result)
    assert invoke("run", "--resume", "--budget", "20s").exit_code == 0
    assert len(read_run(only_run()).samples) > before


def test_a_named_scenario_must_be_the_one_that_is_resumed(invoke: Invoke, fake_world: Any) -> None:
    fake_world.noise_sd = 0.3
    assert invoke("run", "--scenario", "smoke").exit_code == 0
    result = invoke("run", "--scenario", "patterns", "--resume", "--budget", "1h")
    assert result.exit_code == 2
    assert "measures something else" in last_line(result)


def test_another_run_on_the_machine_is_code_2_or_124_after_waiting(
    invoke: Invoke, fake_world: Any
) -> None:
    from slkbench.runner.lock import machine_lock

    with machine_lock(fake_world.lock_file):
        result = invoke("run", "--rounds", "1")
        assert result.exit_code == 2
        assert "--wait" in last_line(result)
        result = invoke("run", "--rounds", "1", "--wait", "50ms")
        assert result.exit_code == 124
    assert invoke("run", "--rounds", "1", "--wait", "1s").exit_code == 0
    assert invoke("run", "--rounds", "1", "--wait", "--size", "64").exit_code == 0


def test_an_unexpected_error_is_short_unless_debugged(invoke: Invoke, fake_world: Any) -> None:
    def break_down(*_arguments: Any) -> Any:
        raise RuntimeError("boom")

    fake_world.on_sample = break_down
    result = invoke("run", "--rounds", "1")
    assert result.exit_code == 1
    assert "RuntimeError: boom" in last_line(result)
    assert "Traceback" not in result.output
    debugged = invoke("--debug", "run", "--rounds", "1")
    assert isinstance(debugged.exception, RuntimeError)
