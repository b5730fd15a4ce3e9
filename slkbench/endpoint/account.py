"""Every message of a Python workload accounted for, with the stamps of the native driver.

A message carries its number (8 bytes, little endian, as many as fit), from 16 bytes up a check
word after it and from 24 bytes up the same word at its end.
"""

from __future__ import annotations

import struct

__all__ = ["Ledger", "StampedPayload"]

_WORD = struct.Struct("<Q")
_TWO_WORDS = struct.Struct("<QQ")
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_SALT = 0x9E37_79B9_7F4A_7C15
_NUMBER_BYTES, _CHECKED_MIN, _TAIL_MIN = 8, 16, 24


def _salt(size_bytes: int) -> int:
    """What turns a number into a check word by exclusive or; a check word is ~number ^ salt."""
    return (size_bytes * _SALT & _MASK) ^ _MASK


class StampedPayload:
    """The sender's one payload, allocated once."""

    def __init__(self, size_bytes: int) -> None:
        self._size = size_bytes
        self._salt = _salt(size_bytes)
        self._bytes = bytearray((7 * index) & 0xFF for index in range(size_bytes))

    def stamped(self, number: int) -> bytearray:
        """The payload with ``number`` in it; the same object every time."""
        data = self._bytes
        if self._size >= _CHECKED_MIN:
            check = number ^ self._salt
            _TWO_WORDS.pack_into(data, 0, number, check)
            if self._size >= _TAIL_MIN:
                _WORD.pack_into(data, self._size - 8, check)
        elif self._size >= _NUMBER_BYTES:
            _WORD.pack_into(data, 0, number)
        else:
            data[:] = number.to_bytes(8, "little")[: self._size]
        return data


class Ledger:
    """What came, and what should have come. ``total`` messages of ``size_bytes`` are sent."""

    def __init__(self, size_bytes: int, total: int) -> None:
        self._size = size_bytes
        self._total = total
        self._salt = _salt(size_bytes)
        self.next = 0
        self._missing: set[int] = set()
        self._repeated: list[int] = []
        self._late: list[int] = []
        self._corrupt: list[int] = []
        self._wrong_sizes: list[tuple[int, int]] = []

    def take(self, data: bytes) -> None:
        """Take a message into account."""
        if len(data) == self._size:
            number = self._number_of(data)
            if number == self.next:
                self.next += 1
                return
            self._take_deviation(number)
            return
        self._wrong_sizes.append((self.next, len(data)))
        self.next += 1

    def _number_of(self, data: bytes) -> int:
        """The number that a message of the right size carries; -1 if the check words differ."""
        if self._size >= _CHECKED_MIN:
            number: int
            number, check = _TWO_WORDS.unpack_from(data)
            if check != number ^ self._salt:
                return -1
            if self._size >= _TAIL_MIN and _WORD.unpack_from(data, self._size - 8)[0] != check:
                return -1
            return number
        if self._size >= _NUMBER_BYTES:
            return int(_WORD.unpack_from(data)[0])
        # Only the low bytes are there: the nearest number to the expected one is meant.
        span = 1 << (8 * self._size)
        ahead = (int.from_bytes(data, "little") - self.next) % span
        behind = self.next + ahead - span
        return self.next + ahead if ahead < span / 2 or behind < 0 else behind

    def _take_deviation(self, number: int) -> None:
        if not 0 <= number < self._total:
            self._corrupt.append(self.next)
            self.next += 1
        elif number > self.next:
            self._missing.update(range(self.next, number))
            self.next = number + 1
        elif number in self._missing:
            self._missing.discard(number)
            self._late.append(number)
        else:
            self._repeated.append(number)

    @property
    def received(self) -> int:
        """How many messages came."""
        return self.next - len(self._missing) + len(self._repeated)

    @property
    def is_clean(self) -> bool:
        """Whether every message came once, whole and in order."""
        return self.next == self._total and not self.describe()

    def describe(self) -> str:
        """What was wrong, in words; '' if nothing."""
        words = []
        if self._missing:
            words.append(
                f"lost {len(self._missing)} of {self._total} messages: "
                f"first missing number {min(self._missing)}"
            )
        if self._repeated:
            words.append(
                f"duplicate: message {self._repeated[0]} came again{_more(self._repeated)}"
            )
        if self._late:
            words.append(f"reordered: message {self._late[0]} came late{_more(self._late)}")
        if self._corrupt:
            words.append(
                f"corrupt: message {self._corrupt[0]} does not carry what was sent"
                f"{_more(self._corrupt)}"
            )
        if self._wrong_sizes:
            number, size = self._wrong_sizes[0]
            words.append(
                f"wrong size: message {number} has {size} bytes instead of {self._size}"
                f"{_more(self._wrong_sizes)}"
            )
        return "; ".join(words)


def _more(all_of_them: list[int] | list[tuple[int, int]]) -> str:
    return f" (and {len(all_of_them) - 1} more)" if len(all_of_them) > 1 else ""
