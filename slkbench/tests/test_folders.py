"""slkbench.folders: what a killed process left is removed, what is in use or another's is not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slkbench.errors import UsageError
from slkbench.folders import remove_abandoned, scratch_folder

OWNER = (
    "import sys; from slkbench.folders import scratch_folder\n"
    "with scratch_folder() as folder: print(folder, flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of its own, here and in processes that are started."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_a_scratch_folder_is_there_and_then_is_not() -> None:
    with scratch_folder() as folder:
        (folder / "file").write_text("x")
        assert remove_abandoned() == 0
        assert folder.is_dir()
    assert not folder.exists()


def test_what_a_killed_process_left_is_removed_and_what_lives_is_kept() -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        folder = Path(one.stdout.readline().strip())
        (folder / "socket").write_text("x")
        assert remove_abandoned() == 0
        one.send_signal(signal.SIGKILL)
        one.wait(20)
        assert folder.is_dir()
        assert remove_abandoned() == 1
        assert not folder.exists()


@pytest.mark.parametrize("name", ["slkbench-results", "slkbench-scratch-mine-own", "other"])
def test_folders_of_other_names_are_nobodys_business(temporary: Path, name: str) -> None:
    (temporary / name).mkdir()
    assert remove_abandoned() == 0
    assert (temporary / name).is_dir()


def test_a_link_is_not_followed(temporary: Path) -> None:
    (temporary / "precious").mkdir()
    (temporary / "slkbench-scratch-abcdefgh").symlink_to(temporary / "precious")
    assert remove_abandoned() == 0
    assert (temporary / "precious").is_dir()


def test_where_there_can_be_no_folder_the_remedy_is_named(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "gone"))
    with pytest.raises(UsageError, match=r"No such file .*gone.* TMPDIR"), scratch_folder():
        pass
