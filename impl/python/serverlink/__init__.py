"""ServerLink: message sockets over tcp, ipc and inproc that talk ZMTP 3.1.

::

    import serverlink

    with serverlink.Context() as context, context.socket(serverlink.PULL) as pull:
        port = pull.bind_to_random_port("tcp://127.0.0.1")
        print(pull.recv())

What pyzmq has for these sockets is here by the same names, so that a program comes over by
``import serverlink as zmq``; README.md says what is missing. ``serverlink.asyncio`` has sockets to
await.

Threads: a context may be used from any, a socket from one at a time; a call on a socket in which
another thread waits raises ServerLinkError with EBUSY. To hand a socket over, let the other thread
begin after the last call of the first has returned. After ``fork()``, in the child, the parent's
contexts and sockets count as closed: make new ones there.
"""

from __future__ import annotations

from serverlink import constants
from serverlink._ext import has, strerror, zmq_errno
from serverlink._ext import version_info as slk_version_info
from serverlink.constants import *
from serverlink.context import Context
from serverlink.curve import curve_keypair, curve_public, z85_decode, z85_encode
from serverlink.error import (
    Again,
    ContextTerminated,
    InterruptedSystemCall,
    NotDone,
    ServerLinkError,
    ZMQBaseError,
    ZMQBindError,
    ZMQError,
    ZMQVersionError,
)
from serverlink.poll import Poller, select, zmq_poll
from serverlink.socket import Socket
from serverlink.version import (
    __version__,
    get_includes,
    get_library_dirs,
    pyzmq_version,
    pyzmq_version_info,
    slk_version,
    zmq_version,
    zmq_version_info,
)

TYPE_CHECKING = False  # importing typing would be a third of the package's import time
if TYPE_CHECKING:
    from typing import Any

    from serverlink.enums import (
        ContextOption,
        Errno,
        Event,
        Flag,
        MessageOption,
        PollEvent,
        ProtocolError,
        SecurityMechanism,
        SocketOption,
        SocketType,
    )
    from serverlink.frame import Frame, Message, MessageTracker
    from serverlink.monitor import parse_monitor_message, recv_monitor_message
    from serverlink.proxy import proxy

__all__ = [
    "Again",
    "Context",
    "ContextOption",
    "ContextTerminated",
    "Errno",
    "Event",
    "Flag",
    "Frame",
    "InterruptedSystemCall",
    "Message",
    "MessageOption",
    "MessageTracker",
    "NotDone",
    "PollEvent",
    "Poller",
    "ProtocolError",
    "SecurityMechanism",
    "ServerLinkError",
    "Socket",
    "SocketOption",
    "SocketType",
    "SyncContext",
    "SyncSocket",
    "ZMQBaseError",
    "ZMQBindError",
    "ZMQError",
    "ZMQVersionError",
    "__version__",
    "curve_keypair",
    "curve_public",
    "get_includes",
    "get_library_dirs",
    "has",
    "parse_monitor_message",
    "proxy",
    "pyzmq_version",
    "pyzmq_version_info",
    "recv_monitor_message",
    "select",
    "slk_version",
    "slk_version_info",
    "strerror",
    "z85_decode",
    "z85_encode",
    "zmq_errno",
    "zmq_poll",
    "zmq_version",
    "zmq_version_info",
]
__all__ += constants.__all__

SyncContext = Context
SyncSocket = Socket

_LAZY = {
    "ContextOption": "enums",
    "Errno": "enums",
    "Event": "enums",
    "Flag": "enums",
    "MessageOption": "enums",
    "PollEvent": "enums",
    "ProtocolError": "enums",
    "SecurityMechanism": "enums",
    "SocketOption": "enums",
    "SocketType": "enums",
    "Frame": "frame",
    "Message": "frame",
    "MessageTracker": "frame",
    "parse_monitor_message": "monitor",
    "proxy": "proxy",
    "recv_monitor_message": "monitor",
}
_LAZY_MODULES = ("asyncio", "enums", "frame", "monitor", "utils")
_OTHER_SOCKETS = ("PUB", "SUB", "XPUB", "XSUB", "REQ", "REP", "STREAM", "SERVER", "CLIENT")


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LAZY_MODULES:
        return importlib.import_module(f"serverlink.{name}")
    if name in _LAZY:
        value = getattr(importlib.import_module(f"serverlink.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    if name in _OTHER_SOCKETS:
        raise AttributeError(
            f"serverlink has no {name} sockets: there are ROUTER, DEALER, PUSH, PULL and PAIR"
        )
    raise AttributeError(f"module 'serverlink' has no attribute {name!r}")
