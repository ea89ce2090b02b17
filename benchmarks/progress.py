"""Report the progress of a benchmark while it runs.

A benchmark is a function `measure(settings, progress)` that yields a `Result` each time it
has found more. Each result contains everything found so far, so that nothing is lost if the
benchmark is stopped in between.

Its settings have `expected_seconds`: for each part that it will begin, in order, about how long
that part takes. Only their proportions matter, since the time left is scaled by what the parts
before have really taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, Protocol

from attrs import define, field

__all__ = ["Estimate", "Progress", "Silent"]

# Before this share of all, and this many seconds, any guess would be far from the truth.
_LEAST_SHARE: Final = 0.03
_LEAST_SECONDS: Final = 2.0

_MINUTE: Final = 60


class Progress(Protocol):
    """Receives the progress of a benchmark."""

    def begin(self, what: str, steps: float | None = None) -> None:
        """Begin another part with this number of steps; None if the number is unknown."""

    def advance(self, steps: float = 1) -> None:
        """Report that this many more steps of the part are done."""


class Silent:
    """A progress that shows nothing."""

    def begin(self, what: str, steps: float | None = None) -> None:
        """Do nothing."""

    def advance(self, steps: float = 1) -> None:
        """Do nothing."""


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@define
class Estimate:
    """How far a run is: "7 of 30", and the time left.

    Attributes:
        expected: The seconds that each part takes about, in order; empty if nothing is known.
        since: When the run began, in seconds.
    """

    expected: tuple[float, ...] = field(converter=_floats)
    since: float
    _number: int = field(default=0, init=False)
    _steps: float = field(default=0.0, init=False)
    _done: float = field(default=0.0, init=False)

    def begin(self, steps: float | None) -> None:
        """Begin the next part, with a number of steps or an unknown one."""
        self._number += 1
        self._steps = steps or 0.0
        self._done = 0.0

    def advance(self, steps: float) -> None:
        """Count steps of the part."""
        self._done += steps

    @property
    def place(self) -> str:
        """The number of the part among all: "7 of 30"; "" if nothing is known."""
        if not self.expected:
            return ""
        return f"{self._number} of {max(self._number, len(self.expected))}"

    def seconds_left(self, now: float) -> float | None:
        """Return the seconds left of the whole run; None if it is too early to tell."""
        before = sum(self.expected[: max(0, self._number - 1)])
        current = sum(self.expected[max(0, self._number - 1) : self._number])
        share = min(1.0, self._done / self._steps) if self._steps else 0.0
        done, whole = before + share * current, sum(self.expected)
        taken = now - self.since
        if not whole or done < _LEAST_SHARE * whole or taken < _LEAST_SECONDS:
            return None
        return taken / done * (whole - done)

    def words_left(self, now: float) -> str:
        """Return the time left in words: "about 4 min left"; "" if it is too early to tell."""
        seconds = self.seconds_left(now)
        if seconds is None:
            return ""
        if seconds < _MINUTE:
            return f"about {max(5, 5 * math.ceil(seconds / 5))} s left"
        return f"about {math.ceil(seconds / _MINUTE)} min left"
