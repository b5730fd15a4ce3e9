"""The example of a gate in the README, run as it is written, on samples that take no time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from slkbench.contenders import known_contenders
from slkbench.model import Contender, Layer

pytest.importorskip("slkbench.driver._driver", reason="the native driver is not built")

README = Path(__file__).resolve().parents[2] / "README.md"
# What is appended to each gate command: it must be quick here, and no verdict is asked for.
TINY = "--rounds 1 --min-time 5ms --quiet --pattern push-pull --wait 100s"
BLOCK = re.compile(r"<!-- gate: (?P<name>[^>]+) -->\n```\w+\n(?P<text>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def blocks() -> dict[str, str]:
    return {found["name"]: found["text"] for found in BLOCK.finditer(README.read_text("utf-8"))}


def test_the_workflow_does_what_the_shell_does(blocks: dict[str, str]) -> None:
    assert set(blocks) == {"the library as it was", "measure", "workflow"}
    workflow = {line.strip() for line in blocks["workflow"].splitlines()}
    for line in blocks["the library as it was"].splitlines():
        assert line in workflow
    before, gate, _export = blocks["measure"].splitlines()
    assert {before, gate.replace(" --summary summary.md", "")} <= workflow


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_commands_work_as_written(blocks: dict[str, str], tmp_path: Path) -> None:
    installed = next(
        (
            found.path
            for name, layer, found in known_contenders()
            if (name, layer) == ("serverlink", Layer.NATIVE) and isinstance(found, Contender)
        ),
        None,
    )
    if installed is None:
        pytest.skip("ServerLink is not installed")
    work = tmp_path / "work"
    work.mkdir()
    python = tmp_path / "before" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho '{Path(installed).parent}'\n", encoding="utf-8")
    python.chmod(0o755)
    main = "import sys; sys.argv[0] = 'slkbench'; from slkbench.cli.main import main; main()"
    program = (
        "set -euo pipefail\n"
        f"slkbench() {{ [ $1 != gate ] || set -- \"$@\" {TINY}; '{sys.executable}' -c "
        f'"{main}" "$@"; }}\n'
    )
    done = subprocess.run(
        ["bash", "-c", program + blocks["measure"]],
        cwd=work,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (work / "summary.md").read_text("utf-8").startswith("### slkbench gate: nothing decided")
    figures = json.loads((work / "figures.json").read_text("utf-8"))
    # A busy machine disturbs blocks, and these are left out.
    assert {each["name"] for each in figures} <= {
        "push-pull tcp 64 B, serverlink",
        "push-pull inproc 64 B, serverlink",
    }
