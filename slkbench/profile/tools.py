"""The profiles that there are: what each needs, what it can run, how much work is usual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slkbench.model import Cell, ProfileRow
from slkbench.profile import allocations, cpu, instructions, operations, syscalls
from slkbench.profile.counting import Request
from slkbench.profile.workload import LOCKSTEP, THREADS

__all__ = ["TOOLS", "ProfileTool"]

_SIZE_OF_MOST_BYTES = 1024
_MESSAGES_MIN = 1000
_MESSAGES_STEP = 500  # whole turns of a lockstep


@dataclass(frozen=True, slots=True)
class ProfileTool:
    """A profile. ``programs`` must be installed; the first of ``workloads`` is the usual one.

    ``most_messages`` is what the shorter run sends where messages are small; ``about_s`` how many
    seconds the profile of one contender in one such cell takes, on a machine of 2020.
    """

    name: str
    programs: tuple[str, ...]
    workloads: tuple[str, ...]
    most_messages: int
    repetitions: int
    about_s: float
    profile: Callable[[Request], list[ProfileRow]]

    def usual_messages(self, cell: Cell) -> int:
        """The work of the shorter run: fewer messages where they are large."""
        larger = max(1, cell.size_bytes // _SIZE_OF_MOST_BYTES)
        wanted = max(_MESSAGES_MIN, self.most_messages // larger)
        return -(-wanted // _MESSAGES_STEP) * _MESSAGES_STEP


TOOLS = {
    each.name: each
    for each in (
        ProfileTool(
            operations.TOOL, (), (THREADS,), 1_000_000, 8, 40, operations.profile_operations
        ),
        ProfileTool(cpu.TOOL, ("perf",), (THREADS,), 500_000, 3, 30, cpu.profile_cpu),
        ProfileTool(
            instructions.TOOL,
            ("valgrind",),
            (LOCKSTEP,),
            10_000,
            3,
            30,
            instructions.profile_instructions,
        ),
        ProfileTool(
            syscalls.TOOL, ("strace",), (THREADS,), 150_000, 3, 40, syscalls.profile_syscalls
        ),
        ProfileTool(
            allocations.TOOL,
            (),
            (THREADS, LOCKSTEP),
            200_000,
            3,
            15,
            allocations.profile_allocations,
        ),
    )
}
"""By name."""
