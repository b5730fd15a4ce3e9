"""Which version this is, and where a C program finds what it was built from."""

from __future__ import annotations

import os

from serverlink import _ext

__all__ = [
    "__version__",
    "get_includes",
    "get_library_dirs",
    "pyzmq_version",
    "pyzmq_version_info",
    "slk_version",
    "zmq_version",
    "zmq_version_info",
]

__version__ = "0.1.0"

# Programs for pyzmq ask for these before they use what came with them.
_LIKE_LIBZMQ = (4, 3, 5)
_LIKE_PYZMQ = (26, 2, 0)
_HOME = os.path.dirname(__file__)


def slk_version() -> str:
    """The version of the library, as text; ``slk_version_info`` has it as numbers."""
    return ".".join(map(str, _ext.version_info()))


def zmq_version() -> str:
    """The version of libzmq whose interface this library's is like."""
    return ".".join(map(str, _LIKE_LIBZMQ))


def zmq_version_info() -> tuple[int, int, int]:
    """``zmq_version`` as numbers."""
    return _LIKE_LIBZMQ


def pyzmq_version() -> str:
    """The version of pyzmq whose interface this package's is like."""
    return ".".join(map(str, _LIKE_PYZMQ))


def pyzmq_version_info() -> tuple[int, int, int]:
    """``pyzmq_version`` as numbers."""
    return _LIKE_PYZMQ


def get_includes() -> list[str]:
    """The folders with ``serverlink/serverlink.h``, for a compiler."""
    return [os.path.join(_HOME, "include")]


def get_library_dirs() -> list[str]:
    """The folders with ``libserverlink.so``, for a linker."""
    return [_HOME]
