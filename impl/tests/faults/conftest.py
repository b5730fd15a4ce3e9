"""Processes to be killed, and sockets that cannot hang a test."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

import serverlink

PATIENCE_MS = 20_000
PEER = Path(__file__).with_name("peer.py")

Peer = subprocess.Popen[str]
StartPeer = Callable[..., Peer]
MakeSocket = Callable[[str, int], Any]


@pytest.fixture(scope="session")
def peer_functions() -> dict[str, Any]:
    """What ``peer.py`` defines."""
    return runpy.run_path(str(PEER))


@pytest.fixture
def numbered(peer_functions: dict[str, Any]) -> Any:
    """Make the messages that peers send."""
    return peer_functions["numbered"]


@pytest.fixture
def number_of(peer_functions: dict[str, Any]) -> Any:
    """Check one and tell its number."""
    return peer_functions["number_of"]


@pytest.fixture
def start_peer() -> Iterator[StartPeer]:
    """Start ``peer.py``; what is still there at the end is killed."""
    started: list[Peer] = []

    def start(*arguments: str, prefix: tuple[str, ...] = (), **options: int) -> Peer:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-P", str(PEER), *arguments],
            env=os.environ | {name: str(value) for name, value in options.items()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def make_socket() -> Iterator[MakeSocket]:
    """Make sockets of the library that is named: ``serverlink`` or ``zmq``."""
    kept: list[Any] = []
    contexts: dict[str, Any] = {"serverlink": serverlink.Context(), "zmq": zmq.Context()}

    def make(library: str, socket_type: int) -> Any:
        made = contexts[library].socket(socket_type)
        kept.append(made)
        made.sndtimeo = made.rcvtimeo = PATIENCE_MS
        made.linger = 0
        return made

    yield make
    for context in contexts.values():
        context.destroy(linger=0)
