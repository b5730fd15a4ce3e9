"""The measured process lives under a watcher that ends what it leaves (``driver/watcher``).

``python -m slkbench.endpoint.watch PARENT COMMAND...`` puts any command there, for as long as the
process ``PARENT``, which has started this one, lives.
"""

from __future__ import annotations

import os
import sys

from slkbench.driver import _driver

__all__ = ["live_under_watch"]

EXIT_NOT_STARTED = 127


def live_under_watch(parent: int) -> None:
    """Become the child of a watcher, which is what this process was, the child of ``parent``.

    To be called before a foreign library is loaded, and while there is one thread.
    """
    watcher = os.getpid()
    _driver.prepare_to_watch(parent)
    child = os.fork()
    if child:
        _driver.watch(child)
    _driver.be_watched(watcher)


def _run(parent: str, *command: str) -> None:
    live_under_watch(int(parent))
    try:
        os.execvp(command[0], command)  # noqa: S606 - it is to be this very process
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(EXIT_NOT_STARTED)


if __name__ == "__main__":
    _run(*sys.argv[1:])
