"""``slkbench profile`` with real processes and, where they are installed, the real tools."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slkbench.cli.main import cli
from slkbench.contenders import known_contenders
from slkbench.model import Cell, Contender, Layer, Metric, Pattern, Scenario, Transport
from slkbench.profile.allocations import COUNTER
from slkbench.profile.workload import EXECUTABLE
from slkbench.scenario import scenario_to_json
from slkbench.schema import profile_columns
from slkbench.store import RunStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not (EXECUTABLE.is_file() and COUNTER.is_file()), reason="the native driver is not built"
    ),
]

TCP_64 = ("--transport", "tcp", "--size", "64")

Row = dict[str, str]
Profile = Callable[..., Result]


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [each for each in programs if shutil.which(each) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


@pytest.fixture
def contender() -> str:
    """A native library that is here."""
    for name, layer, found in known_contenders():
        if layer is Layer.NATIVE and isinstance(found, Contender) and found.path:
            return name
    pytest.skip("no native library is installed")


@pytest.fixture
def profile(tmp_path: Path, contender: str) -> Profile:
    """Profile that library over a small cell; wait for a run of somebody else."""

    def run(tool: str, *options: str) -> Result:
        where = ("--contender", contender, "--pattern", "push-pull")
        out = ("--results", str(tmp_path), "--wait", "60s", "--repetitions", "1")
        return CliRunner().invoke(cli, ("profile", tool, *where, *out, *options))

    return run


def only_folder(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def processes_marked(mark: str) -> Iterator[int]:
    """Those that have inherited this assignment in their environment."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes():
                    yield int(folder.name)


def rows_of(folder: Path, tool: str) -> list[Row]:
    with (only_folder(folder) / f"profile-{tool}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def per_message(rows: list[Row], role: str, quantity: str, what: str = "all") -> float:
    (value,) = [
        float(row["per_message"])
        for row in rows
        if (row["role"], row["quantity"], row["what"]) == (role, quantity, what)
    ]
    return value


def test_allocations_are_stored_with_their_run(profile: Profile, tmp_path: Path) -> None:
    result = profile("allocations", *TCP_64, "--count", "2000", "--workload", "lockstep")
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path, "allocations")
    assert list(rows[0]) == [column.name for column in profile_columns()]
    allocations = per_message(rows, "all", "allocations")
    assert 0 <= allocations < 10
    # What is allocated is freed again, or memory would grow with the messages.
    assert per_message(rows, "all", "frees") == pytest.approx(allocations, abs=0.2)
    (peak,) = [row for row in rows if row["quantity"] == "peak-rss-bytes"]
    assert float(peak["count"]) > 1 << 20
    folder = only_folder(tmp_path)
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["profile"]) == ("complete", "allocations")
    tables = (folder / "profile-allocations.md").read_text()
    assert "push-pull tcp 64 B" in tables
    assert "peak-rss-bytes" not in tables
    assert not (folder / "samples.csv").exists()


def test_every_allocation_is_counted(tmp_path: Path) -> None:
    """The counter's own arithmetic, on a program whose allocations are known."""

    def count(loops: int) -> list[int]:
        file = tmp_path / "counts"
        program = (
            "import ctypes, threading\n"
            "c = ctypes.CDLL(None)\n"
            "c.malloc.restype = c.realloc.restype = ctypes.c_void_p\n"
            "c.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]\n"
            "c.free.argtypes = [ctypes.c_void_p]\n"
            "def work():\n"
            f"    for _ in range({loops}):\n"
            "        c.free(c.realloc(c.malloc(1000), 9000))\n"
            "thread = threading.Thread(target=work)\n"
            "thread.start(); thread.join()\n"
        )
        variables = {**os.environ, "LD_PRELOAD": str(COUNTER)}
        variables |= {"SLKBENCH_ALLOCATIONS_FILE": str(file), "PYTHONMALLOC": "pymalloc"}
        subprocess.run([sys.executable, "-c", program], env=variables, check=True)
        numbers = [[int(word) for word in line.split()] for line in file.read_text().splitlines()]
        return max(numbers, key=lambda line: line[3])[1:]

    shorter, longer = count(10_000), count(30_000)
    allocations, frees, size_bytes = (b - a for a, b in zip(shorter, longer, strict=True))
    assert allocations == pytest.approx(40_000, rel=0.01)
    assert frees == pytest.approx(40_000, rel=0.01)
    assert size_bytes == pytest.approx(20_000 * 10_000, rel=0.01)


