"""The package's exceptions.

::

    Exception
    └── ServerLinkError         a call into the library failed; .errno says why
        ├── Again               EAGAIN: it would have to wait, or the time allowed is over
        └── ContextTerminated   ETERM: the context is closed or being closed
"""

import errno as _errno

from serverlink import _ext
from serverlink.constants import ETERM

__all__ = ["Again", "ContextTerminated", "ServerLinkError", "from_errno"]


class ServerLinkError(Exception):
    """A call into the library failed.

    ``errno`` is a POSIX number or one of EFSM, ENOCOMPATPROTO, ETERM, EMTHREAD; ``strerror`` is the
    library's text for it.
    """

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno
        self.strerror = _ext.strerror(errno)

    def __str__(self) -> str:
        return self.strerror


class Again(ServerLinkError):
    """The call would have to wait, or waited as long as SNDTIMEO or RCVTIMEO allow."""

    def __init__(self, errno: int = _errno.EAGAIN) -> None:
        super().__init__(errno)


class ContextTerminated(ServerLinkError):
    """The context is terminated or about to be; close its sockets."""

    def __init__(self, errno: int = ETERM) -> None:
        super().__init__(errno)


def from_errno(errno: int) -> ServerLinkError:
    """The exception that stands for an error number."""
    if errno == _errno.EAGAIN:
        return Again(errno)
    if errno == ETERM:
        return ContextTerminated(errno)
    return ServerLinkError(errno)
