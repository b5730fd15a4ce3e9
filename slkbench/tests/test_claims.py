"""Claims: files of them, and what stored runs and profiles say to them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slkbench.cli.claims import claims_table
from slkbench.cli.main import cli
from slkbench.errors import ScenarioError
from slkbench.model import Cell, Pattern, ProfileRow, Sample, Scenario, Transport
from slkbench.profile.builds import VARIANTS, Build
from slkbench.runner.archive import Archive
from slkbench.runner.builds import BUILDS_FILE, build_effects
from slkbench.runner.claim_answers import ClaimVerdict
from slkbench.runner.claim_work import Measuring, measure_steps, plan_steps, steps_left_out
from slkbench.runner.claims import judge_claims, missing_work
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
                    cpu_ns=int(1000 * (ns + 200)),
                    p99_ns=int(ns * ns),
                    idle_peer_bytes=4000.0 + block,
                )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run in which serverlink takes half of libzmq's time, and a profile of allocations."""
    push = replace(CELL, pattern=Pattern.PUSH_PULL)
    scenario = Scenario(name="two", question="?", cells=(CELL, push))
    flags = "GNU C++20 12.2.0 -O3 -flto=auto -march=x86-64"
    libraries = [
        {"name": name, "layer": "native", "build_flags": text}
        for name, text in (("serverlink", flags), ("libzmq", "GCC: 14"))
    ]
    record = {"scenario": scenario_to_json(scenario), "libraries": libraries}
    with RunStore.create(tmp_path, "two", record) as store:
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
    pushed = replace(row, pattern="push-pull", per_message=0.5)
    folder.add([replace(row, per_message=1.0), other, pushed])
    path = tmp_path / "20260101T000001Z-profile-operations-abc"
    path.mkdir()
    rate = replace(other, tool="operations", what="every", quantity="timed-rate", count=1.5e6)
    ProfileFolder(path, "operations", {"schema_version": 2}).add(
        [replace(rate, low=1.4e6, high=1.6e6)]
    )
    return tmp_path


def _store(results: Path, name: str, scenario: Scenario, blocks: int, ns: float) -> None:
    with RunStore.create(results, name, {"scenario": scenario_to_json(scenario)}) as store:
        for sample in _samples({"libzmq": ns, "serverlink": ns}, blocks=blocks):
            store.append(sample)


def test_the_newest_run_that_is_sure_counts_and_not_one_on_a_single_core(results: Path) -> None:
    scenario = Scenario(name="few", question="?", cells=(CELL,))
    _store(results, "few", scenario, 2, 100.0)  # too few blocks for an interval
    _store(results, "one-core", replace(scenario, affinity=((0,),)), 6, 100.0)
    (judged,) = judge_claims(_claims('measure = "gap"\nrange = [0.9, 1.1]'), Archive(results))
    assert judged.verdict is ClaimVerdict.SUPPORTED


def test_a_ratio_of_rates_says_what_the_floor_reaches_in_the_same_run(tmp_path: Path) -> None:
    scenario = Scenario(name="three", question="?", cells=(CELL,))
    with RunStore.create(tmp_path, "three", {"scenario": scenario_to_json(scenario)}) as store:
        for sample in _samples({"libzmq": 400.0, "serverlink": 200.0, "floor": 100.0}):
            store.append(sample)
    claims = _claims('measure = "rate-ratio"\nrange = [3, 9]')
    judged = judge_claims(claims, Archive(tmp_path))
    assert judged[0].answers[0].floor == pytest.approx(4.0)
    (row,) = claims_table(claims, judged).rows
    assert "2.00x [2.00x, 2.00x], floor 4.00x" in row[2]


def test_what_has_no_interval_is_still_to_be_measured(tmp_path: Path) -> None:
    _store(tmp_path, "few", Scenario(name="few", question="?", cells=(CELL,)), 2, 100.0)
    judged = judge_claims(_claims('measure = "gap"\nrange = [-0.1, 0.1]'), Archive(tmp_path))
    (answer,) = judged[0].answers
    assert answer.value == pytest.approx(0.0)
    assert "slkbench run --transport tcp --size 64" in answer.reason
    assert missing_work(judged) == {"run": [(CELL, "serverlink"), (CELL, "libzmq")]}


def test_what_is_missing_on_one_core_is_a_run_of_its_own(tmp_path: Path) -> None:
    usual = 'measure = "rate-ratio"\nrange = [1, 2]'
    claims = _claims(usual, f"{usual}\none_core = true")
    judged = judge_claims(claims, Archive(tmp_path))
    assert "slkbench run --affinity 0 --transport tcp" in judged[0].answers[1].reason
    steps = plan_steps(claims, judged, 600.0)
    assert [step.scenario.affinity for step in steps] == [None, ((0,),)]
    assert [step.scenario.budget_s for step in steps] == [150, 150]


