"""Request and reply over ROUTER and DEALER: two clients, one server, replies in any order."""

import threading

import serverlink

REQUESTS = 5


def serve(context: serverlink.Context, endpoint: str, count: int) -> None:
    """Answer so many requests, the even ones first."""
    with context.socket(serverlink.ROUTER) as router:
        router.bind(endpoint)
        requests = [router.recv_multipart() for _ in range(count)]
        for client, number in sorted(requests, key=lambda request: int(request[1]) % 2):
            router.send_multipart([client, number, b"%d" % int(number) ** 2])


def ask(context: serverlink.Context, endpoint: str, name: bytes) -> dict[int, int]:
    """Ask for the squares of some numbers, all at once."""
    with context.socket(serverlink.DEALER) as dealer:
        dealer.routing_id = name
        dealer.connect(endpoint)
        for number in range(REQUESTS):
            dealer.send(b"%d" % number)
        replies = [dealer.recv_multipart() for _ in range(REQUESTS)]
        return {int(number): int(square) for number, square in replies}


def main() -> None:
    """Run the server and two clients."""
    with serverlink.Context() as context:
        endpoint = "inproc://squares"
        server = threading.Thread(target=serve, args=(context, endpoint, 2 * REQUESTS))
        server.start()
        replies: dict[bytes, dict[int, int]] = {}
        clients = [
            threading.Thread(target=lambda n=name: replies.update({n: ask(context, endpoint, n)}))
            for name in (b"ann", b"bob")
        ]
        for client in clients:
            client.start()
        for thread in (*clients, server):
            thread.join()
    for name, squares in sorted(replies.items()):
        print(name.decode(), sorted(squares.items()))


if __name__ == "__main__":
    main()
