"""The descriptor of a socket in the hands of an event loop: read first, before all other calls."""

import asyncio
import select
import time
from collections.abc import Callable, Iterator

import pytest

import serverlink
from serverlink import DEALER, DONTWAIT, FD, PAIR, POLLIN, PULL, PUSH, ROUTER, Socket

PATIENCE_S = 10
PAIRS = [(PULL, PUSH), (PAIR, PAIR), (DEALER, DEALER), (DEALER, ROUTER), (ROUTER, DEALER)]
NAMES = ["PULL", "PAIR", "DEALER", "DEALER-ROUTER", "ROUTER"]

Make = Callable[[int], Socket]


def _unbind(socket: Socket) -> None:
    socket.unbind(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")


def _connect(socket: Socket) -> None:
    if socket.type != PAIR:  # which would have its one peer then
        socket.connect("inproc://nobody")


def _disconnect(socket: Socket) -> None:
    _connect(socket)
    if socket.type != PAIR:
        socket.disconnect("inproc://nobody")


def _receive(socket: Socket) -> None:
    with pytest.raises(serverlink.Again):
        socket.recv(DONTWAIT)


def _send_nothing(socket: Socket) -> None:
    socket.send_many([])


def _monitor(socket: Socket) -> None:
    reader = socket.get_monitor_socket()
    socket.disable_monitor()
    reader.close()


CALLS: dict[str, Callable[[Socket], object]] = {
    "none": lambda _: None,
    "getsockopt": lambda socket: socket.getsockopt(serverlink.LAST_ENDPOINT),
    "setsockopt": lambda socket: socket.setsockopt(serverlink.LINGER, 0),
    "fileno": lambda socket: socket.fileno(),
    "bind": lambda socket: socket.bind_to_random_port("tcp://127.0.0.1"),
    "connect": _connect,
    "unbind": _unbind,
    "disconnect": _disconnect,
    "monitor": _monitor,
    "poll": lambda socket: socket.poll(0),
    "recv": _receive,
    "recv_many": lambda socket: socket.recv_many(timeout=0),
    "send_many": _send_nothing,
}


@pytest.fixture(params=PAIRS, ids=NAMES)
def ends(request: pytest.FixtureRequest, make_socket: Make) -> tuple[Socket, Socket]:
    """A socket that is to receive, and one that it may receive from; not connected."""
    subject, peer = make_socket(request.param[0]), make_socket(request.param[1])
    if request.param[0] == DEALER:
        subject.setsockopt(serverlink.ROUTING_ID, b"subject")
    if request.param[1] == ROUTER:
        peer.setsockopt(serverlink.ROUTER_MANDATORY, 1)
    return subject, peer


def _join(binding: Socket, connecting: Socket, transport: str) -> None:
    if transport == "inproc":
        binding.bind("inproc://ends")
        connecting.connect("inproc://ends")
    else:
        connecting.connect(f"tcp://127.0.0.1:{binding.bind_to_random_port('tcp://127.0.0.1')}")


def _try_tell(peer: Socket) -> bool:
    try:
        peer.send_multipart([b"subject", b"x"] if peer.type == ROUTER else [b"x"])
    except serverlink.ServerLinkError:
        return False
    return True


def _tell(peer: Socket) -> None:
    """Send; a ROUTER cannot before it knows whom."""
    end = time.monotonic() + PATIENCE_S
    while not _try_tell(peer):
        assert time.monotonic() < end
        time.sleep(0.001)


def _is_readable(fd: int, timeout_s: float = PATIENCE_S) -> bool:
    return bool(select.select([fd], [], [], timeout_s)[0])


def _is_told(socket: Socket, fd: int) -> bool:
    """Wait for the descriptor before each look at EVENTS, as a loop does."""
    while _is_readable(fd):
        if socket.events & POLLIN:
            return True
    return False


def _fall_silent(socket: Socket, fd: int) -> None:
    while socket.events & POLLIN or _is_readable(fd, 0):
        pass


@pytest.mark.parametrize("transport", ["tcp", "inproc"])
@pytest.mark.parametrize("binds", [True, False], ids=["bind", "connect"])
@pytest.mark.parametrize("call", CALLS)
def test_read_first(ends: tuple[Socket, Socket], call: str, binds: bool, transport: str) -> None:
    subject, peer = ends
    fd = subject.getsockopt(FD)
    assert isinstance(fd, int)
    _join(*((subject, peer) if binds else (peer, subject)), transport)
    CALLS[call](subject)
    _tell(peer)
    assert _is_told(subject, fd)
    assert subject.recv_multipart(DONTWAIT)[-1] == b"x"
    # And once more, now that all is quiet.
    _fall_silent(subject, fd)
    CALLS[call](subject)
    _tell(peer)
    assert _is_told(subject, fd)
    assert subject.recv_multipart(DONTWAIT)[-1] == b"x"


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.mark.parametrize("binds", [True, False], ids=["bind", "connect"])
@pytest.mark.parametrize("call", [name for name in CALLS if name != "poll"])
def test_add_reader(
    ends: tuple[Socket, Socket], call: str, binds: bool, loop: asyncio.AbstractEventLoop
) -> None:
    subject, peer = ends
    received: list[list[bytes]] = []
    waiting: list[asyncio.Future[None]] = []

    def on_readable() -> None:
        while subject.events & POLLIN:
            received.append(subject.recv_multipart(DONTWAIT))
            waiting[0].set_result(None)

    async def exchange() -> None:
        loop.add_reader(subject.fileno(), on_readable)
        await asyncio.sleep(0)
        _join(*((subject, peer) if binds else (peer, subject)), "tcp")
        for count in range(1, 4):
            waiting[:] = [loop.create_future()]
            CALLS[call](subject)
            _tell(peer)
            await asyncio.wait_for(waiting[0], PATIENCE_S)
            assert len(received) == count
        loop.remove_reader(subject.fileno())

    loop.run_until_complete(exchange())


def test_a_loop_that_waits_for_a_message_it_does_not_read_is_idle(
    ends: tuple[Socket, Socket],
) -> None:
    subject, peer = ends
    fd = subject.fileno()
    _join(subject, peer, "tcp")
    _tell(peer)
    assert _is_told(subject, fd)
    while _is_readable(fd, 0):
        assert subject.events & POLLIN
    assert subject.events & POLLIN
    assert subject.getsockopt(serverlink.LAST_ENDPOINT)
    assert not _is_readable(fd, 0)
