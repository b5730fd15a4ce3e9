"""The modules of utils."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from serverlink.utils import strtypes, z85

# The example of RFC 32.
RAW, TEXT = bytes([0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B]), b"HelloWorld"


def test_z85_is_that_of_the_rfc() -> None:
    assert z85.encode(RAW) == z85.encode(memoryview(RAW)) == TEXT
    assert z85.decode(TEXT) == z85.decode(TEXT.decode()) == RAW


@given(some.binary(max_size=400).map(lambda data: data[: len(data) // 4 * 4]))
def test_z85_gives_back_what_it_was_made_of(data: bytes) -> None:
    text = z85.encode(data)
    assert len(text) == len(data) // 4 * 5
    assert z85.decode(text) == data


@pytest.mark.parametrize("text", [b"Hell", b"Hell~", b"Hel\0o", "Hellö", "#####"])
def test_what_is_no_z85(text: bytes | str) -> None:
    with pytest.raises(ValueError, match="Z85"):
        z85.decode(text)
    with pytest.raises(ValueError, match="multiple of 4"):
        z85.encode(b"three"[:3])


def test_text_and_bytes() -> None:
    assert strtypes.asbytes("ü") == strtypes.b("ü".encode()) == b"\xc3\xbc"
    assert strtypes.cast_unicode(b"\xfc", "latin1") == strtypes.u("ü") == "ü"
    with pytest.raises(TypeError):
        strtypes.cast_bytes(5)  # type: ignore[arg-type]
