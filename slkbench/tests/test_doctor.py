"""``slkbench doctor`` tells of the machine and its tools."""

from __future__ import annotations

import json

from click.testing import CliRunner

from slkbench.cli.main import cli


def test_doctor_names_machine_and_every_tool() -> None:
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0, result.output
    for word in ("CPU", "steal since boot", "governor", "ASLR", "load"):
        assert word in result.stdout
    for tool in ("perf", "strace", "valgrind", "heaptrack", "gperftools"):
        assert tool in result.stdout


def test_missing_tools_say_how_to_get_them() -> None:
    result = CliRunner().invoke(cli, ["doctor"], env={"PATH": "/nonexistent"})
    assert result.exit_code == 0
    assert "missing: install with apt install strace" in result.stdout


def test_doctor_speaks_json() -> None:
    record = json.loads(CliRunner().invoke(cli, ["doctor", "--json"]).stdout)
    assert set(record) == {"machine", "tools", "doubts"}
    assert record["machine"]["fingerprint"]
    assert record["tools"]["perf"]["install"]
