"""Waiting for sockets and descriptors."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

import serverlink
from serverlink import POLLIN, POLLOUT, Poller, Socket

Pair = tuple[Socket, Socket]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_socket_poll(pair: Pair) -> None:
    bound, connected = pair
    assert bound.poll(0) == 0
    assert connected.poll(10_000, POLLOUT) == POLLOUT
    connected.send(b"x")
    assert bound.poll(None) == POLLIN
    assert bound.poll(-1, POLLIN | POLLOUT) == POLLIN | POLLOUT


def test_time_is_kept(pair: Pair) -> None:
    start = time.monotonic()
    assert pair[0].poll(50) == 0
    assert time.monotonic() - start >= 0.05
    start = time.monotonic()
    assert pair[0].poll(0.5) == 0
    assert time.monotonic() - start < 20


def test_poller(pair: Pair, pipe: tuple[int, int]) -> None:
    bound, connected = pair
    reading, writing = pipe
    poller = Poller()
    poller.register(bound, POLLIN)
    poller.register(connected)
    poller.register(reading, POLLIN)
    assert len(poller) == 3
    assert bound in poller
    assert dict(poller.poll(10_000)) == {connected: POLLOUT}
    poller.modify(connected, POLLIN)
    assert poller.poll(0) == []
    connected.send(b"x")
    os.write(writing, b"x")
    assert dict(poller.poll(10_000)) == {bound: POLLIN, reading: POLLIN}
    poller.unregister(reading)
    poller.register(bound, 0)
    assert reading not in poller
    assert bound not in poller
    with pytest.raises(KeyError):
        poller.unregister(reading)
    assert poller.poll(0) == []


def test_poller_takes_files(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with os.fdopen(os.dup(reading), "rb") as file:
        poller = Poller()
        poller.register(file, POLLIN)
        os.write(writing, b"x")
        assert poller.poll(10_000) == [(file.fileno(), POLLIN)]


def test_poller_refuses_what_cannot_be_waited_for() -> None:
    poller = Poller()
    poller.register("text", POLLIN)
    with pytest.raises(TypeError):
        poller.poll(0)


def test_an_empty_poller_pauses() -> None:
    start = time.monotonic()
    assert Poller().poll(20) == []
    assert time.monotonic() - start >= 0.02


def test_select(pair: Pair, pipe: tuple[int, int]) -> None:
    bound, connected = pair
    reading, writing = pipe
    assert serverlink.select([bound, reading], [], [], 0) == ([], [], [])
    connected.send(b"x")
    os.write(writing, b"x")
    ready = serverlink.select([bound, reading], [connected, writing], [bound], 10)
    assert ready == ([bound, reading], [connected, writing], [])


def test_fileno_tells_of_a_message(make_socket: Callable[[int], Socket]) -> None:
    pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
    push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
    push.send(b"x")
    poller = Poller()
    poller.register(pull.fileno(), POLLIN)
    while not pull.events & POLLIN:
        assert poller.poll(10_000)
    assert pull.recv() == b"x"
