"""Peers that are killed or stopped, of either library: what is lost, and what never is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

import serverlink

StartPeer = Callable[..., Any]
MakeSocket = Callable[[str, int], Any]
NumberOf = Callable[[list[bytes]], int]
Numbered = Callable[[int], list[bytes]]

LIBRARIES = ["serverlink", "zmq"]
QUIET_MS = 300


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_killed_in_the_midst_of_a_message(
    make_socket: MakeSocket,
    start_peer: StartPeer,
    number_of: NumberOf,
    tmp_path: Path,
    library: str,
    transport: str,
) -> None:
    """The sender is killed at any moment: all that comes is whole and in order, then it is back."""
    pull = make_socket("serverlink", zmq.PULL)
    pull.rcvhwm = 10
    pull.bind("tcp://127.0.0.1:*" if transport == "tcp" else f"ipc://{tmp_path}/pull")
    endpoint = pull.last_endpoint.rstrip(b"\0").decode()
    with pull.get_monitor_socket(serverlink.EVENT_DISCONNECTED) as monitor:
        for heard in (1, 20, 7):
            sender = start_peer(library, "push", endpoint, SNDHWM=10)
            for expected in range(heard):
                assert number_of(pull.recv_multipart()) == expected
            sender.send_signal(signal.SIGKILL)
            sender.wait()
            expected = heard
            has_ended = False
            while not has_ended:
                has_ended = bool(monitor.poll(10))
                while pull.poll(0):  # what came before the end
                    assert number_of(pull.recv_multipart()) == expected
                    expected += 1
            serverlink.recv_monitor_message(monitor)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("router_library", "dealer_library"),
    [("serverlink", "serverlink"), ("serverlink", "zmq"), ("zmq", "serverlink")],
)
@pytest.mark.parametrize("vanished", ["killed", "stopped"])
def test_a_peer_comes_back_under_its_name(
    make_socket: MakeSocket,
    start_peer: StartPeer,
    router_library: str,
    dealer_library: str,
    vanished: str,
) -> None:
    """Killed, its connection ends; stopped, the connection stays, and ROUTER_HANDOVER decides."""
    router = make_socket(router_library, zmq.ROUTER)
    router.router_handover = 1
    router.router_mandatory = 1
    port = router.bind_to_random_port("tcp://127.0.0.1")
    for _ in range(2):
        worker = start_peer(dealer_library, "dealer", f"tcp://127.0.0.1:{port}", "worker")
        process = str(worker.pid).encode()
        assert router.recv_multipart() == [b"worker", b"here", process]
        router.send_multipart([b"worker", b"question"])
        assert router.recv_multipart() == [b"worker", b"question", process]
        if vanished == "killed":
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        else:
            worker.send_signal(signal.SIGSTOP)


@pytest.mark.slow
def test_without_handover_a_name_stays_with_its_first_owner(
    make_socket: MakeSocket, start_peer: StartPeer
) -> None:
    router = make_socket("serverlink", zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    first = start_peer("serverlink", "dealer", f"tcp://127.0.0.1:{port}", "worker")
    assert router.recv_multipart() == [b"worker", b"here", str(first.pid).encode()]
    start_peer("zmq", "dealer", f"tcp://127.0.0.1:{port}", "worker")
    assert not router.poll(2 * QUIET_MS)
    router.send_multipart([b"worker", b"question"])
    assert router.recv_multipart() == [b"worker", b"question", str(first.pid).encode()]


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_stopped_receiver_blocks_and_goes_on(
    make_socket: MakeSocket, start_peer: StartPeer, numbered: Numbered, library: str
) -> None:
    """Nothing is lost, and what waits for it is bounded by the high water mark and the kernel."""
    push = make_socket("serverlink", zmq.PUSH)
    push.sndhwm = 50
    push.sndbuf = 64 * 1024
    port = push.bind_to_random_port("tcp://127.0.0.1")
    receiver = start_peer(library, "pull", f"tcp://127.0.0.1:{port}", RCVHWM=10, RCVBUF=65536)
    assert receiver.stdout.readline() == "ready\n"
    sent = 0
    for _ in range(10):
        push.send_multipart(numbered(sent))
        sent += 1
    receiver.send_signal(signal.SIGSTOP)
    resident = resident_bytes()
    while True:
        has_room = push.poll(QUIET_MS, zmq.POLLOUT)
        try:  # there may be room by now, where the machine stopped for as long as that
            push.send_multipart(numbered(sent), zmq.DONTWAIT)
        except serverlink.Again:
            assert not has_room
            break
        sent += 1
        assert sent < 1000
    assert resident_bytes() - resident < 64 * 150_000 * 2
    receiver.send_signal(signal.SIGCONT)
    for _ in range(20):
        push.send_multipart(numbered(sent))
        sent += 1
    push.send(b"last")
    assert receiver.stdout.readline() == f"{sent}\n"


@pytest.mark.slow
def test_a_stopped_peer_is_given_up_by_heartbeats(
    make_socket: MakeSocket, start_peer: StartPeer
) -> None:
    """Its connection is open and its kernel takes all; only silence tells, and it comes back."""
    router = make_socket("serverlink", zmq.ROUTER)
    router.router_mandatory = 1
    router.heartbeat_ivl = 50
    router.heartbeat_timeout = 300
    port = router.bind_to_random_port("tcp://127.0.0.1")
    worker = start_peer("zmq", "dealer", f"tcp://127.0.0.1:{port}", "worker", RECONNECT_IVL=10)
    process = str(worker.pid).encode()
    assert router.recv_multipart() == [b"worker", b"here", process]
    worker.send_signal(signal.SIGSTOP)
    assert eventually(lambda: not is_known(router, b"worker"))
    worker.send_signal(signal.SIGCONT)
    # A question is lost where the machine stops for as long as a dead peer is silent.
    assert eventually(lambda: is_answered(router, b"worker", process))


def is_known(router: Any, name: bytes) -> bool:
    """Whether a mandatory ROUTER takes a question for the peer."""
    try:
        router.send_multipart([name, b"are you there?"], zmq.DONTWAIT)
    except serverlink.ServerLinkError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        return False
    return True


def is_answered(router: Any, name: bytes, process: bytes) -> bool:
    """Whether the peer answers before long; asks it."""
    if is_known(router, name):
        while router.poll(100):
            if router.recv_multipart() == [name, b"are you there?", process]:
                return True
    return False


def eventually(condition: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """Ask until it holds."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
