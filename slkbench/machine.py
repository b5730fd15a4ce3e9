"""What the machine is, as far as it bears on a measurement, and which tools it has.

Every fact is read, never set, and a fact that cannot be read is None: a virtual machine has no
frequency governor, a container no PSI.  ``Machine`` goes into ``run.json``; its ``fingerprint`` is
what stored runs are compared by, so it holds what changes results and not what drifts (MHz).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Doubt",
    "Machine",
    "Tool",
    "find_doubts",
    "find_tools",
    "fingerprint",
    "git_state",
    "machine_record",
    "read_machine",
    "stored_fingerprint",
]

_PROBE_TIMEOUT_S = 5.0
_BUSY_LOAD = 1.0
_HIGH_STEAL = 0.05
_COMPILERS = ("gcc", "g++", "clang", "clang++")


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts about the host. Loads are averages of runnable threads; fractions are of 1."""

    cpu_model: str
    cpus: int
    usable_cpus: tuple[int, ...]
    kernel: str
    virtualisation: str
    memory_bytes: int | None
    python: str
    governor: str | None
    turbo: str | None
    aslr: str | None
    transparent_huge_pages: str | None
    congestion_control: str | None
    perf_event_paranoid: int | None
    load_1m: float | None
    load_5m: float | None
    load_15m: float | None
    steal_fraction_since_boot: float | None
    cpu_pressure_avg60_percent: float | None
    compilers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that slkbench can use. ``version`` is None where it is missing."""

    name: str
    purpose: str
    version: str | None
    path: str | None
    install: str

    @property
    def summary(self) -> str:
        """The version, or how to get the tool."""
        return self.version if self.version is not None else f"missing: install with {self.install}"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about the machine that a measurement suffers from, and what helps."""

    seen: str
    remedy: str


