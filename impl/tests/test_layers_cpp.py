"""The library's house rules that a compiler does not check: who includes whom, sizes, macros."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

IMPL = Path(__file__).resolve().parents[1]
SRC = IMPL / "src"

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
LINES_MAX = 600
# Code is C++; a macro needs a reason. These have one: a C header, ELF notes, test registration.
MACROS_ALLOWED_IN = {
    "include/serverlink/serverlink.h",
    "tests/abi/expect.h",
    "tests/contract/fixture.hpp",
    "tests/doctest_main.cpp",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)", re.MULTILINE)
TEXT = {".cpp", ".hpp", ".c", ".h", ".py", ".pyi", ".txt", ".json", ".cmake", ".md"}


def sources(*folders: Path) -> list[Path]:
    """C and C++ files below the folders, in a stable order."""
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".cpp", ".hpp", ".c", ".h"}
    )


def name_of(path: Path) -> str:
    return path.relative_to(IMPL).as_posix()


def test_every_folder_has_a_layer() -> None:
    assert {path.name for path in SRC.iterdir() if path.is_dir()} == set(LAYERS)
    assert not [path.name for path in SRC.iterdir() if path.is_file()]


@pytest.mark.parametrize("path", sources(SRC), ids=name_of)
def test_includes_point_down(path: Path) -> None:
    """A folder includes itself and folders with a lower number only."""
    own = path.relative_to(SRC).parts[0]
    wrong = []
    for target in INCLUDE.findall(path.read_text()):
        folder = target.split("/")[0]
        assert (SRC / target).is_file(), f'"{target}" is not named from impl/src'
        if folder != own and LAYERS[folder] >= LAYERS[own]:
            wrong.append(target)
    assert wrong == []


@pytest.mark.parametrize("path", sources(SRC), ids=name_of)
def test_only_test_files_include_test_things(path: Path) -> None:
    text = path.read_text()
    is_test = path.stem.endswith("_test")
    assert is_test or "doctest" not in text
    assert is_test or not [name for name in INCLUDE.findall(text) if name.endswith("_test.hpp")]


def test_wire_makes_no_system_call() -> None:
    headers = re.compile(r"#\s*include\s+<(sys/|unistd|poll|fcntl|netinet|time\.h|pthread)")
    assert [
        name_of(path) for path in sources(SRC / "wire") if headers.search(path.read_text())
    ] == []


@pytest.mark.parametrize("path", sources(SRC, IMPL / "tests"), ids=name_of)
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize(
    "path", sources(SRC, IMPL / "tests", IMPL / "include", IMPL / "python" / "ext"), ids=name_of
)
def test_macros_only_where_there_is_a_reason(path: Path) -> None:
    found = DEFINE.findall(path.read_text())
    assert found == [] or name_of(path) in MACROS_ALLOWED_IN


def test_the_library_has_never_heard_of_its_harness() -> None:
    word = "slk" + "bench"
    assert [
        name_of(path)
        for path in sorted(IMPL.rglob("*"))
        if path.is_file()
        and path.suffix in TEXT
        and not any(part.startswith(".") for part in path.relative_to(IMPL).parts)
        and word in path.read_text(errors="ignore")
    ] == []