def test_a_command_names_the_conditions_of_its_cell(tmp_path: Path) -> None:
    test = 'measure = "rate-ratio"\nagainst = "floor"\nsenders = 8\nhwm = 0\nrange = [1, 2]'
    judged = judge_claims(_claims(test), Archive(tmp_path))
    wanted = "--hwm 0 --senders 8 --contender serverlink --contender floor"
    assert judged[0].answers[0].reason.endswith(wanted)


def test_flags_that_a_binary_does_not_tell_are_not_measured_again(results: Path) -> None:
    flag = 'measure = "flag"\ncontender = "libzmq"\nwhat = "-O3"\nrange = [1, 1]'
    assert missing_work(judge_claims(_claims(flag), Archive(results))) == {}


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        ('measure = "gap"\nrange = [0.9, 1.1]', "SUPPORTED"),
        ('measure = "gap"\nrange = [-0.5, 0.5]', "REFUTED"),
        ('measure = "gap"\nsize = 128\nrange = [0, 1]', "CAN'T TELL"),
        ('measure = "pattern-ratio"\ncontender = "libzmq"\nrange = [1.5, 2.5]', "SUPPORTED"),
        ('measure = "pattern-ratio"\nrange = [1.5, "inf"]', "REFUTED"),
        ('measure = "rate"\nrange = [4e6, 6e6]', "SUPPORTED"),
        ('measure = "rate-ratio"\nrange = [1.9, "inf"]', "SUPPORTED"),
        (
            (
                'measure = "rate-ratio"\ncontender = "libzmq"\nagainst = "serverlink"\n'
                "range = [2.1, 9]"
            ),
            "REFUTED",
        ),
        (
            'measure = "rate-ratio"\npattern = ["router-router", "push-pull"]\nrange = [1.9, 9]',
            "REFUTED",
        ),
        ('measure = "rate-ratio"\nhwm = 0\nrange = [0, 9]', "CAN'T TELL"),
        ('measure = "rate-ratio"\none_core = true\nrange = [0, 9]', "CAN'T TELL"),
        ('measure = "cpu-ratio"\nrange = [0.6, 0.7]', "SUPPORTED"),
        ('measure = "round-trip-ratio"\nfigure = "p99"\nrange = [0.2, 0.3]', "SUPPORTED"),
        ('measure = "round-trip-ratio"\nfigure = "p50"\nrange = [0, 9]', "CAN'T TELL"),
        (
            (
                'measure = "cell-ratio"\ncontender = "libzmq"\nrange = [1.9, 2.1]\n'
                'instead = { pattern = "push-pull" }'
            ),
            "SUPPORTED",
        ),
        ('measure = "sample"\nwhat = "idle_peer_bytes"\nrange = [0, 4096]', "SUPPORTED"),
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
        ('measure = "gap"\noutside = true\nrange = [-0.5, 0.5]', "SUPPORTED"),
        ('measure = "gap"\noutside = true\nrange = [0.9, 1.1]', "REFUTED"),
        (
            (
                'measure = "count-ratio"\ntool = "allocations"\nquantity = "allocations"\n'
                'against = "libzmq"\nrange = [0, 0.1]'
            ),
            "SUPPORTED",
        ),
        (
            (
                'measure = "pattern-ratio"\ntool = "allocations"\nquantity = "allocations"\n'
                'contender = "libzmq"\nrange = [1.5, 2.5]'
            ),
            "SUPPORTED",
        ),
        ('measure = "timed-rate"\nwhat = "every"\nrange = [1e6, 2e6]', "SUPPORTED"),
        ('measure = "flag"\nwhat = "-O3"\nrange = [1, 1]', "SUPPORTED"),
        ('measure = "flag"\nwhat = "-flto"\nrange = [1, 1]', "SUPPORTED"),
        ('measure = "flag"\nwhat = "-march=native"\nrange = [1, 1]', "REFUTED"),
        ('measure = "flag"\ncontender = "libzmq"\nwhat = "-O3"\nrange = [1, 1]', "CAN'T TELL"),
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


def test_the_shipped_targets_name_every_cell_that_they_are_for() -> None:
    tests = [test for each in load_claims("claims-targets").claims for test in each.tests]
    cells = {test.cell.key for test in tests if test.measure == "rate-ratio" and test.low >= 1.8}
    assert len(cells) > 70


def test_the_shipped_claims_are_read_and_can_be_of_another() -> None:
    claims = load_claims()
    assert len(claims.claims) > 20
    renamed = with_subject(claims, "mine")
    contenders = {test.contender for each in renamed.claims for test in each.tests}
    assert contenders == {"mine", "libzmq"}


