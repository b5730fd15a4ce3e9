"""Batches whose objects come again: what somebody keeps stays as it was, whatever follows."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import serverlink
from serverlink import Socket

Pair = tuple[Socket, Socket]
Message = bytes | tuple[bytes, ...]

PART = st.one_of(st.binary(max_size=3), st.binary(min_size=60, max_size=64), st.just(b"peer"))
MESSAGE = st.one_of(PART, st.lists(PART, min_size=2, max_size=4).map(tuple))
KEEP = st.sampled_from(["nothing", "list", "messages", "parts", "views", "every second"])
BATCHES = st.lists(st.tuples(st.lists(MESSAGE, min_size=1, max_size=12), KEEP), max_size=8)


def test_a_message_that_is_kept_does_not_change(pair: Pair) -> None:
    receiver, sender = pair
    kept: list[Any] = []
    for number in range(20):
        sender.send_many([(b"peer", b"%060d" % (100 * number + each)) for each in range(10)])
        batch = receiver.recv_many(10)
        kept += [batch[0], batch[3][1]]
        del batch
    expected: list[Any] = []
    for number in range(20):
        expected += [(b"peer", b"%060d" % (100 * number)), b"%060d" % (100 * number + 3)]
    assert kept == expected


def test_what_a_message_was_hashed_to_is_forgotten_with_it(pair: Pair) -> None:
    receiver, sender = pair
    for number in range(5):
        contents: list[Message] = [b"%060d" % number, (b"peer", b"%060d" % -number)]
        sender.send_many(contents)
        batch = receiver.recv_many()
        assert dict.fromkeys(batch, number) == dict.fromkeys(contents, number)
        del batch


def test_a_list_may_be_changed_by_who_has_it(pair: Pair) -> None:
    receiver, sender = pair
    for _ in range(4):
        sender.send_many([b"one", (b"two", b"three"), b"four"])
        batch: list[Any] = receiver.recv_many()
        assert batch == [b"one", (b"two", b"three"), b"four"]
        batch[0] = [batch]
        batch[1] = None
        batch.append(7)
        batch.reverse()
        batch[0] = None  # no cycle
        batch[-1] = None
        del batch


def test_a_large_batch_is_not_kept(pair: Pair) -> None:
    receiver, sender = pair
    sender.send_many([b"x" * 1_000_000])
    (message,) = receiver.recv_many()
    nobody_elses = bytes(bytearray(1_000_000))
    assert sys.getrefcount(message) == sys.getrefcount(nobody_elses)
    assert message == b"x" * 1_000_000


@pytest.fixture(scope="module")
def stream() -> Any:
    with serverlink.Context() as context:
        receiver, sender = context.socket(serverlink.PULL), context.socket(serverlink.PUSH)
        receiver.bind("inproc://reuse")
        sender.connect("inproc://reuse")
        yield receiver, sender
        receiver.close(0)
        sender.close(0)


def keep(batch: list[Any], how: str) -> list[Any]:
    """Something of a batch, by which what it was can be told."""
    choices: dict[str, Callable[[], list[Any]]] = {
        "nothing": list,
        "list": lambda: [batch],
        "messages": lambda: list(batch),
        "parts": lambda: [each[-1] if isinstance(each, tuple) else each for each in batch],
        "views": lambda: [
            memoryview(each[0] if isinstance(each, tuple) else each) for each in batch
        ],
        "every second": lambda: batch[::2],
    }
    return choices[how]()


@settings(deadline=None)
@given(batches=BATCHES)
def test_whatever_is_kept_stays(stream: Pair, batches: list[tuple[list[Message], str]]) -> None:
    receiver, sender = stream
    kept: list[tuple[list[Any], list[Any]]] = []
    for messages, how in batches:
        assert sender.send_many(messages) == len(messages)
        received: list[Any] = []
        while len(received) < len(messages):
            batch = receiver.recv_many(len(messages) - len(received))
            part = messages[len(received) : len(received) + len(batch)]
            assert batch == part
            kept.append((keep(batch, how), keep(list(part), how)))
            received += part
            del batch
    for ours, expected in kept:
        assert ours == expected
