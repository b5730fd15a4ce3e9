"""Frames: received parts that know whether more follow, and trackers of what was sent."""

from __future__ import annotations

import builtins

from serverlink import _ext
from serverlink.constants import EINVAL, MORE, SHARED
from serverlink.error import ServerLinkError

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from typing import Any, Self

    from typing_extensions import Buffer

__all__ = ["Frame", "Message", "MessageTracker", "received_frame"]


class MessageTracker:
    """Tells when a message that was sent is no longer needed: always at once, it was copied."""

    __slots__ = ()

    def __init__(self, *towatch: object) -> None: ...

    @property
    def done(self) -> bool:
        """True."""
        return True

    def wait(self, timeout: float = -1) -> None:
        """Return at once."""


class Frame(_ext.Frame):
    """A part of a message; anything that takes a buffer takes it.

    ``Frame(data)`` refers to the data and copies when it is sent; text is refused with TypeError.
    """

    __slots__ = ("more", "tracker")

    def __init__(
        self,
        data: Buffer | None = None,
        track: bool = False,
        copy: bool | None = None,
        copy_threshold: int | None = None,
    ) -> None:
        super().__init__(b"" if data is None else data)
        self.more = False
        self.tracker = MessageTracker() if track else None

    @property
    def bytes(self) -> builtins.bytes:
        """The content; no copy where it came as bytes."""
        data = self._data
        return data if type(data) is builtins.bytes else builtins.bytes(memoryview(self))

    @property
    def buffer(self) -> memoryview:
        """A view of the content."""
        return memoryview(self)

    def get(self, option: int | str) -> int:
        """MORE: whether a part follows; SHARED: 0, what another has of it, it has as a copy.

        Raises ServerLinkError with EINVAL for others.
        """
        if option == MORE:
            return int(self.more)
        if option == SHARED:
            return 0
        raise ServerLinkError(EINVAL, f"a frame has no property {option!r}")

    @property
    def MORE(self) -> int:  # noqa: N802 pyzmq's name
        """Whether a part follows."""
        return self.get(MORE)

    @property
    def SHARED(self) -> int:  # noqa: N802 pyzmq's name
        """0."""
        return self.get(SHARED)

    def __getitem__(self, key: int | str) -> int:
        return self.get(key)

    def __copy__(self) -> Self:
        """A frame of the same data, which is not copied."""
        copied = type(self)(self._data)
        copied.more, copied.tracker = self.more, self.tracker
        return copied

    fast_copy = __copy__

    def __len__(self) -> int:
        return memoryview(self).nbytes

    def __bytes__(self) -> builtins.bytes:
        return self.bytes

    def __str__(self) -> str:
        return self.bytes.decode(errors="replace")

    def __repr__(self) -> str:
        start = self.bytes[:12]
        return f"<{type(self).__name__}({start!r}{'...' if len(self) > len(start) else ''})>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Frame):
            return self.bytes == other.bytes
        return self.bytes == other if isinstance(other, builtins.bytes) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.bytes)


Message = Frame


def received_frame(data: Any, more: int, track: int) -> Frame:
    """The frame of a received part."""
    frame = Frame(data, track=bool(track))
    frame.more = bool(more)
    return frame
