"""How many descriptors a measured process may have, against how many its sockets take."""

from __future__ import annotations

import resource

from slkbench.endpoint.failure import UnsupportedWorkloadError
from slkbench.endpoint.spec import EndpointSpec

__all__ = ["raise_file_limit"]

_USUAL = 128  # Python, the library's threads, listeners, the pipes to the runner
# A socket takes a connection and, in most libraries, a descriptor to be woken by.
_PER_SOCKET = 2


def raise_file_limit(spec: EndpointSpec) -> None:
    """Raise the limit as far as it goes.

    UnsupportedWorkloadError if that is not far enough, whatever the contender.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    peers = spec.senders + spec.receivers + spec.idle_peers
    if peers <= 2:  # one of each, which any limit allows
        return
    roles = 2 if spec.role == "both" else 1  # both ends of a connection are here
    needed = _USUAL + _PER_SOCKET * peers * roles
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UnsupportedWorkloadError(
            f"{peers} sockets may need {needed} descriptors, and this process may have {hard} "
            "(ulimit -Hn)"
        )
