"""The calls of a socket that are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from serverlink import _ext
from serverlink import constants as c
from serverlink.asyncio.poller import Poller
from serverlink.asyncio.sending import SENT, TRACKED, Sending
from serverlink.asyncio.waiting import CALLS_PER_TURN, AwaitedSocket, Turn
from serverlink.error import Again
from serverlink.frame import MessageTracker

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Socket"]

T = TypeVar("T")


class Socket(AwaitedSocket):
    """A socket whose calls are awaited: send, receive and poll. The rest is as it was.

    It belongs to the loop that runs when it first waits, until it is closed, and has one descriptor
    more for that. Calls that wait then raise ServerLinkError with ENOTSOCK.
    """

    __slots__ = ()

    # -- receiving --------------------------------------------------------------------------------

    async def recv(  # type: ignore[override]
        self, flags: int = 0, copy: bool = True, track: bool = False
    ) -> Any:
        """Receive one part: bytes, or, if not ``copy``, a Frame. Raises as ``Socket.recv``."""
        self._calls += 1
        if not self._reading and self._calls % CALLS_PER_TURN:
            got = self._try_recv(flags, copy)
            if got is not None:
                self._rearm()
                return got
        return await self._received(lambda: self._try_recv(flags, copy), flags)

    async def recv_multipart(  # type: ignore[override]
        self, flags: int = 0, copy: bool = True, track: bool = False
    ) -> list[Any]:
        """Receive one message as the list of its parts. Raises as ``recv``."""
        self._calls += 1
        if not self._reading and self._calls % CALLS_PER_TURN:
            got: list[Any] | None = self._try_recv_multipart(flags, copy)
            if got is not None:
                self._rearm()
                return got
        return await self._received(lambda: self._try_recv_multipart(flags, copy), flags)

    async def recv_many(  # type: ignore[override]
        self, max_messages: int = 1000, timeout: float | None = None
    ) -> list[Any]:
        """Wait for a message and receive what is there; [] if the time is over. Raises as recv."""
        self._calls += 1
        limit_ms = self.rcvtimeo if timeout is None else timeout
        try:
            return await self._received(
                lambda: _ext.Socket.recv_many(self, max_messages, 0) or None, 0, limit_ms
            )
        except Again:
            return []

    async def recv_into_many(  # type: ignore[override]
        self, buffer: Buffer, slot_bytes: int, timeout: float | None = None
    ) -> list[int]:
        """Wait for a part, and receive what is there into the slots of a buffer; their sizes.

        [] if the time is over. Raises as ``Socket.recv_into_many``.
        """
        self._calls += 1
        limit_ms = self.rcvtimeo if timeout is None else timeout
        try:
            return await self._received(
                lambda: _ext.Socket.recv_into_many(self, buffer, slot_bytes, 0) or None, 0, limit_ms
            )
        except Again:
            return []

    async def recv_into(  # type: ignore[override]
        self, buffer: Buffer, nbytes: int = 0, flags: int = 0
    ) -> int:
        """Receive one part into a writable buffer; its size. Raises as ``Socket.recv_into``."""
        self._calls += 1
        return await self._received(lambda: self._try_recv_into(buffer, nbytes), flags)

    def _try_recv_into(self, buffer: Buffer, nbytes: int) -> int | None:
        try:
            return _ext.Socket.recv_into(self, buffer, nbytes, c.DONTWAIT)
        except Again:
            return None

    async def _received(
        self, attempt: Callable[[], T | None], flags: int, limit_ms: float | None = None
    ) -> T:
        if limit_ms is None:
            limit_ms = self.rcvtimeo
        return await self._wait(self._reading, attempt, 0 if flags & c.DONTWAIT else limit_ms)

    # -- sending ----------------------------------------------------------------------------------

    def send(  # type: ignore[override]
        self, data: Buffer, flags: int = 0, copy: bool = True, track: bool = False
    ) -> Coroutine[Any, Any, MessageTracker | None]:
        """Send one part, awaiting room. Raises as ``Socket.send``.

        Where there is room it is sent before the call returns, awaited or not.
        """
        self._calls += 1
        if not self._writing and self._calls % CALLS_PER_TURN and self._try_send(data, flags):
            self._rearm()
            return TRACKED if track else SENT
        return self._queued(lambda: self._try_send(data, flags), flags, track)

    def send_multipart(  # type: ignore[override]
        self, msg_parts: Iterable[Buffer], flags: int = 0, copy: bool = True, track: bool = False
    ) -> Coroutine[Any, Any, MessageTracker | None]:
        """Send one message of several parts. Raises as ``Socket.send_multipart``.

        Where there is room it is sent before the call returns, awaited or not.
        """
        self._calls += 1
        parts = msg_parts if isinstance(msg_parts, list | tuple) else list(msg_parts)
        if (
            not self._writing
            and self._calls % CALLS_PER_TURN
            and self._try_send_multipart(parts, flags)
        ):
            self._rearm()
            return TRACKED if track else SENT
        return self._queued(lambda: self._try_send_multipart(parts, flags), flags, track)

    async def send_many(  # type: ignore[override]
        self, messages: Iterable[Buffer | Sequence[Buffer]], flags: int = 0
    ) -> int:
        """Send messages in order, awaiting room; return how many were sent.

        Less than there are only with DONTWAIT or after SNDTIMEO. A cancelled call may have sent
        some. Raises as ``Socket.send_many``.
        """
        left = list(messages)
        total = len(left)

        def send_some() -> bool | None:
            batch = left[:CALLS_PER_TURN]
            sent = _ext.Socket.send_many(self, batch, c.DONTWAIT)
            del left[:sent]
            return True if sent == len(batch) else None

        try:
            while left:
                if self._writing or not send_some():
                    await self._sent(send_some, flags)
                else:
                    await asyncio.sleep(0)
        except Again:
            pass
        return total - len(left)

    def _queued(self, attempt: Callable[[], bool | None], flags: int, track: bool) -> Sending:
        """A send in its place from now on, though its task runs later: none overtakes it."""
        turn = Turn()
        self._writing.append(turn)
        # Also where the task is cancelled before it runs at all.
        return Sending(
            self._sent(attempt, flags, track, turn), lambda: self._leave(self._writing, turn)
        )

    async def _sent(
        self,
        attempt: Callable[[], bool | None],
        flags: int,
        track: bool = False,
        turn: Turn | None = None,
    ) -> MessageTracker | None:
        limit_ms = 0 if flags & c.DONTWAIT else self.sndtimeo
        await self._wait(self._writing, attempt, limit_ms, turn)
        return MessageTracker() if track else None

    # -- the same as text, JSON, objects ----------------------------------------------------------

    async def recv_string(  # type: ignore[override]
        self, flags: int = 0, encoding: str = "utf-8"
    ) -> str:
        """Receive one part as text. Raises UnicodeDecodeError; otherwise as ``recv``."""
        return str(await self.recv(flags), encoding)

    recv_unicode = recv_string  # type: ignore[assignment]

    async def recv_json(self, flags: int = 0, **kwargs: Any) -> Any:
        """Receive JSON; ``kwargs`` are those of ``json.loads``. Raises ValueError, as ``recv``."""
        from serverlink.utils import jsonapi

        return jsonapi.loads(await self.recv(flags), **kwargs)

    async def recv_pyobj(self, flags: int = 0) -> Any:
        """Receive a pickled object. Unpickling runs code that the sender chose: trust it."""
        import pickle

        return pickle.loads(await self.recv(flags))

    async def recv_serialized(  # type: ignore[override]
        self, deserialize: Callable[[list[Any]], T], flags: int = 0, copy: bool = True
    ) -> T:
        """Receive a message and return ``deserialize`` of the list of its parts."""
        return deserialize(await self.recv_multipart(flags, copy))

    # -- events -----------------------------------------------------------------------------------

    async def poll(  # type: ignore[override]
        self, timeout: float | None = None, flags: int = c.POLLIN
    ) -> int:
        """Wait for one of the events ``flags``; return those that are there, 0 after the time."""
        poller = Poller()
        poller.register(self, flags)
        ready = await poller.poll(timeout)
        return ready[0][1] if ready else 0
