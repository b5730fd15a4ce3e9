"""Messages of a monitor, as :meth:`Socket.monitor` has them sent."""

import struct
from collections.abc import Sequence
from typing import Any, Final, TypedDict, cast

from serverlink import constants as c
from serverlink.enums import Event
from serverlink.error import ServerLinkError
from serverlink.socket import Socket

__all__ = ["MonitorMessage", "parse_monitor_message", "recv_monitor_message"]

_HEAD: Final = struct.Struct("=HI")


class MonitorMessage(TypedDict):
    """An event with its value (a descriptor, an errno, ms), and the endpoint."""

    event: Event
    value: int
    endpoint: bytes


def parse_monitor_message(parts: Sequence[bytes]) -> MonitorMessage:
    """Take the two parts of a monitor's message apart.

    Raises ServerLinkError with EINVAL for anything else.
    """
    if len(parts) != 2 or len(parts[0]) != _HEAD.size:
        raise ServerLinkError(c.EINVAL)
    event, value = _HEAD.unpack(parts[0])
    return {"event": Event(event), "value": value, "endpoint": parts[1]}


def recv_monitor_message(socket: Socket, flags: int = 0) -> Any:
    """Receive an event from a monitor's reader; raises as ``recv_multipart``.

    A MonitorMessage; of a reader of ``serverlink.asyncio`` one to await.
    """
    parts: Any = socket.recv_multipart(flags)
    if isinstance(parts, list):
        return parse_monitor_message(parts)

    async def received() -> MonitorMessage:
        return parse_monitor_message(cast("list[bytes]", await parts))

    return received()
