"""Claims: sentences that somebody wrote, in TOML, each with the measurements that test it.

::

    [claims]
    about = "..."                   # where the sentences are from
    subject = "serverlink"          # the contender that is claimed about
    baseline = "libzmq"

    [[claim]]
    section = "3.2"
    quote = "ROUTER-ROUTER has ~2x protocol overhead compared to PUSH-PULL"
    untestable = "..."              # why there is no test; else at least one

    [[claim.test]]
    measure = "pattern-ratio"       # MEASURES says what each is, and needs
    transport = "tcp"
    size = 64
    range = [1.5, 2.5]              # what the claim allows; "-inf" and "inf" are open ends
    outside = true                  # the claim allows what is not in the range; else leave it away
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from slkbench.errors import ScenarioError, UsageError
from slkbench.model import Cell, Pattern, Transport
from slkbench.scenario.find import shipped_files
from slkbench.scenario.keys import CELL_KEYS, nearest

__all__ = [
    "MEASURES",
    "Claim",
    "ClaimTest",
    "Claims",
    "load_claims",
    "parse_claims",
    "with_subject",
]

MEASURES = {
    "gap": "rate of contender / rate of against - 1, from samples",
    "rate": "messages per second of contender, from samples",
    "pattern-ratio": "ROUTER-ROUTER / PUSH-PULL of contender: time per message, or count of tool",
    "operation-us": "figure (mean, p50, p99 or max) of what, of role, in us: profile operations",
    "instrumentation": "time with timed calls (what: all = some, every) / without - 1: operations",
    "timed-rate": "messages per second with timed calls (what as above): profile operations",
    "count": "quantity of what, of role, per message, less that of against if named: profile tool",
    "count-ratio": "quantity of contender / that of against, otherwise as count: profile tool",
    "option": "value of the kernel's option what, less that of against if named: profile syscalls",
    "share": "part of what in the time per message of the limiting thread: profile cpu",
    "build": "rate of build what / rate of build against - 1: profile builds",
    "flag": "1 if contender was compiled with the flag what, 0 if not",
}
"""What a test can measure."""

_FILE = "claims-2026-01-03"


@dataclass(frozen=True, slots=True)
class ClaimTest:
    """One measurement, and the range of values that the claim allows."""

    measure: str
    low: float
    high: float
    cell: Cell
    contender: str
    against: str | None = None
    role: str = "all"
    what: str = "all"
    quantity: str = ""
    tool: str = ""
    figure: str = "mean"
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence; ``untestable`` says why there are no tests, where there are none."""

    section: str
    quote: str
    tests: tuple[ClaimTest, ...]
    untestable: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims of a file."""

    about: str
    subject: str
    baseline: str
    claims: tuple[Claim, ...]


def load_claims(name: str | None = None) -> Claims:
    """The claims of a file, or of those that are shipped. Raises ScenarioError."""
    shipped = {file.stem: file for file in shipped_files() if file.stem.startswith("claims-")}
    file = shipped.get(name or _FILE) or Path(name or _FILE)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(
            f"cannot read claims from {file}: {error}. {nearest(str(file), shipped)}"
        ) from None
    return parse_claims(text, where=str(file))


def with_subject(claims: Claims, name: str) -> Claims:
    """The same claims, made about another contender."""

    def renamed(test: ClaimTest) -> ClaimTest:
        is_it = test.contender == claims.subject
        return replace(test, contender=name) if is_it else test

    return replace(
        claims,
        subject=name,
        claims=tuple(
            replace(each, tests=tuple(map(renamed, each.tests))) for each in claims.claims
        ),
    )


def parse_claims(text: str, *, where: str) -> Claims:
    """The claims that a TOML text holds. Raises ScenarioError naming the file and the key."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{where} is not TOML: {error}. Mend the file there.") from None
    _check_keys(document, ("claims", "claim"), where)
    head = document.get("claims", {})
    _check_keys(head, ("about", "subject", "baseline"), f"{where}, claims")
    subject = str(head.get("subject", "serverlink"))
    baseline = str(head.get("baseline", "libzmq"))
    found = tuple(
        _claim(each, f"{where}, claim {number}", subject)
        for number, each in enumerate(document.get("claim", ()), 1)
    )
    return Claims(str(head.get("about", where)), subject, baseline, found)


def _check_keys(table: Any, known: Sequence[str], where: str) -> None:
    if not isinstance(table, dict):
        raise ScenarioError(f"{where}: a table is wanted")
    for key in table:
        if key not in known:
            raise ScenarioError(f"{where}: unknown key {key!r}. {nearest(key, known)}")


def _claim(table: Mapping[str, Any], where: str, subject: str) -> Claim:
    _check_keys(table, ("section", "quote", "untestable", "test"), where)
    tests = tuple(
        _test(each, f"{where}, test {number}", subject)
        for number, each in enumerate(table.get("test", ()), 1)
    )
    untestable = str(table.get("untestable", ""))
    if not table.get("quote") or bool(tests) == bool(untestable):
        raise ScenarioError(f"{where}: wants a quote, and either tests or untestable")
    return Claim(str(table.get("section", "")), str(table["quote"]), tests, untestable)


def _test(table: Mapping[str, Any], where: str, subject: str) -> ClaimTest:
    others = ("low", "high", "cell", "outside")
    texts = tuple(item.name for item in fields(ClaimTest) if item.name not in others)
    _check_keys(table, (*texts, "range", "outside", "pattern", "transport", "size"), where)
    if table.get("measure") not in MEASURES:
        raise ScenarioError(
            f"{where}: measure {table.get('measure')!r} is not known. "
            f"{nearest(str(table.get('measure')), MEASURES)}"
        )
    bounds = table.get("range")
    try:
        low, high = (float(each) for each in bounds)  # type: ignore[union-attr]
        values = {
            "pattern": Pattern.ROUTER_ROUTER,
            "transport": Transport.TCP,
            "size": 64,
            **{
                key: CELL_KEYS[key](table[key])
                for key in ("pattern", "transport", "size")
                if key in table
            },
        }
    except (TypeError, ValueError):
        raise ScenarioError(f"{where}: range {bounds!r} is not two numbers") from None
    except UsageError as error:
        raise ScenarioError(f"{where}: {error}") from None
    if math.isnan(low) or low > high:
        raise ScenarioError(f"{where}: range {bounds!r} is empty")
    cell = Cell(values["pattern"], values["transport"], values["size"])
    outside = table.get("outside", False)
    if not isinstance(outside, bool):
        raise ScenarioError(f"{where}: outside {outside!r} is neither true nor false")
    given = {key: str(table[key]) for key in texts if key in table}
    given = {"contender": subject, **given}
    if given["measure"] == "count-ratio" and "against" not in given:
        raise ScenarioError(f"{where}: count-ratio wants against, the contender to compare with")
    return ClaimTest(low=low, high=high, cell=cell, outside=outside, **given)
