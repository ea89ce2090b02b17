"""Count what a server lets through, by the second, for the last minute."""

from __future__ import annotations

import math
from array import array
from typing import Final

__all__ = ["Grants"]

# Seconds that are kept, the one under way included.
_SECONDS: Final = 60


class Grants:
    """Counts the answers of a destination that were no refusals.

    A quiet destination has nothing else, so that counting has to be cheap: callers add to `recent`
    themselves, after `advance` if `edge` has come.

    Args:
        now: The time, in seconds on any scale.

    Attributes:
        recent: Answers in the second under way.
        edge: When that ends.
    """

    __slots__ = ("_begun", "_past", "_place", "edge", "recent")

    def __init__(self, now: float) -> None:
        self.recent = 0
        self.edge = now + 1.0
        self._begun = now
        # The seconds that are over, in a ring; `_place` is that of the oldest. None before the
        # first is over.
        self._past: array[int] | None = None
        self._place = 0

    def add(self, now: float) -> None:
        """Count an answer. A `now` that goes back counts where time had got to."""
        if now >= self.edge:
            self.advance(now)
        self.recent += 1

    def advance(self, now: float) -> None:
        """Go on to the second that `now` is in. To be called when `now` is past `edge`."""
        steps = math.floor(now - self.edge) + 1
        self.edge += steps
        if self._past is None:
            self._past = array("I", bytes(array("I").itemsize * (_SECONDS - 1)))
        for _ in range(min(steps, _SECONDS)):
            self._past[self._place] = self.recent
            self._place = (self._place + 1) % (_SECONDS - 1)
            self.recent = 0

    def spans(self, now: float) -> list[tuple[int, float]]:
        """Return how many answers there were in some recent times, and how long those are.

        They are the second under way, and the last ten and sixty seconds, as far as anything was
        counted then. A crowd that comes at once after an idle time is seen in the first, a steady
        rate in the second, and a window of a minute that was used up early in the third.
        """
        if now >= self.edge:
            self.advance(now)
        under_way = 1.0 - (self.edge - now)
        past = self._past or ()
        newest = [*past[self._place :], *past[: self._place]][::-1]
        age = now - self._begun
        return [(self.recent, 0.0)] + [
            (self.recent + sum(newest[: span - 1]), max(0.0, min(span - 1 + under_way, age)))
            for span in (10, _SECONDS)
        ]

    def rebase(self, shift: float) -> None:
        """Move to another scale of time, which is `shift` seconds ahead of this one."""
        self.edge += shift
        self._begun += shift
