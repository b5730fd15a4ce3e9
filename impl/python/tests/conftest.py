"""Sockets that cannot hang a test: what waits gives up after ten seconds, nothing lingers."""

import signal
from collections.abc import Callable, Iterator

import pytest

import serverlink

PATIENCE_MS = 10_000

# A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def context() -> Iterator[serverlink.Context]:
    """A context that ends, with all its sockets, when the test does."""
    made = serverlink.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def make_socket(context: serverlink.Context) -> Iterator[Callable[[int], serverlink.Socket]]:
    """Make sockets with time-outs, and keep them, so that they are closed and not collected."""
    sockets: list[serverlink.Socket] = []

    def make(socket_type: int) -> serverlink.Socket:
        made = context.socket(socket_type)
        sockets.append(made)
        made.sndtimeo = made.rcvtimeo = PATIENCE_MS
        return made

    yield make
    context.destroy(linger=0)


@pytest.fixture
def pair(
    make_socket: Callable[[int], serverlink.Socket],
) -> tuple[serverlink.Socket, serverlink.Socket]:
    """Two connected PAIR sockets over inproc."""
    bound, connected = make_socket(serverlink.PAIR), make_socket(serverlink.PAIR)
    bound.bind("inproc://pair")
    connected.connect("inproc://pair")
    return bound, connected
