"""slkbench.profile on recorded output of the tools: what is read, subtracted and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slkbench.model import (
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Pattern,
    Placement,
    ProfileRow,
    Transport,
)
from slkbench.profile.allocations import count_threads
from slkbench.profile.callgrind_file import Function, read_callgrind
from slkbench.profile.counting import Key, blank_row, counted_rows, more_than, sum_of_roles
from slkbench.profile.instructions import count_roles
from slkbench.profile.strace_file import count_calls, read_strace
from slkbench.profile.syscalls import count_processes, read_perf
from slkbench.profile.tables import profile_tables
from slkbench.profile.workload import LOCKSTEP, THREADS, Workload

CALLGRIND = """\
# callgrind format
version: 1
thread: 1

positions: line
events: Ir
summary: 1000

ob=(1) /opt/slkbench/driver/profiled
fl=(1) role.cpp
fn=(1) slkbench::(anonymous namespace)::role_over<>::send_part(unsigned long)
10 40
+1 2
cob=(2) /opt/libzmq.so.5
cfi=(2) ???
cfn=(2) zmq_send
calls=3 0
* 300
cob=(2)
cfn=(3) zmq_recv
calls=3 0
-1 150

ob=(2)
fl=(2)
fn=(2)
0 180
cob=(3) /lib/libc.so.6
cfn=(4) __memcpy_avx_unaligned_erms
calls=6 0
0 60
cfn=(5) 0x0000000000012340
calls=3 0
0 60

fn=(5)
0 60

fn=(3)
0 150

ob=(3)
fn=(4)
0 60

