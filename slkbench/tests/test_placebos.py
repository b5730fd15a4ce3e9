"""Placebos of stored runs as A/A trials: a stricter rule than that in use, and what it says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binom

from slkbench.cli.main import cli
from slkbench.model import ArmRole, Cell, Pattern, Sample, Scenario, Transport, VerdictKind
from slkbench.scenario import scenario_to_json
from slkbench.selftest.laws import LAWS, Law
from slkbench.selftest.placebos import placebo_trials, runs_named
from slkbench.stats import DECIDED, judge_cell
from slkbench.store import StoredRun, read_run

CELL = Cell(Pattern.PUSH_PULL, Transport.INPROC, 64)
DIFFERENT = (VerdictKind.SLOWER, VerdictKind.FASTER)
ROLES = {
    "libzmq": ArmRole.BASELINE,
    "placebo": ArmRole.PLACEBO,
    "copy": ArmRole.CONTENDER,
}


def samples_of(law: Law, seed: int, blocks: int, *, sd: float = 1.0) -> list[Sample]:
    """Three arms of the same library in mirrored blocks, ``sd`` times the law's noise."""
    generator = np.random.default_rng(seed)
    logs = law.of_machine(generator, (1, blocks, 6))[0] * sd
    made = []
    for block in range(blocks):
        order = [list(ROLES)[place] for place in generator.permutation(3)]
        for slot, arm in enumerate(order + order[::-1]):
            sample = Sample(
                run_id="run",
                block=block,
                slot=slot,
                arm=arm,
                role=ROLES[arm],
                pattern=CELL.pattern,
                transport=CELL.transport,
                size_bytes=CELL.size_bytes,
                messages=1000,
                time_per_message_ns=200 * math.exp(logs[block, slot]),
            )
            made.append(sample)
    return made


def stored(scenario: Scenario, samples: list[Sample]) -> StoredRun:
    record = {"scenario": scenario_to_json(scenario)}
    return StoredRun(Path("run"), record, tuple(samples))


def swapped(samples: list[Sample]) -> list[Sample]:
    """The copy in the place of the placebo, and the other way round."""
    other = {"copy": "placebo", "placebo": "copy"}
    return [
        replace(sample, arm=name, role=ROLES[name])
        for sample in samples
        for name in [other.get(sample.arm, sample.arm)]
    ]


def verdict_in_use(scenario: Scenario, samples: list[Sample]) -> VerdictKind:
    """What a run of these arms would have ended with."""
    for look in scenario.looks:
        seen = [sample for sample in samples if sample.block < look]
        (verdict,) = judge_cell(CELL, seen, scenario)
        if verdict.kind in DECIDED:
            break
    return verdict.kind


# Of a false level, so that there are false verdicts to compare.
SCENARIO = Scenario("s", "?", cells=(CELL,), looks=(5, 6, 8), min_effect=0.002)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS[:3], ids=lambda law: law.name)
def test_the_rule_calls_different_whatever_that_in_use_does(law: Law) -> None:
    in_use = 0
    for seed in range(80):
        samples = samples_of(law, seed, 8)
        # A drift of one arm stands for what chance does seldom.
        samples = [
            replace(each, time_per_message_ns=(each.time_per_message_ns or 0) * 1.3)
            if each.arm == "copy"
            else each
            for each in samples
        ]
        if verdict_in_use(SCENARIO, samples) in DIFFERENT:
            in_use += 1
            (trial,) = placebo_trials(stored(SCENARIO, swapped(samples)))
            assert trial.is_false, seed
    assert in_use > 0


@pytest.mark.slow
def test_few_placebos_are_called_different_whatever_the_noise() -> None:
    trials = [
        trial
        for law in LAWS[:7]
        for seed in range(40)
        for trial in placebo_trials(stored(replace(SCENARIO, rounds=6), samples_of(law, seed, 6)))
    ]
    assert len(trials) == 280
    assert all(trial.is_complete for trial in trials)
    false = sum(trial.is_false for trial in trials)
    assert false <= binom.ppf(1 - 1e-4, len(trials), 0.05)


def test_a_run_that_ended_early_is_shown_and_not_counted(
    write_run: Callable[..., Path],
) -> None:
    whole = read_run(write_run("whole", blocks=8))
    scenario = {**whole.metadata["scenario"], "rounds": None}
    cut = replace(whole, metadata={**whole.metadata, "scenario": scenario})
    assert [trial.is_complete for trial in placebo_trials(whole)] == [True]
    assert [trial.is_complete for trial in placebo_trials(cut)] == [False]
    short = read_run(write_run("short", blocks=4))
    assert placebo_trials(short) == []


def test_the_table_is_over_all_runs_of_a_folder(write_run: Callable[..., Path]) -> None:
    root = write_run("one").parent
    write_run("two")
    write_run("short", blocks=4)
    assert len(list(runs_named(["all"], root))) == 3
    result = CliRunner().invoke(cli, ["selftest", "--placebos", "all", "--out", str(root)])
    assert result.exit_code == 0, result.output
    assert "0 of 2" in result.output
    assert "without a placebo that has an interval: 1 run" in result.output
    nothing = CliRunner().invoke(cli, ["selftest", "--placebos", "short", "--out", str(root)])
    assert nothing.exit_code == 2
    assert "6 blocks" in nothing.output
    both = CliRunner().invoke(cli, ["selftest", "--placebos", "all", "--quick"])
    assert both.exit_code == 2
