"""One measured process. Reads a specification, says READY, waits for go, measures, reports.

Events are lines of JSON on stdout: ``ready`` (endpoint, options, library_version), then
``result``, or ``failed``, ``unsupported`` or ``saturated`` with a reason; bytes are base64.  After
a failure the process ends at once, without closing sockets: a library that misbehaved may never
come back from that.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn, Protocol

from slkbench.driver import _driver
from slkbench.endpoint.event_line import EventLine, EventLineClosedError
from slkbench.endpoint.failure import UnsupportedWorkloadError, WorkloadFailedError
from slkbench.endpoint.file_limit import raise_file_limit
from slkbench.endpoint.memory_limit import limit_memory
from slkbench.endpoint.spec import EXIT_UNHEARD, EndpointSpec
from slkbench.endpoint.watch import live_under_watch

EXIT_FAILED = 4
EXIT_MISUSED = 2


class Session(Protocol):
    """What the native and the Python workload have in common."""

    @property
    def endpoint(self) -> str:
        """Where the other process connects."""
        ...

    @property
    def options(self) -> dict[str, str]:
        """The socket options, read back."""
        ...

    @property
    def version(self) -> str:
        """What the library says of itself."""
        ...

    def open(self) -> None:
        """Make the sockets, and connect."""
        ...

    def run(self) -> dict[str, Any]:
        """Do the timed work; the columns of a sample."""
        ...

    def close(self) -> None:
        """Close what was opened."""
        ...


def _end(line: EventLine, event: str, reason: str) -> NoReturn:
    try:
        line.tell(event, reason=reason)
    except (EventLineClosedError, OSError):
        os._exit(EXIT_UNHEARD)
    os._exit(EXIT_FAILED)


def _make_session(spec: EndpointSpec) -> Session:
    raise_file_limit(spec)
    if spec.layer == "native":
        native: Session = _driver.Session(spec.to_driver())
        return native
    if spec.metric == "paced" or spec.senders + spec.receivers + spec.idle_peers > 2:
        raise UnsupportedWorkloadError("many peers and a given rate are on layer native only")
    from slkbench.endpoint.python_workload import PythonSession

    return PythonSession(spec)


def _measure(session: Session, line: EventLine) -> None:
    session.open()
    line.tell(
        "ready",
        endpoint=session.endpoint,
        options=session.options,
        library_version=session.version,
    )
    if sys.stdin.readline().strip() != "go":
        os._exit(EXIT_MISUSED)
    result = session.run()
    # Options of connections are known only now, where they differ at all.
    line.tell("result", options=session.options, **result)
    session.close()


def main() -> None:
    """Run one endpoint; see the module's description."""
    try:
        spec = EndpointSpec.from_line(sys.stdin.readline())
    except (TypeError, ValueError) as error:
        sys.stderr.write(f"slkbench.endpoint: {error}\n")
        sys.exit(EXIT_MISUSED)
    if spec.parent_pid:
        live_under_watch(spec.parent_pid)
    limit_memory(spec.memory_bytes)
    line = EventLine()
    try:
        _measure(_make_session(spec), line)
    except EventLineClosedError:
        os._exit(EXIT_UNHEARD)
    except (_driver.UnsupportedError, UnsupportedWorkloadError) as error:
        _end(line, "unsupported", str(error))
    except _driver.SaturatedError as error:
        _end(line, "saturated", str(error))
    except (_driver.DriverError, WorkloadFailedError) as error:
        _end(line, "failed", str(error))
    except Exception as error:  # noqa: BLE001  the library's own or a fault here: told either way
        _end(line, "failed", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
