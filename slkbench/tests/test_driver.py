"""The native driver: every workload through libzmq and the lower bound, every message accounted."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from slkbench.contenders import known_contenders
from slkbench.driver import _driver
from slkbench.endpoint.spec import EndpointSpec
from slkbench.model import Contender, Layer, Metric, Pattern, Transport


def libzmq_path() -> str:
    for name, layer, found in known_contenders():
        if (name, layer) == ("libzmq", Layer.NATIVE) and isinstance(found, Contender):
            return found.path
    pytest.skip("no libzmq")


def spec(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    kind = changes.get("kind", "library")
    endpoints = {
        "tcp": "tcp://127.0.0.1:*",
        "ipc": f"ipc://{tmp_path}/socket",
        "inproc": "inproc://test",
    }
    values: dict[str, Any] = {
        "role": "both",
        "layer": "native",
        "kind": kind,
        "path": changes.get("path") or (libzmq_path() if kind == "library" else ""),
        "abi": "",
        "pattern": "push-pull",
        "transport": "tcp",
        "metric": "throughput",
        "size_bytes": 64,
        "messages": 2000,
        "warmup": 100,
        "io_threads": 1,
        "sndhwm": 1000,
        "rcvhwm": 1000,
        "endpoint": endpoints[changes.get("transport", "tcp")],
        "stall_ms": 5000,
    }
    return EndpointSpec(**(values | changes)).to_driver()


def run(values: dict[str, Any]) -> tuple[_driver.Session, dict[str, Any]]:
    session = _driver.Session(values)
    session.open()
    result = session.run()
    return session, result


@pytest.mark.parametrize(
    ("kind", "pattern", "transport"),
    list(itertools.product(("library", "floor"), Pattern, Transport)),
)
@pytest.mark.parametrize("size_bytes", [0, 1, 7, 8, 16, 24, 33, 65536])
def test_throughput_of_every_pattern_transport_and_size(
    tmp_path: Path, kind: str, pattern: str, transport: str, size_bytes: int
) -> None:
    values = spec(
        tmp_path,
        kind=kind,
        pattern=pattern,
        transport=transport,
        size_bytes=size_bytes,
        messages=600,
    )
    session, result = run(values)
    assert result["receiver"]["elapsed_ns"] > 0
    assert "elapsed_ns" not in result["sender"]
    session.close()


@pytest.mark.parametrize(
    ("kind", "pattern", "transport"),
    list(itertools.product(("library", "floor"), Pattern, Transport)),
)
def test_round_trips_have_percentiles_in_order(
    tmp_path: Path, kind: str, pattern: str, transport: str
) -> None:
    values = spec(
        tmp_path,
        kind=kind,
        pattern=pattern,
        transport=transport,
        metric=Metric.ROUND_TRIP.value,
        messages=1000,
    )
    session, result = run(values)
    sender = result["sender"]
    assert 0 < sender["p50_ns"] <= sender["p90_ns"] <= sender["elapsed_ns"]
    assert "p99_ns" not in sender  # only from 10,000 round trips up
    session.close()


@pytest.mark.parametrize("kind", ["library", "floor"])
@pytest.mark.parametrize("metric", [Metric.THROUGHPUT, Metric.ROUND_TRIP])
@pytest.mark.parametrize("messages", [1, 100, 256, 5000])
def test_both_roles_look_at_their_cores_meanwhile(
    tmp_path: Path, kind: str, metric: Metric, messages: int
) -> None:
    session, result = run(spec(tmp_path, kind=kind, metric=metric.value, messages=messages))
    for role in ("sender", "receiver"):
        assert 100 < result[role]["core_probe_ns"] < 1e6
    session.close()


def test_looks_at_the_cores_are_in_no_round_trip(tmp_path: Path) -> None:
    values = spec(tmp_path, kind="floor", transport="inproc", metric="round-trip", messages=256)
    session, result = run(values)
    sender = result["sender"]
    # Of the whole a look behind each would be more than the rest; so it is not in the whole either.
    assert sender["elapsed_ns"] >= 128 * sender["p50_ns"]
    session.close()


def test_high_percentiles_come_with_enough_round_trips(tmp_path: Path) -> None:
    values = spec(tmp_path, kind="floor", transport="inproc", metric="round-trip", messages=10_000)
    session, result = run(values)
    assert result["sender"]["p99_ns"] >= result["sender"]["p90_ns"]
    assert "p999_ns" not in result["sender"]
    session.close()


def test_options_are_set_alike_and_read_back(tmp_path: Path) -> None:
    session = _driver.Session(spec(tmp_path, sndhwm=7, rcvhwm=9, io_threads=2))
    session.open()
    for role in ("sender", "receiver"):
        assert session.options[f"{role}.SNDHWM"] == "7"
        assert session.options[f"{role}.RCVHWM"] == "9"
        assert session.options[f"{role}.LINGER"] == "0"
        assert session.options[f"{role}.SNDTIMEO"] == "5000"
        assert session.options[f"{role}.IO_THREADS"] == "2"
    assert session.options["sender.TYPE"] == "8"
    assert session.endpoint.startswith("tcp://127.0.0.1:")
    assert session.version.startswith("4.")
    session.run()
    session.close()


def test_a_small_queue_blocks_and_loses_nothing(tmp_path: Path) -> None:
    for pattern in Pattern:
        session, _ = run(spec(tmp_path, pattern=pattern, sndhwm=1, rcvhwm=1))
        session.close()


def test_each_role_has_its_cpu_time_and_the_process_has_all(tmp_path: Path) -> None:
    session, result = run(spec(tmp_path, kind="floor", messages=200_000))
    for role in ("sender", "receiver"):
        thread = result[role]["thread"]
        assert thread["user_ns"] + thread["system_ns"] > 0
    process = result["receiver"]["process"]
    assert process["user_ns"] + process["system_ns"] > 0
    assert result["max_rss_bytes"] > 1 << 20
    session.close()


def test_threads_are_pinned_only_while_they_measure(tmp_path: Path) -> None:
    import os

    before = os.sched_getaffinity(0)
    cpu = min(before)
    session, _ = run(spec(tmp_path, sender_cpus=(cpu,), receiver_cpus=(cpu,)))
    session.close()
    assert os.sched_getaffinity(0) == before


def test_a_cpu_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    session = _driver.Session(spec(tmp_path, kind="floor", sender_cpus=(1023,), stall_ms=2000))
    session.open()
    with pytest.raises(_driver.DriverError, match="sender: sched_setaffinity"):
        session.run()


def test_a_file_that_is_no_library_is_named(tmp_path: Path) -> None:
    session = _driver.Session(spec(tmp_path, path="/no/such/library.so"))
    with pytest.raises(_driver.DriverError, match=r"/no/such/library\.so"):
        session.open()


def test_a_library_with_other_functions_is_refused(tmp_path: Path) -> None:
    session = _driver.Session(spec(tmp_path, path=libzmq_path(), abi="serverlink"))
    with pytest.raises(_driver.DriverError, match="lacks slk_ctx_new"):
        session.open()


def test_an_unknown_word_in_the_specification_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pattern cannot be pub-sub"):
        _driver.Session(spec(tmp_path) | {"pattern": "pub-sub"})


def test_a_peer_that_never_comes_is_a_failure(tmp_path: Path) -> None:
    import socket

    ours, theirs = socket.socketpair()
    values = spec(tmp_path, role="receiver", control_fd=ours.detach(), stall_ms=200)
    session = _driver.Session(values)
    session.open()
    with (
        theirs,
        pytest.raises(_driver.DriverError, match="READY has not come: no progress"),
    ):
        session.run()


def test_probe_tells_version_abi_and_patterns() -> None:
    found = _driver.probe(libzmq_path())
    assert found["abi"] == "zmq"
    assert found["patterns"] == list(Pattern)
