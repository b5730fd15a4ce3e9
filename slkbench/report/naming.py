"""How a report calls things: contenders, patterns, settings, cells, missing values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slkbench.model import Cell, Layer, Status, Topology
from slkbench.units import format_percent, format_rate, format_size

__all__ = [
    "NOT_AVAILABLE",
    "cell_title",
    "change",
    "contender_title",
    "count",
    "file_name",
    "interval_text",
    "or_na",
    "pattern_title",
    "reference_size",
    "setting_title",
    "status_title",
    "telling_columns",
    "times",
    "transport_title",
]

NOT_AVAILABLE = "n/a"
_PROPER_NAMES = {"serverlink": "ServerLink"}


def contender_title(name: str) -> str:
    """The name in prose and tables; a contender that the user named keeps that name."""
    return _PROPER_NAMES.get(name, name)


def pattern_title(pattern: str) -> str:
    """``ROUTER-ROUTER`` or ``PUSH-PULL``."""
    return pattern.upper()


def transport_title(transport: str) -> str:
    """``TCP``, ``IPC`` or ``inproc``, as in the reference report."""
    return transport if transport == "inproc" else transport.upper()


def reference_size(size_bytes: int) -> str:
    """``1024 bytes``, as in the reference report's tables."""
    return f"{size_bytes} bytes"


def cell_title(cell: Cell) -> str:
    """``ROUTER-ROUTER tcp 1 KiB``: what tells a cell from others of its setting."""
    return f"{pattern_title(cell.pattern)} {cell.transport} {format_size(cell.size_bytes)}"


def setting_title(cell: Cell) -> str:
    """The conditions that the cells of one table share, in words."""
    layer = "C API" if cell.layer is Layer.NATIVE else "Python binding"
    where = "two threads of one process" if cell.topology is Topology.THREADS else "two processes"
    threads = "1 I/O thread" if cell.io_threads == 1 else f"{cell.io_threads} I/O threads"
    return f"{layer}, {where}, {threads}, high water mark {_marks(cell)}{_peers(cell)}"


def telling_columns(cells: Sequence[Cell]) -> tuple[tuple[str, Callable[[Cell], str]], ...]:
    """Columns for what tells ``cells`` apart beside pattern, transport, size and metric.

    A header, and what stands below it for a cell: of those conditions alone in which they differ.
    """
    return tuple(
        (title, value) for title, value in _CONDITIONS if len({value(cell) for cell in cells}) > 1
    )


def status_title(status: str) -> str:
    """``FAILED``, ``INVALID`` or, for what a contender does not have, ``n/a``."""
    return NOT_AVAILABLE if status == Status.SKIPPED else str(status)


def count(value: float | None) -> str:
    """A whole number with its thousands grouped, or ``n/a``."""
    return NOT_AVAILABLE if value is None else f"{round(value):,}"


def or_na(value: float | None, form: Callable[[float], str]) -> str:
    """``form(value)``, or ``n/a``: a missing value is never 0."""
    return NOT_AVAILABLE if value is None else form(value)


def interval_text(low: float | None, high: float | None, form: Callable[[float], str]) -> str:
    """``[low, high]``, or ``n/a`` where there are too few blocks for an interval."""
    if low is None or high is None:
        return NOT_AVAILABLE
    return f"[{form(low)}, {form(high)}]"


def change(ratio: float) -> str:
    """A ratio as a signed percentage: 0.25 is ``-75.0%``."""
    return format_percent(ratio - 1, signed=True)


def times(ratio: float) -> str:
    """A ratio with three significant digits: ``0.152x``, ``1.24x``, ``13.1x``."""
    return f"{ratio:.3f}x" if ratio < 1 else f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.1f}x"


def file_name(path: str) -> str:
    """The last part of ``path``: a report names files, not places on somebody's machine."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _marks(cell: Cell) -> str:
    return " / ".join(dict.fromkeys((_mark(cell.sndhwm), _mark(cell.rcvhwm))))


def _rate(cell: Cell) -> str:
    return format_rate(cell.offered_msgs_per_s) if cell.offered_msgs_per_s else NOT_AVAILABLE


def _peers(cell: Cell) -> str:
    """How many take part, and at which rate, where that is not one each and as fast as they can."""
    parts = [
        f"{number} {what}"
        for number, what, usual in (
            (cell.senders, "senders", 1),
            (cell.receivers, "receivers", 1),
            (cell.idle_peers, "idle peers", 0),
        )
        if number != usual
    ]
    if cell.offered_msgs_per_s > 0:
        parts.append(f"paced at {format_rate(cell.offered_msgs_per_s)}")
    return "".join(f", {part}" for part in parts)


def _mark(high_water_mark: int) -> str:
    return "unlimited (0)" if high_water_mark == 0 else str(high_water_mark)


_CONDITIONS: tuple[tuple[str, Callable[[Cell], str]], ...] = (
    ("Layer", lambda cell: str(cell.layer)),
    ("Topology", lambda cell: str(cell.topology)),
    ("I/O Threads", lambda cell: str(cell.io_threads)),
    ("HWM", _marks),
    ("Senders", lambda cell: str(cell.senders)),
    ("Receivers", lambda cell: str(cell.receivers)),
    ("Idle Peers", lambda cell: str(cell.idle_peers)),
    ("Rate", _rate),
)
