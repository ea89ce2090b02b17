"""Cheap limits on how long the current task may take.

A service sets the same limit for each of its attempts, so that limits run out in the
order in which they were set: one armed timer for the oldest serves them all, and a limit
that is met costs an entry in a dictionary and its removal. (`asyncio.timeout` arms and
cancels a timer of the loop's each time: 3 to 4 us.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from resilient.clock import Clock, TimerHandle

__all__ = ["Limit", "TimerQueue", "limit_at"]


class Limit:
    """A time at which the task that set it is cancelled, unless it is lifted before."""

    # What few limits come to set stands on the class.
    fired = False
    handle: TimerHandle | None = None

    def __init__(self, when: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a limit of time can only be set inside a task")
        self.task = task
        # A cancellation that was under way before is not ours to take back.
        self.cancelling = task.cancelling()
        self.when = when

    def expire(self) -> None:
        """Cancel the task."""
        self.fired = True
        self.task.cancel()

    def take_back(self) -> bool:
        """Take back the cancellation, if there was one; whether it was the only one.

        The same rule as `asyncio.timeout`: if somebody else has cancelled the task too, the
        `CancelledError` is theirs and goes on.
        """
        if not self.fired:
            return False
        self.fired = False
        return self.task.uncancel() <= self.cancelling


@define(eq=False)
class TimerQueue:
    """Limits of one duration, in seconds, on one armed timer."""

    _clock: Clock
    seconds: float
    _limits: dict[Limit, None] = field(factory=dict, init=False)
    _handle: TimerHandle | None = field(default=None, init=False)

    def set(self, now: float) -> Limit:
        """Limit the current task, from `now` on."""
        limit = Limit(now + self.seconds)
        self._limits[limit] = None
        if self._handle is None:
            self._handle = self._clock.call_at(limit.when, self._fire)
        return limit

    def set_at(self, when: float) -> Limit:
        """Limit the current task to a time that is not `seconds` away, by a timer of its own."""
        limit = Limit(when)
        limit.handle = self._clock.call_at(when, limit.expire)
        return limit

    def lift(self, limit: Limit) -> bool:
        """Forget a limit; whether it had run out, and it alone had cancelled the task."""
        self._limits.pop(limit, None)
        if limit.handle is not None:
            limit.handle.cancel()
        return limit.fired and limit.take_back()

    def _fire(self) -> None:
        self._handle = None
        now = self._clock.time()
        due = []
        for limit in self._limits:
            if limit.when > now:
                self._handle = self._clock.call_at(limit.when, self._fire)
                break
            due.append(limit)
        for limit in due:
            del self._limits[limit]
            limit.expire()


@contextmanager
def limit_at(clock: Clock, when: float) -> Iterator[None]:
    """Leave the block at a time on the clock's scale, as `contextlib.suppress` would."""
    limit = Limit(when)
    handle = clock.call_at(when, limit.expire)
    try:
        yield
    except asyncio.CancelledError:
        if not limit.take_back():
            raise
    finally:
        handle.cancel()
        limit.take_back()
