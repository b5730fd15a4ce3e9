"""The bytes on the wire, with a plain socket for a peer: ZMTP 3.1 as its specification has it."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import serverlink

MakeSocket = Callable[[int], Any]

SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
GREETING = SIGNATURE + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
PATIENCE_S = 20


def ready(socket_type: bytes, **properties: bytes) -> bytes:
    body = b"\x05READY"
    for name, value in {"Socket-Type": socket_type, **properties}.items():
        body += bytes([len(name)]) + name.encode() + struct.pack(">I", len(value)) + value
    return bytes([4, len(body)]) + body


def frame(body: bytes, flags: int = 0) -> bytes:
    if len(body) > 255:
        return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def read(peer: socket.socket, size: int) -> bytes:
    """Read exactly that many bytes, or what came before the end."""
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def is_closed(peer: socket.socket) -> bool:
    """Read to the end of the connection, which a broken peer may also be told by a reset."""
    try:
        while peer.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


@contextlib.contextmanager
def connected(library: Any) -> Iterator[socket.socket]:
    """A plain connection to a bound socket of the library."""
    port = library.bind_to_random_port("tcp://127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as peer:
        yield peer


@contextlib.contextmanager
def accepted(library: Any) -> Iterator[socket.socket]:
    """The other role: the library connects to a plain listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        library.connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(PATIENCE_S)
            yield peer


def shake_hands(peer: socket.socket, socket_type: bytes, **properties: bytes) -> bytes:
    """Do our half; return the library's READY body."""
    peer.sendall(GREETING)
    assert len(read(peer, 64)) == 64
    peer.sendall(ready(socket_type, **properties))
    kind, size = read(peer, 2)
    assert kind == 4
    return read(peer, size)


@pytest.mark.parametrize("role", [connected, accepted])
def test_greeting(make_ours: MakeSocket, role: Callable[[Any], Any]) -> None:
    """The library does not wait for ours; padding is its own affair."""
    with role(make_ours(serverlink.PUSH)) as peer:
        first = read(peer, 10)
        assert (first[0], first[9]) == (0xFF, 0x7F)
        peer.sendall(GREETING)
        rest = read(peer, 54)
        assert rest[:2] == b"\x03\x01"
        assert rest[2:22] == b"NULL".ljust(20, b"\0")
        assert rest[22] == 0


@pytest.mark.parametrize("name", ["PAIR", "DEALER", "ROUTER", "PULL", "PUSH"])
def test_ready_names_the_socket_type(make_ours: MakeSocket, name: str) -> None:
    peers = {"PULL": b"PUSH", "PUSH": b"PULL", "PAIR": b"PAIR"}
    library = make_ours(getattr(serverlink, name))
    if name in ("DEALER", "ROUTER"):
        library.routing_id = b"our name"
    with connected(library) as peer:
        body = shake_hands(peer, peers.get(name, b"DEALER"))
    expected = b"\x0bSocket-Type" + struct.pack(">I", len(name)) + name.encode()
    assert body.startswith(b"\x05READY")
    assert expected in body
    identity = b"\x08Identity" + struct.pack(">I", 8) + b"our name"
    assert (identity in body) == (name in ("DEALER", "ROUTER"))


def test_frames_of_a_message(make_ours: MakeSocket) -> None:
    push = make_ours(serverlink.PUSH)
    with connected(push) as peer:
        shake_hands(peer, b"PULL")
        push.send_multipart([b"a", b"", b"x" * 255, b"y" * 256])
        push.send(b"")
        expected = frame(b"a", 1) + frame(b"", 1) + frame(b"x" * 255, 1) + frame(b"y" * 256)
        expected += b"\x00\x00"
        assert read(peer, len(expected)) == expected


@pytest.mark.parametrize("role", [connected, accepted])
def test_byte_at_a_time(make_ours: MakeSocket, role: Callable[[Any], Any]) -> None:
    pull = make_ours(serverlink.PULL)
    with role(pull) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def drip(stream: bytes) -> None:
            for byte in stream:
                peer.sendall(bytes([byte]))

        drip(GREETING + ready(b"PUSH"))
        assert len(read(peer, 64)) == 64
        read(peer, read(peer, 2)[1])
        drip(frame(b"one", 1) + frame(b"") + frame(b"z" * 300))
        assert pull.recv_multipart() == [b"one", b""]
        assert pull.recv_multipart() == [b"z" * 300]


