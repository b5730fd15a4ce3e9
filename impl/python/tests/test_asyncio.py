"""Sockets to await, on asyncio's loop and on uvloop where it is installed."""

import asyncio
import importlib.util
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import serverlink
import serverlink.asyncio
from serverlink import Again, ServerLinkError
from serverlink.asyncio import Context, Poller, Socket

LIMIT_S = 60
LOOPS = ["asyncio"] + (["uvloop"] if importlib.util.find_spec("uvloop") else [])
Run = Callable[[Callable[[Socket, Socket], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    if request.param == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


@pytest.fixture(params=["inproc://pair", "tcp://127.0.0.1:*"])
def run(request: pytest.FixtureRequest, loop: Callable[[], asyncio.AbstractEventLoop]) -> Run:
    """Run a test with two connected PAIR sockets, of little room over inproc."""

    async def connected(test: Callable[[Socket, Socket], Coroutine[Any, Any, None]]) -> None:
        with Context() as context:
            one, other = context.socket(serverlink.PAIR), context.socket(serverlink.PAIR)
            with one, other:
                one.hwm = other.hwm = 50
                one.linger = other.linger = 0
                one.bind(request.param)
                other.connect(one.last_endpoint)
                await asyncio.wait_for(test(one, other), LIMIT_S)

    def run_on_loop(test: Callable[[Socket, Socket], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(connected(test))

    return run_on_loop


def test_messages_pass(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        waiting = asyncio.create_task(one.recv())
        await asyncio.sleep(0)
        await other.send(b"a")
        assert await waiting == b"a"
        await one.send_multipart([b"b", b"c"])
        assert await other.recv_multipart() == [b"b", b"c"]
        await one.send_string("text")
        assert await other.recv_string() == "text"
        await one.send_json([1])
        assert await other.recv_json() == [1]
        await one.send_pyobj({1})
        assert await other.recv_pyobj() == {1}
        await one.send(b"frame")
        assert (await other.recv(copy=False)).bytes == b"frame"
        into = bytearray(4)
        await one.send(b"into")
        assert await other.recv_into(into) == 4
        assert into == b"into"
        awaited = asyncio.create_task(other.recv_into_many(into, 2))
        await asyncio.sleep(0)
        await one.send(b"ma")
        assert await awaited == [2]
        assert into == b"mato"
        with pytest.raises(ValueError, match="slot_bytes"):
            await other.recv_into_many(into, 5)

    run(test)


def test_a_send_that_is_not_awaited_is_sent(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        _ = one.send(b"first")
        one.send_json([1])
        sending = asyncio.create_task(one.send_multipart([b"x", b"y"]))
        assert await other.recv() == b"first"
        assert await other.recv_json() == [1]
        assert await other.recv_multipart() == [b"x", b"y"]
        tracker = await one.send(b"last", track=True)
        assert tracker is not None
        assert tracker.done
        await sending

    run(test)


def test_sends_that_are_not_awaited_keep_their_order(run: Run) -> None:
    """Also those that have to wait for room, or leave other tasks their turn."""

    async def test(one: Socket, other: Socket) -> None:
        sent = [b"%d" % number for number in range(300)]
        sending = [one.send(each) for each in sent[:200]]
        sending += [one.send_multipart([each]) for each in sent[200:]]
        assert [await other.recv() for _ in sent] == sent
        for each in sending:
            await each

    run(test)


def test_a_queued_send_may_be_cancelled_before_it_begins(run: Run) -> None:
    """Those behind it do not wait for it."""

    async def test(one: Socket, other: Socket) -> None:
        for _ in range(300):  # more than there is room for, and the turn of other tasks
            asyncio.ensure_future(one.send(b"cancelled")).cancel()
        last = asyncio.create_task(one.send_multipart([b"last"]))
        while (got := await other.recv()) != b"last":
            assert got == b"cancelled"  # it went before the call returned
        await last

    run(test)


def test_other_calls_do_not_silence_a_call_that_waits(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        await one.send(b"there")
        assert await other.recv() == b"there"
        waiting = asyncio.create_task(one.recv())
        await asyncio.sleep(0.01)
        assert one.sndhwm == 50
        await one.send(b"request")
        assert await other.recv() == b"request"
        await one.send(b"request")
        await other.send(b"reply")
        assert await waiting == b"reply"

    run(test)


def test_a_sender_waits_for_room(run: Run) -> None:
    total = 5000

    async def test(one: Socket, other: Socket) -> None:
        async def send() -> None:
            for number in range(total):
                await one.send(b"%d" % number + bytes(1000))

        sending = asyncio.create_task(send())
        for number in range(total):
            assert (await other.recv())[: len(str(number))] == b"%d" % number
        await sending

    run(test)


def test_a_cancelled_receive_takes_nothing(run: Run) -> None:
    total = 300

    async def test(one: Socket, other: Socket) -> None:
        received: list[int] = []
        sending = asyncio.create_task(one.send_many([b"%d" % number for number in range(total)]))
        cancelled = 0
        while len(received) < total:
            task = asyncio.create_task(other.recv())
            for _ in range(len(received) % 3):
                await asyncio.sleep(0)
            task.cancel()
            try:
                received.append(int(await task))
            except asyncio.CancelledError:
                cancelled += 1
                if cancelled % 2:
                    received.append(int(await other.recv()))
        assert received == list(range(total))
        assert cancelled > 0
        assert await sending == total

    run(test)


def test_receivers_are_served_in_turn(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        waiting = [asyncio.create_task(one.recv()) for _ in range(10)]
        await asyncio.sleep(0.01)
        waiting.pop(3).cancel()
        waiting.pop(0).cancel()
        assert await other.send_many([b"%d" % number for number in range(8)]) == 8
        assert await asyncio.gather(*waiting) == [b"%d" % number for number in range(8)]

    run(test)


@pytest.mark.parametrize("are_there", [True, False])
def test_receives_are_served_in_the_order_of_their_calls(run: Run, are_there: bool) -> None:
    """Also those that leave other tasks their turn."""
    total = 40
    sent = [b"%d" % number for number in range(total)]

    async def test(one: Socket, other: Socket) -> None:
        for _ in range(16):
            if are_there:
                await other.send_many(sent)
                assert await one.poll() == serverlink.POLLIN
            receiving = [asyncio.ensure_future(one.recv()) for _ in sent]
            await asyncio.sleep(0)
            await other.send_many([] if are_there else sent)
            assert await asyncio.gather(*receiving) == sent

    run(test)


def test_time_is_kept(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        one.rcvtimeo = 20
        with pytest.raises(Again):
            await one.recv()
        with pytest.raises(Again):
            await other.recv(serverlink.NOBLOCK)
        assert await one.poll(20) == 0
        assert await one.recv_many(timeout=1) == []
        assert await one.recv_into_many(bytearray(8), 8, timeout=1) == []
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.recv(), 0.02)
        await other.send(b"x")
        assert await one.poll(None) == serverlink.POLLIN
        assert await one.recv_many() == [b"x"]

    run(test)


def test_closing_ends_what_waits(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        waiting = [asyncio.create_task(one.recv()) for _ in range(3)]
        await asyncio.sleep(0.01)
        one.close()
        for task in waiting:
            with pytest.raises(ServerLinkError) as caught:
                await task
            assert caught.value.errno == serverlink.ENOTSOCK

    run(test)


async def ends_without_socket(*waiting: asyncio.Task[Any]) -> None:
    for task in waiting:
        with pytest.raises(ServerLinkError) as caught:
            await asyncio.wait_for(task, LIMIT_S)
        assert caught.value.errno in (serverlink.ENOTSOCK, serverlink.ETERM)


def begin_to_wait(socket: Socket, full: Socket) -> list[asyncio.Task[Any]]:
    return [
        asyncio.ensure_future(waiting)
        for waiting in (socket.recv(), socket.poll(None), socket.recv_many(), full.send(b"x"))
    ]


@pytest.mark.parametrize("thread", ["this", "another"])
def test_destroying_the_context_ends_what_waits(
    loop: Callable[[], asyncio.AbstractEventLoop], thread: str
) -> None:
    async def test() -> None:
        context = Context()
        waiting = begin_to_wait(context.socket(serverlink.PULL), context.socket(serverlink.PUSH))
        await asyncio.sleep(0)
        if thread == "this":
            context.destroy(linger=0)
        else:
            await asyncio.wait_for(asyncio.to_thread(context.destroy, 0), LIMIT_S)
        await ends_without_socket(*waiting)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test())


def test_closing_from_another_thread_ends_what_waits(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        waiting = [asyncio.create_task(one.recv()), asyncio.create_task(one.poll(None))]
        await asyncio.sleep(0)
        await asyncio.to_thread(one.close)
        await ends_without_socket(*waiting)

    run(test)


def test_a_socket_hears_where_a_destroyed_one_has_waited(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """It gets the number of the other's descriptor, which the loop must have let go of."""

    async def test() -> None:
        numbers = set()
        for _ in range(4):
            with Context() as context:
                pull, push = context.socket(serverlink.PULL), context.socket(serverlink.PUSH)
                numbers.add(pull.fd)
                pull.bind("inproc://number")
                push.connect("inproc://number")
                waiting = [asyncio.ensure_future(pull.recv()), asyncio.ensure_future(pull.recv())]
                await asyncio.sleep(0)
                await push.send(b"x")
                assert await asyncio.wait_for(waiting[0], LIMIT_S) == b"x"
            await ends_without_socket(waiting[1])
        assert len(numbers) < 4

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test())


def test_a_socket_that_waited_is_collected(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test() -> None:
        with Context() as context:
            kept = [context.socket(serverlink.PULL)]
            assert await kept[0].poll(0) == 0
            gone = weakref.ref(kept[0])
            with pytest.warns(ResourceWarning, match="unclosed"):
                kept.clear()
            assert gone() is None

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test())


def test_other_tasks_run_while_messages_flow(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        for _ in range(2000):
            await one.send(b"x")
            await other.recv()
        assert turns > 10
        counting.cancel()

    run(test)


def test_poller(run: Run) -> None:
    async def test(one: Socket, other: Socket) -> None:
        poller = Poller()
        poller.register(one, serverlink.POLLIN)
        assert await poller.poll(10) == []
        waiting = asyncio.create_task(poller.poll())
        await asyncio.sleep(0)
        await other.send(b"x")
        assert await waiting == [(one, serverlink.POLLIN)]
        with serverlink.Context() as context, context.socket(serverlink.PULL) as plain:
            poller.register(plain, serverlink.POLLIN)
            with pytest.raises(TypeError):
                await poller.poll(0)

    run(test)


def test_contexts_can_be_shared(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test() -> None:
        with serverlink.Context() as plain:
            context = Context(plain)
            with plain.socket(serverlink.PUSH) as push, context.socket(serverlink.PULL) as pull:
                pull.bind("inproc://shared")
                push.connect("inproc://shared")
                push.send(b"x")
                assert await pull.recv() == b"x"

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test())
