"""What a call says of an argument of the wrong kind."""

from __future__ import annotations

__all__ = ["c_int"]


def c_int(value: object, what: str, bits: int = 32) -> int:
    """A number that the library takes as an integer of so many bits.

    Raises TypeError (no integer), OverflowError (too large), which tell ``what`` it should be.
    """
    if not isinstance(value, int):
        raise TypeError(f"{what} is an integer, not {type(value).__name__}: {value!r}")
    if value.bit_length() >= bits:
        raise OverflowError(f"{what} has {bits} bits, which is too little for {value}")
    return value
