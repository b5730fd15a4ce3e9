"""Keys and their text form."""

import pytest

import serverlink

needs_curve = pytest.mark.skipif(
    not serverlink.has("curve"), reason="the library was built without libsodium"
)


def test_z85_there_and_back() -> None:
    assert serverlink.z85_encode(bytes.fromhex("864fd26fb559f75b")) == b"HelloWorld"
    assert serverlink.z85_decode(b"HelloWorld") == bytes.fromhex("864fd26fb559f75b")
    for text in (b"Hell", b"Hel\0o", b"Hell~"):
        with pytest.raises(serverlink.ServerLinkError) as caught:
            serverlink.z85_decode(text)
        assert caught.value.errno == serverlink.EINVAL
    with pytest.raises(serverlink.ServerLinkError):
        serverlink.z85_encode(b"abc")


@needs_curve
def test_keys() -> None:
    public, secret = serverlink.curve_keypair()
    assert len(public) == len(secret) == 40
    assert serverlink.curve_public(secret) == public
    assert serverlink.curve_keypair() != (public, secret)
    with pytest.raises(serverlink.ServerLinkError):
        serverlink.curve_public(b"short")


@needs_curve
def test_options_take_and_give_keys() -> None:
    public, secret = serverlink.curve_keypair()
    with serverlink.Context() as context, context.socket(serverlink.PULL) as socket:
        socket.curve_secretkey = secret
        socket.curve_server = 1
        socket.curve_allow = serverlink.z85_decode(public)
        socket.curve_allow = b""
        assert socket.mechanism == serverlink.CURVE
        assert socket.curve_secretkey == secret
        socket.plain_username = b"user"
        assert (socket.mechanism, socket.plain_username) == (serverlink.PLAIN, b"user")


@pytest.mark.skipif(serverlink.has("curve"), reason="the library was built with libsodium")
def test_without_curve_it_says_so() -> None:
    with pytest.raises(serverlink.ServerLinkError) as caught:
        serverlink.curve_keypair()
    assert caught.value.errno == serverlink.ENOTSUP
