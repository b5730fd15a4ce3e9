"""The C++ and C tests as one Python test for each CMake preset, built on demand.

``SLK_CPP_PRESETS`` names presets of ``impl/CMakePresets.json``, separated by spaces; unset it is
``dev``.  A preset is built in ``build/``, so a second run compiles only what has changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

IMPL = Path(__file__).resolve().parents[1]
PRESETS = os.environ.get("SLK_CPP_PRESETS", "dev").split()
# The test extra puts cmake and ninja beside Python; a machine's own do as well.
PATH = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", "")))
NEEDED = {"cmake": "cmake", "ninja": "ninja-build", "c++": "g++"}
DOCTEST_IS_MISSING = 'package configuration file provided by "doctest"'


def output_of(*command: str) -> tuple[bool, str]:
    """Whether a command in ``impl/`` succeeded, and what it printed."""
    done = subprocess.run(
        command,
        cwd=IMPL,
        env=dict(os.environ, PATH=PATH),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("preset", PRESETS)
def test_suite(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Configure, build, and run every test of ctest; what one prints is shown if it fails."""
    for program, package in NEEDED.items():
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"{program} is missing: apt-get install {package}")
    configured, said = output_of("cmake", "--preset", preset)
    # CMake breaks its lines where it likes.
    if not configured and DOCTEST_IS_MISSING in " ".join(said.split()):
        pytest.skip("doctest is missing: apt-get install doctest-dev")
    assert configured, said
    built, said = output_of("cmake", "--build", "--preset", preset)
    assert built, said
    passed, said = output_of("ctest", "--preset", preset, "--no-tests=error")
    assert passed, said
    with capsys.disabled():
        print(f"\nctest --preset {preset}: {summary(said)}")  # noqa: T201


def summary(said: str) -> str:
    """The line in which ctest counts its tests."""
    return next(line for line in said.splitlines() if "tests passed" in line)
