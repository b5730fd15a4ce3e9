"""PLAIN, CURVE and ZAP between ServerLink and pyzmq, either side serving."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import zmq

import serverlink

MakeSocket = Callable[[int], Any]

REFUSED_AFTER_MS = 250
PATIENCE_S = 20
BODIES = [b"", b"x", b"y" * 222, b"z" * 223, b"a" * 255, b"b" * 65536, b"c" * (1 << 20)]
MESSAGES = [[b"", b""], [b"part"] * 20, [b"d" * 300_000, b"", b"e" * 300_000]]

needs_curve = pytest.mark.skipif(
    not (serverlink.has("curve") and zmq.has("curve")),
    reason="CURVE is missing: apt-get install libsodium-dev before the build",
)


@dataclass
class Keys:
    """What the two ends of a connection know."""

    server: tuple[bytes, bytes] = field(default_factory=zmq.curve_keypair)
    client: tuple[bytes, bytes] = field(default_factory=zmq.curve_keypair)


def serve(socket: Any, mechanism: str, keys: Keys) -> Any:
    if mechanism == "PLAIN":
        socket.plain_server = 1
    if mechanism == "CURVE":
        socket.curve_secretkey = keys.server[1]
        socket.curve_publickey = keys.server[0]
        socket.curve_server = 1
    return socket


def approach(socket: Any, mechanism: str, keys: Keys) -> Any:
    if mechanism == "PLAIN":
        socket.plain_username = b"user"
        socket.plain_password = b"secret"
    if mechanism == "CURVE":
        socket.curve_publickey, socket.curve_secretkey = keys.client
        socket.curve_serverkey = keys.server[0]
    return socket


def join(server: Any, client: Any) -> None:
    port = server.bind_to_random_port("tcp://127.0.0.1")
    client.connect(f"tcp://127.0.0.1:{port}")


class Handler:
    """Answers the questions of one context's sockets, as RFC 27 has it."""

    def __init__(self, socket: Any, admits: Callable[[list[bytes]], bytes]) -> None:
        self.asked: list[list[bytes]] = []
        self._socket = socket
        self._admits = admits
        self._stop = threading.Event()
        socket.bind("inproc://zeromq.zap.01")
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(20):
                peer, _, version, number, *about = self._socket.recv_multipart()
                status = self._admits(about)
                self.asked.append(about)
                self._socket.send_multipart([peer, b"", version, number, status, b"", b"me", b""])

    def await_questions(self, count: int) -> None:
        """Wait until so many have been asked; fails if they are not."""
        end_s = time.monotonic() + PATIENCE_S
        while len(self.asked) < count:
            assert time.monotonic() < end_s, self.asked
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


MakeHandler = Callable[[MakeSocket, Callable[[list[bytes]], bytes]], Handler]


@pytest.fixture
def handle() -> Iterator[MakeHandler]:
    """Start a handler on a ROUTER of the given library, and stop it before its socket closes."""
    started: list[Handler] = []

    def make(make_socket: MakeSocket, admits: Callable[[list[bytes]], bytes]) -> Handler:
        started.append(Handler(make_socket(zmq.ROUTER), admits))
        return started[-1]

    yield make
    for one in started:
        one.stop()


def sides(
    who: str, make_ours: MakeSocket, make_theirs: MakeSocket
) -> tuple[MakeSocket, MakeSocket]:
    """Who serves, and who approaches."""
    return (make_ours, make_theirs) if who == "ours" else (make_theirs, make_ours)


def carry_all(sender: Any, receiver: Any) -> None:
    for message in [[body] for body in BODIES] + MESSAGES:
        sender.send_multipart(message)
        assert receiver.recv_multipart() == message


def admit(about: list[bytes]) -> bytes:
    return b"200"


@needs_curve
@pytest.mark.parametrize("serving", ["ours", "theirs"])
def test_curve_carries_everything(
    make_ours: MakeSocket, make_theirs: MakeSocket, serving: str
) -> None:
    make_server, make_client = sides(serving, make_ours, make_theirs)
    keys = Keys()
    server = serve(make_server(zmq.DEALER), "CURVE", keys)
    client = approach(make_client(zmq.DEALER), "CURVE", keys)
    join(server, client)
    carry_all(client, server)
    carry_all(server, client)
    many = [str(i).encode() for i in range(5000)]
    client.sndhwm = server.rcvhwm = 0
    sender = threading.Thread(target=lambda: [client.send(body) for body in many])
    sender.start()
    assert [server.recv() for _ in many] == many
    sender.join()