def test_long_form_is_taken_for_any_size(make_ours: MakeSocket) -> None:
    pull = make_ours(serverlink.PULL)
    with connected(pull) as peer:
        shake_hands(peer, b"PUSH")
        for body in (b"", b"short", b"l" * 70000):
            peer.sendall(b"\x02" + struct.pack(">Q", len(body)) + body)
            assert pull.recv() == body


def test_no_message_before_both_are_ready(make_ours: MakeSocket) -> None:
    push = make_ours(serverlink.PUSH)
    with accepted(push) as peer:
        push.send(b"queued")
        peer.sendall(GREETING)
        assert len(read(peer, 64)) == 64
        size = read(peer, 2)[1]
        read(peer, size)
        peer.settimeout(0.15)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        peer.settimeout(PATIENCE_S)
        peer.sendall(ready(b"PULL"))
        assert read(peer, 8) == frame(b"queued")


@pytest.mark.parametrize(("major", "minor"), [(3, 0), (3, 1), (3, 2), (4, 0), (255, 255)])
def test_versions_from_three_on_are_met(make_ours: MakeSocket, major: int, minor: int) -> None:
    pull = make_ours(serverlink.PULL)
    with connected(pull) as peer:
        peer.sendall(SIGNATURE + bytes([major, minor]) + GREETING[12:] + ready(b"PUSH"))
        assert len(read(peer, 64)) == 64
        read(peer, read(peer, 2)[1])
        peer.sendall(frame(b"x"))
        assert pull.recv() == b"x"


def test_padding_and_filler_are_not_looked_at(make_ours: MakeSocket) -> None:
    pull = make_ours(serverlink.PULL)
    with connected(pull) as peer:
        padded = b"\xff" + b"12345678" + b"\x7f\x03\x01" + GREETING[12:32] + b"\x00" + b"f" * 31
        peer.sendall(padded + ready(b"PUSH"))
        assert len(read(peer, 64)) == 64
        read(peer, read(peer, 2)[1])
        peer.sendall(frame(b"x"))
        assert pull.recv() == b"x"


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"\xfe" + GREETING[1:], id="first byte"),
        pytest.param(GREETING[:9] + b"\x7e" + GREETING[10:], id="last byte of the signature"),
        pytest.param(GREETING[:10] + b"\x01" + GREETING[11:], id="version 1"),
        pytest.param(GREETING[:10] + b"\x02\x00" + GREETING[12:], id="version 2"),
        pytest.param(GREETING[:12] + b"PLAIN".ljust(20, b"\0") + GREETING[32:], id="PLAIN"),
        pytest.param(GREETING[:12] + b"null".ljust(20, b"\0") + GREETING[32:], id="lower case"),
        pytest.param(GREETING[:12] + b"NULL\0x".ljust(20, b"\0") + GREETING[32:], id="padding"),
    ],
)
@pytest.mark.parametrize("role", [connected, accepted])
def test_wrong_greetings_end_the_connection(
    make_ours: MakeSocket, role: Callable[[Any], Any], greeting: bytes
) -> None:
    """[strict] libzmq goes on with some of these in the framing of ZMTP 1 and 2."""
    with role(make_ours(serverlink.PULL)) as peer:
        peer.sendall(greeting)
        assert is_closed(peer)


READY_PULL = ready(b"PULL")


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(ready(b"PUSH"), id="wrong pair"),
        pytest.param(ready(b"NONSENSE"), id="unknown type"),
        pytest.param(b"\x00\x05hello", id="message"),
        pytest.param(b"\x04\x05\x04PING", id="other command"),
        pytest.param(b"\x04\x0a\x05ERROR\x03bad", id="error"),
        pytest.param(b"\x04\x00", id="empty command"),
        pytest.param(b"\x04\x08\x05READY\x0bS", id="name runs past the end"),
        pytest.param(READY_PULL[:1] + bytes([READY_PULL[1] - 1]) + READY_PULL[2:-1], id="cut"),
        pytest.param(
            READY_PULL[:1] + bytes([READY_PULL[1] + 1]) + READY_PULL[2:] + b"x", id="rest"
        ),
        pytest.param(
            b"\x04\x1a" + READY_PULL[2:20] + b"\xff\xff\xff\xff" + b"PULL", id="huge value"
        ),
    ],
)
def test_wrong_handshakes_end_the_connection(make_ours: MakeSocket, first: bytes) -> None:
    """[strict] libzmq lets some of these idle until its handshake time-out."""
    push = make_ours(serverlink.PUSH)
    with connected(push) as peer:
        peer.sendall(GREETING)
        assert len(read(peer, 64)) == 64
        peer.sendall(first)
        assert is_closed(peer)
    with pytest.raises(serverlink.Again):
        push.send(b"x", serverlink.DONTWAIT)


