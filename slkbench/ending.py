"""How processes that run foreign code are ended: with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any

__all__ = ["end_watched", "signal_name"]

_WATCHER_S = 6.0  # it takes five at most, to end what keeps starting more


def end_watched(process: subprocess.Popen[Any]) -> None:
    """End a process that lives under a watcher (``driver/watcher``), or was about to.

    The watcher, whose process this is, ends all descendants, also those that have left the session.
    Harmless if it has ended.  Closes the pipes.
    """
    process.terminate()
    interrupt = _await_end(process)
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    if interrupt is not None:
        raise interrupt


def _await_end(process: subprocess.Popen[Any]) -> KeyboardInterrupt | None:
    """Wait for the watcher, also when Ctrl-C is pressed again: without it, escapees would live."""
    deadline_s = time.monotonic() + _WATCHER_S
    interrupt = None
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            process.wait(left_s)
            break
        except subprocess.TimeoutExpired:
            break
        except KeyboardInterrupt as pressed:
            interrupt = pressed
    return interrupt


def signal_name(number: int) -> str:
    """``SIGSEGV``, or ``signal 64`` for one that has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