def test_a_plan_has_one_run_then_profiles_and_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    claims = load_claims()
    judged = judge_claims(claims, Archive(tmp_path))
    steps = plan_steps(claims, judged, 600.0)
    assert [step.tool for step in steps] == ["run", *sorted(step.tool for step in steps[1:])]
    assert {step.tool for step in steps[1:]} == {"allocations", "operations"}
    assert steps[0].scenario.budget_s == 300
    assert len(steps[0].scenario.cells) == 11
    left_out = "\n".join(steps_left_out(judged))
    for words in ("apt install strace", "apt install valgrind", "slkbench profile builds"):
        assert words in left_out


def test_no_step_begins_after_the_budget(tmp_path: Path) -> None:
    claims = load_claims()
    steps = plan_steps(claims, judge_claims(claims, Archive(tmp_path)))
    unused = pytest.fail
    how = Measuring((), tmp_path, 0.0, (), unused, lambda: unused("run"), lambda: unused("profile"))
    assert measure_steps(steps, 0.0, how) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "either tests or untestable"),
        (HEAD + 'tests = "1"', "unknown key 'tests'"),
        (HEAD + '[[claim.test]]\nmeasure = "gab"\nrange = [0, 1]', "Did you mean gap?"),
        (HEAD + '[[claim.test]]\nmeasure = "gap"\nrange = [2, 1]', "is empty"),
        (HEAD + '[[claim.test]]\nmeasure = "gap"', "not two numbers"),
        (HEAD + '[[claim.test]]\nmeasure = "gap"\nsize = "x"\nrange = [0, 1]', "test 1"),
        (HEAD + '[[claim.test]]\nmeasure = "cell-ratio"\nrange = [0, 1]', "wants instead"),
        (HEAD + '[[claim.test]]\nmeasure = "round-trip-ratio"\nrange = [0, 1]', "p99.9"),
        (HEAD + '[[claim.test]]\nmeasure = "sample"\nrange = [0, 1]', "idle_peer_bytes"),
        (
            HEAD
            + '[[claim.test]]\nmeasure = "gap"\nmetric = "paced"\nrate = "50%"\nrange = [0, 1]',
            "messages per second",
        ),
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
def test_builds_of_one_variant_differ_in_their_order(
    name: str, tmp_path: Path, build_thrice: Callable[[Path, str], tuple[list[Build], int]]
) -> None:
    impl = tmp_path / "impl"
    (impl / "include").mkdir(parents=True)
    (impl / "src").mkdir()
    for letter in "abcdef":
        text = f'extern "C" __attribute__((visibility("default"))) int f{letter}() {{ return 1; }}'
        (impl / "src" / f"{letter}.cpp").write_text(text)
    builds, trained = build_thrice(impl, name)
    assert [build.name for build in builds] == [f"serverlink-{name}.{n}" for n in (1, 2, 3)]
    assert len({build.path.read_bytes() for build in builds}) == 3
    assert trained == VARIANTS[name].is_trained


def test_claims_about_nobody_are_a_usage_error(results: Path) -> None:
    def claims(subject: str, *more: str) -> Result:
        asked = ("claims", "--subject", subject, "--results", str(results), *more)
        return CliRunner().invoke(cli, asked)

    nobody = claims("nobody")
    assert nobody.exit_code == 2
    assert "--subject nobody" in nobody.stderr
    assert "libzmq, serverlink" in nobody.stderr
    assert claims("libzmq").exit_code == 0
    assert claims("mine", "--lib", "mine=/opt/mine/libzmq.so.5").exit_code == 0


def test_claims_can_keep_to_one_machine(tmp_path: Path) -> None:
    scenario = Scenario(name="one", question="?", cells=(CELL,))
    for name, machine, ns in (("older", "AMD EPYC | 2 CPUs", 100.0), ("newer", "Xeon", 400.0)):
        record = {"scenario": scenario_to_json(scenario), "machine": {"fingerprint": machine}}
        with RunStore.create(tmp_path, name, record) as store:
            for sample in _samples({"libzmq": 200.0, "serverlink": ns}):
                store.append(sample)
    claims = _claims('measure = "gap"\nrange = ["-inf", 0]')

    def verdict(machine: str) -> ClaimVerdict:
        (judged,) = judge_claims(claims, Archive(tmp_path, machine=machine))
        return judged.verdict

    assert verdict("EPYC") is ClaimVerdict.REFUTED  # serverlink has the higher rate
    assert verdict("Xeon") is ClaimVerdict.SUPPORTED


def test_claims_of_an_unknown_machine_are_a_usage_error(results: Path) -> None:
    record = {"machine": {"fingerprint": "AMD EPYC | 2 CPUs"}}
    with RunStore.create(results, "known", record):
        pass
    asked = ("claims", "--machine", "Xeon", "--results", str(results))
    told = CliRunner().invoke(cli, asked)
    assert told.exit_code == 2
    assert "--machine Xeon" in told.stderr
    assert "AMD EPYC | 2 CPUs" in told.stderr
