"""JSON as ``send_json`` and ``recv_json`` have it: UTF-8, without spaces."""

import json
from typing import Any

__all__ = ["dumps", "loads"]


def dumps(o: Any, **kwargs: Any) -> bytes:
    """An object as JSON. Raises TypeError as ``json.dumps``."""
    kwargs.setdefault("separators", (",", ":"))
    kwargs.setdefault("ensure_ascii", False)
    return json.dumps(o, **kwargs).encode()


def loads(s: str | bytes, **kwargs: Any) -> Any:
    """The object of JSON. Raises ValueError as ``json.loads``."""
    return json.loads(s.decode() if isinstance(s, bytes) else s, **kwargs)
