"""A mixed fleet: a ServerLink server, clients of both libraries. They cannot tell each other."""

import threading
from types import ModuleType

import zmq

import serverlink


def ask(library: ModuleType, endpoint: str) -> str:
    """Ask by one of the two libraries, whose names are the same."""
    with library.Context() as context, context.socket(library.DEALER) as dealer:
        dealer.setsockopt(library.ROUTING_ID, library.__name__.encode())
        dealer.connect(endpoint)
        dealer.send_multipart([b"who", b"is there?"])
        answer: str = dealer.recv_string()
        return answer


def main() -> None:
    """Serve one client of each."""
    with serverlink.Context() as context, context.socket(serverlink.ROUTER) as router:
        endpoint = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
        answers: list[str] = []
        clients = [
            threading.Thread(target=lambda lib=library: answers.append(ask(lib, endpoint)))
            for library in (serverlink, zmq)
        ]
        for client in clients:
            client.start()
        for _ in clients:
            name, *question = router.recv_multipart()
            router.send_multipart([name, b"%d parts from " % len(question) + name])
        for client in clients:
            client.join()
    print("\n".join(sorted(answers)))


if __name__ == "__main__":
    main()