@needs_curve
@pytest.mark.parametrize("serving", ["ours", "theirs"])
def test_a_router_names_curve_peers(
    make_ours: MakeSocket, make_theirs: MakeSocket, serving: str
) -> None:
    make_server, make_client = sides(serving, make_ours, make_theirs)
    keys = Keys()
    server = serve(make_server(zmq.ROUTER), "CURVE", keys)
    client = approach(make_client(zmq.DEALER), "CURVE", keys)
    client.routing_id = b"me"
    join(server, client)
    for body in BODIES:
        client.send(body)
        assert server.recv_multipart() == [b"me", body]
        server.send_multipart([b"me", body])
        assert client.recv() == body


@needs_curve
@pytest.mark.parametrize("beating", ["ours", "theirs"])
def test_heartbeats_are_encrypted_too(
    make_ours: MakeSocket, make_theirs: MakeSocket, beating: str
) -> None:
    """Idle for longer than the timeout: who is not answered would give up the peer for good.

    A machine that stops for as long parts them once, whoever is not answered each time.
    """
    for timeout_ms in (150, 600, 2400) if beating == "ours" else (800, 3200):
        if stay_together(make_ours, make_theirs, beating, timeout_ms):
            return
    pytest.fail("they part")


def stay_together(
    make_ours: MakeSocket, make_theirs: MakeSocket, beating: str, timeout_ms: int
) -> bool:
    """Whether an idle connection is there after its timeout."""
    keys = Keys()
    server = serve(make_ours(zmq.ROUTER), "CURVE", keys)
    client = approach(make_theirs(zmq.DEALER), "CURVE", keys)
    one = server if beating == "ours" else client
    server.router_mandatory = 1
    one.heartbeat_ivl, one.heartbeat_timeout = 50, timeout_ms
    client.reconnect_ivl = -1
    join(server, client)
    client.send(b"before")
    if not server.poll(5000):  # what is sent as they part is lost
        return False
    name, body = server.recv_multipart()
    assert body == b"before"
    assert not client.poll(timeout_ms + 300)
    try:
        server.send_multipart([name, b"after"])
    except serverlink.ServerLinkError as error:
        assert error.errno == zmq.EHOSTUNREACH  # noqa: PT017
        return False
    return bool(client.poll(5000)) and client.recv() == b"after"


@pytest.mark.parametrize("serving", ["ours", "theirs"])
def test_plain_is_asked_about(
    make_ours: MakeSocket, make_theirs: MakeSocket, handle: MakeHandler, serving: str
) -> None:
    make_server, make_client = sides(serving, make_ours, make_theirs)
    handler = handle(make_server, lambda about: b"200" if about[-1] == b"secret" else b"400")
    keys = Keys() if zmq.has("curve") else Keys((b"", b""), (b"", b""))
    server = serve(make_server(zmq.PULL), "PLAIN", keys)
    server.zap_domain = b"test"
    client = approach(make_client(zmq.PUSH), "PLAIN", keys)
    intruder = approach(make_client(zmq.PUSH), "PLAIN", keys)
    intruder.plain_password = b"guess"
    join(server, intruder)
    client.connect(server.last_endpoint.rstrip(b"\0").decode())
    client.send(b"mine")
    intruder.send(b"never")
    assert server.recv() == b"mine"
    handler.await_questions(2)
    assert not server.poll(REFUSED_AFTER_MS)
    domain, address, _, mechanism, *credentials = handler.asked[0]
    assert (domain, mechanism) == (b"test", b"PLAIN")
    assert address.startswith(b"127.0.0.1")
    assert credentials[0] == b"user"
    assert {about[-1] for about in handler.asked} == {b"secret", b"guess"}


