"""Folders that are a process's while it lives, and are removed once it is gone, however it went.

A folder is claimed by a lock on it, which the kernel drops when its owner dies, so nothing has to
be guessed: what is locked is in use, what is not was left by a process that was killed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from slkbench.errors import UsageError

__all__ = ["claimed_folder", "remove_abandoned", "scratch_folder"]

SCRATCH_PREFIX = "slkbench-scratch-"
_SUFFIX = r"[a-z0-9_]{8}"  # what mkdtemp appends


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for temporary files; gone at the end. Raises UsageError where there can be none."""
    with ExitStack() as stack:
        try:
            root = Path(tempfile.gettempdir())
            folder = stack.enter_context(claimed_folder(root, SCRATCH_PREFIX))
        except OSError as error:
            raise UsageError(
                f"cannot make a temporary folder: {error}. Make room there, or name another "
                "folder in the environment variable TMPDIR."
            ) from None
        yield folder


@contextmanager
def claimed_folder(root: Path, prefix: str) -> Iterator[Path]:
    """A new folder under ``root``; removed when this ends. Raises OSError if it cannot be made."""
    folder, descriptor = _claim_new(root, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _claim_new(root: Path, prefix: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        if (descriptor := _lock(folder)) is not None:
            return folder, descriptor


def _lock(folder: Path) -> int | None:
    """Lock a folder; None if another process has it, or it is there no more."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), folder.lstat()):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def remove_abandoned(root: Path | None = None, prefix: str = SCRATCH_PREFIX) -> int:
    """Remove what killed processes of this user left in ``root`` (None: temporary files).

    Returns the number of folders removed.  What cannot be removed stays.
    """
    form = re.compile(re.escape(prefix) + _SUFFIX)
    removed = 0
    with suppress(OSError):
        where = Path(tempfile.gettempdir()) if root is None else root
        for entry in list(os.scandir(where)):
            if form.fullmatch(entry.name) and _is_own_folder(entry):
                removed += _remove(Path(entry.path))
    return removed


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return (
            entry.is_dir(follow_symlinks=False)
            and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
        )
    except OSError:
        return False


def _remove(folder: Path) -> bool:
    if (descriptor := _lock(folder)) is None:
        return False
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
    return not folder.exists()
