"""Contenders are found, told what they are, and refused with words that help."""

from __future__ import annotations

import hashlib
import importlib.util
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from slkbench.contenders import (
    known_contenders,
    parse_lib,
    placebo_of,
    resolve_contenders,
    supports,
)
from slkbench.errors import ContenderError
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

CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
PYTHON_CELL = Cell(Pattern.PUSH_PULL, Transport.TCP, 64, layer=Layer.PYTHON)


def libzmq() -> Contender:
    for name, layer, found in known_contenders():
        if (name, layer) == ("libzmq", Layer.NATIVE) and isinstance(found, Contender):
            return found
    pytest.skip("no libzmq")


def scenario(*contenders: str, cells: tuple[Cell, ...] = (CELL,), baseline: str = "") -> Scenario:
    return Scenario("test", "?", cells, contenders=contenders, baseline=baseline or contenders[0])


def resolved(*contenders: str, cells: tuple[Cell, ...] = (CELL,)) -> list[tuple[str, str]]:
    found = resolve_contenders(scenario(*contenders, cells=cells))
    return [(each.name, each.layer.value) for each in found]


def test_libzmq_is_the_one_that_pyzmq_brings() -> None:
    zmq = pytest.importorskip("zmq")
    found = libzmq()
    assert found.version == zmq.zmq_version()
    assert found.abi is Abi.ZMQ
    assert found.sha256 == hashlib.sha256(Path(found.path).read_bytes()).hexdigest()
    assert "GCC" in found.build_flags or "clang" in found.build_flags


def test_looking_for_libraries_does_not_load_them() -> None:
    spec = importlib.util.find_spec("zmq")
    assert spec is not None
    libzmq()
    maps = Path("/proc/self/maps").read_text()
    assert libzmq().path not in maps or "zmq" in sys.modules


def test_names_are_resolved_in_the_scenarios_order() -> None:
    assert resolved("libzmq", "floor") == [("libzmq", "native"), ("floor", "native")]


def test_on_layer_python_libzmq_is_pyzmq_and_there_is_no_floor() -> None:
    assert resolved("libzmq", "floor", cells=(PYTHON_CELL,)) == [("pyzmq", "python")]


def test_a_scenario_of_both_layers_gets_both_faces() -> None:
    assert resolved("libzmq", "floor", cells=(CELL, PYTHON_CELL)) == [
        ("libzmq", "native"),
        ("floor", "native"),
        ("pyzmq", "python"),
    ]


def test_an_unknown_name_gets_the_nearest_known_one() -> None:
    with pytest.raises(ContenderError, match=r"unknown contender 'libzqm'.*did you mean libzmq\?"):
        resolve_contenders(scenario("libzqm"))


def test_a_baseline_that_does_not_take_part_is_refused() -> None:
    with pytest.raises(ContenderError, match="the baseline 'libzmq' is not among"):
        resolve_contenders(scenario("floor", baseline="libzmq"))


def test_a_library_is_added_or_takes_the_place_of_another() -> None:
    path = libzmq().path
    found = resolve_contenders(scenario("libzmq", "floor"), [f"mine={path}"])
    assert [each.name for each in found] == ["libzmq", "floor", "mine"]
    (same, _) = resolve_contenders(scenario("libzmq", "floor"), [f"libzmq={path}:zmq"])
    assert (same.name, same.path) == ("libzmq", path)


@pytest.mark.parametrize("text", ["libzmq.so", "=x", "mine=", ""])
def test_a_lib_without_name_or_path_is_refused(text: str) -> None:
    with pytest.raises(ContenderError, match=r"NAME=PATH\[:ABI\]"):
        parse_lib(text)


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(ContenderError, match=r"mine: no such file: /no/such/lib\.so"):
        parse_lib("mine=/no/such/lib.so")


def test_a_folder_is_no_library(tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match="is a folder"):
        parse_lib(f"mine={tmp_path}")


def test_a_file_that_is_not_elf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lib.so"
    path.write_text("hello")
    with pytest.raises(ContenderError, match="is no shared object"):
        parse_lib(f"mine={path}")


@pytest.mark.parametrize("abi", ["zeromq", "ZMQ", ""])
def test_an_unknown_abi_gets_the_known_ones(tmp_path: Path, abi: str) -> None:
    path = tmp_path / "lib.so"
    path.write_text("")
    expected = "known are zmq, serverlink, public-serverlink" if abi else "is no shared object"
    with pytest.raises(ContenderError, match=expected):
        parse_lib(f"mine={path}:{abi}" if abi else f"mine={path}")


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    data = bytearray(Path(libzmq().path).read_bytes())
    struct.pack_into("<H", data, 18, 243)  # e_machine: RISC-V
    path = tmp_path / "lib.so"
    path.write_bytes(data)
    with pytest.raises(ContenderError, match=r"is built for EM_RISCV .64 bit., this machine is"):
        parse_lib(f"mine={path}")


def test_a_library_of_another_kind_is_refused() -> None:
    libsodium = next(Path(libzmq().path).parent.glob("libsodium*"), None)
    if libsodium is None:
        pytest.skip("no other library at hand")
    with pytest.raises(ContenderError, match="exports neither zmq_ctx_new nor slk_ctx_new"):
        parse_lib(f"mine={libsodium}")


def test_a_placebo_is_a_byte_copy_elsewhere_that_works(tmp_path: Path) -> None:
    original = libzmq()
    placebo = placebo_of(original, tmp_path)
    assert placebo == replace(original, path=placebo.path)
    assert Path(placebo.path).read_bytes() == Path(original.path).read_bytes()
    assert Path(placebo.path).is_relative_to(tmp_path)
    assert parse_lib(f"copy={placebo.path}").version == original.version


def test_a_placebo_of_a_module_is_imported_from_the_copy(tmp_path: Path) -> None:
    (pyzmq,) = resolve_contenders(scenario("libzmq", cells=(PYTHON_CELL,)))
    placebo = placebo_of(pyzmq, tmp_path)
    assert Path(placebo.path).is_relative_to(tmp_path)
    assert (Path(placebo.path) / "__init__.py").exists()


def test_the_lower_bound_is_its_own_placebo(tmp_path: Path) -> None:
    floor = Contender("floor", Layer.NATIVE, ContenderKind.FLOOR)
    assert placebo_of(floor, tmp_path) == floor


def test_what_a_contender_lacks_is_said() -> None:
    floor = Contender("floor", Layer.NATIVE, ContenderKind.FLOOR)
    assert supports(floor, CELL) is None
    assert supports(floor, PYTHON_CELL) == "floor is on layer native"
    without = replace(floor, patterns=(Pattern.ROUTER_ROUTER,), transports=(Transport.TCP,))
    assert supports(without, CELL) == "floor has no sockets for push-pull"
    ipc = Cell(Pattern.ROUTER_ROUTER, Transport.IPC, 64)
    assert supports(without, ipc) == "floor has no transport ipc"
    apart = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64, topology=Topology.PROCESSES)
    assert supports(floor, apart) == "inproc does not pass between processes"
