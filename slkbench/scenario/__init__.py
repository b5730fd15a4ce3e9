"""Scenarios: questions in TOML, read into typed records; ``document`` describes the form."""

from slkbench.scenario.choice import cells_named
from slkbench.scenario.conditions import check_conditions
from slkbench.scenario.document import ad_hoc_scenario, parse_scenario
from slkbench.scenario.find import find_scenario, list_scenarios, load_scenario
from slkbench.scenario.stored import scenario_from_json, scenario_hash, scenario_to_json

__all__ = [
    "ad_hoc_scenario",
    "cells_named",
    "check_conditions",
    "find_scenario",
    "list_scenarios",
    "load_scenario",
    "parse_scenario",
    "scenario_from_json",
    "scenario_hash",
    "scenario_to_json",
]
