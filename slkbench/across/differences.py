"""In what two stored runs differ besides their times: machine, workload, libraries, options.

A difference of machine or workload is a barrier: what changed between the runs may then be it.
Load and steal are the machine's day, not the machine, and are left to the runs' own findings.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slkbench.machine import stored_fingerprint
from slkbench.model import Cell, Layer, Sample, Status
from slkbench.store import StoredRun

__all__ = ["Difference", "build_of", "common_cells", "find_differences"]

_MACHINE_FACTS = (
    "usable_cpus",
    "memory_bytes",
    "python",
    "governor",
    "turbo",
    "aslr",
    "transparent_huge_pages",
    "congestion_control",
)
_LIBRARY_FACTS = ("version", "sha256", "build_flags")
_PER_SOCKET = "LAST_ENDPOINT"
_UNKNOWN = "unknown"
_HASH_LETTERS = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """``kind`` is machine, workload, library or option; a barrier wants ``--force``."""

    kind: str
    what: str
    first: str
    second: str
    is_barrier: bool = False

    @property
    def text(self) -> str:
        """``machine: governor was performance, is powersave``."""
        return f"{self.kind}: {self.what} was {self.first}, is {self.second}"


def find_differences(first: StoredRun, second: StoredRun) -> tuple[Difference, ...]:
    """All that differs between the conditions of two runs, barriers first."""
    found = [
        *_machine(first, second),
        *_workload(first, second),
        *_libraries(first, second),
        *_options(first.samples, second.samples),
    ]
    return tuple(sorted(found, key=lambda one: not one.is_barrier))


def common_cells(first: StoredRun, second: StoredRun) -> tuple[Cell, ...]:
    """The cells that both runs have, in the order of the second."""
    keys = {cell.key for cell in first.scenario.cells}
    return tuple(cell for cell in second.scenario.cells if cell.key in keys)


def build_of(run: StoredRun, contender: str, layer: Layer) -> str | None:
    """What tells a contender's build from another: its hash; None where the run does not say.

    What is no file, the driver's floor, is told by the version of slkbench.
    """
    for each in run.metadata.get("libraries", ()):
        if each["name"] == contender and each["layer"] == layer:
            return str(each["sha256"] or f"slkbench {run.metadata.get('slkbench')}")
    return None


def _machine(first: StoredRun, second: StoredRun) -> Iterator[Difference]:
    old, new = (dict(run.metadata.get("machine", {})) for run in (first, second))
    was, now = stored_fingerprint(old), stored_fingerprint(new)
    if was != now or was is None:
        yield Difference("machine", "it", was or _UNKNOWN, now or _UNKNOWN, is_barrier=True)
    for fact in _MACHINE_FACTS:
        if old.get(fact) != new.get(fact):
            yield Difference("machine", fact, _shown(old.get(fact)), _shown(new.get(fact)))


def _workload(first: StoredRun, second: StoredRun) -> Iterator[Difference]:
    old_cells, new_cells = (
        {cell.key: cell for cell in run.scenario.cells} for run in (first, second)
    )
    for name, only, there in (
        ("the first run", old_cells.keys() - new_cells.keys(), old_cells),
        ("the second run", new_cells.keys() - old_cells.keys(), new_cells),
    ):
        if only:
            titles = [cell.title for key, cell in there.items() if key in only]
            yield Difference("workload", f"only in {name}", _listed(titles), "left out")
    unlike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in new_cells.keys() & old_cells.keys():
        work = _work(first, old_cells[key]), _work(second, new_cells[key])
        if work[0] != work[1]:
            unlike[work].append(old_cells[key].title)
    for (old, new), titles in sorted(unlike.items()):
        yield Difference("workload", _listed(sorted(titles)), old, new, is_barrier=True)
    for what, field in (("placement", "placement"), ("slkbench", "slkbench")):
        was, now = first.metadata.get(field), second.metadata.get(field)
        if was != now:
            yield Difference("workload", what, _shown(was), _shown(now), is_barrier=True)


def _listed(titles: Sequence[str]) -> str:
    return ", ".join(titles[:2]) + f" and {len(titles) - 2} more" * (len(titles) > 2)


def _work(run: StoredRun, cell: Cell) -> str:
    if cell.messages is not None:
        return f"{cell.messages} messages"
    return f"calibrated to {run.scenario.min_time_s:g} s"


def _libraries(first: StoredRun, second: StoredRun) -> Iterator[Difference]:
    old, new = (
        {(each["name"], each["layer"]): each for each in run.metadata.get("libraries", ())}
        for run in (first, second)
    )
    for key in sorted(old.keys() & new.keys()):
        for fact in _LIBRARY_FACTS:
            was, now = old[key].get(fact), new[key].get(fact)
            if was != now:
                short = _HASH_LETTERS if fact == "sha256" else None
                what = f"{key[0]} ({key[1]}) {fact}"
                yield Difference("library", what, _shown(was)[:short], _shown(now)[:short])
    for name, layer in sorted(old.keys() - new.keys()):
        yield Difference("library", f"{name} ({layer})", "measured", "absent")
    for name, layer in sorted(new.keys() - old.keys()):
        yield Difference("library", f"{name} ({layer})", "absent", "measured")


def _options(first: Iterable[Sample], second: Iterable[Sample]) -> Iterator[Difference]:
    """Options read back that differ between the runs, of one contender in one cell."""
    old, new = _read_back(first), _read_back(second)
    seen: dict[tuple[str, str, str], None] = {}
    for where in old.keys() & new.keys():
        if old[where] != new[where]:
            contender, option = where[1:]
            was, now = (", ".join(sorted(values[where])) for values in (old, new))
            seen[f"{contender} {option}", was, now] = None
    for what, was, now in sorted(seen):
        yield Difference("option", what, was, now)


def _read_back(samples: Iterable[Sample]) -> Mapping[tuple[object, str, str], set[str]]:
    values: dict[tuple[object, str, str], set[str]] = defaultdict(set)
    texts: dict[tuple[object, str, str], None] = {}
    for sample in samples:
        if sample.options and sample.status == Status.OK:
            texts[sample.cell_key, sample.arm, sample.options] = None
    for key, arm, text in texts:
        for name, value in _parsed(text):
            if not name.endswith(_PER_SOCKET):
                values[key, arm, name].add(value)
    return values


def _parsed(text: str) -> Sequence[tuple[str, str]]:
    try:
        read = json.loads(text)
    except json.JSONDecodeError:
        return ()
    return [(str(k), str(v)) for k, v in read.items()] if isinstance(read, dict) else ()


def _shown(value: Any) -> str:
    if value is None or value == "":
        return _UNKNOWN
    return value if isinstance(value, str) else json.dumps(value)
