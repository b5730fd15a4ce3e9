"""Claims against what is stored: each is SUPPORTED, REFUTED, or it cannot be told.

A test asks for one value.  It is supported where the interval of the value lies within the range
that the claim allows, refuted where it lies outside, and open otherwise.  A claim is refuted by any
of its tests, and supported by all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from slkbench.errors import StoreError
from slkbench.model import Cell, Layer, Metric, Pattern, ProfileRow, Sample, Status
from slkbench.profile.accounting import accounts_of
from slkbench.runner.builds import build_effects
from slkbench.runner.profile_folder import list_folders, profiles_in
from slkbench.scenario.claims import Claim, Claims, ClaimTest
from slkbench.stats import (
    TIME_PER_MESSAGE,
    discarded_blocks,
    paired_ratio,
    summarise,
)
from slkbench.store import SAMPLES_NAME, StoredRun, read_metadata, read_run

__all__ = ["Answer", "Archive", "ClaimVerdict", "Judged", "judge_claims", "missing_work"]

# Counts that are the same on every run but for this much.
_EXACT_SPREAD = 0.005


class ClaimVerdict(StrEnum):
    """What is to be thought of a claim."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    CANNOT_TELL = "CAN'T TELL"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a test measured; ``source`` is the run or profile, ``reason`` why there is nothing.

    Without bounds the value is not known well enough to judge by.
    """

    test: ClaimTest
    value: float | None = None
    low: float | None = None
    high: float | None = None
    source: str = ""
    reason: str = ""

    @property
    def verdict(self) -> ClaimVerdict:
        """Of this test alone."""
        if self.low is None or self.high is None:
            return ClaimVerdict.CANNOT_TELL
        if self.test.low <= self.low and self.high <= self.test.high:
            return ClaimVerdict.SUPPORTED
        if self.high < self.test.low or self.low > self.test.high:
            return ClaimVerdict.REFUTED
        return ClaimVerdict.CANNOT_TELL


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with the answers of its tests."""

    claim: Claim
    answers: tuple[Answer, ...]

    @property
    def verdict(self) -> ClaimVerdict:
        """Refuted by any test, supported by all of them."""
        verdicts = {each.verdict for each in self.answers}
        if ClaimVerdict.REFUTED in verdicts:
            return ClaimVerdict.REFUTED
        is_supported = verdicts == {ClaimVerdict.SUPPORTED}
        return ClaimVerdict.SUPPORTED if is_supported else ClaimVerdict.CANNOT_TELL


class Archive:
    """Everything that is stored under a results folder, the newest first; read once."""

    def __init__(self, results: Path) -> None:
        """Read; what cannot be read is left out."""
        self.runs: list[StoredRun] = []
        self.profiles: list[tuple[str, dict[str, tuple[ProfileRow, ...]]]] = []
        self.metadata: list[tuple[str, dict[str, Any]]] = []
        for path in reversed(list_folders(results)):
            try:
                self.metadata.append((path.name, read_metadata(path)))
                self.profiles.append((path.name, profiles_in(path)))
                if (path / SAMPLES_NAME).is_file():
                    self.runs.append(read_run(path))
            except StoreError:
                continue

    def cell_samples(self, wanted: Cell, arms: Sequence[str]) -> Iterator[tuple[str, list[Sample]]]:
        """By run that has them all: the samples of these arms in a cell of that description."""
        for run in self.runs:
            for key in dict.fromkeys(one.cell_key for one in run.samples if _is_like(one, wanted)):
                own = [one for one in run.samples if one.cell_key == key and one.arm in arms]
                if {one.arm for one in own if one.status == Status.OK} == set(arms):
                    yield run.run_id, own

    def rows(self, tool: str, wanted: Cell, contender: str) -> tuple[str, list[ProfileRow]] | None:
        """The newest profile of a contender in such a cell."""
        for name, profiles in self.profiles:
            own = [
                row
                for row in profiles.get(tool, ())
                if row.contender == contender
                and (row.pattern, row.transport, row.size_bytes)
                == (wanted.pattern.value, wanted.transport.value, wanted.size_bytes)
                and row.topology == wanted.topology.value
            ]
            if own:
                return name, own
        return None


