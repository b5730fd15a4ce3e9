"""Who may import whom, who may use what, and how large a file may grow: read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]

# A part imports itself and parts with a lower number.
LAYERS = {
    "errors": 0,
    "foreign_text": 0,
    "units": 0,
    "model": 1,
    "schema": 2,
    "scenario": 2,
    "plan": 2,
    "stats": 2,
    "checks": 2,
    "integrity": 2,
    "disk": 2,
    "ending": 2,
    "folders": 2,
    "doubts": 2,
    "binaries": 3,
    "contenders": 3,
    "machine": 3,
    "store": 3,
    "histograms": 3,
    "driver": 3,
    "endpoint": 3,
    "profile": 3,
    "runner": 4,
    "across": 4,
    "report": 5,
    "selftest": 6,
    "cli": 7,
    "__main__": 8,
}
# Modes are told in one way; the driver runs inside the endpoint's process; a contender's build
# flags are read from its binary; errors.py imports nothing, so all may use it.
BESIDE = {
    ("checks", "stats"),
    ("endpoint", "driver"),
    ("contenders", "binaries"),
    ("units", "errors"),
}

# Where alone a package may be imported; an endpoint imports nothing that slows its start.
ONLY_IN = {"click": {"cli"}, "pandas": {"report"}, "matplotlib": {"report"}}
NEVER_IN_ENDPOINT = {"click", "pandas", "matplotlib", "numpy", "scipy", "rich"}
PURE = {"errors", "units", "model", "schema", "scenario", "plan", "stats", "checks", "doubts"}
PURE |= {"foreign_text", "integrity"}
NEVER_IN_PURE = {"subprocess", "socket", "multiprocessing", "threading", "time", "psutil"}

SHAPELESS_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70


def sources(*suffixes: str) -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in suffixes)


def modules() -> list[Path]:
    return [path for path in sources(".py") if "tests" not in path.relative_to(PACKAGE).parts]


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_names(path: Path) -> Iterator[str]:
    """Dotted names of all that is imported, also inside functions, relative ones made absolute."""
    package = ("slkbench", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def identifier(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", modules(), ids=identifier)
def test_imports_point_downwards(path: Path) -> None:
    own = part_of(path)
    if own == "__init__":
        own_layer = 0
    else:
        assert own in LAYERS, f"give {own} its place in LAYERS, and in ARCHITECTURE.md"
        own_layer = LAYERS[own]
    for name in imported_names(path):
        top, _, rest = name.partition(".")
        part = rest.partition(".")[0]
        if top != "slkbench" or part in {own, "", "__version__"} or (own, part) in BESIDE:
            continue
        assert part in LAYERS, f"{name} is no part of slkbench"
        assert LAYERS[part] < own_layer, f"{own} (layer {own_layer}) imports {name}"


@pytest.mark.parametrize("path", modules(), ids=identifier)
def test_heavy_packages_stay_where_they_belong(path: Path) -> None:
    own = part_of(path)
    tops = {name.partition(".")[0] for name in imported_names(path)}
    for package, allowed in ONLY_IN.items():
        assert package not in tops or own in allowed, f"{package} belongs in {allowed}"
    if own == "endpoint":
        assert not tops & NEVER_IN_ENDPOINT
    if own in PURE:
        assert not tops & NEVER_IN_PURE, "the pure layers neither wait nor start anything"


def test_names_say_what_a_module_is_for() -> None:
    for path in sources(".py", ".cpp", ".hpp"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        assert not SHAPELESS_NAMES & set(parts), identifier(path)


@pytest.mark.parametrize("path", sources(".py", ".cpp", ".hpp"), ids=identifier)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE_LINES
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} has {lines} lines"


def test_an_import_upwards_would_be_seen() -> None:
    seen = set(imported_names(PACKAGE / "store.py"))
    assert {"slkbench.schema.header", "slkbench.errors.StoreError"} <= seen
