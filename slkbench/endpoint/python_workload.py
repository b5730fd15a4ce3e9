"""The workloads of the native driver as Python loops, one loop for all bindings.

Messages are stamped and accounted for by the driver, too, so that a loop has little of its own.
As there: warm-up messages, a pause until they have arrived, one message that starts the clock,
then the timed ones.  The two roles keep step over a socket pair, outside the library.
"""

from __future__ import annotations

import importlib
import os
import resource
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from slkbench.driver._driver import Ledger, Payload
from slkbench.endpoint.failure import WorkloadFailedError
from slkbench.endpoint.library_module import load_module, version_of
from slkbench.endpoint.python_link import PythonLink, make_link
from slkbench.endpoint.spec import EndpointSpec

__all__ = ["PythonSession"]

_IN_PLACE, _WARMED_UP, _ALL_HERE, _GIVEN_UP = b"P", b"W", b"D", b"F"
# A percentile is given where 100 round trips or more lie above it.
_PERCENTILES = (("p50_ns", 500, 1), ("p90_ns", 900, 1000))
_TAIL_PERCENTILES = (("p99_ns", 990, 10_000), ("p999_ns", 999, 100_000))

Report = dict[str, Any]


class PythonSession:
    """What one measured process does, from its sockets to its counters."""

    def __init__(self, spec: EndpointSpec) -> None:
        self._spec = spec
        self._module: Any = None
        self._contexts: list[Any] = []
        self._links: dict[str, PythonLink] = {}
        self.endpoint = spec.endpoint

    @property
    def options(self) -> dict[str, str]:
        """Options read back, by role."""
        return {
            f"{role}.{name}": value
            for role, link in self._links.items()
            for name, value in link.options().items()
        }

    @property
    def version(self) -> str:
        """What the module says of itself."""
        return version_of(self._module)

    def open(self) -> None:
        """Make, bind and connect the sockets."""
        try:
            self._module = load_module(self._spec.path)
        except ImportError as error:
            raise WorkloadFailedError(f"cannot import {self._spec.path}: {error}") from error
        roles = ("receiver", "sender") if self._spec.role == "both" else (self._spec.role,)
        for role in roles:
            link = make_link(self._module, self._context(), self._spec, role)
            self._links[role] = link
            self.endpoint = link.open(self.endpoint)

    def _context(self) -> Any:
        """A context for each role, one for both where the transport is inproc."""
        maker = self._module
        if self._spec.variant in ("asyncio", "uvloop"):
            maker = importlib.import_module(f"{self._module.__name__}.asyncio")
        if self._spec.transport != "inproc" or not self._contexts:
            self._contexts.append(maker.Context(self._spec.io_threads))
        return self._contexts[-1]

    def run(self) -> Report:
        """Measure; WorkloadFailedError if a message was not accounted for."""
        if self._spec.role == "both":
            reports = self._run_both()
        else:
            with socket.socket(fileno=self._spec.control_fd) as line:
                role = _Role(self._spec, self._spec.role, self._links[self._spec.role], line)
                role.run()
            reports = _reports_of([role])
        return {**reports, "max_rss_bytes": _max_rss_bytes()}

    def _run_both(self) -> Report:
        lines = socket.socketpair()
        with lines[0], lines[1]:
            roles = [
                _Role(self._spec, name, self._links[name], line)
                for name, line in zip(("receiver", "sender"), lines, strict=True)
            ]
            threads = [threading.Thread(target=role.run) for role in roles]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return _reports_of(roles)

    def close(self) -> None:
        """Close sockets and contexts."""
        for link in self._links.values():
            link.close()
        for context in self._contexts:
            context.term()


