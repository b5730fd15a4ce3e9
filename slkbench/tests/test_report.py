"""Reports of runs that are made up here, through the public function, and of what they must say."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from slkbench.errors import UsageError
from slkbench.model import Cell, Metric, Pattern, Sample, Scenario, Topology, Transport
from slkbench.report import render_report
from slkbench.scenario import scenario_to_json
from slkbench.store import RunStore

ROLES = {
    "libzmq": "baseline",
    "serverlink": "contender",
    "floor": "floor",
    "placebo": "placebo",
}
TIME_NS = {"libzmq": 1000.0, "placebo": 1000.0, "serverlink": 250.0, "floor": 100.0}
BOTH = (Pattern.ROUTER_ROUTER, Pattern.PUSH_PULL)
SECTIONS = (
    "Summary",
    "Throughput",
    "Gap",
    "ROUTER-ROUTER against PUSH-PULL",
    "Ratio to the floor",
    "CPU time per message",
    "Round trips",
    "Noise",
    "What was measured and how",
    "Fairness",
    "Machine",
    "Libraries",
    "Failed and n/a cells",
    "What to distrust",
)


def cells_of(
    patterns: Iterable[Pattern] = BOTH,
    transports: Iterable[Transport] = (Transport.TCP,),
    sizes: Sequence[int] = (64, 1024),
    metric: Metric = Metric.THROUGHPUT,
) -> tuple[Cell, ...]:
    return tuple(
        Cell(pattern, transport, size, metric=metric)
        for pattern in patterns
        for transport in transports
        for size in sizes
    )


def samples_of(
    cells: Iterable[Cell], blocks: int = 8, arms: Sequence[str] = tuple(ROLES)
) -> list[Sample]:
    """Mirrored blocks with a noise of 0.5 %; ROUTER-ROUTER takes twice as long as PUSH-PULL."""
    noise = random.Random(7)
    samples = []
    for cell in cells:
        for block in range(blocks):
            for slot, arm in enumerate([*arms, *reversed(arms)]):
                time_ns = TIME_NS[arm] * math.exp(noise.gauss(0, 0.005))
                time_ns *= 2 if cell.pattern is Pattern.ROUTER_ROUTER else 1
                samples.append(sample_of(cell, block, slot, arm, time_ns))
    return samples


def sample_of(cell: Cell, block: int, slot: int, arm: str, time_ns: float) -> Sample:
    trips = cell.metric.times_round_trips
    messages = 20_000 if trips else 1_000_000
    elapsed_ns = int(messages * time_ns)
    return Sample(
        run_id="made-up",
        scenario="made-up",
        block=block,
        slot=slot,
        arm=arm,
        contender="libzmq" if arm == "placebo" else arm,
        role=ROLES[arm],
        library_version="4.3.5" if arm in {"libzmq", "placebo"} else "0.1.0",
        pattern=cell.pattern,
        transport=cell.transport,
        size_bytes=cell.size_bytes,
        metric=cell.metric,
        senders=cell.senders,
        idle_peers=cell.idle_peers,
        offered_msgs_per_s=cell.offered_msgs_per_s,
        slowest_sender_share=0.75 if cell.senders > 1 else None,
        idle_peer_bytes=20480.0 if cell.idle_peers > 0 else None,
        messages=messages,
        elapsed_ns=elapsed_ns,
        time_per_message_ns=time_ns,
        rate_msgs_per_s=1e9 / time_ns,
        bandwidth_mib_per_s=cell.size_bytes * 1e9 / time_ns / 2**20,
        p50_ns=int(time_ns * 10) if trips else None,
        p99_ns=int(time_ns * 30) if trips else None,
        cpu_ns=int(elapsed_ns * 1.5),
        sender_cpus="0",
        receiver_cpus="1",
        steal_fraction=0.0,
        foreign_cpu_fraction=0.0,
        options=json.dumps({"SNDHWM": 1000, "LINGER": 0}),
        started_utc="2026-01-03T10:00:00Z",
        seed=7,
    )


def failed(sample: Sample, status: str, reason: str) -> Sample:
    return replace(
        sample,
        status=status,
        reason=reason,
        messages=None,
        elapsed_ns=None,
        time_per_message_ns=None,
        rate_msgs_per_s=None,
        bandwidth_mib_per_s=None,
        cpu_ns=None,
    )


def stored(root: Path, cells: tuple[Cell, ...], samples: Iterable[Sample]) -> Path:
    """A run's folder, as a measurement would have left it."""
    scenario = Scenario(name="made-up", question="How long does a message take?", cells=cells)
    library = {
        "layer": "native",
        "kind": "library",
        "version": "4.3.5",
        "build_flags": "GCC 12 -O3",
    }
    metadata = {
        "scenario": scenario_to_json(scenario),
        "machine": {"cpu_model": "Example CPU", "cpus": 2, "usable_cpus": [0, 1], "governor": None},
        "libraries": [
            {"name": "libzmq", "path": "/home/somebody/lib/libzmq.so.5", "sha256": "ab" * 32}
            | library
        ],
    }
    with RunStore.create(root, "made-up", metadata) as store:
        for sample in samples:
            store.append(replace(sample, run_id=store.run_id))
        return store.path


