"""Python modules under measurement: loaded by name, or from a folder (a copy elsewhere)."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

__all__ = ["load_module", "version_of"]


def load_module(path: str) -> Any:
    """Import the module ``NAME`` or ``FOLDER/NAME``; ImportError if it is not there."""
    folder, name = os.path.split(path)
    if folder:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def version_of(module: Any) -> str:
    """The version of the messaging library behind the module, else the module's own, else ''."""
    if hasattr(module, "slk_version"):
        return str(module.slk_version())
    library_version = getattr(module, "zmq_version", None)
    if callable(library_version):
        return f"{getattr(module, '__version__', '')} (libzmq {library_version()})"
    return str(getattr(module, "__version__", ""))
