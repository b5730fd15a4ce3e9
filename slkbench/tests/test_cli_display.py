"""Progress: a bar on a terminal, plain lines elsewhere, silence when asked."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from slkbench.cli.display import PlainLines, describe_standings, fits_terminal
from slkbench.model import Cell, Pattern, Transport
from slkbench.runner.progress import Progress, Standing

PROGRESS = Progress(
    phase="measuring",
    cell=Cell(Pattern.PUSH_PULL, Transport.TCP, 64),
    blocks=8,
    samples_done=64,
    samples_expected=256,
    elapsed_s=30.0,
    remaining_s=90.0,
    standings=(Standing("serverlink", 0.1234, 0.021), Standing("mine", 1.5, None)),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_come_every_ten_seconds() -> None:
    stream, now = io.StringIO(), [100.0]
    lines = PlainLines(stream, lambda: now[0])
    for now[0] in (100.0, 101.0, 109.9, 110.0, 115.0):
        lines.progress(PROGRESS)
    assert len(stream.getvalue().splitlines()) == 2


def test_a_line_tells_how_far_how_long_and_what_is_known() -> None:
    stream = io.StringIO()
    PlainLines(stream, lambda: 0.0).progress(PROGRESS)
    assert stream.getvalue() == (
        "slkbench: 64/256 samples, at most 1 min 30 s left: push-pull tcp 64 B, measuring, "
        "8 blocks  serverlink 0.123x ±2.1%, mine 1.500x\n"
    )


def test_several_cells_are_counted() -> None:
    stream = io.StringIO()
    PlainLines(stream, lambda: 0.0).progress(replace(PROGRESS, open_cells=3, cells=16))
    assert stream.getvalue().startswith("slkbench: 64/256 samples, 3 of 16 cells open, at most ")


def test_nothing_is_said_of_what_is_not_known() -> None:
    stream = io.StringIO()
    early = replace(PROGRESS, remaining_s=None, standings=(), blocks=0, phase="calibrating")
    PlainLines(stream, lambda: 0.0).progress(early)
    assert stream.getvalue() == "slkbench: 64/256 samples: push-pull tcp 64 B, calibrating\n"


def test_notes_come_at_once() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream, lambda: 0.0)
    lines.note("one")
    lines.note("two")
    assert stream.getvalue() == "slkbench: one\nslkbench: two\n"


def test_standings_without_interval_are_points() -> None:
    assert describe_standings(()) == ""
    assert describe_standings((Standing("a", 1.0, None),)) == "a 1.000x"


@pytest.mark.parametrize(("term", "fits"), [("xterm", True), ("dumb", False), ("", False)])
def test_a_dumb_terminal_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, term: str, fits: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    assert fits_terminal(Terminal()) is fits
    assert not fits_terminal(io.StringIO())
