"""Where scenario files are: shipped with slkbench, or named by path."""

from __future__ import annotations

from pathlib import Path

from slkbench.errors import ScenarioError
from slkbench.model import Scenario
from slkbench.scenario.document import parse_scenario
from slkbench.scenario.keys import nearest

__all__ = ["find_scenario", "list_scenarios", "load_scenario", "shipped_files"]

_CLAIMS = "claims-"


def list_scenarios() -> tuple[Path, ...]:
    """The files of the scenarios that slkbench ships, by name."""
    return tuple(file for file in shipped_files() if not file.stem.startswith(_CLAIMS))


def shipped_files() -> tuple[Path, ...]:
    """All files beside the scenarios, those with claims among them."""
    package = Path(__file__).resolve().parents[1]
    # In a wheel they are part of the package; in a checkout they stand beside it.
    for folder in (package / "scenarios", package.parent / "scenarios"):
        if files := sorted(folder.glob("*.toml")):
            return tuple(files)
    return ()


def find_scenario(name: str) -> Path:
    """The file of a shipped scenario's name, or ``name`` itself if it is a file's path.

    Raises ``ScenarioError`` that names the nearest shipped ones.
    """
    shipped = {file.stem: file for file in list_scenarios()}
    if name in shipped:
        return shipped[name]
    if Path(name).is_file():
        return Path(name)
    raise ScenarioError(
        f"no scenario {name!r}: neither shipped nor a file. {nearest(name, shipped)}"
    )


def load_scenario(name: str) -> Scenario:
    """``parse_scenario`` of the file that ``find_scenario`` finds."""
    file = find_scenario(name)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"cannot read {file} as a scenario: {error}") from None
    return parse_scenario(text, name=file.stem, where=str(file))
