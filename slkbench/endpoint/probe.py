"""What a library says of itself, asked in a process that it may crash.

``python -P -m slkbench.endpoint.probe PARENT library PATH [ABI]`` or ``... module NAME`` prints one
line of JSON: ``abi``, ``version`` and ``patterns``, or ``error``.  It ends with the process PARENT.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

__all__ = ["main"]


def _probe_library(path: str, abi: str) -> dict[str, Any]:
    from slkbench.driver import _driver

    try:
        return _driver.probe(path, abi)
    except (_driver.DriverError, ValueError) as error:
        return {"error": str(error)}


def _probe_module(path: str) -> dict[str, Any]:
    from slkbench.endpoint.library_module import load_module, version_of

    try:
        module = load_module(path)
    except ImportError as error:
        return {"error": str(error)}
    patterns = ["router-router"] if hasattr(module, "ROUTER") else []
    if hasattr(module, "PUSH") and hasattr(module, "PULL"):
        patterns.append("push-pull")
    return {"abi": "", "version": version_of(module), "patterns": patterns}


def main(arguments: list[str]) -> None:
    """Print what the library named by the arguments is."""
    from slkbench.endpoint.watch import live_under_watch

    parent, kind, path, *rest = arguments
    live_under_watch(int(parent))
    found = (
        _probe_library(path, rest[0] if rest else "")
        if kind == "library"
        else (_probe_module(path))
    )
    os.write(1, json.dumps(found).encode() + b"\n")
    os._exit(0)  # a library's exit handlers are none of the probe's business


if __name__ == "__main__":
    main(sys.argv[1:])
