"""The keys of a scenario file, and the parser of each: a value comes in, or a ``UsageError``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from slkbench.errors import UsageError
from slkbench.model import Layer, Metric, Pattern, Topology, Transport
from slkbench.units import parse_count, parse_duration_s, parse_percent, parse_rate, parse_size

__all__ = ["CELL_KEYS", "SCENARIO_KEYS", "Parser", "as_list", "nearest", "parse_looks"]

FEWEST_BLOCKS_FOR_AN_INTERVAL = 6
MAX_IO_THREADS = 64
MAX_PEERS = 512
MAX_IDLE_PEERS = 4096

Parser = Callable[[Any], Any]


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence for an error: what ``word`` may have meant, or else all that is allowed."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Allowed: {', '.join(names) or 'nothing'}."


def as_list(value: Any) -> list[Any]:
    """``value`` if it is a list or tuple, else a list of it alone."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _one_of(kind: type[StrEnum]) -> Parser:
    def parse(value: Any) -> StrEnum:
        names = [str(item) for item in kind]
        if value not in names:
            raise UsageError(f"{value!r} is not one. {nearest(str(value), names)}")
        return kind(value)

    return parse


def _whole(lowest: int, highest: int | None = None) -> Parser:
    allowed = f"{lowest} or more" if highest is None else f"from {lowest} to {highest}"

    def parse(value: Any) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < lowest or (highest is not None and value > highest):
            raise UsageError(f"{value!r} is not allowed. Write a whole number, {allowed}.")
        return int(value)

    return parse


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{value!r} is not allowed. Write a text in quotes.")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{value!r} is not allowed. Write true or false.")
    return value


def _scalar(parse: Parser) -> Parser:
    """``parse`` for a number or a text; tables, lists and truth values have no business there."""

    def checked(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise UsageError(f"{value!r} is not allowed. Write one number, or a text with a unit.")
        return parse(value)

    return checked


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise UsageError(f'{value!r} is not allowed. Write a list like ["libzmq", "serverlink"].')
    names = tuple(_text(item) for item in value)
    if len(set(names)) != len(names):
        raise UsageError(f"{', '.join(names)} names one twice. Remove the second.")
    return names


def _looks(value: Any) -> tuple[int, ...]:
    looks = tuple(_whole(FEWEST_BLOCKS_FOR_AN_INTERVAL)(item) for item in as_list(value))
    if not looks or list(looks) != sorted(set(looks)):
        raise UsageError(
            f"{list(looks)} does not ascend. Write numbers of blocks like [8, 12, 16]."
        )
    return looks


def parse_looks(text: str) -> tuple[int, ...]:
    """The numbers of ``8,12,16``. Raises UsageError."""
    words = [word.strip() for word in text.split(",")]
    return _looks([int(word) if word.isdecimal() else word for word in words])


def _affinity(value: Any) -> tuple[tuple[int, ...], ...]:
    if not isinstance(value, (list, tuple)) or len(value) not in {1, 2}:
        raise UsageError(
            f"{value!r} is not allowed. Write the CPUs of the sender and of the receiver, like "
            "[[0], [1]]."
        )
    return tuple(tuple(_whole(0)(cpu) for cpu in as_list(cpus)) for cpus in value)


SCENARIO_KEYS: dict[str, tuple[str, Parser]] = {
    "question": ("question", _text),
    "contenders": ("contenders", _names),
    "baseline": ("baseline", _text),
    "placebo": ("placebo", _flag),
    "min_time": ("min_time_s", _scalar(parse_duration_s)),
    "min_effect": ("min_effect", _scalar(parse_percent)),
    "looks": ("looks", _looks),
    "rounds": ("rounds", _whole(1)),
    "budget": ("budget_s", _scalar(parse_duration_s)),
    "target": ("target", _scalar(parse_percent)),
    "max_time": ("max_time_s", _scalar(parse_duration_s)),
    "sample_timeout": ("sample_timeout_s", _scalar(parse_duration_s)),
    "affinity": ("affinity", _affinity),
    "seed": ("seed", _whole(0)),
}
CELL_KEYS: dict[str, Parser] = {
    "pattern": _one_of(Pattern),
    "transport": _one_of(Transport),
    "size": _scalar(parse_size),
    "layer": _one_of(Layer),
    "topology": _one_of(Topology),
    "metric": _one_of(Metric),
    "io_threads": _whole(1, MAX_IO_THREADS),
    "hwm": _whole(0),
    "sndhwm": _whole(0),
    "rcvhwm": _whole(0),
    "messages": _scalar(parse_count),
    "senders": _whole(1, MAX_PEERS),
    "receivers": _whole(1, MAX_PEERS),
    "idle_peers": _whole(0, MAX_IDLE_PEERS),
    "rate": _scalar(parse_rate),
}
