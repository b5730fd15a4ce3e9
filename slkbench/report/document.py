"""One report: ``report.md`` and its charts, the same bytes for the same run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slkbench.disk import replace_file
from slkbench.errors import UsageError
from slkbench.model import Metric
from slkbench.report.builds import builds_section
from slkbench.report.costs import copy_flame_graphs, cost_sections
from slkbench.report.evidence import Evidence, gather
from slkbench.report.explain import draw_accounts
from slkbench.report.illustrations import Illustration, draw_all
from slkbench.report.instructions import instruction_verdicts_table
from slkbench.report.latency import percentile_section
from slkbench.report.markdown import code, figure, heading, plain
from slkbench.report.naming import NOT_AVAILABLE, contender_title
from slkbench.report.noise import noise_section
from slkbench.report.provenance import (
    failures_section,
    fairness_section,
    findings_section,
    libraries_section,
    machine_section,
    method_section,
)
from slkbench.report.results import (
    cpu_section,
    floor_section,
    gap_section,
    pattern_section,
    round_trip_section,
)
from slkbench.report.sessions import session_section
from slkbench.report.summary import summary_section
from slkbench.report.throughput import throughput_section
from slkbench.runner.builds import BuildEffect, build_effects
from slkbench.runner.explaining import explain_run
from slkbench.runner.profile_folder import profiles_in
from slkbench.store import SAMPLES_NAME, StoredRun, read_metadata, read_run

__all__ = ["FORMATS", "render_report", "render_run"]

FORMATS = ("md", "png")

_RENDERED_FROM = (
    "**Rendered from:** `samples.csv` and `run.json` of the run by `slkbench report`; not edited"
)
_GAP_NOTE = (
    "Gap is rate / baseline's rate - 1, as in the reference report; time per message is the ratio "
    "of times, below 1 is faster. Both are the paired estimate over blocks, so they are not "
    "exactly the quotient of the medians beside them."
)


def render_report(
    run_dirs: Sequence[Path], out_dir: Path, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Render each run of ``run_dirs`` into ``out_dir``/<run>/ and return the files written.

    Raises ``UsageError`` for an unknown format or a folder that cannot be written, ``StoreError``
    for a run that cannot be read.
    """
    unknown = [one for one in formats if one not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"{', '.join(unknown) or 'no format'!s} is not a report format. "
            f"Allowed: {', '.join(FORMATS)}. Write for example --format md,png."
        )
    written: list[Path] = []
    for run_dir in run_dirs:
        if (run_dir / SAMPLES_NAME).is_file() or not profiles_in(run_dir):
            written += render_run(read_run(run_dir), out_dir, formats)
        else:
            written += _render_profiles(run_dir, out_dir)
    return written


def _render_profiles(folder: Path, out_dir: Path) -> list[Path]:
    """The report of a folder that holds profiles and no samples."""
    metadata = read_metadata(folder)
    path = out_dir / folder.name / "report.md"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flames = copy_flame_graphs(folder, path.parent)
        parts = [heading(1, f"Profile: {folder.name}"), _machine_line(metadata)]
        for title, body in cost_sections(profiles_in(folder), metadata, None, (), flames):
            parts += [heading(2, title), *body]
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    return [path, *(path.parent / name for name in flames)]


def _machine_line(metadata: Mapping[str, Any]) -> str:
    machine = metadata.get("machine")
    stored = machine if isinstance(machine, dict) else {}
    return f"**Machine:** {stored.get('fingerprint') or NOT_AVAILABLE}"


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write the report into {folder}: {error.strerror or error}. "
        "Choose another folder with --out."
    )


