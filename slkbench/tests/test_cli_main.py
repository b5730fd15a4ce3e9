"""The command line as a whole: verbs, help, versions, how errors end."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from slkbench import __version__
from slkbench.cli.main import cli

VERBS = ("run", "report", "list", "show", "compare", "gate", "history", "export", "doctor")
HEAVY = ("numpy", "scipy", "pandas", "matplotlib", "rich", "psutil", "elftools", "filelock")


def test_help_names_every_verb_and_the_exit_codes() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for word in (*VERBS, "Examples:", "Exit codes:", "124", "130"):
        assert word in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0
    assert f"slkbench {verb}" in result.stdout.partition("Examples:")[2]


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_every_verb_is_explained(verb: str) -> None:
    context = cli.make_context("slkbench", [], resilient_parsing=True)
    command = cli.get_command(context, verb)
    assert command is not None
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), f"{verb} {parameter.opts}"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from slkbench.cli.main import cli\n"
        "try:\n"
        f"    cli.main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print('heavy:', *sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["heavy:"]


def test_version() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"slkbench, version {__version__}\n")


def test_an_unknown_verb_is_code_2_with_the_nearest() -> None:
    result = CliRunner().invoke(cli, ["reprot"])
    assert result.exit_code == 2
    assert (
        result.stderr.splitlines()[-1] == "Error: there is no verb 'reprot'; did you mean report?"
    )
    assert "verbs: run, report" in CliRunner().invoke(cli, ["zzz"]).stderr


def test_an_unknown_option_is_code_2() -> None:
    result = CliRunner().invoke(cli, ["run", "--szie", "64"])
    assert result.exit_code == 2
    assert "--size" in result.stderr
