"""Exceptions by themselves, and what calls say of arguments of the wrong kind."""

import copy
import errno
import pickle
from collections.abc import Callable

import pytest

import serverlink as zmq
from serverlink import Context, Socket

MakeSocket = Callable[[int], Socket]


def test_exceptions_are_made_as_programs_make_them() -> None:
    assert isinstance(zmq.ZMQError().errno, int)
    assert str(zmq.ZMQError(msg="only text")) == "only text"
    assert str(zmq.ZMQError("only text")) == "only text"
    assert zmq.ZMQError("only text").errno is None
    assert str(zmq.ZMQError(errno.EINVAL, msg="both")) == "both"
    assert repr(zmq.ZMQError(errno.EINVAL, "both")) == f"ServerLinkError({errno.EINVAL}, 'both')"
    assert zmq.Again().errno == zmq.Again("text").errno == zmq.EAGAIN
    assert zmq.ContextTerminated().errno == zmq.ETERM
    assert str(zmq.ZMQBindError("no port")) == "no port"
    assert isinstance(zmq.InterruptedSystemCall(), InterruptedError)
    assert zmq.InterruptedSystemCall().errno == errno.EINTR
    assert str(zmq.ZMQVersionError("5.0", "Tea")) == (
        f"Tea requires libzmq >= 5.0, have {zmq.zmq_version()}"
    )


@pytest.mark.parametrize(
    "error",
    [
        zmq.ZMQError(errno.EINVAL, "text"),
        zmq.ZMQError("text"),
        zmq.Again(),
        zmq.InterruptedSystemCall("text"),
        zmq.ZMQVersionError("5.0"),
        zmq.ZMQError(errno.EINVAL).at("tcp://x"),
    ],
    ids=repr,
)
def test_exceptions_can_be_copied(error: Exception) -> None:
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(copied), repr(copied), str(copied)) == (type(error), repr(error), str(error))


def test_errors_name_the_endpoint(make_socket: MakeSocket) -> None:
    dealer = make_socket(zmq.DEALER)
    wrong = "tcp://127.0.0.1:port"
    for call in (dealer.bind, dealer.connect, dealer.unbind, dealer.disconnect):
        with pytest.raises(zmq.ZMQError, match=wrong):
            call(wrong)
    with pytest.raises(zmq.ZMQError, match=r"udp://127\.0\.0\.1") as caught:
        dealer.bind_to_random_port("udp://127.0.0.1")
    assert caught.value.errno == zmq.EPROTONOSUPPORT


def set_linger(value: object) -> Callable[[Socket], object]:
    return lambda dealer: setattr(dealer, "linger", value)


WRONG: dict[str, tuple[type[Exception], str, Callable[[Socket], object]]] = {
    "bind a number": (TypeError, "endpoint", lambda it: it.bind(5)),  # type: ignore[arg-type]
    "bind NUL": (ValueError, "NUL", lambda it: it.bind("inproc://a\0b")),
    "monitor": (TypeError, "endpoint", lambda it: it.monitor(5)),  # type: ignore[arg-type]
    "linger None": (TypeError, "LINGER is an integer", set_linger(None)),
    "linger 1.5": (TypeError, r"LINGER is an integer.*1\.5", set_linger(1.5)),
    "linger 2**40": (OverflowError, "LINGER has 32 bits", set_linger(2**40)),
    "linger bytes": (TypeError, "LINGER is an integer", set_linger(b"five")),
    "linger text": (TypeError, "encode", set_linger("5")),
    "identity": (TypeError, "ROUTING_ID takes bytes", lambda it: it.set(zmq.IDENTITY, 5)),
    "identity None": (TypeError, "bytes", lambda it: it.set(zmq.IDENTITY, None)),  # type: ignore[arg-type]
    "maxmsgsize": (OverflowError, "64 bits", lambda it: it.set(zmq.MAXMSGSIZE, 2**63)),
    "get by name": (TypeError, "number", lambda it: it.get("rcvhwm")),  # type: ignore[arg-type]
    "get too large": (OverflowError, "number", lambda it: it.get(2**40)),
    "set by name": (TypeError, "number", lambda it: it.set("rcvhwm", 5)),  # type: ignore[arg-type]
    "close": (TypeError, "linger", lambda it: it.close("1")),  # type: ignore[arg-type]
    "send text": (TypeError, "send_string", lambda it: it.send("text")),  # type: ignore[call-overload]
    "send parts of text": (TypeError, "encode", lambda it: it.send_multipart(["text"])),  # type: ignore[list-item]
    "poll what is no pair": (TypeError, "pair", lambda it: zmq.zmq_poll([it], 1)),  # type: ignore[list-item]
    "poll one of three": (TypeError, "pair", lambda it: zmq.zmq_poll([(it, 1, 1)], 1)),  # type: ignore[list-item]
    "poll events": (OverflowError, "events", lambda it: zmq.zmq_poll([(it, 2**20)], 1)),
    "socket type": (TypeError, "type", lambda it: it.context.socket("x")),  # type: ignore[arg-type]
    "context": (TypeError, "Context", lambda it: Socket(it, zmq.PULL)),  # type: ignore[arg-type]
    "context option": (TypeError, "number", lambda it: it.context.set("x", 1)),  # type: ignore[arg-type]
    "context value": (OverflowError, "32 bits", lambda it: it.context.set(zmq.MAX_SOCKETS, 2**31)),
    "io_threads": (TypeError, "io_threads", lambda it: Context("2")),  # type: ignore[arg-type]
    "shadow": (TypeError, "address", lambda it: Context(shadow=5)),  # type: ignore[arg-type]
    "strerror": (TypeError, "integer", lambda it: zmq.strerror("x")),  # type: ignore[arg-type]
    "has": (TypeError, "text", lambda it: zmq.has(5)),  # type: ignore[arg-type]
    "frame": (TypeError, "bytes", lambda it: zmq.Frame(5)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("expected", "text", "call"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_told(
    make_socket: MakeSocket,
    expected: type[Exception],
    text: str,
    call: Callable[[Socket], object],
) -> None:
    dealer = make_socket(zmq.DEALER)
    with pytest.raises(expected, match=text) as caught:
        call(dealer)
    assert type(caught.value) is expected
    assert "incompatible function arguments" not in str(caught.value)
    assert dealer.linger == -1
