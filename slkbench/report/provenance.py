"""Where the figures come from: method, fairness, machine, libraries, failures, findings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from textwrap import indent
from typing import Any

from slkbench import stats
from slkbench.model import ArmRole, Cell, CellKey, Finding, Sample, Status
from slkbench.report.evidence import Evidence
from slkbench.report.markdown import bullets, code, plain, table
from slkbench.report.naming import (
    NOT_AVAILABLE,
    cell_title,
    contender_title,
    file_name,
    pattern_title,
    setting_title,
    status_title,
    transport_title,
)
from slkbench.schema import SCHEMA_VERSION
from slkbench.units import format_duration, format_percent, format_size

__all__ = [
    "failures_section",
    "fairness_section",
    "findings_section",
    "libraries",
    "libraries_section",
    "machine_section",
    "method_section",
]

_REASON_CHARACTERS = 200
# Differs between any two sockets, so it tells nothing.
_PER_SOCKET = "LAST_ENDPOINT"
_MACHINE = (
    ("cpu_model", "CPU"),
    ("cpus", "CPUs"),
    ("usable_cpus", "CPUs usable"),
    ("kernel", "Kernel"),
    ("virtualisation", "Virtualisation"),
    ("memory_bytes", "Memory"),
    ("governor", "Frequency governor"),
    ("turbo", "Turbo"),
    ("aslr", "Address randomisation"),
    ("transparent_huge_pages", "Transparent huge pages"),
    ("congestion_control", "TCP congestion control"),
    ("load_1m", "Load (1 min) at the start"),
    ("steal_fraction_since_boot", "Steal since boot"),
    ("python", "Python"),
)


_SAMPLE_NOTE = (
    "A sample is a fresh process set measuring one contender in one cell: {work}. The clock "
    "starts after the first message at the receiver; sequence numbers, and from 16 bytes up "
    "checksums, of all messages are verified. Time and rate are medians over samples."
)
_BLOCK_NOTE = (
    "A block measures every contender in random order and then {second}; blocks of all cells take "
    "turns."
)
_MIRRORED_UP_TO = 4  # the schema version of runs whose blocks were
_ESTIMATE_NOTE = (
    "The ratio is the Hodges-Lehmann estimate over {observations} of the difference of "
    "ln(time); its interval inverts the exact signed-rank test. Looks "
    "after {looks} blocks, each at {level}."
)


def method_section(evidence: Evidence) -> list[str]:
    """What was measured and how, in plain words."""
    scenario, samples = evidence.scenario, evidence.samples
    cells = evidence.cells or list(scenario.cells)
    looks = ", ".join(map(str, stats.looks_of(scenario)))
    fixed = {cell.messages for cell in scenario.cells} - {None}
    work = (
        "a fixed number of messages per cell"
        if fixed
        else f"as many messages as take at least {format_duration(scenario.min_time_s)}"
    )
    is_mirrored = evidence.metadata.get("schema_version", SCHEMA_VERSION) <= _MIRRORED_UP_TO
    seeds = _joined(str(one.seed) for one in samples if one.seed is not None)
    items = [
        f"Question of scenario {code(scenario.name)}: {plain(scenario.question)}",
        f"Cells: {len(cells)}. {_dimensions(cells)}.",
        _SAMPLE_NOTE.format(work=work),
        _BLOCK_NOTE.format(
            second="in the mirror image of that order, so linear drift cancels"
            if is_mirrored
            else "once more in another, and contenders are compared within each half"
        ),
        _placebo_words(evidence),
        _ESTIMATE_NOTE.format(
            observations="blocks" if is_mirrored else "halves of blocks",
            looks=looks,
            level=f"{stats.level_per_look(scenario):.0%}",
        ),
        (
            f"Seed: {seeds or NOT_AVAILABLE}. Blocks measured per cell: "
            f"{_range(_blocks_per_cell(evidence))}. Samples: {len(samples):,}, the first started "
            f"at {_started(samples, first=True)}, "
            f"the last at {_started(samples, first=False)} (UTC)."
        ),
        _discarded_words(evidence),
    ]
    return [bullets(items)]


def _dimensions(cells: Sequence[Cell]) -> str:
    parts = (
        _joined(pattern_title(cell.pattern) for cell in cells),
        _joined(transport_title(cell.transport) for cell in cells),
        _joined(format_size(cell.size_bytes) for cell in cells),
        "; ".join(dict.fromkeys(setting_title(cell) for cell in cells)),
    )
    return "; ".join(parts)


def _placebo_words(evidence: Evidence) -> str:
    if not any(one.role == ArmRole.PLACEBO for one in evidence.samples):
        return "No placebo took part, so noise between identical arms is unknown."
    return (
        "A placebo, a byte copy of the baseline's library under another path, takes part in every "
        "block; a difference that is found must hold against it as well."
    )


def _discarded_words(evidence: Evidence) -> str:
    reasons = [reason for blocks in evidence.discarded.values() for reason in blocks.values()]
    if not reasons:
        return "No block was discarded."
    total = sum(_blocks_per_cell(evidence))
    kinds = sorted({plain(reason.split(" ")[0]) for reason in reasons})
    return (
        f"{len(reasons)} of {total} blocks were discarded for disturbance from outside "
        f"({', '.join(kinds)}), by rules that look at no timing; verdicts that depend on this "
        "are taken back."
    )


def fairness_section(evidence: Evidence) -> list[str]:
    """The options each contender read back, where its threads ran, and whether they are alike."""
    facts: dict[str, dict[str, set[str]]] = {}
    by_cell: dict[tuple[str, CellKey], dict[str, set[str]]] = {}
    for one in evidence.samples:
        if one.role == ArmRole.PLACEBO or one.status == Status.SKIPPED:
            continue
        for name, value in _conditions(one):
            facts.setdefault(name, {}).setdefault(one.contender, set()).add(value)
            by_cell.setdefault((name, one.cell_key), {}).setdefault(one.contender, set()).add(value)
    if not facts:
        return ["No sample holds the conditions it ran under."]
    unlike = {
        name
        for (name, _), values in by_cell.items()
        if any(value != next(iter(values.values())) for value in values.values())
    }
    names = evidence.contenders
    rows = [
        (
            plain(fact),
            *(
                plain(_joined(sorted(found[name]))) if name in found else NOT_AVAILABLE
                for name in names
            ),
            "**no**" if fact in unlike else "yes",
        )
        for fact, found in facts.items()
    ]
    return [
        (
            "Read back from the sockets after setting them. Several values: the cells differ; "
            "alike means that within each cell all contenders that have the option have the same. "
            "n/a: the contender has no such option. Builds: see [Libraries](#libraries)."
        ),
        table(
            ("Condition", *map(contender_title, names), "Alike"),
            rows,
            left=len(names) + 2,
        ),
    ]


def _conditions(sample: Sample) -> list[tuple[str, str]]:
    found = [
        ("sending thread's CPUs", sample.sender_cpus or "any"),
        ("receiving thread's CPUs", sample.receiver_cpus or "any"),
        ("I/O threads", str(sample.io_threads)),
    ]
    try:
        options = json.loads(sample.options) if sample.options else {}
    except ValueError:
        options = {"options": "not readable"}
    return found + _flat(options if isinstance(options, dict) else {"options": options})


def _flat(options: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in options.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{name} ")
        elif value is not None and not name.endswith(_PER_SOCKET):
            found.append((f"{prefix}{name}", str(value)))
    return found


def machine_section(evidence: Evidence) -> list[str]:
    """Facts about the host, as far as they were stored."""
    machine = evidence.metadata.get("machine")
    if not isinstance(machine, dict) or not machine:
        return ["The run does not say on which machine it was measured."]
    rows = [(title, plain(_fact(name, machine.get(name)))) for name, title in _MACHINE]
    compilers = machine.get("compilers")
    if isinstance(compilers, dict) and compilers:
        rows.append(("Compilers found", plain("; ".join(map(str, compilers.values())))))
    return [table(("Fact", "Value"), rows, left=2)]


def _fact(name: str, value: Any) -> str:
    if value is None or value == "":
        return NOT_AVAILABLE
    if isinstance(value, (int, float)) and name == "memory_bytes":
        return f"{value / (1 << 30):.1f} GiB"
    if isinstance(value, (int, float)) and name == "steal_fraction_since_boot":
        return format_percent(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def libraries(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What ``run.json`` says of the contenders, one record each, whatever shape it has."""
    for key in ("contenders", "libraries"):
        stored = metadata.get(key)
        if isinstance(stored, dict):
            stored = [
                {"name": name, **one} for name, one in stored.items() if isinstance(one, dict)
            ]
        if isinstance(stored, list) and stored:
            return [one for one in stored if isinstance(one, dict)]
    return []


