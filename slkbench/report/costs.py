"""Profiles in a report: where the time goes, what messages cost, and which tools told it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slkbench.model import ProfileRow
from slkbench.report.explain import explain_section
from slkbench.report.markdown import code, heading, table
from slkbench.report.profiles import profile_section
from slkbench.runner.explaining import Explanation
from slkbench.runner.profile_folder import STACKS

__all__ = ["copy_flame_graphs", "cost_sections", "tools_section"]

Section = tuple[str, list[str]]
Profiles = Mapping[str, Sequence[ProfileRow]]

# Profile, the tool that it needs, the Debian package, and its section.
_TOOLS = (
    ("operations", "slkbench's own timer", None, "Time per operation"),
    ("cpu", "perf", "linux-perf", "CPU time"),
    ("instructions", "valgrind", "valgrind", "Instructions"),
    ("syscalls", "strace", "strace", "System calls"),
    ("allocations", "slkbench's own counter", None, "Allocations and memory"),
)


def cost_sections(
    profiles: Profiles,
    metadata: Mapping[str, Any],
    explanation: Explanation | None,
    charts: Sequence[tuple[str, str]],
    flames: Sequence[str],
    *,
    has_builds: bool = False,
    on_instructions: Sequence[str] = (),
) -> list[Section]:
    """The sections of a report on what messages cost, and on the tools that tell it.

    ``on_instructions`` is what the verdicts on instructions are, for their section.
    """
    sections: list[Section] = []
    explained = explain_section(explanation, charts) if explanation is not None else []
    if explained:
        sections.append(("Where the time goes", explained))
    for tool, _, _, title in _TOOLS:
        if tool in profiles:
            body = profile_section(tool, profiles[tool], level=3)
            body = [*on_instructions, *body] if tool == "instructions" else body
            if tool == "cpu" and flames:
                body += [heading(3, "Flame graphs"), "\n".join(f"- [{n}]({n})" for n in flames)]
            sections.append((title, body))
    if profiles or metadata.get("tools"):
        sections.append(("Tools used", tools_section(profiles, metadata, has_builds=has_builds)))
    return sections


def tools_section(
    profiles: Profiles, metadata: Mapping[str, Any], *, has_builds: bool = False
) -> list[str]:
    """Which tools were there, which were used, and which section a missing one has cost."""
    stored = metadata.get("tools")
    versions: Mapping[str, Any] = stored if isinstance(stored, dict) else {}
    rows = []
    for tool, program, package, title in _TOOLS:
        version = versions.get(program)
        if tool in profiles:
            status, note = "used", str(version or "")
        elif package is not None and program in versions and version is None:
            status = "missing"
            note = f"costs the section {title}; apt install {package}"
        else:
            status = "not used"
            note = f"slkbench profile {tool} --run RUN adds the section {title}"
        rows.append((code(program), status, title, note))
    status = "used" if has_builds else "not used"
    note = "" if has_builds else "slkbench profile builds is a run of its own"
    rows.append((code("g++"), status, "Build variants", note))
    return [table(("Tool", "Status", "Section", "Notes"), rows, left=4)]


def copy_flame_graphs(folder: Path, into: Path) -> list[str]:
    """Copy the flame graphs of a run's folder beside its report; their file names."""
    names = []
    for file in sorted((folder / STACKS).glob("*.svg")):
        shutil.copyfile(file, into / file.name)
        names.append(file.name)
    return names
