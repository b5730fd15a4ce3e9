"""Fakes for everything between a run and the outside, and libraries that misbehave."""

from __future__ import annotations

import hashlib
import math
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from slkbench.contenders import known_contenders, parse_lib
from slkbench.errors import ContenderError
from slkbench.model import (
    ArmRole,
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Pattern,
    Placement,
    Sample,
    Scenario,
    Slot,
    Status,
    Transport,
)
from slkbench.profile.builds import VARIANTS, Build, build_serverlink
from slkbench.runner.session import Backend
from slkbench.scenario import scenario_hash, scenario_to_json
from slkbench.store import RunStore

# A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

_BASE_NS = 1000.0
_OVERHEAD_S = 0.1


@dataclass
class FakeWorld:
    """A launcher with seeded noise, a clock that it moves, and libraries of given speed.

    ``speeds`` are times per message by contender, of the baseline's.  ``on_sample`` is called with
    the number of each sample before it is measured, calibration included, and may change the
    sample or raise.
    """

    lock_file: Path
    speeds: dict[str, float] = field(
        default_factory=lambda: {"libzmq": 1.0, "serverlink": 0.5, "floor": 0.2}
    )
    noise_sd: float = 0.01
    seed: int = 1
    without_push_pull: frozenset[str] = frozenset()
    sha256: str = "0" * 64
    on_sample: Callable[[int, Cell, Slot, Sample], Sample] = lambda _n, _cell, _slot, s: s
    now_s: float = 0.0
    measured: list[tuple[Cell, Slot, Placement, int]] = field(default_factory=list)

    def measure(
        self, cell: Cell, slot: Slot, placement: Placement, messages: int, timeout_s: float
    ) -> Sample:
        """A sample at the contender's speed, with noise, after the time that it takes."""
        number = len(self.measured)
        self.measured.append((cell, slot, placement, messages))
        noise = random.Random(f"{self.seed} {number}").gauss(0.0, self.noise_sd)
        speed = self.speeds[slot.arm.contender.name]
        elapsed_ns = round(_BASE_NS * speed * math.exp(noise) * messages)
        self.now_s += elapsed_ns / 1e9 + _OVERHEAD_S
        sample = Sample(
            arm=slot.arm.name,
            contender=slot.arm.contender.name,
            layer=cell.layer,
            pattern=cell.pattern,
            transport=cell.transport,
            topology=cell.topology,
            metric=cell.metric,
            size_bytes=cell.size_bytes,
            io_threads=cell.io_threads,
            sndhwm=cell.sndhwm,
            rcvhwm=cell.rcvhwm,
            senders=cell.senders,
            receivers=cell.receivers,
            idle_peers=cell.idle_peers,
            offered_msgs_per_s=cell.offered_msgs_per_s,
            messages=messages,
            elapsed_ns=elapsed_ns,
            time_per_message_ns=elapsed_ns / messages,
            rate_msgs_per_s=messages / elapsed_ns * 1e9,
            cpu_ns=2 * elapsed_ns,
            steal_fraction=0.0,
            foreign_cpu_fraction=0.0,
        )
        return self.on_sample(number, cell, slot, sample)

    def resolve(self, scenario: Scenario, libs: Sequence[str]) -> tuple[Contender, ...]:
        """Contenders of the names that have a speed."""
        found = []
        for name in scenario.contenders:
            if name not in self.speeds:
                raise ContenderError(f"no contender {name!r}")
            kind = ContenderKind.FLOOR if name == "floor" else ContenderKind.LIBRARY
            patterns = (
                (Pattern.ROUTER_ROUTER,) if name in self.without_push_pull else tuple(Pattern)
            )
            found.append(
                Contender(
                    name,
                    Layer.NATIVE,
                    kind,
                    path=f"/lib/{name}.so",
                    version="1.0",
                    sha256=self.sha256,
                    patterns=patterns,
                )
            )
        return tuple(found)

    @property
    def backend(self) -> Backend:
        """This world as a run sees it."""
        return Backend(self, self.resolve, _copied, lambda: self.now_s, self.lock_file)


def _copied(contender: Contender, folder: Path) -> Contender:
    return replace(contender, path=str(folder / "copy.so"))


def failing(arm: str, reason: str, *, times: int) -> Callable[[int, Cell, Slot, Sample], Sample]:
    """An ``on_sample`` that lets the first ``times`` samples of ``arm`` fail."""
    left = [times]

    def fail(_number: int, _cell: Cell, slot: Slot, sample: Sample) -> Sample:
        if slot.arm.name != arm or left[0] == 0:
            return sample
        left[0] -= 1
        return replace(
            sample,
            status=Status.FAILED,
            reason=reason,
            messages=None,
            elapsed_ns=None,
            time_per_message_ns=None,
            rate_msgs_per_s=None,
            cpu_ns=None,
        )

    return fail


@pytest.fixture
def fake_world(tmp_path: Path) -> FakeWorld:
    """Three contenders: libzmq, serverlink at half its time, and the floor."""
    return FakeWorld(tmp_path / "lock")


@pytest.fixture
def fail_samples() -> Callable[..., Callable[[int, Cell, Slot, Sample], Sample]]:
    """``failing``, for an ``on_sample``."""
    return failing


