"""Many messages in one call: order, high-water marks, what was not sent."""

import errno
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import serverlink
from serverlink import ServerLinkError, Socket

MakeSocket = Callable[[int], Socket]
Pair = tuple[Socket, Socket]


def test_messages_come_in_order_and_as_they_were(pair: Pair) -> None:
    bound, connected = pair
    messages: list[bytes | list[bytes]] = [b"a", [b"b", b"", b"c"], b"", [b"d"], b"e" * 7_000]
    others: list[Any] = [bytearray(b"f"), (memoryview(b"g"), b"h")]
    assert connected.send_many(messages) == len(messages)
    assert connected.send_many(iter(others)) == 2
    expected = [b"a", (b"b", b"", b"c"), b"", b"d", b"e" * 7_000, b"f", (b"g", b"h")]
    assert bound.recv_many(2) == expected[:2]
    assert bound.recv_many() == expected[2:]
    assert bound.recv_many(timeout=0) == []
    assert bound.recv_many(timeout=1) == []
    assert connected.send_many([]) == 0


def test_a_batch_of_large_messages_ends_early_and_loses_nothing(pair: Pair) -> None:
    bound, connected = pair
    messages = [bytes([number]) * 100_000 for number in range(8)]
    assert connected.send_many(messages) == len(messages)
    batches: list[list[Any]] = []
    while sum(len(batch) for batch in batches) < len(messages):
        batches.append(bound.recv_many())
    assert [message for batch in batches for message in batch] == messages
    assert max(len(batch) for batch in batches) <= 3


def test_messages_of_many_and_of_long_parts_stay_whole(pair: Pair) -> None:
    bound, connected = pair
    messages: list[bytes | tuple[bytes, ...]] = [
        tuple(b"%d" % number for number in range(3_000)),
        (b"name", b"x" * 40_000, b"", b"y" * 40_000),
        (b"name", b"z"),
        b"end",
    ]
    assert connected.send_many(messages) == len(messages)
    received: list[Any] = []
    while len(received) < len(messages):
        received += bound.recv_many()
    assert received == messages


def test_parts_of_other_kinds(pair: Pair) -> None:
    class Name(bytes):
        pass

    bound, connected = pair
    messages: list[Any] = [Name(b"a"), (bytearray(), memoryview(b"b")), [Name(b"c")] * 9, b"d" * 40]
    assert connected.send_many(tuple(messages)) == len(messages)
    assert bound.recv_many() == [b"a", (b"", b"b"), (b"c",) * 9, b"d" * 40]


@pytest.mark.parametrize("transport", ["inproc", "tcp"])
def test_a_batch_waits_for_room(make_socket: MakeSocket, transport: str) -> None:
    pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
    pull.rcvhwm = push.sndhwm = 10
    if transport == "tcp":
        push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
    else:
        pull.bind("inproc://waiting")
        push.connect("inproc://waiting")
    messages = [b"%d" % n if n % 3 else (b"%d" % n, bytearray(b"rest")) for n in range(5_000)]
    counts: list[int] = []
    sender = threading.Thread(target=lambda: counts.append(push.send_many(messages)))
    sender.start()
    received: list[Any] = []
    while len(received) < len(messages):
        received += pull.recv_many(timeout=10_000) or pytest.fail("no message came")
    sender.join()
    assert counts == [len(messages)]
    assert received == messages


