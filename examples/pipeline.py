"""A pipeline: numbers are dealt to workers, and their squares are added up, by batches."""

import threading

import serverlink

NUMBERS, WORKERS = 10_000, 3
END = b""


def deal(context: serverlink.Context) -> None:
    """Deal the numbers to the workers, and an end to each."""
    with context.socket(serverlink.PUSH) as push:
        push.bind("inproc://tasks")
        push.send_many([b"%d" % number for number in range(NUMBERS)])
        push.send_many([END] * WORKERS)


def work(context: serverlink.Context) -> None:
    """Square numbers until the end comes."""
    with context.socket(serverlink.PULL) as tasks, context.socket(serverlink.PUSH) as results:
        tasks.connect("inproc://tasks")
        results.connect("inproc://results")
        ended = False
        while not ended:
            batch = tasks.recv_many()
            ended = END in batch
            results.send_many([b"%d" % int(number) ** 2 for number in batch if number != END])
        results.send(END)


def main() -> None:
    """Add the squares up."""
    with serverlink.Context() as context, context.socket(serverlink.PULL) as sink:
        sink.bind("inproc://results")
        threads = [threading.Thread(target=work, args=(context,)) for _ in range(WORKERS)]
        threads.append(threading.Thread(target=deal, args=(context,)))
        for thread in threads:
            thread.start()
        total = ended = 0
        while ended < WORKERS:
            for square in sink.recv_many():
                total, ended = total + int(square or 0), ended + (square == END)
        for thread in threads:
            thread.join()
    print("sum of squares:", total, "as it should be:", sum(n * n for n in range(NUMBERS)))


if __name__ == "__main__":
    main()