def render_run(run: StoredRun, out_dir: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Render one run that has been read; see ``render_report``."""
    evidence = gather(run)
    folder = out_dir / run.run_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = draw_all(evidence, folder) if "png" in formats else []
        written = [folder / one.file_name for one in drawn]
        profiles = profiles_in(run.path)
        explanation = explain_run(run) if profiles else None
        charts: list[tuple[str, str]] = []
        flames: list[str] = []
        if "png" in formats and explanation is not None:
            charts = draw_accounts(explanation, folder, run.run_id)
            flames = copy_flame_graphs(run.path, folder)
            written += [folder / name for name in (*(name for name, _ in charts), *flames)]
        if "md" in formats:
            path = folder / "report.md"
            effects = build_effects(run)
            costs = cost_sections(
                profiles,
                run.metadata,
                explanation,
                charts,
                flames,
                has_builds=bool(effects),
                on_instructions=instruction_verdicts_table(evidence),
            )
            text = _text(evidence, drawn, costs, effects)
            replace_file(path, text.encode())
            written.insert(0, path)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return written


def _text(
    evidence: Evidence,
    drawn: Sequence[Illustration],
    costs: Sequence[tuple[str, list[str]]],
    effects: Sequence[BuildEffect],
) -> str:
    def charts(section: str) -> list[str]:
        return [figure(one.file_name, one.caption) for one in drawn if one.section == section]

    sections = (
        ("Summary", [*summary_section(evidence)]),
        *([("Sessions", sessions)] if (sessions := session_section(evidence)) else []),
        ("Throughput", [*charts("throughput"), *throughput_section(evidence)]),
        ("Gap", [*charts("gap"), *_gaps(evidence)]),
        ("ROUTER-ROUTER against PUSH-PULL", pattern_section(evidence)),
        ("Ratio to the floor", floor_section(evidence)),
        ("CPU time per message", cpu_section(evidence)),
        (
            "Round trips",
            [
                *charts("round-trips"),
                *round_trip_section(evidence),
                *gap_section(evidence, Metric.ROUND_TRIP),
            ],
        ),
        *_paced(evidence, charts("paced")),
        *costs,
        ("Noise", noise_section(evidence)),
        *([("Build variants", builds_section(effects))] if effects else []),
        ("What was measured and how", method_section(evidence)),
        ("Fairness", fairness_section(evidence)),
        ("Machine", machine_section(evidence)),
        ("Libraries", libraries_section(evidence)),
        ("Failed and n/a cells", failures_section(evidence)),
        ("What to distrust", findings_section(evidence)),
    )
    parts = _title(evidence)
    for title, body in sections:
        parts += [heading(2, title), *body]
    return "\n\n".join(parts) + "\n"


def _paced(evidence: Evidence, charts: list[str]) -> list[tuple[str, list[str]]]:
    """The section of a given rate, in reports of runs that measured one."""
    if not evidence.of(Metric.PACED):
        return []
    tables = round_trip_section(evidence, Metric.PACED)
    percentiles = percentile_section(evidence)
    return [
        (
            "Round trips at a given rate",
            [*charts, *percentiles, *tables, *gap_section(evidence, Metric.PACED)],
        )
    ]


def _gaps(evidence: Evidence) -> list[str]:
    parts = gap_section(evidence, Metric.THROUGHPUT)
    return [_GAP_NOTE, *parts] if parts else ["This run compares no throughput."]


def _title(evidence: Evidence) -> list[str]:
    judged = [name for name in evidence.contenders if name not in evidence.floors]
    subject = " vs ".join(map(contender_title, judged)) or "no contender"
    dates = sorted(one.started_utc for one in evidence.samples if one.started_utc)
    machine = evidence.metadata.get("machine")
    stored = machine if isinstance(machine, dict) else {}
    return [
        heading(1, f"{subject}: {plain(evidence.scenario.name)}"),
        "\n".join(
            (
                f"**Run:** {code(evidence.run_id)}  ",
                f"**Date:** {dates[0][:10] if dates else NOT_AVAILABLE}  ",
                f"**Machine:** {plain(str(stored.get('fingerprint') or NOT_AVAILABLE))}  ",
                f"**Libraries:** {_libraries(evidence)}  ",
                _RENDERED_FROM,
            )
        ),
    ]


def _libraries(evidence: Evidence) -> str:
    versions = {one.contender: one.library_version for one in evidence.samples}
    named = [
        f"{contender_title(name)} {plain(str(versions[name]))}"
        for name in evidence.contenders
        if versions.get(name)
    ]
    return ", ".join(named) or NOT_AVAILABLE
