"""slkbench.scenario: TOML becomes cells, every slip is named, and the shipped files load."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from slkbench.errors import ScenarioError
from slkbench.model import Layer, Metric, Pattern, Scenario, Topology, Transport
from slkbench.plan import estimate
from slkbench.scenario import (
    ad_hoc_scenario,
    find_scenario,
    list_scenarios,
    load_scenario,
    parse_scenario,
    scenario_from_json,
    scenario_hash,
    scenario_to_json,
)

SHIPPED = [file.stem for file in list_scenarios()]
HEAD = '[scenario]\nquestion = "Which?"\n'
CELL = '[[cells]]\npattern = "push-pull"\ntransport = "tcp"\nsize = 64\n'
# Of the one cell above, as the first schema version had it.
USUAL_HASH = "b408f42f1b47e724e8ffe1c3a15f9388f01825895b253fd02d7f6c88733d4043"


def parse(text: str) -> Scenario:
    return parse_scenario(text, name="mine", where="mine.toml")


def refusal(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    assert str(caught.value).startswith("mine.toml")
    return str(caught.value)


def test_the_scenarios_that_the_manual_names_are_shipped() -> None:
    wanted = {"smoke", "default", "reference-report", "patterns", "round-trip", "inline-threshold"}
    assert wanted <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_loads_and_says_what_it_wants(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.question.endswith("?")
    comment = find_scenario(name).read_text().split("\n\n", 1)[0]
    assert all(line.startswith("#") for line in comment.splitlines())
    for word in ("Question:", "Duration:", "Needs:"):
        assert word in comment


def test_the_reference_report_has_exactly_its_cells() -> None:
    scenario = load_scenario("reference-report")
    counts = {64: 100_000, 1024: 50_000, 8192: 10_000, 65536: 1_000}
    expected = {
        (pattern, transport, size, messages, 0, 0)
        for pattern in Pattern
        for transport in (Transport.TCP, Transport.INPROC)
        for size, messages in counts.items()
    }
    found = [
        (c.pattern, c.transport, c.size_bytes, c.messages, c.sndhwm, c.rcvhwm)
        for c in scenario.cells
    ]
    assert len(found) == 16
    assert set(found) == expected


def test_smoke_takes_seconds_and_default_a_quarter_of_an_hour() -> None:
    assert estimate(load_scenario("smoke")).most_s < 10
    default = load_scenario("default")
    assert default.budget_s == 15 * 60
    six_blocks_s = estimate(dataclasses.replace(default, rounds=6)).least_s
    assert six_blocks_s < default.budget_s, "every cell gets an interval"


def test_lists_span_a_product_and_the_rest_is_the_usual() -> None:
    scenario = parse(
        HEAD + 'min_time = "100ms"\nmin_effect = "3%"\nbudget = "2m"\nlooks = [6, 12]\n'
        "placebo = false\nseed = 4\naffinity = [[0], [0, 1]]\n"
        '[[cells]]\npattern = ["push-pull", "router-router"]\ntransport = ["tcp", "ipc"]\n'
        'size = [64, "1KiB"]\nmessages = [100_000, "50k"]\nsndhwm = [0, 10]\n'
    )
    assert len(scenario.cells) == 16
    assert {(c.size_bytes, c.messages) for c in scenario.cells} == {(64, 100_000), (1024, 50_000)}
    assert {(c.sndhwm, c.rcvhwm) for c in scenario.cells} == {(0, 1000), (10, 1000)}
    assert {(c.layer, c.topology, c.metric, c.io_threads) for c in scenario.cells} == {
        (Layer.NATIVE, Topology.THREADS, Metric.THROUGHPUT, 1)
    }
    assert (scenario.min_time_s, scenario.min_effect, scenario.budget_s) == (0.1, 0.03, 120)
    assert (scenario.looks, scenario.placebo, scenario.seed) == ((6, 12), False, 4)
    assert scenario.affinity == ((0,), (0, 1))
    assert scenario.contenders == ("libzmq", "serverlink", "floor")


def test_many_peers_are_dimensions_too() -> None:
    cells = parse(HEAD + CELL + "senders = [1, 8]\nidle_peers = [0, 9]\n").cells
    assert [(c.senders, c.receivers, c.idle_peers) for c in cells] == [
        (1, 1, 0),
        (1, 1, 9),
        (8, 1, 0),
        (8, 1, 9),
    ]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("senders = 8\nreceivers = 8\n", "several senders and several receivers"),
        ("receivers = 8\nidle_peers = 1\n", "idle peers of several receivers"),
        ('senders = 8\nmetric = "round-trip"\n', "throughput only"),
        ("senders = 8\nmessages = 7\n", "7 messages for 8 peers"),
        ("senders = 0\n", "from 1 to 512"),
    ],
)
def test_peers_that_do_not_go_together_are_refused(keys: str, said: str) -> None:
    assert said in refusal(HEAD + CELL + keys)


def test_a_rate_is_for_the_paced_metric() -> None:
    paced = HEAD + CELL + 'metric = "paced"\n'
    (cell,) = parse(paced + 'rate = "10k"\n').cells
    assert (cell.metric, cell.offered_msgs_per_s) == (Metric.PACED, 10_000)
    assert cell.title == "push-pull tcp 64 B paced at 10.0 k msg/s"
    assert "has no rate" in refusal(paced)
    assert "for the metric paced" in refusal(HEAD + CELL + "rate = 5\n")


def test_conditions_that_came_later_do_not_change_the_hash_of_older_scenarios() -> None:
    usual, crowd = parse(HEAD + CELL), parse(HEAD + CELL + "senders = 2\n")
    older = scenario_to_json(usual)
    for key in ("senders", "receivers", "idle_peers", "offered_msgs_per_s"):
        del older["cells"][0][key]
    assert scenario_from_json(older) == usual
    assert scenario_hash(usual) != scenario_hash(crowd)
    assert scenario_hash(usual) == USUAL_HASH


def test_hwm_sets_both_marks() -> None:
    assert [(c.sndhwm, c.rcvhwm) for c in parse(HEAD + CELL + "hwm = [0, 7]").cells] == [
        (0, 0),
        (7, 7),
    ]


def test_a_product_leaves_out_inproc_between_processes() -> None:
    cells = parse(
        HEAD + '[[cells]]\npattern = "push-pull"\nsize = 1\ntransport = ["tcp", "inproc"]\n'
        'topology = ["threads", "processes"]\n'
    ).cells
    assert {(c.transport, c.topology) for c in cells} == {
        (Transport.TCP, Topology.THREADS),
        (Transport.TCP, Topology.PROCESSES),
        (Transport.INPROC, Topology.THREADS),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[scenario", "mine.toml is not TOML"),
        ("[scenaro]\n", "unknown key scenaro. Did you mean scenario?"),
        ('[scenario]\nquestoin = "?"\n', "unknown key scenario.questoin. Did you mean question?"),
        (HEAD + CELL + "sise = 3\n", "unknown key cells[0].sise. Did you mean size?"),
        (HEAD + CELL + "xyzzy = 3\n", "unknown key cells[0].xyzzy. Allowed: hwm, idle_peers,"),
        ("[scenario]\n" + CELL, "scenario.question is missing"),
        (HEAD, "there are no cells"),
        (HEAD + '[[cells]]\nsize = 1\npattern = "push-pull"', "cells[0].transport is missing"),
        (HEAD + CELL.replace("tcp", "tpc"), "cells[0].transport: 'tpc' is not one. Did you mean"),
        (HEAD + CELL.replace("64", '"12x"'), "cells[0].size: '12x' is not a size"),
        (HEAD + CELL.replace("64", "true"), "cells[0].size: True is not allowed"),
        (HEAD + CELL.replace("64", "[]"), "cells[0].size is an empty list"),
        (HEAD + CELL + "io_threads = 0", "cells[0].io_threads: 0 is not allowed"),
        (HEAD + CELL + "hwm = -1", "cells[0].hwm: -1 is not allowed"),
        (HEAD + CELL + "hwm = 1\nrcvhwm = 2", "hwm sets both marks"),
        (HEAD + CELL + "messages = [1, 2]", "messages has 2 values for 1 sizes"),
        (HEAD + CELL + CELL, "cells[1] has the cell 'push-pull tcp 64 B' of cells[0] again"),
        (HEAD + 'baseline = "libzm"\n' + CELL, "'libzm', which is no contender. Did"),
        (HEAD + "contenders = []\n" + CELL, "scenario.contenders: [] is not allowed"),
        (HEAD + 'contenders = ["a", "a"]\n' + CELL, "names one twice"),
        (HEAD + "looks = [12, 8]\n" + CELL, "does not ascend"),
        (HEAD + "looks = [4]\n" + CELL, "scenario.looks: 4 is not allowed"),
        (HEAD + "rounds = 1.5\n" + CELL, "scenario.rounds: 1.5 is not allowed"),
        (HEAD + 'budget = "soon"\n' + CELL, "scenario.budget: 'soon' is not a duration"),
        (HEAD + "placebo = 1\n" + CELL, "scenario.placebo: 1 is not allowed"),
        (HEAD + "affinity = 0\n" + CELL, "scenario.affinity: 0 is not allowed"),
        ("scenario = 3\n", "scenario is not a table"),
        (
            HEAD + CELL.replace("tcp", "inproc") + 'topology = "processes"',
            "inproc joins threads of one process",
        ),
    ],
)  # fmt: skip
def test_a_slip_is_named_with_its_key_and_a_remedy(text: str, said: str) -> None:
    assert said in refusal(text)


def test_a_name_finds_a_shipped_file_and_a_path_any_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(HEAD + CELL)
    assert load_scenario(str(mine)).name == "mine"
    assert find_scenario("smoke").stem == "smoke"
    with pytest.raises(ScenarioError, match=r"no scenario 'smok'.*Did you mean smoke"):
        find_scenario("smok")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="cannot read"):
        load_scenario(str(file))


def test_ad_hoc_options_become_cells_and_settings() -> None:
    scenario = ad_hoc_scenario(
        transports=["tcp", "inproc"], sizes=["64k"], hwm=0, min_time="1s", rounds=6, budget=None
    )
    assert scenario.name == "ad-hoc"
    assert len(scenario.cells) == 4
    assert {c.size_bytes for c in scenario.cells} == {65536}
    assert {(c.sndhwm, c.rcvhwm, c.messages) for c in scenario.cells} == {(0, 0, None)}
    assert (scenario.min_time_s, scenario.rounds, scenario.budget_s) == (1, 6, None)


@pytest.mark.parametrize(
    ("contenders", "baseline"),
    [
        (["serverlink", "libzmq"], "libzmq"),
        (["serverlink", "pyzmq"], "pyzmq"),
        (["mine", "serverlink"], "mine"),
    ],
)
def test_the_ad_hoc_baseline(contenders: list[str], baseline: str) -> None:
    assert ad_hoc_scenario(contenders=contenders).baseline == baseline


def test_ad_hoc_slips_are_named_too() -> None:
    with pytest.raises(ScenarioError, match=r"the command line: .*'12x' is not a size"):
        ad_hoc_scenario(sizes=["12x"])
    with pytest.raises(ScenarioError, match="inproc joins threads"):
        ad_hoc_scenario(transports=["inproc"], topologies=["processes"])


@pytest.mark.parametrize("name", SHIPPED)
def test_json_holds_the_whole_scenario(name: str) -> None:
    scenario = load_scenario(name)
    stored = json.loads(json.dumps(scenario_to_json(scenario)))
    read = scenario_from_json(stored)
    assert read == scenario
    assert all(isinstance(cell.pattern, Pattern) for cell in read.cells)


def test_json_of_something_else_is_refused() -> None:
    stored = scenario_to_json(load_scenario("smoke"))
    for damaged in ({}, {**stored, "novelty": 1}, {**stored, "cells": [{"pattern": "bus"}]}):
        with pytest.raises(ScenarioError, match=r"run\.json does not hold a scenario"):
            scenario_from_json(damaged)


def test_the_hash_is_of_what_is_measured() -> None:
    scenario = load_scenario("smoke")
    same = dataclasses.replace(scenario, name="x", question="y", seed=3, rounds=9, budget_s=1.0)
    assert scenario_hash(same) == scenario_hash(scenario)
    other = dataclasses.replace(scenario, cells=scenario.cells[:1])
    assert scenario_hash(other) != scenario_hash(scenario)
    assert scenario_hash(dataclasses.replace(scenario, min_time_s=1)) != scenario_hash(scenario)
