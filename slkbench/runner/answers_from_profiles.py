"""What profiles and builds say to the test of a claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from slkbench.model import Layer, ProfileRow, Status
from slkbench.profile.accounting import accounts_of
from slkbench.runner.archive import Archive
from slkbench.runner.builds import build_effects
from slkbench.runner.claim_answers import Answer, cells_of, listed, not_there
from slkbench.scenario.claims import ClaimTest

__all__ = ["FROM_PROFILES"]

# Counts that are the same on every run but for this much.
_EXACT_SPREAD = 0.005


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
        return not_there(test)
    name, row = found
    assert row is not None
    assert row.count is not None
    low, high = (None if bound is None else bound / 1000 for bound in (row.low, row.high))
    return Answer(test, row.count / 1000, low, high, name)


def _instrumentation(test: ClaimTest, archive: Archive) -> Answer:
    return _figure_of_timing(test, archive, "instrumentation-cost")


def _timed_rate(test: ClaimTest, archive: Archive) -> Answer:
    return _figure_of_timing(test, archive, "timed-rate")


def _figure_of_timing(test: ClaimTest, archive: Archive, quantity: str) -> Answer:
    """Of runs with timed calls; ``what`` is all: some messages' calls, or every: each one's."""
    found = _row(test, archive, "operations", test.contender, quantity)
    if found is None or found[1] is None:
        return not_there(test)
    name, row = found
    assert row is not None
    return Answer(test, row.count, row.low, row.high, name)


def _count(test: ClaimTest, archive: Archive) -> Answer:
    value = low = high = 0.0
    names = []
    for contender, sign in ((test.contender, 1), (test.against, -1)):
        if contender is None:
            continue
        found = _count_of(replace(test, contender=contender), archive)
        if found is None:
            return not_there(test)
        name, each, spread = found
        names.append(name)
        value += sign * each
        low += sign * each - spread
        high += sign * each + spread
    return Answer(test, value, low, high, listed(names))


def _count_ratio(test: ClaimTest, archive: Archive) -> Answer:
    assert test.against is not None
    return _ratio_of_counts(test, archive, (test, replace(test, contender=test.against)))


def _ratio_of_counts(
    test: ClaimTest, archive: Archive, pair: tuple[ClaimTest, ClaimTest]
) -> Answer:
    first, second = (_count_of(each, archive) for each in pair)
    if first is None or second is None:
        return not_there(test)
    (name, count, spread), (other_name, other, other_spread) = first, second
    source = listed((name, other_name))
    if other <= other_spread:
        reason = "a ratio to a count of none tells nothing"
        return Answer(test, source=source, reason=reason, is_final=True)
    low = (count - spread) / (other + other_spread)
    return Answer(test, count / other, low, (count + spread) / (other - other_spread), source)


def _count_of(test: ClaimTest, archive: Archive) -> tuple[str, float, float] | None:
    """Where it is from, the count per message, and how far it may be off."""
    found = _row(test, archive, test.tool, test.contender, test.quantity)
    if found is None:
        return None
    name, row = found
    if row is None or row.per_message is None:
        return name, 0.0, 0.0
    return name, row.per_message, max(_EXACT_SPREAD, row.spread or 0.0) * abs(row.per_message)


def _option(test: ClaimTest, archive: Archive) -> Answer:
    value = 0.0
    names = []
    for contender, sign in ((test.contender, 1), (test.against, -1)):
        if contender is None:
            continue
        found = _row(test, archive, "syscalls", contender, "kernel-option")
        if found is None or found[1] is None or found[1].count is None:
            return not_there(test)
        names.append(found[0])
        value += sign * found[1].count
    return Answer(test, value, value, value, listed(names))


def _share(test: ClaimTest, archive: Archive) -> Answer:
    found = archive.rows("cpu", test.cell, test.contender)
    accounts = accounts_of(found[1], test.contender, 1) if found else []
    if found is None or not accounts:
        return not_there(test)
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
    return not_there(test)


def _flag(test: ClaimTest, archive: Archive) -> Answer:
    for name, metadata in archive.metadata:
        for each in metadata.get("libraries", ()):
            if each.get("name") != test.contender or each.get("layer") != Layer.NATIVE:
                continue
            flags = str(each.get("build_flags") or "")
            if "-O" not in flags:
                reason = f"{test.contender}: the binary does not tell its flags, but: {flags}"
                return Answer(test, source=name, reason=reason, is_final=True)
            value = float(_is_flag_in(test.what, flags.split()))
            return Answer(test, value, value, value, name)
    return not_there(test)


def _is_flag_in(flag: str, words: Iterable[str]) -> bool:
    """Whether a compiler that was given the flag would say so by one of these words.

    It names the processor where ``-march=native`` was given.
    """
    if flag == "-march=native":
        return any(
            word.startswith("-march=") and not word.startswith("-march=x86-64") for word in words
        )
    return any(word == flag or word.startswith(f"{flag}=") for word in words)


def _pattern_ratio(test: ClaimTest, archive: Archive) -> Answer:
    router, push = (replace(test, cell=cell) for cell in cells_of(test))
    return _ratio_of_counts(test, archive, (router, push))


FROM_PROFILES: dict[str, Callable[[ClaimTest, Archive], Answer]] = {
    "operation-us": _operation,
    "instrumentation": _instrumentation,
    "timed-rate": _timed_rate,
    "count": _count,
    "count-ratio": _count_ratio,
    "pattern-ratio": _pattern_ratio,
    "option": _option,
    "share": _share,
    "build": _build,
    "flag": _flag,
}
"""By measure: what the newest profile of such a cell, or the newest runs of builds, say."""
