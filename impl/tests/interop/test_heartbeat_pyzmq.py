"""Heartbeats between ServerLink and pyzmq: either side beats, and nobody alive is given up."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

MakeSocket = Callable[[int], Any]

# One that is longer than a machine stops at times; shorter than ServerLink takes an application for
# silent, or its I/O thread would not have to answer.
TIMEOUTS_MS = (200, 400, 400, 400, 400)


@pytest.mark.parametrize("beating", ["ours", "theirs", "both"])
@pytest.mark.parametrize("types", [(zmq.DEALER, zmq.ROUTER), (zmq.PUSH, zmq.PULL)])
def test_idle_peers_stay_together(
    make_ours: MakeSocket, make_theirs: MakeSocket, beating: str, types: tuple[int, int]
) -> None:
    """Tried again where they part: a machine that stops parts them once, a fault each time."""
    for timeout_ms in TIMEOUTS_MS:
        ours, theirs = make_ours(types[0]), make_theirs(types[1])
        for side, socket in (("ours", ours), ("theirs", theirs)):
            if beating in (side, "both"):
                socket.heartbeat_ivl = timeout_ms // 4
                socket.heartbeat_timeout = timeout_ms
                socket.heartbeat_ttl = timeout_ms
        if stay_together(ours, theirs, 3 * timeout_ms / 1000):
            return
    pytest.fail("they part")


def stay_together(ours: Any, theirs: Any, idle_s: float) -> bool:
    """Whether they have one connection, which carries messages before and after it was idle."""
    monitor = theirs.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    port = theirs.bind_to_random_port("tcp://127.0.0.1")
    ours.connect(f"tcp://127.0.0.1:{port}")
    came = []
    for body in (b"before", b"after"):
        ours.send(body)  # what is sent as they part is lost
        came.append(bool(theirs.poll(5000)) and theirs.recv_multipart()[-1] == body)
        if body == b"before":
            time.sleep(idle_s)  # beats, and neither application touches its socket
    seen = []
    while monitor.poll(0):
        seen.append(recv_monitor_message(monitor)["event"])
    theirs.disable_monitor()  # or libzmq's I/O thread waits for ever to tell one that is gone
    monitor.close()
    return came == [True, True] and seen == [zmq.EVENT_HANDSHAKE_SUCCEEDED]


def test_their_ttl_is_respected_and_renewed(make_ours: MakeSocket, make_theirs: MakeSocket) -> None:
    """A PING every 300 ms that asks for no more than 100 ms of silence: they are given up."""
    ours, theirs = make_ours(zmq.PULL), make_theirs(zmq.PUSH)
    theirs.heartbeat_ivl = 300
    theirs.heartbeat_ttl = 100
    monitor = theirs.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    port = ours.bind_to_random_port("tcp://127.0.0.1")
    theirs.connect(f"tcp://127.0.0.1:{port}")
    assert monitor.poll(20_000)
    monitor.close()
