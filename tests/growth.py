"""Measure how the time of a piece of work grows with its size."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

__all__ = ["growth"]


def growth(make: Callable[[int], object], work: Callable[[object], object], size: int) -> float:
    """Return how many times as long a piece of work takes that is four times as large.

    That is about 4 if its time goes with its size, and 16 if it goes by the square of it. The
    shortest of several runs counts, since others use the machine too.

    Args:
        make: Makes what to work on, of a size.
        work: The work.
        size: The smaller size; the work is to take milliseconds.
    """
    small, large = make(size), make(4 * size)
    return min(_seconds(work, large) for _ in range(3)) / min(
        _seconds(work, small) for _ in range(5)
    )


def _seconds(work: Callable[[object], object], given: object) -> float:
    began = process_time()
    work(given)
    return max(process_time() - began, 1e-6)
