"""Who may include whom, and how large a file may grow: read from the sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

IMPL = Path(__file__).resolve().parents[1]
SOURCES = sorted((IMPL / "src").rglob("*.[ch]pp"))

# A folder includes itself and folders with a lower number.
LAYERS = {
    "base": 0,
    "message": 1,
    "wire": 1,
    "ring": 1,
    "io": 2,
    "transport": 2,
    "pipe": 3,
    "session": 4,
    "socket": 5,
    "abi": 6,
}
SYSTEM_CALLS = re.compile(r"#include <(unistd|sys/|poll|time|ctime|chrono|fcntl|net)")
MAX_LINES = 600


def identifier(path: Path) -> str:
    return str(path.relative_to(IMPL))


@pytest.mark.parametrize("path", SOURCES, ids=identifier)
def test_includes_point_downwards(path: Path) -> None:
    own = path.relative_to(IMPL / "src").parts[0]
    assert own in LAYERS, f"give {own} its place in LAYERS, and in ARCHITECTURE.md"
    for folder in re.findall(r'#include "(\w+)/', path.read_text()):
        assert folder in LAYERS, f"{folder}/ is no folder of the core"
        assert folder == own or LAYERS[folder] < LAYERS[own], f"{own} includes {folder}"


def test_the_wire_format_is_pure() -> None:
    for path in SOURCES:
        if path.parent.name == "wire" and not path.stem.endswith("_test"):
            assert not SYSTEM_CALLS.search(path.read_text()), identifier(path)


@pytest.mark.parametrize("path", SOURCES, ids=identifier)
def test_files_stay_small(path: Path) -> None:
    assert path.read_text().count("\n") <= MAX_LINES


def test_nothing_here_knows_of_the_harness() -> None:
    harness = "slk" + "bench"
    for path in IMPL.rglob("*"):
        if path.suffix in {".cpp", ".hpp", ".h", ".c", ".py", ".pyi", ".txt", ".json"}:
            assert harness not in path.read_text(), identifier(path)
