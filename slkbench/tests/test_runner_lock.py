"""The machine-wide lock: held once, says by whom, is given back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slkbench.errors import TimeLimitError, UsageError
from slkbench.runner.lock import is_held, machine_lock


def test_a_second_run_is_told_who_measures(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    expected = pytest.raises(UsageError, match=rf"process {os.getpid()} .*--wait")
    with machine_lock(path), expected, machine_lock(path):
        pass


def test_waiting_in_vain_is_a_time_limit(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    expected = pytest.raises(TimeLimitError, match=r"waited 0\.05 s")
    with machine_lock(path), expected, machine_lock(path, wait_s=0.05):
        pass


def test_the_lock_is_free_again_after_a_run_even_a_failed_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ValueError, match="boom"), machine_lock(path):
        raise ValueError("boom")
    with machine_lock(path):
        pass
    assert not (tmp_path / "lock.holder").exists()


def test_a_damaged_holder_file_still_gives_a_message(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with machine_lock(path):
        (tmp_path / "lock.holder").write_text("[", encoding="utf-8")
        with pytest.raises(UsageError, match="another process measures"), machine_lock(path):
            pass


def test_a_lock_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot lock"), machine_lock(tmp_path):
        pass


def test_whether_it_is_held_is_seen_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with machine_lock(path):
        assert is_held(path)
    assert not is_held(path)
    path.with_name("lock.holder").write_text('{"pid": 0}', encoding="utf-8")  # of one long dead
    assert not is_held(path)
