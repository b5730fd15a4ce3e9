"""The context: what sockets of one process have in common."""

import atexit
import contextlib
import os
import threading
import weakref
from types import TracebackType
from typing import ClassVar, Final, Self

from serverlink import _ext
from serverlink.error import ServerLinkError
from serverlink.socket import Socket

__all__ = ["Context"]

# How long the end of the interpreter waits for I/O threads to come to an orderly end. They do in
# about a millisecond, unless a closed socket still lingers.
_EXIT_GRACE_MS: Final = 200


class Context(_ext.Context):
    """Makes sockets and owns the threads that work for them; may be used from any thread.

    Leaving a ``with`` block destroys it. A context that is dropped without ``term`` or ``destroy``
    is cleaned up in the background: neither garbage collection nor the end of the interpreter
    waits for it. In a forked child it counts as closed.
    """

    __slots__ = ("__weakref__", "_sockets")

    _instance: ClassVar["Context | None"] = None
    _instance_pid: ClassVar[int] = 0
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, io_threads: int = 1) -> None:
        """Raise ServerLinkError: EINVAL (io_threads < 0), EMFILE, ENOMEM."""
        super().__init__(io_threads)
        self._sockets: weakref.WeakSet[Socket] = weakref.WeakSet()
        _live.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.destroy()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<{type(self).__name__} at {id(self):#x}{state}>"

    @classmethod
    def instance(cls, io_threads: int = 1) -> "Context":
        """The process-wide context; made anew if it was closed, and in a forked child."""
        with Context._instance_lock:
            current = Context._instance
            if current is None or current.closed or Context._instance_pid != os.getpid():
                current = cls(io_threads)
                Context._instance = current
                Context._instance_pid = os.getpid()
            return current

    def socket(self, socket_type: int) -> Socket:
        """Make a socket.

        Raises ServerLinkError: EINVAL (unknown type), EMFILE (MAX_SOCKETS are open);
        ContextTerminated.
        """
        made = Socket(self, socket_type)
        self._sockets.add(made)
        return made

    def destroy(self, linger: int | None = None) -> None:
        """Close all sockets, each with ``linger`` ms if given, then ``term``.

        A socket that another thread is waiting in is closed by that thread, whose call raises
        ContextTerminated; its own LINGER counts then.
        """
        if self.closed:
            return
        self._close_sockets(linger)
        self.term()

    def _close_sockets(self, linger: int | None) -> None:
        for made in list(self._sockets):
            if linger is None:
                made._close_soon()
            else:
                made._close_soon(max(linger, -1))


_live: weakref.WeakSet[Context] = weakref.WeakSet()


@atexit.register
def _abandon_all() -> None:
    """Drop what is unsent and unread, so that the interpreter ends without waiting."""
    for context in list(_live):
        if not context.closed:
            with contextlib.suppress(ServerLinkError):
                context._close_sockets(linger=0)
                context._abandon(_EXIT_GRACE_MS)


def _reset_lock_in_child() -> None:
    Context._instance_lock = threading.Lock()


os.register_at_fork(after_in_child=_reset_lock_in_child)
