"""ServerLink: message sockets over tcp, ipc and inproc that talk ZMTP 3.1.

::

    import serverlink

    with serverlink.Context() as context, context.socket(serverlink.PULL) as pull:
        port = pull.bind_to_random_port("tcp://127.0.0.1")
        print(pull.recv())

The constants of ``serverlink.h`` are here under their names without prefix.
"""

from typing import Final

from serverlink import constants
from serverlink._ext import has, strerror
from serverlink._ext import version_info as slk_version_info
from serverlink.constants import *
from serverlink.context import Context
from serverlink.curve import curve_keypair, curve_public, z85_decode, z85_encode
from serverlink.error import Again, ContextTerminated, ServerLinkError
from serverlink.monitor import parse_monitor_message, recv_monitor_message
from serverlink.poll import Poller, select
from serverlink.socket import Socket

__version__: Final = "0.1.0"

__all__ = [
    "Again",
    "Context",
    "ContextTerminated",
    "Poller",
    "ServerLinkError",
    "Socket",
    "__version__",
    "curve_keypair",
    "curve_public",
    "has",
    "parse_monitor_message",
    "recv_monitor_message",
    "select",
    "slk_version_info",
    "strerror",
    "z85_decode",
    "z85_encode",
]
__all__ += constants.__all__
