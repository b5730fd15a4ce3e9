"""Reads what ``perf script`` prints of samples of CPU time: thread, moment, stack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

__all__ = ["KERNEL", "CpuSample", "Frame", "read_perf_script"]

KERNEL = "kernel"

_HEAD = re.compile(r"\s*(\d+)\s+(\d+)\.(\d{9}):\s+(\d+)")
_FRAME = re.compile(r"\s+[0-9a-f]+ (.*) \((.*)\)$")
_NOT_OF_KERNEL = ("[unknown]", "[vdso]", "[heap]", "[stack]")


@dataclass(frozen=True, slots=True)
class Frame:
    """A function, and the file that it is in: its name without folders, or ``kernel``."""

    symbol: str
    place: str

    @property
    def title(self) -> str:
        """Both, as shown."""
        symbol = "(no symbol)" if self.symbol == "[unknown]" else self.symbol
        return f"{self.place}: {symbol}"


@dataclass(frozen=True, slots=True)
class CpuSample:
    """A thread was seen on a core; ``period_ns`` is the CPU time that the sample stands for.

    ``frames`` begin with the innermost.
    """

    thread_id: int
    at_ns: int
    period_ns: int
    frames: tuple[Frame, ...]


def read_perf_script(lines: Iterable[str]) -> Iterator[CpuSample]:
    """The samples of ``perf script -F tid,time,period,ip,sym,dso --ns``."""
    head: re.Match[str] | None = None
    frames: list[Frame] = []
    for line in lines:
        if (frame := _FRAME.match(line)) is not None:
            frames.append(Frame(frame[1], _place(frame[2])))
        elif (begun := _HEAD.match(line)) is not None:
            if head is not None:
                yield _sample(head, frames)
            head, frames = begun, []
    if head is not None:
        yield _sample(head, frames)


def _sample(head: re.Match[str], frames: list[Frame]) -> CpuSample:
    thread_id, seconds, nanoseconds, period_ns = map(int, head.groups())
    return CpuSample(thread_id, seconds * 10**9 + nanoseconds, period_ns, tuple(frames))


def _place(path: str) -> str:
    if path.startswith("[") and path not in _NOT_OF_KERNEL:
        return KERNEL  # or a module of it
    return PurePath(path.removesuffix(" (deleted)")).name
