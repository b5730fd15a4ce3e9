"""A profile's tables as Markdown, beside its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slkbench.model import ProfileRow
from slkbench.profile.tables import profile_tables
from slkbench.report.markdown import bullets, code, heading, plain, table
from slkbench.runner.profile_folder import profiles_in
from slkbench.store import write_whole

__all__ = ["CAVEATS", "failure_lines", "profile_section", "write_profile"]

CAVEATS = {
    "operations": "Medians over runs. Of the messages some, chosen by chance, have their calls "
    "timed; the timer's cost is subtracted. A total iteration is from one message to the next, "
    "with slkbench's own part. p99 and max are within a run. Instrumentation costs: time per "
    "message with timed calls against without, by the same machine code, paired in mirrored turns; "
    "that of every message is what a benchmark pays that times all its calls. By proportion: the "
    "cost of timing one in 16, which is large enough to be seen, divided by how much fewer some "
    "are: a timed message is as unforeseen there, and is taken to cost as much.",
    "cpu": "Times of threads are the kernel's, of runs without perf; what they do on a core is "
    "told by perf's samples of the CPU clock while messages are timed, in runs that take "
    "turns with these. Waiting for a core is being runnable without one; blocked is the "
    "rest of the time per message. Means of the repetitions. Loopback delivers within send,"
    " so the peer's part of the TCP stack is in the kernel send path.",
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


def write_profile(folder: Path, tool: str) -> Path:
    """Write ``profile-TOOL.md`` into ``folder``, of all rows that are there. Raises StoreError."""
    rows = profiles_in(folder)[tool]
    parts = [heading(1, f"Profile: {tool}"), *profile_section(tool, rows)]
    parts.insert(2, f"From {code(folder.name)}.")
    file = folder / f"profile-{tool}.md"
    write_whole(file, "\n\n".join(parts) + "\n")
    return file


def profile_section(tool: str, rows: Sequence[ProfileRow], level: int = 2) -> list[str]:
    """What to know, and the tables; ``level`` is that of their headings."""
    parts = [CAVEATS[tool]]
    for each in profile_tables(rows):
        head = [plain(name) for name in each.head]
        rows_shown = [[plain(cell) for cell in row] for row in each.rows]
        parts += [heading(level, plain(each.title)), table(head, rows_shown, left=each.left)]
    lines = failure_lines(rows)
    if lines:
        parts += [heading(level, "Not profiled"), bullets([plain(line) for line in lines])]
    return parts


def failure_lines(rows: Sequence[ProfileRow]) -> list[str]:
    """A line for each contender in each cell that has a reason instead of figures."""
    return [
        f"{row.contender}, {row.pattern} {row.transport} {row.size_bytes} B: {row.reason}"
        for row in rows
        if row.reason
    ]
