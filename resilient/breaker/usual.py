"""Learn what is usual while nothing is wrong: how long answers take, and how many are asked for.

After an outage the circuit lets traffic back in at its usual rate, and it takes a probe that
has not failed for good news only as compared with the usual latency.
"""

from __future__ import annotations

__all__ = ["EVERY", "Usual"]

# A success is looked at every so many seconds: the others cost nothing.
EVERY = 1.0

# A shorter span says little of a rate; in a longer one traffic may have paused.
_SHORTEST, _LONGEST = 1.0, 10.0

# The weights of the latest look.
_LATENCY_WEIGHT, _RATE_WEIGHT = 0.2, 0.3


class Usual:
    """Knows the usual latency and rate of a destination.

    Attributes:
        latency: Mean seconds of a success; None before there was one.
        rate: Attempts per second; None if nothing is known.
    """

    __slots__ = ("_marked", "_marked_at", "latency", "rate")

    def __init__(self) -> None:
        self.latency: float | None = None
        self.rate: float | None = None
        self._marked: int | None = None
        self._marked_at = 0.0

    def took(self, duration: float) -> None:
        """Take in how long a success took, in seconds."""
        if self.latency is None:
            self.latency = duration
        else:
            self.latency += _LATENCY_WEIGHT * (duration - self.latency)

    def count(self, sent: int, now: float) -> None:
        """Take in how many attempts have been sent until now, while nothing is wrong."""
        if self._marked is not None:
            span = now - self._marked_at
            if 0 <= span < _SHORTEST:
                return
            if _SHORTEST <= span <= _LONGEST:
                rate = (sent - self._marked) / span
                known = self.rate
                self.rate = rate if known is None else known + _RATE_WEIGHT * (rate - known)
        self._marked, self._marked_at = sent, now

    def pause(self) -> None:
        """Forget where counting began: what comes now is not usual."""
        self._marked = None

    def rebase(self, shift: float) -> None:
        """Move stored times to another scale."""
        self._marked_at += shift