fn=(6) 0x0000000000012350'2
"""


def test_callgrind_names_costs_and_calls() -> None:
    costs = read_callgrind(CALLGRIND.splitlines())
    send = Function("zmq_send", "/opt/libzmq.so.5")
    copy = Function("__memcpy_avx_unaligned_erms", "/lib/libc.so.6")
    nameless = Function("0x0000000000012340", "/opt/libzmq.so.5")
    assert costs.number == 1
    assert costs.own[send] == 180
    assert costs.own.total() == 40 + 2 + 180 + 60 + 150 + 60
    assert costs.calls[send, copy] == 6
    assert costs.inclusive[send, copy] == 60
    assert costs.calls[send, nameless] == 3  # without cob=, the callee is in the caller's file


def test_roles_are_the_calls_of_the_library_and_the_other_threads() -> None:
    application = read_callgrind(CALLGRIND.splitlines())
    other = read_callgrind(["thread: 3", "fn=(1) loop", "1 70"])
    counts = count_roles([application, other], ["application", "receiver I/O", "sender I/O"])
    assert counts[Key("sender", "instructions")] == 300
    assert counts[Key("receiver", "instructions")] == 150
    assert counts[Key("harness", "instructions")] == 42
    assert counts[Key("sender I/O", "instructions")] == 70
    assert counts[Key("all", "instructions")] == 520
    assert counts[Key("all", "calls", "memory copies")] == 6
    assert counts[Key("application", "instructions", "libzmq.so.5+0x12340")] == 60
    assert not any("send_part" in key.what for key in counts)


STRACE = """\
10 sendto(5, ""..., 8200, 0, NULL, 0) = 8200
11 recvfrom(6, "", 8192, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
10 epoll_wait(3,  <unfinished ...>
11 recvfrom(6, ""..., 8192, 0, NULL, NULL) = 8191
10 <... epoll_wait resumed>[{events=EPOLLIN, data={u32=1, u64=1}}], 256, -1) = 1
11 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7ff3a4000000
12 futex(0x7ff3a4000990, FUTEX_WAIT, 11, NULL <unfinished ...>
10 --- SIGCHLD {si_signo=SIGCHLD} ---
10 exit_group(0) = ?
10 +++ exited with 0 +++
"""


def test_strace_tells_calls_of_each_thread() -> None:
    threads = count_calls(read_strace(STRACE.splitlines()))
    assert threads[10].made == {"sendto": 1, "epoll_wait": 1, "exit_group": 1}
    assert threads[10].moved == {("sendto", 8192): 1}
    assert threads[11].futile == {"recvfrom": 1}
    assert threads[11].moved == {("recvfrom", 4096): 1}
    assert 12 not in threads


def test_calls_belong_to_the_role_of_their_thread() -> None:
    threads = count_calls(read_strace(STRACE.splitlines()))
    counts = count_processes(threads, {10: "sender", 11: "receiver I/O"})
    assert counts[Key("sender", "calls")] == 3
    assert counts[Key("receiver I/O", "futile-calls", "recvfrom")] == 1
    assert counts[Key("sender", "bytes-calls", "sendto", 8192)] == 1
    assert sum_of_roles(counts, ("calls",))[Key("all", "calls")] == 6
    unknown = count_processes(threads, {})
    assert {key.role for key in unknown} == {"harness"}
    assert sum_of_roles(unknown, ("calls",)) == {}


def test_perf_counts_by_name() -> None:
    lines = [
        "# started on",
        "",
        "20,,raw_syscalls:sys_enter,660412,100.00,,",
        "9,,syscalls:sys_enter_sendto,660412,100.00,,",
        "<not counted>,,syscalls:sys_enter_poll,0,100.00,,",
    ]
    assert read_perf(lines) == {"all": 20, "sendto": 9}


def test_allocations_of_threads_of_one_role_add_up() -> None:
    lines = ["7 10 4 640", "8 1 1 16", "9 2 0 32"]
    counts = count_threads(lines, {7: "I/O", 8: "I/O"})
    assert counts[Key("I/O", "allocations")] == 11
    assert counts[Key("I/O", "allocated-bytes")] == 656
    assert counts[Key("harness", "allocations")] == 2


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1000)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1000)),
)
def test_the_longer_is_the_shorter_and_the_difference(
    shorter: dict[str, int], more: dict[str, int]
) -> None:
    def counts(by_name: dict[str, int]) -> dict[Key, float]:
        return {Key(name, "calls"): count for name, count in by_name.items()}

    longer = {name: shorter.get(name, 0) + more.get(name, 0) for name in {*shorter, *more}}
    found = more_than(counts(longer), counts(shorter))
    assert {key.role: count for key, count in found.items() if count} == {
        name: count for name, count in more.items() if count
    }


def _workload(name: str = "libzmq", kind: str = THREADS, **cell: int) -> Workload:
    floor = name == "floor"
    contender = Contender(
        name, Layer.NATIVE, ContenderKind.FLOOR if floor else ContenderKind.LIBRARY
    )
    place = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
    values = {"sndhwm": 1000, "rcvhwm": 1000, "size_bytes": 64, **cell}
    changed = Cell(place.pattern, place.transport, values.pop("size_bytes"), **values)  # type: ignore[arg-type]
    return Workload(changed, contender, kind, Placement(), 60.0)


def test_rows_are_medians_per_message_with_their_spread() -> None:
    repetitions = [{Key("all", "calls"): count} for count in (90.0, 100.0, 120.0)]
    rare = [{Key("all", "calls", "brk"): 1.0}] * 3
    blank = blank_row("syscalls", _workload())
    rows = counted_rows(
        blank,
        [{**one, **other} for one, other in zip(repetitions, rare, strict=True)],
        1000,
        least_per_message={"calls": 0.01},
    )
    (row,) = rows
    assert (row.count, row.per_message, row.spread) == (100.0, 0.1, 0.3)
    assert row.contender == "libzmq"
    assert row.size_bytes == 64


@pytest.mark.parametrize(
    ("name", "marks", "turn"),
    [
        ("libzmq", {}, 500),
        ("libzmq", {"sndhwm": 0, "rcvhwm": 0}, 500),
        ("libzmq", {"sndhwm": 10}, 5),
        ("libzmq", {"rcvhwm": 1}, 1),
        ("floor", {"size_bytes": 65536}, 1),
    ],
)
def test_a_turn_of_lockstep_never_fills_a_queue(
    name: str, marks: dict[str, int], turn: int
) -> None:
    assert _workload(name, LOCKSTEP, **marks).turn == turn


def _row(contender: str, role: str, per_message: float, **values: object) -> ProfileRow:
    fields: dict[str, object] = {
        "tool": "instructions",
        "contender": contender,
        "pattern": "push-pull",
        "transport": "tcp",
        "size_bytes": 64,
        "role": role,
        "quantity": "instructions",
        "count": per_message * 1000,
        "messages": 1000,
        "per_message": per_message,
        **values,
    }
    return ProfileRow(**fields)  # type: ignore[arg-type]


def test_tables_show_contenders_side_by_side() -> None:
    long_name = "f<int>(" + "int, " * 30 + "int)"
    rows = [
        _row("libzmq", "all", 1066.2, spread=0.0004),
        _row("serverlink", "all", 433.0),
        _row("libzmq", "I/O", -0.01),
        _row("libzmq", "application", 80.0, what=long_name),
        _row(
            "libzmq", "application", 2.0, what="f<int>(" + "int, " * 30 + "int)", quantity="calls"
        ),
        _row("none", "", 0.0, status="FAILED", reason="hang", quantity=""),
    ]
    first, hot = profile_tables(rows)
    assert first.title.startswith("push-pull tcp 64 B")
    assert first.head == ("role", "libzmq", "serverlink", "none")
    assert ("all", "1066", "433", "FAILED") in first.rows
    assert ("I/O", "0", "-", "FAILED") in first.rows
    assert ("spread of all", "0.04%", "-", "FAILED") in first.rows
    assert hot.rows == (("application", "f<int>", "80.0", "2.00"),)


def test_tables_of_calls_are_per_thousand_and_in_classes() -> None:
    calls = {"tool": "syscalls", "quantity": "calls", "what": "sendto"}
    moved = {**calls, "quantity": "bytes-calls"}
    rows = [
        _row("libzmq", "sender I/O", 0.008, **calls),
        _row("libzmq", "sender I/O", 0.00001, **{**calls, "what": "brk"}),
        _row("libzmq", "sender I/O", 0.006, from_bytes=8192, **moved),
        _row("libzmq", "sender I/O", 0.002, from_bytes=4096, **moved),
    ]
    often, classes = profile_tables(rows)
    assert often.rows == (("sender I/O", "sendto", "calls", "8.00"),)
    assert classes.rows == (
        ("sender I/O", "sendto", "4 KiB to 8 KiB", "2.00"),
        ("sender I/O", "sendto", "8 KiB to 16 KiB", "6.00"),
    )
