"""Why a Python workload stopped. The native driver has ``DriverError`` and a subclass for these."""

__all__ = ["UnsupportedWorkloadError", "WorkloadFailedError"]


class WorkloadFailedError(Exception):
    """The library lost, repeated or changed messages, or stopped."""


class UnsupportedWorkloadError(Exception):
    """The library lacks what the workload needs."""
