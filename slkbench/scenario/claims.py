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
    transport = "tcp"               # any key of a scenario's cells, and lists of values, as there:
    size = [64, "1KiB"]             # a test in each
    range = [1.5, 2.5]              # what the claim allows; "-inf" and "inf" are open ends
    outside = true                  # the claim allows what is not in the range; else leave it away
    one_core = true                 # of runs with both threads on one core; else of all others
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from slkbench.errors import ScenarioError
from slkbench.model import Cell
from slkbench.scenario.document import cells_in
from slkbench.scenario.find import shipped_files
from slkbench.scenario.keys import CELL_KEYS, nearest

__all__ = [
    "MEASURES",
    "PERCENTILES",
    "RATIOS_TO_AGAINST",
    "SAMPLE_FIGURES",
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
    "rate-ratio": "rate of contender / rate of against, from samples",
    "cpu-ratio": "CPU time per message of contender / that of against, from samples",
    "round-trip-ratio": "figure (p50, p90, p99, p99.9) of round trips of contender / of against",
    "cell-ratio": "time per message of contender / its time in the cell with the keys of instead",
    "sample": "median over samples of contender's column what, as of samples.csv",
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

RATIOS_TO_AGAINST = ("gap", "rate-ratio", "cpu-ratio", "round-trip-ratio")
"""Measures that compare with the baseline where a test does not say against whom."""

PERCENTILES = ("p50", "p90", "p99", "p99.9")
"""Of round trips, by the names that they have in reports."""

SAMPLE_FIGURES = (
    "slowest_sender_share",
    "idle_peer_bytes",
    "max_rss_bytes",
    "p50_ns",
    "p99_ns",
    "bandwidth_mib_per_s",
)
"""Columns of samples that the measure ``sample`` knows."""

_USUAL_CELL = {"pattern": "router-router", "transport": "tcp", "size": 64}

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
    one_core: bool = False
    instead: Cell | None = None


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
        test
        for number, each in enumerate(table.get("test", ()), 1)
        for test in _tests(each, f"{where}, test {number}", subject)
    )
    untestable = str(table.get("untestable", ""))
    if not table.get("quote") or bool(tests) == bool(untestable):
        raise ScenarioError(f"{where}: wants a quote, and either tests or untestable")
    return Claim(str(table.get("section", "")), str(table["quote"]), tests, untestable)


def _tests(table: Mapping[str, Any], where: str, subject: str) -> list[ClaimTest]:
    """A test for each cell that the table names."""
    others = ("low", "high", "cell", "outside", "one_core", "instead")
    texts = tuple(item.name for item in fields(ClaimTest) if item.name not in others)
    known = (*texts, "range", "outside", "one_core", "instead", *CELL_KEYS)
    _check_keys(table, known, where)
    measure = table.get("measure")
    if measure not in MEASURES:
        raise ScenarioError(
            f"{where}: measure {measure!r} is not known. {nearest(str(measure), MEASURES)}"
        )
    low, high = _range(table.get("range"), where)
    switches = {key: table.get(key, False) for key in ("outside", "one_core")}
    for key, value in switches.items():
        if not isinstance(value, bool):
            raise ScenarioError(f"{where}: {key} {value!r} is neither true nor false")
    given = {"contender": subject, **{key: str(table[key]) for key in texts if key in table}}
    _check_needs(given, table, where)
    conditions = {**_USUAL_CELL, **{key: table[key] for key in CELL_KEYS if key in table}}
    cells = _cells(conditions, where)
    instead = table.get("instead")
    if instead is not None:
        _check_keys(instead, tuple(CELL_KEYS), f"{where}, instead")
    twins = _cells({**conditions, **(instead or {})}, f"{where}, instead")
    if len(twins) not in (1, len(cells)):
        raise ScenarioError(f"{where}: instead makes {len(twins)} cells of {len(cells)}")
    twins = twins if len(twins) == len(cells) else twins * len(cells)
    return [
        ClaimTest(
            low=low,
            high=high,
            cell=cell,
            instead=None if instead is None else twin,
            outside=switches["outside"],
            one_core=switches["one_core"],
            **given,
        )
        for cell, twin in zip(cells, twins, strict=True)
    ]


def _range(bounds: Any, where: str) -> tuple[float, float]:
    try:
        low, high = (float(each) for each in bounds)
    except (TypeError, ValueError):
        raise ScenarioError(f"{where}: range {bounds!r} is not two numbers") from None
    if math.isnan(low) or low > high:
        raise ScenarioError(f"{where}: range {bounds!r} is empty")
    return low, high


def _check_needs(given: Mapping[str, str], table: Mapping[str, Any], where: str) -> None:
    """That a measure has what it cannot do without."""
    measure = given["measure"]
    if measure == "count-ratio" and "against" not in given:
        raise ScenarioError(f"{where}: count-ratio wants against, the contender to compare with")
    if measure == "cell-ratio" and not isinstance(table.get("instead"), dict):
        raise ScenarioError(
            f"{where}: cell-ratio wants instead, the keys in which the other cell differs, "
            "as instead = { idle_peers = 0 }"
        )
    if measure == "round-trip-ratio" and given.get("figure") not in PERCENTILES:
        raise ScenarioError(
            f"{where}: round-trip-ratio wants a figure. Allowed: {', '.join(PERCENTILES)}."
        )
    if measure == "sample" and given.get("what") not in SAMPLE_FIGURES:
        raise ScenarioError(
            f"{where}: sample wants what, a column. Allowed: {', '.join(SAMPLE_FIGURES)}."
        )


def _cells(conditions: Mapping[str, Any], where: str) -> list[Cell]:
    cells = cells_in(conditions, where, "cell")
    if any(cell.offered_share is not None for cell in cells):
        raise ScenarioError(
            f"{where}: rate {conditions['rate']!r} is a share, which differs from run to run. "
            'Write messages per second, as "10k".'
        )
    return cells