@needs("valgrind")
def test_instructions_are_the_same_twice(profile: Profile, tmp_path: Path) -> None:
    options = ("--transport", "inproc", "--size", "64", "--count", "1000", "--repetitions", "2")
    result = profile("instructions", *options)
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path, "instructions")
    for role in ("sender", "receiver"):
        (row,) = [row for row in rows if (row["role"], row["what"]) == (role, "all")]
        assert float(row["spread"]) < 0.005
        assert 20 < float(row["per_message"]) < 5000
    assert per_message(rows, "all", "calls", "memory copies") >= 1


@needs("strace")
def test_system_calls_move_every_byte(profile: Profile, tmp_path: Path) -> None:
    result = profile("syscalls", "--transport", "tcp", "--count", "1000", "--size", "1KiB")
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path, "syscalls")
    moved = [
        row for row in rows if row["quantity"] == "bytes-calls" and row["size_bytes"] == "1024"
    ]
    most_bytes = sum(float(row["per_message"]) * 2 * int(row["from_bytes"]) for row in moved)
    assert most_bytes > 2 * 1024  # sent and received
    assert per_message(rows, "all", "calls") > 0
    assert per_message(rows, "all", "voluntary-switches") >= 0
    assert "strace stops a thread at each call" in result.stdout


def test_operations_are_timed_within_an_iteration(profile: Profile, tmp_path: Path) -> None:
    result = profile("operations", *TCP_64, "--count", "20k")
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path, "operations")
    means = {
        (row["role"], row["what"]): float(row["count"])
        for row in rows
        if row["quantity"] == "mean-ns"
    }
    (timer_ns,) = [float(row["count"]) for row in rows if row["quantity"] == "timer-cost-ns"]
    assert ("sender", "send routing id") not in means  # PUSH sends none
    for role, what in (("sender", "send message"), ("receiver", "recv message")):
        # What a look at the timer costs is subtracted, and differs from look to look.
        assert 0 < means[role, what] <= means[role, "total iteration"] + timer_ns
    costs = [row["what"] for row in rows if "cost" in row["quantity"]]
    assert {"all", "every"} <= set(costs)
    assert "instrumentation costs" in result.stdout
    assert "timed messages" in result.stdout


def test_a_profile_of_a_run_stands_beside_its_samples(contender: str, tmp_path: Path) -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)
    round_trip = replace(cell, metric=Metric.ROUND_TRIP)
    scenario = Scenario("mine", "?", (cell, round_trip), (contender,), baseline=contender)
    stored = {"scenario": scenario_to_json(scenario)}
    with RunStore.create(tmp_path, "mine", stored) as store:
        record = (store.path / "run.json").read_bytes()
    options = ("--run", "latest", "--results", str(tmp_path), "--count", "2000")
    more = ("--repetitions", "1", "--wait", "60s")
    for _ in range(2):  # the second time in place of the first
        result = CliRunner().invoke(cli, ("profile", "operations", *options, *more))
        assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path, "operations")
    assert {row["transport"] for row in rows} == {"inproc"}
    assert len({(row["role"], row["what"], row["quantity"]) for row in rows}) == len(rows)
    assert (store.path / "run.json").read_bytes() == record
    assert json.loads((store.path / "profile-operations.json").read_text())["status"] == "complete"


@needs("perf")
def test_cpu_time_adds_up_and_leaves_stacks(profile: Profile, tmp_path: Path) -> None:
    result = profile("cpu", *TCP_64, "--count", "200k")  # long enough for many samples
    if "perf took no samples" in result.output:
        pytest.skip("perf may not sample here")
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path, "cpu")
    wall_ns = per_message(rows, "all", "wall-ns")
    parts = [float(row["per_message"]) for row in rows if row["quantity"] == "part-ns"]
    threads = [float(row["per_message"]) for row in rows if row["quantity"] == "on-cpu-ns"]
    assert sum(parts) == pytest.approx(sum(threads), rel=0.05)
    for quantity in ("on-cpu-ns", "core-wait-ns"):
        # The clocks are read one after the other.
        assert 0 <= per_message(rows, "receiver", quantity) <= 1.02 * wall_ns
    stacks = only_folder(tmp_path) / "stacks"
    (folded,) = stacks.glob("*.folded")
    assert "receiver;" in folded.read_text()
    (speedscope,) = stacks.glob("*.speedscope.json")
    assert json.loads(speedscope.read_text())["profiles"]


