"""Build variants against each other: built, measured as contenders of one run, and judged.

The unit is a build, that is a variant in one link order: an effect is the difference between the
means of builds, with Student's interval over builds (Welch's, as variants may vary unlike).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, variance
from typing import Any, TypedDict

from slkbench.contenders import parse_lib, resolve_contenders
from slkbench.errors import InterruptedRunError, StoreError
from slkbench.machine import read_machine
from slkbench.model import Cell, Contender, Scenario
from slkbench.profile.builds import (
    VARIANTS,
    Build,
    build_libzmq,
    build_serverlink,
    build_steps,
    check_source,
    find_impl,
)
from slkbench.profile.workload import THREADS, Workload, run_workload
from slkbench.runner.lock import LOCK_FILE, machine_lock
from slkbench.runner.placement import choose_placement, usable_cores
from slkbench.runner.progress import Observer
from slkbench.runner.session import Request, run_request, terminable
from slkbench.stats import TIME_PER_MESSAGE, discarded_blocks
from slkbench.stats.blocks import log_times
from slkbench.store import StoredRun
from slkbench.units import format_duration

__all__ = [
    "BUILDS_FILE",
    "BuildEffect",
    "BuildRequest",
    "build_effects",
    "make_builds",
    "run_builds",
]

BUILDS_FILE = "builds.json"
"""In a run's folder: which of its contenders is which build."""

Note = Callable[[int, int, str], None]

_LEVEL = 0.95
_TRAINING_MESSAGES = 200_000
_TRAINING_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build and where to measure it, beside ``libs`` that are there already.

    ``source`` is libzmq's tree, if it is built too.
    """

    scenario: Scenario
    into: Path
    variants: tuple[str, ...] = tuple(VARIANTS)
    rebuilds: int = 3
    impl: Path | None = None
    source: Path | None = None
    libs: tuple[str, ...] = ()
    seed: int = 1
    results: Path = Path("results")
    wait_s: float = 0.0
    command_line: tuple[str, ...] = ()
    lock_file: Path = LOCK_FILE


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


class _How(TypedDict):
    rebuilds: int
    seed: int
    note: Callable[[str], None]


class _Steps:
    """What is done of all builds, and how long the rest takes, judged by what was alike."""

    def __init__(self, ahead: list[str], note: Note) -> None:
        self._ahead = ahead
        self._of = len(ahead)
        self._note = note
        self._took_s: dict[str, list[float]] = {}
        self._since_s = time.monotonic()
        self._under_way: str | None = None

    def begin(self, text: str) -> None:
        """A step begins, so the one before is over."""
        now_s = time.monotonic()
        if self._under_way is not None:
            self._took_s.setdefault(self._under_way, []).append(now_s - self._since_s)
        self._since_s = now_s
        left = self._left()
        if self._ahead:
            self._under_way = self._ahead.pop(0)
        self._note(self._of - len(self._ahead) - 1, self._of, text + left)

    def _left(self) -> str:
        known = {kind: fmean(took_s) for kind, took_s in self._took_s.items()}
        if "linking" not in known:
            return ""
        # Training is a run of some messages; until one was seen it counts for nothing.
        ahead_s = sum(known.get(kind, 0.0) for kind in self._ahead)
        return f"; builds take about {format_duration(ahead_s)} more"


def make_builds(request: BuildRequest, note: Note) -> tuple[Build, ...]:
    """Build all variants; ``note`` hears of each step, with how many are done and of how many.

    Raises UsageError where something cannot be built or somebody measures.
    """
    impl = find_impl(request.impl)
    if request.source is not None:
        check_source(request.source)
    resolve_contenders(_scenario_of(request, ()), request.libs)
    builds: list[Build] = []
    variants = [VARIANTS[name] for name in request.variants]
    ahead = [
        step
        for each in variants
        for step in build_steps(
            each, rebuilds=request.rebuilds, with_libzmq=request.source is not None
        )
    ]
    steps = _Steps(ahead, note)

    def train(library: Path) -> None:
        _train(parse_lib(f"training={library}"), request.scenario)

    how: _How = {"rebuilds": request.rebuilds, "seed": request.seed, "note": steps.begin}
    # Compilers would disturb who measures.
    with machine_lock(request.lock_file, wait_s=request.wait_s), terminable():
        try:
            for each in variants:
                builds += build_serverlink(impl, each, request.into, train=train, **how)
                if request.source is not None:
                    builds += build_libzmq(request.source, each, request.into, **how)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted while compiling; nothing was measured") from None
    return tuple(builds)


def run_builds(
    request: BuildRequest, builds: Sequence[Build], observer: Observer | None = None
) -> Path:
    """Measure the builds in a run, whose folder this is; ``build_effects`` judges it.

    Raises what a run raises.
    """
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
    result = run_request(
        Request(
            _scenario_of(request, builds),
            libs=(*request.libs, *(f"{build.name}={build.path}" for build in builds)),
            results=request.results,
            wait_s=request.wait_s,
            command_line=request.command_line,
            files=((BUILDS_FILE, json.dumps(record, indent=2) + "\n"),),
        ),
        observer=observer,
    )
    return result.path


def _scenario_of(request: BuildRequest, builds: Sequence[Build]) -> Scenario:
    """The cells, with libzmq, what the user added, and the builds."""
    others = (parse_lib(text).name for text in request.libs)
    return replace(
        request.scenario,
        name="builds",
        contenders=("libzmq", *others, *(build.name for build in builds)),
        baseline="libzmq",
        placebo=False,
    )


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
