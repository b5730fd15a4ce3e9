"""The context: what sockets of one process have in common."""

from __future__ import annotations

import atexit
import os
import weakref
from _thread import allocate_lock
from types import GenericAlias

from serverlink import _ext
from serverlink import constants as c
from serverlink.checks import c_int
from serverlink.error import ServerLinkError
from serverlink.socket import KEEP_LINGER, Socket, public_name

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ClassVar, Final, Self

__all__ = ["Context"]

# How long the end of the interpreter waits for I/O threads to come to an orderly end. They do in
# about a millisecond, unless a closed socket still lingers.
_EXIT_GRACE_MS: Final = 200


class Context(_ext.Context):
    """Makes sockets and owns the threads that work for them; may be used from any thread.

    Leaving a ``with`` block destroys it. A context that is dropped without ``term`` or ``destroy``
    is cleaned up in the background: neither garbage collection nor the end of the interpreter
    waits for it. In a forked child it counts as closed.

    Its own options are attributes (``context.max_sockets``); so are options of sockets, which then
    are those of the sockets that it makes from now on (``context.linger = 0``).
    """

    __slots__ = ("__weakref__", "_sockets", "sockopts")

    _socket_class: Callable[..., Any] = Socket
    _sockets: weakref.WeakSet[Socket]
    sockopts: dict[int, int | bytes]

    _instance: ClassVar[Any] = None
    _instance_pid: ClassVar[int] = 0
    _instance_lock: ClassVar[Any] = allocate_lock()

    def __init__(self, io_threads: int | Context = 1, shadow: Context | None = None) -> None:
        """Make a context, or another face of ``shadow``, as the method ``shadow`` does.

        Raises ServerLinkError: EINVAL (io_threads < 0), EMFILE, ENOMEM; TypeError.
        """
        if isinstance(io_threads, _ext.Context):
            shadow = io_threads
        if shadow is None:
            super().__init__(c_int(io_threads, "io_threads"))
            made: weakref.WeakSet[Socket] = weakref.WeakSet()
        elif isinstance(shadow, _ext.Context):
            super().__init__(shadow)
            made = shadow._sockets
        else:
            raise TypeError("only a Context can be shared, not the address of one")
        self._sockets = made
        self.sockopts = {}
        _live.add(self)

    @classmethod
    def shadow(cls, address: Context) -> Self:
        """Another face of the same context: its sockets, its end. Raises TypeError for a number."""
        return cls(shadow=address)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") or hasattr(type(self), name):
            super().__setattr__(name, value)  # of the class, or of one derived from it
            return
        option = name.upper()
        of_context, of_sockets = _options()
        if option in of_context:
            self.set(of_context[option], value)
        elif option in of_sockets:
            self.sockopts[of_sockets[option]] = value
        else:
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        option = name.upper()
        of_context, of_sockets = _options()
        if option in of_context:
            return self.get(of_context[option])
        number = of_sockets.get(option)
        if number is not None and number in self.sockopts:
            return self.sockopts[number]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def set(self, option: int, optval: int) -> None:
        """Set an option of the context.

        Raises ServerLinkError: EINVAL (unknown, read only, out of range); TypeError, OverflowError.
        """
        super().set(c_int(option, "an option's number"), c_int(optval, f"option {option}"))

    def get(self, option: int) -> int:
        """The value of an option of the context. Raises EINVAL (unknown); TypeError."""
        return super().get(c_int(option, "an option's number"))

    def setsockopt(self, opt: int, value: int | bytes) -> None:
        """An option of the sockets to be made; for those that have it."""
        self.sockopts[opt] = value

    def getsockopt(self, opt: int) -> int | bytes:
        """What ``setsockopt`` set. Raises ServerLinkError with EINVAL if nothing did."""
        if opt not in self.sockopts:
            raise ServerLinkError(c.EINVAL, f"option {opt} was not set for the sockets to be made")
        return self.sockopts[opt]

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
        count = len(self._sockets)
        sockets = f"{count} socket{'s' if count > 1 else ''}" if count else ""
        return f"<{public_name(type(self))}({sockets}) at {id(self):#x}{state}>"

    # Programs name the sockets that it makes: Context[Socket].
    __class_getitem__: ClassVar[Any] = classmethod(GenericAlias)

    @classmethod
    def instance(cls, io_threads: int = 1) -> Self:
        """The process-wide context of this class; made anew if it was closed, or in a fork."""
        with Context._instance_lock:
            current: Self | None = cls.__dict__.get("_instance")
            if current is None or current.closed or cls._instance_pid != os.getpid():
                current = cls(io_threads)
                cls._instance = current
                cls._instance_pid = os.getpid()
            return current

    def socket(
        self,
        socket_type: int,
        socket_class: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> Socket:
        """Make a socket, with the options set for all of them; ``kwargs`` go to its class.

        Raises ServerLinkError: EINVAL (unknown type), EMFILE (MAX_SOCKETS are open);
        ContextTerminated.
        """
        made: Socket = (socket_class or self._socket_class)(self, socket_type, **kwargs)
        self._sockets.add(made)
        for option, value in self.sockopts.items():
            try:
                made.setsockopt(option, value)
            except ServerLinkError as error:
                if error.errno != c.EINVAL:  # its type does not have this one
                    raise
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
        linger_ms = KEEP_LINGER if linger is None else max(c_int(linger, "linger"), -1)
        for made in list(self._sockets):
            made._close_soon(linger_ms)


def _options() -> tuple[dict[str, int], dict[str, int]]:
    """The options of contexts and those of sockets, by name."""
    from serverlink.enums import ContextOption, SocketOption

    of_context = {**ContextOption.__members__, "IPV6": c.IPV6}
    return of_context, dict(SocketOption.__members__)


_live: weakref.WeakSet[Context] = weakref.WeakSet()


@atexit.register
def _abandon_all() -> None:
    """Drop what is unsent and unread, so that the interpreter ends without waiting."""
    for context in list(_live):
        if not context.closed:
            try:
                context._close_sockets(linger=0)
                context._abandon(_EXIT_GRACE_MS)
            except ServerLinkError:
                pass


def _reset_lock_in_child() -> None:
    Context._instance_lock = allocate_lock()


os.register_at_fork(after_in_child=_reset_lock_in_child)
