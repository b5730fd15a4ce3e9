"""A pipeline: numbers are dealt to workers, and their squares are added up, by batches."""

import threading

import serverlink

NUMBERS, WORKERS = 10_000, 3


def deal(context: serverlink.Context) -> None:
    """Deal the numbers to the workers."""
    with context.socket(serverlink.PUSH) as push:
        push.bind("inproc://tasks")
        push.send_many([b"%d" % number for number in range(NUMBERS)])


def work(context: serverlink.Context) -> None:
    """Square numbers until the context ends."""
    with context.socket(serverlink.PULL) as tasks, context.socket(serverlink.PUSH) as results:
        tasks.connect("inproc://tasks")
        results.connect("inproc://results")
        try:
            while True:
                results.send_many([b"%d" % int(number) ** 2 for number in tasks.recv_many()])
        except serverlink.ContextTerminated:
            pass


def main() -> None:
    """Add the squares up."""
    context = serverlink.Context()
    threads = [threading.Thread(target=work, args=(context,)) for _ in range(WORKERS)]
    threads.append(threading.Thread(target=deal, args=(context,)))
    with context.socket(serverlink.PULL) as sink:
        sink.bind("inproc://results")
        for thread in threads:
            thread.start()
        squares: list[int] = []
        while len(squares) < NUMBERS:
            squares += map(int, sink.recv_many())
    context.term()  # wakes the workers, and waits until they have closed their sockets
    for thread in threads:
        thread.join()
    print("sum of squares:", sum(squares), "as it should be:", sum(n * n for n in range(NUMBERS)))


if __name__ == "__main__":
    main()