def judge_claims(claims: Claims, archive: Archive) -> list[Judged]:
    """Every claim, by what is stored."""
    return [
        Judged(claim, tuple(_answer(test, archive, claims.baseline) for test in claim.tests))
        for claim in claims.claims
    ]


def missing_work(judged: Sequence[Judged]) -> dict[str, list[tuple[Cell, str]]]:
    """What was not measured: by ``run`` or the profile's name, cells and contenders."""
    wanted: dict[str, list[tuple[Cell, str]]] = {}
    for each in judged:
        for answer in each.answers:
            test = answer.test
            if answer.value is not None:
                continue
            tool = _tool_of(test)
            cells = [test.cell]
            if test.measure == "pattern-ratio":
                cells = [replace(test.cell, pattern=pattern) for pattern in Pattern]
            names = [test.contender, *([test.against] if test.against else [])]
            for cell in cells:
                for name in names:
                    wanted.setdefault(tool, []).append((cell, name))
    return {tool: list(dict.fromkeys(work)) for tool, work in wanted.items()}


def _tool_of(test: ClaimTest) -> str:
    return {
        "operation-us": "operations",
        "instrumentation": "operations",
        "count": test.tool,
        "option": "syscalls",
        "share": "cpu",
        "build": "builds",
    }.get(test.measure, "run")


def _is_like(sample: Sample, wanted: Cell) -> bool:
    return (
        (sample.pattern, sample.transport, sample.size_bytes, sample.topology)
        == (wanted.pattern, wanted.transport, wanted.size_bytes, wanted.topology)
        and sample.layer == Layer.NATIVE
        and sample.metric == Metric.THROUGHPUT
        and (sample.senders, sample.receivers, sample.idle_peers) == (1, 1, 0)
    )


def _answer(test: ClaimTest, archive: Archive, baseline: str) -> Answer:
    measure: Callable[[ClaimTest, Archive], Answer] = {
        "gap": _gap,
        "rate": _rate,
        "pattern-ratio": _pattern_ratio,
        "operation-us": _operation,
        "instrumentation": _instrumentation,
        "count": _count,
        "option": _option,
        "share": _share,
        "build": _build,
        "flag": _flag,
    }[test.measure]
    if test.measure == "gap" and test.against is None:
        test = replace(test, against=baseline)
    return measure(test, archive)


def _not_there(test: ClaimTest) -> Answer:
    tool = _tool_of(test)
    how = "slkbench run" if tool == "run" else f"slkbench profile {tool}"
    return Answer(test, reason=f"not measured: {how}")


def _gap(test: ClaimTest, archive: Archive) -> Answer:
    assert test.against is not None
    for name, samples in archive.cell_samples(test.cell, (test.contender, test.against)):
        own, others = (
            [one for one in samples if one.arm == arm] for arm in (test.contender, test.against)
        )
        disturbed = discarded_blocks(samples)
        ratio = paired_ratio(own, others, TIME_PER_MESSAGE, without=disturbed)
        if ratio is None:
            continue
        low, high = (None if b is None else 1 / b - 1 for b in (ratio.high, ratio.low))
        return Answer(test, 1 / ratio.point - 1, low, high, name)
    return _not_there(test)


def _rate(test: ClaimTest, archive: Archive) -> Answer:
    for name, samples in archive.cell_samples(test.cell, (test.contender,)):
        disturbed = discarded_blocks(samples)
        rates = [
            one.rate_msgs_per_s
            for one in samples
            if one.rate_msgs_per_s and (one.run_id, one.block) not in disturbed
        ]
        found = summarise(rates)
        if found is not None:
            return Answer(test, found.median, found.low, found.high, name)
    return _not_there(test)


def _pattern_ratio(test: ClaimTest, archive: Archive) -> Answer:
    router, push = (replace(test.cell, pattern=each) for each in Pattern)
    other = dict(archive.cell_samples(push, (test.contender,)))
    for name, samples in archive.cell_samples(router, (test.contender,)):
        if name not in other:
            continue
        disturbed = {*discarded_blocks(samples), *discarded_blocks(other[name])}
        ratio = paired_ratio(samples, other[name], TIME_PER_MESSAGE, without=disturbed)
        if ratio is not None:
            return Answer(test, ratio.point, ratio.low, ratio.high, name)
    return _not_there(test)


