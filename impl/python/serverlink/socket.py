"""The socket."""

from __future__ import annotations

import errno
import math
import warnings
from types import GenericAlias

from serverlink import _ext
from serverlink import constants as c
from serverlink.checks import c_int
from serverlink.error import ServerLinkError, ZMQBindError
from serverlink.options import SocketOptions

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Any, ClassVar, NoReturn, Self, TypeVar

    from typing_extensions import Buffer

    from serverlink.context import Context

    T = TypeVar("T")

__all__ = ["Socket"]

_EPHEMERAL_PORTS = (49152, 65536)
_LONGEST_MS = 2**31 - 1  # what is longer is for ever: the library takes a C long
KEEP_LINGER = -2  # of the extension's ways to close: as the option LINGER says


class _Attachment:
    """What ``bind`` and ``connect`` return: a ``with`` block on it gives the socket.

    The end of the block undoes them, unless the socket was closed in it.
    """

    __slots__ = ("addr", "kind", "socket")

    def __init__(self, socket: Socket, kind: str, addr: str) -> None:
        self.socket = socket
        self.kind = kind
        self.addr = addr

    def __repr__(self) -> str:
        return f"<SocketContext({self.kind}={self.addr!r})>"

    def __enter__(self) -> Any:
        return self.socket

    def __exit__(self, *_: object) -> None:
        if self.socket.closed:
            return
        if self.kind == "bind":
            self.socket.unbind(self.addr)
        else:
            self.socket.disconnect(self.addr)


