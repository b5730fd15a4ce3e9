"""The examples run, and print what they should."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
PRINTED = {
    "request_reply": "bob [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]",
    "pipeline": "sum of squares: 333283335000 as it should be: 333283335000",
    "asyncio_service": "2: answered 2\n3: answered 3\n500: no answer in time",
    "mixed_fleet": "2 parts from serverlink\n2 parts from zmq",
}


def test_every_example_is_tested() -> None:
    assert {each.stem for each in EXAMPLES.glob("*.py")} == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_example(name: str) -> None:
    if name == "mixed_fleet":
        pytest.importorskip("zmq")
    done = subprocess.run(
        [sys.executable, "-P", EXAMPLES / f"{name}.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert PRINTED[name] in done.stdout
