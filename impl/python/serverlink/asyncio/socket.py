"""Sockets to await, on asyncio's own loop and on uvloop.

::

    import serverlink.asyncio

    async def echo(context: serverlink.asyncio.Context) -> None:
        with context.socket(serverlink.ROUTER) as router:
            router.bind("tcp://127.0.0.1:5555")
            while True:
                await router.send_multipart(await router.recv_multipart())

A call first tries at once, and awaits the socket's descriptor only if it has to wait; every so
often it lets other tasks run all the same. Between a message being taken and the call's return
nothing is awaited: a call that is cancelled has taken, or sent, nothing. Calls that wait are served
in the order in which they came. A send begins when it is called, as pyzmq's does, and waits while
there is no room; a receive begins when it is awaited.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from serverlink import _ext
from serverlink import constants as c
from serverlink.context import Context as _Context
from serverlink.error import Again
from serverlink.frame import MessageTracker
from serverlink.poll import Poller as _Poller
from serverlink.socket import Socket as _Socket

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Context", "Poller", "Socket"]

T = TypeVar("T")


class _Sent(Coroutine[Any, Any, "MessageTracker | None"]):
    """The outcome of a send that is over: to be awaited, or not, any number of times."""

    __slots__ = ("_outcome",)

    def __init__(self, outcome: MessageTracker | None) -> None:
        self._outcome = outcome

    def __await__(self) -> Generator[Any, Any, MessageTracker | None]:
        return self._outcome
        yield

    def send(self, value: Any) -> Any:
        raise StopIteration(self._outcome)

    def throw(self, *error: Any) -> Any:
        raise error[0]

    def close(self) -> None: ...


class _Sending(Coroutine[Any, Any, "MessageTracker | None"]):
    """A send that waits for room, awaited or not; ``over`` is called when it does no longer."""

    __slots__ = ("_steps", "_task")

    def __init__(
        self, sending: Coroutine[Any, Any, MessageTracker | None], over: Callable[[], None]
    ) -> None:
        self._task = asyncio.ensure_future(sending)
        self._task.add_done_callback(lambda _: over())
        self._steps: Generator[Any, Any, MessageTracker | None] | None = None

    def __await__(self) -> Generator[Any, Any, MessageTracker | None]:
        return self._task.__await__()

    def send(self, value: Any) -> Any:
        if self._steps is None:
            self._steps = self._task.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        if self._steps is None:
            self._task.cancel()  # it does not wait for the task yet, and would not pass it on
            self._steps = self._task.__await__()
        return self._steps.throw(*error)

    def close(self) -> None: ...


_SENT, _TRACKED = _Sent(None), _Sent(MessageTracker())

# After so many calls that did not have to wait, other tasks get their turn.
_CALLS_PER_TURN = 128


class _Turn:
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


class Socket(_Socket):
    """A socket whose calls are awaited: send, receive and poll. The rest is as it was.

    It belongs to the loop that runs when it first waits, until it is closed.
    """

    __slots__ = ("_calls", "_fd", "_loop", "_polling", "_reading", "_writing")

    def __init__(self, context: _Context, socket_type: int) -> None:
        """Raise ServerLinkError: EINVAL (unknown type), EMFILE (too many sockets)."""
        super().__init__(context, socket_type)
        self._calls = 0
        self._fd = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: deque[_Turn] = deque()
        self._writing: deque[_Turn] = deque()
        self._polling: set[Callable[[], object]] = set()

    # -- calls that do not wait, while others do --------------------------------------------------

    def setsockopt(self, option: int, value: int | bytes) -> None:
        """Set an option; as ``Socket.setsockopt``."""
        super().setsockopt(option, value)
        self._rearm()

    def getsockopt(self, option: int) -> int | bytes:
        """The value of an option; as ``Socket.getsockopt``."""
        value = super().getsockopt(option)
        self._rearm()
        return value

    set = setsockopt
    get = getsockopt

    def _bind(self, endpoint: str) -> None:
        super()._bind(endpoint)
        self._rearm()

    def _unbind(self, endpoint: str) -> None:
        super()._unbind(endpoint)
        self._rearm()

    def _connect(self, endpoint: str) -> None:
        super()._connect(endpoint)
        self._rearm()

    def _disconnect(self, endpoint: str) -> None:
        super()._disconnect(endpoint)
        self._rearm()

    # -- receiving --------------------------------------------------------------------------------

    async def recv(  # type: ignore[override]
        self, flags: int = 0, copy: bool = True, track: bool = False
    ) -> Any:
        """Receive one part: bytes, or, if not ``copy``, a Frame. Raises as ``Socket.recv``."""
        self._calls += 1
        if not self._reading and self._calls % _CALLS_PER_TURN:
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
        if not self._reading and self._calls % _CALLS_PER_TURN:
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
        if not self._writing and self._calls % _CALLS_PER_TURN and self._try_send(data, flags):
            self._rearm()
            return _TRACKED if track else _SENT
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
            and self._calls % _CALLS_PER_TURN
            and self._try_send_multipart(parts, flags)
        ):
            self._rearm()
            return _TRACKED if track else _SENT
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
            batch = left[:_CALLS_PER_TURN]
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

    def _queued(self, attempt: Callable[[], bool | None], flags: int, track: bool) -> _Sending:
        """A send in its place from now on, though its task runs later: none overtakes it."""
        turn = _Turn()
        self._writing.append(turn)
        # Also where the task is cancelled before it runs at all.
        return _Sending(
            self._sent(attempt, flags, track, turn), lambda: self._leave(self._writing, turn)
        )

    async def _sent(
        self,
        attempt: Callable[[], bool | None],
        flags: int,
        track: bool = False,
        turn: _Turn | None = None,
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

    # -- waiting ----------------------------------------------------------------------------------

    async def poll(  # type: ignore[override]
        self, timeout: float | None = None, flags: int = c.POLLIN
    ) -> int:
        """Wait for one of the events ``flags``; return those that are there, 0 after the time."""
        poller = Poller()
        poller.register(self, flags)
        ready = await poller.poll(timeout)
        return ready[0][1] if ready else 0

    def close(self, linger: int | None = None) -> None:
        """Close the socket; calls that wait raise ServerLinkError with ENOTSOCK."""
        super().close(linger)
        self._unwatch()
        self._wake()

    async def _wait(
        self,
        queue: deque[_Turn],
        attempt: Callable[[], T | None],
        limit_ms: float,
        turn: _Turn | None = None,
    ) -> T:
        """What ``attempt`` gives, in turn; Again after the time. Nothing is awaited after it.

        A ``turn`` that is given is in the queue already.
        """
        if not self._calls % _CALLS_PER_TURN:
            await asyncio.sleep(0)  # the turn of other tasks; somebody may come before us
        if turn is None:
            if not queue and (got := attempt()) is not None:
                self._rearm()
                return got
            if limit_ms == 0:
                raise Again
            turn = _Turn()
            queue.append(turn)
        loop = asyncio.get_running_loop()
        turn.expired = limit_ms == 0
        timer = loop.call_later(limit_ms / 1000, turn.expire) if limit_ms > 0 else None
        try:
            self._watch(loop)
            while True:
                if queue[0] is turn and (got := attempt()) is not None:
                    return got
                if turn.expired:
                    raise Again
                turn.told = loop.create_future()
                await turn.told
        finally:
            if timer is not None:
                timer.cancel()
            self._leave(queue, turn)
            self._rearm()

    def _leave(self, queue: deque[_Turn], turn: _Turn) -> None:
        if turn not in queue:
            return
        first = queue[0] is turn
        queue.remove(turn)
        if first and queue:
            queue[0].wake()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            self._unwatch()
            self._fd = self.fd
            loop.add_reader(self._fd, self._on_readable)
            self._loop = loop

    def _rearm(self) -> None:
        """After a call on the socket: the descriptor tells those that wait of nothing before it.

        Every call takes the descriptor's signal back; reading EVENTS has it given again.
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
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._fd)

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


