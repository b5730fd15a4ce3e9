"""What else the machine did while a sample ran: time stolen by the host, CPU used by strangers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Load", "LoadMeter"]

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# The kernel counts in ticks, and gives a whole one to whoever runs as it falls: of two ticks in a
# window nobody knows whether they were used.  In a short sample they would pass for a disturbance.
_RESOLUTION_TICKS = 2
_KERNEL_THREADS = 2  # the parent of all kernel threads; what these do is done for somebody


@dataclass(frozen=True, slots=True)
class Load:
    """``steal_fraction`` of all CPUs' time in use; ``foreign_cpu_fraction`` of one CPU.

    Both count what exceeds the resolution of the kernel's clock.  None where the system does not
    say.
    """

    steal_fraction: float | None
    foreign_cpu_fraction: float | None


class LoadMeter:
    """Notes the machine's counters on creation; ``read`` compares.

    Foreign time is the sum over all other processes of their own time and that of their children
    that have ended.  The per-CPU counters of the kernel would include short-lived processes of
    other containers as well, but they are sampled at the timer tick: too coarse for half a second.
    """

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._stolen, self._used = _cpu_ticks()
        self._foreign = _foreign_ticks()

    def read(self) -> Load:
        """The load since creation."""
        elapsed_s = time.monotonic() - self._began_s
        stolen, used = _cpu_ticks()
        stolen = max(0, stolen - self._stolen - _RESOLUTION_TICKS)
        used -= self._used
        foreign = max(0, _foreign_ticks() - self._foreign - _RESOLUTION_TICKS)
        return Load(
            steal_fraction=stolen / (stolen + used) if stolen + used > 0 else None,
            foreign_cpu_fraction=foreign / _TICKS_PER_S / elapsed_s if elapsed_s > 0 else None,
        )


def _cpu_ticks() -> tuple[int, int]:
    """Ticks stolen and ticks used, of all CPUs, since boot; (0, 0) if the kernel does not say."""
    try:
        fields = (_PROC / "stat").read_text().split("\n", 1)[0].split()
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
    except (OSError, ValueError):
        return 0, 0
    return steal, user + nice + system + irq + softirq


def _foreign_ticks() -> int:
    """Ticks of CPU time of all processes but this one, its children and kernel threads."""
    own = os.getpid()
    total = 0
    for entry in os.scandir(_PROC):
        if not entry.name.isdecimal() or int(entry.name) == own:
            continue
        try:
            with Path(f"/proc/{entry.name}/stat").open("rb") as stat:
                # The name of the program is in parentheses and may hold anything.
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[1]) not in (own, _KERNEL_THREADS):
            total += sum(map(int, fields[11:15]))
    return total
