"""What a shared object is, read from its file: architecture, symbols, build flags, needs."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slkbench.errors import ContenderError
from slkbench.model import Abi

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

__all__ = ["build_flags_of", "inspect_library", "needed_siblings", "sha256_of"]

_ARCHITECTURES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
_PRODUCERS_MAX = 4
_UNITS_MAX = 200


def sha256_of(*paths: Path) -> str:
    """The SHA-256 of a file's bytes, or of several files' bytes one after the other, in hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def inspect_library(name: str, path: Path) -> Abi:
    """Check that ``path`` can be loaded here as a messaging library, and tell its ABI by symbols.

    Raises ContenderError that names ``name`` and says what is wrong.
    """
    if path.is_dir():
        raise ContenderError(f"{name}: {path} is a folder; name the shared object in it")
    if not path.exists():
        raise ContenderError(f"{name}: no such file: {path}")
    with _opened(name, path) as elf:
        machine = str(elf["e_machine"])
        wanted = _ARCHITECTURES.get(platform.machine(), machine)
        if machine != wanted or elf.elfclass != 64:
            raise ContenderError(
                f"{name}: {path} is built for {machine} ({elf.elfclass} bit), "
                f"this machine is {wanted} (64 bit)"
            )
        symbols = _defined_symbols(elf)
    if "zmq_ctx_new" in symbols:
        return Abi.ZMQ
    if "slk_ctx_term" in symbols:
        return Abi.SERVERLINK
    if {"slk_ctx_new", "slk_msg_new"} <= symbols:
        return Abi.PUBLIC_SERVERLINK
    raise ContenderError(
        f"{name}: {path} exports neither zmq_ctx_new nor slk_ctx_new: no messaging library that "
        f"slkbench knows (ABIs: {', '.join(Abi)})"
    )


def build_flags_of(path: Path) -> str:
    """How the library was compiled, as far as its file says: compiler, and flags if kept."""
    found: dict[str, None] = {}
    with _opened(path.name, path) as elf:
        for producer in _producers(elf):
            found[producer] = None
        for section in (".GCC.command.line", ".comment"):
            for line in _strings(elf, section):
                found[line] = None
    return "; ".join(found)


def needed_siblings(path: Path) -> tuple[Path, ...]:
    """The libraries in the folder of ``path`` that it needs, directly or not."""
    found: dict[Path, None] = {}
    queue = [path]
    while queue:
        with _opened(path.name, queue.pop()) as elf:
            for name in _needed(elf):
                sibling = path.parent / name
                if sibling.exists() and sibling != path and sibling not in found:
                    found[sibling] = None
                    queue.append(sibling)
    return tuple(found)


@contextmanager
def _opened(name: str, path: Path) -> Iterator[ELFFile]:
    """The file as ELF; ContenderError if it cannot be read or is none."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            yield ELFFile(file)
    except OSError as error:
        raise ContenderError(f"{name}: cannot read {path}: {error.strerror}") from error
    except ELFError as error:
        raise ContenderError(f"{name}: {path} is no shared object (ELF): {error}") from error


def _defined_symbols(elf: Any) -> set[str]:
    section = elf.get_section_by_name(".dynsym")
    if section is None:
        return set()
    return {symbol.name for symbol in section.iter_symbols() if symbol["st_shndx"] != "SHN_UNDEF"}


def _needed(elf: Any) -> list[str]:
    section = elf.get_section_by_name(".dynamic")
    if section is None:
        return []
    return [tag.needed for tag in section.iter_tags("DT_NEEDED")]


def _strings(elf: Any, name: str) -> list[str]:
    section = elf.get_section_by_name(name)
    if section is None:
        return []
    parts = section.data().split(b"\0")
    return [part.decode(errors="replace").strip() for part in parts if part.strip()]


def _producers(elf: Any) -> list[str]:
    """What the compiler wrote into the debug information of the first units, without repetition."""
    if not elf.has_dwarf_info():
        return []
    found: dict[str, None] = {}
    for index, unit in enumerate(elf.get_dwarf_info().iter_CUs()):
        if index >= _UNITS_MAX or len(found) >= _PRODUCERS_MAX:
            break
        attribute = unit.get_top_DIE().attributes.get("DW_AT_producer")
        if attribute is not None:
            found[attribute.value.decode(errors="replace")] = None
    return list(found)
