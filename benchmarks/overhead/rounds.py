"""Measure in interleaved rounds: each contender once per round, in random order.

A disturbance of the machine (another process, a lower frequency) then affects all contenders
alike. A figure is made of one ratio per round, against the baseline of the same round: their
median, and the quartiles as the spread.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from random import Random
from typing import TypeVar

from benchmarks.progress import Progress
from benchmarks.results import Figure, median_of

__all__ = ["Values", "added", "less", "measure_rounds", "median", "microseconds", "ratio"]

_T = TypeVar("_T")

# Measurements by contender, one per round.
Values = Mapping[str, list[float]]


def measure_rounds(
    contenders: Mapping[str, Callable[[], _T]], rounds: int, order: Random, progress: Progress
) -> Mapping[str, list[_T]]:
    """Return what each contender measured in each round.

    One more round comes first and does not count, since caches are cold in it. Garbage is
    collected between turns and not within them.

    Args:
        contenders: Functions that measure one turn, by name.
        rounds: The number of rounds that count.
        order: Draws the order of the turns.
        progress: Advanced after each round.
    """
    taken: dict[str, list[_T]] = {name: [] for name in contenders}
    names = list(contenders)
    gc.collect()
    was_frozen = gc.get_freeze_count()
    gc.freeze()  # existing objects need not be scanned between turns
    try:
        for number in range(rounds + 1):
            order.shuffle(names)
            for name in names:
                value = _turn(contenders[name])
                if number:
                    taken[name].append(value)
            progress.advance()
    finally:
        if not was_frozen:
            gc.unfreeze()
    return taken


def _turn(measure: Callable[[], _T]) -> _T:
    gc.collect()
    gc.disable()
    try:
        return measure()
    finally:
        gc.enable()


def ratio(taken: Values, name: str, base: str) -> Figure | None:
    """Return the ratio to the baseline of each round, as a figure; None of the baseline itself."""
    if name == base:
        return None
    pairs = zip(taken[name], taken[base], strict=True)
    return median_of(name, [value / of for value, of in pairs], unit="x")


def added(taken: Values, name: str, base: str) -> Figure:
    """Return the difference from the baseline of each round, seconds shown as microseconds."""
    pairs = zip(taken[name], taken[base], strict=True)
    return median_of(name, [(value - of) * 1e6 for value, of in pairs], unit="us")


def less(taken: Values, name: str, other: str, base: str) -> Figure | None:
    """Return the ratio to a baseline less that of another, of each round; None of the other."""
    if name == other:
        return None
    rounds = zip(taken[name], taken[other], taken[base], strict=True)
    return median_of(name, [(value - reference) / of for value, reference, of in rounds])


def microseconds(taken: Values, name: str) -> Figure:
    """Return measurements in seconds as a figure in microseconds."""
    return median_of(name, [value * 1e6 for value in taken[name]], unit="us")


def median(taken: Values, name: str, unit: str) -> Figure:
    """Return the measurements themselves as a figure."""
    return median_of(name, taken[name], unit=unit)
