"""Count things over a sliding span of time, in constant memory."""

from __future__ import annotations

import math
from array import array

__all__ = ["SlidingCounts"]

# Enough for a tenth of the span to be the most that is forgotten at once.
_SLICES = 10


class SlidingCounts:
    """Counts how often each of a few kinds of thing happened in the last `span` seconds.

    The span is cut into ten slices, which are forgotten one at a time; so the counts go back
    between nine tenths of the span and the whole of it.

    Args:
        span: Seconds.
        kinds: The number of kinds; a kind is an index from 0.
        now: The time, in seconds on any scale that only goes forward.
    """

    __slots__ = ("_kinds", "_offset", "_past", "_width", "edge", "recent")

    def __init__(self, span: float, kinds: int, now: float) -> None:
        self._width = span / _SLICES
        self._kinds = kinds
        # The slices that are over, one after another in a ring.
        self._past = array("I", [0]) * (kinds * (_SLICES - 1))
        self._offset = 0
        # The slice under way, and when it ends. Callers that count often add to it themselves,
        # after `advance` if its end has come.
        self.recent = [0] * kinds
        self.edge = now + self._width

    def add(self, kind: int, now: float) -> None:
        """Count one thing of a kind. A `now` that goes back counts where time had got to."""
        if now >= self.edge:
            self.advance(now)
        self.recent[kind] += 1

    def totals(self, now: float) -> list[int]:
        """Return how many of each kind there were."""
        self.advance(now)
        kinds = self._kinds
        return [sum(self._past[kind::kinds]) + self.recent[kind] for kind in range(kinds)]

    def advance(self, now: float) -> None:
        """Forget the slices that have left the span. To be called when `now` is past `edge`."""
        if now < self.edge:
            return
        steps = math.floor((now - self.edge) / self._width) + 1
        self.edge += steps * self._width
        for _ in range(min(steps, _SLICES)):
            for kind in range(self._kinds):
                self._past[self._offset + kind] = self.recent[kind]
                self.recent[kind] = 0
            self._offset = (self._offset + self._kinds) % len(self._past)

    def rebase(self, shift: float) -> None:
        """Move to another scale of time, which is `shift` seconds ahead of this one."""
        self.edge += shift