def test_batches_of_many_threads_stay_in_order(make_socket: MakeSocket) -> None:
    messages = [b"%d" % number for number in range(20_000)]
    received: list[list[Any]] = [[], [], []]

    def receive(pull: Socket, into: list[Any]) -> None:
        while len(into) < len(messages):
            into += pull.recv_many() or pytest.fail("no message came")

    threads: list[threading.Thread] = []
    for number, into in enumerate(received):
        pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
        pull.bind(f"inproc://pair-{number}")
        push.connect(f"inproc://pair-{number}")
        threads.append(threading.Thread(target=receive, args=(pull, into)))
        threads.append(threading.Thread(target=push.send_many, args=(messages,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert received == [messages] * 3


def test_what_has_no_room_is_told(make_socket: MakeSocket) -> None:
    pull, push = make_socket(serverlink.PULL), make_socket(serverlink.PUSH)
    pull.rcvhwm = push.sndhwm = 50
    pull.bind("inproc://room")
    push.connect("inproc://room")
    messages = [str(number).encode() for number in range(150)]
    assert push.send_many(messages, serverlink.DONTWAIT) == 100
    push.sndtimeo = 10
    assert push.send_many(messages[100:]) == 0
    assert push.sndtimeo == 10
    received = pull.recv_many(1000)
    assert received == messages[:100]
    sent = push.send_many(messages[100:])
    assert received + pull.recv_many() == messages[: 100 + sent]


def test_an_error_tells_how_many_went_before(pair: Pair) -> None:
    bound, connected = pair

    def numbers() -> Iterator[bytes]:
        yield b"1"
        yield b"2"
        raise LookupError

    with pytest.raises(LookupError) as interrupted:
        connected.send_many(numbers())
    assert interrupted.value.sent == 2  # type: ignore[attr-defined]
    with pytest.raises(TypeError) as refused:
        connected.send_many([b"3", "text"])  # type: ignore[list-item]
    assert refused.value.sent == 1  # type: ignore[attr-defined]
    with pytest.raises(ServerLinkError) as empty:
        connected.send_many([b"4", ()])
    assert (empty.value.errno, empty.value.sent) == (errno.EINVAL, 1)
    assert bound.recv_many() == [b"1", b"2", b"3", b"4"]


def test_a_router_names_its_peers(make_socket: MakeSocket) -> None:
    router, dealer = make_socket(serverlink.ROUTER), make_socket(serverlink.DEALER)
    router.router_mandatory = 1
    dealer.routing_id = b"me"
    router.bind("inproc://router")
    dealer.connect("inproc://router")
    assert dealer.send_many([b"1", [b"2", b"3"]]) == 2
    requests = router.recv_many()
    assert requests == [(b"me", b"1"), (b"me", b"2", b"3")]
    assert router.send_many(requests) == 2
    assert dealer.recv_many() == [b"1", (b"2", b"3")]
    with pytest.raises(ServerLinkError) as caught:
        router.send_many([(b"me", b"x"), (b"nobody", b"x")])
    assert (caught.value.errno, caught.value.sent) == (errno.EHOSTUNREACH, 1)


def test_parts_go_into_slots(pair: Pair) -> None:
    bound, connected = pair
    slots = bytearray(b"-" * 13)
    connected.send_many([b"ab", [b"", b"cut off"], b"later"])
    assert bound.recv_into_many(slots, 4) == [2, 0, 7]
    assert slots == b"ab------cut -"
    assert bound.recv_into_many(slots, 13, timeout=0) == [5]
    assert bound.recv_into_many(slots, 13, timeout=0) == []


def test_one_part_goes_into_a_buffer(pair: Pair) -> None:
    bound, connected = pair
    buffer = bytearray(8)
    connected.send_multipart([b"abcdef", b"rest", b"x"])
    assert bound.recv_into(buffer) == 6
    assert bound.recv_into(buffer, nbytes=2) == 4
    assert buffer == b"recdef\0\0"
    assert bound.recv_into(bytearray()) == 1
    with pytest.raises(serverlink.Again):
        bound.recv_into(buffer, flags=serverlink.DONTWAIT)


def test_wrong_arguments(pair: Pair) -> None:
    bound = pair[0]
    with pytest.raises(ValueError, match="max_messages"):
        bound.recv_many(0)
    for slot_bytes in (0, 9):
        with pytest.raises(ValueError, match="slot_bytes"):
            bound.recv_into_many(bytearray(8), slot_bytes)
    with pytest.raises(BufferError):
        bound.recv_into_many(b"constant", 8)
    with pytest.raises(ValueError, match="nbytes"):
        bound.recv_into(bytearray(1), 2)
    with pytest.raises(TypeError, match="unexpected"):
        bound.recv_many(most=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing"):
        bound.send_many()  # type: ignore[call-arg]
