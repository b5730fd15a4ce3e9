"""Reasons to doubt a run: findings with their evidence and what can be done. Pure.

A check never changes a verdict; it says what a reader should distrust.  What is the same in many
cells becomes one finding that counts them.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median, stdev

from slkbench.model import (
    ArmRole,
    CellKey,
    Contender,
    ContenderKind,
    Finding,
    Metric,
    Sample,
    Scenario,
    Status,
    Verdict,
)
from slkbench.stats import cell_of, distances_of, find_modes, ran_alike, slow_downs
from slkbench.units import format_duration, format_percent, format_time_ns

__all__ = ["Ending", "check_run"]

MAX_SD = 0.10
MIN_SAMPLE_NS = 100_000_000
MAX_STEAL_FRACTION = 0.10
MAX_FOREIGN_CPU_FRACTION = 0.05
FEWEST_FOR_SD = 4
ROUND_TRIPS_FOR_P99 = 10_000
MAX_SEND_LAG_OF_P99 = 0.5
MAX_TYPICAL_SLOW_DOWN = 1.1
MAX_SLOW_DOWN = 1.3
MAX_SLOWED_SHARE = 0.1
_PER_SOCKET = "LAST_ENDPOINT"
_SWEEPING_FLAG = re.compile(r"-(?:O\w*|march=\S+|mtune=\S+|flto\S*|fsanitize=\S+|DNDEBUG)(?!\S)")
_VERSION = re.compile(r"\b\d+\.\d+\.\d+\b")

ArmKey = tuple[CellKey, str]
_ByArm = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: what can still be done about it hangs on that.

    ``by`` is ``budget`` or ``verdicts``, None for one that was interrupted.
    """

    run_id: str = "RUN"
    by: str | None = None


def check_run(
    samples: Sequence[Sample],
    verdicts: Sequence[Verdict] = (),
    contenders: Sequence[Contender] = (),
    *,
    baseline: str = "libzmq",
    cpu_count: int | None = None,
    scenario: Scenario | None = None,
    ending: Ending = Ending(),
) -> tuple[Finding, ...]:
    """Everything to distrust about a run, the gravest first.

    ``verdicts`` are those of the same samples; ``contenders`` tell of versions and build flags and
    are compared with ``baseline``; ``cpu_count`` is the number of CPUs that the run could use.
    ``scenario`` and ``ending`` tell which remedies are left.
    """
    by_arm = _by_arm(samples)
    return (
        *_failed(by_arm),
        *_saturated(by_arm),
        *_placebo(verdicts),
        *_options(samples),
        *_builds(contenders, baseline),
        *_placement(samples),
        *_one_core(cpu_count),
        *_discarded(verdicts),
        *_disturbed(samples),
        *_moved_cpus(samples),
        *_shared_cores(samples),
        *_unstable(by_arm),
        *_bimodal(by_arm),
        *_short(samples, scenario),
        *_few_blocks(verdicts, ending),
        *_few_round_trips(samples),
        *_late_sender(by_arm),
    )


