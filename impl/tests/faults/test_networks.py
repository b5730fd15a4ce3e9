"""Networks that lose, delay, reorder, or are cut: a network namespace with a cable to it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import zmq

import serverlink

StartPeer = Callable[..., Any]
MakeSocket = Callable[[str, int], Any]
NumberOf = Callable[[list[bytes]], int]


class Cable(NamedTuple):
    """A pair of virtual interfaces; the far end is in a namespace of its own."""

    namespace: str
    near: str
    far: str
    address: str

    def set(self, state: str) -> None:
        """Pull the plug (``down``), or put it in again (``up``)."""
        run("ip", "-n", self.namespace, "link", "set", self.far, state)

    def disturb(self, *how: str) -> None:
        """Have both directions suffer from ``tc netem``."""
        run("tc", "qdisc", "replace", "dev", self.near, "root", "netem", *how)
        tc = ("ip", "netns", "exec", self.namespace, "tc")
        run(*tc, "qdisc", "replace", "dev", self.far, "root", "netem", *how)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A namespace and a cable to it; skips where this is not permitted."""
    number = os.getpid()
    net = f"10.{200 + number % 50}.{number // 50 % 250}"
    made = Cable(f"slk{number}", f"slka{number}", f"slkb{number}", f"{net}.1")
    try:
        run("ip", "netns", "add", made.namespace)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {error}")
    try:
        try:
            link = ("ip", "link", "add", made.near, "type", "veth", "peer", made.far)
            run(*link, "netns", made.namespace)
            run("ip", "address", "add", f"{net}.1/24", "dev", made.near)
            run("ip", "link", "set", made.near, "up")
            run("ip", "-n", made.namespace, "address", "add", f"{net}.2/24", "dev", made.far)
            made.set("up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no virtual interfaces here: {error.stderr!r}")
        yield made
    finally:
        # The namespace would take the cable with it, but later: the next one has the same name.
        subprocess.run(("ip", "link", "delete", made.near), check=False, capture_output=True)
        run("ip", "netns", "delete", made.namespace)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["serverlink", "zmq"])
def test_a_bad_network_loses_nothing(
    make_socket: MakeSocket,
    start_peer: StartPeer,
    number_of: NumberOf,
    cable: Cable,
    library: str,
) -> None:
    """On a connection that lives nothing is lost, repeated or reordered."""
    try:
        cable.disturb("delay", "2ms", "1ms", "loss", "3%", "duplicate", "2%", "reorder", "20%")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tc netem here: {error}")
    pull = make_socket("serverlink", zmq.PULL)
    port = pull.bind_to_random_port(f"tcp://{cable.address}")
    prefix = ("ip", "netns", "exec", cable.namespace)
    endpoint = f"tcp://{cable.address}:{port}"
    start_peer(library, "push", endpoint, prefix=prefix, BODY_BYTES=300)
    for expected in range(3000):
        assert number_of(pull.recv_multipart()) == expected


@pytest.mark.slow
def test_a_cut_cable_is_noticed_and_mended(
    make_socket: MakeSocket, start_peer: StartPeer, number_of: NumberOf, cable: Cable
) -> None:
    """No FIN comes. Heartbeats of both sides notice; then messages go on, none of them twice."""
    pull = make_socket("serverlink", zmq.PULL)
    pull.heartbeat_ivl = 50
    pull.heartbeat_timeout = 400
    port = pull.bind_to_random_port(f"tcp://{cable.address}")
    wanted = serverlink.EVENT_HANDSHAKE_SUCCEEDED | serverlink.EVENT_DISCONNECTED
    with pull.get_monitor_socket(wanted) as monitor:
        monitor.rcvtimeo = pull.rcvtimeo
        start_peer(
            "serverlink",
            "push",
            f"tcp://{cable.address}:{port}",
            prefix=("ip", "netns", "exec", cable.namespace),
            BODY_BYTES=1000,
            HEARTBEAT_IVL=100,
            RECONNECT_IVL=20,
        )
        assert happened(monitor) == serverlink.EVENT_HANDSHAKE_SUCCEEDED
        for expected in range(500):
            assert number_of(pull.recv_multipart()) == expected
        cable.set("down")
        latest = 499
        while not monitor.poll(0):
            if pull.poll(10):  # what was on its way
                number = number_of(pull.recv_multipart())
                assert number == latest + 1
                latest = number
        assert happened(monitor) == serverlink.EVENT_DISCONNECTED
        while pull.poll(0):
            number = number_of(pull.recv_multipart())
            assert number == latest + 1
            latest = number
        cable.set("up")
        assert happened(monitor) == serverlink.EVENT_HANDSHAKE_SUCCEEDED
    for _ in range(500):  # what the kernels held is lost, and nothing else
        number = number_of(pull.recv_multipart())
        assert number > latest
        latest = number


def happened(monitor: serverlink.Socket) -> int:
    return int(serverlink.recv_monitor_message(monitor)["event"])
