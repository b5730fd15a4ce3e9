"""``compare`` and ``export``: stored runs in, tables and other tools' formats out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slkbench.cli.main import cli
from slkbench.model import Cell, Metric, Pattern, Transport

CELLS = (Cell(Pattern.PUSH_PULL, Transport.TCP, 64), Cell(Pattern.PUSH_PULL, Transport.INPROC, 64))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(write_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """``write_run``, with its folder as the current one."""
    monkeypatch.chdir(tmp_path)
    return write_run


def test_a_slower_library_is_told_with_an_interval(make_run: MakeRun) -> None:
    make_run("before", cells=CELLS)
    make_run("after", {"serverlink": 0.55}, cells=CELLS)
    result = invoke("compare", "before", "after", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [cell["cell"] for cell in document["cells"]] == [cell.title for cell in CELLS]
    for cell in document["cells"]:
        assert (cell["contender"], cell["reference"]) == ("serverlink", "libzmq")
        assert (cell["verdict"], cell["counts"]) == ("SLOWER", [8, 8])
        assert 1.02 < cell["low"] < 1.1 < cell["high"] < 1.2
        assert cell["control"]["low"] < 1 < cell["control"]["high"]
    assert "unpaired" in document["warnings"][0]
    table = invoke("compare", "before", "after").stdout
    for word in ("SLOWER", "push-pull tcp 64 B", "intervals at 95%", "unpaired, and weaker"):
        assert word in table


def test_a_row_has_the_placebo_of_both_runs_and_a_run_its_session(make_run: MakeRun) -> None:
    make_run("before", noise_sd=0.001)
    make_run("after", noise_sd=0.02)
    shown = invoke("compare", "before", "after").stdout
    assert re.search(r"±0\.\d%/±[1-9]\.\d%", shown)
    assert shown.count(", the session of 2026-01-01 00:00 UTC\n") == 2
    document = json.loads(invoke("compare", "before", "after", "--json").stdout)
    assert document["sessions"] == ["2026-01-01 00:00 UTC"] * 2
    quiet, noisy = document["cells"][0]["placebos"]
    assert 0 < quiet < 0.01 < noisy


def test_a_median_of_two_ways_is_marked_and_told(make_run: MakeRun) -> None:
    make_run("before", noise_sd=0.002)
    make_run("after", noise_sd=0.002, two_ways=("serverlink",))
    shown = invoke("compare", "before", "after").stdout
    assert shown.count("msg/s*") == 1
    assert (
        "* the median of processes that run in two ways: serverlink in push-pull tcp 64 B" in shown
    )
    assert "second run: 2.00 M msg/s (50%) or 1.33 M msg/s (50%)" in shown
    (cell,) = json.loads(invoke("compare", "before", "after", "--json").stdout)["cells"]
    assert [len(modes) for modes in cell["modes"]] == [0, 2]
    assert "two ways" not in invoke("compare", "before", "after", "-c", "libzmq").stdout


def test_percentiles_of_two_ways_are_marked(make_run: MakeRun) -> None:
    cells = (replace(CELLS[0], metric=Metric.ROUND_TRIP),)
    make_run("before", cells=cells, noise_sd=0.002)
    make_run("after", cells=cells, noise_sd=0.002, two_ways=("serverlink",))
    shown = invoke("compare", "before", "after").stdout
    where = r"p90 of serverlink in push-pull tcp 64 B round-trip, second run:"
    assert re.search(rf"{where} (999 ns|1\.00 µs) \(50%\) or 1\.\d+ µs \(50%\)", shown)


def test_swapping_the_runs_swaps_the_verdict(make_run: MakeRun) -> None:
    make_run("before", cells=CELLS)
    make_run("after", {"serverlink": 0.55}, cells=CELLS)
    there = json.loads(invoke("compare", "before", "after", "--json").stdout)["cells"]
    back = json.loads(invoke("compare", "after", "before", "--json").stdout)["cells"]
    for one, other in zip(there, back, strict=True):
        assert other["verdict"] == "FASTER"
        assert one["time_ratio"] * other["time_ratio"] == pytest.approx(1.0)
        assert one["low"] * other["high"] == pytest.approx(1.0)


def test_times_are_compared_where_the_baseline_is_another_build(make_run: MakeRun) -> None:
    make_run("before")
    make_run("after", builds={"libzmq": "2.0"})
    result = invoke("compare", "before", "after")
    assert result.exit_code == 0, result.output
    assert "differs: library: libzmq (native) version was 1.0, is 2.0" in result.stdout
    assert "times are compared as they are" in result.stdout
    cells = json.loads(invoke("compare", "before", "after", "--json").stdout)["cells"]
    assert {cell["reference"] for cell in cells} == {None}
    assert {cell["contender"] for cell in cells} == {"libzmq", "serverlink"}


@pytest.mark.parametrize("barrier", ["machine", "placement"])
def test_unlike_machines_and_workloads_are_refused(make_run: MakeRun, barrier: str) -> None:
    make_run("before")
    other = {
        "machine": {"fingerprint": "another CPU | 2 CPUs"},
        "placement": {"sender_cpus": [7], "receiver_cpus": []},
    }
    make_run("after", **{barrier: other[barrier]})
    result = invoke("compare", "before", "after")
    assert result.exit_code == 2
    assert barrier in result.stderr.splitlines()[-1]
    assert "--force" in result.stderr.splitlines()[-1]
    forced = invoke("compare", "before", "after", "--force")
    assert forced.exit_code == 0
    assert "forced: what changed may be the machine or the workload" in forced.stdout


def test_another_workload_is_refused_and_no_common_cell_even_when_forced(
    make_run: MakeRun,
) -> None:
    make_run("before")
    make_run("longer", min_time_s=0.5)
    result = invoke("compare", "before", "longer")
    assert (result.exit_code, "calibrated to 0.5 s" in result.stderr) == (2, True)
    make_run("other", cells=(replace(CELLS[0], size_bytes=65),))
    result = invoke("compare", "before", "other", "--force")
    assert (result.exit_code, "no cell in common" in result.stderr) == (2, True)


def test_a_refusal_counts_the_cells_that_differ_alike(make_run: MakeRun) -> None:
    cells = tuple(replace(CELLS[0], size_bytes=size) for size in (1, 2, 3, 4))
    make_run("before", cells=cells, blocks=2)
    make_run("longer", cells=cells, blocks=2, min_time_s=0.5, machine={"fingerprint": "another"})
    last = invoke("compare", "before", "longer").stderr.splitlines()[-1]
    assert "machine: it was a CPU | 2 CPUs, is another" in last
    assert "push-pull tcp 1 B, push-pull tcp 2 B and 2 more was calibrated to 0.25 s" in last
    assert last.count("calibrated to 0.5 s") == 1


def test_a_run_and_itself_are_refused(make_run: MakeRun) -> None:
    path = make_run("before")
    result = invoke("compare", "before", str(path))
    assert (result.exit_code, f"both names mean the run {path.name}" in result.stderr) == (2, True)


def test_runs_of_a_baseline_alone_are_compared_and_an_unfinished_one_is_named(
    make_run: MakeRun,
) -> None:
    before, after = make_run("before"), make_run("after", status="interrupted", day=1.3)
    for path in (before, after):
        rows = (path / "samples.csv").read_text(encoding="utf-8").splitlines()
        kept = [row for row in rows if ",serverlink," not in row]
        (path / "samples.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    result = invoke("compare", "before", "after", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    (cell,) = document["cells"]
    assert (cell["contender"], cell["reference"], cell["verdict"]) == ("libzmq", None, "SLOWER")
    assert any(f"{after.name} is interrupted" in each for each in document["warnings"])
    assert cell["cpu"]["ratio"] is None or cell["cpu"]["ratio"] > 0


def test_round_trips_are_shown_as_times(make_run: MakeRun) -> None:
    cells = (replace(CELLS[0], metric=Metric.ROUND_TRIP),)
    make_run("before", cells=cells)
    make_run("after", cells=cells)
    table = invoke("compare", "before", "after").stdout
    assert "msg/s" not in table
    assert " ns" in table


def test_tails_of_round_trips_are_compared_where_both_runs_have_them(make_run: MakeRun) -> None:
    cells = (replace(CELLS[0], metric=Metric.ROUND_TRIP), CELLS[1])
    make_run("before", cells=cells)
    make_run("after", {"serverlink": 0.65}, cells=cells)
    document = json.loads(invoke("compare", "before", "after", "--json").stdout)
    # No process has a p99.9 here, and a stream has no round trips.
    assert [each["percentile"] for each in document["percentiles"]] == ["p90", "p99"]
    for each, times in zip(document["percentiles"], (2, 3), strict=True):
        assert (each["cell"], each["verdict"]) == (cells[0].title, "SLOWER")
        assert each["low"] < 1.3 < each["high"]
        assert each["times_ns"][0] == pytest.approx(500 * times, rel=0.03)
        assert each["min_effect"] == (0.05 if each["percentile"] == "p90" else 0.10)
    text = invoke("compare", "before", "after").stdout
    assert "p99" in text
    narrow = invoke("compare", "before", "after", "--cells", "inproc 64 B")
    assert narrow.exit_code == 0
    assert "p99" not in narrow.stdout


def test_an_unknown_contender_is_named_with_the_known(make_run: MakeRun) -> None:
    make_run("before")
    make_run("after")
    result = invoke("compare", "before", "after", "--contender", "nng")
    assert result.exit_code == 2
    assert "no contender 'nng', only libzmq, serverlink" in result.stderr


def test_json_export_has_verdicts_and_medians(make_run: MakeRun) -> None:
    make_run("run", cells=CELLS)
    document = json.loads(invoke("export", "run").stdout)
    assert [each["verdict"] for each in document["cells"]] == ["FASTER", "FASTER"]
    assert len(document["arms"]) == 4
    assert all(arm["low_ns"] < arm["median_ns"] < arm["high_ns"] for arm in document["arms"])


def test_bencher_export_is_metric_format(make_run: MakeRun) -> None:
    make_run("run", cells=CELLS)
    document = json.loads(invoke("export", "run", "--format", "bencher").stdout)
    benchmark = document["push-pull tcp 64 B, serverlink"]
    assert set(benchmark) == {"latency", "throughput", "time-ratio"}
    for measure in benchmark.values():
        assert set(measure) == {"value", "lower_value", "upper_value"}
        assert measure["lower_value"] < measure["value"] < measure["upper_value"]
    assert benchmark["latency"]["value"] == pytest.approx(500, rel=0.05)
    assert benchmark["throughput"]["value"] == pytest.approx(2e6, rel=0.05)


def test_bencher_export_of_round_trips_has_the_tails_that_are_known(make_run: MakeRun) -> None:
    cells = (replace(CELLS[0], metric=Metric.ROUND_TRIP),)
    make_run("run", cells=cells)
    document = json.loads(invoke("export", "run", "--format", "bencher").stdout)
    benchmark = document["push-pull tcp 64 B round-trip, serverlink"]
    # 1000 round trips have 100 beyond p90, and none but 10 beyond p99.
    assert set(benchmark) == {"latency", "latency-p90", "time-ratio"}
    assert benchmark["latency-p90"]["value"] > benchmark["latency"]["value"]


def test_github_action_export_has_its_fields(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("run", cells=CELLS)
    arguments = ("--format", "github-action-benchmark", "-c", "serverlink", "--out", "f.json")
    assert invoke("export", "run", *arguments).exit_code == 0
    document = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in document] == [f"{cell.title}, serverlink" for cell in CELLS]
    for each in document:
        assert set(each) == {"name", "unit", "value", "range", "extra"}
        assert isinstance(each["value"], float)
        assert each["unit"] == "ns/message"
        assert each["range"].startswith("± ")


def test_pyperf_loads_its_export(make_run: MakeRun, tmp_path: Path) -> None:
    pyperf = pytest.importorskip("pyperf")
    make_run("run", cells=CELLS)
    assert invoke("export", "run", "--format", "pyperf", "--out", "p.json").exit_code == 0
    suite = pyperf.BenchmarkSuite.load(str(tmp_path / "p.json"))
    assert len(suite) == 4
    benchmark = suite.get_benchmark("push-pull tcp 64 B, serverlink")
    assert benchmark.get_nrun() == 16
    assert benchmark.get_unit() == "second"
    assert benchmark.median() == pytest.approx(500e-9, rel=0.05)


def test_export_of_an_unknown_contender_is_code_2(make_run: MakeRun) -> None:
    make_run("run", cells=CELLS)
    assert invoke("export", "run", "-c", "nng").exit_code == 2
