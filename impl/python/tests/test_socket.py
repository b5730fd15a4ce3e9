"""Sockets: sending, receiving, options, errors."""

import errno
import pickle
import threading
from collections.abc import Callable

import pytest

import serverlink
from serverlink import Again, ContextTerminated, ServerLinkError, Socket

MakeSocket = Callable[[int], Socket]
Pair = tuple[Socket, Socket]


@pytest.mark.parametrize("size", [0, 1, 30, 31, 255, 256, 8192, 65537, 1 << 20])
def test_a_message_arrives_as_it_was(pair: Pair, size: int) -> None:
    bound, connected = pair
    body = bytes(i * 31 % 256 for i in range(size))
    connected.send(body)
    assert bound.recv() == body


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_with_a_buffer_can_be_sent(pair: Pair, kind: Callable[[bytes], bytes]) -> None:
    bound, connected = pair
    connected.send(kind(b"body"))
    connected.send_multipart([kind(b"a"), kind(b""), kind(b"c")])
    assert bound.recv() == b"body"
    assert bound.recv_multipart() == [b"a", b"", b"c"]


def test_text_and_gaps_are_refused(pair: Pair) -> None:
    bound, connected = pair
    with pytest.raises(TypeError):
        connected.send("text")  # type: ignore[call-overload]
    with pytest.raises(BufferError):
        connected.send(memoryview(b"abcdef")[::2])
    with pytest.raises(TypeError):
        connected.send_multipart([b"fine", "text"])  # type: ignore[list-item]
    connected.send(b"whole")
    assert bound.recv_multipart() == [b"whole"]  # nothing of the refused message was sent


def test_a_message_needs_a_part(pair: Pair) -> None:
    with pytest.raises(ServerLinkError) as caught:
        pair[0].send_multipart([])
    assert caught.value.errno == errno.EINVAL


def test_multipart_by_hand(pair: Pair) -> None:
    bound, connected = pair
    connected.send(b"a", serverlink.SNDMORE)
    connected.send(b"b")
    assert bound.recv() == b"a"
    assert bound.rcvmore == 1
    assert bound.recv() == b"b"
    assert bound.getsockopt(serverlink.RCVMORE) == 0


def test_without_waiting(make_socket: MakeSocket) -> None:
    pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
    pull.bind("inproc://nobody")
    with pytest.raises(Again) as caught:
        pull.recv(serverlink.NOBLOCK)
    assert caught.value.errno == errno.EAGAIN
    for receive in (pull.recv, pull.recv_multipart):
        with pytest.raises(Again):
            receive(serverlink.DONTWAIT)
    with pytest.raises(Again):
        push.send(b"x", serverlink.NOBLOCK)
    with pytest.raises(Again):
        push.send_multipart([b"x", b"y"], serverlink.NOBLOCK)


def test_wrong_direction(make_socket: MakeSocket) -> None:
    with pytest.raises(ServerLinkError) as caught:
        make_socket(serverlink.PULL).send(b"x")
    assert caught.value.errno == errno.ENOTSUP
    with pytest.raises(ServerLinkError) as caught:
        make_socket(serverlink.PUSH).recv()
    assert caught.value.errno == errno.ENOTSUP


def test_a_blocked_receiver_lets_other_threads_run(pair: Pair) -> None:
    bound, connected = pair
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(bound.recv()))
    thread.start()
    connected.send(b"from the main thread")
    thread.join(10)
    assert received == [b"from the main thread"]


def test_options_by_number_and_by_name(make_socket: MakeSocket) -> None:
    router = make_socket(serverlink.ROUTER)
    router.setsockopt(serverlink.SNDHWM, 7)
    assert router.sndhwm == router.SNDHWM == router.get(serverlink.SNDHWM) == 7
    router.RCVHWM = 8
    assert router.getsockopt(serverlink.RCVHWM) == 8
    router.hwm = 9
    assert (router.sndhwm, router.rcvhwm, router.hwm) == (9, 9, 9)
    router.routing_id = b"a\0b"
    assert router.IDENTITY == b"a\0b"
    router.maxmsgsize = 1 << 40
    assert router.maxmsgsize == 1 << 40
    assert router.type == serverlink.ROUTER
    assert router.last_endpoint == b""
    router.router_mandatory = 1
    router.connect_routing_id = b"peer"


