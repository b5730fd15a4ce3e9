"""One context of each library, and sockets of both that cannot hang a test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

import serverlink

PATIENCE_MS = 20_000

MakeSocket = Callable[[int], Any]


@pytest.fixture
def make_ours() -> Iterator[MakeSocket]:
    """Make ServerLink sockets, and keep them until the end of the test."""
    sockets: list[serverlink.Socket] = []
    with serverlink.Context() as context:

        def make(socket_type: int) -> serverlink.Socket:
            made = context.socket(socket_type)
            sockets.append(made)
            made.sndtimeo = made.rcvtimeo = PATIENCE_MS
            made.linger = 0
            return made

        yield make
        context.destroy(linger=0)


@pytest.fixture
def make_theirs() -> Iterator[MakeSocket]:
    """Make pyzmq sockets, and keep them until the end of the test."""
    sockets: list[zmq.Socket[bytes]] = []
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def make(socket_type: int) -> zmq.Socket[bytes]:
        made = context.socket(socket_type)
        sockets.append(made)
        made.sndtimeo = made.rcvtimeo = PATIENCE_MS
        made.linger = 0
        return made

    yield make
    context.destroy(linger=0)
