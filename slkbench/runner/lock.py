"""One measurement at a time on a machine: two would measure each other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slkbench.errors import TimeLimitError, UsageError

__all__ = ["LOCK_FILE", "is_held", "machine_lock"]

# Not the TMPDIR of one user: the lock must be the same file for everybody on the machine.
LOCK_FILE = Path("/tmp/slkbench.lock")  # noqa: S108
_SHARED_MODE = 0o666


@contextmanager
def machine_lock(path: Path = LOCK_FILE, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the machine for a run.

    ``wait_s`` is how long to wait for another run to end, in seconds; negative waits for ever.
    The kernel drops the lock of a process that dies, so a stale lock cannot be.

    Raises UsageError (held, not to wait; or the file cannot be used), TimeLimitError (waited in
    vain).
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, mode=_SHARED_MODE)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise _refusal(path, wait_s) from None
    except OSError as error:
        message = f"cannot lock {path}: {error.strerror}; remove the file or give it to this user"
        raise UsageError(message) from error
    holder = _holder_file(path)
    try:
        _write_holder(holder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def is_held(path: Path = LOCK_FILE) -> bool:
    """Whether somebody seems to measure; looks only, so that nobody is refused because of it."""
    try:
        pid = int(_read_record(_holder_file(path))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return Path(f"/proc/{pid}").exists()


def _refusal(path: Path, wait_s: float) -> UsageError | TimeLimitError:
    by_whom = _read_holder(_holder_file(path))
    if wait_s > 0:
        return TimeLimitError(f"waited {wait_s:g} s, and {by_whom} still measures on this machine")
    return UsageError(
        f"{by_whom} measures on this machine, and two runs would disturb each other; "
        "wait for it with --wait, or stop it"
    )


def _holder_file(path: Path) -> Path:
    """Beside the lock, because taking the lock truncates the lock file itself."""
    return path.with_name(path.name + ".holder")


def _write_holder(path: Path) -> None:
    record = {"pid": os.getpid(), "command": " ".join(sys.argv)}
    try:
        path.write_text(json.dumps(record), encoding="utf-8")
    except OSError:
        return  # only the name in another run's message is lost


def _read_record(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_holder(path: Path) -> str:
    try:
        record = _read_record(path)
        return f"process {record['pid']} ({record['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
