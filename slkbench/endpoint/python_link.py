"""Links through a Python binding. pyzmq and serverlink look alike where this looks."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from typing import Any

from slkbench.driver._driver import Ledger, Payload, Stamping
from slkbench.endpoint.failure import UnsupportedWorkloadError, WorkloadFailedError
from slkbench.endpoint.spec import EndpointSpec

__all__ = ["AsyncLink", "BatchLink", "PythonLink", "make_link"]

_READY = b"READY"
_BATCH = 1000  # messages at most in one call
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

    def stamps(self, payload: Payload, begin: int, end: int) -> Stamping:
        """Messages to send, as ``send_all`` takes them."""
        return payload.range(begin, end)

    def send_all(self, stamps: Stamping) -> None:
        """Send each of the messages."""
        send = self._out.send
        if self._is_router:
            peer, more = self._peer, self._module.SNDMORE
            for data in stamps:
                send(peer, more)
                send(data)
        else:
            for data in stamps:
                send(data)

    def receive_until(self, ledger: Ledger, end: int) -> None:
        """Take messages into account until ``end`` is the next number."""
        receive, take = self._in.recv, ledger.take
        if ledger.next >= end:
            return
        if not self._is_router:
            while take(receive()) < end:
                pass
            return
        peer = self._peer
        while True:
            if receive() != peer:
                raise WorkloadFailedError("the first frame is not the peer's routing id")
            if take(receive()) >= end:
                return

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


class BatchLink(PythonLink):
    """Many messages in one call, where the binding has such calls."""

    def open(self, endpoint: str) -> str:
        """Bind or connect; UnsupportedWorkloadError for a binding without batches."""
        if not hasattr(self._module.Socket, "send_many"):
            raise UnsupportedWorkloadError("the module has no calls for batches")
        return super().open(endpoint)

    def stamps(self, payload: Payload, begin: int, end: int) -> Stamping:
        """Messages to send, with the peer in front where it is named."""
        return payload.range(begin, end, self._peer if self._is_router else None)

    def send_all(self, stamps: Stamping) -> None:
        """Send all messages in one call; WorkloadFailedError if some were left."""
        self._out.send_many(stamps)
        if next(stamps, None) is not None:
            raise WorkloadFailedError("no room for the next message in the time allowed")

    def receive_until(self, ledger: Ledger, end: int) -> None:
        """Take messages into account, as many in one call as are there."""
        receive, take = self._in.recv_many, ledger.take_many
        begin = ledger.next
        while begin < end:
            messages = receive(min(end - begin, _BATCH))
            if not messages:
                raise WorkloadFailedError("no message in the time allowed")
            if self._is_router and messages[0][0] != self._peer:
                raise WorkloadFailedError("the first frame is not the peer's routing id")
            begin = take(messages)
            del messages  # as a single message: free before the next one is received


class AsyncLink(PythonLink):
    """Sockets to await, on a loop of the role's own: asyncio's, or uvloop's."""

    def __init__(
        self, module: Any, context: Any, spec: EndpointSpec, role: str, variant: str
    ) -> None:
        super().__init__(module, context, spec, role)
        if spec.metric != "throughput":
            raise UnsupportedWorkloadError("sockets to await are measured by throughput only")
        import asyncio

        if variant == "uvloop":
            import uvloop

            self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        else:
            self._loop = asyncio.new_event_loop()

    def send(self, data: bytes | bytearray) -> None:
        """Send one message."""
        self._loop.run_until_complete(self._send(data))

    def receive(self, flags: int = 0) -> bytes:
        """Receive one message; WorkloadFailedError if it does not come from the peer."""
        return self._loop.run_until_complete(self._receive(flags))

    def send_all(self, stamps: Stamping) -> None:
        """Send each of the messages."""
        self._loop.run_until_complete(self._send_all(stamps))

    def receive_until(self, ledger: Ledger, end: int) -> None:
        """Take messages into account until ``end`` is the next number."""
        if ledger.next < end:
            self._loop.run_until_complete(self._receive_until(ledger, end))

    async def _send(self, data: bytes | bytearray) -> None:
        if self._is_router:
            await self._out.send(self._peer, self._module.SNDMORE)
        await self._out.send(data)

    async def _receive(self, flags: int) -> bytes:
        if self._is_router and await self._in.recv(flags) != self._peer:
            raise WorkloadFailedError("the first frame is not the peer's routing id")
        data: bytes = await self._in.recv(flags)
        return data

    async def _send_all(self, stamps: Stamping) -> None:
        send = self._out.send
        if self._is_router:
            peer, more = self._peer, self._module.SNDMORE
            for data in stamps:
                await send(peer, more)
                await send(data)
        else:
            for data in stamps:
                await send(data)

    async def _receive_until(self, ledger: Ledger, end: int) -> None:
        receive, take, peer = self._in.recv, ledger.take, self._peer
        while True:
            if self._is_router and await receive() != peer:
                raise WorkloadFailedError("the first frame is not the peer's routing id")
            if take(await receive()) >= end:
                return

    def close(self) -> None:
        """Close the sockets and the loop."""

        async def close_sockets() -> None:
            super(AsyncLink, self).close()

        self._loop.run_until_complete(close_sockets())
        self._loop.close()


def make_link(module: Any, context: Any, spec: EndpointSpec, role: str) -> PythonLink:
    """The link for the binding's plain calls, or for the variant that is asked for."""
    if spec.variant == "batch":
        return BatchLink(module, context, spec, role)
    if spec.variant:
        return AsyncLink(module, context, spec, role, spec.variant)
    return PythonLink(module, context, spec, role)
