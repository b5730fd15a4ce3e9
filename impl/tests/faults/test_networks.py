"""Networks that lose, repeat, spoil, delay, reorder, or are cut: a cable to another namespace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import zmq

import serverlink

StartPeer = Callable[..., Any]
ConnectPeer = Callable[..., Any]
MakeSocket = Callable[[str, int], Any]
NumberOf = Callable[[list[bytes]], int]
Numbered = Callable[..., list[bytes]]

pytestmark = pytest.mark.slow

BAD: Final = {"lost": 0.03, "repeated": 0.02, "spoilt": 0.01, "delay_ms": 1, "jitter_ms": 2}
MESSAGES: Final = 8000
BODY_BYTES: Final = 300
BEATS: Final = {"HEARTBEAT_IVL": 50, "HEARTBEAT_TIMEOUT": 500}
SEED: Final = 20


class Cable:
    """The process of ``cable.py``: see there."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("cable.py")
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(program), str(SEED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.made = self.answer()

    def answer(self) -> dict[str, Any]:
        """What the process says next."""
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def set(self, **values: float) -> dict[str, Any]:
        """Change the condition; counts of what happened to packets before that."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(values) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def cut(self) -> None:
        """Lose everything, without a word to either end."""
        self.set(is_cut=True)

    def mend(self) -> None:
        """Be whole again."""
        self.set(is_cut=False)

    def counts(self) -> dict[str, Any]:
        """What became of the packets so far."""
        return self.set()

    @property
    def address(self) -> str:
        """Where this process listens, as peers at the far end see it."""
        return f"tcp://{self.made['near']}"

    @property
    def far_end(self) -> tuple[str, ...]:
        """What to put before a command, so that it runs at the far end."""
        return ("nsenter", f"--net={self.made['namespace']}")


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A sound cable to a namespace; skips where this is not permitted."""
    made = Cable()
    if "impossible" in made.made:
        made.process.communicate()
        needs = "this takes root, /dev/net/tun, network namespaces, and the programs ip and nsenter"
        pytest.skip(f"{needs}: {made.made['impossible']}")
    yield made
    made.process.communicate()


@pytest.fixture
def bad_cable(cable: Cable) -> Cable:
    """The cable, doing to packets whatever networks do."""
    cable.set(**BAD)
    return cable


@pytest.fixture(params=["serverlink", "zmq"])
def library(request: pytest.FixtureRequest) -> str:
    """Whose peer is at the far end."""
    return str(request.param)


@pytest.fixture
def connect_peer(start_peer: StartPeer, cable: Cable, library: str) -> ConnectPeer:
    """Bind a socket to this end of the cable, and start a peer at the far end that connects."""

    def connect(socket: Any, *arguments: str, **options: int) -> Any:
        port = socket.bind_to_random_port(cable.address)
        role, *name = arguments
        endpoint = f"{cable.address}:{port}"
        return start_peer(library, role, endpoint, *name, prefix=cable.far_end, **options)

    return connect


def was_bad(counts: dict[str, Any]) -> bool:
    """Whether the network did all that it was to do."""
    return all(counts[what] > 0 for what in ("lost", "repeated", "spoilt", "reordered"))


def event_of(monitor: Any) -> int:
    """The next event that a monitor tells."""
    return int(serverlink.recv_monitor_message(monitor)["event"])


def test_a_bad_network_loses_nothing_on_its_way_here(
    make_socket: MakeSocket,
    connect_peer: ConnectPeer,
    number_of: NumberOf,
    bad_cable: Cable,
) -> None:
    """On a connection that lives nothing is lost, repeated or reordered."""
    pull = make_socket("serverlink", zmq.PULL)
    connect_peer(pull, "push", BODY_BYTES=BODY_BYTES)
    for expected in range(MESSAGES):
        assert number_of(pull.recv_multipart()) == expected
    assert was_bad(bad_cable.counts())


def test_a_bad_network_loses_nothing_on_its_way_there(
    make_socket: MakeSocket,
    connect_peer: ConnectPeer,
    numbered: Numbered,
    bad_cable: Cable,
) -> None:
    """The peer checks that all come, in order, and counts them."""
    push = make_socket("serverlink", zmq.PUSH)
    receiver = connect_peer(push, "pull")
    for number in range(MESSAGES):
        push.send_multipart(numbered(number, BODY_BYTES))
    push.send(b"last")
    assert receiver.stdout.readline() == "ready\n"
    assert receiver.stdout.readline() == f"{MESSAGES}\n"
    assert was_bad(bad_cable.counts())


def test_round_trips_over_a_bad_network(
    make_socket: MakeSocket,
    connect_peer: ConnectPeer,
    numbered: Numbered,
    bad_cable: Cable,
) -> None:
    """Each question is answered once, in their order, while others are under way."""
    router = make_socket("serverlink", zmq.ROUTER)
    worker = connect_peer(router, "dealer", "worker")
    process = str(worker.pid).encode()
    assert router.recv_multipart() == [b"worker", b"here", process]
    questions = [numbered(number, BODY_BYTES) for number in range(MESSAGES // 2)]
    under_way = 200
    for number, question in enumerate(questions):
        router.send_multipart([b"worker", *question])
        if number >= under_way:
            answered = questions[number - under_way]
            assert router.recv_multipart() == [b"worker", *answered, process]
    for question in questions[-under_way:]:
        assert router.recv_multipart() == [b"worker", *question, process]
    assert was_bad(bad_cable.counts())


def test_a_short_cut_loses_nothing(
    make_socket: MakeSocket,
    connect_peer: ConnectPeer,
    number_of: NumberOf,
    cable: Cable,
) -> None:
    """Shorter than the patience of heartbeats: the connection lives, and TCP sends again."""
    pull = make_socket("serverlink", zmq.PULL)
    pull.heartbeat_ivl = 20
    pull.heartbeat_timeout = 10_000
    with pull.get_monitor_socket(serverlink.EVENT_DISCONNECTED) as monitor:
        connect_peer(pull, "push", BODY_BYTES=BODY_BYTES)
        expected = 0
        while expected < 500:
            assert number_of(pull.recv_multipart()) == expected
            expected += 1
        cable.cut()
        is_quiet = False
        while not is_quiet or cable.counts()["lost"] == 0:
            is_quiet = not pull.poll(150)
            if not is_quiet:  # what was there already
                assert number_of(pull.recv_multipart()) == expected
                expected += 1
        cable.mend()
        for number in range(expected, expected + MESSAGES):
            assert number_of(pull.recv_multipart()) == number
        assert not monitor.poll(0)


def test_a_cut_in_a_flood_is_noticed_and_mended(
    make_socket: MakeSocket,
    connect_peer: ConnectPeer,
    number_of: NumberOf,
    cable: Cable,
    library: str,
) -> None:
    """No FIN comes. What the kernels held is lost, in one piece; nothing else is, nor comes twice.

    Heartbeats notice, at the peer too if it is ServerLink. libzmq's PING may wait behind what its
    kernel does not take, and no answer to it is missed; then a reset tells it, after the mend.
    """
    pull = make_socket("serverlink", zmq.PULL)
    pull.heartbeat_ivl = BEATS["HEARTBEAT_IVL"]
    pull.heartbeat_timeout = BEATS["HEARTBEAT_TIMEOUT"]
    options = BEATS | {"BODY_BYTES": 1000, "RECONNECT_IVL": 20, "MONITOR": 1}
    wanted = serverlink.EVENT_HANDSHAKE_SUCCEEDED | serverlink.EVENT_DISCONNECTED
    with pull.get_monitor_socket(wanted) as monitor:
        monitor.rcvtimeo = pull.rcvtimeo
        sender = connect_peer(pull, "push", **options)
        assert event_of(monitor) == serverlink.EVENT_HANDSHAKE_SUCCEEDED
        assert sender.stdout.readline() == "connected\n"
        latest = -1
        while latest < 500:
            latest = next_of(pull, number_of, latest)
        cable.cut()
        while not monitor.poll(0):
            if pull.poll(10):  # what was there already
                latest = next_of(pull, number_of, latest)
        assert event_of(monitor) == serverlink.EVENT_DISCONNECTED
        while pull.poll(0):
            latest = next_of(pull, number_of, latest)
        if library == "serverlink":
            assert sender.stdout.readline() == "disconnected\n"
        cable.mend()
        assert event_of(monitor) == serverlink.EVENT_HANDSHAKE_SUCCEEDED
    first = number_of(pull.recv_multipart())
    assert first > latest + 1
    for number in range(first + 1, first + 500):
        assert number_of(pull.recv_multipart()) == number


def next_of(pull: Any, number_of: NumberOf, latest: int) -> int:
    """Receive a message: the one after the latest."""
    number = number_of(pull.recv_multipart())
    assert number == latest + 1
    return number


def test_a_cut_in_silence_is_noticed_at_both_ends_and_mended(
    make_socket: MakeSocket, connect_peer: ConnectPeer, cable: Cable
) -> None:
    """Only silence tells. A question asked meanwhile is lost; the peer comes back by its name."""
    router = make_socket("serverlink", zmq.ROUTER)
    router.heartbeat_ivl = BEATS["HEARTBEAT_IVL"]
    router.heartbeat_timeout = BEATS["HEARTBEAT_TIMEOUT"]
    options = BEATS | {"RECONNECT_IVL": 20, "MONITOR": 1}
    with router.get_monitor_socket(serverlink.EVENT_DISCONNECTED) as monitor:
        monitor.rcvtimeo = router.rcvtimeo
        worker = connect_peer(router, "dealer", "worker", **options)
        process = str(worker.pid).encode()
        assert router.recv_multipart() == [b"worker", b"here", process]
        assert worker.stdout.readline() == "connected\n"
        cable.cut()
        router.send_multipart([b"worker", b"lost"])
        assert event_of(monitor) == serverlink.EVENT_DISCONNECTED
    assert worker.stdout.readline() == "disconnected\n"
    assert not router.is_connected(b"worker")
    cable.mend()
    assert worker.stdout.readline() == "connected\n"
    while not router.is_connected(b"worker"):
        router.poll(1)
    router.send_multipart([b"worker", b"question"])
    assert router.recv_multipart() == [b"worker", b"question", process]


def test_a_connection_begins_when_the_cable_is_mended(
    make_socket: MakeSocket,
    connect_peer: ConnectPeer,
    number_of: NumberOf,
    cable: Cable,
) -> None:
    """The first attempts are lost. What was sent meanwhile waits, and comes whole."""
    pull = make_socket("serverlink", zmq.PULL)
    cable.cut()
    connect_peer(pull, "push", BODY_BYTES=BODY_BYTES)
    while cable.counts()["lost"] == 0:
        assert not pull.poll(10)
    cable.mend()
    for expected in range(500):
        assert number_of(pull.recv_multipart()) == expected