@pytest.fixture
def build_thrice(tmp_path: Path) -> Callable[[Path, str], tuple[list[Build], int]]:
    """``build_thrice(impl, "O2")``: three builds of a tree, and how many were trained with."""

    def build(impl: Path, variant: str) -> tuple[list[Build], int]:
        trained: list[Path] = []
        builds = build_serverlink(
            impl,
            VARIANTS[variant],
            tmp_path / "out",
            rebuilds=3,
            seed=1,
            train=trained.append,
            note=lambda _text: None,
        )
        return builds, len(trained)

    return build


_REAL_LIBZMQ_VARIABLE = "SLKBENCH_REAL_LIBZMQ"
_DOUBLES = Path(__file__).parent / "doubles"
_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-function")
_COMPILE = ("gcc", "-std=gnu11", *_WARNINGS, "-O1", "-g", "-shared", "-fPIC")


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Contender]]:
    """Compiles ``doubles/NAME.c`` on demand and gives it as a contender of that name."""
    if shutil.which("gcc") is None:
        pytest.skip("doubles need gcc")
    folder = tmp_path_factory.mktemp("doubles")
    libzmq = {(name, layer): found for name, layer, found in known_contenders()}[
        "libzmq", Layer.NATIVE
    ]
    if not isinstance(libzmq, Contender):
        pytest.skip(str(libzmq))
    made: dict[str, Contender] = {}

    def compiled(name: str) -> Contender:
        if name not in made:
            target = folder / f"{name}.so"
            source = _DOUBLES / f"{name}.c"
            subprocess.run([*_COMPILE, "-o", target, source, "-ldl"], check=True)
            made[name] = parse_lib(f"{name}={target}")
        return made[name]

    os.environ[_REAL_LIBZMQ_VARIABLE] = libzmq.path
    try:
        yield compiled
    finally:
        del os.environ[_REAL_LIBZMQ_VARIABLE]


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """``write_run("name", {"serverlink": 0.6})``: a run in ``results`` of the test's folder.

    The times are those of ``speeds`` in µs, with noise; ``day`` slows all of them alike, and
    ``builds`` gives each library's version; ``two_ways`` are arms of which every other block takes
    half as long again.
    """
    root = tmp_path / "results"

    def write(
        name: str,
        speeds: dict[str, float] | None = None,
        *,
        cells: tuple[Cell, ...] = (Cell(Pattern.PUSH_PULL, Transport.TCP, 64),),
        blocks: int = 8,
        seed: int = 0,
        day: float = 1.0,
        noise_sd: float = 0.01,
        builds: dict[str, str] | None = None,
        min_time_s: float = 0.25,
        two_ways: Sequence[str] = (),
        **metadata: Any,
    ) -> Path:
        times = {"libzmq": 1.0, "serverlink": 0.5} | (speeds or {})
        rng = random.Random(f"{name} {seed}")
        scenario = Scenario(
            name, "?", cells, contenders=tuple(times), rounds=blocks, min_time_s=min_time_s
        )
        record = {
            "scenario": scenario_to_json(scenario),
            "scenario_hash": scenario_hash(scenario),
            "machine": {"fingerprint": "a CPU | 2 CPUs", "cpu_model": "a CPU", "cpus": 2},
            "placement": {"sender_cpus": [0], "receiver_cpus": [1]},
            "libraries": [_library(each, (builds or {}).get(each, "1.0")) for each in times],
            "slkbench": "0.1.0",
            "status": "complete",
        }
        arms = [*times, "placebo"]
        with RunStore.create(root, name, record | metadata) as store:
            for cell in cells:
                for block in range(blocks):
                    for slot, arm in enumerate((*arms, *reversed(arms))):
                        speed = times.get(arm, times["libzmq"]) * day
                        speed *= 1.5 if arm in two_ways and block % 2 else 1.0
                        time_ns = 1000 * speed * math.exp(rng.gauss(0, noise_sd))
                        sample = _stored(cell, block, slot, arm, time_ns, store.run_id)
                        version = (builds or {}).get(sample.contender, "1.0")
                        store.append(replace(sample, library_version=version))
        return store.path

    return write


def _library(name: str, version: str) -> dict[str, Any]:
    return {
        "name": name,
        "layer": "native",
        "kind": "library",
        "path": f"/lib/{name}.so",
        "version": version,
        "sha256": hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
        "build_flags": "-O2",
    }


def _stored(cell: Cell, block: int, slot: int, arm: str, time_ns: float, run_id: str) -> Sample:
    roles = {"libzmq": ArmRole.BASELINE, "placebo": ArmRole.PLACEBO}
    return Sample(
        run_id=run_id,
        block=block,
        slot=slot,
        arm=arm,
        contender="libzmq" if arm == "placebo" else arm,
        role=roles.get(arm, ArmRole.CONTENDER),
        library_version="1.0",
        pattern=cell.pattern,
        transport=cell.transport,
        size_bytes=cell.size_bytes,
        metric=cell.metric,
        p50_ns=round(time_ns) if cell.metric.times_round_trips else None,
        p90_ns=round(2 * time_ns) if cell.metric.times_round_trips else None,
        p99_ns=round(3 * time_ns) if cell.metric.times_round_trips else None,
        messages=1000,
        elapsed_ns=round(time_ns * 1000),
        time_per_message_ns=time_ns,
        rate_msgs_per_s=1e9 / time_ns,
        cpu_ns=round(time_ns * 2000),
        steal_fraction=0.0,
        foreign_cpu_fraction=0.0,
        started_utc="2026-01-01T00:00:00+00:00",
    )
