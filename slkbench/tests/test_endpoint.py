"""The measured process, spoken to over its pipes, and the parts of its Python workload."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slkbench.driver._driver import Ledger, Payload
from slkbench.endpoint.spec import EndpointSpec

SPEC = EndpointSpec(
    role="both",
    layer="native",
    kind="floor",
    path="",
    abi="",
    pattern="push-pull",
    transport="inproc",
    metric="throughput",
    size_bytes=64,
    messages=1000,
    warmup=10,
    io_threads=1,
    sndhwm=1000,
    rcvhwm=1000,
    endpoint="inproc://test",
    stall_ms=20_000,
)


@contextmanager
def endpoint() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "slkbench.endpoint"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def talk(process: subprocess.Popen[str], *lines: str) -> list[dict[str, Any]]:
    out, _ = process.communicate("".join(f"{line}\n" for line in lines), timeout=60)
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("transport", ["tcp", "inproc"])
def test_a_specification_and_go_make_ready_and_a_result(transport: str) -> None:
    address = "tcp://127.0.0.1:*" if transport == "tcp" else "inproc://test"
    with endpoint() as process:
        spec = replace(SPEC, transport=transport, endpoint=address)
        ready, result = talk(process, spec.to_line(), "go")
    assert process.returncode == 0
    assert (ready["event"], result["event"]) == ("ready", "result")
    assert result["receiver"]["elapsed_ns"] > 0


@pytest.mark.parametrize(
    ("pattern", "metric"),
    list(itertools.product(("push-pull", "router-router"), ("throughput", "round-trip"))),
)
def test_the_python_layer_reports_like_the_native_one(pattern: str, metric: str) -> None:
    spec = replace(
        SPEC,
        layer="python",
        kind="module",
        path="zmq",
        pattern=pattern,
        metric=metric,
        transport="tcp",
        endpoint="tcp://127.0.0.1:*",
    )
    with endpoint() as process:
        ready, result = talk(process, spec.to_line(), "go")
    assert ready["library_version"].endswith(")")
    assert {"sender", "receiver", "max_rss_bytes"} <= set(result)
    timer = result["sender" if metric == "round-trip" else "receiver"]
    assert timer["elapsed_ns"] > 0
    assert timer["process"]["user_ns"] >= 0
    assert any(value == "1000" for value in result["options"].values())


@pytest.mark.parametrize(
    ("path", "variant", "pattern"),
    [
        ("serverlink", "batch", "push-pull"),
        ("serverlink", "batch", "router-router"),
        ("serverlink", "asyncio", "router-router"),
        ("zmq", "asyncio", "push-pull"),
    ],
)
def test_modules_are_used_in_other_ways(path: str, variant: str, pattern: str) -> None:
    spec = replace(SPEC, layer="python", kind="module", path=path, variant=variant, pattern=pattern)
    with endpoint() as process:
        _, result = talk(process, spec.to_line(), "go")
    assert result["receiver"]["elapsed_ns"] > 0


def test_a_binding_without_batches_says_so() -> None:
    spec = replace(SPEC, layer="python", kind="module", path="zmq", variant="batch")
    with endpoint() as process:
        (event,) = talk(process, spec.to_line())
    assert (event["event"], "batches" in event["reason"]) == ("unsupported", True)


def test_many_peers_are_not_for_the_python_layer() -> None:
    spec = replace(SPEC, layer="python", kind="module", path="zmq", senders=2)
    with endpoint() as process:
        (event,) = talk(process, spec.to_line())
    assert (event["event"], "native only" in event["reason"]) == ("unsupported", True)


def test_a_module_that_is_not_there_is_a_failure() -> None:
    spec = replace(SPEC, layer="python", kind="module", path="no_such_module")
    with endpoint() as process:
        (failed,) = talk(process, spec.to_line())
    assert failed["event"] == "failed"
    assert "cannot import no_such_module" in failed["reason"]
    assert process.returncode != 0


def test_a_library_that_is_not_there_is_a_failure() -> None:
    with endpoint() as process:
        (failed,) = talk(process, replace(SPEC, kind="library", path="/no/lib.so").to_line())
    assert failed["event"] == "failed"
    assert "/no/lib.so" in failed["reason"]


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"color":"red"}', "no json"])
def test_a_line_that_is_no_specification_is_refused(line: str) -> None:
    with endpoint() as process:
        assert talk(process, line) == []
    assert process.returncode == 2


def test_an_endpoint_whose_parent_is_gone_ends() -> None:
    orphan = replace(SPEC, parent_pid=os.getpid() + 1)
    with endpoint() as process:
        assert talk(process, orphan.to_line()) == []
    assert process.returncode == 125


def test_a_specification_survives_its_line() -> None:
    spec = replace(SPEC, sender_cpus=(0, 1), receiver_cpus=(1,), messages=5)
    assert EndpointSpec.from_line(spec.to_line()) == spec
    assert asdict(spec)["sender_cpus"] == (0, 1)
    assert spec.messages_sent == 10 + 1 + 5


def test_an_endpoint_imports_nothing_heavy() -> None:
    code = (
        "import sys, slkbench.endpoint.__main__;"
        "print([m for m in ('numpy', 'pandas', 'click', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"


SIZES = st.sampled_from([2, 7, 8, 15, 16, 23, 24, 100])


def sent(size_bytes: int, numbers: list[int]) -> list[bytes]:
    payload = Payload(size_bytes)
    return [bytes(payload.stamped(number)) for number in numbers]


def account(size_bytes: int, total: int, messages: list[bytes]) -> Ledger:
    ledger = Ledger(size_bytes, total)
    for message in messages:
        ledger.take(message)
    return ledger


@given(size_bytes=SIZES, total=st.integers(1, 60))
def test_all_messages_in_order_are_clean(size_bytes: int, total: int) -> None:
    ledger = account(size_bytes, total, sent(size_bytes, list(range(total))))
    assert ledger.is_clean
    assert (ledger.received, ledger.describe()) == (total, "")


@given(size_bytes=SIZES, lost=st.sets(st.integers(0, 48), min_size=1, max_size=20))
def test_what_is_lost_is_counted(size_bytes: int, lost: set[int]) -> None:
    numbers = [number for number in range(50) if number not in lost]
    ledger = account(size_bytes, 50, sent(size_bytes, numbers))
    words = f"lost {len(lost)} of 50 messages: first missing number {min(lost)}"
    assert not ledger.is_clean
    assert (ledger.describe(), ledger.received) == (words, len(numbers))


@given(size_bytes=SIZES, again=st.integers(0, 49))
def test_what_comes_again_is_a_duplicate(size_bytes: int, again: int) -> None:
    numbers = [*range(again + 1), again, *range(again + 1, 50)]
    ledger = account(size_bytes, 50, sent(size_bytes, numbers))
    assert ledger.describe() == f"duplicate: message {again} came again"


@given(size_bytes=SIZES, late=st.integers(0, 40), by=st.integers(1, 9))
def test_what_comes_late_is_reordered_and_not_lost(size_bytes: int, late: int, by: int) -> None:
    numbers = [
        *range(late),
        *range(late + 1, late + by + 1),
        late,
        *range(late + by + 1, 50),
    ]
    ledger = account(size_bytes, 50, sent(size_bytes, numbers))
    assert ledger.describe() == f"reordered: message {late} came late"


@given(
    size_bytes=st.integers(16, 100),
    number=st.integers(0, 49),
    end=st.booleans(),
    bit=st.integers(0, 7),
)
def test_a_changed_stamp_is_corrupt(size_bytes: int, number: int, end: bool, bit: int) -> None:
    messages = sent(size_bytes, list(range(50)))
    changed = bytearray(messages[number])
    changed[-1 if end and size_bytes >= 24 else 0] ^= 1 << bit
    messages[number] = bytes(changed)
    ledger = account(size_bytes, 50, messages)
    assert ledger.describe() == f"corrupt: message {number} does not carry what was sent"


@given(size_bytes=SIZES, number=st.integers(0, 49))
def test_a_cut_message_has_the_wrong_size(size_bytes: int, number: int) -> None:
    messages = sent(size_bytes, list(range(50)))
    messages[number] = messages[number][:-1]
    assert account(size_bytes, 50, messages).describe() == (
        f"wrong size: message {number} has {size_bytes - 1} bytes instead of {size_bytes}"
    )
