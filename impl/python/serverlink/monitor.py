"""Messages of a monitor, as :meth:`Socket.monitor` has them sent."""

import struct
from collections.abc import Sequence
from typing import Final, TypedDict

from serverlink import constants as c
from serverlink.error import ServerLinkError
from serverlink.socket import Socket

__all__ = ["MonitorMessage", "parse_monitor_message", "recv_monitor_message"]

_HEAD: Final = struct.Struct("=HI")


class MonitorMessage(TypedDict):
    """An event: one of EVENT_..., its value (a descriptor, an errno, ms), and the endpoint."""

    event: int
    value: int
    endpoint: bytes


def parse_monitor_message(parts: Sequence[bytes]) -> MonitorMessage:
    """Take the two parts of a monitor's message apart.

    Raises ServerLinkError with EINVAL for anything else.
    """
    if len(parts) != 2 or len(parts[0]) != _HEAD.size:
        raise ServerLinkError(c.EINVAL)
    event, value = _HEAD.unpack(parts[0])
    return {"event": event, "value": value, "endpoint": parts[1]}


def recv_monitor_message(reader: Socket, flags: int = 0) -> MonitorMessage:
    """Receive an event from a monitor's reader; raises as ``recv_multipart``."""
    return parse_monitor_message(reader.recv_multipart(flags))
