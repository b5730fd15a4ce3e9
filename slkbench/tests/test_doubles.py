"""What the harness says of libraries that misbehave, and of those with other ABIs.

The doubles are shared objects that pass calls on to a real libzmq; see ``doubles/``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slkbench.contenders import parse_lib, supports
from slkbench.model import (
    Abi,
    Arm,
    ArmRole,
    Cell,
    Contender,
    Pattern,
    Placement,
    Sample,
    Slot,
    Status,
    Topology,
    Transport,
)
from slkbench.runner.launch import ProcessLauncher

# The harness's own patience: short where a test is about its end, else longer than a machine stops.
SHORT_S = 2.0
LONG_S = 10.0
# After these the receiver waits for what does not come.
WAITED_FOR = ("dropping", "reordering")

Compile = Callable[[str], Contender]


def measure(
    contender: Contender,
    *,
    pattern: Pattern = Pattern.PUSH_PULL,
    transport: Transport = Transport.TCP,
    topology: Topology = Topology.THREADS,
    messages: int = 5000,
    timeout_s: float = 60.0,
    senders: int = 1,
    receivers: int = 1,
    hwm: int = 1000,
    stall_s: float = LONG_S,
    close_s: float = LONG_S,
) -> Sample:
    cell = Cell(
        pattern,
        transport,
        64,
        topology=topology,
        sndhwm=hwm,
        rcvhwm=hwm,
        senders=senders,
        receivers=receivers,
    )
    slot = Slot(0, 0, Arm(contender.name, contender, ArmRole.CONTENDER), 0)
    launcher = ProcessLauncher(stall_s=stall_s, close_s=close_s)
    return launcher.measure(cell, slot, Placement(), messages, timeout_s)


def reason_of(sample: Sample) -> str:
    assert sample.status == Status.FAILED, sample
    assert sample.messages is None
    assert sample.time_per_message_ns is None
    assert sample.reason is not None
    return sample.reason


@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("topology", Topology)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dropping", "lost 6 of 6001 messages: first missing number 999"),
        ("duplicating", "duplicate: message 999 came again (and 5 more)"),
        (
            "corrupting",
            "corrupt: message 999 does not carry what was sent (and 5 more)",
        ),
        (
            "truncating",
            "wrong size: message 999 has 63 bytes instead of 64 (and 5 more)",
        ),
        ("reordering", "reordered: message 999 came late (and 4 more)"),
    ],
)
def test_a_message_that_is_not_as_sent_is_told_exactly(
    double: Compile, name: str, words: str, pattern: Pattern, topology: Topology
) -> None:
    stall_s = SHORT_S if name in WAITED_FOR else LONG_S
    reason = reason_of(measure(double(name), pattern=pattern, topology=topology, stall_s=stall_s))
    assert words in reason
    assert "receiver" in reason


# Every thousandth of all messages is the last of four, since no queue is ever full.
@pytest.mark.parametrize(
    ("name", "pattern", "words"),
    [
        ("dropping", "router-router", "lost 6 of 1650 messages: first missing number 249"),
        ("dropping", "push-pull", "lost 6 of 1650 messages: first missing number 249"),
        ("duplicating", "router-router", "duplicate: message 249 came again (and 5 more)"),
        ("corrupting", "push-pull", "corrupt: message 249 does not carry what was sent"),
        ("truncating", "router-router", "wrong size: message 249 has 63 bytes instead of 64"),
        ("reordering", "push-pull", "reordered: message 249 came late (and 4 more)"),
    ],
)
def test_of_several_senders_the_one_with_the_wrong_messages_is_named(
    double: Compile, name: str, pattern: str, words: str
) -> None:
    stall_s = SHORT_S if name in WAITED_FOR else LONG_S
    sample = measure(
        double(name), pattern=Pattern(pattern), messages=5500, senders=4, hwm=0, stall_s=stall_s
    )
    reason = reason_of(sample)
    assert reason.startswith("receiver: sender 3: ")
    assert words in reason
    assert "sender 2: " not in reason


@pytest.mark.parametrize(
    ("name", "pattern", "words"),
    [
        ("dropping", "router-router", "receiver: lost 6 of 6601 messages: first missing number"),
        ("duplicating", "push-pull", "receiver 3: duplicate: message 999 came again"),
        ("corrupting", "router-router", "receiver 3: corrupt: message 999 does not carry what"),
    ],
)
def test_of_several_receivers_the_one_with_the_wrong_messages_is_named(
    double: Compile, name: str, pattern: str, words: str
) -> None:
    stall_s = SHORT_S if name in WAITED_FOR else LONG_S
    sample = measure(
        double(name), pattern=Pattern(pattern), messages=5500, receivers=4, hwm=0, stall_s=stall_s
    )
    assert words in reason_of(sample)


def test_a_crash_names_the_signal_the_role_and_the_stage(double: Compile) -> None:
    reason = reason_of(measure(double("crashing"), messages=12_000))
    assert reason.startswith("process killed by SIGSEGV while measuring")


def test_a_crash_of_one_of_two_processes_names_the_sender(double: Compile) -> None:
    sample = measure(double("crashing"), messages=12_000, topology=Topology.PROCESSES)
    assert reason_of(sample).startswith("sender killed by SIGSEGV while measuring")


def test_a_double_that_crashes_later_has_no_failure_before(double: Compile) -> None:
    sample = measure(double("crashing"), messages=1000)
    assert (sample.status, sample.reason) == (Status.OK, None)


def test_a_send_that_never_returns_is_a_hang(double: Compile) -> None:
    reason = reason_of(measure(double("hanging"), timeout_s=2.0))
    assert "hang: no result within 2 s" in reason


def test_a_receiver_says_what_it_missed_before_the_sender_is_found_hanging(
    double: Compile,
) -> None:
    sample = measure(
        double("hanging"), topology=Topology.PROCESSES, timeout_s=20.0, stall_s=SHORT_S
    )
    assert "receiver: received 1999 of 6001 messages, then no progress" in reason_of(sample)


def test_a_context_that_never_closes_is_a_hang(double: Compile) -> None:
    reason = reason_of(measure(double("hanging_at_end"), close_s=1.0))
    assert "did not end within 1 s (closing sockets or the context)" in reason


def test_an_end_without_a_result_is_a_failure(double: Compile) -> None:
    reason = reason_of(measure(double("exiting")))
    assert "ended with exit code 0 without a result" in reason


def test_garbage_on_stdout_is_a_failure(double: Compile) -> None:
    reason = reason_of(measure(double("babbling")))
    assert "garbage on stdout: 'welcome to the messaging library'" in reason


def test_a_library_without_push_pull_gets_not_applicable(double: Compile) -> None:
    contender = double("without_push_pull")
    assert contender.patterns == (Pattern.ROUTER_ROUTER,)
    assert supports(contender, Cell(Pattern.ROUTER_ROUTER, Transport.TCP, 64)) is None
    reason = supports(contender, Cell(Pattern.PUSH_PULL, Transport.TCP, 64))
    assert reason == "without_push_pull has no sockets for push-pull"
    sample = measure(contender)
    assert sample.status == Status.SKIPPED
    assert sample.reason == "n/a: the library has no PULL sockets"


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(
    ("name", "abi", "version"),
    [
        ("serverlink", Abi.SERVERLINK, "9.8.7"),
        ("public_serverlink", Abi.PUBLIC_SERVERLINK, "0.1.0"),
    ],
)
def test_other_abis_run_router_router(
    double: Compile, name: str, abi: Abi, version: str, transport: Transport
) -> None:
    contender = double(name)
    assert contender.abi is abi
    sample = measure(contender, pattern=Pattern.ROUTER_ROUTER, transport=transport)
    assert (sample.status, sample.reason) == (Status.OK, None)
    assert sample.library_version == version
    assert sample.options is not None
    assert '"sender.IO_THREADS":"1"' in sample.options


def test_the_public_serverlink_lacks_push_pull(double: Compile) -> None:
    assert double("public_serverlink").patterns == (Pattern.ROUTER_ROUTER,)
    assert double("serverlink").patterns == tuple(Pattern)


def test_a_library_without_poll_gets_not_applicable_where_a_thread_waits_for_many(
    double: Compile,
) -> None:
    sample = measure(double("public_serverlink"), pattern=Pattern.ROUTER_ROUTER, senders=2)
    assert (sample.status, sample.reason) == (Status.SKIPPED, "n/a: the library has no poll")


def test_an_abi_that_the_symbols_contradict_is_refused(double: Compile) -> None:
    from slkbench.errors import ContenderError

    path = double("public_serverlink").path
    with pytest.raises(ContenderError, match="lacks zmq_ctx_new"):
        parse_lib(f"mine={path}:zmq")


def test_nothing_is_left_behind(
    double: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    children_before = children()
    hanging = double("hanging")
    measure(
        hanging, transport=Transport.IPC, topology=Topology.PROCESSES, timeout_s=8.0, stall_s=1.0
    )
    assert children() == children_before
    assert list(tmp_path.iterdir()) == []


def children() -> set[str]:
    """The ids of this process's children."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
