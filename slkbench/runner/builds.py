"""Build variants against each other: built, measured as contenders of one run, and judged.

The unit is a build, that is a variant in one link order: an effect is the difference between the
means of builds, with Student's interval over builds (Welch's, as variants may vary unlike).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from slkbench.contenders import parse_lib
from slkbench.errors import StoreError
from slkbench.machine import read_machine
from slkbench.model import Cell, Contender, Scenario
from slkbench.profile.builds import VARIANTS, Build, build_libzmq, build_serverlink, find_impl
from slkbench.profile.workload import THREADS, Workload, run_workload
from slkbench.runner.placement import choose_placement, usable_cores
from slkbench.runner.progress import Observer
from slkbench.runner.session import Request, run_request
from slkbench.stats import TIME_PER_MESSAGE, discarded_blocks
from slkbench.stats.blocks import log_times
from slkbench.store import StoredRun, write_whole

__all__ = ["BUILDS_FILE", "BuildEffect", "BuildRequest", "build_effects", "run_builds"]

BUILDS_FILE = "builds.json"
"""In a run's folder: which of its contenders is which build."""

_LEVEL = 0.95
_TRAINING_MESSAGES = 200_000
_TRAINING_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build and where to measure it. ``source`` is libzmq's tree, if it is built too."""

    scenario: Scenario
    into: Path
    variants: tuple[str, ...] = tuple(VARIANTS)
    rebuilds: int = 3
    impl: Path | None = None
    source: Path | None = None
    seed: int = 1
    results: Path = Path("results")
    wait_s: float = 0.0
    command_line: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildEffect:
    """Time per message of a variant / that of ``against``, of one library in one cell.

    ``low`` and ``high`` bound it at 95 % between builds; None where there are too few.
    """

    library: str
    variant: str
    against: str
    cell: Cell
    ratio: float
    low: float | None
    high: float | None
    builds: int
    spread: float


def run_builds(
    request: BuildRequest, note: Callable[[str], None], observer: Observer | None = None
) -> Path:
    """Build, measure, store. The run's folder; ``build_effects`` judges it.

    Raises UsageError where something cannot be built.
    """
    impl = find_impl(request.impl)
    builds: list[Build] = []

    def train(library: Path) -> None:
        _train(parse_lib(f"training={library}"), request.scenario)

    for name in request.variants:
        variant = VARIANTS[name]
        builds += build_serverlink(
            impl,
            variant,
            request.into,
            rebuilds=request.rebuilds,
            seed=request.seed,
            train=train,
            note=note,
        )
        if request.source is not None:
            builds += build_libzmq(
                request.source,
                variant,
                request.into,
                rebuilds=request.rebuilds,
                seed=request.seed,
                note=note,
            )
    names = tuple(build.name for build in builds)
    scenario = replace(
        request.scenario,
        name="builds",
        contenders=("libzmq", *names),
        baseline="libzmq",
        placebo=False,
    )
    result = run_request(
        Request(
            scenario,
            libs=tuple(f"{build.name}={build.path}" for build in builds),
            results=request.results,
            wait_s=request.wait_s,
            command_line=request.command_line,
        ),
        observer=observer,
    )
    record = [
        {
            "name": build.name,
            "library": build.library,
            "variant": build.variant,
            "number": build.number,
            "flags": list(VARIANTS[build.variant].flags),
            "seed": request.seed,
        }
        for build in builds
    ]
    write_whole(result.path / BUILDS_FILE, json.dumps(record, indent=2) + "\n")
    return result.path


def _train(library: Contender, scenario: Scenario) -> None:
    """Send messages as in the cells that will be measured, so that the compiler learns of them."""
    placement = choose_placement(scenario.affinity, usable_cores(read_machine().usable_cpus))
    for cell in scenario.cells:
        messages = min(_TRAINING_MESSAGES, max(1000, _TRAINING_BYTES // max(1, cell.size_bytes)))
        workload = Workload(cell, library, THREADS, placement, scenario.sample_timeout_s)
        run_workload(workload, messages, wrap=lambda _role, command: command)


def build_effects(run: StoredRun) -> list[BuildEffect]:
    """Every variant against the first of its library, cell by cell; none for other runs.

    Raises StoreError if the file that tells the builds is damaged.
    """
    file = run.path / BUILDS_FILE
    families = _families(file) if file.is_file() else {}
    effects = []
    for cell in dict.fromkeys(replace(cell, messages=None) for cell in run.scenario.cells):
        own = [one for one in run.samples if one.cell_key == cell.key]
        disturbed = discarded_blocks(own)
        logs = {
            name: log_times(
                [one for one in own if one.arm == name], TIME_PER_MESSAGE, without=disturbed
            )
            for name in dict.fromkeys(one.arm for one in own)
        }
        for library, variants in families.items():
            names = [name for each in variants.values() for name in each]
            means = _means_of_builds([name for name in names if logs.get(name)], logs)
            of_variant = {
                variant: [means[name] for name in members if name in means]
                for variant, members in variants.items()
            }
            first = next(iter(of_variant))
            effects += [
                _effect(library, variant, first, cell, values, of_variant[first])
                for variant, values in of_variant.items()
                if variant != first and values and of_variant[first]
            ]
    return effects


def _families(file: Path) -> dict[str, dict[str, list[str]]]:
    """Names of builds by library and variant. Raises StoreError."""
    remedy = "Restore the file from a copy, or delete it."
    try:
        stored: Any = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} is not JSON ({error.msg})"
        raise StoreError(f"{file} is damaged: {where}. {remedy}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"cannot read {file}: {error}. {remedy}") from None
    families: dict[str, dict[str, list[str]]] = {}
    for number, each in enumerate(stored if isinstance(stored, list) else [stored], 1):
        try:
            library, variant, name = (str(each[key]) for key in ("library", "variant", "name"))
        except (KeyError, TypeError):
            what = "no library, variant and name"
            raise StoreError(f"{file} is damaged: build {number} has {what}. {remedy}") from None
        families.setdefault(library, {}).setdefault(variant, []).append(name)
    return families


def _means_of_builds(
    names: Sequence[str], logs: dict[str, dict[tuple[str, int], float]]
) -> dict[str, float]:
    """Mean over the common blocks of ln t less the block's mean, so that drift cancels."""
    if not names:
        return {}
    common = set.intersection(*(set(logs[name]) for name in names))
    level = {key: fmean(logs[name][key] for name in names) for key in common}
    return {name: fmean(logs[name][key] - level[key] for key in common) for name in names if common}


def _effect(
    library: str,
    variant: str,
    against: str,
    cell: Cell,
    values: Sequence[float],
    others: Sequence[float],
) -> BuildEffect:
    difference = fmean(values) - fmean(others)
    low = high = None
    if min(len(values), len(others)) > 1:
        from scipy.stats import t

        parts = [variance(each) / len(each) for each in (values, others)]
        weights = [
            part**2 / (len(each) - 1) for part, each in zip(parts, (values, others), strict=True)
        ]
        freedom = sum(parts) ** 2 / sum(weights) if sum(weights) else math.inf
        half = float(t.ppf((1 + _LEVEL) / 2, freedom)) * math.sqrt(sum(parts))
        low, high = math.exp(difference - half), math.exp(difference + half)
    return BuildEffect(
        library=library,
        variant=variant,
        against=against,
        cell=cell,
        ratio=math.exp(difference),
        low=low,
        high=high,
        builds=len(values),
        spread=math.exp(max(values) - min(values)) - 1,
    )
