"""Stacks for other programs and for the eye: folded, speedscope, and flame graphs side by side.

Widths are ns of CPU time per message of all threads, so that contenders can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from slkbench.errors import StoreError
from slkbench.model import Cell
from slkbench.profile.workload import Workload

__all__ = ["draw_difference", "read_folded", "stacks_name", "write_differences", "write_stacks"]

Stacks = Mapping[tuple[str, ...], float]

_FOLDED_PER_NS = 1000  # folded stacks hold whole numbers: ns of 1000 messages
_WIDTH_PX = 1200
_ROW_PX = 16
_LEAST_PX = 0.4
_LETTER_PX = 6.3
_MARGIN_PX = 10


def stacks_name(cell: Cell, contender: str) -> str:
    """The name of a contender's files in a cell, without the ending."""
    parts = [cell.pattern, cell.transport, str(cell.size_bytes), cell.topology]
    usual = Cell(cell.pattern, cell.transport, cell.size_bytes)
    parts += [f"io{cell.io_threads}"] * (cell.io_threads != usual.io_threads)
    parts += [f"hwm{cell.sndhwm}"] * (cell.sndhwm != usual.sndhwm)
    return "-".join((*parts, contender))


def write_stacks(folder: Path, workload: Workload, stacks: Stacks) -> None:
    """Write ``NAME.folded`` and ``NAME.speedscope.json``. Raises StoreError."""
    name = stacks_name(workload.cell, workload.contender.name)
    lines = [
        f"{';'.join(each.replace(';', ',') for each in stack)} {round(ns * _FOLDED_PER_NS)}"
        for stack, ns in sorted(stacks.items())
        if round(ns * _FOLDED_PER_NS)
    ]
    _write(folder / f"{name}.folded", "\n".join(lines) + "\n")
    _write(folder / f"{name}.speedscope.json", json.dumps(_speedscope(name, stacks)) + "\n")


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}. Check permissions.") from None


def read_folded(file: Path) -> dict[tuple[str, ...], float]:
    """What ``write_stacks`` wrote: ns per message by stack."""
    stacks = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        stack, _, number = line.rpartition(" ")
        stacks[tuple(stack.split(";"))] = int(number) / _FOLDED_PER_NS
    return stacks


def _speedscope(name: str, stacks: Stacks) -> dict[str, object]:
    """The file format of speedscope.app, one profile for each role."""
    frames = {
        title: number for number, title in enumerate(dict.fromkeys(f for s in stacks for f in s))
    }
    profiles = []
    for role in dict.fromkeys(stack[0] for stack in stacks):
        own = {stack[1:]: ns for stack, ns in stacks.items() if stack[0] == role}
        profiles.append(
            {
                "type": "sampled",
                "name": f"{role}, per message",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": sum(own.values()),
                "samples": [[frames[frame] for frame in stack] for stack in own],
                "weights": list(own.values()),
            }
        )
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "shared": {"frames": [{"name": title} for title in frames]},
        "profiles": profiles,
    }


def write_differences(folder: Path, cell: Cell, names: Sequence[str]) -> list[Path]:
    """A flame graph of each contender against the first of ``names`` that has stacks."""
    files = {name: folder / f"{stacks_name(cell, name)}.folded" for name in names}
    there = [name for name in names if files[name].is_file()]
    written = []
    for name in there[1:]:
        first = there[0]
        stacks = {each: read_folded(files[each]) for each in (first, name)}
        path = folder / f"{stacks_name(cell, name)}-against-{first}.svg"
        _write(path, draw_difference(first, stacks[first], name, stacks[name]))
        written.append(path)
    return written


@dataclass(slots=True)
class _Node:
    """A function in its place in the stacks, with all that it calls."""

    name: str
    ns: float = 0.0
    inner: dict[str, _Node] = field(default_factory=dict)

    def add(self, stack: Sequence[str], ns: float) -> None:
        node = self
        node.ns += ns
        for name in stack:
            node = node.inner.setdefault(name, _Node(name))
            node.ns += ns

    @property
    def depth(self) -> int:
        return 1 + max((each.depth for each in self.inner.values()), default=0)


def draw_difference(first: str, first_stacks: Stacks, second: str, second_stacks: Stacks) -> str:
    """Both as flame graphs on one scale, one above the other, as an SVG that needs nothing else.

    Red is what this one spends more of than the other in the same place, blue what less.
    """
    trees = {}
    for name, stacks in ((first, first_stacks), (second, second_stacks)):
        tree = _Node("all threads")
        for stack, ns in stacks.items():
            tree.add(stack, ns)
        trees[name] = tree
    widest_ns = max((tree.ns for tree in trees.values()), default=0.0) or 1.0
    scale = (_WIDTH_PX - 2 * _MARGIN_PX) / widest_ns
    parts: list[str] = []
    top = _MARGIN_PX
    for name, other in ((first, second), (second, first)):
        tree = trees[name]
        title = f"{name}: {tree.ns:.0f} ns of CPU time per message (red: more than {other})"
        parts.append(
            f'<text x="{_MARGIN_PX}" y="{top + 12}" font-weight="bold">{escape(title)}</text>'
        )
        base = top + 20 + tree.depth * _ROW_PX
        parts += _boxes(tree, trees[other], _MARGIN_PX, base, scale, widest_ns)
        top = base + _ROW_PX + _MARGIN_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH_PX}" height="{top}" '
        f'font-family="monospace" font-size="10.5">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _boxes(
    node: _Node, other: _Node | None, x: float, y: float, scale: float, whole_ns: float
) -> Iterator[str]:
    width = node.ns * scale
    if width < _LEAST_PX:
        return
    other_ns = other.ns if other is not None else 0.0
    words = f"{node.name}: {node.ns:.1f} ns, other {other_ns:.1f} ns per message"
    letters = int(width / _LETTER_PX)
    label = node.name if len(node.name) <= letters else node.name[: max(0, letters - 1)] + "…"
    shown = f'<text x="{x + 2:.1f}" y="{y + 12:.0f}">{escape(label)}</text>' if letters > 3 else ""
    yield (
        f'<g><title>{escape(words)}</title><rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" '
        f'height="{_ROW_PX - 1}" fill="{_colour(node.ns - other_ns, whole_ns)}"/>{shown}</g>'
    )
    for inner in sorted(node.inner.values(), key=lambda each: each.name):
        twin = other.inner.get(inner.name) if other is not None else None
        yield from _boxes(inner, twin, x, y - _ROW_PX, scale, whole_ns)
        x += inner.ns * scale


def _colour(more_ns: float, whole_ns: float) -> str:
    """White is no difference; full colour a tenth of the larger whole or more."""
    strength = min(1.0, abs(more_ns) / (0.1 * whole_ns))
    faded = round(238 - 130 * strength)
    return f"rgb(238,{faded},{faded})" if more_ns > 0 else f"rgb({faded},{faded},238)"
