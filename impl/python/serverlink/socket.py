"""The socket."""

import contextlib
import errno
import math
import random
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Self

from serverlink import _ext
from serverlink import constants as c
from serverlink.error import ServerLinkError
from serverlink.options import SocketOptions

if TYPE_CHECKING:
    from serverlink.context import Context

__all__ = ["Socket"]

_EPHEMERAL_PORTS = (49152, 65536)


class Socket(SocketOptions):
    """A message socket; made by :meth:`Context.socket`.

    It keeps its context alive. One thread may use it at a time: a call made while another thread is
    waiting in one raises ServerLinkError with EBUSY. After :meth:`close`, and in a forked child,
    every call raises ServerLinkError with ENOTSOCK; after its context was terminated,
    ContextTerminated. Waiting calls run signal handlers and go on waiting.
    """

    __slots__ = ("__weakref__", "context")

    def __init__(self, context: "Context", socket_type: int) -> None:
        """Raise ServerLinkError: EINVAL (unknown type), EMFILE (too many sockets)."""
        super().__init__(context, socket_type)
        self.context = context

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not hasattr(self, "context") or self.closed:  # without context: never came to be
            return
        # Names are None when the interpreter is coming to its end; then nobody wants the warning.
        if warnings is not None:
            warnings.warn(f"unclosed socket {self!r}", ResourceWarning, stacklevel=2, source=self)
        with contextlib.suppress(ServerLinkError):
            self.close(linger=0)

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<{type(self).__name__} at {id(self):#x}{state}>"

    def close(self, linger: int | None = None) -> None:
        """Close the socket, at once; closing it again does nothing.

        Unsent messages go on being sent in the background for ``linger`` ms (None: as the option
        LINGER says, -1: for ever). Raises ServerLinkError with EBUSY if another thread is using it.
        """
        if linger is None:
            self._close()
        else:
            self._close(max(linger, -1))

    def bind_to_random_port(
        self,
        address: str,
        min_port: int = _EPHEMERAL_PORTS[0],
        max_port: int = _EPHEMERAL_PORTS[1],
        max_tries: int = 100,
    ) -> int:
        """Bind to a free port of ``address`` (without a port) and return the port.

        The system chooses unless a range is given. Raises ServerLinkError as ``bind``, with
        EADDRINUSE if no port of the range was free in ``max_tries`` attempts.
        """
        if (min_port, max_port) == _EPHEMERAL_PORTS:
            self.bind(f"{address}:*")
            return int(self.last_endpoint.rpartition(b":")[2])
        for _ in range(max_tries):
            port = random.randrange(min_port, max_port)
            try:
                self.bind(f"{address}:{port}")
            except ServerLinkError as error:
                if error.errno not in (c.EADDRINUSE, errno.EACCES):
                    raise
            else:
                return port
        raise ServerLinkError(c.EADDRINUSE)

    def poll(self, timeout: float | None = None, flags: int = c.POLLIN) -> int:
        """Wait until one of the events ``flags`` is there; return those that are.

        ``timeout`` is in ms; None or a negative one waits for ever. Returns 0 if the time is over.
        """
        ready = _ext.poll([(self, flags)], timeout_ms(timeout))
        return ready[0][1] if ready else 0

    def monitor(self, addr: str | None, events: int = c.EVENT_ALL) -> None:
        """Tell ``events`` at the inproc endpoint ``addr`` from now on; None: no more.

        One PAIR of the same context may connect there and receive them: see
        :func:`serverlink.parse_monitor_message`. Events are dropped while none is connected, and
        while 1000 + its high-water mark of them are unread. Raises ServerLinkError:
        EPROTONOSUPPORT (not inproc), EADDRINUSE.
        """
        self._monitor(addr, events)

    def get_monitor_socket(self, events: int = c.EVENT_ALL, addr: str | None = None) -> "Socket":
        """A PAIR connected to the monitor of this socket, which is started; close it yourself."""
        if addr is None:
            addr = f"inproc://monitor.s-{self.fd}"
        self.monitor(addr, events)
        reader = self.context.socket(c.PAIR)
        reader.connect(addr)
        return reader

    def disable_monitor(self) -> None:
        """Stop the monitor; its reader finds EVENT_MONITOR_STOPPED."""
        self.monitor(None, 0)

    def fileno(self) -> int:
        """A descriptor that becomes readable when the option EVENTS may have changed.

        It is a hint and signals edges, not levels: read EVENTS after each time it was readable and
        after each send and receive.
        """
        return self.fd


def timeout_ms(timeout: float | None) -> int:
    """A time-out in ms as the library takes it: whole, rounded up, -1 for ever."""
    if timeout is None or timeout < 0 or timeout == math.inf:
        return -1
    return math.ceil(timeout)
