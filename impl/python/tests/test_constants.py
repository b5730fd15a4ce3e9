"""The package's constants are those of the header, by pyzmq's names."""

import re
from importlib import resources
from pathlib import Path

import serverlink

HEADER = Path(__file__).parents[2] / "include/serverlink/serverlink.h"


def header_numbers() -> dict[str, int]:
    return {
        name: int(number)
        for name, number in re.findall(r"#define SLK_(\w+) (\d+)\b", HEADER.read_text())
    }


def test_every_number_of_the_header_is_there() -> None:
    numbers = header_numbers()
    skipped = {"ERRNO_BASE"}
    public = {n: v for n, v in numbers.items() if not n.startswith("VERSION") and n not in skipped}
    assert len(public) > 45
    assert {name: getattr(serverlink, name, None) for name in public} == public


def test_errors_count_from_the_base() -> None:
    base = header_numbers()["ERRNO_BASE"]
    names = (serverlink.EFSM, serverlink.ENOCOMPATPROTO, serverlink.ETERM, serverlink.EMTHREAD)
    assert names == (base + 51, base + 52, base + 53, base + 54)


def test_enums_have_the_numbers() -> None:
    assert int(serverlink.SocketOption.SNDHWM) == serverlink.SNDHWM
    assert int(serverlink.Event.ALL) == serverlink.EVENT_ALL
    for enum in (serverlink.SocketType, serverlink.Flag, serverlink.PollEvent, serverlink.Errno):
        for name, value in enum.__members__.items():
            assert getattr(serverlink, name) == value


def test_aliases() -> None:
    assert serverlink.NOBLOCK == serverlink.DONTWAIT == 1
    assert serverlink.IDENTITY == serverlink.ROUTING_ID


def test_names_are_exported() -> None:
    assert len(set(serverlink.__all__)) == len(serverlink.__all__)
    assert all(hasattr(serverlink, name) for name in serverlink.__all__)


def test_version_and_capabilities() -> None:
    numbers = header_numbers()
    expected = tuple(numbers[f"VERSION_{part}"] for part in ("MAJOR", "MINOR", "PATCH"))
    assert serverlink.slk_version_info() == expected
    assert serverlink.__version__ == ".".join(map(str, expected))
    assert serverlink.has("ipc")
    assert not serverlink.has("telepathy")
    assert serverlink.strerror(serverlink.EAGAIN)


def test_package_brings_types_header_and_library() -> None:
    root = resources.files(serverlink)
    for name in ("py.typed", "_ext.pyi", "libserverlink.so", "include/serverlink/serverlink.h"):
        assert (root / name).is_file(), name