def report_of(root: Path, cells: tuple[Cell, ...], samples: Iterable[Sample]) -> str:
    run = stored(root / "results", cells, samples)
    written = render_report([run], root / "reports", ("md",))
    assert [path.name for path in written] == ["report.md"]
    return written[0].read_text(encoding="utf-8")


def section(report: str, title: str) -> str:
    return re.split(r"^## ", report.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[
        0
    ]


def table_rows(text: str, *starts: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()]
    return [
        row for row in rows if [cell.strip("| ") for cell in row[: len(starts)]] == list(starts)
    ]


def test_every_section_of_the_model_is_there_in_order(tmp_path: Path) -> None:
    cells = cells_of()
    report = report_of(tmp_path, cells, samples_of(cells))
    assert re.findall(r"^## (.+)$", report, re.MULTILINE) == list(SECTIONS)
    assert report.startswith("# ServerLink vs libzmq: made-up\n")
    assert "2026-01-03" in report
    assert "/home/somebody" not in report
    assert "`libzmq.so.5`" in section(report, "Libraries")


def test_the_summary_gives_verdict_ratio_interval_and_blocks(tmp_path: Path) -> None:
    cells = cells_of()
    summary = section(report_of(tmp_path, cells, samples_of(cells)), "Summary")
    assert "FASTER in 4 of 4 cells" in summary
    assert re.search(
        r"PUSH-PULL tcp 64 B: ServerLink takes 7[45]\.\d% less time per message than libzmq, "
        r"0\.2[45]\dx \[99% CI 0\.2\d+x, 0\.2\d+x\], 8 blocks, placebo .*: \*\*FASTER\*\*",
        summary,
    )
    assert "provisional: one session" in summary


def test_the_summary_names_builds_machine_and_session_once(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    summary = section(report_of(tmp_path, cells, samples_of(cells)), "Summary")
    assert summary.count("These builds, this machine, this session: libzmq 4.3.5 (abababab)") == 1
    assert "the session of 2026-01-03 10:00 UTC." in summary


def test_the_throughput_table_has_the_columns_of_the_reference(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    throughput = section(report_of(tmp_path, cells, samples_of(cells)), "Throughput")
    header = "Transport | Message Size | Message Count |"
    assert header in re.sub(r" +", " ", throughput)
    row = table_rows(throughput, "TCP", "64 bytes")[0]
    assert row[2] == "1,000,000"
    assert row[4].endswith("M msg/s")
    assert row[5].endswith("MiB/s")
    assert row[6].startswith("[")


def test_the_gap_is_the_rate_and_beside_it_the_time(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    gap = section(report_of(tmp_path, cells, samples_of(cells)), "Gap")
    assert "99% interval" in gap
    row = table_rows(gap, "TCP, 64 bytes")[0]
    rate_gap, time_ratio = float(row[3].strip("%+")) / 100, float(row[5].rstrip("x"))
    assert rate_gap == pytest.approx(3.0, rel=0.05)
    assert (1 + rate_gap) * time_ratio == pytest.approx(1.0, rel=0.01)
    assert row[7] == "FASTER"


def test_patterns_floor_and_cpu_are_ratios_with_intervals(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    report = report_of(tmp_path, cells, samples_of(cells))
    pattern = table_rows(section(report, SECTIONS[3]), "libzmq", "TCP", "64 bytes")[0]
    assert pattern[5] == "2.00x"
    assert pattern[6].startswith("[")
    floor = table_rows(section(report, SECTIONS[4]), "ServerLink", "PUSH-PULL", "TCP")[0]
    assert float(floor[5].rstrip("x")) == pytest.approx(2.5, rel=0.02)
    cpu = table_rows(section(report, SECTIONS[5]), "ServerLink", "PUSH-PULL", "TCP")[0]
    assert float(cpu[8].rstrip("x")) == pytest.approx(0.25, rel=0.02)
    assert table_rows(section(report, SECTIONS[5]), "libzmq", "PUSH-PULL")[0][8] == "baseline"


def test_round_trips_alone_make_a_report(tmp_path: Path) -> None:
    cells = cells_of(metric=Metric.ROUND_TRIP, sizes=(64,))
    report = report_of(tmp_path, cells, samples_of(cells))
    assert "This run measured no throughput." in section(report, "Throughput")
    row = table_rows(section(report, "Round trips"), "ServerLink", "TCP", "64 bytes")[0]
    assert float(row[3]) == pytest.approx(5.0, rel=0.02)
    assert float(row[5]) == pytest.approx(15.0, rel=0.02)
    assert "ServerLink's median round trip is" in section(report, "Summary")


def test_a_percentile_that_was_not_observed_is_not_available(tmp_path: Path) -> None:
    cells = cells_of(metric=Metric.ROUND_TRIP, sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    samples = [replace(one, p99_ns=None) for one in samples_of(cells)]
    row = table_rows(section(report_of(tmp_path, cells, samples), "Round trips"), "libzmq")[0]
    assert row[5:7] == ["n/a", "n/a"]


def test_a_percentile_needs_enough_round_trips_in_every_sample(tmp_path: Path) -> None:
    cells = cells_of(metric=Metric.ROUND_TRIP, sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    first, *others = samples_of(cells)
    samples = [replace(first, messages=9_999, rate_msgs_per_s=None), *others]
    trips = section(report_of(tmp_path, cells, samples), "Round trips")
    assert table_rows(trips, first.contender)[0][5] == "n/a"
    assert table_rows(trips, "ServerLink")[0][5] != "n/a"


def test_one_block_has_estimates_but_neither_interval_nor_verdict(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    report = report_of(tmp_path, cells, samples_of(cells, blocks=1))
    assert "no verdict in 2 of 2 cells" in section(report, "Summary")
    assert "1 block: too few for an interval, so no verdict" in section(report, "Summary")
    assert "FASTER" not in report
    assert table_rows(section(report, "Gap"), "TCP, 64 bytes")[0][7] == "none: too few blocks"


def test_a_contender_that_loses_messages_has_no_throughput(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    samples = [
        failed(one, "FAILED", "lost 1 of 1000 messages")
        if one.arm == "serverlink" and one.pattern == Pattern.PUSH_PULL and one.block == 3
        else one
        for one in samples_of(cells)
    ]
    report = report_of(tmp_path, cells, samples)
    assert "FAILED in 1" in section(report, "Summary")
    assert "lost 1 of 1000 messages" in section(report, "Failed and n/a cells")
    row = table_rows(section(report, "Gap").split("PUSH-PULL", 1)[1], "TCP, 64 bytes")[0]
    assert row[1] == "FAILED"
    assert row[3:7] == ["n/a"] * 4


def test_a_pattern_that_a_library_lacks_is_not_available(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    samples = [
        failed(one, "SKIPPED", "no PUSH and PULL")
        if one.arm == "serverlink" and one.pattern == Pattern.PUSH_PULL
        else one
        for one in samples_of(cells)
    ]
    report = report_of(tmp_path, cells, samples)
    assert "n/a in 1" in section(report, "Summary")
    assert "no PUSH and PULL" in section(report, "Failed and n/a cells")
    assert "SKIPPED" not in report


def test_a_run_without_samples_says_so(tmp_path: Path) -> None:
    report = report_of(tmp_path, cells_of(), ())
    assert "This run holds no samples" in section(report, "Summary")
    assert re.findall(r"^## (.+)$", report, re.MULTILINE) == list(SECTIONS)


def test_a_run_in_which_everything_failed_renders(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    samples = [failed(one, "FAILED", "crashed | signal 11\nstack") for one in samples_of(cells, 1)]
    report = report_of(tmp_path, cells, samples)
    assert "FAILED in 2 of 2 cells" in section(report, "Summary")
    assert "crashed \\| signal 11 stack" in section(report, "Failed and n/a cells")


def test_options_that_differ_within_a_cell_are_not_alike(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    samples = [
        replace(one, options=json.dumps({"SNDHWM": 0, "LINGER": 0}))
        if one.arm == "serverlink"
        else one
        for one in samples_of(cells)
    ]
    fairness = section(report_of(tmp_path, cells, samples), "Fairness")
    assert table_rows(fairness, "SNDHWM")[0][-1].strip("| ") == "**no**"
    assert table_rows(fairness, "LINGER")[0][-1].strip("| ") == "yes"


def test_disturbed_blocks_are_counted(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    samples = [
        replace(one, steal_fraction=0.5) if one.block == 5 else one for one in samples_of(cells, 12)
    ]
    method = section(report_of(tmp_path, cells, samples), "What was measured and how")
    assert "1 of 12 blocks were discarded" in method


def test_what_differs_from_socket_to_socket_is_no_condition(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    samples = [
        replace(one, options=json.dumps({"receiver.LAST_ENDPOINT": f"tcp://h:{i}", "TYPE": "7"}))
        for i, one in enumerate(samples_of(cells))
    ]
    fairness = section(report_of(tmp_path, cells, samples), "Fairness")
    assert "TYPE" in fairness
    assert "LAST_ENDPOINT" not in fairness


def test_a_run_that_was_disturbed_all_along_still_shows_what_it_saw(tmp_path: Path) -> None:
    cells = cells_of(patterns=(Pattern.PUSH_PULL,), sizes=(64,))
    samples = [replace(one, foreign_cpu_fraction=0.5) for one in samples_of(cells)]
    report = report_of(tmp_path, cells, samples)
    rows = table_rows(section(report, "Throughput"), "TCP")
    assert rows
    assert all(row[-1].endswith("all disturbed") for row in rows)
    assert all("msg/s" in row[4] for row in rows)
    assert "no verdict" in section(report, "Summary")


@pytest.mark.parametrize(("far_blocks", "has_ratio"), [(2, True), (1, False)])
def test_times_are_told_for_each_distance_of_the_cpus(
    tmp_path: Path, far_blocks: int, has_ratio: bool
) -> None:
    cells = cells_of(patterns=(Pattern.PUSH_PULL,), sizes=(64,))
    samples = []
    for one in samples_of(cells):
        # Far apart, libzmq takes three times as long and ServerLink six times.
        slow = 1 if one.block >= far_blocks else 6 if one.arm == "serverlink" else 3
        trip_ns = 460.0 if one.block < far_blocks else 107.0
        time_ns = (one.time_per_message_ns or 0) * slow
        slowed = sample_of(cells[0], one.block, one.slot, one.arm, time_ns)
        samples.append(replace(slowed, line_trip_before_ns=trip_ns, line_trip_after_ns=trip_ns))
    noise = section(report_of(tmp_path, cells, samples), "Noise")
    assert "107 ns and 460 ns" in noise
    near, far = (cell.strip("| ") for cell in table_rows(noise, "ServerLink")[0][-2:])
    assert re.fullmatch(rf"2\d\d ns \({2 * (8 - far_blocks)}\), 0\.2\d\dx", near), near
    ratio = r", 0\.\d+x" if has_ratio else ""
    assert re.fullmatch(rf"1\.\d+ µs \({2 * far_blocks}\){ratio}", far), far
    own = (cell.strip("| ") for cell in table_rows(noise, "libzmq")[0][-2:])
    assert not any(cell.endswith("x") for cell in own), "no ratio of the baseline to itself"


def test_one_distance_of_the_cpus_is_not_told(tmp_path: Path) -> None:
    cells = cells_of(patterns=(Pattern.PUSH_PULL,), sizes=(64,))
    assert "CPUs near" not in section(report_of(tmp_path, cells, samples_of(cells)), "Noise")


def test_settings_are_told_apart(tmp_path: Path) -> None:
    first = cells_of(sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    second = tuple(replace(cell, topology=Topology.PROCESSES) for cell in first)
    samples = [
        *samples_of(first),
        *(replace(one, topology=Topology.PROCESSES) for one in samples_of(second)),
    ]
    throughput = section(report_of(tmp_path, (*first, *second), samples), "Throughput")
    headings = re.findall(r"^### (.+)$", throughput, re.MULTILINE)
    assert len(set(headings)) == 2
    assert "two processes" in headings[1]


def test_noise_cpu_and_findings_name_what_tells_cells_apart(tmp_path: Path) -> None:
    (usual,) = cells_of(sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    cells = (usual, replace(usual, topology=Topology.PROCESSES, sndhwm=0, rcvhwm=0))
    samples = [
        replace(
            noisy,
            topology=cell.topology,
            sndhwm=cell.sndhwm,
            rcvhwm=cell.rcvhwm,
        )
        for cell in cells
        for one in samples_of((usual,))
        for noisy in [
            sample_of(usual, one.block, one.slot, one.arm, 200.0 * (1 + one.block % 5 / 4))
        ]
    ]
    report = report_of(tmp_path, cells, samples)
    for title in ("Noise", "CPU time per message", "Ratio to the floor"):
        header = [cell.strip("| ") for cell in table_rows(section(report, title), "Contender")[0]]
        rows = table_rows(section(report, title), "ServerLink")
        told = {
            tuple(row[header.index(column)].strip("| ") for column in ("Topology", "HWM"))
            for row in rows
        }
        assert told == {("threads", "1000"), ("processes", "unlimited (0)")}, title
        assert "Rate" not in header
    doubts = section(report, "What to distrust")
    (unstable,) = re.findall(r"^- `unstable`, .*$", doubts, re.MULTILINE)
    assert unstable.count("Remedy") == 1
    assert "- **push-pull tcp 64 B processes hwm 0: serverlink**: time per message" in doubts


@pytest.mark.parametrize(
    ("metric", "title"),
    [
        (Metric.THROUGHPUT, "Throughput"),
        (Metric.THROUGHPUT, "Gap"),
        (Metric.ROUND_TRIP, "Round trips"),
        (Metric.PACED, "Round trips at a given rate"),
    ],
)
def test_a_median_of_two_ways_is_marked_in_every_table(
    tmp_path: Path, metric: Metric, title: str
) -> None:
    (cell,) = cells_of(metric=metric, sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    cell = replace(cell, offered_msgs_per_s=10_000 * (metric is Metric.PACED))
    samples = []
    for one in samples_of((cell,)):
        slow = 1.5 if one.arm == "serverlink" and one.block % 2 else 1.0
        time_ns = slow * (one.time_per_message_ns or 0)
        samples.append(sample_of(cell, one.block, one.slot, one.arm, time_ns))
    body = section(report_of(tmp_path, (cell,), samples), title)
    marked = re.findall(r"\S+(?: M msg/s)?\* +\|", body)
    assert marked
    assert "\\* the median of processes that run in two ways: " in body
    told = re.search(r"ServerLink in push-pull tcp 64 B.*?: .*? \(50%\) or .*? \(50%\)", body)
    assert told
    assert not re.search(r"two ways.*libzmq", body)


def test_many_peers_have_fairness_and_memory_beside_their_rates(tmp_path: Path) -> None:
    (usual,) = cells_of(sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    crowd = replace(usual, senders=8, idle_peers=999)
    report = report_of(tmp_path, (usual, crowd), samples_of((usual, crowd)))
    throughput = section(report, "Throughput")
    assert re.search(r"^### PUSH-PULL \(.*, 8 senders, 999 idle peers\)$", throughput, re.MULTILINE)
    few, many = table_rows(throughput, "TCP", "64 bytes")[0], table_rows(throughput, "TCP")[-1]
    assert [cell.strip("| ") for cell in many[len(few) :]] == ["75%", "20.0 KiB"]


def test_a_given_rate_has_a_section_of_its_own_with_cpu_time(tmp_path: Path) -> None:
    (usual,) = cells_of(metric=Metric.PACED, sizes=(64,), patterns=(Pattern.PUSH_PULL,))
    paced = replace(usual, offered_msgs_per_s=10_000)
    report = report_of(tmp_path, (paced,), samples_of((paced,)))
    body = section(report, "Round trips at a given rate")
    row = table_rows(body, "ServerLink", "TCP", "64 bytes")[0]
    assert float(row[3]) == pytest.approx(2.5, rel=0.02)
    assert row[-1].strip("| ").endswith("ns")
    assert "ServerLink's median round trip is" in section(report, "Summary")


def test_charts_are_written_and_named_after_the_run(tmp_path: Path) -> None:
    cells = (*cells_of(), *cells_of(metric=Metric.ROUND_TRIP, sizes=(64,)))
    run = stored(tmp_path / "results", cells, samples_of(cells))
    written = render_report([run], tmp_path / "reports")
    names = [path.name for path in written]
    assert names[0] == "report.md"
    assert {"throughput.png", "bandwidth.png", "gap.png", "round-trips.png"} <= set(names)
    assert all(path.parent.name == run.name for path in written)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[1:])
    report = written[0].read_text(encoding="utf-8")
    captions = re.findall(r"!\[(.*?)\]\((.*?)\)", report)
    assert sorted(file_name for _, file_name in captions) == sorted(names[1:])
    assert all(f"`{run.name}`" in caption for caption, _ in captions)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    run = stored(tmp_path / "results", cells, samples_of(cells))
    first = render_report([run], tmp_path / "first")
    second = render_report([run], tmp_path / "second")
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pdf.*Allowed: md, png"):
        render_report([], tmp_path, ("md", "pdf"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    cells = cells_of(sizes=(64,))
    run = stored(tmp_path / "results", cells, samples_of(cells, 1))
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UsageError, match="taken"):
        render_report([run], tmp_path / "taken", ("md",))


def test_importing_the_report_loads_nothing_heavy() -> None:
    code = (
        "import sys, slkbench.report; "
        "sys.exit(any(name in sys.modules for name in ('pandas', 'matplotlib', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
