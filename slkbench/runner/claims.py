"""Claims against what is stored: each is SUPPORTED, REFUTED, or it cannot be told.

A test asks for one value.  It is supported where the interval of the value lies within the range
that the claim allows, refuted where it lies outside, and open otherwise.  A claim is refuted by any
of its tests, and supported by all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from slkbench.model import Cell
from slkbench.runner.answers_from_profiles import FROM_PROFILES
from slkbench.runner.answers_from_runs import FROM_RUNS
from slkbench.runner.archive import Archive
from slkbench.runner.claim_answers import Answer, ClaimVerdict, cells_of, tool_of
from slkbench.scenario.claims import RATIOS_TO_AGAINST, Claim, Claims, ClaimTest

__all__ = ["Judged", "judge_claims", "missing_work"]


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


def judge_claims(claims: Claims, archive: Archive) -> list[Judged]:
    """Every claim, by what is stored."""
    return [
        Judged(claim, tuple(_answer(test, archive, claims.baseline) for test in claim.tests))
        for claim in claims.claims
    ]


def _answer(test: ClaimTest, archive: Archive, baseline: str) -> Answer:
    """What the newest run or profile says that has an interval, or the newest at all."""
    if test.measure in RATIOS_TO_AGAINST and test.against is None:
        test = replace(test, against=baseline)
    source = FROM_RUNS if test.measure in FROM_RUNS and not test.tool else FROM_PROFILES
    return source[test.measure](test, archive)


def missing_work(judged: Sequence[Judged]) -> dict[str, list[tuple[Cell, str]]]:
    """What was not measured, or not well: by ``run`` or the profile, cells and contenders."""
    wanted: dict[str, list[tuple[Cell, str]]] = {}
    for each in judged:
        for answer in each.answers:
            if not answer.is_missing:
                continue
            test = answer.test
            names = [test.contender, *([test.against] if test.against else [])]
            wanted.setdefault(tool_of(test), []).extend(
                (cell, name) for cell in cells_of(test) for name in names
            )
    return {tool: list(dict.fromkeys(work)) for tool, work in wanted.items()}
