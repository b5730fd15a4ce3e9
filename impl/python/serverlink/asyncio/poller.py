"""Waiting for several sockets to await, and for descriptors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from serverlink import _ext
from serverlink import constants as c
from serverlink.asyncio.waiting import AwaitedSocket
from serverlink.poll import Poller as _Poller

__all__ = ["Poller"]


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
                if isinstance(polled, AwaitedSocket):
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


def _ready(items: list[tuple[Any, int]]) -> list[tuple[Any, int]]:
    """Those that have events, with these. Reading EVENTS has the descriptor tell of the next."""
    sockets = [(each, events) for each, events in items if isinstance(each, AwaitedSocket)]
    ready = [
        (each, found) for each, events in sockets if (found := each._get_int(c.EVENTS) & events)
    ]
    others = [item for item in items if not isinstance(item[0], AwaitedSocket)]
    return ready + (_ext.poll(others, 0) if others else [])
