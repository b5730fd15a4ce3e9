"""Links through a Python binding. pyzmq and serverlink look alike where this looks."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from typing import Any

from slkbench.endpoint.failure import UnsupportedWorkloadError, WorkloadFailedError
from slkbench.endpoint.spec import EndpointSpec

__all__ = ["PythonLink"]

_READY = b"READY"
_REPORTED = (
    "TYPE",
    "SNDHWM",
    "RCVHWM",
    "LINGER",
    "SNDBUF",
    "RCVBUF",
    "SNDTIMEO",
    "RCVTIMEO",
)
_PEER_OF = {"sender": b"receiver", "receiver": b"sender"}


class PythonLink:
    """The sockets of one role. ROUTER-ROUTER has one, PUSH-PULL one per direction that is used."""

    def __init__(self, module: Any, context: Any, spec: EndpointSpec, role: str) -> None:
        self._module = module
        self._context = context
        self._spec = spec
        self._is_sender = role == "sender"
        self._own_id = role.encode()
        self._peer = _PEER_OF[role]
        self._is_router = spec.pattern == "router-router"
        self._sockets: list[tuple[str, Any]] = []
        self._out: Any = None
        self._in: Any = None

    @property
    def stall_s(self) -> float:
        """Seconds without progress after which a call gives up."""
        return self._spec.stall_ms / 1000

    def open(self, endpoint: str) -> str:
        """Bind or connect; the endpoint to connect to, two of them divided by a space."""
        if self._is_router:
            self._in = self._out = self._make_socket("ROUTER")
            return self._attach(self._in, endpoint)
        both_ways = self._spec.metric == "round-trip"
        there, _, back = endpoint.partition(" ")
        if not self._is_sender and self._spec.transport != "tcp":
            back = there + "-back"
        first, second = ("PUSH", "PULL") if self._is_sender else ("PULL", "PUSH")
        sockets = {first: self._make_socket(first)}
        found = self._attach(sockets[first], there)
        if both_ways:
            sockets[second] = self._make_socket(second)
            found += " " + self._attach(sockets[second], back or there)
        self._out, self._in = sockets.get("PUSH"), sockets.get("PULL")
        return found

    def _make_socket(self, kind: str) -> Any:
        number = getattr(self._module, kind, None)
        if number is None:
            raise UnsupportedWorkloadError(f"the module has no {kind} sockets")
        socket = self._context.socket(number)
        self._sockets.append((kind, socket))
        values = {
            "SNDHWM": self._spec.sndhwm,
            "RCVHWM": self._spec.rcvhwm,
            "LINGER": 0,
            "SNDTIMEO": self._spec.stall_ms,
            "RCVTIMEO": self._spec.stall_ms,
            "SNDBUF": -1,
            "RCVBUF": -1,
            "IMMEDIATE": 0,
        }
        if kind == "ROUTER":
            values["ROUTER_MANDATORY"] = 1
            socket.setsockopt(self._module.ROUTING_ID, self._own_id)
        for name, value in values.items():
            socket.setsockopt(getattr(self._module, name), value)
        return socket

    def _attach(self, socket: Any, endpoint: str) -> str:
        if self._is_sender:
            socket.connect(endpoint)
            return endpoint
        socket.bind(endpoint)
        if self._spec.transport != "tcp":
            return endpoint
        bound = socket.getsockopt(self._module.LAST_ENDPOINT)
        text = bound.decode() if isinstance(bound, bytes) else str(bound)
        return text.rstrip("\0")

    def send(self, data: bytes | bytearray) -> None:
        """Send one message."""
        if self._is_router:
            self._out.send(self._peer, self._module.SNDMORE)
        self._out.send(data)

    def receive(self, flags: int = 0) -> bytes:
        """Receive one message; WorkloadFailedError if it does not come from the peer."""
        if self._is_router and self._in.recv(flags) != self._peer:
            raise WorkloadFailedError("the first frame is not the peer's routing id")
        data: bytes = self._in.recv(flags)
        return data

    def receive_now(self) -> bytes | None:
        """A message that is there already, or None."""
        try:
            return self.receive(self._module.DONTWAIT)
        except self._module.Again:
            return None

    def handshake(self) -> None:
        """Return when messages pass in all directions that are used."""
        if self._out is not None and self._is_sender:
            self._send_ready()
        if self._in is not None and self.receive() != _READY:
            raise WorkloadFailedError("instead of READY something else has come")
        if self._out is not None and not self._is_sender:
            self._send_ready()

    def _send_ready(self) -> None:
        # A ROUTER knows its peer once the handshake of the connection is over, and not before.
        deadline_s = time.monotonic() + self.stall_s
        while True:
            try:
                self.send(_READY)
            except Exception as error:
                if getattr(error, "errno", None) != errno.EHOSTUNREACH:
                    raise
            else:
                return
            if time.monotonic() > deadline_s:
                raise WorkloadFailedError(
                    f"the peer's routing id is still unknown after {self.stall_s:g} s"
                )
            time.sleep(0)

    def options(self) -> dict[str, str]:
        """Options read back, as far as the binding can."""
        found: dict[str, str] = {}
        for kind, socket in self._sockets:
            prefix = f"{kind}." if len(self._sockets) > 1 else ""
            for name in _REPORTED:
                # Whatever the binding raises, the option then cannot be read back.
                with suppress(Exception):
                    value = socket.getsockopt(getattr(self._module, name))
                    found[prefix + name] = str(int(value))
        return found

    def close(self) -> None:
        """Close the sockets; what is queued is dropped."""
        for _, socket in self._sockets:
            socket.close()
