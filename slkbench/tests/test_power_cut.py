"""A run that is killed at any moment, or whose disk is full, loses nothing and is gone on with.

Real processes of ``slkbench`` over fake contenders, which die by SIGKILL as they are about to
change the disk, or in the midst of a write.  SLKBENCH_KILL_POINTS sets how many moments are tried.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slkbench.model import Sample
from slkbench.store import list_runs, read_metadata, read_run

pytestmark = pytest.mark.slow

KILL_POINTS = int(os.environ.get("SLKBENCH_KILL_POINTS", "3"))
ROUNDS, CELLS, SLOTS = 3, 2, 8
Places = Counter[tuple[object, ...]]
RUN = ("run", "--size", "64", "--rounds", str(ROUNDS), "--seed", "5", "--affinity", "none", "-q")

# Arguments: tests folder, lock, number of the operation to die at, limit of a file's size, command.
PROGRAM = """
import os, pathlib, resource, signal, sys
tests, lock, fatal, file_limit, *arguments = sys.argv[1:]
sys.path.insert(0, tests)
import conftest
from slkbench.cli.main import cli

operations = 0

def deadly(function):
    def call(*values, **named):
        global operations
        operations += 1
        if operations == int(fatal):
            if function is write:
                write(values[0], bytes(values[1])[: len(values[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*values, **named)
    return call

write = os.write
if int(file_limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_limit), int(file_limit)))
world = conftest.FakeWorld(pathlib.Path(lock))
for name in ("write", "fsync", "mkdir", "rename", "replace", "truncate", "unlink"):
    setattr(os, name, deadly(getattr(os, name)))
try:
    cli.main(arguments, obj=world.backend)
finally:
    pathlib.Path(lock + ".operations").write_text(str(operations))
"""


def slkbench(
    folder: Path, *arguments: str, fatal: int = 0, file_limit: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the command line in ``folder`` against the fake world."""
    values = (str(Path(__file__).parent), str(folder / "lock"), str(fatal), str(file_limit))
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *values, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def places(samples: tuple[Sample, ...]) -> Places:
    return Counter((s.cell_key, s.block, s.slot, s.arm, s.env_pad_bytes, s.seed) for s in samples)


def only_run(folder: Path) -> Path:
    (path,) = list_runs(folder / "results")
    return path


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Places, int]:
    """The places of a run that nothing happens to, and how often it changes the disk."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = slkbench(folder, *RUN)
    assert done.returncode == 0, done.stderr
    found = places(read_run(only_run(folder)).samples)
    assert len(found) == ROUNDS * CELLS * SLOTS
    return found, int((folder / "lock.operations").read_text())


@pytest.mark.parametrize("point", range(KILL_POINTS))
def test_a_run_killed_at_any_moment_is_completed_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: tuple[Places, int], point: int
) -> None:
    expected, operations = undisturbed
    fatal = random.Random(f"{os.environ.get('SLKBENCH_KILL_SEED')} {point}").randint(1, operations)
    killed = slkbench(tmp_path, *RUN, fatal=fatal)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    results = tmp_path / "results"
    if not list_runs(results):  # it had not begun: nothing to go on with, and nothing in the way
        refused = slkbench(tmp_path, "run", "--resume")
        assert refused.returncode == 2
        assert "`slkbench run` makes one" in refused.stderr
        resumed = slkbench(tmp_path, *RUN)
    else:
        kept = read_run(only_run(tmp_path))
        resumed = slkbench(tmp_path, "run", "--resume")
        assert read_run(only_run(tmp_path)).samples[: len(kept.samples)] == kept.samples
        if kept.metadata["status"] == "complete":  # it was about to say so
            assert "is complete; there is nothing to resume" in resumed.stderr
            return
    assert resumed.returncode == 0, resumed.stderr
    path = only_run(tmp_path)
    run = read_run(path)
    assert places(run.samples) == expected
    assert run.findings == ()
    assert read_metadata(path)["status"] == "complete"
    assert {file.name for file in path.iterdir()} == {"run.json", "samples.csv"}
    assert [entry.name for entry in results.iterdir()] == [path.name]


def test_a_row_that_was_being_written_is_mended_and_said(tmp_path: Path) -> None:
    assert slkbench(tmp_path, *RUN, fatal=60).returncode == -signal.SIGKILL
    file = only_run(tmp_path) / "samples.csv"
    whole = file.read_bytes().rpartition(b"\n")[0] + b"\n"
    file.write_bytes(whole + whole.splitlines()[-1][:40] + "ä".encode()[:1])
    shown = slkbench(tmp_path, "show", "latest")
    assert shown.returncode == 0, shown.stderr
    resumed = slkbench(tmp_path, "run", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for words in ("the last row breaks off after 41 bytes", "that sample is measured again"):
        assert words in resumed.stderr


@pytest.mark.parametrize("by", ["limit", "disk"])
def test_a_full_disk_stops_the_run_and_nothing_is_lost(
    tmp_path: Path, undisturbed: tuple[Places, int], by: str
) -> None:
    if by == "limit":
        full = slkbench(tmp_path, *RUN, file_limit=9_000)
        why, remedy = "File too large", "ulimit -f"
    else:
        with small_disk(tmp_path / "results", "size=24k"):
            full = slkbench(tmp_path, *RUN)
            shutil.copytree(tmp_path / "results", tmp_path / "saved")
        shutil.copytree(tmp_path / "saved", tmp_path / "results", dirs_exist_ok=True)
        why, remedy = "No space left on device", "Make room there"
    assert full.returncode == 2
    last = full.stderr.strip().splitlines()[-1]
    kept = read_run(only_run(tmp_path))
    assert "samples.csv" in last or "run.json" in last
    for words in (why, remedy, f"{len(kept.samples)} samples are kept", "run --resume results/"):
        assert words in last
    assert 0 < len(kept.samples) < ROUNDS * CELLS * SLOTS
    assert kept.findings == ()
    resumed = slkbench(tmp_path, "run", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert places(read_run(only_run(tmp_path)).samples) == undisturbed[0]


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A disk of its own at ``folder``; the test is skipped where it may not be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_folder_that_may_only_be_read_is_named_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "results", "ro"):
        refused = slkbench(tmp_path, *RUN)
    assert refused.returncode == 2
    assert refused.stderr.strip() == (
        "slkbench: cannot create a run in results: Read-only file system. Make it writable for "
        "this user, or name another folder with --out."
    )


def test_a_second_run_refuses_or_waits_as_asked(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from slkbench.runner.lock import machine_lock\n"
        "with machine_lock(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        refused = slkbench(tmp_path, *RUN)
        assert refused.returncode == 2
        for words in (f"process {holder.pid}", "measures on this machine", "--wait"):
            assert words in refused.stderr
        in_vain = slkbench(tmp_path, *RUN, "--wait", "100ms")
        assert in_vain.returncode == 124
        assert "waited 0.1 s" in in_vain.stderr
        assert not (tmp_path / "results").exists()
        holder.kill()  # even so the lock is free
    waited = slkbench(tmp_path, *RUN, "--wait", "30s")
    assert waited.returncode == 0, waited.stderr
