"""What a measured process is asked to do, as it travels on one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["EXIT_UNHEARD", "EndpointSpec"]

EXIT_UNHEARD = 6
"""The code of a process whose library closed what it reports through."""


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One role of one sample, or both on two threads of one process.

    ``endpoint`` is where the receiver binds; for a sender alone, where it connects.
    ``messages`` are timed, after ``warmup`` ones and one that starts the clock.
    ``senders`` and ``receivers`` are sockets of the sending and of the receiving thread;
    ``idle_peers`` are further peers of the receiver, connected and silent.
    ``memory_bytes`` is how much memory the process may have, 0 for no limit.
    ``control_fd`` is a stream socket to the other role's process, -1 if both are here.
    """

    role: str  # sender, receiver or both
    layer: str  # native or python
    kind: str  # library, module or floor
    path: str
    abi: str
    pattern: str
    transport: str
    metric: str
    size_bytes: int
    messages: int
    warmup: int
    io_threads: int
    sndhwm: int
    rcvhwm: int
    endpoint: str
    senders: int = 1
    receivers: int = 1
    idle_peers: int = 0
    offered_msgs_per_s: int = 0
    variant: str = ""  # layer python: "" for plain calls, batch, asyncio or uvloop
    stall_ms: int = 10_000
    limit_ms: int = 60_000
    sender_cpus: tuple[int, ...] = ()
    receiver_cpus: tuple[int, ...] = ()
    control_fd: int = -1
    parent_pid: int = 0
    memory_bytes: int = 0

    @property
    def messages_sent(self) -> int:
        """All messages that the sender sends: warm-up, the one that starts the clock, timed."""
        return self.warmup + 1 + self.messages

    def to_line(self) -> str:
        """The specification as one line of JSON, without the line's end."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> EndpointSpec:
        """Read what ``to_line`` wrote; ValueError if it is something else."""
        values = json.loads(line)
        known = {each.name for each in fields(cls)}
        if not isinstance(values, dict) or not set(values) <= known:
            raise ValueError("not an endpoint's specification")
        for name in ("sender_cpus", "receiver_cpus"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)

    def to_driver(self) -> dict[str, Any]:
        """The specification as the native driver takes it."""
        values = asdict(self)
        values["sender_cpus"] = list(self.sender_cpus)
        values["receiver_cpus"] = list(self.receiver_cpus)
        return values
