"""Claims: files of them, and what stored runs and profiles say to them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slkbench.errors import ScenarioError
from slkbench.model import Cell, Pattern, ProfileRow, Sample, Scenario, Transport
from slkbench.profile.builds import VARIANTS, build_serverlink
from slkbench.runner.builds import BUILDS_FILE, build_effects
from slkbench.runner.claims import Archive, ClaimVerdict, judge_claims, missing_work
from slkbench.runner.profile_folder import ProfileFolder
from slkbench.scenario import scenario_to_json
from slkbench.scenario.claims import Claims, load_claims, parse_claims, with_subject
from slkbench.store import RunStore, read_run

HEAD = '[[claim]]\nsection = "1"\nquote = "it is so"\n'
CELL = Cell(Pattern.ROUTER_ROUTER, Transport.TCP, 64)


def _claims(*tests: str) -> Claims:
    text = HEAD + "".join(f"[[claim.test]]\n{test}\n" for test in tests)
    return parse_claims(text, where="test")


def _samples(times_ns: dict[str, float], cell: Cell = CELL, blocks: int = 6) -> Iterator[Sample]:
    for block in range(blocks):
        for slot in range(2):
            for name, ns in times_ns.items():
                yield Sample(
                    run_id="",
                    block=block,
                    slot=slot,
                    arm=name,
                    contender=name,
                    role="baseline" if name == "libzmq" else "contender",
                    pattern=cell.pattern,
                    transport=cell.transport,
                    size_bytes=cell.size_bytes,
                    metric="throughput",
                    messages=1000,
                    time_per_message_ns=ns * (1 + block / 1000),
                    rate_msgs_per_s=1e9 / ns,
                )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run in which serverlink takes half of libzmq's time, and a profile of allocations."""
    push = replace(CELL, pattern=Pattern.PUSH_PULL)
    scenario = Scenario(name="two", question="?", cells=(CELL, push))
    with RunStore.create(tmp_path, "two", {"scenario": scenario_to_json(scenario)}) as store:
        for sample in _samples({"libzmq": 400.0, "serverlink": 200.0}):
            store.append(sample)
        for sample in _samples({"libzmq": 200.0, "serverlink": 180.0}, push):
            store.append(sample)
    path = tmp_path / "20260101T000000Z-profile-allocations-abc"
    path.mkdir()
    row = ProfileRow(tool="allocations", contender="libzmq", pattern="router-router")
    row = replace(row, transport="tcp", size_bytes=64, role="all", quantity="allocations")
    other = replace(row, contender="serverlink", quantity="frees", per_message=0.0)
    folder = ProfileFolder(path, "allocations", {"schema_version": 2})
    folder.add([replace(row, per_message=1.0), other])
    return tmp_path


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        ('measure = "gap"\nrange = [0.9, 1.1]', "SUPPORTED"),
        ('measure = "gap"\nrange = [-0.5, 0.5]', "REFUTED"),
        ('measure = "gap"\nsize = 128\nrange = [0, 1]', "CAN'T TELL"),
        ('measure = "pattern-ratio"\ncontender = "libzmq"\nrange = [1.5, 2.5]', "SUPPORTED"),
        ('measure = "pattern-ratio"\nrange = [1.5, "inf"]', "REFUTED"),
        ('measure = "rate"\nrange = [4e6, 6e6]', "SUPPORTED"),
        (
            (
                'measure = "count"\ntool = "allocations"\nquantity = "allocations"\n'
                'contender = "libzmq"\nrange = [0.9, 1.1]'
            ),
            "SUPPORTED",
        ),
        (
            (
                'measure = "count"\ntool = "allocations"\nquantity = "allocations"\n'
                'against = "libzmq"\nrange = [-0.1, 0.1]'
            ),
            "REFUTED",
        ),
        ('measure = "instrumentation"\nrange = [0, 1]', "CAN'T TELL"),
        ('measure = "build"\nwhat = "O3-lto"\nrange = [0, 1]', "CAN'T TELL"),
    ],
)
def test_a_claim_is_judged_by_where_the_interval_lies(
    test: str, verdict: str, results: Path
) -> None:
    (judged,) = judge_claims(_claims(test), Archive(results))
    assert judged.verdict == verdict


