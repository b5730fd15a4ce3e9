"""What is installed beside the package: types that are true, and all that a C program needs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import serverlink

HOME = Path(serverlink.__file__).parent
PROGRAM = """
#include <serverlink/serverlink.h>
#include <stdio.h>

int main(void) {
  int major, minor, patch;
  slk_version(&major, &minor, &patch);
  void* context = slk_ctx_new();
  void* pair = slk_socket(context, SLK_PAIR);
  printf("%d.%d.%d %d\\n", major, minor, patch, slk_bind(pair, "inproc://c"));
  slk_close(pair);
  return slk_ctx_term(context);
}
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# What no stub can say.
ALLOWED = r"""
# nanobind's classes have a metaclass of its own, and so have those derived from them.
serverlink\._ext\.(Context|Frame|Socket)
serverlink\.(asyncio|context)\.Context
serverlink\.asyncio\.(socket\.Socket|waiting\.AwaitedSocket)
serverlink\.(frame\.Frame|options\.SocketOptions|socket\.Socket)
# nanobind's functions are objects of its own.
serverlink\._ext\.(curve_\w+|has|poll|strerror|version_info|z85_\w+|zmq_errno)
# It shows from Python 3.12 on.
serverlink\._ext\.Frame\.__buffer__
# The library for C beside the package is no module.
serverlink\.libserverlink
# A static method that was decorated before.
serverlink\.asyncio\.poller\.Poller\._listening
# For type checkers alone.
serverlink\.socket\.T
# It is put together when the package is imported.
serverlink\.__all__
"""


def test_stubs_are_true(tmp_path: Path) -> None:
    pytest.importorskip("mypy.stubtest", reason="pip install '.[lint]'")
    (tmp_path / "allowed").write_text(ALLOWED)
    check = ("mypy.stubtest", "serverlink", "--allowlist", "allowed", "--ignore-unused-allowlist")
    assert "Success" in run(sys.executable, "-P", "-m", *check, cwd=tmp_path)


def test_the_library_exports_its_interface_alone() -> None:
    if shutil.which("nm") is None:
        pytest.skip("there is no nm")
    listed = run("nm", "-D", "--defined-only", HOME / "libserverlink.so").split("\n")
    exported = {line.split()[-1] for line in listed if line}
    assert "slk_socket" in exported
    assert {name for name in exported if not name.startswith("slk_")} == set()


@pytest.mark.parametrize("how", ["pkg-config", "flags"])
def test_a_c_program_links(tmp_path: Path, how: str) -> None:
    if shutil.which("cc") is None or shutil.which(how if how == "pkg-config" else "cc") is None:
        pytest.skip(f"there is no {how}")
    (tmp_path / "hello.c").write_text(PROGRAM)
    if how == "pkg-config":
        found = f"--with-path={HOME / 'lib/pkgconfig'}"
        flags = run("pkg-config", found, "--cflags", "--libs", "serverlink").split()
    else:
        (include,), (library,) = serverlink.get_includes(), serverlink.get_library_dirs()
        flags = [f"-I{include}", f"-L{library}", "-lserverlink", f"-Wl,-rpath,{library}"]
    run("cc", "-std=c99", tmp_path / "hello.c", *flags, "-o", tmp_path / "hello")
    assert run(tmp_path / "hello") == f"{serverlink.slk_version()} 0\n"


def test_a_cmake_project_links(tmp_path: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("there is no cmake")
    (tmp_path / "hello.cpp").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\n"
        "project(hello CXX)\n"
        "find_package(serverlink 0.1 CONFIG REQUIRED)\n"
        "add_executable(hello hello.cpp)\n"
        "target_link_libraries(hello serverlink::serverlink)\n"
    )
    built = tmp_path / "built"
    run(cmake, "-S", tmp_path, "-B", built, f"-DCMAKE_PREFIX_PATH={HOME}")
    run(cmake, "--build", built)
    assert run(built / "hello") == f"{serverlink.slk_version()} 0\n"
