"""Keys for CURVE, and the text form they have.

Keys are 40 bytes of Z85, as the CURVE options take and give them; where the library was built
without CURVE (``has("curve")`` says), making them raises ServerLinkError with ENOTSUP.
"""

from __future__ import annotations

from serverlink import _ext
from serverlink._ext import curve_keypair

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["curve_keypair", "curve_public", "z85_decode", "z85_encode"]


def curve_public(secret_key: str | Buffer) -> bytes:
    """The public key to a secret one. Raises ServerLinkError: ENOTSUP; EINVAL (no key)."""
    return _ext.curve_public(_bytes(secret_key))


def z85_encode(data: Buffer) -> bytes:
    """Four bytes as five characters. Raises ServerLinkError with EINVAL (no multiple of 4)."""
    return _ext.z85_encode(bytes(memoryview(data)))


def z85_decode(text: str | Buffer) -> bytes:
    """Five characters as four bytes. Raises ServerLinkError with EINVAL (not Z85)."""
    return _ext.z85_decode(_bytes(text))


def _bytes(text: str | Buffer) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(memoryview(text))
