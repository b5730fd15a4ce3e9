"""What programs for pyzmq use, by pyzmq's names."""

import copy
import errno
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, get_args, get_origin

import pytest

import serverlink as zmq
import serverlink.error
import serverlink.utils.monitor
from serverlink import Socket

# What pyzmq has and README.md says is missing, as patterns.
MISSING = """
zmq.PUB zmq.SUB zmq.XPUB zmq.XSUB zmq.REQ zmq.REP zmq.STREAM zmq.CHANNEL zmq.CLIENT zmq.DGRAM
zmq.DISH zmq.GATHER zmq.PEER zmq.RADIO zmq.SCATTER zmq.SERVER zmq.SUBSCRIBE zmq.UNSUBSCRIBE
zmq.XPUB_* zmq.XSUB_* zmq.REQ_* zmq.INVERT_MATCHING zmq.ONLY_FIRST_SUBSCRIBE zmq.TOPICS_COUNT
zmq.STREAM_NOTIFY zmq.RATE zmq.RECOVERY_IVL zmq.MULTICAST_* zmq.NORM_* zmq.NormMode zmq.VMCI_*
zmq.WSS_* zmq.SOCKS_* zmq.GSSAPI* zmq.HWM zmq.AFFINITY zmq.TOS zmq.CONFLATE zmq.CONNECT_TIMEOUT
zmq.TCP_MAXRT zmq.USE_FD zmq.BINDTODEVICE zmq.ROUTER_RAW zmq.ROUTER_NOTIFY zmq.RouterNotify
zmq.NOTIFY_* zmq.IPV4ONLY zmq.RECONNECT_STOP* zmq.ReconnectStop zmq.HELLO_MSG
zmq.DISCONNECT_MSG zmq.HICCUP_MSG zmq.PRIORITY zmq.BUSY_POLL zmq.METADATA
zmq.ZAP_ENFORCE_DOMAIN zmq.THREAD_* zmq.*_BATCH_SIZE zmq.TCP_ACCEPT_FILTER zmq.IPC_FILTER_*
zmq.IPC_PATH_MAX_LEN zmq.LOOPBACK_FASTPATH zmq.SRCFD zmq.DRAFT_API zmq.PYZMQ_DRAFT_API
zmq.DraftFDWarning zmq.Stopwatch zmq.device zmq.DeviceType zmq.QUEUE zmq.FORWARDER zmq.STREAMER
zmq.proxy_steerable zmq.backend zmq.sugar zmq.devices zmq.eventloop zmq.green zmq.auth zmq.ssh
zmq.log zmq.decorators Socket.shadow Socket.underlying Context.underlying Context.shadow_pyczmq
Frame.group Frame.routing_id Frame.set Frame.tracker_event asyncio.ZMQEventLoop asyncio.install
asyncio.ProactorSelectorThreadWarning asyncio.Socket.from_socket asyncio.Socket.shadow
asyncio.Socket.underlying asyncio.Context.underlying asyncio.Context.shadow_pyczmq
"""
# What their modules have imported for themselves.
IMPORTED = {"Enum", "IntEnum", "IntFlag", "contextmanager", "os", "sys"}
IMPORTED |= {"Future", "SelectorEventLoop", "WeakKeyDictionary", "asyncio", "selectors", "warnings"}
PLACES = (
    "zmq",
    *("Socket", "Context", "Poller", "Frame", "MessageTracker"),
    *("asyncio", "asyncio.Socket", "asyncio.Context", "asyncio.Poller"),
)

MakeSocket = Callable[[int], Socket]
Pair = tuple[Socket, Socket]


def test_names_that_programs_import() -> None:
    assert zmq.ZMQError is zmq.ServerLinkError is zmq.error.ZMQError
    assert issubclass(zmq.Again, zmq.ZMQError)
    assert zmq.utils.monitor.parse_monitor_message is zmq.parse_monitor_message
    assert zmq.asyncio.Context
    assert zmq.zmq_version_info() >= (4, 3)
    assert zmq.pyzmq_version_info() >= (26,)
    assert zmq.slk_version() == zmq.__version__
    assert int(zmq.SocketType.ROUTER) == zmq.ROUTER
    assert int(zmq.SocketOption.RCVHWM) == zmq.RCVHWM
    assert zmq.Flag.SNDMORE | zmq.NOBLOCK == 3
    assert int(zmq.Event.LISTENING) == zmq.EVENT_LISTENING
    assert zmq.PollEvent(zmq.POLLIN) is zmq.PollEvent.POLLIN
    assert zmq.Errno.EAGAIN == zmq.EAGAIN


def test_old_names() -> None:
    assert (zmq.XREQ, zmq.XREP) == (zmq.DEALER, zmq.ROUTER)
    assert zmq.ROUTER_BEHAVIOR == zmq.FAIL_UNROUTABLE == zmq.ROUTER_MANDATORY
    assert zmq.DELAY_ATTACH_ON_CONNECT == zmq.IMMEDIATE
    assert zmq.constants.SocketType is zmq.SocketType
    assert zmq.SyncSocket is zmq.Socket
    assert zmq.SyncContext is zmq.Context


