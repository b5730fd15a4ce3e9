"""A process that is one end of a connection, for tests that kill, stop or cut it off.

``peer.py LIBRARY ROLE ENDPOINT [NAME]``: the library is ``serverlink`` or ``zmq``, whose Python
interfaces are alike.  Variables of the environment that are named like options set these; with
``MONITOR`` it says ``connected`` and ``disconnected``.  Ends when its standard input does.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import Any

BODY_BYTES = 100_000
LAST = b"last"
OPTIONS = (
    "HEARTBEAT_IVL",
    "HEARTBEAT_TIMEOUT",
    "RCVBUF",
    "RCVHWM",
    "RECONNECT_IVL",
    "SNDHWM",
)


def numbered(number: int, body_bytes: int = BODY_BYTES) -> list[bytes]:
    """A message of three parts, of which the first says what the others are."""
    filler = bytes([number % 251])
    return [b"%d" % number, filler * body_bytes, filler * (body_bytes // 2)]


def number_of(message: list[bytes]) -> int:
    """The number of a whole message; fails for any other."""
    number = int(message[0])
    assert message == numbered(number, len(message[1])), "a message that nobody sent"
    return number


def say(what: str) -> None:
    """A line for the test that started this process."""
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


def say_events(library: Any, monitor: Any, receive: Any) -> None:
    """Tell of the connection for ever."""
    words = {
        library.EVENT_HANDSHAKE_SUCCEEDED: "connected",
        library.EVENT_DISCONNECTED: "disconnected",
    }
    while True:
        word = words.get(receive(monitor)["event"])
        if word is not None:
            say(word)


def push(library: Any, socket: Any, _name: bytes) -> None:
    """Send numbered messages for ever, faster than anybody reads."""
    body_bytes = int(os.environ.get("BODY_BYTES", BODY_BYTES))
    number = 0
    while True:
        socket.send_multipart(numbered(number, body_bytes))
        number += 1


def pull(library: Any, socket: Any, _name: bytes) -> None:
    """Receive numbered messages to the last one; then say how many came, in order."""
    expected = 0
    say("ready")
    while True:
        message = socket.recv_multipart()
        if message == [LAST]:
            break
        assert number_of(message) == expected, f"not {expected}"
        expected += 1
    say(str(expected))


def dealer(library: Any, socket: Any, name: bytes) -> None:
    """Say that it is there, and answer every message with the process that got it."""
    process = b"%d" % os.getpid()
    socket.send_multipart([b"here", process])
    while True:
        socket.send_multipart([*socket.recv_multipart(), process])


def main() -> None:
    """Play the role until the other end of standard input is gone."""
    library_name, role, endpoint, *rest = sys.argv[1:]
    name = rest[0].encode() if rest else b""
    library = importlib.import_module(library_name)
    context = library.Context()
    types = {"push": library.PUSH, "pull": library.PULL, "dealer": library.DEALER}
    socket = context.socket(types[role])
    if name:
        socket.setsockopt(library.ROUTING_ID, name)
    for option in OPTIONS:
        if option in os.environ:
            socket.setsockopt(getattr(library, option), int(os.environ[option]))
    if "MONITOR" in os.environ:
        receive = importlib.import_module(f"{library_name}.utils.monitor").recv_monitor_message
        events = (library, socket.get_monitor_socket(), receive)
        threading.Thread(target=say_events, args=events, daemon=True).start()
    socket.connect(endpoint)

    def end_with_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    {"push": push, "pull": pull, "dealer": dealer}[role](library, socket, name)


if __name__ == "__main__":
    main()
