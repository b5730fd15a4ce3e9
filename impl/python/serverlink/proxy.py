"""Passing messages on between two sockets."""

from __future__ import annotations

from serverlink import _ext
from serverlink import constants as c
from serverlink.socket import Socket

__all__ = ["proxy"]

_MESSAGES_PER_TURN = 1000


def proxy(frontend: Socket, backend: Socket, capture: Socket | None = None) -> None:
    """Pass messages from each socket to the other, until the context ends.

    A message waits at its socket while the other has no room. ``capture`` is sent a copy of each.
    Raises ContextTerminated in the end; ServerLinkError: ENOTSUP (a socket that cannot send what
    the other has received), ENOTSOCK, EBUSY.
    """
    ways = [(frontend, backend), (backend, frontend)]
    if frontend is backend:
        ways.pop()
    while True:
        # Of each way the sockets that are not ready; one without either has been emptied.
        readable, writable = _states((frontend, backend))
        moved = False
        for source, target in ways:
            if source in readable and target in writable:
                moved = _pass_on(source, target, capture) or moved
        if not moved:
            wanted = {
                source: (0 if source in readable else c.POLLIN) for source in (frontend, backend)
            }
            for source, target in ways:
                if source in readable and target not in writable:
                    wanted[target] |= c.POLLOUT
            _ext.poll([item for item in wanted.items() if item[1]], -1)


def _states(sockets: tuple[Socket, Socket]) -> tuple[set[Socket], set[Socket]]:
    ready = _ext.poll([(each, c.POLLIN | c.POLLOUT) for each in dict.fromkeys(sockets)], 0)
    return (
        {each for each, events in ready if events & c.POLLIN},
        {each for each, events in ready if events & c.POLLOUT},
    )


def _pass_on(source: Socket, target: Socket, capture: Socket | None) -> bool:
    """Whether any message has gone from one to the other."""
    for count in range(_MESSAGES_PER_TURN):
        if count and not target.events & c.POLLOUT:
            return True
        message = source._try_recv_multipart()
        if message is None:
            return count > 0
        if capture is not None:
            capture.send_multipart(message)
        target.send_multipart(message)
    return True
