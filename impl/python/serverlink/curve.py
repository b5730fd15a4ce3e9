"""Keys for CURVE, and the text form they have.

Keys are 40 bytes of Z85, as the CURVE options take and give them; where the library was built
without CURVE (``has("curve")`` says), making them raises ServerLinkError with ENOTSUP.
"""

from serverlink._ext import curve_keypair, curve_public, z85_decode, z85_encode

__all__ = ["curve_keypair", "curve_public", "z85_decode", "z85_encode"]
