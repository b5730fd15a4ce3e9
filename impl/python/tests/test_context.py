"""Contexts: options, ends, the shared instance."""

import errno
import threading
from typing import assert_type

import pytest

import serverlink
import serverlink.asyncio
from serverlink import Context, ContextTerminated, ServerLinkError


def test_options() -> None:
    with Context(io_threads=2) as context:
        assert context.get(serverlink.IO_THREADS) == 2
        context.set(serverlink.MAX_SOCKETS, 1)
        with context.socket(serverlink.PULL), pytest.raises(ServerLinkError) as caught:
            context.socket(serverlink.PULL)
        assert caught.value.errno == errno.EMFILE
        for wrong in ((12345, 1), (serverlink.MAX_SOCKETS, 0)):
            with pytest.raises(ServerLinkError) as caught:
                context.set(*wrong)
            assert caught.value.errno == errno.EINVAL
        with pytest.raises(ServerLinkError):
            context.get(12345)
    with pytest.raises(ServerLinkError):
        Context(-1)


def test_unknown_socket_type(context: Context) -> None:
    with pytest.raises(ServerLinkError) as caught:
        context.socket(4711)
    assert caught.value.errno == errno.EINVAL


def test_a_context_ends_once_and_says_so() -> None:
    context = Context()
    assert not context.closed
    context.term()
    context.term()
    context.destroy()
    assert context.closed
    assert "closed" in repr(context)
    with pytest.raises(ContextTerminated):
        context.socket(serverlink.PULL)
    with pytest.raises(ContextTerminated):
        context.get(serverlink.IO_THREADS)


def test_leaving_the_block_closes_its_sockets() -> None:
    with Context() as context:
        push = context.socket(serverlink.PUSH)
        push.linger = 0
        push.connect("tcp://127.0.0.1:9")
        push.send(b"never sent")
    assert context.closed
    assert push.closed


def test_destroy_passes_linger_on() -> None:
    context = Context()
    push = context.socket(serverlink.PUSH)
    push.connect("tcp://127.0.0.1:9")
    push.send(b"never sent")
    context.destroy(linger=0)
    assert context.closed


def test_term_waits_for_sockets_and_wakes_their_users() -> None:
    context = Context()
    told: list[type[Exception]] = []

    def work() -> None:
        with context.socket(serverlink.PULL) as pull:
            pull.bind("inproc://work")
            ready.set()
            try:
                pull.recv()
            except ServerLinkError as error:
                told.append(type(error))

    ready = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(10)
    context.term()
    thread.join(10)
    assert told == [ContextTerminated]


def test_shutdown_does_not_wait(context: Context) -> None:
    pull = context.socket(serverlink.PULL)
    context.shutdown()
    context.shutdown()
    with pytest.raises(ContextTerminated):
        pull.recv()
    assert not context.closed
    pull.close()


def test_the_shared_instance_is_one_until_closed() -> None:
    first = Context.instance()
    assert Context.instance() is first
    first.destroy(linger=0)
    second = Context.instance()
    assert second is not first
    assert not second.closed
    second.destroy(linger=0)


class Counting(Context):
    """A context as programs derive them: with attributes, class attributes and properties."""

    made = 0

    def __init__(self, io_threads: int = 1) -> None:
        super().__init__(io_threads)
        self.own = "kept"
        self._doubled = 0

    @property
    def doubled(self) -> int:
        return self._doubled

    @doubled.setter
    def doubled(self, value: int) -> None:
        self._doubled = 2 * value


def test_a_derived_context_has_attributes_of_its_own() -> None:
    with Counting() as context:
        context.made += 1
        context.doubled = 4
        context.linger = 0
        assert (context.own, context.made, context.doubled) == ("kept", 1, 8)
        assert context.linger == context.sockopts[serverlink.LINGER] == 0
        with pytest.raises(AttributeError):
            context.closed = True  # type: ignore[misc]
    assert Counting.made == 0


def test_every_class_has_an_instance_of_its_own() -> None:
    with Context.instance() as context, Counting.instance() as counting:
        assert_type(counting, Counting)
        assert type(context) is Context
        assert type(counting) is Counting
        assert Counting.instance() is counting
        with serverlink.asyncio.Context.instance() as awaited:
            assert_type(awaited, serverlink.asyncio.Context)
            assert type(awaited) is serverlink.asyncio.Context
