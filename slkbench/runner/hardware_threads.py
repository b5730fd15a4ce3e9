"""Whether threads of a contender may run beside a measured thread on its core.

A core may have two hardware threads, which are two CPUs.  Where both are ours, a slow core tells
of the contender's own threads as much as of strangers.  The CPUs of a virtual machine mostly seem
to be cores of their own: then only strangers are known to be beside them.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from slkbench.model import Placement

__all__ = ["may_share_a_core"]


def may_share_a_core(
    placement: Placement, root: Path = Path("/"), usable: Collection[int] | None = None
) -> bool:
    """Whether a CPU of a role shares its core with another CPU that threads of ours may use.

    ``usable`` are those that this process may use if None.  ``root``/sys tells which CPUs share a
    core; where it does not, none do.
    """
    may_use = os.sched_getaffinity(0) if usable is None else set(usable)
    measured = {
        cpu
        for chosen in (placement.sender_cpus, placement.receiver_cpus)
        for cpu in chosen or may_use
    }
    ours = may_use | measured
    return any((_siblings(cpu, root) - {cpu}) & ours for cpu in measured)


def _siblings(cpu: int, root: Path) -> set[int]:
    """CPUs of the same core, of a list such as ``0,4`` or ``0-1``."""
    file = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    found: set[int] = set()
    try:
        for part in file.read_text(encoding="ascii").strip().split(","):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    except (OSError, ValueError):
        return set()
    return found
