"""Interleaved rounds: each contender once a round, in an order that changes.

What happens to the machine while it measures (another process, a frequency that goes down)
then happens to all of them. A figure is made of one ratio for each round, against the
baseline of the same round: their median, and the quartiles as the spread.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from random import Random
from typing import TypeVar

from benchmarks.progress import Progress
from benchmarks.results import Figure, median_of

__all__ = ["Values", "added", "measure_rounds", "median", "ratio"]

_T = TypeVar("_T")

# What each took, by round.
Values = Mapping[str, list[float]]


def measure_rounds(
    contenders: Mapping[str, Callable[[], _T]], rounds: int, order: Random, progress: Progress
) -> Mapping[str, list[_T]]:
    """What each contender says of its turn, in each of so many rounds.

    One more round comes before those, and does not count: caches are cold in it. Garbage is
    collected between turns, not within them.
    """
    taken: dict[str, list[_T]] = {name: [] for name in contenders}
    names = list(contenders)
    gc.collect()
    gc.freeze()  # what is there already need not be looked through between turns
    try:
        for number in range(rounds + 1):
            order.shuffle(names)
            for name in names:
                value = _turn(contenders[name])
                if number:
                    taken[name].append(value)
            progress.advance()
    finally:
        gc.unfreeze()
    return taken


def _turn(measure: Callable[[], _T]) -> _T:
    gc.collect()
    gc.disable()
    try:
        return measure()
    finally:
        gc.enable()


def ratio(taken: Values, name: str, base: str) -> Figure:
    """How many times what the baseline took."""
    pairs = zip(taken[name], taken[base], strict=True)
    return median_of(name, [value / of for value, of in pairs], unit="x")


def added(taken: Values, name: str, base: str) -> Figure:
    """How much more than the baseline, for what was taken in seconds; in microseconds."""
    pairs = zip(taken[name], taken[base], strict=True)
    return median_of(name, [(value - of) * 1e6 for value, of in pairs], unit="us")


def median(taken: Values, name: str, unit: str) -> Figure:
    """What it took, as it is."""
    return median_of(name, taken[name], unit=unit)
