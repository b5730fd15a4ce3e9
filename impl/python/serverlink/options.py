"""Socket options by number and as attributes, and which C type each has."""

from __future__ import annotations

from serverlink import _ext
from serverlink import constants as c
from serverlink.checks import c_int
from serverlink.error import ServerLinkError

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from typing import Final, overload

    from serverlink.enums import SocketType

__all__ = ["SocketOptions"]

_INT64_OPTIONS: Final = frozenset({c.MAXMSGSIZE})
_BYTES_OPTIONS: Final = frozenset({c.ROUTING_ID, c.CONNECT_ROUTING_ID, c.CURVE_ALLOW})
_STRING_OPTIONS: Final = frozenset(
    {
        c.LAST_ENDPOINT,
        c.PLAIN_USERNAME,
        c.PLAIN_PASSWORD,
        c.CURVE_PUBLICKEY,
        c.CURVE_SECRETKEY,
        c.CURVE_SERVERKEY,
        c.ZAP_DOMAIN,
    }
)


def _names() -> dict[int, str]:
    """The options' names by their numbers."""
    from serverlink.enums import SocketOption

    return {option.value: option.name for option in SocketOption}


def _name(option: int) -> str:
    return _names().get(option, str(option))


class _IntOption:
    """An attribute that reads and sets an integer option."""

    def __init__(self, option: int) -> None:
        self._option = option

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> _IntOption: ...
        @overload
        def __get__(self, instance: SocketOptions, owner: type) -> int: ...

    def __get__(self, instance: SocketOptions | None, owner: type) -> int | _IntOption:
        if instance is None:
            return self
        value = instance.getsockopt(self._option)
        assert isinstance(value, int)
        return value

    def __set__(self, instance: SocketOptions, value: int) -> None:
        instance.setsockopt(self._option, value)


class _BytesOption:
    """An attribute that reads and sets an option of bytes."""

    def __init__(self, option: int) -> None:
        self._option = option

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> _BytesOption: ...
        @overload
        def __get__(self, instance: SocketOptions, owner: type) -> bytes: ...

    def __get__(self, instance: SocketOptions | None, owner: type) -> bytes | _BytesOption:
        if instance is None:
            return self
        value = instance.getsockopt(self._option)
        assert isinstance(value, bytes)
        return value

    def __set__(self, instance: SocketOptions, value: bytes) -> None:
        instance.setsockopt(self._option, value)