def _ready(items: list[tuple[Any, int]]) -> list[tuple[Any, int]]:
    """Those that have events, with these. Reading EVENTS has the descriptor tell of the next."""
    sockets = [(each, events) for each, events in items if isinstance(each, Socket)]
    ready = [
        (each, found) for each, events in sockets if (found := each._get_int(c.EVENTS) & events)
    ]
    others = [item for item in items if not isinstance(item[0], Socket)]
    return ready + (_ext.poll(others, 0) if others else [])


class Context(_Context):
    """Makes sockets to await; ``Context(other)`` shares the sockets' world of another context."""

    __slots__ = ()

    _socket_class = Socket
    _instance = None

    if TYPE_CHECKING:

        def socket(
            self,
            socket_type: int,
            socket_class: Callable[..., Any] | None = None,
            **kwargs: Any,
        ) -> Socket: ...


class Poller(_Poller):
    """A set of sockets and descriptors whose poll is awaited."""

    async def poll(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> list[tuple[Any, int]]:
        """Wait for events; return (socket or descriptor, events) for each that has some.

        ``timeout`` is in ms; None or a negative one waits for ever. Returns [] if the time is over.
        Raises as ``serverlink.Poller.poll``; TypeError for a socket that is not awaited.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None or timeout < 0 else loop.time() + timeout / 1000
        items = list(self._events.items())
        while True:
            told = asyncio.Event()
            with self._listening(loop, items, told.set):
                ready = _ready(items)
                if ready or (deadline is not None and loop.time() >= deadline):
                    return ready
                try:
                    left_s = None if deadline is None else deadline - loop.time()
                    await asyncio.wait_for(told.wait(), left_s)
                except TimeoutError:
                    pass

    @staticmethod
    @contextmanager
    def _listening(
        loop: asyncio.AbstractEventLoop, items: list[tuple[Any, int]], tell: Callable[[], object]
    ) -> Iterator[None]:
        """Have ``tell`` called when one of the items may have an event."""
        undo: list[Callable[[], object]] = []
        try:
            for polled, events in items:
                if isinstance(polled, Socket):
                    polled._polling.add(tell)
                    undo.append(partial(polled._polling.discard, tell))
                    if not polled.closed:
                        polled._watch(loop)
                elif isinstance(polled, _ext.Socket):
                    raise TypeError(f"{polled!r} is not of serverlink.asyncio")
                else:
                    if events & c.POLLIN:
                        loop.add_reader(polled, tell)
                        undo.append(partial(loop.remove_reader, polled))
                    if events & c.POLLOUT:
                        loop.add_writer(polled, tell)
                        undo.append(partial(loop.remove_writer, polled))
            yield
        finally:
            for each in undo:
                each()
