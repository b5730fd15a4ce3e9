"""Waiting calls run signal handlers and go on; a handler's exception leaves the call."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

import serverlink
from serverlink import Again, Socket

MakeSocket = Callable[[int], Socket]
Handler = Callable[[int, FrameType | None], None]
Beat = Callable[..., None]


ENOUGH_BEATS = 24
# A machine that stops for as long as a wait lasts lets few signals in: a longer one has more.
WAITS_MS = (150, 600, 2400)
LAST = [b"last"]
PATIENCE_MS = 10_000  # of sockets that make_socket makes
LONG_TRANSPORTS = ["inproc://long", "tcp://127.0.0.1:*"]


class _StopError(Exception):
    pass


@pytest.fixture
def beat() -> Iterator[Beat]:
    """Install a handler that runs every 20 ms, or as often as is said."""
    previous = signal.getsignal(signal.SIGALRM)

    def start(handler: Handler, every_s: float = 0.02) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, every_s, every_s)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(params=LONG_TRANSPORTS)
def long_pair(make_socket: MakeSocket, request: pytest.FixtureRequest) -> tuple[Socket, Socket]:
    """PUSH and PULL of which either often waits for the other."""
    push, pull = make_socket(serverlink.PUSH), make_socket(serverlink.PULL)
    push.sndhwm = pull.rcvhwm = 2
    push.sndbuf = pull.rcvbuf = 64 * 1024
    pull.bind(request.param)
    push.connect(pull.last_endpoint.rstrip(b"\0").decode())
    return push, pull


def long_message(number: int) -> list[bytes]:
    """Parts that are sent and received with the GIL, then without, then without."""
    filler = bytes([number % 251])
    return [b"%d" % number, filler * 100_000, filler * 50_000]


@pytest.fixture
def idle(make_socket: MakeSocket) -> Socket:
    made = make_socket(serverlink.PAIR)
    made.bind("inproc://idle")
    return made


def test_the_time_allowed_is_kept(idle: Socket, beat: Beat) -> None:
    beats: list[float] = []
    beat(lambda *_: beats.append(time.monotonic()))
    for wait in (lambda: idle.recv(), lambda: idle.send(b"x"), lambda: idle.recv_multipart()):
        for wait_ms in WAITS_MS:
            idle.rcvtimeo = idle.sndtimeo = wait_ms
            beats.clear()
            start = time.monotonic()
            with pytest.raises(Again):
                wait()
            assert wait_ms / 1000 <= time.monotonic() - start < PATIENCE_MS / 1000
            # What was borrowed has been given back.
            assert idle.rcvtimeo == idle.sndtimeo == wait_ms
            if len(beats) >= 3:
                break
        assert len(beats) >= 3


def test_poll_goes_on(idle: Socket, beat: Beat) -> None:
    beats: list[float] = []
    beat(lambda *_: beats.append(time.monotonic()))
    for wait_ms in WAITS_MS:
        beats.clear()
        start = time.monotonic()
        assert idle.poll(wait_ms) == 0
        assert wait_ms / 1000 <= time.monotonic() - start < PATIENCE_MS / 1000
        if len(beats) >= 3:
            break
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


class _Traffic:
    """Long messages from PUSH to PULL, one end of which is in the thread that runs handlers.

    What a handler raises leaves send and receive. A message is then sent whole or not at all; one
    that was received is lost to the caller if the handler ran as the call returned.
    """

    def __init__(self, pair: tuple[Socket, Socket], here: str, is_raising: bool) -> None:
        self.push, self.pull = pair
        self.here = here  # which end this thread, where handlers run, is: "send" or "receive"
        self.is_raising = is_raising
        self.inside = {"send": False, "receive": False}  # a call, or about to be, or just out
        self.beats = self.raised = 0
        self.sent: list[int] = []  # by calls that returned
        self.received: list[int] = []

    def handle(self, *_: object) -> None:
        self.beats += 1
        if self.is_raising and self.inside[self.here] and self.beats < ENOUGH_BEATS:
            self.inside[self.here] = False
            raise _StopError

    def send_all(self) -> None:
        number = 0
        while self.beats < ENOUGH_BEATS:
            number += 1
            message = long_message(number)
            try:
                self.inside["send"] = True
                self.push.send_multipart(message)
                self.inside["send"] = False
            except _StopError:
                self.raised += 1
                continue
            self.sent.append(number)
        self.push.send_multipart(LAST)

    def receive_all(self) -> None:
        while True:
            try:
                self.inside["receive"] = True
                message = self.pull.recv_multipart()
                self.inside["receive"] = False
            except _StopError:
                self.raised += 1
                continue
            if message == LAST:
                return
            number = int(message[0])
            assert message == long_message(number)
            self.received.append(number)

    def run(self, beat: Beat) -> None:
        mine, others = self.send_all, self.receive_all
        if self.here == "receive":
            mine, others = others, mine
        other = threading.Thread(target=others)
        other.start()
        try:
            beat(self.handle, 0.003)
            mine()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            other.join()


@pytest.mark.parametrize("here", ["send", "receive"])
def test_no_long_message_is_lost_while_handlers_run(
    long_pair: tuple[Socket, Socket], beat: Beat, here: str
) -> None:
    traffic = _Traffic(long_pair, here, is_raising=False)
    traffic.run(beat)
    assert traffic.received == traffic.sent
    assert len(traffic.sent) > 0
    assert traffic.push.sndtimeo == traffic.pull.rcvtimeo == PATIENCE_MS


@pytest.mark.parametrize("here", ["send", "receive"])
def test_a_handler_that_raises_cuts_no_long_message(
    long_pair: tuple[Socket, Socket], beat: Beat, here: str
) -> None:
    traffic = _Traffic(long_pair, here, is_raising=True)
    traffic.run(beat)
    assert traffic.raised > 0
    assert traffic.received == sorted(set(traffic.received))  # none twice, all in order
    missing = set(traffic.sent) - set(traffic.received)
    assert len(missing) <= (0 if here == "send" else traffic.raised)
    assert traffic.push.sndtimeo == traffic.pull.rcvtimeo == PATIENCE_MS


def test_the_time_allowed_for_long_parts_is_kept(
    long_pair: tuple[Socket, Socket], beat: Beat
) -> None:
    push, pull = long_pair
    push.send_multipart(long_message(1))
    assert pull.recv_multipart() == long_message(1)  # so it expects long ones
    pull.rcvtimeo = push.sndtimeo = 60
    beat(lambda *_: None, 0.003)
    start = time.monotonic()
    with pytest.raises(Again):
        pull.recv_multipart()
    assert 0.06 <= time.monotonic() - start < PATIENCE_MS / 1000
    sent = 1
    while True:
        start = time.monotonic()
        try:
            push.send(long_message(sent + 1)[1])
        except Again:
            break
        sent += 1
    assert 0.06 <= time.monotonic() - start < PATIENCE_MS / 1000
    assert pull.rcvtimeo == push.sndtimeo == 60
    pull.rcvtimeo = PATIENCE_MS  # what the kernel holds still has to come
    for number in range(2, sent + 1):
        assert pull.recv() == long_message(number)[1]