def test_names_of_arguments(make_socket: MakeSocket) -> None:
    dealer = make_socket(zmq.DEALER)
    dealer.set(option=zmq.LINGER, optval=3)
    assert dealer.get(option=zmq.LINGER) == 3
    poller = zmq.Poller()
    poller.register(socket=dealer, flags=zmq.POLLIN)
    poller.modify(socket=dealer, flags=zmq.POLLOUT)
    assert poller.sockets == [(dealer, zmq.POLLOUT)]
    poller.unregister(socket=dealer)
    shadow = zmq.Context(shadow=dealer.context)
    shadow.set(option=zmq.MAX_SOCKETS, optval=10)
    assert dealer.context.max_sockets == 10


def test_sockets_say_what_they_are(make_socket: MakeSocket) -> None:
    dealer = make_socket(zmq.DEALER)
    shown = f"<serverlink.Socket(serverlink.DEALER) at {id(dealer):#x}"
    assert repr(dealer) == f"{shown}>"
    assert repr(dealer.context).startswith("<serverlink.Context(1 socket) at ")
    assert dealer.copy_threshold == zmq.COPY_THRESHOLD
    dealer.close()
    assert repr(dealer) == f"{shown} closed>"
    assert dealer.type == dealer.TYPE == zmq.DEALER
    assert dealer.socket_type is zmq.SocketType.DEALER


def test_classes_take_the_types_that_programs_name() -> None:
    socket: Any = zmq.Socket
    context: Any = zmq.Context
    awaited: Any = zmq.asyncio.Socket
    assert (get_origin(socket[bytes]), get_args(socket[bytes])) == (zmq.Socket, (bytes,))
    assert get_args(context[zmq.Socket]) == (zmq.Socket,)
    assert get_origin(awaited[bytes]) is zmq.asyncio.Socket


@pytest.mark.parametrize("place", PLACES)
def test_what_is_missing_is_known(place: str) -> None:
    theirs: Any = pytest.importorskip("zmq")
    pytest.importorskip("zmq.asyncio")
    ours: Any = zmq
    for step in () if place == "zmq" else place.split("."):
        theirs, ours = getattr(theirs, step), getattr(ours, step)

    def is_known(name: str) -> bool:
        return any(fnmatchcase(f"{place}.{name}", pattern) for pattern in MISSING.split())

    names = {name for name in dir(theirs) if not name.startswith("_")} - IMPORTED
    assert {name for name in names if not hasattr(ours, name) and not is_known(name)} == set()
    assert {name for name in names if hasattr(ours, name) and is_known(name)} == set()