class Socket(SocketOptions):
    """A message socket; made by :meth:`Context.socket`.

    It keeps its context alive. One thread may use it at a time: a call made while another thread is
    waiting in one raises ServerLinkError with EBUSY. After :meth:`close`, and in a forked child,
    every call raises ServerLinkError with ENOTSOCK; after its context was terminated,
    ContextTerminated. Waiting calls run signal handlers and go on waiting.
    """

    __slots__ = ("__weakref__", "_monitor_reader", "context", "copy_threshold")

    def __init__(self, context: Context, socket_type: int) -> None:
        """Raise ServerLinkError: EINVAL (unknown type), EMFILE (too many sockets); TypeError."""
        if not isinstance(context, _ext.Context):
            raise TypeError(f"a socket is made of a Context, not {type(context).__name__}")
        super().__init__(context, c_int(socket_type, "a socket's type"))
        self.context = context
        self.copy_threshold = c.COPY_THRESHOLD  # for pyzmq's sake: a send always copies
        self._type = socket_type
        self._monitor_reader: Socket | None = None

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
        try:
            self.close(linger=0)
        except ServerLinkError:
            pass

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        name = public_name(type(self))
        return f"<{name}(serverlink.{self.socket_type.name}) at {id(self):#x}{state}>"

    # Programs name the type that a receive gives: Socket[bytes].
    __class_getitem__: ClassVar[Any] = classmethod(GenericAlias)

    def close(self, linger: int | None = None) -> None:
        """Close the socket, at once; closing it again does nothing.

        Unsent messages go on being sent in the background for ``linger`` ms (None: as the option
        LINGER says, -1: for ever). Raises ServerLinkError with EBUSY if another thread is using it.
        """
        self._close(KEEP_LINGER if linger is None else max(c_int(linger, "linger"), -1))

    def bind(self, addr: str | bytes) -> AbstractContextManager[Self]:
        """Accept peers at an endpoint; as a context manager, until the block ends.

        Raises ServerLinkError: EINVAL, EPROTONOSUPPORT, EADDRINUSE, EADDRNOTAVAIL, ENOENT, ...
        """
        endpoint = _text(addr)
        _at(endpoint, self._bind)
        try:
            endpoint = self.last_endpoint.decode()  # it may have had a wildcard in it
        except (ServerLinkError, UnicodeDecodeError):
            pass  # too long to be told, or no text: then it had none
        return _Attachment(self, "bind", endpoint)

    def connect(self, addr: str | bytes) -> AbstractContextManager[Self]:
        """Keep a connection in the background; as a context manager, until the block ends.

        Raises ServerLinkError: EINVAL, EPROTONOSUPPORT.
        """
        endpoint = _text(addr)
        _at(endpoint, self._connect)
        return _Attachment(self, "connect", endpoint)

    def unbind(self, addr: str | bytes) -> None:
        """Stop accepting at a resolved endpoint. Raises ENOENT (not bound there), EINVAL."""
        _at(_text(addr), self._unbind)

    def disconnect(self, addr: str | bytes) -> None:
        """End the connections to an endpoint. Raises ENOENT (not connected there), EINVAL."""
        _at(_text(addr), self._disconnect)

    def bind_to_random_port(
        self,
        addr: str,
        min_port: int = _EPHEMERAL_PORTS[0],
        max_port: int = _EPHEMERAL_PORTS[1],
        max_tries: int = 100,
    ) -> int:
        """Bind to a free port of ``addr`` (without a port) and return the port.

        The system chooses unless a range is given. Raises ServerLinkError as ``bind``, with
        EADDRINUSE if no port of the range was free in ``max_tries`` attempts.
        """
        if (min_port, max_port) == _EPHEMERAL_PORTS:
            _at(f"{_text(addr)}:*", self._bind)
            return int(self.last_endpoint.rpartition(b":")[2])
        import random

        for _ in range(max_tries):
            port = random.randrange(min_port, max_port)
            try:
                _at(f"{_text(addr)}:{port}", self._bind)
            except ServerLinkError as error:
                if error.errno not in (c.EADDRINUSE, errno.EACCES):
                    raise
            else:
                return port
        raise ZMQBindError(msg=f"none of {max_tries} ports of {addr} was free")

    def poll(self, timeout: float | None = None, flags: int = c.POLLIN) -> int:
        """Wait until one of the events ``flags`` is there; return those that are.

        ``timeout`` is in ms; None or a negative one waits for ever. Returns 0 if the time is over.
        """
        ready = _ext.poll([(self, flags)], timeout_ms(timeout))
        return ready[0][1] if ready else 0

    def monitor(self, addr: str | bytes | None, events: int = c.EVENT_ALL) -> None:
        """Tell ``events`` at the inproc endpoint ``addr`` from now on; None: no more.

        One PAIR of the same context may connect there and receive them: see
        :func:`serverlink.parse_monitor_message`. Events are dropped while none is connected, and
        while 1000 + its high-water mark of them are unread. Raises ServerLinkError:
        EPROTONOSUPPORT (not inproc), EADDRINUSE.
        """
        self._monitor(None if addr is None else _text(addr), c_int(events, "the set of events"))

    def get_monitor_socket(self, events: int | None = None, addr: str | None = None) -> Socket:
        """A PAIR connected to the monitor of this socket, which is started; close it yourself.

        Until it is closed, or the monitor disabled, every call gives the same one. ``events`` are
        all if None. Raises as ``monitor``.
        """
        if self._monitor_reader is not None and not self._monitor_reader.closed:
            return self._monitor_reader
        if addr is None:
            addr = f"inproc://monitor.s-{self.fd}"
        self.monitor(addr, c.EVENT_ALL if events is None else events)
        reader = self.context.socket(c.PAIR)
        reader._connect(addr)
        self._monitor_reader = reader
        return reader

    def disable_monitor(self) -> None:
        """Stop the monitor; its reader finds EVENT_MONITOR_STOPPED."""
        self._monitor_reader = None
        self.monitor(None, 0)

    def fileno(self) -> int:
        """A descriptor that becomes readable when the option EVENTS may have changed.

        It is a hint and signals edges, not levels: read EVENTS after each time it was readable and
        after each send and receive. No other call takes away what it has to tell.
        """
        return self.fd

    # -- messages as text, JSON, objects ----------------------------------------------------------

    def send_string(
        self, u: str, flags: int = 0, copy: bool = True, encoding: str = "utf-8", **kwargs: Any
    ) -> Any:
        """Send text as one part. Raises TypeError for anything else; otherwise as ``send``."""
        if not isinstance(u, str):
            raise TypeError(f"text is wanted, not {type(u).__name__}")
        return self.send(u.encode(encoding), flags, copy, **kwargs)

    def recv_string(self, flags: int = 0, encoding: str = "utf-8") -> str:
        """Receive one part as text. Raises UnicodeDecodeError; otherwise as ``recv``."""
        return self.recv(flags).decode(encoding)

    send_unicode = send_string
    recv_unicode = recv_string

    def send_json(self, obj: object, flags: int = 0, **kwargs: Any) -> Any:
        """Send an object as JSON; ``kwargs`` are those of ``send`` and of ``json.dumps``."""
        from serverlink.utils import jsonapi

        sending = {key: kwargs.pop(key) for key in ("copy", "track") if key in kwargs}
        return self.send(jsonapi.dumps(obj, **kwargs), flags, **sending)

    def recv_json(self, flags: int = 0, **kwargs: Any) -> Any:
        """Receive JSON; ``kwargs`` are those of ``json.loads``. Raises ValueError, as ``recv``."""
        from serverlink.utils import jsonapi

        return jsonapi.loads(self.recv(flags), **kwargs)

    def send_pyobj(self, obj: object, flags: int = 0, protocol: int = -1, **kwargs: Any) -> Any:
        """Send a pickled object. Raises as ``pickle.dumps`` and ``send``."""
        import pickle

        return self.send(pickle.dumps(obj, protocol), flags, **kwargs)

    def recv_pyobj(self, flags: int = 0) -> Any:
        """Receive a pickled object. Unpickling runs code that the sender chose: trust it."""
        import pickle

        return pickle.loads(self.recv(flags))

    def send_serialized(
        self,
        msg: T,
        serialize: Callable[[T], Sequence[Buffer]],
        flags: int = 0,
        copy: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Send ``serialize(msg)``, which is an iterable of parts."""
        return self.send_multipart(serialize(msg), flags, copy, **kwargs)

    def recv_serialized(
        self, deserialize: Callable[[list[Any]], T], flags: int = 0, copy: bool = True
    ) -> T:
        """Receive a message and return ``deserialize`` of the list of its parts."""
        return deserialize(self.recv_multipart(flags, copy))

    # -- what the five socket types do not have ---------------------------------------------------

    def subscribe(self, topic: str | bytes) -> NoReturn:
        """Raise ServerLinkError with ENOTSUP: there are no SUB sockets here."""
        raise _no_topics("subscribe")

    def unsubscribe(self, topic: str | bytes) -> NoReturn:
        """Raise ServerLinkError with ENOTSUP: there are no SUB sockets here."""
        raise _no_topics("unsubscribe")

    def join(self, group: str) -> NoReturn:
        """Raise ServerLinkError with ENOTSUP: there are no DISH sockets here."""
        raise _no_topics("join")

    def leave(self, group: str) -> NoReturn:
        """Raise ServerLinkError with ENOTSUP: there are no DISH sockets here."""
        raise _no_topics("leave")


def _no_topics(name: str) -> ServerLinkError:
    return ServerLinkError(
        c.ENOTSUP, f"{name}() is not there: sockets are ROUTER, DEALER, PUSH, PULL and PAIR"
    )


def _text(endpoint: str | bytes) -> str:
    text = endpoint.decode() if isinstance(endpoint, bytes) else endpoint
    if not isinstance(text, str):
        raise TypeError(f"an endpoint is text or bytes, not {type(endpoint).__name__}")
    if "\0" in text:
        raise ValueError(f"an endpoint has no NUL in it: {text!r}")
    return text


def _at(endpoint: str, call: Callable[[str], None]) -> None:
    """``call`` with the endpoint, which its error tells."""
    try:
        call(endpoint)
    except ServerLinkError as error:
        raise error.at(endpoint) from None


def public_name(kind: type) -> str:
    """A class by the name that programs have for it."""
    module = kind.__module__
    if module.startswith("serverlink."):
        module = module.removesuffix(".socket").removesuffix(".context")
    return f"{module}.{kind.__qualname__}"


def timeout_ms(timeout: float | None) -> int:
    """A time-out in ms as the library takes it: whole, rounded up, -1 for ever."""
    if timeout is None or timeout < 0 or timeout > _LONGEST_MS:
        return -1
    return math.ceil(timeout)
