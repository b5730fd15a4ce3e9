"""Sockets to await, on asyncio's own loop and on uvloop.

::

    import serverlink.asyncio

    async def echo(context: serverlink.asyncio.Context) -> None:
        with context.socket(serverlink.ROUTER) as router:
            router.bind("tcp://127.0.0.1:5555")
            while True:
                await router.send_multipart(await router.recv_multipart())

A call first tries at once, and awaits the socket's descriptor only if it has to wait; every so
often it lets other tasks run all the same. Between a message being taken and the call's return
nothing is awaited: a call that is cancelled has taken, or sent, nothing. Calls that wait are served
in the order in which they came. A send begins when it is called, as pyzmq's does, and waits while
there is no room; a receive begins when it is awaited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverlink.asyncio.poller import Poller
from serverlink.asyncio.socket import Socket
from serverlink.context import Context as _Context

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Context", "Poller", "Socket"]


class Context(_Context):
    """Makes sockets to await; ``Context(other)`` shares the sockets' world of another context."""

    __slots__ = ()

    _socket_class = Socket

    if TYPE_CHECKING:

        def socket(
            self,
            socket_type: int,
            socket_class: Callable[..., Any] | None = None,
            **kwargs: Any,
        ) -> Socket: ...
