"""Figures in the README come from a committed report, which names its run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- headline: (?P<report>\S+) -->(?P<text>.*?)<!-- /headline -->", re.DOTALL)


@pytest.fixture(scope="module")
def headlines() -> list[re.Match[str]]:
    return list(BLOCK.finditer((ROOT / "README.md").read_text(encoding="utf-8")))


def test_there_is_a_headline(headlines: list[re.Match[str]]) -> None:
    assert headlines


def test_every_row_stands_in_the_report_that_is_named(headlines: list[re.Match[str]]) -> None:
    for block in headlines:
        report = (ROOT / block["report"]).read_text(encoding="utf-8").splitlines()
        rows = [line for line in block["text"].splitlines() if line.startswith("|")]
        assert rows
        assert [row for row in rows if row not in report] == []


def test_the_run_of_a_report_is_committed_beside_it(headlines: list[re.Match[str]]) -> None:
    for block in headlines:
        run = Path(block["report"]).parent.name
        assert (ROOT / "results" / run / "samples.csv").is_file()
        assert (ROOT / "results" / run / "run.json").is_file()


def test_images_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", readme):
        assert (ROOT / image).is_file(), image
