"""How calls on a socket wait: in turn, for its descriptor, on the loop that runs."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from serverlink import constants as c
from serverlink.context import Context
from serverlink.error import Again
from serverlink.socket import KEEP_LINGER
from serverlink.socket import Socket as _Socket

__all__ = ["CALLS_PER_TURN", "AwaitedSocket", "Turn"]

T = TypeVar("T")

# After so many calls that did not have to wait, other tasks get their turn.
CALLS_PER_TURN = 128


class Turn:
    """The place of a call in the queue of those that wait."""

    __slots__ = ("expired", "told")

    def __init__(self) -> None:
        self.expired = False
        self.told: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let the call look again."""
        if self.told is not None and not self.told.done():
            self.told.set_result(None)

    def expire(self) -> None:
        """Let it look for the last time."""
        self.expired = True
        self.wake()


class AwaitedSocket(_Socket):
    """A socket for whose descriptor calls wait; those that do not wait see to those that do."""

    __slots__ = ("_calls", "_loop", "_polling", "_reading", "_watched_fd", "_writing")

    def __init__(self, context: Context, socket_type: int) -> None:
        """Raise ServerLinkError: EINVAL (unknown type), EMFILE (too many sockets)."""
        super().__init__(context, socket_type)
        self._calls = 0
        self._watched_fd = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: deque[Turn] = deque()
        self._writing: deque[Turn] = deque()
        self._polling: set[Callable[[], object]] = set()

    # -- closing ----------------------------------------------------------------------------------

    def close(self, linger: int | None = None) -> None:
        """Close the socket; calls that wait raise ServerLinkError with ENOTSOCK."""
        super().close(linger)
        self._end_waits()

    def _close_soon(self, linger_ms: int = KEEP_LINGER) -> None:
        super()._close_soon(linger_ms)
        self._end_waits()

    def _end_waits(self) -> None:
        """Let go of the loop, and end what waits: in the loop's thread, whichever this one is."""
        loop = self._loop
        if loop is None:
            return
        if loop is not asyncio._get_running_loop() and loop.is_running():
            try:
                loop.call_soon_threadsafe(self._end_waits)
            except RuntimeError:
                pass  # it has been closed meanwhile, and nothing waits on it any more
        else:
            self._unwatch()
            if not loop.is_closed():
                self._wake()

    # -- waiting ----------------------------------------------------------------------------------

    async def _wait(
        self,
        queue: deque[Turn],
        attempt: Callable[[], T | None],
        limit_ms: float,
        turn: Turn | None = None,
    ) -> T:
        """What ``attempt`` gives, in turn; Again after the time. Nothing is awaited after it.

        A ``turn`` that is given is in the queue already.
        """
        gives_way = not self._calls % CALLS_PER_TURN
        if turn is None:
            if not queue and not gives_way and (got := attempt()) is not None:
                self._rearm()
                return got
            turn = Turn()
            queue.append(turn)
        timer = None
        try:
            loop = asyncio.get_running_loop()
            turn.expired = limit_ms == 0
            if limit_ms > 0:
                timer = loop.call_later(limit_ms / 1000, turn.expire)
            if gives_way:
                await asyncio.sleep(0)  # the turn of other tasks; its place in the queue is taken
            while queue[0] is not turn or (got := attempt()) is None:
                if turn.expired:
                    raise Again
                if not self._watch(loop):
                    turn.told = loop.create_future()
                    await turn.told
            return got
        finally:
            if timer is not None:
                timer.cancel()
            self._leave(queue, turn)
            self._rearm()

    def _leave(self, queue: deque[Turn], turn: Turn) -> None:
        if turn not in queue:
            return
        first = queue[0] is turn
        queue.remove(turn)
        if first and queue:
            queue[0].wake()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the loop looks at the descriptor from now on only: look at the socket again.

        Raises ServerLinkError with ENOTSOCK if closed.

        It looks at a duplicate: the number of the socket's own may be another's as soon as the
        socket is closed, which another thread may do at any time.
        """
        if self._loop is loop:
            return False
        self._unwatch()
        self._watched_fd = os.dup(self.fd)
        loop.add_reader(self._watched_fd, _tell_readable, weakref.ref(self))
        self._loop = loop
        if self.closed:  # by another thread, which found no loop to let go of
            self._unwatch()
        return True

    def _rearm(self) -> None:
        """After a send or a receive: the descriptor tells those that wait of nothing before it.

        It may have taken the descriptor's signal back; reading EVENTS has it given again.
        """
        if not (self._reading or self._writing or self._polling) or self.closed:
            return
        events = self._get_int(c.EVENTS)
        if events & c.POLLIN and self._reading:
            self._reading[0].wake()
        if events & c.POLLOUT and self._writing:
            self._writing[0].wake()
        if events:
            for tell in list(self._polling):
                tell()

    def _unwatch(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        if not loop.is_closed():
            loop.remove_reader(self._watched_fd)
        os.close(self._watched_fd)

    def _on_readable(self) -> None:
        if self.closed or not (self._reading or self._writing or self._polling):
            self._unwatch()  # a level that nobody waits for would keep the loop busy
        self._wake()

    def _wake(self) -> None:
        for queue in (self._reading, self._writing):
            for turn in queue:
                turn.wake()
                if not self.closed:
                    break  # the first in the queue wakes the next
        for tell in list(self._polling):
            tell()


def _tell_readable(watched: weakref.ref[AwaitedSocket]) -> None:
    """Tell a socket, if it is still there: that the loop looks for it does not keep it alive."""
    found = watched()
    if found is not None:
        found._on_readable()
