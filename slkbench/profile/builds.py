"""Builds of one library with other flags: compiled once for each, linked again and again.

What a build does to speed is not only its flags: where functions come to lie matters as much
(Mytkowicz et al., ASPLOS 2009).  So each variant is linked several times with its objects in
another order; compiling the same source with the same flags again gives the same objects.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from slkbench.errors import UsageError

__all__ = [
    "VARIANTS",
    "Build",
    "Variant",
    "build_libzmq",
    "build_serverlink",
    "build_steps",
    "check_source",
    "find_impl",
]

Note = Callable[[str], None]
Train = Callable[[Path], None]

_TIMEOUT_S = 1800.0
_COMPLAINT_LINES = 5


@dataclass(frozen=True, slots=True)
class Variant:
    """Flags for compiling and linking; ``is_trained`` ones are compiled again after a run."""

    name: str
    flags: tuple[str, ...]
    is_trained: bool = False


VARIANTS = {
    each.name: each
    for each in (
        Variant("O3", ("-O3",)),
        Variant("O2", ("-O2",)),
        Variant("O3-lto", ("-O3", "-flto=auto", "-fno-fat-lto-objects")),
        Variant("O3-native", ("-O3", "-march=native")),
        Variant("O3-lto-native", ("-O3", "-flto=auto", "-fno-fat-lto-objects", "-march=native")),
        Variant("O3-pgo", ("-O3",), is_trained=True),
    )
}
"""What is compared: all others with the first, which is how ServerLink is shipped."""

_COMMON = ("-std=c++20", "-g1", "-DNDEBUG", "-fPIC", "-fno-omit-frame-pointer", "-pthread")
_HIDDEN = ("-fvisibility=hidden", "-fvisibility-inlines-hidden")


@dataclass(frozen=True, slots=True)
class Build:
    """A shared object: variant, the number of its link order, and its file."""

    library: str
    variant: str
    number: int
    path: Path

    @property
    def name(self) -> str:
        """As a contender."""
        return f"{self.library}-{self.variant}.{self.number}"


def find_impl(given: Path | None) -> Path:
    """The folder of ServerLink's sources. Raises UsageError where there is none."""
    folder = given or Path(__file__).resolve().parents[2] / "impl"
    if not (folder / "include" / "serverlink" / "serverlink.h").is_file():
        raise UsageError(
            f"{folder} does not hold ServerLink's sources; name the folder impl of a checkout "
            "with --impl"
        )
    return folder


def build_steps(variant: Variant, *, rebuilds: int, with_libzmq: bool) -> list[str]:
    """How the notes begin that are heard of one variant, in their order."""
    links = ["linking"] * rebuilds
    if variant.is_trained:
        return ["compiling", "training", "compiling", *links]
    return ["compiling", *links] * (2 if with_libzmq else 1)


def build_serverlink(
    impl: Path, variant: Variant, into: Path, *, rebuilds: int, seed: int, train: Train, note: Note
) -> list[Build]:
    """Compile and link ServerLink. Raises UsageError with what the compiler said."""
    compiler = _compiler()
    sources = sorted(
        file
        for file in (impl / "src").rglob("*.cpp")
        # Without CURVE, which no cell uses: a build has one of its two files.
        if not file.name.endswith(("_test.cpp", "_sodium.cpp"))
    )
    folder = into / f"serverlink-{variant.name}"
    include = ("-I", str(impl / "include"), "-I", str(impl / "src"))

    def compile_all(extra: Sequence[str]) -> list[Path]:
        def compile_one(source: Path) -> Path:
            target = folder / "objects" / f"{'-'.join(source.relative_to(impl).parts)}.o"
            target.parent.mkdir(parents=True, exist_ok=True)
            flags = (*_COMMON, *_HIDDEN, *variant.flags, *extra, *include)
            _run([compiler, *flags, "-c", str(source), "-o", str(target)])
            return target

        note(f"compiling serverlink with {' '.join((*variant.flags, *extra))}")
        with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(compile_one, sources))

    def link(objects: Sequence[Path], path: Path, extra: Sequence[str] = ()) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = (*_COMMON, *variant.flags, *extra, "-shared", "-o", str(path))
        _run([compiler, *flags, *map(str, objects)])
        return path

    trained: tuple[str, ...] = ()
    if variant.is_trained:
        counts = folder / "counts"
        counting = (f"-fprofile-generate={counts}", "-fprofile-update=atomic")
        library = link(compile_all(counting), folder / "counting" / "libserverlink.so", counting)
        note(f"training serverlink {variant.name}")
        train(library)
        trained = (f"-fprofile-use={counts}", "-fprofile-correction", "-Wno-missing-profile")
    objects = compile_all(trained)
    builds = []
    for number in range(1, rebuilds + 1):
        order = _shuffled(objects, seed, variant.name, number)
        path = folder / str(number) / "libserverlink.so"
        note(f"linking serverlink {variant.name}, order {number} of {rebuilds}")
        builds.append(Build("serverlink", variant.name, number, link(order, path, trained)))
    return builds


