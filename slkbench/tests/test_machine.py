"""Host facts are read from /proc and /sys; what cannot be read is None."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from slkbench.machine import (
    find_doubts,
    find_tools,
    fingerprint,
    git_state,
    machine_record,
    read_machine,
    stored_fingerprint,
)

_FILES = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Test CPU 9000\nflags\t\t: fpu hypervisor sse\n",
    "proc/loadavg": "1.50 0.70 0.20 1/100 999\n",
    "proc/meminfo": "MemTotal:       2048 kB\n",
    "proc/stat": "cpu  70 0 20 900 5 0 0 10 0 0\ncpu0 1 2 3\n",
    "proc/pressure/cpu": "some avg10=1.00 avg60=2.50 avg300=0.10 total=1\n",
    "proc/sys/kernel/randomize_va_space": "2\n",
    "proc/sys/net/ipv4/tcp_congestion_control": "cubic\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
    "sys/class/dmi/id/sys_vendor": "QEMU\n",
}


def _fake_root(folder: Path) -> Path:
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_facts_come_from_the_files_of_the_root(tmp_path: Path) -> None:
    machine = read_machine(_fake_root(tmp_path), compilers=False)
    assert machine.cpu_model == "Test CPU 9000"
    assert machine.memory_bytes == 2 << 20
    assert machine.steal_fraction_since_boot == pytest.approx(0.1)
    assert (machine.load_1m, machine.load_5m, machine.load_15m) == (1.5, 0.7, 0.2)
    assert machine.cpu_pressure_avg60_percent == 2.5
    assert machine.transparent_huge_pages == "madvise"
    assert (machine.governor, machine.turbo, machine.aslr) == ("powersave", "on", "on")
    assert machine.congestion_control == "cubic"
    assert machine.virtualisation == "guest (QEMU)"


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    machine = read_machine(tmp_path, compilers=False)
    assert machine.governor is None
    assert machine.memory_bytes is None
    assert machine.steal_fraction_since_boot is None
    assert machine.load_1m is None
    assert machine.cpus >= 1


def test_fingerprint_ignores_what_drifts_and_sees_what_matters(tmp_path: Path) -> None:
    machine = read_machine(_fake_root(tmp_path), compilers=False)
    drifted = replace(machine, load_1m=9.0, steal_fraction_since_boot=0.5, governor="performance")
    assert fingerprint(drifted) == fingerprint(machine)
    for other in (
        replace(machine, cpu_model="other"),
        replace(machine, cpus=machine.cpus + 1),
        replace(machine, kernel="other"),
        replace(machine, virtualisation="none"),
    ):
        assert fingerprint(other) != fingerprint(machine)


def test_record_is_json_and_carries_the_fingerprint(tmp_path: Path) -> None:
    import json

    machine = read_machine(_fake_root(tmp_path), compilers=False)
    record = json.loads(json.dumps(machine_record(machine)))
    assert stored_fingerprint(record) == fingerprint(machine)
    assert stored_fingerprint({}) is None


def test_doubts_name_load_steal_governor_turbo_and_a_single_cpu(tmp_path: Path) -> None:
    machine = read_machine(_fake_root(tmp_path), compilers=False)
    bad = replace(machine, usable_cpus=(0,))
    seen = " / ".join(doubt.seen for doubt in find_doubts(bad))
    for word in ("one CPU", "load is 1.5", "10%", "powersave", "turbo"):
        assert word in seen
    good = replace(
        machine,
        usable_cpus=(0, 1),
        load_1m=0.0,
        steal_fraction_since_boot=0.0,
        governor=None,
        turbo=None,
    )
    assert find_doubts(good) == ()


def test_every_tool_has_a_version_or_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    tools = {tool.name: tool for tool in find_tools()}
    assert set(tools) == {"perf", "strace", "valgrind", "heaptrack", "gperftools"}
    assert tools["strace"].summary == "missing: install with apt install strace"


def test_a_tool_that_fails_has_an_unknown_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "strace"
    program.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    tools = {tool.name: tool for tool in find_tools()}
    assert tools["strace"].summary == "version unknown"


def test_git_state_is_commit_and_dirtiness(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    assert git_state(tmp_path) == (None, False)
    git("init", "-q")
    (tmp_path / "file").write_text("1", encoding="utf-8")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    commit, dirty = git_state(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    assert not dirty
    (tmp_path / "untracked").write_text("2", encoding="utf-8")
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "file").write_text("2", encoding="utf-8")
    assert git_state(tmp_path) == (commit, True)
