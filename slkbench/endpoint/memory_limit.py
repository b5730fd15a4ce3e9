"""How much memory a measured process may have, so that none takes the machine down with it."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

__all__ = ["limit_memory"]

_FIRST_TO_GO = "1000"


def limit_memory(most_bytes: int) -> None:
    """Let the process have ``most_bytes`` of its own, 0 for no limit.

    Beyond it malloc fails.  Should the machine, or the control group, run out before that, the
    kernel ends this process rather than the runner.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    if most_bytes == 0:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
