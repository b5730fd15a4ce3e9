"""The native driver with many sockets: every message of every sender accounted, all served."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from slkbench.contenders import known_contenders
from slkbench.driver import _driver
from slkbench.endpoint.spec import EndpointSpec
from slkbench.model import Contender, Layer, Metric, Pattern, Transport

PEERS = 5
EVERYWHERE = list(itertools.product(Pattern, Transport))
ENDPOINTS = {"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://{}/socket", "inproc": "inproc://test"}


def libzmq_path() -> str:
    for name, layer, found in known_contenders():
        if (name, layer) == ("libzmq", Layer.NATIVE) and isinstance(found, Contender):
            return found.path
    pytest.skip("no libzmq")


def spec(tmp_path: Path, *, transport: str = "tcp", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "role": "both",
        "layer": "native",
        "kind": "library",
        "path": libzmq_path(),
        "abi": "",
        "pattern": "push-pull",
        "transport": transport,
        "metric": "throughput",
        "size_bytes": 64,
        "messages": 2000,
        "warmup": 100,
        "io_threads": 1,
        "sndhwm": 1000,
        "rcvhwm": 1000,
        "endpoint": ENDPOINTS[transport].format(tmp_path),
        "stall_ms": 5000,
    }
    return EndpointSpec(**(values | changes)).to_driver()


def result_of(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    session = _driver.Session(spec(tmp_path, **changes))
    session.open()
    result: dict[str, Any] = session.run()
    session.close()
    return result


@pytest.mark.parametrize(("pattern", "transport"), EVERYWHERE)
@pytest.mark.parametrize("size_bytes", [8, 16, 1024])
def test_several_senders_reach_one_receiver(
    tmp_path: Path, pattern: str, transport: str, size_bytes: int
) -> None:
    conditions = {"pattern": pattern, "transport": transport, "size_bytes": size_bytes}
    receiver = result_of(tmp_path, **conditions, senders=PEERS)["receiver"]
    assert receiver["elapsed_ns"] > 0
    assert 0 <= receiver["slowest_sender_share"] <= 1


@pytest.mark.parametrize(("pattern", "transport"), EVERYWHERE)
@pytest.mark.parametrize("size_bytes", [8, 16, 1024])
def test_one_sender_reaches_several_receivers(
    tmp_path: Path, pattern: str, transport: str, size_bytes: int
) -> None:
    conditions = {"pattern": pattern, "transport": transport, "size_bytes": size_bytes}
    receiver = result_of(tmp_path, **conditions, receivers=PEERS)["receiver"]
    assert receiver["elapsed_ns"] > 0
    assert "slowest_sender_share" not in receiver


@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("side", ["senders", "receivers"])
def test_small_queues_lose_nothing_and_let_everybody_through(
    tmp_path: Path, pattern: str, side: str
) -> None:
    result = result_of(tmp_path, pattern=pattern, sndhwm=1, rcvhwm=1, **{side: PEERS})
    assert result["receiver"].get("slowest_sender_share", 1) > 0


@pytest.mark.parametrize(("pattern", "transport"), EVERYWHERE)
def test_idle_peers_say_nothing_and_have_a_size(
    tmp_path: Path, pattern: str, transport: str
) -> None:
    # More than are connected at once, and than fit into memory that the process had to spare.
    result = result_of(tmp_path, pattern=pattern, transport=transport, idle_peers=400)
    assert result["sender"]["idle_peers_bytes"] > 0


def test_idle_peers_stand_beside_round_trips_and_several_senders(tmp_path: Path) -> None:
    trips = result_of(tmp_path, metric=Metric.ROUND_TRIP.value, messages=200, idle_peers=3)
    assert trips["sender"]["p50_ns"] > 0
    crowd = result_of(tmp_path, senders=PEERS, idle_peers=3)
    assert crowd["receiver"]["elapsed_ns"] > 0


@pytest.mark.parametrize(("pattern", "transport"), EVERYWHERE)
def test_a_given_rate_is_kept(tmp_path: Path, pattern: str, transport: str) -> None:
    conditions: dict[str, Any] = {"pattern": pattern, "transport": transport, "metric": "paced"}
    conditions |= {"messages": 1000, "offered_msgs_per_s": 4000, "stall_ms": 5000}
    result = None
    for _ in range(20):  # a machine that stops for 100 ms is no fault of the library
        with suppress(_driver.DriverError):
            result = result_of(tmp_path, **conditions)
            break
    assert result is not None
    sender = result["sender"]
    assert sender["elapsed_ns"] > 999 * 250_000
    assert 0 < sender["p50_ns"] <= sender["p90_ns"]
    assert "elapsed_ns" not in result["receiver"]


def test_a_rate_that_cannot_be_kept_is_a_failure(tmp_path: Path) -> None:
    values = spec(tmp_path, metric="paced", messages=400_000, stall_ms=2000)
    session = _driver.Session(values | {"offered_msgs_per_s": 100_000_000})
    session.open()
    with pytest.raises(_driver.DriverError, match="sender: saturated: "):
        session.run()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "paced", "kind": "floor"}, "spins where it waits"),
        ({"senders": 2, "receivers": 2}, "not both"),
        ({"senders": 2, "metric": "round-trip"}, "throughput only"),
        ({"senders": 2, "size_bytes": 7}, "8 bytes"),
        ({"receivers": 9, "messages": 5}, "fewer messages than peers"),
        ({"senders": 2, "kind": "floor"}, "the floor has one sender"),
    ],
)
def test_what_cannot_be_driven_is_said(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    session = _driver.Session(spec(tmp_path, **changes))
    with pytest.raises(_driver.DriverError, match=said):
        session.open()
