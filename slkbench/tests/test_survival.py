"""Contenders that misbehave, as a user of the command line meets them; and what outlives a run.

The doubles are shared objects that pass calls on to a real libzmq; see ``doubles/``.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from slkbench.model import Contender, Status
from slkbench.store import read_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

Compile = Callable[[str], Contender]
DEADLINE_S = 20.0
PROC = Path("/proc")

MISBEHAVING = {
    "crashing": r"^process killed by SIGSEGV while measuring",
    "exiting": r"^process ended with exit code 0 without a result, while measuring",
    "forking": r"^process left 2 processes running when it ended: python[0-9.]*, python",
    "greedy": r"perhaps out of memory: it held .* of the 256 MiB that a process may have \(--mem",
    "leaking": r"Too many open files",
    "closing": r"^the library closed the standard output of process, so nothing more is heard of",
    "forging": r"^garbage on stdout: a result that is none",
    "babbling": r"^garbage on stdout: 'welcome to the messaging library' \(process\)",
    "complaining": r"^process killed by SIGABRT while measuring, .*; stderr: \\x1b\[2J",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with temporary files and the doubles' notes below it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("SLKBENCH_DOUBLE_NOTES", str(tmp_path / "notes"))
    return tmp_path


def start_run(place: Path, doubles: Iterable[Contender], *more: str) -> subprocess.Popen[str]:
    return start_slkbench(
        place, "run --pattern push-pull --contender libzmq --count 12k", doubles, *more
    )


def start_slkbench(
    place: Path, words: str, doubles: Iterable[Contender], *more: str
) -> subprocess.Popen[str]:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)); "
        "from slkbench.cli.main import main; main()"
    )
    libs = [word for each in doubles for word in ("--lib", f"{each.name}={each.path}")]
    cell = "--size 64 --transport ipc --wait 100s"
    command = [sys.executable, "-c", code, *words.split(), *cell.split(), *libs, *more]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=place, stdout=pipe, stderr=pipe, text=True)


def test_each_that_misbehaves_is_named_and_the_run_goes_on(double: Compile, place: Path) -> None:
    doubles = [double(name) for name in MISBEHAVING]
    with start_run(
        place, doubles, "--rounds", "1", "--memory-limit", "256M", "--timeout", "8s"
    ) as run:
        said, complaint = run.communicate(timeout=150)
    assert run.returncode == 4, complaint
    (path,) = (place / "results").iterdir()
    samples = read_run(path).samples
    for name, words in MISBEHAVING.items():
        own = [each for each in samples if each.arm == name]
        assert [each.status for each in own] == [Status.FAILED] * 2, own
        for each in own:
            assert re.search(words, each.reason or ""), each.reason
    others = [each for each in samples if each.arm in ("libzmq", "placebo")]
    assert [each.status for each in others] == [Status.OK] * 4
    assert said.count("FAILED") >= len(MISBEHAVING)
    assert "\x1b" not in said + complaint
    assert_gone(map(int, (place / "notes").read_text().split()))
    assert list((place / "tmp").iterdir()) == []


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_nothing_outlives_a_run_that_is_ended(
    double: Compile, place: Path, by: signal.Signals
) -> None:
    doubles = [double("forking"), double("hanging")]
    with start_run(place, doubles, "--rounds", "1") as run:
        await_condition(lambda: is_hanging(run.pid), run)
        left = descendants(run.pid)
        assert len(left) >= 2  # a watcher and what it watches
        run.send_signal(by)
        _, complaint = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == (-by if by == signal.SIGKILL else 130)
    notes = place / "notes"
    assert_gone({*left, *map(int, notes.read_text().split() if notes.exists() else ())})
    if by != signal.SIGKILL:
        assert "samples are kept" in complaint
        assert list((place / "tmp").iterdir()) == []
        return
    # What is killed cannot tidy up; the next one does.
    assert list((place / "tmp").iterdir()) != []
    with start_run(place, [], "--rounds", "1", "--out", "other") as again:
        again.communicate(timeout=60)
    assert again.returncode == 0
    assert list((place / "tmp").iterdir()) == []


def test_nothing_outlives_a_profile_that_is_killed(double: Compile, place: Path) -> None:
    hanging = double("hanging")
    words = ["--contender", "hanging", "--count", "9k", "--timeout", "100s"]
    with start_slkbench(place, "profile allocations", [hanging], *words) as profile:
        await_condition(lambda: is_hanging(profile.pid, "driver/profiled\0"), profile)
        left = descendants(profile.pid)
        assert len(left) >= 2  # a watcher and what it watches
        profile.kill()
        profile.communicate(timeout=DEADLINE_S)
    assert_gone(left)


def is_hanging(slkbench: int, program: str = "slkbench.endpoint\0") -> bool:
    """Whether a measured process has loaded the double that hangs, which it will."""
    for each in descendants(slkbench):
        with suppress(OSError):
            if "hanging.so" in (PROC / str(each) / "maps").read_text():
                return program in (PROC / str(each) / "cmdline").read_text()
    return False


def descendants(process: int) -> set[int]:
    found: set[int] = set()
    with suppress(OSError):
        for task in (PROC / str(process) / "task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found |= {child} | descendants(child)
    return found


def await_condition(is_met: Callable[[], bool], run: subprocess.Popen[str] | None = None) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_met():
        assert time.monotonic() < deadline_s
        assert run is None or run.poll() is None
        time.sleep(0.01)


def assert_gone(processes: Iterable[int]) -> None:
    places = [PROC / str(each) for each in processes]
    await_condition(lambda: not any(place.exists() for place in places))
