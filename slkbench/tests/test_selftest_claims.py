"""What trials say of the times within which an effect is to be found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slkbench.model import Status, VerdictKind
from slkbench.selftest.claims import Answer, Claim, claims_of_trials
from slkbench.selftest.score import Trial

FOUND = Trial(
    number=1,
    cell="push-pull tcp 64 B",
    metric="throughput",
    transport="tcp",
    effect=0.10,
    truth=1.10,
    kind=VerdictKind.SLOWER,
    status=Status.OK,
    reason="",
    blocks=32,
    duration_s=70.0,
    time_ratio=1.1,
    low=1.05,
    high=1.15,
    predicted=0.08,
    cpu_ratio=None,
    cpu_low=None,
    cpu_high=None,
    cpu_kind=VerdictKind.SLOWER,
)
MISSED = replace(FOUND, kind=VerdictKind.INCONCLUSIVE)


def claim_of_ten_minutes(*trials: Trial) -> Claim:
    (claim,) = (one for one in claims_of_trials(trials) if "+10% on tcp" in one.text)
    return claim


def test_what_is_found_in_time_counts_for_the_claim() -> None:
    claim = claim_of_ten_minutes(FOUND, replace(FOUND, duration_s=599.0))
    assert (claim.trials, claim.misses) == (2, 0)


@pytest.mark.parametrize(
    "late", [replace(FOUND, duration_s=601.0), replace(MISSED, duration_s=600.0)]
)
def test_what_is_not_found_in_time_counts_against_it(late: Trial) -> None:
    claim = claim_of_ten_minutes(FOUND, late)
    assert (claim.trials, claim.misses) == (2, 1)


def test_a_trial_that_ended_sooner_is_not_counted_but_told() -> None:
    claim = claim_of_ten_minutes(FOUND, MISSED, MISSED)
    assert (claim.trials, claim.misses) == (1, 0)
    assert "2 more ended sooner" in claim.text


def test_where_all_ended_sooner_nothing_can_be_told() -> None:
    claim = claim_of_ten_minutes(MISSED, MISSED)
    assert claim.answer is Answer.UNTRIED
    assert claim.lack == "2 ended sooner; more --looks"


def test_a_prediction_is_held_against_what_is_larger_than_it() -> None:
    small = replace(MISSED, predicted=0.12)
    trials = [FOUND, MISSED, small, replace(MISSED, predicted=None)]
    (claim,) = (one for one in claims_of_trials(trials) if "predicted" in one.text)
    assert (claim.trials, claim.misses) == (2, 1)


def test_four_of_four_that_had_the_time_and_missed_contradict_it() -> None:
    claim = claim_of_ten_minutes(*[replace(MISSED, duration_s=600.0)] * 4)
    assert claim.answer is Answer.CONTRADICTED
