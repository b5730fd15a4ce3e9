"""A profile's tables as Markdown, beside its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slkbench.model import ProfileRow
from slkbench.profile.tables import profile_tables
from slkbench.report.markdown import bullets, code, heading, plain, table
from slkbench.store import write_whole

__all__ = ["CAVEATS", "failure_lines", "write_profile"]

CAVEATS = {
    "instructions": "User space only. One thread sends some messages, waits until the I/O threads "
    "are idle, and receives them; valgrind runs one thread at a time. Medians of the repetitions; "
    "spread is (largest - smallest) / median. Functions without a symbol are named by their place "
    "in the file, and what is inlined is no call.",
    "allocations": "What is asked of malloc and its like; memory that is mapped directly is not in "
    "it. Medians of the repetitions, once warm.",
    "syscalls": "strace stops a thread at each call, which slows the run and makes threads wait at "
    "other moments: counts under it may differ from those of an undisturbed run. untraced-calls "
    "are counted by perf in the kernel; switches and rate are of a run without a tool.",
}
"""What to know of the figures, by tool."""


def write_profile(folder: Path, tool: str, rows: Sequence[ProfileRow]) -> Path:
    """Write ``profile-TOOL.md`` into ``folder``. Raises StoreError where that cannot be."""
    parts = [heading(1, f"Profile: {tool}"), CAVEATS[tool], f"From {code(folder.name)}."]
    for each in profile_tables(rows):
        rows_shown = [[plain(cell) for cell in row] for row in each.rows]
        parts += [
            heading(2, plain(each.title)),
            table([plain(name) for name in each.head], rows_shown, left=each.left),
        ]
    lines = failure_lines(rows)
    if lines:
        parts += [heading(2, "Not profiled"), bullets([plain(line) for line in lines])]
    file = folder / f"profile-{tool}.md"
    write_whole(file, "\n\n".join(parts) + "\n")
    return file


def failure_lines(rows: Sequence[ProfileRow]) -> list[str]:
    """A line for each contender in each cell that has a reason instead of figures."""
    return [
        f"{row.contender}, {row.pattern} {row.transport} {row.size_bytes} B: {row.reason}"
        for row in rows
        if row.reason
    ]
