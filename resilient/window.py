"""Counts over a sliding span of time, in constant memory."""

from __future__ import annotations

import math
from array import array

__all__ = ["SlidingCounts"]

# Enough for a tenth of the span to be the most that is forgotten at once.
_SLICES = 10


class SlidingCounts:
    """How often each of a few kinds of thing happened in the last `span` seconds.

    The span is cut into ten slices, which are forgotten one at a time; so what is counted
    goes back between nine tenths of the span and the whole of it.
    """

    __slots__ = ("_counts", "_kinds", "_offset", "_width", "edge", "totals")

    def __init__(self, span: float, kinds: int, now: float) -> None:
        self._width = span / _SLICES
        self._kinds = kinds
        self._counts = array("I", [0]) * (kinds * _SLICES)
        self._offset = 0
        # When the slice under way ends.
        self.edge = now + self._width
        self.totals = [0] * kinds

    def add(self, kind: int, now: float) -> None:
        """Count one thing of a kind. A `now` that goes back counts where time had got to."""
        if now >= self.edge:
            self.advance(now)
        self._counts[self._offset + kind] += 1
        self.totals[kind] += 1

    def advance(self, now: float) -> None:
        """Forget what is over; `totals` is exact for `now` after this."""
        if now < self.edge:
            return
        steps = math.floor((now - self.edge) / self._width) + 1
        self.edge += steps * self._width
        for _ in range(min(steps, _SLICES)):
            self._offset = (self._offset + self._kinds) % len(self._counts)
            for kind in range(self._kinds):
                self.totals[kind] -= self._counts[self._offset + kind]
                self._counts[self._offset + kind] = 0