def test_wrong_options(make_socket: MakeSocket) -> None:
    pull = make_socket(serverlink.PULL)
    wrong: list[tuple[int, int | bytes]] = [
        (serverlink.ROUTER_MANDATORY, 1),
        (serverlink.SNDHWM, -1),
        (serverlink.TYPE, 1),
        (54321, 1),
    ]
    for option, value in wrong:
        with pytest.raises(ServerLinkError) as caught:
            pull.setsockopt(option, value)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(TypeError):
        pull.setsockopt(serverlink.ROUTING_ID, "text")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        pull.sndhmw = 1  # type: ignore[attr-defined]


def test_random_port(make_socket: MakeSocket) -> None:
    pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    assert pull.last_endpoint == f"tcp://127.0.0.1:{port}".encode()
    assert 20000 <= pull.bind_to_random_port("tcp://127.0.0.1", 20000, 30000) < 30000
    push.connect(f"tcp://127.0.0.1:{port}")
    push.send(b"x")
    assert pull.recv() == b"x"
    with pytest.raises(ServerLinkError) as caught:
        push.bind_to_random_port("tcp://127.0.0.1", port, port + 1, max_tries=3)
    assert caught.value.errno == errno.EADDRINUSE


def test_unbind_and_disconnect(make_socket: MakeSocket) -> None:
    pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
    endpoint = f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}"
    push.connect(endpoint)
    push.disconnect(endpoint)
    pull.unbind(endpoint)
    for call in (push.disconnect, pull.unbind):
        with pytest.raises(ServerLinkError) as caught:
            call(endpoint)
        assert caught.value.errno == errno.ENOENT


def test_router(make_socket: MakeSocket) -> None:
    router, dealer = make_socket(serverlink.ROUTER), make_socket(serverlink.DEALER)
    router.bind("inproc://router")
    dealer.routing_id = b"me"
    dealer.connect("inproc://router")
    dealer.send(b"question")
    assert router.recv_multipart() == [b"me", b"question"]
    router.send_multipart([b"me", b"answer"])
    assert dealer.recv() == b"answer"
    router.router_mandatory = 1
    with pytest.raises(ServerLinkError) as caught:
        router.send_multipart([b"nobody", b"x"])
    assert caught.value.errno == errno.EHOSTUNREACH
    with pytest.raises(ServerLinkError) as caught:
        dealer.is_connected(b"me")
    assert caught.value.errno == errno.ENOTSUP
    assert not router.is_connected(b"nobody")


def test_a_closed_socket_says_so(make_socket: MakeSocket) -> None:
    pull = make_socket(serverlink.PULL)
    pull.close()
    pull.close()
    assert pull.closed
    assert "closed" in repr(pull)
    for call in (
        lambda: pull.recv(),
        lambda: pull.recv_multipart(),
        lambda: pull.send(b"x"),
        lambda: pull.bind("inproc://x"),
        lambda: pull.connect("inproc://x"),
        lambda: pull.unbind("inproc://x"),
        lambda: pull.disconnect("inproc://x"),
        lambda: pull.poll(0),
        lambda: pull.fileno(),
        lambda: pull.sndhwm,
        lambda: pull.setsockopt(serverlink.SNDHWM, 1),
        lambda: pull.is_connected(b"x"),
    ):
        with pytest.raises(ServerLinkError) as caught:
            call()
        assert caught.value.errno == errno.ENOTSOCK


def test_a_socket_in_use_by_another_thread_is_refused(
    context: serverlink.Context, make_socket: MakeSocket
) -> None:
    pull = make_socket(serverlink.PULL)
    pull.bind("inproc://busy")
    ended: list[type[Exception]] = []

    def wait() -> None:
        try:
            pull.recv()
        except ServerLinkError as error:
            ended.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()

    def is_refused() -> bool:
        try:
            pull.recv(serverlink.NOBLOCK)
        except Again:
            return False
        except ServerLinkError as error:
            return error.errno == errno.EBUSY
        return False

    while not is_refused():
        assert thread.is_alive()
    with pytest.raises(ServerLinkError):
        pull.close()
    context.destroy()  # closes it all the same: the waiting thread does
    thread.join(10)
    assert ended == [ContextTerminated]
    assert pull.closed


def test_errors_are_values() -> None:
    error = ServerLinkError(errno.EINVAL)
    assert error.errno == errno.EINVAL
    assert str(error) == error.strerror == serverlink.strerror(errno.EINVAL)
    assert not isinstance(error, OSError)
    assert Again().errno == errno.EAGAIN
    assert ContextTerminated().errno == serverlink.ETERM
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ServerLinkError
    assert again.errno == errno.EINVAL
