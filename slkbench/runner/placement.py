"""On which CPUs the two application threads run: part of the plan, the same for every arm."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slkbench.errors import UsageError
from slkbench.model import Placement

__all__ = ["choose_placement", "parse_affinity", "usable_cores"]

_TOPOLOGY = Path("/sys/devices/system/cpu")


def parse_affinity(text: str) -> tuple[tuple[int, ...], ...]:
    """``0`` (both threads), ``0;1`` (sender; receiver), ``0,1;2``; ``none`` is ().

    Raises UsageError for anything else.
    """
    if text.strip().lower() == "none":
        return ()
    try:
        sets = tuple(
            tuple(sorted({int(cpu) for cpu in part.split(",")})) for part in text.split(";")
        )
    except ValueError:
        sets = ()
    if len(sets) not in (1, 2) or any(cpu < 0 for cpus in sets for cpu in cpus):
        raise UsageError(
            f"affinity {text!r} is not one; write 0 (both threads on CPU 0), "
            "'0;1' (sender on 0, receiver on 1), '0,1;2' or none"
        )
    return sets


def choose_placement(
    affinity: tuple[tuple[int, ...], ...] | None, cores: tuple[tuple[int, ...], ...]
) -> Placement:
    """Where the threads run.

    ``affinity`` is what ``parse_affinity`` returns; () leaves it to the kernel, and None is the
    default: different cores where there are two, which takes most of inproc's noise away.
    ``cores`` are the usable CPUs by core, as ``usable_cores`` returns.

    Raises UsageError for a CPU that this process may not use.
    """
    if affinity is None:
        if len(cores) < 2:
            return Placement()
        return Placement(sender_cpus=(cores[0][0],), receiver_cpus=(cores[1][0],))
    usable = {cpu for core in cores for cpu in core}
    for cpu in (cpu for cpus in affinity for cpu in cpus):
        if cpu not in usable:
            allowed = ", ".join(str(each) for each in sorted(usable))
            raise UsageError(f"affinity names CPU {cpu}; this process may use {allowed}")
    if not affinity:
        return Placement()
    return Placement(sender_cpus=affinity[0], receiver_cpus=affinity[-1])


def usable_cores(cpus: Iterable[int], topology: Path = _TOPOLOGY) -> tuple[tuple[int, ...], ...]:
    """``cpus`` grouped by physical core, in order; a CPU of unknown core is one of its own."""
    cores: dict[tuple[str, ...], list[int]] = {}
    for cpu in sorted(cpus):
        folder = topology / f"cpu{cpu}" / "topology"
        try:
            key = tuple(
                (folder / name).read_text(encoding="ascii").strip()
                for name in ("physical_package_id", "core_id")
            )
        except OSError:
            key = (str(cpu),)
        cores.setdefault(key, []).append(cpu)
    return tuple(tuple(core) for core in cores.values())
