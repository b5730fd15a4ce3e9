"""Measure libzmq against its own copy, and against itself with a known share done twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from slkbench.binaries import sha256_of
from slkbench.contenders import placebo_of
from slkbench.errors import ContenderFailedError
from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Contender,
    Metric,
    Pattern,
    Placement,
    Scenario,
    Status,
    Transport,
)
from slkbench.plan import PLACEBO_NAME, estimate
from slkbench.runner.launch import ProcessLauncher, calibrate
from slkbench.runner.progress import Observer
from slkbench.runner.result import RunResult
from slkbench.runner.session import Backend, Request, run_request
from slkbench.scenario import cells_named
from slkbench.selftest.instructions import Count, callgrind_count
from slkbench.selftest.library import (
    RepeatingLauncher,
    as_contender,
    known_library,
    real_libzmq,
)

__all__ = [
    "BASELINE",
    "CELLS",
    "COPY",
    "Bench",
    "arm_name",
    "choose_cells",
    "least_pass_s",
    "measure_pass",
    "process_bench",
    "size_cell",
]

BASELINE = "libzmq"
COPY = "copy"
CALIBRATING_SAMPLES = 4  # about
# Of round trips as well, so that the same effects are asked of all cells.
MIN_EFFECT = 0.02
CELLS = tuple(
    Cell(pattern, transport, size_bytes, metric=metric)
    for transport in (Transport.INPROC, Transport.TCP)
    for pattern, size_bytes, metric in (
        (Pattern.PUSH_PULL, 64, Metric.THROUGHPUT),
        (Pattern.PUSH_PULL, 1024, Metric.THROUGHPUT),
        (Pattern.ROUTER_ROUTER, 64, Metric.THROUGHPUT),
        (Pattern.PUSH_PULL, 64, Metric.ROUND_TRIP),
    )
)
"""Small messages, where the noise is worst, and the two ways of timing."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What stands between the self-test and the outside: a test puts fakes here.

    ``libraries`` are the hashes of what is measured and of what measures, by name.  ``count`` tells
    a cell's instructions per message; without it none are counted.
    """

    backend: Backend
    libraries: Mapping[str, str] = field(default_factory=dict)
    count: Count | None = None


def process_bench(effects: Sequence[float], scratch: Path) -> Bench:
    """The real thing, with the copies of the libraries in ``scratch``."""
    libzmq = real_libzmq()
    repeating = known_library("repeating")
    copies = {}
    copied_at = scratch / "repeating"
    copied_at.mkdir()
    for name in (PLACEBO_NAME, COPY):
        folder = scratch / name
        folder.mkdir()
        copies[name] = Path(placebo_of(libzmq, folder).path)
    launcher = RepeatingLauncher(
        ProcessLauncher(),
        {arm_name(effect): effect for effect in effects},
        lambda arm: copies.get(arm, Path(libzmq.path)),
    )
    plain = as_contender(BASELINE, repeating, libzmq)
    copied = placebo_of(plain, copied_at)
    contenders = (
        plain,
        replace(copied, name=COPY),
        *(replace(plain, name=arm_name(effect)) for effect in effects),
    )

    def resolve(scenario: Scenario, _libs: Sequence[str]) -> tuple[Contender, ...]:
        return tuple(each for each in contenders if each.name in scenario.contenders)

    burning = known_library("burning")
    return Bench(
        Backend(launcher, resolve, placebo_of),
        {
            "libzmq": libzmq.sha256,
            "driver": _driver_sha256(),
            "repeating": sha256_of(repeating),
            "burning": sha256_of(burning),
        },
        callgrind_count(libzmq, copies[COPY], burning),
    )


def _driver_sha256() -> str:
    found = find_spec("slkbench.driver._driver")
    return sha256_of(Path(found.origin)) if found is not None and found.origin else "not built"


def arm_name(effect: float) -> str:
    """``plus-5%`` of 0.05."""
    return f"plus-{effect * 100:g}%"


def choose_cells(globs: Sequence[str]) -> tuple[Cell, ...]:
    """The cells whose title fits one of ``globs``, or all. Raises UsageError for none."""
    return cells_named(CELLS, globs)


def size_cell(bench: Bench, cell: Cell, *, min_time_s: float, placement: Placement) -> Cell:
    """``cell`` with as many messages per sample as libzmq needs ``min_time_s`` for.

    Raises ContenderFailedError where libzmq itself fails.
    """
    scenario = Scenario("pilot", "?", (cell,), contenders=(BASELINE,))
    (contender,) = bench.backend.resolve(scenario, ())
    arm = Arm(BASELINE, contender, ArmRole.BASELINE)
    found = calibrate(
        bench.backend.launcher, cell, arm, placement, min_time_s=min_time_s, timeout_s=60.0
    )
    if found.sample.status != Status.OK:
        raise ContenderFailedError(f"{cell.title}: libzmq failed: {found.sample.reason}")
    return replace(cell, messages=found.messages)


def measure_pass(
    bench: Bench,
    cells: Sequence[Cell],
    effects: Sequence[float],
    *,
    looks: tuple[int, ...],
    budget_s: float,
    seed: int,
    out: Path,
    label: str,
    wait_s: float,
    observer: Observer,
) -> RunResult:
    """Measure all arms of ``cells``, which have been sized, as a run of its own below ``out``.

    Raises as ``run_request`` does.
    """
    plan = _scenario(cells, effects, looks)
    scenario = replace(plan, name=label, budget_s=budget_s, seed=seed)
    request = Request(scenario, results=out, wait_s=wait_s, drops_decided=True)
    return run_request(request, observer=observer, backend=bench.backend)


def least_pass_s(
    cells: Sequence[Cell], effects: Sequence[float], min_time_s: float, looks: tuple[int, ...]
) -> float:
    """How long a pass takes to the first look of every cell, about, in seconds."""
    scenario = replace(_scenario(cells, effects, looks), min_time_s=min_time_s)
    pilot_s = len(cells) * CALIBRATING_SAMPLES * min_time_s
    return pilot_s + estimate(scenario).least_s


def _scenario(cells: Sequence[Cell], effects: Sequence[float], looks: tuple[int, ...]) -> Scenario:
    return Scenario(
        "selftest",
        "Are the verdicts about known differences true?",
        tuple(cells),
        contenders=(BASELINE, COPY, *map(arm_name, effects)),
        baseline=BASELINE,
        min_effect=MIN_EFFECT,
        looks=looks,
    )
