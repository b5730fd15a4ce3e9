"""The whole way with real processes: the smoke scenario from the command line to a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from slkbench.cli.main import cli
from slkbench.contenders import known_contenders
from slkbench.model import Contender, Layer, Status
from slkbench.store import read_run

pytest.importorskip("slkbench.driver._driver", reason="the native driver is not built")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def contenders() -> list[str]:
    """The native contenders that are installed here."""
    return [
        name
        for name, layer, found in known_contenders()
        if layer is Layer.NATIVE and isinstance(found, Contender)
    ]


def test_smoke_runs_from_the_command_line_to_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contenders: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = [word for name in contenders for word in ("--contender", name)]
    arguments = ["run", "--scenario", "smoke", "--wait", "100s", "--quiet", *chosen]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    (path,) = Path("results").iterdir()
    run = read_run(path)
    measured = [sample for sample in run.samples if sample.status != Status.SKIPPED]
    assert {sample.status for sample in measured} == {Status.OK}
    assert {sample.arm for sample in measured} == {*contenders, "placebo"}
    for sample in measured:
        assert sample.messages == 5_000
        assert (sample.elapsed_ns or 0) > 0
        assert (sample.cpu_ns or 0) > 0
        assert sample.sender_cpus
    assert run.metadata["status"] == "complete"
    hashes = {each["name"]: each["sha256"] for each in run.metadata["libraries"]}
    assert len(hashes["libzmq"]) == 64

    shown = CliRunner().invoke(cli, ["show", "latest", "--json"])
    assert json.loads(shown.stdout)["run"] == path.name
    reported = CliRunner().invoke(cli, ["report"])
    assert reported.exit_code == 0, reported.output
    assert (Path("reports") / path.name / "report.md").is_file()
