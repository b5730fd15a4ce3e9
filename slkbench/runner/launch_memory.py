"""How much memory a measured process may have."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["usual_memory_bytes"]

_SHARE = 2  # two processes, at most, and what is measured needs a small part of it
# Where a container sees the limit of its control group: version 2, version 1.
_GROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def usual_memory_bytes() -> int:
    """Half of the machine's memory, or of the control group's where that has less."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in _GROUP_LIMITS:
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):  # not there, or max
            continue
    return min(limits) // _SHARE
