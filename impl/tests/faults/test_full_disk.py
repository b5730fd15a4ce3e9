"""An ipc endpoint is a file: where there is no room for one, bind says so, and may be repeated."""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import serverlink

MakeSocket = Callable[[str, int], Any]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that has its own folder and room for nothing else; skips if that may not be."""
    folder = tmp_path / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "nr_inodes=1", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_an_endpoint_that_finds_no_room(make_socket: MakeSocket, full_disk: Path) -> None:
    """Nothing else is disturbed by it: a connection of the same socket lives."""
    push = make_socket("serverlink", serverlink.PUSH)
    pull = make_socket("serverlink", serverlink.PULL)
    port = pull.bind_to_random_port("tcp://127.0.0.1")
    push.connect(f"tcp://127.0.0.1:{port}")
    endpoint = f"ipc://{full_disk}/pull"
    for _ in range(3):
        with pytest.raises(serverlink.ServerLinkError) as refused:
            pull.bind(endpoint)
        assert refused.value.errno == errno.ENOSPC
    push.send(b"meanwhile")
    assert pull.recv() == b"meanwhile"
    assert list(full_disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,nr_inodes=8", str(full_disk)], check=True)
    pull.bind(endpoint)
    late = make_socket("serverlink", serverlink.PUSH)
    late.connect(endpoint)
    late.send(b"at last")
    assert pull.recv() == b"at last"
