"""Monitors: events of a socket as messages of another."""

from collections.abc import Callable

import pytest

import serverlink
from serverlink import ServerLinkError, Socket

MakeSocket = Callable[[int], Socket]


def test_a_monitor_tells_of_connections(make_socket: MakeSocket) -> None:
    pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
    chosen = serverlink.EVENT_LISTENING | serverlink.EVENT_HANDSHAKE_SUCCEEDED
    with pull.get_monitor_socket(chosen | serverlink.EVENT_MONITOR_STOPPED) as reader:
        reader.rcvtimeo = pull.rcvtimeo
        port = pull.bind_to_random_port("tcp://127.0.0.1")
        endpoint = f"tcp://127.0.0.1:{port}".encode()
        listening = serverlink.recv_monitor_message(reader)
        assert listening["event"] == serverlink.EVENT_LISTENING
        assert listening["endpoint"] == endpoint
        push.connect(endpoint.decode())
        succeeded = serverlink.recv_monitor_message(reader)
        assert succeeded == {
            "event": serverlink.EVENT_HANDSHAKE_SUCCEEDED,
            "value": 0,
            "endpoint": endpoint,
        }
        pull.disable_monitor()
        stopped = serverlink.parse_monitor_message(reader.recv_multipart())
        assert stopped["event"] == serverlink.EVENT_MONITOR_STOPPED


def test_a_monitor_has_one_reader_until_it_is_closed(make_socket: MakeSocket) -> None:
    pull = make_socket(serverlink.PULL)
    with pull.get_monitor_socket() as reader:
        assert pull.get_monitor_socket() is reader
        pull.disable_monitor()
        with pull.get_monitor_socket() as other:
            assert other is not reader
    with pull.get_monitor_socket() as last:
        assert last is not other
        last.rcvtimeo = pull.rcvtimeo
        pull.bind("tcp://127.0.0.1:*")
        assert serverlink.recv_monitor_message(last)["event"] == serverlink.EVENT_LISTENING


def test_monitors_refuse_what_they_cannot_do(make_socket: MakeSocket) -> None:
    pull = make_socket(serverlink.PULL)
    with pytest.raises(ServerLinkError) as refused:
        pull.monitor("tcp://127.0.0.1:*")
    assert refused.value.errno == serverlink.EPROTONOSUPPORT
    with pytest.raises(ServerLinkError) as malformed:
        serverlink.parse_monitor_message([b"no event"])
    assert malformed.value.errno == serverlink.EINVAL