@needs_curve
@pytest.mark.parametrize("serving", ["ours", "theirs"])
def test_curve_is_asked_about(
    make_ours: MakeSocket, make_theirs: MakeSocket, handle: MakeHandler, serving: str
) -> None:
    make_server, make_client = sides(serving, make_ours, make_theirs)
    keys, others = Keys(), Keys()
    others.server = keys.server
    known = serverlink.z85_decode(keys.client[0])
    handler = handle(make_server, lambda about: b"200" if about[-1] == known else b"400")
    server = serve(make_server(zmq.PULL), "CURVE", keys)
    intruder = approach(make_client(zmq.PUSH), "CURVE", others)
    client = approach(make_client(zmq.PUSH), "CURVE", keys)
    join(server, intruder)
    client.connect(server.last_endpoint.rstrip(b"\0").decode())
    intruder.send(b"never")
    client.send(b"mine")
    assert server.recv() == b"mine"
    assert not server.poll(REFUSED_AFTER_MS)
    assert {about[-1] for about in handler.asked} >= {known}
    assert {about[3] for about in handler.asked} == {b"CURVE"}


MECHANISMS = ["NULL", "PLAIN", "CURVE"] if zmq.has("curve") else ["NULL", "PLAIN"]


@pytest.mark.skipif(not serverlink.has("curve"), reason="CURVE is missing")
@pytest.mark.parametrize("serving", ["ours", "theirs"])
def test_unlike_mechanisms_never_meet(
    make_ours: MakeSocket, make_theirs: MakeSocket, handle: MakeHandler, serving: str
) -> None:
    make_server, make_client = sides(serving, make_ours, make_theirs)
    handle(make_server, admit)
    keys = Keys()
    waiting = []
    for mechanism in MECHANISMS:
        server = serve(make_server(zmq.DEALER), mechanism, keys)
        server.bind_to_random_port("tcp://127.0.0.1")
        for other in MECHANISMS:
            if other != mechanism:
                client = approach(make_client(zmq.DEALER), other, keys)
                client.immediate = 1
                client.connect(server.last_endpoint.rstrip(b"\0").decode())
                waiting.append(client)
        waiting.append(server)
    serverlink_or_zmq_poll = [socket for socket in waiting if socket.poll(20, zmq.POLLOUT)]
    assert serverlink_or_zmq_poll == []


@needs_curve
@pytest.mark.parametrize("serving", ["ours", "theirs"])
@pytest.mark.parametrize("wrong", ["server key", "client keys"])
def test_wrong_keys_open_nothing(
    make_ours: MakeSocket, make_theirs: MakeSocket, serving: str, wrong: str
) -> None:
    make_server, make_client = sides(serving, make_ours, make_theirs)
    keys, other = Keys(), Keys()
    server = serve(make_server(zmq.DEALER), "CURVE", keys)
    client = approach(make_client(zmq.DEALER), "CURVE", keys)
    if wrong == "server key":
        client.curve_serverkey = other.server[0]
    else:
        client.curve_secretkey = other.client[1]  # not the half of its public key
    join(server, client)
    client.send(b"never")
    # A server that may send has a peer.
    assert not server.poll(REFUSED_AFTER_MS, zmq.POLLIN | zmq.POLLOUT)


@needs_curve
@pytest.mark.parametrize("serving", ["ours", "theirs"])
def test_a_new_server_of_the_same_key_is_met_again(
    make_ours: MakeSocket, make_theirs: MakeSocket, serving: str
) -> None:
    make_server, make_client = sides(serving, make_ours, make_theirs)
    keys = Keys()
    client = approach(make_client(zmq.DEALER), "CURVE", keys)
    client.reconnect_ivl = 10
    server = serve(make_server(zmq.DEALER), "CURVE", keys)
    join(server, client)
    client.send(b"one")
    assert server.recv() == b"one"
    endpoint = server.last_endpoint.rstrip(b"\0").decode()
    server.close()
    again = serve(make_server(zmq.DEALER), "CURVE", keys)
    while True:
        try:
            again.bind(endpoint)
            break
        except (zmq.ZMQError, serverlink.ServerLinkError) as error:
            assert error.errno == zmq.EADDRINUSE  # noqa: PT017
    again.send(b"two")
    assert client.recv() == b"two"
    client.send(b"three")
    assert again.recv() == b"three"
