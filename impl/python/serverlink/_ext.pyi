"""The extension over ``serverlink.h``. Everything raises ServerLinkError or one of its subclasses."""

from collections.abc import Iterable, Sequence
from typing import Any

from typing_extensions import Buffer

class Context:
    def __init__(self, io_threads: int = 1) -> None: ...
    @property
    def closed(self) -> bool:
        """True once terminated, and in a forked child."""
    def set(self, option: int, value: int) -> None:
        """Set an option. Raises EINVAL (unknown, read only, out of range)."""
    def get(self, option: int) -> int:
        """The value of an option. Raises EINVAL (unknown)."""
    def shutdown(self) -> None:
        """Make every call on the sockets raise ContextTerminated; does not wait."""
    def term(self) -> None:
        """Wait until all sockets are closed and lingering is over, then end the context.

        Calls on its sockets raise ContextTerminated meanwhile. Idempotent. If a signal handler
        raises, the exception leaves and the call can be repeated.
        """
    def _abandon(self, grace_ms: int) -> None: ...

class Socket:
    def __init__(self, context: Context, socket_type: int) -> None: ...
    @property
    def closed(self) -> bool:
        """True once closed, and in a forked child."""
    def bind(self, endpoint: str) -> None:
        """Accept peers. Raises EINVAL, EPROTONOSUPPORT, EADDRINUSE, EADDRNOTAVAIL, ..."""
    def unbind(self, endpoint: str) -> None:
        """Stop accepting at a resolved endpoint. Raises ENOENT (not bound there), EINVAL."""
    def connect(self, endpoint: str) -> None:
        """Keep a connection in the background. Raises EINVAL, EPROTONOSUPPORT."""
    def disconnect(self, endpoint: str) -> None:
        """End the connections to an endpoint. Raises ENOENT (not connected there), EINVAL."""
    def send(self, data: Buffer, flags: int = 0) -> None:
        """Send one part. Raises Again, ENOTSUP, EHOSTUNREACH, ContextTerminated, ENOTSOCK."""
    def send_multipart(self, parts: Iterable[Buffer], flags: int = 0) -> None:
        """Send one message of several parts. Raises as ``send``, EINVAL without any part."""
    def recv(self, flags: int = 0) -> bytes:
        """Receive one part. Raises Again, ENOTSUP, ContextTerminated, ENOTSOCK."""
    def recv_multipart(self, flags: int = 0) -> list[bytes]:
        """Receive one message with all its parts. Raises as ``recv``."""
    def is_connected(self, routing_id: Buffer) -> bool:
        """Whether a ROUTER could address the peer now. Raises ENOTSUP (not a ROUTER)."""
    def _close(self, linger_ms: int = ...) -> None: ...
    def _close_soon(self, linger_ms: int = ...) -> None: ...
    def _set_int(self, option: int, value: int) -> None: ...
    def _set_int64(self, option: int, value: int) -> None: ...
    def _set_bytes(self, option: int, value: Buffer) -> None: ...
    def _get_int(self, option: int) -> int: ...
    def _get_int64(self, option: int) -> int: ...
    def _get_bytes(self, option: int) -> bytes: ...

def poll(items: Sequence[tuple[Any, int]], timeout_ms: int = -1) -> list[tuple[Any, int]]: ...
def version_info() -> tuple[int, int, int]: ...
def strerror(errnum: int) -> str: ...
def has(capability: str) -> bool: ...
