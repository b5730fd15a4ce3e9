"""The package's exceptions, and pyzmq's names for them.

::

    Exception
    └── ZMQBaseError
        ├── ServerLinkError = ZMQError   a call into the library failed; .errno says why
        │   ├── Again                    EAGAIN: would have to wait, or the time allowed is over
        │   ├── ContextTerminated        ETERM: the context is closed or being closed
        │   ├── InterruptedSystemCall    EINTR: never raised here, calls go on after a signal
        │   └── ZMQBindError             no port of a range was free
        ├── NotDone                      a MessageTracker's time is over: never raised here
        └── ZMQVersionError              for pyzmq's sake: never raised here
"""

from __future__ import annotations

import errno as _errno

from serverlink import _ext

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
    """

    sent: int = 0

    def __init__(self, errno: int, text: str | None = None) -> None:
        super().__init__(errno, text)
        self.errno = errno
        self.strerror = text or _ext.strerror(errno)

    def __str__(self) -> str:
        return self.strerror


class Again(ServerLinkError):
    """The call would have to wait, or waited as long as SNDTIMEO or RCVTIMEO allow."""

    def __init__(self, errno: int = _errno.EAGAIN, text: str | None = None) -> None:
        super().__init__(errno, text)


class ContextTerminated(ServerLinkError):
    """The context is terminated or about to be; close its sockets."""

    def __init__(self, errno: int = _ETERM, text: str | None = None) -> None:
        super().__init__(errno, text)


class InterruptedSystemCall(ServerLinkError):
    """Never raised: a waiting call runs signal handlers and goes on."""

    def __init__(self, errno: int = _errno.EINTR, text: str | None = None) -> None:
        super().__init__(errno, text)


class ZMQBindError(ServerLinkError):
    """No port of the range was free."""

    def __init__(self, errno: int = _errno.EADDRINUSE, text: str | None = None) -> None:
        super().__init__(errno, text)


class NotDone(ZMQBaseError):
    """Never raised: what a MessageTracker tracks was copied when it was sent."""


class ZMQVersionError(NotImplementedError, ZMQBaseError):
    """Never raised."""


ZMQError = ServerLinkError


def from_errno(errno: int, text: str | None = None) -> ServerLinkError:
    """The exception that stands for an error number."""
    if errno == _errno.EAGAIN:
        return Again(errno, text)
    if errno == _ETERM:
        return ContextTerminated(errno, text)
    return ServerLinkError(errno, text)
