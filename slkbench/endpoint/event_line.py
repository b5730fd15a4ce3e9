"""Events to the runner, over the pipe that was standard output when the process began.

A library may close that, or have something else opened under its number.  An event never goes
anywhere but to the runner.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from typing import Any

__all__ = ["EventLine", "EventLineClosedError"]

_SPARE_FROM = 200  # beyond the numbers that are given out first


class EventLineClosedError(Exception):
    """The library closed standard output, and its spare."""


class EventLine:
    """Standard output and a spare descriptor of it."""

    def __init__(self) -> None:
        """To be made before a foreign library is loaded."""
        self._pipe = _identity(1)
        self._fds = (1, fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, _SPARE_FROM))

    def tell(self, event: str, **values: Any) -> None:
        """Send a line of JSON. Raises EventLineClosedError."""
        line = json.dumps({"event": event, **values}, separators=(",", ":"), default=_as_text)
        for fd in self._fds:
            if self._pipe is not None and _identity(fd) == self._pipe:
                os.write(fd, line.encode() + b"\n")
                return
        raise EventLineClosedError


def _as_text(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino
