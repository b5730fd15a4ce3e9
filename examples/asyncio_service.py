"""A service to await: a ROUTER handles each request in a task of its own; clients have a limit."""

import asyncio

import serverlink
from serverlink.asyncio import Context, Socket


async def handle(router: Socket, client: bytes, request: bytes) -> None:
    """Answer one request, after as many hundredths of a second as it says."""
    await asyncio.sleep(int(request) / 100)
    await router.send_multipart([client, request])


async def serve(router: Socket) -> None:
    """Take requests until cancelled; a slow one holds up no other."""
    async with asyncio.TaskGroup() as tasks:
        while True:
            client, request = await router.recv_multipart()
            tasks.create_task(handle(router, client, request))


async def ask(context: Context, endpoint: str, request: int) -> str:
    """Ask, and wait for the answer for at most two seconds."""
    with context.socket(serverlink.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(endpoint)
        await dealer.send(b"%d" % request)
        try:
            answer = await asyncio.wait_for(dealer.recv(), 2)
        except TimeoutError:
            return f"{request}: no answer in time"
        return f"{request}: answered {int(answer)}"


async def main() -> None:
    """Run the service and four clients at once."""
    with Context() as context, context.socket(serverlink.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        serving = asyncio.create_task(serve(router))
        questions = (ask(context, f"tcp://127.0.0.1:{port}", n) for n in (1, 2, 3, 500))
        for line in await asyncio.gather(*questions):
            print(line)
        serving.cancel()


if __name__ == "__main__":
    asyncio.run(main())