@pytest.mark.parametrize(
    ("tool", "program"), [("instructions", "valgrind"), ("syscalls", "strace")]
)
def test_a_missing_tool_is_named_with_its_package(
    tool: str, program: str, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = profile(tool, "--transport", "inproc")
    assert result.exit_code == 2
    assert f"apt install {program}" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--layer", "python"), "native cells"),
        (("--metric", "round-trip"), "throughput cell"),
        (("--topology", "processes", "--workload", "lockstep"), "one thread drives both sockets"),
        (("--contender", "libzqm"), "unknown contender"),
    ],
)
def test_what_cannot_be_profiled_is_refused(
    options: tuple[str, ...], said: str, profile: Profile, tmp_path: Path
) -> None:
    result = profile("allocations", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


def test_cells_of_many_peers_are_left_out_and_named(contender: str, tmp_path: Path) -> None:
    # Their figures would be those of one pair.
    scenario = tmp_path / "peers.toml"
    many = '[[cells]]\npattern = ["push-pull"]\ntransport = ["inproc"]\nsize = [64]\nsenders = 8\n'
    out = tmp_path / "results"

    def profile(text: str) -> Result:
        scenario.write_text(f'[scenario]\nquestion = "?"\n{text}')
        options = ("--contender", contender, "--results", str(out), "--wait", "60s")
        arguments = ("profile", "allocations", "-s", str(scenario), *options)
        return CliRunner().invoke(cli, (*arguments, "--repetitions", "1", "--count", "1000"))

    result = profile(many)
    assert result.exit_code == 2
    assert "push-pull inproc 64 B 8 senders: a profile is of one sender" in result.stderr
    result = profile(many + many.replace("senders = 8", ""))
    assert result.exit_code == 0
    assert "not profiled, having more than one sender and receiver" in result.stderr
    assert {row["senders"] for row in rows_of(out, "allocations") if "senders" in row} <= {"1"}


def test_a_contender_that_fails_is_a_row_with_a_reason(profile: Profile, tmp_path: Path) -> None:
    result = profile("allocations", *TCP_64, "--count", "100000k", "--timeout", "1s")
    assert result.exit_code == 4
    (row,) = rows_of(tmp_path, "allocations")
    assert row["status"] == "FAILED"
    assert "hang" in row["reason"]
    assert row["reason"] in result.stderr


@pytest.mark.parametrize(
    ("tool", "doing"),
    [
        ("allocations", "counting allocations"),
        pytest.param("instructions", "callgrind", marks=needs("valgrind")),
    ],
)
def test_ctrl_c_ends_it_and_keeps_what_is_done(
    tool: str, doing: str, contender: str, tmp_path: Path
) -> None:
    options = ("--contender", contender, *TCP_64, "--wait", "60s")
    work = ("--count", "100000k", "--results", str(tmp_path), "--timeout", "60s")
    code = "from slkbench.cli.main import main; main()"
    command = [sys.executable, "-P", "-c", code, "profile", tool, *options, *work]
    mark = f"SLKBENCH_MARK={tmp_path}"
    variables = {**os.environ, "SLKBENCH_MARK": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as process:
        assert process.stderr is not None
        assert doing in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; what was profiled is kept in" in said
    assert "the one under way is lost" in said
    assert json.loads((only_folder(tmp_path) / "run.json").read_text())["status"] == "interrupted"
    # What was being started when it was interrupted ends when it sees that its parent has gone.
    deadline_s = time.monotonic() + 20.0
    while running := list(processes_marked(mark)):
        assert time.monotonic() < deadline_s, f"{running} run on"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("sideways", "1"),
        ("lockstep", "0"),
        ("lockstep", "1", "transport"),
        ("lockstep", "1", "transport=pigeon"),
        ("lockstep", "1", "sizes=64"),
        ("lockstep", "1", "size_bytes=64x"),
        ("lockstep", "1", "role=sender"),
    ],
)
def test_the_executable_refuses_what_it_does_not_know(words: tuple[str, ...]) -> None:
    done = subprocess.run([EXECUTABLE, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr
