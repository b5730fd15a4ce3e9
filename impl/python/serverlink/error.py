"""The package's exceptions, and pyzmq's names for them.

::

    Exception
    └── ZMQBaseError
        ├── ServerLinkError = ZMQError   a call into the library failed; .errno says why
        │   ├── Again                    EAGAIN: would have to wait, or the time allowed is over
        │   ├── ContextTerminated        ETERM: the context is closed or being closed
        │   ├── InterruptedSystemCall    EINTR: never raised here, calls go on after a signal;
        │   │                            an InterruptedError, too
        │   └── ZMQBindError             no port of a range was free
        ├── NotDone                      a MessageTracker's time is over: never raised here
        └── ZMQVersionError              for pyzmq's sake: never raised here
"""

from __future__ import annotations

import errno as _errno

from serverlink import _ext

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from typing import ClassVar, Self

__all__ = [
    "Again",
    "ContextTerminated",
    "InterruptedSystemCall",
    "NotDone",
    "ServerLinkError",
    "ZMQBaseError",
    "ZMQBindError",
    "ZMQError",
    "ZMQVersionError",
    "from_errno",
]

_ETERM = 156384765


class ZMQBaseError(Exception):
    """Everything that this package raises by a name of its own."""


class ServerLinkError(ZMQBaseError):
    """A call into the library failed.

    ``errno`` is a POSIX number or one of EFSM, ENOCOMPATPROTO, ETERM, EMTHREAD; ``strerror`` is the
    library's text for it, or what is known better.  After ``send_many``, ``sent`` tells how many
    messages went before.

    An exception made without a number has that of its class, or else of this thread's last error;
    made of a text alone, that of its class, or else None.
    """

    errno: int | None
    strerror: str
    sent: int = 0
    _usual: ClassVar[int | None] = None

    def __init__(self, errno: int | str | None = None, msg: str | None = None) -> None:
        super().__init__(errno, msg)
        if errno is None:
            errno = _ext.zmq_errno() if self._usual is None else self._usual
        if isinstance(errno, int):
            self.errno = errno
            self.strerror = msg or _ext.strerror(errno)
        else:
            self.errno = self._usual
            self.strerror = msg or str(errno)

    def __str__(self) -> str:
        return self.strerror

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.errno}, {self.strerror!r})"

    def at(self, address: str) -> Self:
        """The same error, whose text tells the address that it is about."""
        self.strerror += f" (addr={address!r})"
        self.args = (self.errno, self.strerror)
        return self


class Again(ServerLinkError):
    """The call would have to wait, or waited as long as SNDTIMEO or RCVTIMEO allow."""

    _usual = _errno.EAGAIN


class ContextTerminated(ServerLinkError):
    """The context is terminated or about to be; close its sockets."""

    _usual = _ETERM


class InterruptedSystemCall(ServerLinkError, InterruptedError):  # type: ignore[misc]
    """Never raised: a waiting call runs signal handlers and goes on."""

    _usual = _errno.EINTR


class ZMQBindError(ServerLinkError):
    """No port of the range was free."""

    _usual = _errno.EADDRINUSE


class NotDone(ZMQBaseError):
    """Never raised: what a MessageTracker tracks was copied when it was sent."""


class ZMQVersionError(NotImplementedError, ZMQBaseError):
    """Never raised: for programs that want a version at least."""

    def __init__(self, min_version: str, msg: str = "Feature") -> None:
        from serverlink.version import zmq_version

        super().__init__(min_version, msg)
        self.min_version = min_version
        self.msg = msg
        self.version = zmq_version()

    def __str__(self) -> str:
        return f"{self.msg} requires libzmq >= {self.min_version}, have {self.version}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


ZMQError = ServerLinkError


def from_errno(errno: int, msg: str | None = None) -> ServerLinkError:
    """The exception that stands for an error number."""
    if errno == _errno.EAGAIN:
        return Again(errno, msg)
    if errno == _ETERM:
        return ContextTerminated(errno, msg)
    return ServerLinkError(errno, msg)