def read_machine(root: Path = Path("/"), *, compilers: bool = True) -> Machine:
    """Read the host's facts from ``root``/proc and ``root``/sys.

    ``compilers`` asks each compiler on the PATH for its version, which starts processes.
    """
    cpuinfo = _text(root / "proc/cpuinfo") or ""
    load = (_text(root / "proc/loadavg") or "").split()
    return Machine(
        cpu_model=_field(cpuinfo, "model name") or platform.machine(),
        cpus=os.cpu_count() or 1,
        usable_cpus=tuple(sorted(os.sched_getaffinity(0))),
        kernel=platform.release(),
        virtualisation=_virtualisation(root, cpuinfo),
        memory_bytes=_memory_bytes(root),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        turbo=_turbo(root),
        aslr=_aslr(root),
        transparent_huge_pages=_chosen(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        congestion_control=_text(root / "proc/sys/net/ipv4/tcp_congestion_control"),
        perf_event_paranoid=_integer(root / "proc/sys/kernel/perf_event_paranoid"),
        load_1m=float(load[0]) if len(load) > 2 else None,
        load_5m=float(load[1]) if len(load) > 2 else None,
        load_15m=float(load[2]) if len(load) > 2 else None,
        steal_fraction_since_boot=_steal_since_boot(root),
        cpu_pressure_avg60_percent=_cpu_pressure(root),
        compilers=_compiler_versions() if compilers else (),
    )


def fingerprint(machine: Machine) -> str:
    """What two runs must share to be compared: CPU model, CPU count, kernel, virtualisation."""
    return " | ".join(
        (machine.cpu_model, f"{machine.cpus} CPUs", machine.kernel, machine.virtualisation)
    )


def machine_record(machine: Machine) -> dict[str, Any]:
    """``machine`` as ``run.json`` stores it, its fingerprint included."""
    record = asdict(machine)
    record["usable_cpus"] = list(machine.usable_cpus)
    record["compilers"] = dict(machine.compilers)
    return record | {"fingerprint": fingerprint(machine)}


def stored_fingerprint(record: dict[str, Any]) -> str | None:
    """The fingerprint in what ``machine_record`` stored, or None."""
    value = record.get("fingerprint")
    return value if isinstance(value, str) else None


def find_doubts(machine: Machine) -> tuple[Doubt, ...]:
    """What speaks against measuring on ``machine``, the worst first."""
    doubts = []
    if len(machine.usable_cpus) < 2:
        doubts.append(
            Doubt(
                "only one CPU may be used",
                "both threads share it; give the process two CPUs for results that mean more",
            )
        )
    load = machine.load_1m or 0.0
    if load > _BUSY_LOAD:
        doubts.append(Doubt(f"load is {load:g}", "stop other programs while measuring"))
    steal = machine.steal_fraction_since_boot or 0.0
    if steal > _HIGH_STEAL:
        doubts.append(
            Doubt(
                f"the hypervisor took {steal:.0%} of the busy time since boot",
                "blocks with much steal are discarded; more rounds, or a machine of your own, help",
            )
        )
    if machine.governor not in (None, "performance"):
        doubts.append(
            Doubt(
                f"the frequency governor is {machine.governor}",
                "set it to performance: cpupower frequency-set -g performance",
            )
        )
    if machine.turbo == "on":
        doubts.append(Doubt("turbo is on", "the clock varies with heat; turn it off if you can"))
    return tuple(doubts)


def find_tools() -> tuple[Tool, ...]:
    """The profilers that slkbench can use, each with its version or how to install it."""
    return (
        _tool("perf", "CPU samples, hardware counters", ("--version",), "apt install linux-perf"),
        _tool("strace", "system calls per message", ("--version",), "apt install strace"),
        _tool(
            "valgrind", "instructions per message, leaks", ("--version",), "apt install valgrind"
        ),
        _tool("heaptrack", "allocations per message", ("--version",), "apt install heaptrack"),
        _gperftools(),
    )


def git_state(folder: Path) -> tuple[str | None, bool]:
    """Commit of the checkout around ``folder`` and whether tracked files differ from it.

    (None, False) where there is no git or no checkout.
    """
    commit = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    if commit is None or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return None, False
    changes = _output(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"])
    return commit, bool(changes)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _integer(path: Path) -> int | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None


def _field(text: str, name: str) -> str | None:
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else None


def _chosen(path: Path) -> str | None:
    """The bracketed word of a sysfs choice such as ``always [madvise] never``."""
    text = _text(path)
    found = re.search(r"\[(\w+)\]", text or "")
    return found.group(1) if found else text


def _memory_bytes(root: Path) -> int | None:
    value = _field(_text(root / "proc/meminfo") or "", "MemTotal")
    return int(value.split()[0]) * 1024 if value else None


def _turbo(root: Path) -> str | None:
    no_turbo = _integer(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    if no_turbo is not None:
        return "off" if no_turbo else "on"
    boost = _integer(root / "sys/devices/system/cpu/cpufreq/boost")
    return None if boost is None else ("on" if boost else "off")


def _aslr(root: Path) -> str | None:
    level = _integer(root / "proc/sys/kernel/randomize_va_space")
    names = {0: "off", 1: "on, without the heap", 2: "on"}
    return None if level is None else names.get(level, str(level))


def _virtualisation(root: Path, cpuinfo: str) -> str:
    detected = _output(["systemd-detect-virt"]) if root == Path("/") else None
    if detected:
        return detected
    if _text(root / "sys/hypervisor/type"):
        return _text(root / "sys/hypervisor/type") or "hypervisor"
    flags = (_field(cpuinfo, "flags") or "").split()
    return _dmi_name(root) if "hypervisor" in flags else "none"


def _dmi_name(root: Path) -> str:
    vendor = _text(root / "sys/class/dmi/id/sys_vendor")
    product = _text(root / "sys/class/dmi/id/product_name")
    named = " ".join(part for part in (vendor, product) if part)
    return f"guest ({named})" if named else "guest"


def _steal_since_boot(root: Path) -> float | None:
    """Stolen / (busy + stolen) time of all CPUs since boot."""
    first_line = (_text(root / "proc/stat") or "").split("\n", 1)[0].split()
    if len(first_line) < 9 or first_line[0] != "cpu":
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in first_line[1:9])
    total = user + nice + system + irq + softirq + steal
    return steal / total if total else None


def _cpu_pressure(root: Path) -> float | None:
    found = re.search(r"some .*?avg60=([\d.]+)", _text(root / "proc/pressure/cpu") or "")
    return float(found.group(1)) if found else None


def _compiler_versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in _COMPILERS:
        version = _output([name, "--version"])
        if version:
            found.append((name, version.splitlines()[0]))
    return tuple(found)


def _tool(name: str, purpose: str, arguments: tuple[str, ...], install: str) -> Tool:
    path = shutil.which(name)
    said = _output([path, *arguments]) if path else None
    number = re.search(r"\d+(\.\d+)+\S*", said or "")
    version = number.group(0) if number else ("version unknown" if path else None)
    return Tool(name, purpose, version, path, install)


def _gperftools() -> Tool:
    """Gperftools is a library; its version is in the name its file resolves to."""
    folders = (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64"))
    pattern = "libprofiler.so*"
    files = [f for d in folders for f in (*d.glob(pattern), *d.glob(f"*-linux-gnu/{pattern}"))]
    purpose, install = (
        "CPU samples without perf",
        "apt install google-perftools libgoogle-perftools-dev",
    )
    if not files:
        return Tool("gperftools", purpose, None, None, install)
    library = files[0].resolve()
    version = library.name.partition(".so.")[2] or "version unknown"
    return Tool("gperftools", purpose, f"libprofiler {version}", str(library), install)


def _output(command: list[str]) -> str | None:
    """Standard output of a quick probe, or None if it cannot run, fails or hangs."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.strip()
    return said if done.returncode == 0 and said else None