def check_source(source: Path) -> str:
    """The path of cmake. Raises UsageError without it, or where there is no tree of libzmq."""
    cmake = shutil.which("cmake")
    if cmake is None or not (source / "CMakeLists.txt").is_file():
        raise UsageError(
            f"--source {source}: libzmq is built from its source tree, by cmake (pip install cmake)"
        )
    return cmake


def build_libzmq(
    source: Path, variant: Variant, into: Path, *, rebuilds: int, seed: int, note: Note
) -> list[Build]:
    """Compile libzmq by its own CMake file, and link its objects in other orders.

    Raises UsageError without cmake or with what it said.
    """
    if variant.is_trained:
        return []
    cmake = check_source(source)
    folder = into / f"libzmq-{variant.name}"
    flags = " ".join((*variant.flags, "-g1", "-DNDEBUG", "-fno-omit-frame-pointer"))
    switches = ("BUILD_TESTS", "BUILD_STATIC", "WITH_DOCS", "WITH_PERF_TOOL", "ENABLE_CURVE")
    note(f"compiling libzmq with {' '.join(variant.flags)}")
    _run(
        [
            *(cmake, "-S", str(source), "-B", str(folder / "build"), f"-DCMAKE_CXX_FLAGS={flags}"),
            *("-DCMAKE_BUILD_TYPE=", "-DCMAKE_POSITION_INDEPENDENT_CODE=ON"),
            *("-DCMAKE_POLICY_VERSION_MINIMUM=3.5", *(f"-D{each}=OFF" for each in switches)),
        ]
    )
    jobs = str(len(os.sched_getaffinity(0)))
    _run([cmake, "--build", str(folder / "build"), "--target", "libzmq", "-j", jobs])
    # libzmq's own sources are a target "objects" of which its libraries are made.
    objects = sorted(
        file
        for target in ("libzmq.dir", "objects.dir")
        for file in (folder / "build").rglob(f"{target}/**/*.o")
    )
    if not objects:
        raise UsageError(f"--source {source}: its CMake target libzmq is made of no object files")
    builds = []
    for number in range(1, rebuilds + 1):
        path = folder / str(number) / "libzmq.so.5"
        path.parent.mkdir(parents=True, exist_ok=True)
        note(f"linking libzmq {variant.name}, order {number} of {rebuilds}")
        order = map(str, _shuffled(objects, seed, variant.name, number))
        link = (*variant.flags, "-shared", "-pthread", "-Wl,-z,defs", "-o", str(path))
        _run([_compiler(), *link, *order, "-lrt", "-ldl"])
        builds.append(Build("libzmq", variant.name, number, path))
    return builds


def _shuffled(objects: Sequence[Path], seed: int, name: str, number: int) -> list[Path]:
    order = list(objects)
    random.Random(f"{seed} {name} {number}").shuffle(order)
    return order


def _compiler() -> str:
    found = shutil.which("g++")
    if found is None:
        raise UsageError("g++ is not installed, and builds need it: apt install g++")
    return found


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{command[0]}: {error}") from None
    if done.returncode != 0:
        said = " / ".join((done.stderr or done.stdout).strip().splitlines()[-_COMPLAINT_LINES:])
        raise UsageError(f"{command[0]} failed: {said}")