def _row(
    test: ClaimTest, archive: Archive, tool: str, contender: str, quantity: str
) -> tuple[str, ProfileRow | None] | None:
    found = archive.rows(tool, test.cell, contender)
    if found is None:
        return None
    name, rows = found
    for row in rows:
        if (row.role, row.what, row.quantity) == (test.role, test.what, quantity):
            return name, row
    # What a profile of the cell has no row of did not happen.
    return (name, None) if any(row.status == Status.OK for row in rows) else None


def _operation(test: ClaimTest, archive: Archive) -> Answer:
    found = _row(test, archive, "operations", test.contender, f"{test.figure}-ns")
    if found is None or found[1] is None or found[1].count is None:
        return _not_there(test)
    name, row = found
    assert row is not None
    assert row.count is not None
    low, high = (None if bound is None else bound / 1000 for bound in (row.low, row.high))
    return Answer(test, row.count / 1000, low, high, name)


def _instrumentation(test: ClaimTest, archive: Archive) -> Answer:
    found = _row(test, archive, "operations", test.contender, "instrumentation-cost")
    if found is None or found[1] is None:
        return _not_there(test)
    name, row = found
    assert row is not None
    return Answer(test, row.count, row.low, row.high, name)


def _count(test: ClaimTest, archive: Archive) -> Answer:
    value = low = high = 0.0
    names = []
    for contender, sign in ((test.contender, 1), (test.against, -1)):
        if contender is None:
            continue
        found = _row(test, archive, test.tool, contender, test.quantity)
        if found is None:
            return _not_there(test)
        name, row = found
        names.append(name)
        each = (row.per_message if row is not None else 0.0) or 0.0
        spread = max(_EXACT_SPREAD, (row.spread or 0.0) if row is not None else 0.0) * abs(each)
        value += sign * each
        low += sign * each - spread
        high += sign * each + spread
    return Answer(test, value, low, high, ", ".join(dict.fromkeys(names)))


def _option(test: ClaimTest, archive: Archive) -> Answer:
    value = 0.0
    names = []
    for contender, sign in ((test.contender, 1), (test.against, -1)):
        if contender is None:
            continue
        found = _row(test, archive, "syscalls", contender, "kernel-option")
        if found is None or found[1] is None or found[1].count is None:
            return _not_there(test)
        names.append(found[0])
        value += sign * found[1].count
    return Answer(test, value, value, value, ", ".join(dict.fromkeys(names)))


def _share(test: ClaimTest, archive: Archive) -> Answer:
    found = archive.rows("cpu", test.cell, test.contender)
    accounts = accounts_of(found[1], test.contender, 1) if found else []
    if found is None or not accounts:
        return _not_there(test)
    limiting = accounts[0]
    share = limiting.parts_ns.get(test.what, 0.0) / limiting.wall_ns
    bounds = [
        (row.low, row.high)
        for row in found[1]
        if (row.role, row.what, row.quantity) == (limiting.of, test.what, "part-ns")
    ]
    if not bounds or None in bounds[0]:
        return Answer(test, share, None, None, found[0])
    low, high = ((bound or 0.0) / limiting.wall_ns for bound in bounds[0])
    return Answer(test, share, low, high, found[0])


def _build(test: ClaimTest, archive: Archive) -> Answer:
    for run in archive.runs:
        for effect in build_effects(run):
            wanted = (test.what, test.against or effect.against, test.cell.transport)
            if (effect.variant, effect.against, effect.cell.transport) != wanted:
                continue
            if (effect.cell.pattern, effect.cell.size_bytes) != (
                test.cell.pattern,
                test.cell.size_bytes,
            ):
                continue
            low, high = (
                None if b is None or math.isinf(b) else 1 / b - 1 for b in (effect.high, effect.low)
            )
            return Answer(test, 1 / effect.ratio - 1, low, high, run.run_id)
    return _not_there(test)


def _flag(test: ClaimTest, archive: Archive) -> Answer:
    for name, metadata in archive.metadata:
        for each in metadata.get("libraries", ()):
            if each.get("name") != test.contender or each.get("layer") != Layer.NATIVE:
                continue
            flags = str(each.get("build_flags") or "")
            if "-O" not in flags:
                return Answer(
                    test, source=name, reason=f"the binary does not tell its flags: {flags}"
                )
            value = float(test.what in flags.split())
            return Answer(test, value, value, value, name)
    return _not_there(test)
