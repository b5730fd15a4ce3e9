"""ServerLink and pyzmq talk to each other: every legal pair of sockets, over tcp and ipc, either
side binding, at sizes around every boundary."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

MakeSocket = Callable[[int], Any]
Connected = tuple[Any, Any]

SIZES = (
    *(0, 1, 30, 31, 33, 34, 47, 48, 49, 255, 256),
    *(8191, 8192, 8193, 16384, 65535, 65536, 65537),
    16 << 20,
)
BODIES = {size: bytes(i % 251 for i in range(251)) * (size // 251 + 1) for size in SIZES}
BODIES = {size: body[:size] for size, body in BODIES.items()}
MESSAGES = [
    [b"single"],
    [b""],
    [b"a", b"", b"c"],
    [b"", b"", b""],
    [bytes([i]) * i for i in range(100)],
    [b"x" * 255, b"y" * 256, b"z" * 70000, b""],
]


@pytest.fixture(params=["tcp", "ipc"])
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    """An endpoint to bind; a short path, since ipc paths end at 107 bytes."""
    if request.param == "tcp":
        yield "tcp://127.0.0.1:*"
        return
    with tempfile.TemporaryDirectory(prefix="slk-") as directory:
        yield f"ipc://{Path(directory) / 'interop'}"


@pytest.fixture(params=["ours binds", "theirs binds"])
def connect(request: pytest.FixtureRequest, endpoint: str) -> Callable[[Any, Any], Connected]:
    """Connect (our socket, their socket), the one or the other binding."""

    def join(ours: Any, theirs: Any) -> Connected:
        binding, connecting = (ours, theirs) if request.param == "ours binds" else (theirs, ours)
        binding.bind(endpoint)
        connecting.connect(binding.last_endpoint.rstrip(b"\0").decode())
        return ours, theirs

    return join


def carry_all(sender: Any, receiver: Any) -> None:
    """Send every size and every shape of message one way, as they are."""
    for body in BODIES.values():
        sender.send(body)
        assert receiver.recv() == body
    for message in MESSAGES:
        sender.send_multipart(message)
    for message in MESSAGES:
        assert receiver.recv_multipart() == message


Join = Callable[[Any, Any], Connected]


def test_push_to_pull(make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join) -> None:
    ours, theirs = connect(make_ours(zmq.PUSH), make_theirs(zmq.PULL))
    carry_all(ours, theirs)


def test_pull_from_push(make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join) -> None:
    ours, theirs = connect(make_ours(zmq.PULL), make_theirs(zmq.PUSH))
    carry_all(theirs, ours)


@pytest.mark.parametrize("socket_type", [zmq.PAIR, zmq.DEALER])
def test_pairs_and_dealers(
    make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join, socket_type: int
) -> None:
    ours, theirs = connect(make_ours(socket_type), make_theirs(socket_type))
    carry_all(ours, theirs)
    carry_all(theirs, ours)


@pytest.mark.parametrize("router", ["ours", "theirs"])
def test_dealer_and_router(
    make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join, router: str
) -> None:
    if router == "ours":
        routing, dealing = connect(make_ours(zmq.ROUTER), named(make_theirs(zmq.DEALER), b"peer"))
    else:
        dealing, routing = connect(named(make_ours(zmq.DEALER), b"peer"), make_theirs(zmq.ROUTER))
    for message in [[body] for body in BODIES.values()] + MESSAGES:
        dealing.send_multipart(message)
        assert routing.recv_multipart() == [b"peer", *message]
        routing.send_multipart([b"peer", *message])
        assert dealing.recv_multipart() == message


def test_router_and_router(make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join) -> None:
    ours, theirs = connect(
        named(make_ours(zmq.ROUTER), b"ours"), named(make_theirs(zmq.ROUTER), b"theirs")
    )
    ours.router_mandatory = 1
    theirs.router_mandatory = 1
    send_when_known(ours, [b"theirs", b"hello"])
    send_when_known(theirs, [b"ours", b"hello"])
    assert theirs.recv_multipart() == [b"ours", b"hello"]
    assert ours.recv_multipart() == [b"theirs", b"hello"]
    for message in [[body] for body in BODIES.values()] + MESSAGES:
        ours.send_multipart([b"theirs", *message])
        assert theirs.recv_multipart() == [b"ours", *message]
        theirs.send_multipart([b"ours", *message])
        assert ours.recv_multipart() == [b"theirs", *message]


def test_router_makes_up_names(
    make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join
) -> None:
    ours, theirs = connect(make_ours(zmq.ROUTER), make_theirs(zmq.DEALER))
    theirs.send(b"x")
    name, body = ours.recv_multipart()
    assert (len(name), name[0], body) == (5, 0, b"x")
    ours.send_multipart([name, b"y"])
    assert theirs.recv() == b"y"


def test_router_answers_a_requester(
    make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join
) -> None:
    ours, theirs = connect(make_ours(zmq.ROUTER), named(make_theirs(zmq.REQ), b"req"))
    for body in BODIES.values():
        theirs.send(body)
        assert ours.recv_multipart() == [b"req", b"", body]
        ours.send_multipart([b"req", b"", body])
        assert theirs.recv() == body


def test_dealer_asks_a_replier(
    make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join
) -> None:
    ours, theirs = connect(make_ours(zmq.DEALER), make_theirs(zmq.REP))
    for body in BODIES.values():
        ours.send_multipart([b"", body])
        assert theirs.recv() == body
        theirs.send_multipart([body, b"tail"])
        assert ours.recv_multipart() == [b"", body, b"tail"]


def test_many_small_messages_in_flight(
    make_ours: MakeSocket, make_theirs: MakeSocket, connect: Join
) -> None:
    """Enough to fill every buffer on the way several times, both ways at once."""
    ours, theirs = connect(make_ours(zmq.DEALER), make_theirs(zmq.DEALER))
    sent = {ours: 0, theirs: 0}
    received = {ours: 0, theirs: 0}
    many = 20_000
    while min(received.values()) < many:
        for socket in (ours, theirs):
            if sent[socket] < many and socket.poll(0, zmq.POLLOUT):
                socket.send(str(sent[socket]).encode())
                sent[socket] += 1
            for _ in range(2):
                if socket.poll(0):
                    assert socket.recv() == str(received[socket]).encode()
                    received[socket] += 1


@pytest.mark.parametrize("prober", ["ours", "theirs"])
def test_a_probe_crosses(
    make_ours: MakeSocket, make_theirs: MakeSocket, endpoint: str, prober: str
) -> None:
    make_dealer, make_router = make_ours, make_theirs
    if prober == "theirs":
        make_dealer, make_router = make_theirs, make_ours
    router, dealer = make_router(zmq.ROUTER), named(make_dealer(zmq.DEALER), b"prober")
    dealer.probe_router = 1
    router.bind(endpoint)
    dealer.connect(router.last_endpoint.rstrip(b"\0").decode())
    assert router.recv_multipart() == [b"prober", b""]


def test_the_peer_comes_back(make_ours: MakeSocket, make_theirs: MakeSocket) -> None:
    ours = make_ours(zmq.PUSH)
    ours.reconnect_ivl = 10
    ours.immediate = 1
    theirs = make_theirs(zmq.PULL)
    port = theirs.bind_to_random_port("tcp://127.0.0.1")
    ours.connect(f"tcp://127.0.0.1:{port}")
    ours.send(b"before")
    assert theirs.recv() == b"before"
    theirs.close()
    while ours.poll(0, zmq.POLLOUT):
        time.sleep(0.001)
    again = make_theirs(zmq.PULL)
    bind_when_free(again, f"tcp://127.0.0.1:{port}")
    ours.send(b"after")
    assert again.recv() == b"after"


def bind_when_free(socket: Any, endpoint: str) -> None:
    """Bind as soon as libzmq's own threads have closed the listener that was there."""
    while True:
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
        else:
            return


def named(socket: Any, routing_id: bytes) -> Any:
    socket.routing_id = routing_id
    return socket


def send_when_known(router: Any, message: list[bytes]) -> None:
    """Send through a mandatory ROUTER as soon as it has shaken hands with the peer."""
    while True:
        try:
            router.send_multipart(message)
        except Exception as error:
            if getattr(error, "errno", None) != zmq.EHOSTUNREACH:
                raise
        else:
            return
