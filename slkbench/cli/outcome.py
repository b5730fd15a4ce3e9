"""With which code a run ends, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slkbench.model import Status, Verdict, VerdictKind

if TYPE_CHECKING:
    from slkbench.runner.result import RunResult

__all__ = ["FAIL_ON", "exit_code"]

FAIL_ON = ("regression", "inconclusive", "failure", "unfair", "none")
"""What ``--fail-on`` may name."""


def exit_code(result: RunResult, fail_on: frozenset[str]) -> tuple[int, str]:
    """The code and its reason; (0, "") where nothing happened that the user wants to fail on.

    A failure outranks unlike conditions, these a regression, and that an open question.
    """
    failed = [each for each in result.verdicts if each.status is Status.FAILED]
    if "failure" in fail_on and failed:
        return 4, f"{_name(failed[0])}: {failed[0].reason}{_others(failed)}"
    if "failure" in fail_on and (bad := result.failed_samples):
        return 4, f"{bad[0].arm} failed: {bad[0].reason}"
    if "unfair" in fail_on and result.parity_findings:
        finding = result.parity_findings[0]
        return 5, f"{finding.subject}: {finding.evidence}"
    slower = [each for each in result.verdicts if each.kind is VerdictKind.SLOWER]
    if "regression" in fail_on and slower:
        return 1, f"{_name(slower[0])} is slower than {slower[0].baseline}{_others(slower)}"
    open_ones = [
        each
        for each in result.verdicts
        if each.kind in (VerdictKind.INCONCLUSIVE, VerdictKind.INVALID)
        and each.status in (Status.OK, Status.SATURATED)
    ]
    if "inconclusive" in fail_on and open_ones:
        first = open_ones[0]
        word = first.kind if first.status is Status.OK else first.status
        return 3, f"{_name(first)} is {word}{_others(open_ones)}"
    return 0, ""


def _name(verdict: Verdict) -> str:
    return f"{verdict.contender} in {verdict.cell.title}"


def _others(verdicts: list[Verdict]) -> str:
    return f" (and {len(verdicts) - 1} more)" if len(verdicts) > 1 else ""