def libraries_section(evidence: Evidence) -> list[str]:
    """Version, file, hash and build of every contender."""
    records = libraries(evidence.metadata)
    if not records:
        records = [
            {"name": name, "version": version} for name, version in _versions(evidence).items()
        ]
    if not records:
        return ["The run does not say which libraries it measured."]
    rows = [
        (
            contender_title(plain(str(one.get("name", "")))),
            plain(str(one.get("layer") or NOT_AVAILABLE)),
            plain(str(one.get("version") or NOT_AVAILABLE)),
            code(file_name(str(one["path"]))) if one.get("path") else NOT_AVAILABLE,
            code(str(one["sha256"])) if one.get("sha256") else NOT_AVAILABLE,
            plain(str(one.get("build_flags") or NOT_AVAILABLE)),
        )
        for one in records
    ]
    header = ("Contender", "Layer", "Version", "File", "SHA-256", "Compiler and flags")
    return [table(header, rows, left=len(header))]


def _versions(evidence: Evidence) -> dict[str, str | None]:
    return {one.contender: one.library_version for one in evidence.samples}


def failures_section(evidence: Evidence) -> list[str]:
    """Every cell that failed or does not apply, with the reason that was stored."""
    found: dict[tuple[Cell, str, str], list[Sample]] = {}
    totals: dict[tuple[Cell, str], int] = {}
    by_key = {cell.key: cell for cell in evidence.cells}
    for one in evidence.samples:
        cell = by_key[one.cell_key]
        totals[cell, one.arm] = totals.get((cell, one.arm), 0) + 1
        if one.status in {Status.FAILED, Status.SKIPPED, Status.SATURATED}:
            found.setdefault((cell, one.arm, one.status), []).append(one)
    if not evidence.samples:
        return ["The run holds no samples."]
    if not found:
        return ["None: every contender ran in every cell, and every message was accounted for."]
    rows = [
        (
            f"{cell_title(cell)}, {cell.metric}, {cell.layer}",
            contender_title(arm),
            status_title(status),
            f"{len(members)} of {totals[cell, arm]}",
            _reason(members),
        )
        for (cell, arm, status), members in found.items()
    ]
    return [table(("Cell", "Contender", "Status", "Samples", "First reason"), rows, left=5)]