class SocketOptions(_ext.Socket):
    """A socket's options.

    Every option is an attribute in lower and in upper case (``sock.sndhwm``, ``sock.SNDHWM``).
    Reading and setting raise ServerLinkError: EINVAL for an option that the socket type does not
    have, that is read only or write only, or a value out of range; ENOTSOCK if the socket is
    closed; ContextTerminated. Units and defaults are those of ``serverlink.h``.
    """

    __slots__ = ("_type",)
    _type: int

    def setsockopt(self, option: int, optval: int | bytes) -> None:
        """Set an option; its C type follows from its number.

        Raises TypeError, OverflowError for a value of another type. Text must be encoded first.
        """
        c_int(option, "an option's number")
        if isinstance(optval, str):
            raise TypeError("an option takes an integer or bytes: encode the text, or set_string()")
        if option in _STRING_OPTIONS or option in _BYTES_OPTIONS:
            if isinstance(optval, int):
                raise TypeError(f"option {_name(option)} takes bytes, not {optval}")
            self._set_bytes(option, optval)
        elif option in _INT64_OPTIONS:
            self._set_int64(option, c_int(optval, f"option {_name(option)}", bits=64))
        elif isinstance(optval, int) or option in _names():
            self._set_int(option, c_int(optval, f"option {_name(option)}"))
        else:
            self._set_bytes(option, optval)

    def getsockopt(self, option: int) -> int | bytes:
        """The value of an option: bytes (without a terminating NUL) or an integer.

        Raises TypeError, OverflowError if ``option`` is not the number of one.
        """
        try:
            if option in _STRING_OPTIONS:
                return self._get_bytes(option).removesuffix(b"\0")
            if option in _BYTES_OPTIONS:
                return self._get_bytes(option)
            if option in _INT64_OPTIONS:
                return self._get_int64(option)
            return self._get_int(option)
        except TypeError:
            c_int(option, "an option's number")  # looked at here only: this is called often
            raise

    set = setsockopt
    get = getsockopt

    def setsockopt_string(self, option: int, optval: str, encoding: str = "utf-8") -> None:
        """Set an option of bytes to encoded text. Raises TypeError for anything but text."""
        if not isinstance(optval, str):
            raise TypeError(f"text is wanted, not {type(optval).__name__}")
        self.setsockopt(option, optval.encode(encoding))

    def getsockopt_string(self, option: int, encoding: str = "utf-8") -> str:
        """An option of bytes as text. Raises ServerLinkError with EINVAL for a number."""
        value = self.getsockopt(option)
        if isinstance(value, int):
            raise ServerLinkError(c.EINVAL, f"option {option} is a number, not text")
        return value.decode(encoding)

    set_string = setsockopt_unicode = setsockopt_string
    get_string = getsockopt_unicode = getsockopt_string

    def set_hwm(self, value: int) -> None:
        """Set both high-water marks."""
        self.hwm = value

    def get_hwm(self) -> int:
        """The sending side's high-water mark."""
        return self.hwm

    @property
    def type(self) -> int:
        """The socket's kind as a number; also of one that is closed."""
        return self._type

    @property
    def TYPE(self) -> int:  # noqa: N802 pyzmq's name
        """As ``type``."""
        return self._type

    @property
    def socket_type(self) -> SocketType:
        """The socket's kind; also of one that is closed."""
        from serverlink.enums import SocketType

        return SocketType(self.type)

    @property
    def hwm(self) -> int:
        """Both high-water marks; reading tells that of the sending side."""
        return self.sndhwm

    @hwm.setter
    def hwm(self, value: int) -> None:
        self.sndhwm = value
        self.rcvhwm = value

    routing_id = ROUTING_ID = identity = IDENTITY = _BytesOption(c.ROUTING_ID)
    connect_routing_id = CONNECT_ROUTING_ID = connect_rid = CONNECT_RID = _BytesOption(
        c.CONNECT_ROUTING_ID
    )
    last_endpoint = LAST_ENDPOINT = _BytesOption(c.LAST_ENDPOINT)
    sndbuf = SNDBUF = _IntOption(c.SNDBUF)
    rcvbuf = RCVBUF = _IntOption(c.RCVBUF)
    rcvmore = RCVMORE = _IntOption(c.RCVMORE)
    fd = FD = _IntOption(c.FD)
    events = EVENTS = _IntOption(c.EVENTS)
    linger = LINGER = _IntOption(c.LINGER)
    reconnect_ivl = RECONNECT_IVL = _IntOption(c.RECONNECT_IVL)
    backlog = BACKLOG = _IntOption(c.BACKLOG)
    reconnect_ivl_max = RECONNECT_IVL_MAX = _IntOption(c.RECONNECT_IVL_MAX)
    maxmsgsize = MAXMSGSIZE = _IntOption(c.MAXMSGSIZE)
    sndhwm = SNDHWM = _IntOption(c.SNDHWM)
    rcvhwm = RCVHWM = _IntOption(c.RCVHWM)
    rcvtimeo = RCVTIMEO = _IntOption(c.RCVTIMEO)
    sndtimeo = SNDTIMEO = _IntOption(c.SNDTIMEO)
    router_mandatory = ROUTER_MANDATORY = _IntOption(c.ROUTER_MANDATORY)
    router_behavior = ROUTER_BEHAVIOR = router_mandatory
    fail_unroutable = FAIL_UNROUTABLE = router_mandatory
    tcp_keepalive = TCP_KEEPALIVE = _IntOption(c.TCP_KEEPALIVE)
    tcp_keepalive_cnt = TCP_KEEPALIVE_CNT = _IntOption(c.TCP_KEEPALIVE_CNT)
    tcp_keepalive_idle = TCP_KEEPALIVE_IDLE = _IntOption(c.TCP_KEEPALIVE_IDLE)
    tcp_keepalive_intvl = TCP_KEEPALIVE_INTVL = _IntOption(c.TCP_KEEPALIVE_INTVL)
    immediate = IMMEDIATE = _IntOption(c.IMMEDIATE)
    delay_attach_on_connect = DELAY_ATTACH_ON_CONNECT = immediate
    ipv6 = IPV6 = _IntOption(c.IPV6)
    probe_router = PROBE_ROUTER = _IntOption(c.PROBE_ROUTER)
    router_handover = ROUTER_HANDOVER = _IntOption(c.ROUTER_HANDOVER)
    handshake_ivl = HANDSHAKE_IVL = _IntOption(c.HANDSHAKE_IVL)
    heartbeat_ivl = HEARTBEAT_IVL = _IntOption(c.HEARTBEAT_IVL)
    heartbeat_ttl = HEARTBEAT_TTL = _IntOption(c.HEARTBEAT_TTL)
    heartbeat_timeout = HEARTBEAT_TIMEOUT = _IntOption(c.HEARTBEAT_TIMEOUT)
    mechanism = MECHANISM = _IntOption(c.MECHANISM)
    plain_server = PLAIN_SERVER = _IntOption(c.PLAIN_SERVER)
    plain_username = PLAIN_USERNAME = _BytesOption(c.PLAIN_USERNAME)
    plain_password = PLAIN_PASSWORD = _BytesOption(c.PLAIN_PASSWORD)
    curve_server = CURVE_SERVER = _IntOption(c.CURVE_SERVER)
    curve_publickey = CURVE_PUBLICKEY = _BytesOption(c.CURVE_PUBLICKEY)
    curve_secretkey = CURVE_SECRETKEY = _BytesOption(c.CURVE_SECRETKEY)
    curve_serverkey = CURVE_SERVERKEY = _BytesOption(c.CURVE_SERVERKEY)
    curve_allow = CURVE_ALLOW = _BytesOption(c.CURVE_ALLOW)
    zap_domain = ZAP_DOMAIN = _BytesOption(c.ZAP_DOMAIN)
