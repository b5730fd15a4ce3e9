"""How far the CPUs of the two application threads are apart, at this moment.

A virtual machine's host may move its CPUs: a cache line then takes four times as long from one to
the other, for seconds, and whoever hands messages over takes up to three times as long as well.
That is no property of a contender, and seen without measuring one.
"""

from __future__ import annotations

import os

from slkbench.model import Placement

__all__ = ["cpu_distance_ns"]


def cpu_distance_ns(placement: Placement) -> float | None:
    """The time in which a cache line goes from the sender's CPU to the receiver's and back.

    Where the kernel places the threads, it is that of the first two CPUs that may be used.  None
    where there is one CPU only, or where they are too busy to tell.
    """
    from slkbench.driver._driver import line_trip_ns

    usable = sorted(os.sched_getaffinity(0))
    senders, receivers = placement.sender_cpus or usable, placement.receiver_cpus or usable
    others = [cpu for cpu in receivers if cpu != senders[0]]
    return line_trip_ns(senders[0], others[0]) if others else None
