"""Reads what callgrind wrote about one thread: costs of functions, and calls between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Function", "ThreadCosts", "read_callgrind"]

_NAMED = re.compile(r"(c?)(ob|fl|fi|fe|fn)=(?:\((\d+)\)\s*)?(.*)")
_RECURSION = re.compile(r"'\d+$")
_KINDS = {"ob": "ob", "fl": "fl", "fi": "fl", "fe": "fl", "fn": "fn"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function and the file of the program or library that it is in, as far as is known."""

    name: str
    object_path: str


@dataclass(slots=True)
class ThreadCosts:
    """Instructions of one thread. ``number`` is valgrind's, from 1 in the order of creation."""

    number: int = 0
    own: Counter[Function] = field(default_factory=Counter)
    calls: Counter[tuple[Function, Function]] = field(default_factory=Counter)
    inclusive: Counter[tuple[Function, Function]] = field(default_factory=Counter)


def read_callgrind(lines: Iterable[str]) -> ThreadCosts:
    """The costs in one file of ``--separate-threads=yes`` with the one event ``Ir``."""
    costs = ThreadCosts()
    reader = _Reader(costs)
    for line in lines:
        reader.take(line.rstrip("\n"))
    return costs


class _Reader:
    """The state of a file on its way through: names stay until they are said again."""

    def __init__(self, costs: ThreadCosts) -> None:
        self._costs = costs
        self._names: dict[tuple[str, str], str] = {}
        self._object = "???"
        self._caller = Function("???", "???")
        self._callee_object: str | None = None
        self._callee_name = "???"
        self._is_call = False

    def take(self, line: str) -> None:
        if not line:
            return
        if line[0].isdigit() or line[0] in "+-*":
            self._take_cost(line)
        elif line.startswith("calls="):
            count = int(line[6:].split(maxsplit=1)[0])
            self._costs.calls[self._caller, self._callee] += count
            self._is_call = True
        elif line.startswith("thread: "):
            self._costs.number = int(line[8:])
        elif match := _NAMED.fullmatch(line):
            self._take_name(match[1], match[2], self._full_name(_KINDS[match[2]], match))

    def _full_name(self, kind: str, match: re.Match[str]) -> str:
        number, name = match[3], match[4]
        if number is None:
            return name
        if name:
            # Calls of itself have a name of their own, which ends in '2 and so on.
            self._names[kind, number] = _RECURSION.sub("", name) if kind == "fn" else name
        return self._names.get((kind, number), "???")

    def _take_name(self, called: str, kind: str, name: str) -> None:
        if kind == "ob" and called:
            self._callee_object = name
        elif kind == "ob":
            self._object = name
        elif kind == "fn" and called:
            self._callee_name = name
        elif kind == "fn":
            self._caller = Function(name, self._object)

    @property
    def _callee(self) -> Function:
        place = self._object if self._callee_object is None else self._callee_object
        return Function(self._callee_name, place)

    def _take_cost(self, line: str) -> None:
        words = line.split()
        cost = int(words[1]) if len(words) > 1 else 0
        if self._is_call:
            self._costs.inclusive[self._caller, self._callee] += cost
            self._callee_object = None
            self._is_call = False
        else:
            self._costs.own[self._caller] += cost
