"""Copies of libzmq with a known slowdown that work by themselves: to try a gate on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slkbench.disk import disk_errors
from slkbench.errors import UsageError
from slkbench.selftest.library import known_library, real_libzmq

__all__ = ["keep_libraries"]

_KEPT = b"slkbench kept: "
_KEPT_BYTES = 4096


def keep_libraries(folder: Path, effects: Sequence[float]) -> tuple[Path, ...]:
    """Write ``libzmq-plus-0.so``, and one for each of ``effects``, fractions of any cell's time.

    Raises UsageError where there is no room for them.
    """
    image = known_library("repeating").read_bytes()
    libzmq = real_libzmq().path
    paths = []
    with disk_errors("write libraries to", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for effect in (0.0, *effects):
            path = folder / f"libzmq-plus-{effect * 100:g}.so"
            path.write_bytes(_with_share(image, effect, libzmq))
            paths.append(path)
    return tuple(paths)


def _with_share(image: bytes, effect: float, libzmq: str) -> bytes:
    place = image.find(_KEPT)
    text = _KEPT + f"{effect:.6f} {libzmq}".encode()
    if place < 0 or len(text) >= _KEPT_BYTES:
        raise UsageError(f"{libzmq} has too long a path, or slkbench was built without its place")
    return image[:place] + text + image[place + len(text) :]
