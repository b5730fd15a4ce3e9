"""Measure libzmq against its own copy, and against itself with a known extra cost per message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from slkbench.binaries import sha256_of
from slkbench.contenders import placebo_of
from slkbench.errors import ContenderFailedError, UsageError
from slkbench.model import (
    Arm,
    ArmRole,
    Cell,
    Contender,
    Metric,
    Pattern,
    Placement,
    Scenario,
    Slot,
    Status,
    Transport,
)
from slkbench.plan import PLACEBO_NAME, estimate
from slkbench.runner.launch import ProcessLauncher, calibrate
from slkbench.runner.progress import Observer
from slkbench.runner.result import RunResult
from slkbench.runner.session import Backend, Request, run_request
from slkbench.selftest.library import (
    SpinningLauncher,
    as_contender,
    known_library,
    real_libzmq,
    work_ns,
)

__all__ = [
    "BASELINE",
    "CELLS",
    "COPY",
    "Bench",
    "Charge",
    "arm_name",
    "charge_cell",
    "choose_cells",
    "least_pass_s",
    "measure_pass",
    "process_bench",
]

BASELINE = "libzmq"
COPY = "copy"
# Few may all be in the slower of two modes, and what is charged would be too much by far.
PILOT_SAMPLES = 7
CALIBRATING_SAMPLES = 4  # about
# Of round trips as well, so that the same effects are asked of all cells.
MIN_EFFECT = 0.02
CELLS = tuple(
    Cell(pattern, transport, size_bytes, metric=metric)
    for transport in (Transport.INPROC, Transport.TCP)
    for pattern, size_bytes, metric in (
        (Pattern.PUSH_PULL, 64, Metric.THROUGHPUT),
        (Pattern.ROUTER_ROUTER, 1024, Metric.ROUND_TRIP),
        (Pattern.ROUTER_ROUTER, 64, Metric.THROUGHPUT),
        (Pattern.PUSH_PULL, 64, Metric.ROUND_TRIP),
    )
)
"""Small messages, where the noise is worst, and the two ways of timing."""
# No stream of 1 KiB: there libzmq's two threads stand in each other's way, and less where they are
# slowed, so that half as much work again costs a tenth more time.


@dataclass(frozen=True, slots=True)
class Charge:
    """The known extra cost of a cell's slowed arms, by effect.

    ``aimed_ns`` is ``effect`` of the pilot's time per message; ``extra_ns`` what each message costs
    more of the clock, as measured apart from any library, ``extra_cpu_ns`` the same of all CPUs.
    """

    effect: float
    aimed_ns: float
    extra_ns: float
    extra_cpu_ns: float


@dataclass(frozen=True, slots=True)
class Bench:
    """What stands between the self-test and the outside: a test puts fakes here.

    ``charge`` lets an arm spend so many ns more where it sends a message and where it receives
    one; ``cost_ns`` measures such an amount by itself.  ``libraries`` are the hashes of what is
    measured and of what measures, by name; ``turn_ns`` is the least amount of extra work.
    """

    backend: Backend
    charge: Callable[[Cell, str, float], None]
    cost_ns: Callable[[float], float]
    libraries: Mapping[str, str] = field(default_factory=dict)
    turn_ns: float = 1.0


def process_bench(effects: Sequence[float], scratch: Path) -> Bench:
    """The real thing, with the copies of the libraries in ``scratch``."""
    libzmq = real_libzmq()
    spinning = known_library("spinning")
    copies = {}
    copied_at = scratch / "spinning"
    copied_at.mkdir()
    for name in (PLACEBO_NAME, COPY):
        folder = scratch / name
        folder.mkdir()
        copies[name] = Path(placebo_of(libzmq, folder).path)
    turn_ns = work_ns(100.0, spinning) / 100
    launcher = SpinningLauncher(
        ProcessLauncher(), turn_ns, lambda arm: copies.get(arm, Path(libzmq.path))
    )
    plain = as_contender(BASELINE, spinning, libzmq)
    copied = placebo_of(plain, copied_at)
    contenders = (
        plain,
        replace(copied, name=COPY),
        *(replace(plain, name=arm_name(effect)) for effect in effects),
    )

    def resolve(scenario: Scenario, _libs: Sequence[str]) -> tuple[Contender, ...]:
        return tuple(each for each in contenders if each.name in scenario.contenders)

    return Bench(
        Backend(launcher, resolve, placebo_of),
        launcher.charge,
        lambda ns: work_ns(ns / turn_ns, spinning),
        {"libzmq": libzmq.sha256, "driver": _driver_sha256(), "spinning": sha256_of(spinning)},
        turn_ns,
    )


def _driver_sha256() -> str:
    found = find_spec("slkbench.driver._driver")
    return sha256_of(Path(found.origin)) if found is not None and found.origin else "not built"


def arm_name(effect: float) -> str:
    """``plus-5%`` of 0.05."""
    return f"plus-{effect * 100:g}%"


def choose_cells(globs: Sequence[str]) -> tuple[Cell, ...]:
    """The cells whose title fits one of ``globs``, or all. Raises UsageError for none."""
    if not globs:
        return CELLS
    chosen = tuple(
        cell for cell in CELLS if any(fnmatch(cell.title, f"*{glob}*") for glob in globs)
    )
    if not chosen:
        titles = "; ".join(cell.title for cell in CELLS)
        raise UsageError(f"no cell fits {' or '.join(globs)}; there are: {titles}")
    return chosen


def charge_cell(
    bench: Bench, cell: Cell, effects: Sequence[float], *, min_time_s: float, placement: Placement
) -> tuple[Cell, tuple[Charge, ...]]:
    """Pilot ``cell``, and charge its slowed arms. The cell with its work per sample.

    Raises ContenderFailedError where libzmq itself fails.
    """
    contender = bench.backend.resolve(Scenario("pilot", "?", (cell,), contenders=(BASELINE,)), ())[
        0
    ]
    arm = Arm(BASELINE, contender, ArmRole.BASELINE)
    launcher = bench.backend.launcher
    found = calibrate(launcher, cell, arm, placement, min_time_s=min_time_s, timeout_s=60.0)
    pilot = [found.sample]
    for number in range(PILOT_SAMPLES - 1):
        slot = Slot(0, number, arm, 0)
        pilot.append(launcher.measure(cell, slot, placement, found.messages, 60.0))
    times = [sample.time_per_message_ns for sample in pilot if sample.status == Status.OK]
    usual_ns = median(time for time in times if time) if any(times) else 0.0
    if usual_ns <= 0:
        raise ContenderFailedError(f"{cell.title}: libzmq failed: {pilot[-1].reason}")
    # One message at a time passes four charged calls, there and back; in a stream both sides work
    # at the same time, and the slower one is what the clock sees.
    calls = 4 if cell.metric.times_round_trips else 1
    charges = []
    for effect in effects:
        call_ns = effect * usual_ns / calls
        bench.charge(cell, arm_name(effect), call_ns)
        cost_ns = bench.cost_ns(call_ns)
        all_calls = 4 if cell.metric.times_round_trips else 2
        charges.append(Charge(effect, effect * usual_ns, calls * cost_ns, all_calls * cost_ns))
    return replace(cell, messages=found.messages), tuple(charges)


def measure_pass(
    bench: Bench,
    cells: Sequence[Cell],
    effects: Sequence[float],
    *,
    budget_s: float,
    seed: int,
    out: Path,
    label: str,
    wait_s: float,
    observer: Observer,
) -> RunResult:
    """Measure all arms of ``cells``, which have been charged, as a run of its own below ``out``.

    Raises as ``run_request`` does.
    """
    scenario = replace(_scenario(cells, effects), name=label, budget_s=budget_s, seed=seed)
    request = Request(scenario, results=out, wait_s=wait_s, drops_decided=True)
    return run_request(request, observer=observer, backend=bench.backend)


def least_pass_s(cells: Sequence[Cell], effects: Sequence[float], min_time_s: float) -> float:
    """How long a pass takes to the first look of every cell, about, in seconds."""
    scenario = replace(_scenario(cells, effects), min_time_s=min_time_s)
    pilot_s = len(cells) * (PILOT_SAMPLES + CALIBRATING_SAMPLES) * min_time_s
    return pilot_s + estimate(scenario).least_s


def _scenario(cells: Sequence[Cell], effects: Sequence[float]) -> Scenario:
    return Scenario(
        "selftest",
        "Are the verdicts about known differences true?",
        tuple(cells),
        contenders=(BASELINE, COPY, *map(arm_name, effects)),
        baseline=BASELINE,
        min_effect=MIN_EFFECT,
    )
