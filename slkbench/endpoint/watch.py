"""The measured process lives under a watcher that ends what it leaves (``driver/watcher``)."""

from __future__ import annotations

import os

from slkbench.driver import _driver

__all__ = ["live_under_watch"]


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
