"""slkbench.checks: each doubt is raised where it should be, with evidence and remedy."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pytest

from slkbench.checks import Ending, check_run
from slkbench.model import (
    Cell,
    Contender,
    ContenderKind,
    Finding,
    Layer,
    Pattern,
    Sample,
    Scenario,
    Status,
    Transport,
    Verdict,
    VerdictKind,
)

SMOOTH_NS = (200.0, 202.0, 198.0, 201.0, 199.0, 203.0, 197.0, 200.0, 201.0, 202.0)
VERDICT = Verdict(
    cell=Cell(Pattern.PUSH_PULL, Transport.TCP, 1024),
    baseline="libzmq",
    contender="serverlink",
    kind=VerdictKind.EQUIVALENT,
    blocks=8,
    discarded_blocks=0,
    time_ratio=1.0,
    low=0.99,
    high=1.01,
    level=0.99,
    p_value=0.5,
    min_effect=0.02,
    effective_min_effect=0.02,
)


def cell_samples(times_ns: Sequence[float] = SMOOTH_NS, arm: str = "libzmq") -> list[Sample]:
    return [
        Sample(
            block=block,
            arm=arm,
            contender=arm,
            role="baseline" if arm == "libzmq" else "contender",
            pattern="push-pull",
            transport="tcp",
            size_bytes=1024,
            messages=2_000_000,
            elapsed_ns=300_000_000,
            time_per_message_ns=time_ns,
            sender_cpus="0",
            receiver_cpus="1",
            steal_fraction=0.01,
            foreign_cpu_fraction=0.01,
            options=json.dumps({"sender.SNDHWM": "1000", "sender.LAST_ENDPOINT": f"tcp:{block}"}),
        )
        for block, time_ns in enumerate(times_ns)
    ]


CLEAN = cell_samples() + cell_samples(arm="serverlink")


def library(name: str, build_flags: str) -> Contender:
    return Contender(
        name, Layer.NATIVE, ContenderKind.LIBRARY, path=f"/lib/{name}.so", build_flags=build_flags
    )


def only(findings: tuple[Finding, ...]) -> Finding:
    (found,) = findings
    assert found.evidence
    assert found.remedy
    return found


def changed(**facts: object) -> list[Sample]:
    """CLEAN with ``facts`` on the first sample of serverlink."""
    samples = list(CLEAN)
    index = len(samples) // 2
    samples[index] = dataclasses.replace(samples[index], **facts)  # type: ignore[arg-type]
    return samples


def test_a_clean_run_has_no_findings() -> None:
    same = [library(name, "GNU C++20 12.2.0 -O3 -g") for name in ("libzmq", "serverlink")]
    assert check_run(CLEAN, [VERDICT], same, cpu_count=2) == ()
    assert check_run([]) == ()


@pytest.mark.parametrize(
    ("facts", "code", "subject", "evidence"),
    [
        (
            {"status": "FAILED", "reason": "lost 3 messages"},
            "failed-samples",
            "push-pull tcp 1 KiB: serverlink",
            "1 of 10 samples failed; the first: lost 3 messages",
        ),
        (
            {"options": '{"sender.SNDHWM": "0"}'},
            "options-differ",
            "1 cell",
            "socket option sender.SNDHWM: libzmq 1000; serverlink 0 or 1000",
        ),
        (
            {"sender_cpus": "0,1"},
            "placement-differs",
            "1 cell",
            "libzmq sender on 0, receiver on 1; serverlink sender on 0, receiver on 1 or sender",
        ),
        (
            {"foreign_cpu_fraction": 0.25},
            "foreign-load",
            "1 of 20 samples",
            "up to 25.0% of a CPU",
        ),
        (
            {"elapsed_ns": 6_000_000},
            "short-samples",
            "1 cell",
            "1 samples took less than 100 ms; the shortest 6.00 ms (push-pull tcp 1 KiB: server",
        ),
    ],
)
def test_one_sample_can_raise_a_doubt(
    facts: dict[str, object], code: str, subject: str, evidence: str
) -> None:
    found = only(check_run(changed(**facts)))
    assert (found.code, found.subject) == (code, subject)
    assert evidence in found.evidence


def test_options_that_cannot_be_read_are_not_compared() -> None:
    assert check_run(changed(options="{")) == ()
    assert check_run(changed(options="[1]")) == ()
    assert check_run(changed(options=None)) == ()


def test_the_floor_has_options_of_its_own() -> None:
    floor = [
        dataclasses.replace(s, role="floor", options='{"sender.SNDHWM": "7"}')
        for s in cell_samples(arm="floor")
    ]
    assert check_run(CLEAN + floor) == ()


def test_noise_between_processes_is_measured_in_ln_t() -> None:
    found = only(check_run(cell_samples((200, 260, 215, 240, 180))))
    assert (found.code, found.subject) == ("unstable", "push-pull tcp 1 KiB: libzmq")
    assert "14." in found.evidence
    assert check_run(cell_samples((200, 300, 400))) == (), "three say nothing of spread"


def test_two_ways_of_running_are_seen_and_one_outlier_is_not() -> None:
    two_ways = (100.0, 101, 150, 152, 99, 151, 100, 149)
    codes = [finding.code for finding in check_run(cell_samples(two_ways))]
    assert codes == ["unstable", "bimodal"]
    (bimodal,) = [f for f in check_run(cell_samples(two_ways)) if f.code == "bimodal"]
    assert "of 8 processes 4 near 100 ns" in bimodal.evidence
    assert "4 near 150 ns" in bimodal.evidence
    outlier = (*SMOOTH_NS[:-1], 400.0)
    assert [f.code for f in check_run(cell_samples(outlier))] == ["unstable"]


def test_steal_is_judged_by_the_median() -> None:
    stolen = [dataclasses.replace(s, steal_fraction=0.15) for s in CLEAN]
    assert only(check_run(stolen)).code == "steal"
    assert check_run(changed(steal_fraction=0.5)) == ()


def test_few_round_trips_have_no_99th_percentile() -> None:
    trips = [dataclasses.replace(s, metric="round-trip", messages=9_999) for s in CLEAN]
    found = only(check_run(trips))
    assert found.code == "few-round-trips"
    assert "9999 round trips" in found.evidence


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"placebo_ratio": 1.02, "placebo_low": 1.01, "placebo_high": 1.03}, "placebo-differs"),
        ({"placebo_ratio": 0.98, "placebo_low": 0.97, "placebo_high": 0.99}, "placebo-differs"),
        ({"discarded_blocks": 2}, "discarded-blocks"),
        ({"blocks": 4, "low": None, "high": None}, "few-blocks"),
    ],
)
def test_verdicts_raise_doubts(facts: dict[str, object], code: str) -> None:
    doubtful = dataclasses.replace(VERDICT, **facts)  # type: ignore[arg-type]
    assert only(check_run(CLEAN, [doubtful, doubtful])).code == code


@pytest.mark.parametrize(
    ("ending", "remedy"),
    [
        (Ending("mine"), "`slkbench run --resume mine`"),
        (Ending("mine", "budget"), "`slkbench run --resume mine --budget TOTAL`"),
        (Ending("mine", "verdicts"), "measure again with --rounds 6"),
    ],
)
def test_too_few_blocks_have_a_remedy_that_the_run_allows(ending: Ending, remedy: str) -> None:
    few = dataclasses.replace(VERDICT, blocks=4, low=None, high=None)
    found = only(check_run(CLEAN, [few], ending=ending))
    assert found.remedy.startswith(remedy)
    assert found.evidence.startswith("4 valid blocks give no interval")
    both = [dataclasses.replace(few, blocks=1), few]
    assert only(check_run(CLEAN, both)).evidence.startswith("1 to 4 valid blocks")


@pytest.mark.parametrize(
    ("messages", "remedies"),
    [
        ((None,), ("a longer --min-time than 30.0 ms",)),
        ((1000,), ("let the work be calibrated",)),
        ((None, 1000), ("let the work be calibrated", "a longer --min-time")),
    ],
)
def test_short_samples_become_longer_by_what_made_them_short(
    messages: Sequence[int | None], remedies: Sequence[str]
) -> None:
    cells = tuple(
        dataclasses.replace(VERDICT.cell, size_bytes=1024 + place, messages=each)
        for place, each in enumerate(messages)
    )
    scenario = Scenario("s", "?", cells, min_time_s=0.03)
    short = [
        dataclasses.replace(sample, size_bytes=cell.size_bytes, elapsed_ns=30_000_000)
        for cell in cells
        for sample in CLEAN
    ]
    remedy = only(check_run(short, scenario=scenario)).remedy
    assert remedy.count(";") == len(remedies) - 1
    for each in remedies:
        assert each in remedy


@pytest.mark.parametrize(
    "facts",
    [
        {"placebo_ratio": 1.005, "placebo_low": 1.001, "placebo_high": 1.009},
        {"placebo_ratio": 1.02, "placebo_low": 0.99, "placebo_high": 1.05},
        {"status": Status.FAILED, "low": None},
    ],
)
def test_verdicts_that_raise_none(facts: dict[str, object]) -> None:
    assert check_run(CLEAN, [dataclasses.replace(VERDICT, **facts)]) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "other", "evidence"),
    [
        (
            "GNU C++20 12.2.0 -mtune=generic -O3 -g; GCC: (Debian 12.2.0-14) 12.2.0",
            "GCC: (GNU) 14.2.1 20250110 (Red Hat 14.2.1-11)",
            "serverlink: GCC 12.2.0, -O3 -mtune=generic; libzmq: GCC 14.2.1, unknown flags",
        ),
        ("GNU C++20 12.2.0 -O2", "GNU C++20 12.2.0 -O3 -flto", "-O2; libzmq: GCC 12.2.0, -O3 -f"),
        ("clang version 17.0.6 -O2", "GNU C++20 12.2.0 -O2", "clang 17.0.6, -O2; libzmq: GCC 12.2"),
    ],
)  # fmt: skip
def test_other_compilers_and_flags_are_named(own: str, other: str, evidence: str) -> None:
    found = only(check_run(CLEAN, (), [library("libzmq", other), library("serverlink", own)]))
    assert found.code == "build-differs"
    assert evidence in found.evidence


def test_flags_that_change_little_are_not_compared() -> None:
    pair = [
        library("libzmq", "GNU C17 12.2.0 -O3 -Wall"),
        library("serverlink", "GNU C++20 12.2.0 -g -O3"),
    ]
    assert check_run(CLEAN, (), pair) == ()


def test_a_library_that_says_nothing_of_its_build_is_named() -> None:
    found = only(check_run(CLEAN, (), [library("libzmq", ""), library("serverlink", "x -O3")]))
    assert (found.code, found.subject) == ("build-unknown", "libzmq")


def test_one_core_is_a_reason_to_doubt() -> None:
    assert only(check_run(CLEAN, cpu_count=1)).code == "one-core"