@pytest.mark.parametrize("name", ["SUB", "REQ", "STREAM"])
def test_other_socket_types_say_so(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no {name} sockets"):
        getattr(zmq, name)


def test_subscriptions_say_so(make_socket: MakeSocket) -> None:
    dealer = make_socket(zmq.DEALER)
    for call in (dealer.subscribe, dealer.unsubscribe, dealer.join, dealer.leave):
        with pytest.raises(zmq.ZMQError, match=call.__name__) as caught:
            call("topic")
        assert caught.value.errno == zmq.ENOTSUP


def test_text_json_and_objects(pair: Pair) -> None:
    bound, connected = pair
    connected.send_string("größer")
    assert bound.recv_string() == "größer"
    connected.send_unicode("latin", encoding="utf-16")
    assert bound.recv_unicode(encoding="utf-16") == "latin"
    connected.send_json({"a": [1, None]}, sort_keys=True)
    assert bound.recv_json() == {"a": [1, None]}
    connected.send_pyobj({1, 2})
    assert bound.recv_pyobj() == {1, 2}
    connected.send_serialized("a b", lambda text: text.encode().split())
    assert bound.recv_serialized(lambda parts: b"+".join(parts)) == b"a+b"
    with pytest.raises(TypeError):
        connected.send_string(b"bytes")  # type: ignore[arg-type]


def test_frames_and_trackers(pair: Pair) -> None:
    bound, connected = pair
    tracker = connected.send(zmq.Frame(b"one"), zmq.SNDMORE, copy=False, track=True)
    assert tracker is not None
    assert tracker.done
    connected.send(b"two", copy=False)
    first = bound.recv(copy=False)
    assert (first.bytes, first.more, len(first), str(first)) == (b"one", True, 3, "one")
    assert first.get(zmq.MORE) == first[zmq.MORE] == first.MORE == 1
    assert first.SHARED == 0
    assert first.tracker is None
    copied = copy.copy(first)
    assert copied == first
    assert (copied.more, copied is first) == (True, False)
    assert bytes(memoryview(first)) == b"one"
    (second,) = bound.recv_multipart(copy=False)
    assert second == b"two"
    assert not second.more
    connected.send_multipart([first, second], copy=False)
    tracked = bound.recv(copy=False, track=True)
    assert tracked.tracker is not None
    assert tracked.tracker.done
    connected.send(b"three")
    assert [frame.bytes for frame in bound.recv_multipart(copy=False, track=True)] == [b"two"]
    (third,) = bound.recv_multipart(copy=False, track=True)
    assert third.tracker is not None
    assert zmq.Frame().bytes == zmq.Frame(None).bytes == b""
    with pytest.raises(TypeError):
        zmq.Frame("text")  # type: ignore[arg-type]


def test_options_of_contexts_go_to_their_sockets() -> None:
    with zmq.Context() as context:
        context.linger = 7
        context.setsockopt(zmq.ROUTER_MANDATORY, 1)
        context.max_sockets = 10
        assert (context.linger, context.MAX_SOCKETS) == (7, 10)
        assert context.getsockopt(zmq.ROUTER_MANDATORY) == 1
        with context.socket(zmq.ROUTER) as router, context.socket(zmq.PULL) as pull:
            assert (router.linger, pull.linger, router.router_mandatory) == (7, 7, 1)
        with pytest.raises(AttributeError):
            context.no_such_option = 1
        with pytest.raises(AttributeError):
            _ = context.no_such_option


def test_a_shadow_is_the_same_context() -> None:
    with zmq.Context() as context:
        shadow = zmq.Context.shadow(context)
        with context.socket(zmq.PAIR) as one, shadow.socket(zmq.PAIR) as other:
            one.bind("inproc://shadow")
            other.connect("inproc://shadow")
            one.send(b"x")
            assert other.recv() == b"x"
    assert shadow.closed


def test_options_as_text(make_socket: MakeSocket) -> None:
    dealer = make_socket(zmq.DEALER)
    dealer.setsockopt_string(zmq.IDENTITY, "me")
    assert dealer.get_string(zmq.IDENTITY) == "me"
    dealer.set_hwm(5)
    assert dealer.get_hwm() == 5
    assert dealer.socket_type is zmq.SocketType.DEALER
    with pytest.raises(zmq.ZMQError):
        dealer.get_string(zmq.SNDHWM)
    with pytest.raises(TypeError):
        dealer.set_string(zmq.IDENTITY, b"me")  # type: ignore[arg-type]


def test_bind_and_connect_as_context_managers(make_socket: MakeSocket) -> None:
    with make_socket(zmq.PULL).bind("tcp://127.0.0.1:*") as pull:
        endpoint = pull.last_endpoint
        pull.bind("tcp://127.0.0.1:*")  # the end of the block undoes the first
        with make_socket(zmq.PUSH).connect(endpoint) as push:
            push.send(b"x")
            assert pull.recv() == b"x"
    for undone in (lambda: push.disconnect(endpoint), lambda: pull.unbind(endpoint)):
        with pytest.raises(zmq.ZMQError) as caught:
            undone()  # type: ignore[no-untyped-call]
        assert caught.value.errno == errno.ENOENT
    pull.unbind(pull.last_endpoint)


@pytest.mark.parametrize("attach", ["bind", "connect"])
def test_a_socket_may_be_closed_where_it_is_attached(make_socket: MakeSocket, attach: str) -> None:
    with getattr(make_socket(zmq.PULL), attach)("inproc://closed") as pull:
        pull.close()
    assert pull.closed


def test_a_proxy_passes_messages_both_ways() -> None:
    context = zmq.Context()
    ended: list[type[Exception]] = []

    def pass_on() -> None:
        with (
            context.socket(zmq.ROUTER) as frontend,
            context.socket(zmq.DEALER) as backend,
            context.socket(zmq.PUSH) as capture,
        ):
            frontend.bind("inproc://front")
            backend.bind("inproc://back")
            capture.connect("inproc://copy")
            try:
                zmq.proxy(frontend, backend, capture)
            except zmq.ContextTerminated as error:
                ended.append(type(error))

    thread = threading.Thread(target=pass_on)
    with context.socket(zmq.PULL) as copies:
        copies.bind("inproc://copy")
        thread.start()
        with context.socket(zmq.DEALER) as client, context.socket(zmq.DEALER) as worker:
            for each in (copies, client, worker):
                each.rcvtimeo = 10_000
            client.connect("inproc://front")
            worker.connect("inproc://back")
            for number in range(300):
                client.send(b"%d" % number)
            for number in range(300):
                request = worker.recv_multipart()
                assert request[1] == b"%d" % number
                worker.send_multipart(request)
            assert [int(client.recv()) for _ in range(300)] == list(range(300))
            assert copies.recv_multipart()[1] == b"0"
    context.term()
    thread.join(10)
    assert ended == [zmq.ContextTerminated]
