"""Laws of noise in ln t, slot by slot of a block, to try the verdicts on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LAWS", "Array", "Law", "Places"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]
_SD = 0.03


@dataclass(frozen=True, slots=True)
class Law:
    """``of_machine`` is what happens to whatever runs: trials x blocks x slots, in their order.

    ``of_contender`` comes on top of it where the contender runs.  ``modes`` are those of processes,
    None where that depends on how long one looks.  ``of_strangers`` comes on top of the machine's
    as well: what it adds to whatever runs, and what is seen of it at the cores of both roles, which
    is an axis more.
    """

    name: str
    of_machine: Callable[[np.random.Generator, tuple[int, int, int]], Array]
    of_contender: Callable[[np.random.Generator, tuple[int, int, int]], Array] | None = None
    modes: int | None = 1
    of_strangers: (
        Callable[[np.random.Generator, tuple[int, int, int]], tuple[Array, Array]] | None
    ) = None


def _normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.normal(0.0, _SD, shape)


def _heavy_tails(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.standard_t(2, shape) * _SD


def _skewed(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.exponential(_SD, shape)


def _drift(generator: np.random.Generator, shape: tuple[int, int, int]) -> Array:
    """A machine that slows by 30 % over 32 blocks, and wanders besides."""
    trials, blocks, slots = shape
    steps = generator.normal(0.0, 0.01, (trials, blocks * slots)).cumsum(axis=1)
    trend = np.linspace(0.0, 0.3 * blocks / 32, blocks * slots)
    return (steps + trend).reshape(shape) + _normal(generator, shape)


def _bimodal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Each process is in one of two ways, one of which takes a fifth longer, in 3 of 10 cases."""
    return _normal(generator, shape) / 3 + 0.18 * (generator.random(shape) < 0.3)


def _autocorrelated(generator: np.random.Generator, shape: tuple[int, int, int]) -> Array:
    """Each slot keeps nine tenths of what befell the one before."""
    trials, blocks, slots = shape
    shocks = generator.normal(0.0, _SD, (trials, blocks * slots))
    values = np.zeros_like(shocks)
    values[:, 0] = shocks[:, 0]
    for place in range(1, blocks * slots):
        values[:, place] = 0.9 * values[:, place - 1] + shocks[:, place]
    return values.reshape(shape)


def _bursts(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """One slot in twelve is hit by something that the machine does besides."""
    hit = generator.random(shape) < 1 / 12
    return _normal(generator, shape) + hit * generator.exponential(0.4, shape)


def _switches(generator: np.random.Generator, shape: tuple[int, int, int]) -> Array:
    """A host that moves the CPUs apart, for a dozen slots or so, in which all takes 2.7 times."""
    trials, blocks, slots = shape
    chances = generator.random((trials, blocks * slots))
    is_apart = np.zeros(chances.shape, dtype=bool)
    is_apart[:, 0] = chances[:, 0] < 1 / 4
    for place in range(1, blocks * slots):
        before = is_apart[:, place - 1]
        is_apart[:, place] = before ^ (chances[:, place] < np.where(before, 1 / 12, 1 / 36))
    return is_apart.reshape(shape) + _normal(generator, shape)


def _tcp(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """What processes differ by where four threads have two CPUs."""
    return 6 * _normal(generator, shape)


def _shared_cores(generator: np.random.Generator, shape: tuple[int, int, int]) -> Array:
    """How much longer arithmetic takes at each of the two cores, in ln.

    It is up to twice as long while strangers are there, for a share of a slot that is much like
    that of the slot before.
    """
    trials, blocks, slots = shape
    shocks = generator.normal(0.0, 1.0, (trials, blocks * slots, 2))
    states = np.empty_like(shocks)
    states[:, 0] = shocks[:, 0]
    for place in range(1, blocks * slots):
        states[:, place] = 0.6 * states[:, place - 1] + 0.8 * shocks[:, place]
    shares = np.clip(0.3 + 0.35 * states, 0.0, 1.0)
    return np.log1p(shares).reshape(*shape, 2)


def _seen(generator: np.random.Generator, slowed: Array) -> Array:
    return slowed + generator.normal(0.0, 0.01, slowed.shape)


def _strangers(generator: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """A stream that is as slow as its sender's core."""
    slowed = _shared_cores(generator, shape)
    return slowed[..., 0], _seen(generator, slowed)


def _harmless_strangers(
    generator: np.random.Generator, shape: tuple[int, int, int]
) -> tuple[Array, Array]:
    return np.zeros(shape), _seen(generator, _shared_cores(generator, shape))


LAWS = (
    Law("normal, sd 3 %", _normal),
    Law("heavy tails (Student's t, 2 d.f.)", _heavy_tails),
    Law("skewed (exponential)", _skewed),
    Law("drift of 30 % and a random walk", _drift),
    Law("two modes of processes, 18 % apart", _bimodal, modes=2),
    Law("autocorrelated (0.9 from slot to slot)", _autocorrelated),
    Law("bursts in 1 slot of 12", _bursts),
    Law("a host that switches, 2.7 times as slow", _switches, modes=None),
    Law("normal, sd 18 %", _tcp),
    Law("two modes of the contender alone", _normal, _bimodal, modes=None),
    Law("strangers on the sender's core", _normal, modes=None, of_strangers=_strangers),
    Law("strangers that do not matter", _normal, modes=None, of_strangers=_harmless_strangers),
)
