"""Where the libraries under measurement are, and what they are. None is loaded into this process.

Known by name are, on layer native, ``libzmq`` (the shared object that the installed pyzmq brings),
``serverlink`` (the one in the installed package) and ``floor`` (the driver's own lower bound), and
on layer python ``pyzmq`` and ``serverlink``, which also come as ``-asyncio`` and ``-uvloop`` (their
sockets to await) and, serverlink, ``-batch`` (its calls for many messages).  ``NAME=PATH[:ABI]``
adds any other build.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from slkbench.binaries import (
    build_flags_of,
    inspect_library,
    needed_siblings,
    sha256_of,
)
from slkbench.ending import end_watched, signal_name
from slkbench.errors import ContenderError
from slkbench.foreign_text import NAME_RULE, is_name, visible
from slkbench.model import (
    Abi,
    Cell,
    Contender,
    ContenderKind,
    Layer,
    Pattern,
    Scenario,
    Topology,
    Transport,
)
from slkbench.plan import PLACEBO_NAME, lack

__all__ = [
    "known_contenders",
    "native_names",
    "parse_lib",
    "placebo_of",
    "resolve_contenders",
    "supports",
]

_PROBE_TIMEOUT_S = 20.0
_PYTHON_NAMES = {"libzmq": "pyzmq"}  # a scenario's native name, and its face on layer python


def resolve_contenders(scenario: Scenario, libs: Sequence[str] = ()) -> tuple[Contender, ...]:
    """The contenders of ``scenario`` on every layer that its cells use, in its order.

    ``libs`` are ``NAME=PATH[:ABI]``: they come on top, or in place of the contender of that name.
    Raises ContenderError for a name that nothing is known by, and for a library that is not there
    or not what it was said to be.
    """
    layers = tuple(layer for layer in Layer if any(cell.layer is layer for cell in scenario.cells))
    added = {contender.name: contender for contender in map(parse_lib, libs)}
    names = tuple(dict.fromkeys((*scenario.contenders, *added)))
    for name in (*names, scenario.baseline):
        _check_name(name, added)
    if scenario.baseline not in names:
        raise ContenderError(
            f"the baseline {scenario.baseline!r} is not among the contenders {', '.join(names)}"
        )
    found: list[Contender] = []
    for layer in layers:
        for name in _names_on(layer, names):
            if layer is Layer.NATIVE and name in added:
                found.append(added[name])
            elif (layer, name) in _FINDERS:
                found.append(_find(layer, name))
    return tuple(found)


def native_names() -> tuple[str, ...]:
    """The native contenders that are known by name, installed or not."""
    return tuple(name for layer, name in _FINDERS if layer is Layer.NATIVE)


def known_contenders(
    libs: Sequence[str] = (),
) -> tuple[tuple[str, Layer, Contender | ContenderError], ...]:
    """Everything that can be measured here, with the reason in place of what cannot."""
    rows: list[tuple[str, Layer, Contender | ContenderError]] = []
    for layer, name in _FINDERS:
        try:
            rows.append((name, layer, _find(layer, name)))
        except ContenderError as error:
            rows.append((name, layer, error))
    rows.extend((each.name, each.layer, each) for each in map(parse_lib, libs))
    return tuple(rows)


def parse_lib(text: str) -> Contender:
    """The contender that ``NAME=PATH[:ABI]`` describes; ContenderError says what is wrong."""
    name, equals, rest = text.partition("=")
    if not equals or not name or not rest:
        raise ContenderError(
            f"--lib {text!r} is not of the form NAME=PATH[:ABI], as in mine=/opt/lib/libzmq.so.5"
        )
    _check_new_name(name)
    path, colon, abi_name = rest.rpartition(":")
    if not colon or (Path(rest).exists() and not Path(path).exists()):
        path, abi_name = rest, ""
    if abi_name and abi_name not in set(Abi):
        raise ContenderError(f"--lib {name}: unknown ABI {abi_name!r}; known are {', '.join(Abi)}")
    return _library(name, Path(path), Abi(abi_name) if abi_name else None)


def _check_new_name(name: str) -> None:
    """Refuse what cannot name a contender: it stands in paths, tables and spreadsheets."""
    if name == PLACEBO_NAME:
        raise ContenderError(
            f"--lib {name!r} is taken: the copy of the baseline is called so. Write another name."
        )
    if not is_name(name):
        raise ContenderError(
            f"--lib: {visible(name)!r} is no name for a contender. Write {NAME_RULE}, as in "
            "mine=/opt/lib/libzmq.so.5"
        )


def supports(contender: Contender, cell: Cell) -> str | None:
    """Why ``contender`` cannot run ``cell`` ("n/a"), or None if it can."""
    if contender.layer is not cell.layer:
        return f"{contender.name} is on layer {contender.layer}"
    if cell.pattern not in contender.patterns:
        return f"{contender.name} has no sockets for {cell.pattern}"
    if cell.transport not in contender.transports:
        return f"{contender.name} has no transport {cell.transport}"
    if (lacking := lack(cell, contender)) is not None:
        return f"{contender.name} {lacking}"
    if cell.transport is Transport.INPROC and cell.topology is Topology.PROCESSES:
        return "inproc does not pass between processes"
    return None


def placebo_of(contender: Contender, folder: Path) -> Contender:
    """A byte copy of ``contender`` under another path, in a new folder below ``folder``.

    What the library needs from its own folder is copied with it.  The driver's lower bound is no
    file; its placebo is itself.
    """
    if contender.kind is ContenderKind.FLOOR:
        return contender
    target = folder / f"placebo-{contender.layer}-{contender.name}"
    target.mkdir()
    if contender.kind is ContenderKind.MODULE:
        package = _package_folder(contender.path)
        for source in (package, *_bundled_libraries(package)):
            shutil.copytree(source, target / source.name)
        return replace(contender, path=str(target / package.name))
    library = Path(contender.path)
    for source in (library, *needed_siblings(library)):
        shutil.copy2(source, target / source.name)
    return replace(contender, path=str(target / library.name))


def _check_name(name: str, added: Iterable[str]) -> None:
    allowed = sorted({known for _, known in _FINDERS} | set(added))
    if name in allowed:
        return
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ContenderError(
        f"unknown contender {name!r}; known are {', '.join(allowed)}, "
        f"and --lib NAME=PATH[:ABI] adds another{hint}"
    )


def _names_on(layer: Layer, names: Iterable[str]) -> tuple[str, ...]:
    if layer is Layer.NATIVE:
        return tuple(names)
    return tuple(dict.fromkeys(_PYTHON_NAMES.get(name, name) for name in names))


@lru_cache(maxsize=32)
def _find(layer: Layer, name: str) -> Contender:
    return _FINDERS[layer, name]()


def _libzmq() -> Contender:
    package = _package_folder("zmq")
    for place in (*_bundled_libraries(package), package, package / "lib"):
        for library in sorted(place.glob("libzmq*.so*")):
            return _library("libzmq", library, Abi.ZMQ)
    raise ContenderError(
        f"the pyzmq in {package} bundles no libzmq; name one with "
        "--lib libzmq=/usr/lib/x86_64-linux-gnu/libzmq.so.5"
    )


def _serverlink() -> Contender:
    package = _package_folder("serverlink")
    for library in sorted(package.glob("libserverlink.so*")):
        return _library("serverlink", library, None)
    raise ContenderError(
        f"the package {package} has no libserverlink.so; install it again, or name one with "
        "--lib serverlink=PATH"
    )


def _floor() -> Contender:
    return Contender("floor", Layer.NATIVE, ContenderKind.FLOOR)


def _module(name: str, module: str) -> Contender:
    package = _package_folder(module)
    found = _probe("module", module)
    if "error" in found:
        raise ContenderError(f"{name}: {module} cannot be imported: {found['error']}")
    binaries = sorted(
        each for place in (package, *_bundled_libraries(package)) for each in place.rglob("*.so*")
    )
    return Contender(
        name,
        Layer.PYTHON,
        ContenderKind.MODULE,
        path=module,
        version=str(found["version"]),
        sha256=sha256_of(*binaries),
        build_flags=build_flags_of(binaries[0]) if binaries else "",
        patterns=tuple(map(Pattern, found["patterns"])),
    )


def _variant(name: str, variant: str) -> Contender:
    """A contender of layer python used in another way than by its plain calls."""
    if variant == "uvloop" and importlib.util.find_spec("uvloop") is None:
        raise ContenderError("the Python package 'uvloop' is not installed; pip install uvloop")
    return replace(_find(Layer.PYTHON, name), name=f"{name}-{variant}", variant=variant)


_FINDERS: dict[tuple[Layer, str], Callable[[], Contender]] = {
    (Layer.NATIVE, "libzmq"): _libzmq,
    (Layer.NATIVE, "serverlink"): _serverlink,
    (Layer.NATIVE, "floor"): _floor,
    (Layer.PYTHON, "pyzmq"): lambda: _module("pyzmq", "zmq"),
    (Layer.PYTHON, "serverlink"): lambda: _module("serverlink", "serverlink"),
    (Layer.PYTHON, "serverlink-batch"): lambda: _variant("serverlink", "batch"),
    (Layer.PYTHON, "pyzmq-asyncio"): lambda: _variant("pyzmq", "asyncio"),
    (Layer.PYTHON, "serverlink-asyncio"): lambda: _variant("serverlink", "asyncio"),
    (Layer.PYTHON, "pyzmq-uvloop"): lambda: _variant("pyzmq", "uvloop"),
    (Layer.PYTHON, "serverlink-uvloop"): lambda: _variant("serverlink", "uvloop"),
}


def _package_folder(module: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        remedy = "pip install pyzmq" if module == "zmq" else "pip install . in slkbench's folder"
        raise ContenderError(f"the Python package {module!r} is not installed; {remedy}")
    return Path(spec.origin).resolve().parent


def _bundled_libraries(package: Path) -> tuple[Path, ...]:
    """Folders beside ``package`` in which its wheel keeps shared objects."""
    names = (f"{package.name}.libs", f"py{package.name}.libs")
    return tuple(folder for name in names if (folder := package.parent / name).is_dir())


def _library(name: str, path: Path, abi: Abi | None) -> Contender:
    """A shared object as a contender; ContenderError if it cannot be one."""
    path = path.expanduser().absolute()
    told_by_symbols = inspect_library(name, path)
    abi = abi or told_by_symbols
    found = _probe("library", str(path), abi.value)
    if "error" in found:
        raise ContenderError(f"{name}: {found['error']}")
    return Contender(
        name,
        Layer.NATIVE,
        ContenderKind.LIBRARY,
        path=str(path),
        abi=abi,
        version=str(found["version"]),
        sha256=sha256_of(path),
        build_flags=build_flags_of(path),
        patterns=tuple(map(Pattern, found["patterns"])),
    )


def _probe(*arguments: str) -> dict[str, Any]:
    """What a library says of itself, asked in a process that it may crash."""
    own = str(os.getpid())
    command = [sys.executable, "-P", "-m", "slkbench.endpoint.probe", own, *arguments]
    home = str(Path(__file__).parents[1])
    paths = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join((*paths, home)))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        said, complaint = process.communicate(timeout=_PROBE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return {"error": f"did not answer within {_PROBE_TIMEOUT_S:g} s when it was loaded"}
    finally:
        end_watched(process)
    if (found := _answer_in(said)) is not None:
        return found
    if process.returncode < 0:
        return {"error": f"killed by {signal_name(-process.returncode)} when it was loaded"}
    last = visible(complaint.decode(errors="replace").strip().rpartition("\n")[2])
    return {"error": f"cannot be loaded: {last or 'no answer'}"}


def _answer_in(said: bytes) -> dict[str, Any] | None:
    """The probe's line, among what a library may print and the watcher says at the end."""
    for line in reversed(said.splitlines()):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and ("error" in found or {"version", "patterns"} <= set(found)):
            return found
    return None
