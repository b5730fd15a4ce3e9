"""Operations, CPU samples and what is explained by them: arithmetic on recorded output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slkbench.model import Cell, Pattern, ProfileRow, Sample, Transport
from slkbench.profile.accounting import accounts_of, explain_cell
from slkbench.profile.cpu import (
    PARTS,
    Repetition,
    Shares,
    States,
    like_the_run,
    part_of,
    read_states,
    take_samples,
)
from slkbench.profile.flames import draw_difference
from slkbench.profile.operations import cost_of
from slkbench.profile.perf_file import Frame, read_perf_script
from slkbench.profile.tables import profile_tables
from slkbench.profile.workload import ProcessReport

CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)

PERF = """\
   10   100.000000100:     500000
\tffffffff81000001 _copy_from_iter ([kernel.kallsyms])
\tffffffff81000002 tcp_sendmsg_locked ([kernel.kallsyms])
\tffffffff81000003 __x64_sys_sendto ([kernel.kallsyms])
\t            1234 __libc_send (/usr/lib/libc.so.6)
\t            9999 [unknown] (/opt/lib zmq/libzmq.so.5)

   10   100.000000200:     500000
\tffffffff81000001 try_to_wake_up ([kernel.kallsyms])
\tffffffff81000003 __x64_sys_sendto ([kernel.kallsyms])

   11   100.000000300:     500000
\t            4567 zmq_recv (/opt/libzmq.so.5)

   11    99.000000300:     500000
