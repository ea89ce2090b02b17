"""A declared limit: "300/min", kept from the first call on.

Two ways to keep it:

- `Pace` (GCRA, the generic cell rate algorithm, a leaky bucket as a single time): calls leave at
  least an interval apart, but for a burst. So a server that counts in windows of any kind and
  any beginning never sees more than the limit and one burst in one of them.
- `Window` takes all of a window at once and then waits for the next, for jobs that are to be
  done soon rather than evenly. Its windows begin with a call, not when the server's do.
"""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import Final

from attrs import frozen

from resilient.core.queues import Queue

__all__ = ["LIMIT", "Limit", "Meter", "Pace", "Window"]

_UNITS: Final = MappingProxyType(
    {
        "s": 1,
        "sec": 1,
        "second": 1,
        "min": 60,
        "minute": 60,
        "h": 3600,
        "hour": 3600,
        "d": 86400,
        "day": 86400,
    }
)

_FORM: Final = re.compile(rf"([1-9][0-9]{{0,8}})/([1-9][0-9]{{0,5}})?({'|'.join(_UNITS)})")

LIMIT: Final = (
    'a text such as "300/min", "10/s", "1000/h" or "100/10s": a positive number of calls, and a '
    f"time in one of {', '.join(_UNITS)}"
)


@frozen
class Limit:
    """So many calls in so much time.

    Attributes:
        calls: The number of calls.
        seconds: The time.
    """

    calls: int
    seconds: float

    @classmethod
    def parse(cls, text: object) -> Limit | None:
        """Return the limit that a text declares, or None if it declares none."""
        match = _FORM.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return None
        calls, count, unit = match.groups()
        return cls(int(calls), float(int(count or 1) * _UNITS[unit]))

    @property
    def burst(self) -> int:
        """The calls that may leave at once by default: a twentieth, at least 1."""
        return max(1, self.calls // 20)


class Meter:
    """Base of what keeps a declared limit for one destination.

    Args:
        limit: The limit.
        queue: For those who wait.

    Attributes:
        limit: As given.
        queue: As given.
        rate: Calls a second, in the long run.
        full: Whether somebody was refused since the queue was empty.
        held: How many attempts it has held back or refused.
    """

    __slots__ = ("full", "held", "limit", "queue", "rate")

    def __init__(self, limit: Limit, queue: Queue) -> None:
        self.limit = limit
        self.queue = queue
        self.rate = limit.calls / limit.seconds
        self.full = False
        self.held = 0

    def turn_at(self, ahead: int, now: float) -> float:
        """Return when a call may leave that has so many others before it."""
        raise NotImplementedError

    def opens_at(self, now: float) -> float:
        """Return when it lets calls leave that are not too many: now, or with the next window."""
        return now

    def take(self, now: float) -> tuple[float, int]:
        """Count a call that leaves; return what `give_back` needs to undo that."""
        raise NotImplementedError

    def give_back(self, before: tuple[float, int]) -> None:
        """Undo the last `take`."""
        raise NotImplementedError

    def is_idle(self, now: float) -> bool:
        """Return whether it could be forgotten, and nobody would be let through too soon."""
        raise NotImplementedError

    def rebase(self, shift: float) -> None:
        """Move to another scale of time, which is `shift` seconds ahead of this one."""
        raise NotImplementedError


class Pace(Meter):
    """Lets calls leave at a steady pace, but for a burst.

    Args:
        limit: The limit.
        burst: How many may leave at once.
        queue: For those who wait.
    """

    __slots__ = ("_interval", "_next", "_slack")

    def __init__(self, limit: Limit, burst: int, queue: Queue) -> None:
        super().__init__(limit, queue)
        self._interval = limit.seconds / limit.calls
        self._slack = self._interval * (burst - 1)
        # When the next call is due if all came at the pace (the theoretical arrival time).
        self._next = -math.inf

    def turn_at(self, ahead: int, now: float) -> float:
        """Return when a call may leave that has so many others before it."""
        return max(now, max(self._next, now) - self._slack + ahead * self._interval)

    def take(self, now: float) -> tuple[float, int]:
        """Count a call that leaves; return what `give_back` needs to undo that."""
        before = self._next
        self._next = max(self._next, now) + self._interval
        return before, 0

    def give_back(self, before: tuple[float, int]) -> None:
        """Undo the last `take`."""
        self._next, _ = before

    def is_idle(self, now: float) -> bool:
        """Return whether it could be forgotten, and nobody would be let through too soon."""
        return not self.queue and self._next <= now

    def rebase(self, shift: float) -> None:
        """Move to another scale of time, which is `shift` seconds ahead of this one."""
        self._next += shift


class Window(Meter):
    """Lets all calls of a window leave at once."""

    __slots__ = ("_end", "_taken")

    def __init__(self, limit: Limit, queue: Queue) -> None:
        super().__init__(limit, queue)
        self._end = -math.inf
        self._taken = 0

    def turn_at(self, ahead: int, now: float) -> float:
        """Return when a call may leave that has so many others before it."""
        taken = (0 if now >= self._end else self._taken) + ahead
        windows = taken // self.limit.calls
        if windows == 0:
            return now
        end = self._end if now < self._end else now + self.limit.seconds
        return end + (windows - 1) * self.limit.seconds

    def opens_at(self, now: float) -> float:
        """Return when it lets calls leave that are not too many."""
        return self.turn_at(0, now)

    def take(self, now: float) -> tuple[float, int]:
        """Count a call that leaves; return what `give_back` needs to undo that."""
        before = self._end, self._taken
        if now >= self._end:
            self._end, self._taken = now + self.limit.seconds, 0
        self._taken += 1
        return before

    def give_back(self, before: tuple[float, int]) -> None:
        """Undo the last `take`."""
        self._end, self._taken = before

    def is_idle(self, now: float) -> bool:
        """Return whether it could be forgotten, and nobody would be let through too soon."""
        return not self.queue and now >= self._end

    def rebase(self, shift: float) -> None:
        """Move to another scale of time, which is `shift` seconds ahead of this one."""
        self._end += shift
