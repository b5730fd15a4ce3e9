"""``history``: steps that are there are found, others are not, and runs are not mixed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from scipy.stats import binom

from slkbench.across.history import FEWEST_FOR_STEPS, Point, Step, find_steps
from slkbench.cli.main import cli

pytest.importorskip("ruptures")

MakeRun = Callable[..., Path]
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def points(logs: Any) -> tuple[Point, ...]:
    return tuple(
        Point(f"run-{n}", "", "1.0", "b", math.exp(value), None, None, 8)
        for n, value in enumerate(logs)
    )


def starts(steps: tuple[Step, ...]) -> list[int]:
    return [step.index for step in steps]


LAWS: dict[str, Draw] = {
    "normal": lambda rng, count: rng.normal(0, 0.03, count),
    "heavy tails": lambda rng, count: 0.02 * rng.standard_t(3, count),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("count", [FEWEST_FOR_STEPS, 20])
def test_noise_alone_rarely_steps(law: str, count: int) -> None:
    rng = np.random.default_rng(count)
    series = 100
    found = sum(bool(find_steps(points(LAWS[law](rng, count)))) for _ in range(series))
    assert found <= binom.ppf(1 - 1e-4, series, 0.05)


def test_a_step_well_above_the_noise_is_found_where_it_is() -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        logs = rng.normal(0, 0.01, 20)
        logs[12:] += 0.1
        (step,) = find_steps(points(logs))
        assert abs(step.index - 12) <= 1
        assert step.ratio == pytest.approx(math.exp(0.1), abs=0.03)


def test_up_and_down_are_two_steps_and_one_bad_run_is_none() -> None:
    rng = np.random.default_rng(8)
    logs = rng.normal(0, 0.01, 24)
    logs[8:16] += 0.2
    assert starts(find_steps(points(logs))) == [8, 16]
    outlier = rng.normal(0, 0.01, 16)
    outlier[7] += 0.5
    assert find_steps(points(outlier)) == ()


def test_too_few_runs_have_no_steps() -> None:
    assert find_steps(points([0.0] * 3 + [1.0] * (FEWEST_FOR_STEPS - 4))) == ()


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["history", *arguments])


@pytest.fixture
def make_run(write_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    monkeypatch.chdir(tmp_path)
    return write_run


def test_a_library_that_became_slower_is_seen_in_table_and_chart(
    make_run: MakeRun, tmp_path: Path
) -> None:
    for number in range(10):
        version = "1.0" if number < 5 else "1.1"
        make_run(
            f"run{number}",
            {"serverlink": 0.5 if number < 5 else 0.56},
            day=1.0 + 0.3 * (number % 3),
            blocks=6,
            builds={"serverlink": version},
        )
    result = invoke("--out", "charts")
    assert result.exit_code == 0, result.output
    assert "charts/history-1.png" in result.stdout
    assert (tmp_path / "charts" / "history-1.png").read_bytes().startswith(b"\x89PNG")
    (series,) = json.loads(invoke("--json").stdout)
    assert (series["contender"], series["reference"]) == ("serverlink", "libzmq")
    (row,) = [line for line in result.stdout.splitlines() if "push-pull tcp 64 B" in line]
    assert "1.0, 1.1" in row
    assert "(1.1 " in row
    (step,) = series["steps"]
    assert step["index"] == 5
    assert step["ratio"] == pytest.approx(1.12, rel=0.03)


def test_machines_workloads_and_baseline_builds_are_not_mixed(make_run: MakeRun) -> None:
    make_run("one", blocks=2)
    make_run("two", blocks=2)
    make_run("elsewhere", blocks=2, machine={"fingerprint": "another CPU"})
    make_run("longer", blocks=2, min_time_s=1.0)
    make_run("newer", blocks=2, builds={"libzmq": "2.0"})
    document = json.loads(invoke("--json").stdout)
    assert sorted(len(series["points"]) for series in document) == [1, 1, 1, 2]
    assert all(series["too_short"] for series in document)


def test_what_was_measured_once_stands_in_no_table_of_trends(make_run: MakeRun) -> None:
    make_run("one", blocks=2)
    make_run("two", blocks=2)
    make_run("longer", blocks=2, min_time_s=1.0)
    result = invoke("--out", "charts")
    assert "samples of 1 s" not in result.stdout
    assert "1 more series have one run" in result.stdout


def test_an_unknown_contender_is_named_with_the_known(make_run: MakeRun) -> None:
    make_run("one", blocks=2)
    result = invoke("--contender", "nng")
    assert result.exit_code == 2
    assert "no run has a contender 'nng', only libzmq, serverlink" in result.stderr


def test_too_few_runs_are_said_plainly(make_run: MakeRun) -> None:
    make_run("one", blocks=2)
    result = invoke()
    assert result.exit_code == 0, result.output
    assert "too few runs (1)" in result.stdout
    assert "8 are needed" in result.stdout
    assert "no chart: no series has two runs" in result.stdout


def test_a_machine_with_one_run_has_a_table_beside_one_with_a_trend(make_run: MakeRun) -> None:
    for name in ("one", "two"):
        make_run(name, blocks=2)
    make_run("alone", blocks=2, machine={"fingerprint": "another CPU", "cpus": 4})
    shown = invoke().stdout
    assert "another CPU\n" in shown
    assert shown.count("serverlink") == 2
    assert "too few runs (1)" in shown


def test_a_run_without_a_figure_is_said_plainly(make_run: MakeRun) -> None:
    make_run("one", blocks=0)
    result = invoke()
    assert result.exit_code == 0, result.output
    assert "there is no series" in result.stdout


def test_a_damaged_run_is_left_out_and_named(make_run: MakeRun) -> None:
    make_run("one", blocks=2)
    damaged = make_run("two", blocks=2)
    (damaged / "run.json").write_text("{", encoding="utf-8")
    result = invoke("--json")
    assert result.exit_code == 0
    assert "left out:" in result.stderr
    assert len(json.loads(result.stdout)) == 1


def test_a_folder_without_runs_is_code_2(make_run: MakeRun, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert invoke(str(empty)).exit_code == 2
