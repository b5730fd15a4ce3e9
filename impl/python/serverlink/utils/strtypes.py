"""Text and bytes by the names of programs that ran on Python 2, too."""

from __future__ import annotations

import builtins

__all__ = ["asbytes", "b", "basestring", "bytes", "cast_bytes", "cast_unicode", "u", "unicode"]

bytes = builtins.bytes  # noqa: A001 pyzmq's name
unicode = str
basestring = (str,)


def cast_bytes(s: str | builtins.bytes, encoding: str = "utf8", errors: str = "strict") -> bytes:
    """Text encoded, bytes as they are. Raises TypeError for anything else."""
    if isinstance(s, str):
        return s.encode(encoding, errors)
    if isinstance(s, builtins.bytes):
        return s
    raise TypeError(f"text or bytes are wanted, not {type(s).__name__}")


def cast_unicode(s: str | builtins.bytes, encoding: str = "utf8", errors: str = "strict") -> str:
    """Bytes decoded, text as it is. Raises TypeError for anything else."""
    return cast_bytes(s, encoding, errors).decode(encoding, errors)


b = asbytes = cast_bytes
u = cast_unicode
