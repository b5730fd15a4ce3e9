"""Round trips at a given rate: stalls are seen, saturation is told, shares become rates."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slkbench.checks import check_run
from slkbench.cli.latency_table import latency_lines, latency_records
from slkbench.contenders import known_contenders, parse_lib
from slkbench.errors import StoreError, UsageError
from slkbench.histograms import SEND_LAG, read_distribution
from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Contender,
    Layer,
    Metric,
    Pattern,
    Placement,
    Sample,
    Scenario,
    Slot,
    Status,
    Topology,
    Transport,
    VerdictKind,
)
from slkbench.report import render_report
from slkbench.runner.histogram_files import keep_histograms
from slkbench.runner.launch import ProcessLauncher
from slkbench.runner.progress import Silent
from slkbench.runner.result import judge_run
from slkbench.runner.session import Request, preview, run_request
from slkbench.runner.sessions import run_sessions
from slkbench.scenario import scenario_to_json
from slkbench.stats.latency import compared_percentiles
from slkbench.store import RunStore, read_metadata, read_run

SOURCES = Path(__file__).parent / "doubles"
COMPILE = ("gcc", "-std=gnu11", "-Wno-unused-function", "-O1", "-shared", "-fPIC")
PACED = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, metric=Metric.PACED, offered_msgs_per_s=10_000)
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="doubles need gcc")


@pytest.fixture
def double(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Contender:
    found = {(name, layer): one for name, layer, one in known_contenders()}
    libzmq = found["libzmq", Layer.NATIVE]
    if not isinstance(libzmq, Contender):
        pytest.skip(str(libzmq))
    monkeypatch.setenv("SLKBENCH_REAL_LIBZMQ", libzmq.path)
    target = tmp_path / "double.so"
    subprocess.run([*COMPILE, "-o", target, SOURCES / f"{request.param}.c", "-ldl"], check=True)
    return parse_lib(f"double={target}")


def measure(contender: Contender, cell: Cell, messages: int) -> Sample:
    slot = Slot(0, 0, Arm("double", contender, ArmRole.CONTENDER), 0)
    return ProcessLauncher().measure(cell, slot, Placement(), messages, 20.0)


@needs_gcc
@pytest.mark.parametrize("double", ["stalling"], indirect=True)
def test_a_stall_is_charged_to_every_message_that_was_due(
    double: Contender, tmp_path: Path
) -> None:
    for _ in range(10):  # a machine that stops as well is no fault of the loop
        found = measure(double, PACED, 10_000)
        if found.status == Status.OK:
            break
    sample = keep_histograms(tmp_path, found)
    assert (sample.status, sample.reason) == (Status.OK, None)
    assert sample.p99_ns is not None
    assert sample.p99_ns > 50e6
    assert (sample.max_ns or 0) > 95e6
    assert sample.p999_ns is None  # 10 round trips beyond it say nothing
    assert sample.histograms is not None
    trips = read_distribution(tmp_path / sample.histograms)
    assert trips.total == 10_000
    assert trips.values_at([0.99, 1.0]) == [sample.p99_ns, sample.max_ns]
    lags = read_distribution(tmp_path / sample.histograms, SEND_LAG)
    assert lags.total == 10_000
    closed = measure(double, replace(PACED, metric=Metric.ROUND_TRIP, offered_msgs_per_s=0), 10_000)
    assert closed.status == Status.OK
    assert (closed.p99_ns or 0) < sample.p99_ns / 2  # one at a time, one message alone is late


@needs_gcc
@pytest.mark.parametrize("double", ["slow"], indirect=True)
@pytest.mark.parametrize("topology", Topology)
def test_who_cannot_keep_up_is_saturated(double: Contender, topology: Topology) -> None:
    sample = measure(double, replace(PACED, offered_msgs_per_s=40_000, topology=topology), 8000)
    assert sample.status == Status.SATURATED, sample
    assert sample.reason is not None
    assert "messages a second instead of 40000; " in sample.reason
    assert (sample.p50_ns, sample.rate_msgs_per_s) == (None, None)


def sustaining(limits: dict[str, int]) -> Any:
    """An ``on_sample`` of contenders that cannot do more than so many messages per second."""

    def saturate(_number: int, cell: Cell, slot: Slot, sample: Sample) -> Sample:
        if cell.offered_msgs_per_s <= limits[slot.arm.contender.name]:
            return replace(sample, p50_ns=1000, p90_ns=2000)
        return replace(
            sample,
            status=Status.SATURATED,
            reason="too many",
            elapsed_ns=None,
            time_per_message_ns=None,
            rate_msgs_per_s=None,
        )

    return saturate


def shares(*rates: float) -> Scenario:
    bare = replace(PACED, offered_msgs_per_s=0)
    cells = tuple(replace(bare, offered_share=rate) for rate in rates)
    names = ("libzmq", "serverlink")
    return Scenario("shares", "?", (*cells, PACED), contenders=names, rounds=1, affinity=())


def test_a_share_is_of_what_the_slowest_sustains(tmp_path: Path, fake_world: Any) -> None:
    fake_world.on_sample = sustaining({"libzmq": 50_000, "serverlink": 300_000})
    request = Request(shares(0.5, 0.8), results=tmp_path)
    result = run_request(request, backend=fake_world.backend)
    (found,) = read_metadata(result.path)["rates"]
    assert 45_000 <= found["sustained_msgs_per_s"]["libzmq"] <= 50_000
    assert 270_000 <= found["sustained_msgs_per_s"]["serverlink"] <= 300_000
    half, most, given = (cell.offered_msgs_per_s for cell in result.scenario.cells)
    assert half == pytest.approx(found["sustained_msgs_per_s"]["libzmq"] / 2, rel=0.01)
    assert most == pytest.approx(1.6 * half, rel=0.01)
    assert given == 10_000
    assert {s.offered_msgs_per_s for s in result.samples} == {half, most, given}
    assert {s.status for s in result.samples} == {"OK"}
    searched = len(fake_world.measured)
    again = Request(shares(0.5, 0.8), results=tmp_path, resume="latest", budget_s=1e6)
    assert run_request(again, backend=fake_world.backend).scenario.cells == result.scenario.cells
    assert len(fake_world.measured) == searched
    with pytest.raises(StoreError, match="measures something else"):
        run_request(replace(again, scenario=shares(0.7)), backend=fake_world.backend)


class Notes(Silent):
    """Keeps what a run says."""

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def note(self, text: str) -> None:
        self.heard.append(text)


def test_finding_the_rates_is_announced_and_counts_in_the_budget(
    tmp_path: Path, fake_world: Any
) -> None:
    fake_world.on_sample = sustaining({"libzmq": 50_000, "serverlink": 300_000})
    scenario = replace(shares(0.5), budget_s=1.0)
    plan = preview(Request(scenario), fake_world.backend)
    assert "finds what each contender sustains, 2 times: about" in plan
    assert "of the budget of 1.0 s, all of which it may take" in plan
    assert "sustains, " not in preview(
        Request(replace(scenario, cells=(PACED,))), fake_world.backend
    )
    notes: list[str] = []
    result = run_request(
        Request(scenario, results=tmp_path), observer=Notes(notes), backend=fake_world.backend
    )
    assert "finds what each contender sustains" in notes[0]
    (spent,) = [note for note in notes if "so the budget is spent" in note]
    assert "--budget TOTAL" in spent
    assert not [sample for sample in result.samples if sample.status == "OK"]
    metadata = read_metadata(result.path)
    assert (metadata["ended_by"], metadata["measured_s"] > 1) == ("budget", True)
    more = Request(None, results=tmp_path, resume="latest", budget_s=1e6)
    assert [s for s in run_request(more, backend=fake_world.backend).samples if s.status == "OK"]
    assert read_metadata(result.path)["measured_s"] > metadata["measured_s"]


def test_sessions_have_the_rates_that_the_first_has_found(tmp_path: Path, fake_world: Any) -> None:
    limits = {"libzmq": 50_000, "serverlink": 300_000}
    fake_world.on_sample = sustaining(limits)
    results, found = run_sessions(
        Request(replace(shares(0.5), rounds=2), results=tmp_path),
        2,
        every_s=1.0,
        backend=fake_world.backend,
        sleep=lambda _s: limits.update(libzmq=200_000),
        clock_s=lambda: 0.0,
    )
    assert results[0].scenario.cells == results[1].scenario.cells
    assert [each.sessions for each in found] == [2, 2]


def test_no_rate_at_all_is_said(tmp_path: Path, fake_world: Any) -> None:
    fake_world.on_sample = sustaining({"libzmq": 0, "serverlink": 0})
    with pytest.raises(UsageError, match="no contender sustains 250 messages a second"):
        run_request(Request(shares(0.5), results=tmp_path), backend=fake_world.backend)
    assert not list(tmp_path.glob("*/samples.csv"))


def test_a_saturated_arm_is_compared_with_nobody(tmp_path: Path, fake_world: Any) -> None:
    fake_world.on_sample = sustaining({"libzmq": 9000, "serverlink": 300_000})
    scenario = replace(shares(), rounds=6)
    result = run_request(Request(scenario, results=tmp_path), backend=fake_world.backend)
    (verdict,) = result.verdicts
    assert verdict.status is Status.SATURATED
    assert verdict.reason == "libzmq was saturated in 2 of 2 samples: too many"
    assert [f.code for f in result.findings if f.code == "saturated"]
    text = "\n".join(latency_lines(result))
    assert "libzmq n/a" in text
    assert "serverlink 1.00 µs" in text
    assert "libzmq is saturated" in text
    assert {each["verdict"] for each in latency_records(result)} == {None}
    report = render_report([result.path], tmp_path / "reports", ("md",))[0].read_text()
    assert re.search(r"\| p50 +\| +1.00 \| .*\| +n/a \| .*SATURATED", report)


def trips_of(arm: str, block: int, slot: int, factor: float, messages: int = 20_000) -> Sample:
    scale = factor * random.Random(f"{arm} {block} {slot}").lognormvariate(0, 0.02)
    return Sample(
        run_id="run",
        block=block,
        slot=slot,
        arm=arm,
        contender=arm,
        role="baseline" if arm == "libzmq" else "contender",
        pattern=PACED.pattern,
        transport=PACED.transport,
        size_bytes=64,
        metric=PACED.metric,
        offered_msgs_per_s=10_000,
        messages=messages,
        elapsed_ns=2 * 10**9,
        time_per_message_ns=50_000 * scale,
        rate_msgs_per_s=10_000,
        p50_ns=round(50_000 * scale),
        p90_ns=round(70_000 * scale),
        p99_ns=round(90_000 * scale),
        p999_ns=round(200_000 * scale) if messages >= 100_000 else None,
        send_lag_p99_ns=60_000,
    )


def both(messages: int = 20_000) -> tuple[Scenario, list[Sample]]:
    scenario = Scenario("test", "?", (PACED,), ("libzmq", "serverlink"), rounds=8)
    slots = ((0, "libzmq"), (1, "serverlink"), (2, "serverlink"), (3, "libzmq"))
    speeds = {"libzmq": 1.0, "serverlink": 0.5}
    return scenario, [
        trips_of(arm, block, slot, speeds[arm], messages)
        for block in range(8)
        for slot, arm in slots
    ]


def test_each_percentile_has_its_own_verdict_and_interval() -> None:
    p50, p90, p99, p999 = compared_percentiles(*both(100_000))
    for each in (p50, p90, p99, p999):
        assert each.verdict.kind is VerdictKind.FASTER
        assert each.verdict.time_ratio == pytest.approx(0.5, rel=0.05)
        assert each.reason == ""
    baseline = p99.summaries["libzmq"]
    assert baseline is not None
    assert baseline.low is not None
    assert baseline.high is not None
    assert baseline.low < 90_000 * 1.02
    assert baseline.count == 16


def test_a_percentile_with_too_little_beyond_it_is_not_told() -> None:
    *_, p999 = compared_percentiles(*both())
    assert p999.summaries == {"libzmq": None, "serverlink": None}
    assert p999.reason == "20,000 round trips; 100,000 have 100 beyond p99.9"


def test_a_sender_that_was_late_itself_is_a_finding() -> None:
    found = [each for each in check_run(both()[1]) if each.code == "late-sender"]
    assert [each.subject.rsplit(" ", 1)[1] for each in found] == ["libzmq", "serverlink"]
    assert "60.0 µs or more after it was due" in found[0].evidence
    punctual = [replace(each, send_lag_p99_ns=9000) for each in both()[1]]
    assert not [each for each in check_run(punctual) if each.code == "late-sender"]


def test_a_report_has_the_curves_and_the_table(tmp_path: Path) -> None:
    from slkbench.driver import _driver
    from slkbench.runner.launch_sample import RecordedSample

    scenario, samples = both()
    with RunStore.create(
        tmp_path, "latency", {"scenario": scenario_to_json(scenario), "machine": {}, "rates": []}
    ) as store:
        for sample in samples:
            histogram = _driver.Histogram()
            noise = random.Random(sample.slot)
            for _ in range(400):
                histogram.record(round((sample.p50_ns or 0) * noise.lognormvariate(0, 0.3)))
            values = {name: getattr(sample, name) for name in Sample.__dataclass_fields__}
            values |= {"run_id": store.run_id, "started_utc": "2026-11-22T10:00:00.000+00:00"}
            encoded = histogram.encoded()
            recorded = RecordedSample(**values, round_trips=encoded, send_lag=encoded)
            store.append(keep_histograms(store.path, recorded))
    assert len(list((store.path / "histograms").glob("*.hlog"))) == 32
    written = render_report([store.path], tmp_path / "reports")
    assert "latency.png" in {path.name for path in written}
    text = written[0].read_text()
    assert "PUSH-PULL, TCP, 64 bytes: ServerLink against libzmq" in text
    assert "n/a: 10.0 k msg/s, p99.9: 20,000 round trips; 100,000 have 100 beyond p99.9." in text
    assert "FASTER" in text
    assert latency_lines(judge_run(read_run(store.path)))
