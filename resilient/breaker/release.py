"""Let traffic back in after an outage, at a pace.

Thousands of callers may wait by then, and the server has just come back: without a pace it gets
in one moment all that it missed. So attempts leave at least 1/R apart, where R is 1.25 times the
usual rate, and at least 12.5 a second. At a latency of 0.3 s the most in 0.2 s is then 2.1 times
the usual rate, without the pace 7.7 times.

Where more is asked for than was usual, callers would wait in vain for ever: the usual rate is no
longer what it was. So from 30 s on the pace grows by a third a second, until nobody waits.

A server that was hanging is busy with work that nobody waits for any more. If most failures
were time-outs, the pace begins at a fifth of the usual rate and grows to all of it.
"""

from __future__ import annotations

__all__ = ["Release"]

# A pace that is a little quicker than what comes in, so that a queue grows shorter.
_SPEED_UP = 1.25

# Slower would be felt, and is of no use to any server.
_LEAST = 10.0

# Of a pace that begins gently: the share at first, and when it may be as quick as any other.
_GENTLE_SHARE, _GENTLE_UNTIL = 0.2, 15.0

# When the pace begins to grow, and by what each second; the bound is for the power.
_GROWS_AFTER, _GROWTH, _GROWS_FOR = 30.0, 1.35, 60.0

# The seconds of missed turns that are made up for, since timers are late by some milliseconds.
_MADE_UP = 0.05


class Release:
    """Gives turns at a pace.

    Args:
        usual: Attempts per second that are usual.
        now: The time, in seconds.
        gentle_for: Seconds in which the pace grows to the usual one; 0 for at once.
    """

    __slots__ = ("_before", "_began", "_gentle_for", "_next", "_usual")

    def __init__(self, usual: float, now: float, gentle_for: float) -> None:
        self._usual = max(usual, _LEAST)
        self._began = now
        self._gentle_for = gentle_for
        self._next = self._before = now

    def rate(self, now: float) -> float:
        """Return the attempts per second that may leave now."""
        age = now - self._began
        if self._gentle_for and age < _GENTLE_UNTIL:
            return self._usual * min(1.0, _GENTLE_SHARE + age / self._gentle_for)
        rate = self._usual * _SPEED_UP
        if age > _GROWS_AFTER:
            rate *= _GROWTH ** min(age - _GROWS_AFTER, _GROWS_FOR)
        return rate

    def take_turn(self, now: float) -> bool:
        """Take a turn; return False if it is too early."""
        if now < self._next:
            return False
        self._before = self._next
        self._next = max(now - _MADE_UP, self._next) + 1 / self.rate(now)
        return True

    def give_back(self) -> None:
        """Give the last turn back, which nobody used."""
        self._next = self._before

    def turn_at(self, waiting: int, now: float) -> float:
        """Return when whoever has so many others before it may have its turn."""
        return max(now, self._next) + waiting / self.rate(now)

    def rebase(self, shift: float) -> None:
        """Move stored times to another scale."""
        self._began += shift
        self._next += shift
        self._before += shift