class _Role:
    """One application thread of the workload."""

    def __init__(
        self, spec: EndpointSpec, name: str, link: PythonLink, line: socket.socket
    ) -> None:
        self.name = name
        self.problem = ""
        self.report: Report = {}
        self._spec = spec
        self._link = link
        self._line = line
        self._line.settimeout(spec.limit_ms / 1000)

    def run(self) -> None:
        """Run the loop that belongs to the role; ``problem`` says why it stopped early."""
        try:
            cpus: Sequence[int] = getattr(self._spec, f"{self.name}_cpus")
            if cpus:
                os.sched_setaffinity(0, cpus)  # of this thread alone
            self._link.handshake()
            kind = "trips" if self._spec.metric == "round-trip" else "stream"
            getattr(self, f"_{'send' if self.name == 'sender' else 'receive'}_{kind}")()
        except Exception as error:  # noqa: BLE001  whatever a binding raises is the reason
            self.problem = str(error) or type(error).__name__
            with suppress(OSError):
                self._line.send(_GIVEN_UP)

    def _await(self, wanted: bytes, what: str) -> None:
        try:
            got = self._line.recv(1)
        except TimeoutError:
            raise WorkloadFailedError(f"the other role did not {what} in time") from None
        if got != wanted:
            raise WorkloadFailedError("the other role has failed")

    def _send_range(self, payload: Payload, begin: int, end: int) -> None:
        stamps = self._link.stamps(payload, begin, end)
        try:
            self._link.send_all(stamps)
        except Exception as error:
            raise WorkloadFailedError(
                f"sent {max(stamps.number, 0)} messages, then {error}"
            ) from error

    def _receive_until(self, ledger: Ledger, end: int) -> None:
        try:
            self._link.receive_until(ledger, end)
        except Exception as error:
            raise WorkloadFailedError(self._stopped(ledger, error)) from error

    def _stopped(self, ledger: Ledger, error: Exception) -> str:
        sent = self._spec.messages_sent
        stop = f"received {ledger.received} of {sent} messages, then {error}"
        return "; ".join(filter(None, (ledger.describe(), stop)))

    def _send_stream(self) -> None:
        payload = Payload(self._spec.size_bytes)
        self._await(_IN_PLACE, "be in place")
        self._send_range(payload, 0, self._spec.warmup)
        self._await(_WARMED_UP, "take the warm-up messages")
        meter = _UsageMeter()
        self._send_range(payload, self._spec.warmup, self._spec.messages_sent)
        self._await(_ALL_HERE, "account for all messages")
        self.report = meter.read()

    def _receive_stream(self) -> None:
        ledger = Ledger(self._spec.size_bytes, self._spec.messages_sent)
        self._line.send(_IN_PLACE)
        try:
            self._receive_until(ledger, self._spec.warmup)
        except WorkloadFailedError:
            if ledger.next == 0:
                raise
            # The last ones may be lost: what follows shows how many.
        self._line.send(_WARMED_UP)
        self._receive_until(ledger, self._spec.warmup + 1)
        meter = _UsageMeter()
        begin_ns = time.monotonic_ns()
        self._receive_until(ledger, self._spec.messages_sent)
        elapsed_ns = time.monotonic_ns() - begin_ns
        self.report = {**meter.read(), "elapsed_ns": elapsed_ns}
        surplus = self._link.receive_now()
        if surplus is not None:
            ledger.take(surplus)
        self._settle(ledger)

    def _settle(self, ledger: Ledger) -> None:
        if not ledger.is_clean:
            raise WorkloadFailedError(ledger.describe())
        self._line.send(_ALL_HERE)

    def _send_trips(self) -> None:
        payload = Payload(self._spec.size_bytes)
        ledger = Ledger(self._spec.size_bytes, self._spec.messages_sent)
        stamps_ns = [0] * (self._spec.messages + 1)
        self._await(_IN_PLACE, "be in place")
        first = self._spec.warmup
        meter = _UsageMeter()
        for number in range(self._spec.messages_sent):
            self._send_range(payload, number, number + 1)
            self._receive_until(ledger, number + 1)
            if number >= first:
                if number == first:
                    meter = _UsageMeter()
                stamps_ns[number - first] = time.monotonic_ns()
        self.report = {**meter.read(), "elapsed_ns": stamps_ns[-1] - stamps_ns[0]}
        trips_ns = sorted(end - begin for begin, end in pairwise(stamps_ns))
        for name, per_mille, needed in (*_PERCENTILES, *_TAIL_PERCENTILES):
            if len(trips_ns) >= needed:
                # nearest rank: the smallest value that so many do not exceed
                self.report[name] = trips_ns[-(-len(trips_ns) * per_mille // 1000) - 1]
        if not ledger.is_clean:
            raise WorkloadFailedError(ledger.describe())
        self._await(_ALL_HERE, "account for all messages")

    def _receive_trips(self) -> None:
        ledger = Ledger(self._spec.size_bytes, self._spec.messages_sent)
        self._line.send(_IN_PLACE)
        meter = _UsageMeter()
        while ledger.next < self._spec.messages_sent:
            try:
                data = self._link.receive()
                ledger.take(data)
                self._link.send(data)
            except Exception as error:
                raise WorkloadFailedError(self._stopped(ledger, error)) from error
            if ledger.next == self._spec.warmup + 1:
                meter = _UsageMeter()
        self.report = meter.read()
        self._settle(ledger)


def _reports_of(roles: Sequence[_Role]) -> Report:
    """The reports of roles that came through; WorkloadFailedError says who did not, and why."""
    failed = [role for role in roles if role.problem]
    own = [role for role in failed if not role.problem.startswith("the other role")] or failed
    if own:
        raise WorkloadFailedError(
            own[0].problem
            if len(roles) == 1
            else "; ".join(f"{role.name}: {role.problem}" for role in own)
        )
    return {role.name: role.report for role in roles}


class _UsageMeter:
    """CPU time and context switches since creation, of this thread and of the process."""

    def __init__(self) -> None:
        self._process = _usage(resource.RUSAGE_SELF)
        self._thread = _usage(resource.RUSAGE_THREAD)

    def read(self) -> Report:
        thread, process = _usage(resource.RUSAGE_THREAD), _usage(resource.RUSAGE_SELF)
        return {
            "thread": {name: thread[name] - self._thread[name] for name in thread},
            "process": {name: process[name] - self._process[name] for name in process},
        }


def _usage(who: int) -> dict[str, int]:
    used = resource.getrusage(who)
    return {
        "user_ns": round(used.ru_utime * 1e9),
        "system_ns": round(used.ru_stime * 1e9),
        "voluntary_switches": used.ru_nvcsw,
        "involuntary_switches": used.ru_nivcsw,
    }


def _max_rss_bytes() -> int:
    """Since exec; getrusage would begin with the size of the process that forked."""
    with Path("/proc/self/status").open() as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
