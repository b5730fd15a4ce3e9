"""Builds of a library with other flags: of small trees that are laid out like the real ones."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from slkbench.errors import UsageError
from slkbench.profile.builds import VARIANTS, Build, build_libzmq
from slkbench.runner.builds import BuildRequest, make_builds
from slkbench.scenario import ad_hoc_scenario


def version_of(library: Path, symbol: str) -> int:
    return int(ctypes.CDLL(str(library))[symbol]())


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_serverlink_is_linked_in_other_orders_without_its_tests_and_curve(
    tmp_path: Path, build_thrice: Callable[[Path, str], tuple[list[Build], int]]
) -> None:
    function = 'extern "C" __attribute__((visibility("default"))) int slk_it() { return %d; }\n'
    impl = write(
        tmp_path / "impl",
        {
            "include/serverlink/serverlink.h": "",
            "src/abi/it.cpp": "int box(); " + function % 7,
            "src/wire/box_none.cpp": "int box() { return 0; }\n",
            "src/wire/box_sodium.cpp": "int box() { return 1; }\n",
            "src/wire/box_test.cpp": "int main() {}\n",
        },
    )
    for name, times in (("O2", 0), ("O3-pgo", 1)):
        builds, trained = build_thrice(impl, name)
        assert trained == times
        assert [build.number for build in builds] == [1, 2, 3]
        assert {version_of(build.path, "slk_it") for build in builds} == {7}


def test_each_step_of_building_is_told_before_it_begins(tmp_path: Path) -> None:
    source = 'extern "C" int slk_it() { return 7; }\n'
    files = {"include/serverlink/serverlink.h": "", "src/abi/it.cpp": source}
    heard: list[tuple[int, int, str]] = []
    request = BuildRequest(
        ad_hoc_scenario(contenders=("libzmq",)),
        tmp_path / "out",
        variants=("O3", "O2"),
        impl=write(tmp_path / "impl", files),
        lock_file=tmp_path / "lock",
    )
    builds = make_builds(request, lambda done, of, text: heard.append((done, of, text)))
    assert len(builds) == 6
    assert [(done, of) for done, of, _ in heard] == [(number, 8) for number in range(8)]
    assert heard[1][2] == "linking serverlink O3, order 1 of 3"
    assert "builds take about" in heard[-1][2]


def test_what_cannot_be_built_is_refused_before_anything_is(tmp_path: Path) -> None:
    impl = write(tmp_path / "impl", {"include/serverlink/serverlink.h": "", "src/it.cpp": ""})
    request = BuildRequest(
        ad_hoc_scenario(contenders=("libzmq",)), tmp_path / "out", impl=impl, source=tmp_path
    )
    for wrong, words in (
        (request, "--source"),
        (replace(request, source=None, libs=("no path",)), "NAME=PATH"),
    ):
        with pytest.raises(UsageError, match=words):
            make_builds(wrong, lambda *_: pytest.fail("something is built"))


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_libzmq_is_built_from_a_tree_whose_sources_are_a_target_of_their_own(
    tmp_path: Path,
) -> None:
    project = "cmake_minimum_required(VERSION 3.5)\nproject(ZeroMQ CXX)\n"
    tree = write(
        tmp_path / "libzmq",
        {
            "CMakeLists.txt": project
            + "add_library(objects OBJECT one.cpp two.cpp)\n"
            + "add_library(libzmq SHARED $<TARGET_OBJECTS:objects>)\n"
            + "set_target_properties(libzmq PROPERTIES LINKER_LANGUAGE CXX)\n",
            "one.cpp": 'int two(); extern "C" int zmq_it() { return two(); }\n',
            "two.cpp": "int two() { return 2; }\n",
        },
    )
    builds = build_libzmq(
        tree, VARIANTS["O2"], tmp_path / "out", rebuilds=3, seed=1, note=lambda _: None
    )
    assert [version_of(build.path, "zmq_it") for build in builds] == [2, 2, 2]


def test_a_tree_that_is_not_libzmq_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--source"):
        build_libzmq(
            tmp_path, VARIANTS["O2"], tmp_path / "out", rebuilds=3, seed=1, note=lambda _: None
        )