def test_a_claim_needs_all_of_its_tests(results: Path) -> None:
    good, bad = 'measure = "gap"\nrange = [0.9, 1.1]', 'measure = "gap"\nrange = [2, 3]'
    unknown = 'measure = "instrumentation"\nrange = [0, 1]'
    archive = Archive(results)
    assert judge_claims(_claims(good, bad), archive)[0].verdict is ClaimVerdict.REFUTED
    judged = judge_claims(_claims(good, unknown), archive)
    assert judged[0].verdict is ClaimVerdict.CANNOT_TELL
    assert missing_work(judged) == {"operations": [(CELL, "serverlink")]}


def test_the_shipped_claims_are_read_and_can_be_of_another() -> None:
    claims = load_claims()
    assert len(claims.claims) > 20
    renamed = with_subject(claims, "mine")
    contenders = {test.contender for each in renamed.claims for test in each.tests}
    assert contenders == {"mine", "libzmq"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "either tests or untestable"),
        (HEAD + 'tests = "1"', "unknown key 'tests'"),
        (HEAD + '[[claim.test]]\nmeasure = "gab"\nrange = [0, 1]', "Did you mean gap?"),
        (HEAD + '[[claim.test]]\nmeasure = "gap"\nrange = [2, 1]', "is empty"),
        (HEAD + '[[claim.test]]\nmeasure = "gap"', "not two numbers"),
        (HEAD + '[[claim.test]]\nmeasure = "gap"\nsize = "x"\nrange = [0, 1]', "test 1"),
    ],
)
def test_a_claim_that_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match="claim 1") as error:
        parse_claims(text, where="mine.toml")
    assert said in str(error.value)


def test_the_effect_of_a_build_is_as_sure_as_builds_are_alike(tmp_path: Path) -> None:
    scenario = Scenario(name="builds", question="?", cells=(CELL,))
    times = {"a1": 100.0, "a2": 104.0, "a3": 96.0, "b1": 80.0, "b2": 81.0, "b3": 79.0}
    with RunStore.create(tmp_path, "builds", {"scenario": scenario_to_json(scenario)}) as store:
        for sample in _samples(times):
            store.append(sample)
    record = [
        {"name": name, "library": "serverlink", "variant": variant}
        for name, variant in zip(times, ["O3"] * 3 + ["O2"] * 3, strict=True)
    ]
    (store.path / BUILDS_FILE).write_text(json.dumps(record))
    (effect,) = build_effects(read_run(store.path))
    assert (effect.variant, effect.against, effect.builds) == ("O2", "O3", 3)
    assert effect.ratio == pytest.approx(0.8, rel=0.01)
    assert effect.low is not None
    assert effect.high is not None
    assert effect.low < 0.79
    assert 0.81 < effect.high < 1
    assert effect.spread == pytest.approx(81 / 79 - 1)


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize("name", ["O2", "O3-pgo"])
def test_builds_of_one_variant_differ_in_their_order(name: str, tmp_path: Path) -> None:
    impl = tmp_path / "impl"
    (impl / "include").mkdir(parents=True)
    (impl / "src").mkdir()
    for letter in "abcdef":
        text = f'extern "C" __attribute__((visibility("default"))) int f{letter}() {{ return 1; }}'
        (impl / "src" / f"{letter}.cpp").write_text(text)
    trained: list[Path] = []
    builds = build_serverlink(
        impl,
        VARIANTS[name],
        tmp_path / "out",
        rebuilds=3,
        seed=1,
        train=trained.append,
        note=lambda _text: None,
    )
    assert [build.name for build in builds] == [f"serverlink-{name}.{n}" for n in (1, 2, 3)]
    assert len({build.path.read_bytes() for build in builds}) == 3
    assert len(trained) == VARIANTS[name].is_trained
