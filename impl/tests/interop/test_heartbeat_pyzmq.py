"""Heartbeats between ServerLink and pyzmq: either side beats, and nobody alive is given up."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

MakeSocket = Callable[[int], Any]

BEAT_MS = 50
TIMEOUT_MS = 200
IDLE_S = 0.6


@pytest.mark.parametrize("beating", ["ours", "theirs", "both"])
@pytest.mark.parametrize("types", [(zmq.DEALER, zmq.ROUTER), (zmq.PUSH, zmq.PULL)])
def test_idle_peers_stay_together(
    make_ours: MakeSocket, make_theirs: MakeSocket, beating: str, types: tuple[int, int]
) -> None:
    ours, theirs = make_ours(types[0]), make_theirs(types[1])
    for side, socket in (("ours", ours), ("theirs", theirs)):
        if beating in (side, "both"):
            socket.heartbeat_ivl = BEAT_MS
            socket.heartbeat_timeout = TIMEOUT_MS
            socket.heartbeat_ttl = TIMEOUT_MS
    monitor = theirs.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    port = theirs.bind_to_random_port("tcp://127.0.0.1")
    ours.connect(f"tcp://127.0.0.1:{port}")
    ours.send(b"before")
    assert theirs.recv_multipart()[-1] == b"before"
    time.sleep(IDLE_S)  # beats, and neither application touches its socket
    ours.send(b"after")
    assert theirs.recv_multipart()[-1] == b"after"
    seen = []
    while monitor.poll(0):
        seen.append(recv_monitor_message(monitor)["event"])
    monitor.close()
    assert seen == [zmq.EVENT_HANDSHAKE_SUCCEEDED]


def test_their_ttl_is_respected_and_renewed(make_ours: MakeSocket, make_theirs: MakeSocket) -> None:
    """A PING every 300 ms that asks for no more than 100 ms of silence: they are given up."""
    ours, theirs = make_ours(zmq.PULL), make_theirs(zmq.PUSH)
    theirs.heartbeat_ivl = 300
    theirs.heartbeat_ttl = 100
    monitor = theirs.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    port = ours.bind_to_random_port("tcp://127.0.0.1")
    theirs.connect(f"tcp://127.0.0.1:{port}")
    assert monitor.poll(5000)
    monitor.close()
