"""Waiting for several sockets and file descriptors at once."""

from __future__ import annotations

from serverlink import _ext
from serverlink import constants as c
from serverlink.socket import timeout_ms

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["Poller", "select", "zmq_poll"]


class Poller:
    """A set of sockets and descriptors with the events each is watched for.

    Sockets, integers and objects with ``fileno()`` may be registered; a poll must not be under way.
    """

    def __init__(self) -> None:
        self._events: dict[Any, int] = {}

    @property
    def sockets(self) -> list[tuple[Any, int]]:
        """What is watched, with its events."""
        return list(self._events.items())

    def __contains__(self, polled: object) -> bool:
        return polled in self._events

    def __len__(self) -> int:
        return len(self._events)

    def register(self, socket: Any, flags: int = c.POLLIN | c.POLLOUT) -> None:
        """Watch a socket or descriptor for the events ``flags``; 0 stops watching."""
        if flags:
            self._events[socket] = flags
        else:
            self._events.pop(socket, None)

    def modify(self, socket: Any, flags: int = c.POLLIN | c.POLLOUT) -> None:
        """The same as ``register``."""
        self.register(socket, flags)

    def unregister(self, socket: Any) -> None:
        """Stop watching. Raises KeyError if it was not registered."""
        del self._events[socket]

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """Wait for events; return (socket or descriptor, events) for each that has some.

        ``timeout`` is in ms; None or a negative one waits for ever. Returns [] if the time is over.
        Raises ServerLinkError: ENOTSOCK (a closed socket), EBUSY (used by another thread);
        ContextTerminated.
        """
        return _ext.poll(list(self._events.items()), timeout_ms(timeout))


def zmq_poll(sockets: Sequence[tuple[Any, int]], timeout: float = -1) -> list[tuple[Any, int]]:
    """``Poller.poll`` for pairs of a socket or descriptor and its events; ``timeout`` in ms."""
    return _ext.poll(sockets, timeout_ms(timeout))


def select(
    rlist: Sequence[Any],
    wlist: Sequence[Any],
    xlist: Sequence[Any],
    timeout: float | None = None,
) -> tuple[list[Any], list[Any], list[Any]]:
    """Wait as ``select.select`` does, for sockets too; ``timeout`` is in **seconds**.

    Returns those that can be read, written, or have an error. Raises as ``Poller.poll``.
    """
    watched: dict[Any, int] = {}
    for polled_list, event in ((rlist, c.POLLIN), (wlist, c.POLLOUT), (xlist, c.POLLERR)):
        for polled in polled_list:
            watched[polled] = watched.get(polled, 0) | event
    ready = dict(
        _ext.poll(list(watched.items()), timeout_ms(None if timeout is None else timeout * 1000))
    )

    def having(polled_list: Sequence[Any], event: int) -> list[Any]:
        return [polled for polled in polled_list if ready.get(_poll_key(polled), 0) & event]

    return having(rlist, c.POLLIN), having(wlist, c.POLLOUT), having(xlist, c.POLLERR)


def _poll_key(polled: Any) -> Any:
    """What a poll reports for an object: sockets as they are, everything else as descriptor."""
    return polled if isinstance(polled, _ext.Socket | int) else polled.fileno()
