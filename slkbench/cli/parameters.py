"""Click parameter types: slkbench's own parsers, with their messages as click errors.

Also the options that many verbs share.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from slkbench.errors import UsageError
from slkbench.runner.placement import parse_affinity
from slkbench.scenario.keys import parse_looks
from slkbench.store import NAME_MAX
from slkbench.units import parse_count, parse_duration_s, parse_percent, parse_rate, parse_size

__all__ = [
    "AFFINITY",
    "COUNT",
    "DURATION",
    "LABEL",
    "LOOKS",
    "MEMORY",
    "PERCENT",
    "RATES",
    "SIZE",
    "cells_option",
    "enum_choice",
    "results_option",
    "wait_option",
]


class ParsedType(click.ParamType):  # type: ignore[type-arg]
    """A parser that raises UsageError, as a click type."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        """``name`` is shown in the help as the kind of value."""
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse what was typed; a value that is no text is parsed already."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


def _parse_wait_s(text: str) -> float:
    return -1.0 if text == "forever" else parse_duration_s(text)


def _parse_memory(text: str) -> int:
    size_bytes = parse_size(text, most_bytes=MOST_MEMORY_BYTES)
    if size_bytes < LEAST_MEMORY_BYTES:
        raise UsageError(
            f"{text!r} is too little for a measured process. Write 128M or more, like 4G."
        )
    return size_bytes


def _parse_rates(text: str) -> tuple[int | float, ...]:
    return tuple(dict.fromkeys(parse_rate(word) for word in text.split(",")))


def _parse_label(text: str) -> str:
    if not _LABEL.fullmatch(text) or len(text) > NAME_MAX:
        raise UsageError(
            f"{text!r} is not a label, which becomes a part of a folder's name. Allowed: letters, "
            f"digits, dots, underscores and single hyphens between them, {NAME_MAX} at most. Write "
            "for example my-change."
        )
    return text


def enum_choice(values: type) -> click.Choice[str]:
    """The values of a StrEnum as a click choice."""
    return click.Choice([str(each) for each in values])  # type: ignore[attr-defined]


LEAST_MEMORY_BYTES = 128 << 20
MOST_MEMORY_BYTES = 1 << 50

SIZE = ParsedType("size", parse_size)
RATES = ParsedType("rate,...", _parse_rates)
COUNT = ParsedType("count", parse_count)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.]|-(?!-))*(?<![.-])", re.ASCII)
LABEL = ParsedType("word", _parse_label)
DURATION = ParsedType("duration", parse_duration_s)
LOOKS = ParsedType("n,...", parse_looks)
PERCENT = ParsedType("percent", parse_percent)
AFFINITY = ParsedType("cpus", parse_affinity)
MEMORY = ParsedType("size", _parse_memory)


def results_option(*names: str) -> Callable[[Any], Any]:
    """``--results``, and what else it is called: where the runs are."""
    return click.option(
        "--results",
        *names,
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("results"),
        show_default=True,
        help="Folder of the runs' folders.",
    )


cells_option = click.option(
    "--cells",
    multiple=True,
    metavar="GLOB",
    help="Only cells of whose title this is a part, as 'tcp 64 B'. Repeatable. [all]",
)
wait_option = click.option(
    "--wait",
    is_flag=False,
    flag_value="forever",
    type=ParsedType("duration", _parse_wait_s),
    default=0.0,
    metavar="[DURATION]",
    help="Wait for another run on this machine to end.",
)
"""``--wait``: seconds for which a run waits for another one to end, -1 for ever."""
