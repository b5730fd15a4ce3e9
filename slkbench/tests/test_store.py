"""slkbench.store: what was appended is there after a crash, and damage is named, never guessed."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slkbench.errors import StoreError
from slkbench.model import Sample
from slkbench.scenario import load_scenario, scenario_to_json
from slkbench.schema import READABLE_VERSIONS, SCHEMA_VERSION, header, row_of
from slkbench.store import RunStore, find_run, list_runs, read_metadata, read_run

SCENARIO = load_scenario("smoke")


def sample(block: int) -> Sample:
    cell = SCENARIO.cells[0]
    return Sample(
        block=block,
        arm="libzmq",
        contender="libzmq",
        pattern=cell.pattern,
        transport=cell.transport,
        size_bytes=cell.size_bytes,
        time_per_message_ns=195.25,
        line_trip_before_ns=107.5,
        line_trip_after_ns=460.25,
        sender_core_probe_ns=1101.5,
        receiver_core_probe_ns=2101.25,
        reason='a "b", c',
    )


def stored_run(root: Path, samples: int = 3, name: str = "smoke") -> Path:
    metadata = {"scenario": scenario_to_json(SCENARIO)}
    with RunStore.create(root, name, metadata, commit="abc123") as store:
        for block in range(samples):
            store.append(sample(block))
        return store.path


def test_a_run_reads_back(tmp_path: Path) -> None:
    path = stored_run(tmp_path / "results")
    run = read_run(path)
    assert run.samples == tuple(sample(block) for block in range(3))
    assert run.scenario == SCENARIO
    assert run.findings == ()
    assert run.metadata["run_id"] == run.run_id == path.name
    assert run.metadata["schema_version"] == SCHEMA_VERSION


def as_of_version(version: int, path: Path) -> Path:
    """The run of ``stored_run`` as that schema version had it."""
    kept = [header().index(name) for name in header(version)]
    rows = [header(), *(row_of(sample(block)) for block in range(3))]
    with (path / "samples.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([row[i] for i in kept] for row in rows)
    text = (path / "run.json").read_text()
    (path / "run.json").write_text(
        _swap(f'"schema_version": {SCHEMA_VERSION}', f'"schema_version": {version}')(text)
    )
    return path


@pytest.mark.parametrize("version", READABLE_VERSIONS[:-1])
def test_a_run_of_an_older_schema_reads_with_what_was_usual_then(
    tmp_path: Path, version: int
) -> None:
    without: dict[str, Any] = {"sender_core_probe_ns": None, "receiver_core_probe_ns": None}
    if version < 5:
        without |= {"line_trip_before_ns": None, "line_trip_after_ns": None}
    run = read_run(as_of_version(version, stored_run(tmp_path)))
    assert run.samples == tuple(replace(sample(block), **without) for block in range(3))
    assert {(each.senders, each.idle_peers) for each in run.samples} == {(1, 0)}


def test_a_run_of_an_older_schema_is_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"schema version 1, .* Start a new run"):
        RunStore.reopen(as_of_version(1, stored_run(tmp_path)))


def test_the_folder_is_named_by_time_scenario_and_commit(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, "my scenario/x", {}, commit="abc123", dirty=True) as store:
        stamp, rest = store.run_id.split("-", 1)
    assert rest == "my-scenario-x-abc123-dirty"
    assert len(stamp) == len("20260101T000000Z")


def test_two_runs_in_one_second_have_two_folders(tmp_path: Path) -> None:
    assert len({stored_run(tmp_path) for _ in range(4)}) == 4


def test_every_sample_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, "s", {}) as store:
        for block in range(3):
            store.append(sample(block))
            assert read_run(store.path).samples == store.samples
            assert len(store.samples) == block + 1


def test_metadata_is_replaced_whole(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, "s", {"a": 1}) as store:
        store.update({"status": "complete", "a": 2})
        assert read_metadata(store.path) == store.metadata
        assert (store.metadata["status"], store.metadata["a"]) == ("complete", 2)
        assert {file.name for file in store.path.iterdir()} == {"run.json", "samples.csv"}


def test_metadata_that_is_not_json_leaves_the_old_file(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, "s", {"a": 1}) as store:
        with pytest.raises(TypeError):
            store.update({"a": object()})
        assert read_metadata(store.path)["a"] == 1


@pytest.mark.parametrize("cut_bytes", [1, 2, 30])
def test_a_torn_row_is_left_out_and_then_cut_off(tmp_path: Path, cut_bytes: int) -> None:
    path = stored_run(tmp_path)
    file = path / "samples.csv"
    os.truncate(file, file.stat().st_size - cut_bytes)
    torn = file.read_bytes()
    run = read_run(path)
    assert run.samples == (sample(0), sample(1))
    assert [finding.code for finding in run.findings] == ["torn-row"]
    assert file.read_bytes() == torn, "reading alters nothing"
    with RunStore.reopen(path) as store:
        assert store.samples == run.samples
        assert [finding.code for finding in store.findings] == ["torn-row"]
        store.append(sample(7))
    assert read_run(path).samples == (sample(0), sample(1), sample(7))
    assert read_run(path).findings == ()


def test_reopening_a_whole_run_goes_on(tmp_path: Path) -> None:
    path = stored_run(tmp_path)
    with RunStore.reopen(path) as store:
        assert store.findings == ()
        store.append(sample(3))
        store.update({"status": "complete"})
    assert len(read_run(path).samples) == 4
    assert read_run(path).scenario == SCENARIO


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def write_half(descriptor: int, data: memoryview) -> int:
        if len(data) < 60:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    with RunStore.create(tmp_path, "s", {}) as store:
        store.append(sample(0))
        monkeypatch.setattr(os, "write", write_half)
        with pytest.raises(StoreError, match=r"cannot append to .*: No space left.*--out"):
            store.append(sample(1))
        monkeypatch.undo()
        store.append(sample(2))
    assert read_run(store.path).samples == (sample(0), sample(2))


def test_a_results_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot create a run in .*results.*--out"):
        RunStore.create(tmp_path / "results", "s", {})


def _swap(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("samples.csv", _swap("run_id,", ""), "line 1: the header differs .*without run_id"),
        ("samples.csv", _swap("run_id,", "run_id,mood,"), "line 1: .*with unknown mood"),
        ("samples.csv", _swap("run_id,scenario", "scenario,run_id"), "line 1: .*in another order"),
        ("samples.csv", lambda _: "x,y\n1,2\n", "is not a table of samples: .*'x,y'"),
        ("samples.csv", lambda _: "", "is not a table of samples"),
        ("samples.csv", _swap("195.25", "fast"), r"line 2: column time_per_message_ns .*'fast'"),
        ("samples.csv", _swap("\n,,1,", "\n,,1,9,9,"), "line 3: the row has .* cells instead of"),
        ("samples.csv", _swap("\n,,1,", '\n,"x"y,1,'), "line 3: "),
        ("run.json", lambda text: text[:40], "run.json is damaged: line .* is not JSON"),
        ("run.json", lambda _: "[]", "has no schema_version"),
        ("run.json", lambda _: "{}", "has no schema_version"),
        (
            "run.json",
            _swap(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99'),
            r"schema version 99; this slkbench reads versions 1 to .*or upgrade",
        ),
        (
            "run.json",
            _swap(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 0'),
            r"schema version 0; .*with the slkbench that wrote it\.$",
        ),
    ],
)
def test_damage_is_named_with_file_and_line(
    tmp_path: Path, file: str, damage: Callable[[str], str], said: str
) -> None:
    path = stored_run(tmp_path)
    text = (path / file).read_text()
    (path / file).write_text(damage(text))
    assert damage(text) != text
    with pytest.raises(StoreError, match=said) as caught:
        read_run(path)
    assert str(path / file) in str(caught.value)
    with pytest.raises(StoreError):
        RunStore.reopen(path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = stored_run(tmp_path)
    (path / "samples.csv").write_bytes(b"\xff\x00\n")
    with pytest.raises(StoreError, match="is not text"):
        read_run(path)


@pytest.mark.parametrize("file", ["run.json", "samples.csv"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    path = stored_run(tmp_path)
    (path / file).unlink()
    with pytest.raises(StoreError, match=f"{file} is missing"):
        read_run(path)


def test_a_run_without_a_scenario_cannot_be_judged(tmp_path: Path) -> None:
    with RunStore.create(tmp_path, "s", {}) as store:
        pass
    with pytest.raises(StoreError, match="does not say which scenario"):
        _ = read_run(store.path).scenario


def test_a_header_alone_is_a_run_without_samples(tmp_path: Path) -> None:
    path = stored_run(tmp_path, samples=0)
    assert (path / "samples.csv").read_text() == ",".join(header()) + "\n"
    assert read_run(path).samples == ()


def test_runs_are_found_by_name_part_path_and_latest(tmp_path: Path) -> None:
    first, second = stored_run(tmp_path, name="one"), stored_run(tmp_path, name="two")
    (tmp_path / "README.md").write_text("not a run")
    assert set(list_runs(tmp_path)) == {first, second}
    assert find_run(first.name, tmp_path) == first
    assert find_run("-two-", tmp_path) == second
    assert find_run(str(first), tmp_path) == first
    assert find_run("latest", tmp_path) == list_runs(tmp_path)[-1]
    assert json.loads((first / "run.json").read_text())["run_id"] == first.name


def test_a_run_that_is_not_there_or_not_unique(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no run 'x' in .*`slkbench run` makes one"):
        find_run("x", tmp_path)
    with pytest.raises(StoreError, match="no run 'latest'"):
        find_run("latest", tmp_path / "nowhere")
    stored_run(tmp_path, name="one")
    stored_run(tmp_path, name="two")
    with pytest.raises(StoreError, match="means 2 runs"):
        find_run("abc123", tmp_path)
    with pytest.raises(StoreError, match=r"no run 'x'.*There are: "):
        find_run("x", tmp_path)