def _by_arm(samples: Iterable[Sample]) -> dict[ArmKey, list[Sample]]:
    grouped: dict[ArmKey, list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[sample.cell_key, sample.arm].append(sample)
    return grouped


def _where(sample: Sample) -> str:
    return f"{cell_of(sample).title}: {sample.arm}"


def _cells(keys: Iterable[object]) -> str:
    count = len(set(keys))
    return f"{count} cell{'s' if count != 1 else ''}"


def _failed(by_arm: Mapping[ArmKey, list[Sample]]) -> Iterator[Finding]:
    for found in by_arm.values():
        if failed := [s for s in found if s.status == Status.FAILED]:
            yield Finding(
                code="failed-samples",
                subject=_where(failed[0]),
                evidence=f"{len(failed)} of {len(found)} samples failed; the first: "
                f"{failed[0].reason or 'no reason given'}",
                remedy="a library that crashes, hangs or loses messages has no speed: mend it",
            )


def _saturated(by_arm: Mapping[ArmKey, list[Sample]]) -> Iterator[Finding]:
    for found in by_arm.values():
        if saturated := [s for s in found if s.status == Status.SATURATED]:
            yield Finding(
                code="saturated",
                subject=_where(saturated[0]),
                evidence=f"{len(saturated)} of {len(found)} samples fell behind the schedule; "
                f"the first: {saturated[0].reason or 'no reason given'}",
                remedy="a lower --rate, such as 50%: of two such samples on no percentile is "
                "compared, and a single one was measured once more",
            )


def _placebo(verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    seen = set()
    for verdict in verdicts:
        ratio, low, high = verdict.placebo_ratio, verdict.placebo_low, verdict.placebo_high
        if ratio is None or low is None or high is None or verdict.cell.key in seen:
            continue
        if (low > 1 or high < 1) and abs(ratio - 1) > verdict.min_effect / 2:
            seen.add(verdict.cell.key)
            yield Finding(
                code="placebo-differs",
                subject=verdict.cell.title,
                evidence=f"a byte copy of {verdict.baseline} takes {ratio - 1:+.1%} "
                f"[{low - 1:+.1%}, {high - 1:+.1%}] of its time, which should be 0",
                remedy="something but the library decides here: quieten the machine, pin the "
                "threads with --affinity, and measure again",
            )


def _options(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Options read back that differ between the arms of one cell."""
    differing: dict[str, set[CellKey]] = defaultdict(set)
    compared = [
        s
        for s in samples
        if s.options and s.status == Status.OK and s.role in {ArmRole.BASELINE, ArmRole.CONTENDER}
    ]
    for key, found in _by_cell(compared):
        values: dict[str, _ByArm] = defaultdict(lambda: defaultdict(set))
        for sample in found:
            for name, value in _parsed_options(sample.options).items():
                if not name.endswith(_PER_SOCKET):
                    values[name][sample.arm].add(value)
        for name, by_arm in values.items():
            if text := _unequal(by_arm):
                differing[f"{name}: {text}"].add(key)
    for difference, keys in sorted(differing.items()):
        yield Finding(
            code="options-differ",
            subject=_cells(keys),
            evidence=f"socket option {difference}",
            remedy="the libraries did not run under the same conditions; say so beside the "
            "figures, or set the option alike with --hwm or --io-threads",
        )


def _parsed_options(text: str | None) -> dict[str, str]:
    try:
        read = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return {str(k): str(v) for k, v in read.items()} if isinstance(read, dict) else {}


def _builds(contenders: Sequence[Contender], baseline: str) -> Iterator[Finding]:
    libraries = [c for c in contenders if c.kind is ContenderKind.LIBRARY]
    reference = next((c for c in libraries if c.name == baseline), None)
    for library in libraries:
        if not library.build_flags:
            yield Finding(
                code="build-unknown",
                subject=library.name,
                evidence=f"{library.path} does not say how it was compiled",
                remedy="compile it with -g to have its compiler and flags compared",
            )
        elif reference and reference.build_flags and library is not reference:
            own, other = _build_facts(library), _build_facts(reference)
            if own != other:
                yield Finding(
                    code="build-differs",
                    subject=f"{library.name}, {reference.name}",
                    evidence=f"{library.name}: {own}; {reference.name}: {other}",
                    remedy="measure a build of both with one compiler and the same flags, by "
                    "--lib NAME=PATH, before you credit the code",
                )


def _build_facts(library: Contender) -> str:
    """Compiler and the flags that change speed at large, in a fixed order.

    ``build_flags`` holds what the file says, divided by ``; ``: DWARF producers, with flags, and
    ``.comment`` lines, without.
    """
    parts = library.build_flags.split("; ")
    compilers = sorted({fact for part in parts if (fact := _compiler(part))})
    flags = sorted({flag for part in parts for flag in _SWEEPING_FLAG.findall(part)})
    return f"{', '.join(compilers) or 'unknown compiler'}, {' '.join(flags) or 'unknown flags'}"


def _compiler(part: str) -> str:
    named = part.split(" -", maxsplit=1)[0]
    version = _VERSION.search(named)
    family = "clang" if "clang" in named.lower() else "GCC"
    return f"{family} {version[0]}" if version else ""


def _placement(samples: Sequence[Sample]) -> Iterator[Finding]:
    unequal: list[CellKey] = []
    example = ""
    for key, found in _by_cell(s for s in samples if s.status == Status.OK):
        places: _ByArm = defaultdict(set)
        for sample in found:
            if sample.sender_cpus and sample.receiver_cpus:
                place = f"sender on {sample.sender_cpus}, receiver on {sample.receiver_cpus}"
                places[sample.arm].add(place)
        if text := _unequal(places):
            unequal.append(key)
            example = text
    if unequal:
        yield Finding(
            code="placement-differs",
            subject=_cells(unequal),
            evidence=f"the arms ran on different CPUs, as in {example}",
            remedy="pin all of them alike with --affinity, and measure again",
        )


def _one_core(cpu_count: int | None) -> Iterator[Finding]:
    if cpu_count == 1:
        yield Finding(
            code="one-core",
            subject="the machine",
            evidence="sender and receiver shared one CPU",
            remedy="such figures tell of switching between threads; measure on two cores or more",
        )


def _discarded(verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    discarded = {v.cell.key: v.discarded_blocks for v in verdicts if v.discarded_blocks}
    if discarded:
        yield Finding(
            code="discarded-blocks",
            subject=_cells(discarded),
            evidence=f"{sum(discarded.values())} blocks were left out, because the machine was "
            "disturbed while they ran",
            remedy="nothing, if they are few: a verdict that depends on them is INCONCLUSIVE. "
            "Otherwise quieten the machine",
        )


def _disturbed(samples: Sequence[Sample]) -> Iterator[Finding]:
    steal = [s.steal_fraction for s in samples if s.steal_fraction is not None]
    if steal and median(steal) > MAX_STEAL_FRACTION:
        yield Finding(
            code="steal",
            subject="the machine",
            evidence=f"the hypervisor took {format_percent(median(steal))} of the CPU time of half "
            "the samples or more",
            remedy="measure on a machine of your own, or at a quieter time",
        )
    foreign = [s.foreign_cpu_fraction for s in samples if s.foreign_cpu_fraction is not None]
    busy = [value for value in foreign if value > MAX_FOREIGN_CPU_FRACTION]
    if busy:
        yield Finding(
            code="foreign-load",
            subject=f"{len(busy)} of {len(foreign)} samples",
            evidence=f"other processes used up to {format_percent(max(busy))} of a CPU meanwhile",
            remedy="stop other programs, and measure again",
        )


def _unstable(by_arm: Mapping[ArmKey, list[Sample]]) -> Iterator[Finding]:
    for found in by_arm.values():
        logs = _logs(found)
        if len(logs) >= FEWEST_FOR_SD and (spread := stdev(logs)) >= MAX_SD:
            yield Finding(
                code="unstable",
                subject=_where(found[0]),
                evidence=f"time per message varies by {format_percent(spread)} (standard deviation "
                f"of ln t over {len(logs)} processes)",
                remedy="more blocks (--rounds), longer samples (--min-time), --affinity",
            )


def _moved_cpus(samples: Sequence[Sample]) -> Iterator[Finding]:
    """The host moved the CPUs: near to each other, or far from each other."""
    if (found := distances_of(samples)) is None:
        return
    changed = sum(not ran_alike(sample) for sample in samples)
    yield Finding(
        code="cpu-distance",
        subject=_cells(s.cell_key for s in samples if s.line_trip_before_ns is not None),
        evidence=f"a cache line went from one CPU to the other and back in "
        f"{format_time_ns(found.near_ns)} before and after {format_percent(found.near_share)} of "
        f"the samples, in {format_time_ns(found.far_ns)} for {format_percent(found.far_share)}, "
        f"and {changed} saw both",
        remedy="verdicts compare only what ran at one distance before and after; rates are "
        "of a machine in two states, which the section on noise tells apart: let the host pin its "
        "CPUs",
    )


def _shared_cores(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Strangers computed on the other hardware thread of a core: a fixed piece of work tells."""
    found = slow_downs(samples)
    if not found:
        return
    slowed = sum(each > MAX_SLOW_DOWN for each in found) / len(found)
    if median(found) > MAX_TYPICAL_SLOW_DOWN or slowed > MAX_SLOWED_SHARE:
        yield Finding(
            code="core-sharing",
            subject=f"{len(found)} of {len(samples)} samples",
            evidence="a fixed piece of arithmetic amid the messages typically took "
            f"{median(found):.2f} times its least, at most {max(found):.2f} times, and over "
            f"{MAX_SLOW_DOWN:g} times in {format_percent(slowed)} of the samples: others computed "
            "on the same cores",
            remedy="verdicts take out what goes with it; rates and single samples are as they were "
            "measured: measure at a quieter hour, or on a machine of your own",
        )


def _bimodal(by_arm: Mapping[ArmKey, list[Sample]]) -> Iterator[Finding]:
    """Processes that run in one of two ways; see ``stats.noise``."""
    for found in by_arm.values():
        logs = _logs(found)
        if modes := find_modes(logs):
            fast, slow = (
                f"{round(mode.share * len(logs))} near {format_time_ns(mode.value_ns)}"
                for mode in modes
            )
            yield Finding(
                code="bimodal",
                subject=_where(found[0]),
                evidence=f"of {len(logs)} processes {fast} a message and {slow}",
                remedy="it runs in two ways, such as asleep or awake: a median hides one of them; "
                "look at the single samples",
            )


def _short(samples: Sequence[Sample], scenario: Scenario | None) -> Iterator[Finding]:
    short = [
        s
        for s in samples
        if s.status == Status.OK and s.elapsed_ns is not None and s.elapsed_ns < MIN_SAMPLE_NS
    ]
    if short:
        shortest = min(short, key=lambda s: s.elapsed_ns or 0)
        yield Finding(
            code="short-samples",
            subject=_cells(s.cell_key for s in short),
            evidence=f"{len(short)} samples took less than {format_time_ns(MIN_SAMPLE_NS)}; the "
            f"shortest {format_time_ns(shortest.elapsed_ns or 0)} ({_where(shortest)})",
            remedy=_longer({s.cell_key for s in short}, scenario),
        )


def _longer(short: Collection[CellKey], scenario: Scenario | None) -> str:
    """How samples of these cells become longer: by what was asked for them."""
    calibrate = "let the work be calibrated: leave --count and messages out"
    if scenario is None:
        return calibrate
    fixed = {cell.key for cell in scenario.cells if cell.messages is not None}
    remedies = [calibrate] if fixed & set(short) else []
    if set(short) - fixed:
        asked = format_duration(scenario.min_time_s)
        remedies.append(f"a longer --min-time than {asked}, such as 250ms or 500ms")
    return "; ".join(remedies)


def _few_blocks(verdicts: Sequence[Verdict], ending: Ending) -> Iterator[Finding]:
    few = [v for v in verdicts if v.status is Status.OK and v.low is None]
    if few:
        counts = Counter(v.blocks for v in few)
        yield Finding(
            code="few-blocks",
            subject=_cells(v.cell.key for v in few),
            evidence=f"{_span(counts)} give no interval, so no verdict",
            remedy=_more_blocks(ending),
        )


def _span(counts: Collection[int]) -> str:
    low, high = min(counts), max(counts)
    text = str(low) if low == high else f"{low} to {high}"
    return f"{text} valid block{'s' * (high != 1)}"


def _more_blocks(ending: Ending) -> str:
    if ending.by == "budget":
        return (
            f"`slkbench run --resume {ending.run_id} --budget TOTAL`, where TOTAL counts what is "
            "spent already"
        )
    if ending.by is None:
        return f"`slkbench run --resume {ending.run_id}`"
    return "measure again with --rounds 6 or more, or a longer --max-time"


def _few_round_trips(samples: Sequence[Sample]) -> Iterator[Finding]:
    few = [
        s
        for s in samples
        if s.metric in (Metric.ROUND_TRIP, Metric.PACED)
        and s.status == Status.OK
        and s.messages is not None
        and s.messages < ROUND_TRIPS_FOR_P99
    ]
    if few:
        yield Finding(
            code="few-round-trips",
            subject=_cells(s.cell_key for s in few),
            evidence=f"as few as {min(s.messages or 0 for s in few)} round trips per sample are "
            "too few for a 99th percentile",
            remedy=f"--count {ROUND_TRIPS_FOR_P99} or more",
        )


def _late_sender(by_arm: Mapping[ArmKey, list[Sample]]) -> Iterator[Finding]:
    """The sender of a paced workload that was itself late by much of what it measured."""
    for found in by_arm.values():
        known = [
            (s.send_lag_p99_ns, s.p99_ns)
            for s in found
            if s.status == Status.OK and s.send_lag_p99_ns is not None and s.p99_ns
        ]
        if not known or median(lag / p99 for lag, p99 in known) <= MAX_SEND_LAG_OF_P99:
            continue
        lag, p99 = (median(values) for values in zip(*known, strict=True))
        yield Finding(
            code="late-sender",
            subject=_where(found[0]),
            evidence=f"one message in a hundred went out {format_time_ns(lag)} or more after it "
            f"was due, and the 99th percentile of round trips is {format_time_ns(p99)}",
            remedy="that lateness counts in the round trips: of the machine's pauses and of what "
            "the library does in the sender's calls; look at send-lag in histograms/, quieten the "
            "machine, or use a lower --rate",
        )


def _logs(samples: Iterable[Sample]) -> list[float]:
    times = [s.time_per_message_ns for s in samples if s.status == Status.OK]
    return [math.log(time) for time in times if time and math.isfinite(time)]


def _by_cell(samples: Iterable[Sample]) -> Iterator[tuple[CellKey, list[Sample]]]:
    for key, found in groupby(sorted(samples, key=_cell_key), key=_cell_key):
        yield key, list(found)


def _cell_key(sample: Sample) -> CellKey:
    return sample.cell_key


def _unequal(by_arm: _ByArm) -> str:
    """Which arm has which values, where they are not the same for all; else nothing."""
    if len({frozenset(values) for values in by_arm.values()}) < 2:
        return ""
    return "; ".join(f"{arm} {' or '.join(sorted(found))}" for arm, found in sorted(by_arm.items()))
