"""Every error that slkbench raises on purpose.

::

    SlkbenchError                 exit code 1: something unexpected that we can name
    ├── UsageError                exit code 2: a bad argument, scenario or file; says how to mend it
    │   ├── ScenarioError
    │   ├── ContenderError        a library that is missing, foreign or lacks a function
    │   └── StoreError            a damaged, foreign or newer result file
    ├── ContenderFailedError      exit code 4: a contender crashed, hung, lost or corrupted messages
    ├── ParityError               exit code 5: contenders did not run under the same conditions
    ├── TimeLimitError            exit code 124
    └── InterruptedRunError       exit code 130: what was measured is kept

``cli/`` alone turns these into output and an exit code.  This module imports nothing.
"""

__all__ = [
    "ContenderError",
    "ContenderFailedError",
    "InterruptedRunError",
    "ParityError",
    "ScenarioError",
    "SlkbenchError",
    "StoreError",
    "TimeLimitError",
    "UsageError",
]


class SlkbenchError(Exception):
    """Base of all. ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(SlkbenchError):
    """The caller's input is wrong; the message names the value, what is allowed and the remedy."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario file cannot be read as one."""


class ContenderError(UsageError):
    """A contender cannot be loaded, or is not what it was said to be."""


class StoreError(UsageError):
    """A stored run is damaged, foreign or of a version that this slkbench does not read."""


class ContenderFailedError(SlkbenchError):
    """A contender crashed, hung, or lost, repeated, reordered or corrupted messages."""

    exit_code = 4


class ParityError(SlkbenchError):
    """The contenders did not run under the same conditions."""

    exit_code = 5


class TimeLimitError(SlkbenchError):
    """A time limit that the user set has passed."""

    exit_code = 124


class InterruptedRunError(SlkbenchError):
    """The user stopped the run; everything measured so far is stored."""

    exit_code = 130
