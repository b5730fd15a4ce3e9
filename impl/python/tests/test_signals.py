"""Waiting calls run signal handlers and go on; a handler's exception leaves the call."""

import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

import serverlink
from serverlink import Again, Socket

MakeSocket = Callable[[int], Socket]
Handler = Callable[[int, FrameType | None], None]
Beat = Callable[[Handler], None]


class _StopError(Exception):
    pass


@pytest.fixture
def beat() -> Iterator[Beat]:
    """Install a handler that runs every 20 ms."""
    previous = signal.getsignal(signal.SIGALRM)

    def start(handler: Handler) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def idle(make_socket: MakeSocket) -> Socket:
    made = make_socket(serverlink.PAIR)
    made.bind("inproc://idle")
    return made


def test_the_time_allowed_is_kept(idle: Socket, beat: Beat) -> None:
    beats: list[float] = []
    idle.rcvtimeo = idle.sndtimeo = 150
    beat(lambda *_: beats.append(time.monotonic()))
    for wait in (lambda: idle.recv(), lambda: idle.send(b"x"), lambda: idle.recv_multipart()):
        beats.clear()
        start = time.monotonic()
        with pytest.raises(Again):
            wait()
        assert 0.15 <= time.monotonic() - start < 5
        assert len(beats) >= 3
    assert idle.rcvtimeo == idle.sndtimeo == 150  # what was borrowed has been given back


def test_poll_goes_on(idle: Socket, beat: Beat) -> None:
    beats: list[float] = []
    beat(lambda *_: beats.append(time.monotonic()))
    start = time.monotonic()
    assert idle.poll(150) == 0
    assert 0.15 <= time.monotonic() - start < 5
    assert len(beats) >= 3


@pytest.mark.parametrize("call", ["recv", "send", "poll"])
def test_an_exception_leaves_the_call(idle: Socket, beat: Beat, call: str) -> None:
    def stop(*_: object) -> None:
        raise _StopError

    idle.rcvtimeo = idle.sndtimeo = -1
    arguments = {"recv": (), "send": (b"x",), "poll": ()}[call]
    beat(stop)
    with pytest.raises(_StopError):
        getattr(idle, call)(*arguments)
    assert idle.rcvtimeo == -1


def test_term_can_be_interrupted_and_repeated(beat: Beat) -> None:
    context = serverlink.Context()
    pull = context.socket(serverlink.PULL)

    def stop(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise _StopError

    beat(stop)
    with pytest.raises(_StopError):
        context.term()
    assert not context.closed
    pull.close()
    context.term()
    assert context.closed


def test_a_handler_may_use_the_socket(idle: Socket, make_socket: MakeSocket, beat: Beat) -> None:
    """The message that ends the waiting comes from the handler; so does the close."""
    peer = make_socket(serverlink.PAIR)
    peer.connect("inproc://idle")

    def send(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        peer.send(b"from the handler")

    beat(send)
    assert idle.recv() == b"from the handler"

    def close(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        idle.close()

    beat(close)
    with pytest.raises(serverlink.ServerLinkError):
        idle.recv()
    assert idle.closed
