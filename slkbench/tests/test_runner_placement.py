"""Placement: parsed from the command line, chosen from the cores, the same for every arm."""

from __future__ import annotations

from pathlib import Path

import pytest

from slkbench.errors import UsageError
from slkbench.model import Placement
from slkbench.runner.placement import choose_placement, parse_affinity, usable_cores


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("0", ((0,),)),
        ("0;1", ((0,), (1,))),
        ("1,0;2", ((0, 1), (2,))),
        ("none", ()),
        ("NONE", ()),
    ],
)
def test_affinity_is_parsed(text: str, sets: tuple[tuple[int, ...], ...]) -> None:
    assert parse_affinity(text) == sets


@pytest.mark.parametrize("text", ["", "a", "0;", "0;1;2", "-1", "0,;1"])
def test_other_affinity_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"0;1.*none"):
        parse_affinity(text)


def test_default_is_two_different_cores() -> None:
    assert choose_placement(None, ((0, 4), (1, 5))) == Placement((0,), (1,))


def test_default_on_one_core_is_free() -> None:
    assert choose_placement(None, ((0, 1),)) == Placement()


def test_chosen_placements() -> None:
    cores = ((0,), (1,), (2,))
    assert choose_placement((), cores) == Placement()
    assert choose_placement(((1,),), cores) == Placement((1,), (1,))
    assert choose_placement(((1, 2), (0,)), cores) == Placement((1, 2), (0,))


def test_a_cpu_that_is_not_ours_is_named() -> None:
    with pytest.raises(UsageError, match=r"CPU 7; this process may use 0, 1"):
        choose_placement(((7,),), ((0,), (1,)))


def test_hyperthreads_share_a_core(tmp_path: Path) -> None:
    for cpu, core in ((0, 0), (1, 1), (2, 0), (3, 1)):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "core_id").write_text(f"{core}\n", encoding="ascii")
        (folder / "physical_package_id").write_text("0\n", encoding="ascii")
    assert usable_cores((3, 0, 2), tmp_path) == ((0, 2), (3,))
    assert usable_cores((8, 9), tmp_path) == ((8,), (9,))
