"""The names and numbers of ``serverlink.h``, without its prefix."""

from errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAGAIN,
    EFAULT,
    EHOSTUNREACH,
    EINTR,
    EINVAL,
    EMFILE,
    EMSGSIZE,
    ENAMETOOLONG,
    ENOTSOCK,
    ENOTSUP,
    EPROTONOSUPPORT,
)
from typing import Final

__all__ = [
    "BACKLOG",
    "BLOCKY",
    "CONNECT_ROUTING_ID",
    "DEALER",
    "DONTWAIT",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "EAGAIN",
    "EFAULT",
    "EFSM",
    "EHOSTUNREACH",
    "EINTR",
    "EINVAL",
    "EMFILE",
    "EMSGSIZE",
    "EMTHREAD",
    "ENAMETOOLONG",
    "ENOCOMPATPROTO",
    "ENOTSOCK",
    "ENOTSUP",
    "EPROTONOSUPPORT",
    "ETERM",
    "EVENTS",
    "FD",
    "HANDSHAKE_IVL",
    "HEARTBEAT_IVL",
    "HEARTBEAT_TIMEOUT",
    "HEARTBEAT_TTL",
    "IDENTITY",
    "IMMEDIATE",
    "IO_THREADS",
    "IO_THREADS_DFLT",
    "IPV6",
    "LAST_ENDPOINT",
    "LINGER",
    "MAXMSGSIZE",
    "MAX_MSGSZ",
    "MAX_SOCKETS",
    "MAX_SOCKETS_DFLT",
    "MSG_T_SIZE",
    "NOBLOCK",
    "PAIR",
    "POLLERR",
    "POLLIN",
    "POLLOUT",
    "POLLPRI",
    "PROBE_ROUTER",
    "PULL",
    "PUSH",
    "RCVBUF",
    "RCVHWM",
    "RCVMORE",
    "RCVTIMEO",
    "RECONNECT_IVL",
    "RECONNECT_IVL_MAX",
    "ROUTER",
    "ROUTER_HANDOVER",
    "ROUTER_MANDATORY",
    "ROUTING_ID",
    "SNDBUF",
    "SNDHWM",
    "SNDMORE",
    "SNDTIMEO",
    "SOCKET_LIMIT",
    "TCP_KEEPALIVE",
    "TCP_KEEPALIVE_CNT",
    "TCP_KEEPALIVE_IDLE",
    "TCP_KEEPALIVE_INTVL",
    "TYPE",
]

# Socket types.
PAIR: Final = 0
DEALER: Final = 5
ROUTER: Final = 6
PULL: Final = 7
PUSH: Final = 8

# Context options.
IO_THREADS: Final = 1
MAX_SOCKETS: Final = 2
SOCKET_LIMIT: Final = 3
MAX_MSGSZ: Final = 5
MSG_T_SIZE: Final = 6
BLOCKY: Final = 70

# Context defaults.
IO_THREADS_DFLT: Final = 1
MAX_SOCKETS_DFLT: Final = 1023

# Socket options (IPV6 is also a context option).
ROUTING_ID: Final = 5
IDENTITY: Final = 5
SNDBUF: Final = 11
RCVBUF: Final = 12
RCVMORE: Final = 13
FD: Final = 14
EVENTS: Final = 15
TYPE: Final = 16
LINGER: Final = 17
RECONNECT_IVL: Final = 18
BACKLOG: Final = 19
RECONNECT_IVL_MAX: Final = 21
MAXMSGSIZE: Final = 22
SNDHWM: Final = 23
RCVHWM: Final = 24
RCVTIMEO: Final = 27
SNDTIMEO: Final = 28
LAST_ENDPOINT: Final = 32
ROUTER_MANDATORY: Final = 33
TCP_KEEPALIVE: Final = 34
TCP_KEEPALIVE_CNT: Final = 35
TCP_KEEPALIVE_IDLE: Final = 36
TCP_KEEPALIVE_INTVL: Final = 37
IMMEDIATE: Final = 39
IPV6: Final = 42
PROBE_ROUTER: Final = 51
ROUTER_HANDOVER: Final = 56
CONNECT_ROUTING_ID: Final = 61
HANDSHAKE_IVL: Final = 66
HEARTBEAT_IVL: Final = 75
HEARTBEAT_TTL: Final = 76
HEARTBEAT_TIMEOUT: Final = 77

# Flags of send and receive.
DONTWAIT: Final = 1
NOBLOCK: Final = 1
SNDMORE: Final = 2

# Poll events.
POLLIN: Final = 1
POLLOUT: Final = 2
POLLERR: Final = 4
POLLPRI: Final = 8

# Errors without a POSIX number.
EFSM: Final = 156384763
ENOCOMPATPROTO: Final = 156384764
ETERM: Final = 156384765
EMTHREAD: Final = 156384766
