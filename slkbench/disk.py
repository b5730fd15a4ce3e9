"""Files on the disk: written whole or not at all, synced, and errors with what to do about them."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slkbench.errors import StoreError

__all__ = ["append", "disk_errors", "replace_file", "sync_folder", "write_all", "write_whole"]

_USUAL = "Check permissions and free space, or name another folder with --out."
_ROOM = "Make room there, or name another folder with --out."
_WRITABLE = "Make it writable for this user, or name another folder with --out."
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f).",
    errno.EROFS: _WRITABLE,
    errno.EACCES: _WRITABLE,
    errno.EPERM: _WRITABLE,
}


def write_whole(file: Path, text: str) -> None:
    """Write a file; a crash leaves the old one or the new one, whole. Raises ``StoreError``."""
    with disk_errors("write", file):
        replace_file(file, text.encode())


def append(file: Path, data: bytes) -> None:
    """Append to a file, which is made where it is not; on the disk at return. Raises OSError."""
    with file.open("ab", buffering=0) as opened:
        write_all(opened.fileno(), data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write and sync all of ``data``. Raises OSError, and a part may then be written."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def replace_file(file: Path, data: bytes) -> None:
    """Put ``data`` in place of a file; a crash leaves the old one or the new one. OSError."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        try:
            os.fchmod(descriptor, 0o644)
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
        Path(name).replace(file)
        sync_folder(file.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk as well."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(doing: str, path: Path) -> Iterator[None]:
    """OSError becomes StoreError: ``cannot DOING PATH``, why, and how to mend it."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, _USUAL)
        raise StoreError(f"cannot {doing} {path}: {error.strerror or error}. {remedy}") from None
