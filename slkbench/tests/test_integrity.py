"""A run that was cut short or edited is refused with file, line, column and what belongs there."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from slkbench.cli.main import cli
from slkbench.model import Cell, Pattern, Scenario, Transport
from slkbench.runner.session import Request, run_request
from slkbench.store import list_runs, read_run

Rows = list[list[str]]
RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_world: Any) -> Path:
    """A complete run of two cells in the current folder's ``results``."""
    monkeypatch.chdir(tmp_path)
    cells = tuple(Cell(p, Transport.TCP, 64, messages=1000) for p in Pattern)
    scenario = Scenario("test", "?", cells, seed=1, rounds=2, affinity=())
    return run_request(Request(scenario), backend=fake_world.backend).path


def edited(column: str, value: str, line: int = 3) -> Callable[[Rows], None]:
    def edit(rows: Rows) -> None:
        rows[line - 1][rows[0].index(column)] = value

    return edit


def repeat(rows: Rows) -> None:
    rows.insert(6, rows[3])


def cut(rows: Rows) -> None:
    del rows[20:]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            edited("status", "okay"),
            "line 3: column status holds 'okay' instead of OK or FAILED or INVALID or SKIPPED",
        ),
        (
            edited("rate_msgs_per_s", "9e9"),
            "line 3: column rate_msgs_per_s holds 9000000000.0 instead of ",
        ),
        (edited("elapsed_ns", "1"), "line 3: column rate_msgs_per_s holds "),
        (
            edited("size_bytes", "65"),
            "line 3: column size_bytes holds 65 instead of 64, as the scenario in run.json has it.",
        ),
        (
            edited("pattern", "push-pul"),
            "line 3: column pattern holds 'push-pul' instead of router-router or push-pull.",
        ),
        (edited("run_id", "other"), "line 3: column run_id holds 'other' instead of '2"),
        (
            edited("steal_fraction", "-0.5"),
            "line 3: column steal_fraction holds -0.5 instead of a number that is not negative.",
        ),
        (
            edited("block", "1_0"),
            "line 3: column block holds '1_0' instead of a whole number.",
        ),
        (
            edited("cpu_ns", "nan"),
            "line 3: column cpu_ns holds 'nan' instead of a whole number.",
        ),
        (repeat, "line 7: it repeats line 4: "),
        (
            cut,
            "line 21: the table ends after 19 rows, and run.json says that 32 were stored.",
        ),
    ],
)
def test_an_edited_table_is_refused(
    run: Path, fake_world: Any, edit: Callable[[Rows], None], said: str
) -> None:
    file = run / "samples.csv"
    with file.open(newline="") as opened:
        rows = list(csv.reader(opened))
    edit(rows)
    with file.open("w", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows(rows)
    for verb in (["show", "latest"], ["report"], ["run", "--resume"]):
        result = CliRunner().invoke(cli, verb, obj=fake_world.backend)
        assert result.exit_code == 2
        assert f"samples.csv, {said}" in result.stderr
        assert "restore it from a copy" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"name": "a",\n "library": ', "line 2, column 13 is not JSON"),
        ('[{"name": "a", "library": "b", "variant": "c"}, {"name": "a"}]', "build 2 has no "),
        ('"builds"', "build 1 has no library, variant and name"),
        ("[" * 100_000, "cannot read "),
    ],
)
def test_a_damaged_list_of_builds_is_refused(run: Path, text: str, said: str) -> None:
    (run / "builds.json").write_text(text)
    result = CliRunner().invoke(cli, ["report"])
    assert result.exit_code == 2
    assert "builds.json" in result.stderr
    assert said in result.stderr


def test_runs_that_are_committed_are_whole() -> None:
    for path in list_runs(RESULTS):
        assert read_run(path).samples
