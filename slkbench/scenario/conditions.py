"""Which conditions of a cell go together."""

from __future__ import annotations

from slkbench.errors import UsageError
from slkbench.model import Cell, Metric

__all__ = ["check_conditions"]

# A message of one of several peers says whose it is.
_SMALLEST_WITH_PEERS_BYTES = 8


def check_conditions(cell: Cell) -> None:
    """UsageError for conditions that exclude each other; it says what to change."""
    _check_rate(cell)
    if cell.senders == 1 and cell.receivers == 1:
        return
    if cell.senders > 1 and cell.receivers > 1:
        raise UsageError(
            f"{cell.title!r} has several senders and several receivers. Make one of them 1."
        )
    if cell.receivers > 1 and cell.idle_peers > 0:
        raise UsageError(
            f"{cell.title!r} has idle peers of several receivers. Use them with one receiver."
        )
    if cell.metric is not Metric.THROUGHPUT:
        raise UsageError(
            f"{cell.title!r}: several senders or receivers have throughput only. Leave the "
            "metric away, or make both 1."
        )
    if cell.size_bytes < _SMALLEST_WITH_PEERS_BYTES:
        raise UsageError(
            f"{cell.title!r}: with several senders or receivers a message says whose it is. "
            f"Use a size of {_SMALLEST_WITH_PEERS_BYTES} bytes or more."
        )
    peers = max(cell.senders, cell.receivers)
    if cell.messages is not None and cell.messages < peers:
        raise UsageError(
            f"{cell.title!r} has {cell.messages} messages for {peers} peers. Use more messages."
        )


def _check_rate(cell: Cell) -> None:
    is_paced = cell.metric is Metric.PACED
    has_rate = cell.offered_msgs_per_s > 0 or cell.offered_share is not None
    if is_paced and not has_rate:
        raise UsageError(
            f"{cell.title!r} has no rate. Say how many messages per second are sent: "
            'rate = "10k", or --rate 10k; or a share of what the slowest sustains, as 50%.'
        )
    if not is_paced and has_rate:
        raise UsageError(
            f"{cell.title!r} has a rate, which is for the metric paced. Leave it away, or put "
            "the other metrics in cells of their own."
        )