\t            4567 before_the_clock (/opt/libzmq.so.5)
"""


def _report() -> ProcessReport:
    role = {"elapsed_ns": 1000, "begin_ns": 100 * 10**9, "end_ns": 100 * 10**9 + 1000}
    threads = [
        {"id": 10, "part": "sender", "on_cpu_ns": 800, "core_wait_ns": 50},
        {"id": 11, "part": "receiver", "on_cpu_ns": 900, "core_wait_ns": 0},
    ]
    return ProcessReport("both", "4.3.5", {"sender": role, "receiver": role, "threads": threads})


def test_samples_say_what_a_thread_did_and_the_kernel_for_how_long() -> None:
    states = read_states([_report()], messages=10)
    assert states.wall_ns == 100.0
    assert states.on_cpu_ns == {"sender": 80.0, "receiver": 90.0}
    assert states.core_wait_ns["sender"] == 5.0
    shares = Shares()
    take_samples(shares, _report(), read_perf_script(PERF.splitlines()))
    assert shares.parts == {
        ("sender", "kernel send path"): 0.5,
        ("sender", "waking and waiting"): 0.5,
        ("receiver", "library in recv"): 1.0,  # the sample before the clock does not count
    }
    assert shares.symbols["receiver", "libzmq.so.5: zmq_recv"] == 1.0
    assert shares.stacks["receiver", "libzmq.so.5: zmq_recv"] == 1.0


@pytest.mark.parametrize(
    ("role", "symbols", "part"),
    [
        ("receiver", ("_copy_to_iter", "tcp_recvmsg", "__x64_sys_recvfrom"), "kernel receive path"),
        ("sender I/O", ("futex_wait", "__x64_sys_futex"), "waking and waiting"),
        ("sender", ("clear_page", "exc_page_fault"), "kernel, other"),
        ("receiver I/O", (), "library in I/O thread"),
    ],
)
def test_a_stack_tells_what_a_thread_was_doing(
    role: str, symbols: tuple[str, ...], part: str
) -> None:
    frames = [Frame(symbol, "kernel") for symbol in symbols] + [Frame("work", "libzmq.so.5")]
    assert part_of(role, frames) == part


def test_the_drivers_own_loop_is_not_the_librarys() -> None:
    frames = [Frame("run_source", "profiled")]
    assert part_of("sender", frames) == "harness"
    assert part_of("sender", frames, is_floor=True) == "library in send"


times_ns = st.floats(0.0, 1e5)


def _cpu_rows(
    contender: str, wall_ns: float, sender: dict[str, float], wait_ns: float
) -> list[ProfileRow]:
    blank = ProfileRow(
        tool="cpu", contender=contender, pattern="push-pull", transport="tcp", size_bytes=64
    )

    def row(role: str, what: str, quantity: str, ns: float) -> ProfileRow:
        return replace(blank, role=role, what=what, quantity=quantity, per_message=ns)

    on_cpu_ns = sum(sender.values())
    return [
        row("all", "all", "wall-ns", wall_ns),
        row("sender", "all", "on-cpu-ns", on_cpu_ns),
        row("sender", "all", "core-wait-ns", wait_ns),
        row("sender", "all", "blocked-ns", wall_ns - on_cpu_ns - wait_ns),
        *(row("sender", part, "part-ns", ns) for part, ns in sender.items()),
        row("receiver", "all", "on-cpu-ns", 1.0),
        row("receiver", "all", "core-wait-ns", 0.0),
        row("receiver", "all", "blocked-ns", wall_ns - 1.0),
    ]


@given(st.dictionaries(st.sampled_from(PARTS), times_ns), times_ns, st.integers(1, 64))
def test_an_account_adds_up_to_the_time_per_message(
    parts: dict[str, float], wait_ns: float, cores: int
) -> None:
    wall_ns = sum(parts.values()) + wait_ns
    rows = _cpu_rows("libzmq", wall_ns, parts, wait_ns)
    limiting, everybody = accounts_of(rows, "libzmq", cores)
    assert sum(limiting.parts_ns.values()) == pytest.approx(wall_ns)
    assert sum(everybody.parts_ns.values()) == pytest.approx(wall_ns)


def test_what_the_parts_leave_is_unexplained() -> None:
    rows = _cpu_rows("libzmq", 500.0, {"library in send": 400.0}, 100.0)
    rows += _cpu_rows("serverlink", 150.0, {"library in send": 140.0}, 10.0)
    pairs = list(
        zip(accounts_of(rows, "libzmq", 2), accounts_of(rows, "serverlink", 2), strict=True)
    )
    samples = [
        Sample(
            run_id="run",
            block=block,
            slot=slot,
            arm=arm,
            contender=arm,
            pattern="push-pull",
            transport="tcp",
            size_bytes=64,
            metric="throughput",
            messages=1000,
            # A block in which the machine is slow for both says nothing else than the others.
            time_per_message_ns=3 * ns if block == 5 else ns,
        )
        for block in range(6)
        for arm, ns in (("libzmq", 490.0), ("serverlink", 160.0))
        for slot in range(2)
    ]
    limiting, _ = explain_cell(CELL, ("libzmq", "serverlink"), samples, pairs)
    assert limiting.first.of == "sender"
    assert limiting.measured.difference_ns == pytest.approx(-330.0)
    assert limiting.explained_ns == pytest.approx(-350.0)
    assert limiting.unexplained_ns == pytest.approx(20.0)
    assert limiting.unexplained_bounds_ns == pytest.approx((20.0, 20.0))
    assert limiting.is_within is False
    assert limiting.ratios_to_run == pytest.approx((500 / 490, 150 / 160))
    assert limiting.is_like_the_run
    slow = replace(limiting, first=replace(limiting.first, wall_ns=1400.0, within_ns=30.0))
    assert not slow.is_like_the_run, "profiled while the machine was slow"
    assert slow.unexplained_bounds_ns == pytest.approx((-10.0, 50.0))


def test_a_profile_of_a_run_is_of_repetitions_in_its_mood() -> None:
    def taken(before_ns: float, perf_ns: float, after_ns: float) -> Repetition:
        states = (States(wall_ns=before_ns), States(wall_ns=after_ns))
        return Repetition(states, Shares(wall_ns=perf_ns))

    like = taken(190.0, 230.0, 175.0)
    others = [
        taken(520.0, 530.0, 510.0),
        taken(186.0, 190.0, 520.0),
        taken(186.0, 520.0, 186.0),
    ]
    assert like_the_run([*others, like], 186.0) == [like]
    assert like_the_run(others, 186.0) == []
    assert like_the_run(others, None) == others


def test_the_cost_of_timing_is_of_pairs_and_needs_six_for_an_interval() -> None:
    plain = [[100.0, 300.0], [200.0, 200.0], [90.0, 110.0], [50.0, 60.0], [70.0, 70.0], [10.0, 9.0]]
    timed = [[1.02 * ns for ns in pair] for pair in plain]
    assert cost_of(plain, timed) == pytest.approx((0.02, 0.02, 0.02))
    assert cost_of(plain[:5], timed[:5])[1:] == (None, None)


def test_flame_graphs_are_xml_on_one_scale() -> None:
    drawn = draw_difference(
        "libzmq", {("sender", "f<int>", "g"): 80.0}, "mine", {("sender", "f<int>"): 40.0}
    )
    tree = ET.fromstring(drawn)  # noqa: S314 - our own
    spaces = {"svg": "http://www.w3.org/2000/svg"}
    titles = [title.text or "" for title in tree.iterfind(".//svg:title", spaces)]
    assert "f<int>: 80.0 ns, other 40.0 ns per message" in titles
    widths = [float(box.get("width", "0")) for box in tree.iterfind(".//svg:g/svg:rect", spaces)]
    assert max(widths) == pytest.approx(2 * widths[-1])


@pytest.mark.parametrize(
    ("low", "high", "scaled_high", "is_small"),
    [
        (0.0, 0.015, 0.001, "shown"),
        (-0.05, 0.06, 0.004, "shown by proportion"),
        (-0.05, 0.06, 0.02, "not shown: --budget 10m"),
        (None, None, None, "not shown: too few repetitions"),
        (0.021, 0.03, 0.004, "refuted"),
    ],
)
def test_operations_stand_side_by_side_with_what_timing_costs(
    low: float | None, high: float | None, scaled_high: float | None, is_small: str
) -> None:
    blank = ProfileRow(tool="operations", contender="libzmq", pattern="router-router")
    blank = replace(blank, transport="tcp", size_bytes=64)
    rows = [
        replace(blank, role="sender", what="send message", quantity="mean-ns", count=570.0),
        replace(blank, role="all", quantity="instrumentation-cost", count=0.01, low=low, high=high),
        replace(blank, role="all", what="every", quantity="instrumentation-cost", count=0.3),
        replace(
            blank,
            role="all",
            what="by proportion",
            quantity="instrumentation-cost",
            count=0.001,
            low=-0.001,
            high=scaled_high,
        ),
        replace(blank, role="harness", quantity="timed-one-in", count=120.0),
    ]
    times, overall = profile_tables(rows)
    assert times.rows == (("sender", "send message", "mean", "0.570"),)
    assert [row[0] for row in overall.rows] == [
        "timed messages",
        "instrumentation costs",
        "so some cost, by proportion",
        "which is below 2%",
        "of every message it costs",
    ]
    assert overall.rows[0][1] == "one in 120"
    assert overall.rows[1][1].startswith("+1.0%")
    assert overall.rows[3][1] == is_small


def test_the_memory_of_a_backlog_is_shown() -> None:
    row = ProfileRow(tool="allocations", contender="libzmq", pattern="router-router")
    row = replace(row, transport="tcp", size_bytes=64, role="all", what="backlog 1000")
    row = replace(row, quantity="backlog-bytes", from_bytes=64_000, per_message=200.0)
    (table,) = profile_tables([row])
    assert "backlog" in table.title
    assert table.rows == (("1000", "200"),)


def test_a_folder_of_profiles_alone_is_found_and_shown(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from slkbench.cli.main import cli
    from slkbench.runner.profile_folder import ProfileFolder

    path = tmp_path / "20260101T000000Z-profile-operations-abc"
    path.mkdir()
    folder = ProfileFolder(path, "operations", {"schema_version": 2, "tools": {"perf": None}})
    blank = ProfileRow(tool="operations", contender="libzmq", pattern="router-router")
    row = replace(blank, transport="tcp", size_bytes=64, role="sender", what="send message")
    folder.add([replace(row, quantity="mean-ns", count=570.0)])
    folder.end("complete")
    where = ("--results", str(tmp_path))
    listed = CliRunner().invoke(cli, ("list", "runs", *where))
    assert "complete, profiles: operations" in listed.output
    shown = CliRunner().invoke(cli, ("show", "profile-operations", *where))
    assert "0.570" in shown.output
    out = tmp_path / "reports"
    CliRunner().invoke(cli, ("report", "profile-operations", *where, "--out", str(out)))
    text = (out / path.name / "report.md").read_text()
    assert "Time per operation" in text
    assert "costs the section CPU time; apt install linux-perf" in text
