"""Z85: four bytes as five characters, as ZeroMQ's RFC 32 has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serverlink.curve import z85_decode, z85_encode
from serverlink.error import ServerLinkError

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["decode", "encode"]


def encode(rawbytes: Buffer) -> bytes:
    """Bytes as Z85. Raises ValueError if their number is no multiple of 4."""
    data = bytes(memoryview(rawbytes))
    if len(data) % 4:
        raise ValueError(f"Z85 is of a multiple of 4 bytes, not of {len(data)}")
    return z85_encode(data) if data else b""


def decode(z85bytes: str | Buffer) -> bytes:
    """The bytes of Z85. Raises ValueError for what is none."""
    text = z85bytes.encode() if isinstance(z85bytes, str) else bytes(memoryview(z85bytes))
    if len(text) % 5:
        raise ValueError(f"Z85 has a multiple of 5 characters, not {len(text)}")
    try:
        return z85_decode(text) if text else b""
    except ServerLinkError:
        raise ValueError(f"this is no Z85: {text!r}") from None