def _reason(samples: Sequence[Sample]) -> str:
    reasons = [one.reason for one in samples if one.reason]
    if not reasons:
        return "not stored"
    flat = " ".join(reasons[0].split())
    is_short = len(flat) <= _REASON_CHARACTERS
    return plain(flat if is_short else f"{flat[: _REASON_CHARACTERS - 1]}…")


def findings_section(evidence: Evidence) -> list[str]:
    """What to distrust, each with what was seen and what can be done."""
    if not evidence.findings:
        return ["No check found a reason for doubt beyond the limits in the summary."]
    alike: dict[tuple[str, str], list[Finding]] = {}
    for one in evidence.findings:
        alike.setdefault((one.code, one.remedy), []).append(one)
    return ["\n".join(_alike(members) for members in alike.values())]


def _alike(findings: Sequence[Finding]) -> str:
    """One finding, or several of a kind below what can be done about all of them."""
    first = findings[0]
    remedy = f"Remedy: {first.remedy.rstrip('.')}."
    if len(findings) == 1:
        return bullets(
            [f"**{plain(first.subject)}** ({code(first.code)}): {_seen(first)} {remedy}"]
        )
    each = bullets([f"**{plain(one.subject)}**: {_seen(one)}" for one in findings])
    head = bullets([f"{code(first.code)}, {len(findings)} of this kind. {remedy}"])
    return f"{head}\n{indent(each, '  ')}"


def _seen(finding: Finding) -> str:
    return f"{plain(finding.evidence.rstrip('.'))}."


def _blocks_per_cell(evidence: Evidence) -> list[int]:
    blocks: dict[Any, set[tuple[str, int]]] = {}
    for one in evidence.samples:
        if one.status != Status.SKIPPED:
            blocks.setdefault(one.cell_key, set()).add((one.run_id, one.block))
    return [len(found) for found in blocks.values()]


def _range(numbers: Sequence[int]) -> str:
    if not numbers:
        return "none"
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _started(samples: Sequence[Sample], *, first: bool) -> str:
    known = sorted(one.started_utc for one in samples if one.started_utc)
    return known[0 if first else -1] if known else NOT_AVAILABLE


def _joined(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