def test_property_names_have_no_case_and_unknown_ones_are_ignored(make_ours: MakeSocket) -> None:
    """[strict] libzmq compares names exactly and so misses these."""
    router = make_ours(serverlink.ROUTER)
    with connected(router) as peer:
        body = b"\x05READY"
        for name, value in [
            (b"X-Colour", b"blue"),
            (b"socket-TYPE", b"DEALER"),
            (b"IDENTITY", b"me"),
        ]:
            body += bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        peer.sendall(GREETING + bytes([4, len(body)]) + body)
        assert len(read(peer, 64)) == 64
        read(peer, read(peer, 2)[1])
        peer.sendall(frame(b"x"))
        assert router.recv_multipart() == [b"me", b"x"]


@pytest.mark.parametrize("context", [b"", b"c", b"sixteen bytes ok"])
def test_ping_is_answered_while_nobody_reads(make_ours: MakeSocket, context: bytes) -> None:
    with connected(make_ours(serverlink.PULL)) as peer:
        shake_hands(peer, b"PUSH")
        peer.sendall(frame(b"unread") + frame(b"\x04PING\x00\x00" + context, 4))
        pong = frame(b"\x04PONG" + context, 4)
        assert read(peer, len(pong)) == pong


def test_commands_between_parts_do_not_disturb(make_ours: MakeSocket) -> None:
    pull = make_ours(serverlink.PULL)
    with connected(pull) as peer:
        shake_hands(peer, b"PUSH")
        ping = frame(b"\x04PING\x00\x00x", 4)
        unknown = frame(b"\x07UNKNOWNdata", 4)
        peer.sendall(frame(b"a", 1) + ping + unknown + frame(b"b", 1) + ping + frame(b"c"))
        assert pull.recv_multipart() == [b"a", b"b", b"c"]


def test_reserved_flags_are_ignored(make_ours: MakeSocket) -> None:
    pull = make_ours(serverlink.PULL)
    with connected(pull) as peer:
        shake_hands(peer, b"PUSH")
        peer.sendall(frame(b"a", 0xF8) + frame(b"b", 0xF9) + frame(b"c"))
        assert pull.recv_multipart() == [b"a"]
        assert pull.recv_multipart() == [b"b", b"c"]


@pytest.mark.parametrize("size", [1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_an_announced_giant_does_no_harm(make_ours: MakeSocket, size: int) -> None:
    """Whether it drops the connection or waits for the bytes: it neither dies nor allocates."""
    pull = make_ours(serverlink.PULL)
    with connected(pull) as peer:
        shake_hands(peer, b"PUSH")
        peer.sendall(frame(b"before") + b"\x02" + struct.pack(">Q", size) + b"some bytes")
        assert pull.recv() == b"before"
    with socket.create_connection(peer_address(pull), timeout=PATIENCE_S) as other:
        shake_hands(other, b"PUSH")
        other.sendall(frame(b"after"))
        assert pull.recv() == b"after"


def test_a_stray_http_client_gets_nothing(make_ours: MakeSocket) -> None:
    """[strict] libzmq deals such a client its share of the messages."""
    push, pull = make_ours(serverlink.PUSH), make_ours(serverlink.PULL)
    with connected(push) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert is_closed(peer)
        host, port = peer_address(push)
        pull.connect(f"tcp://{host}:{port}")
        for i in range(10):
            push.send(str(i).encode())
        assert [pull.recv() for _ in range(10)] == [str(i).encode() for i in range(10)]


def test_garbage_is_not_delivered(make_ours: MakeSocket) -> None:
    """[strict] libzmq takes these bytes for an old version's message."""
    pull = make_ours(serverlink.PULL)
    with connected(pull) as peer:
        peer.sendall(b"\x01\x00\x06\x00hello")
        assert is_closed(peer)
    assert pull.poll(100) == 0


def peer_address(library: Any) -> tuple[str, int]:
    host, _, port = library.last_endpoint.decode().removeprefix("tcp://").rpartition(":")
    return host, int(port)
