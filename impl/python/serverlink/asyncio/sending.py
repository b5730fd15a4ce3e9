"""What a send returns: to be awaited, or not, any number of times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from serverlink.frame import MessageTracker

__all__ = ["SENT", "TRACKED", "Sending", "Sent"]


class Sent(Coroutine[Any, Any, "MessageTracker | None"]):
    """The outcome of a send that is over."""

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


class Sending(Coroutine[Any, Any, "MessageTracker | None"]):
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


SENT, TRACKED = Sent(None), Sent(MessageTracker())
