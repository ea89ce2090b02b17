"""Cheap limits on how long the current task may take.

A service sets the same limit for each of its attempts, so that limits run out in the
order in which they were set: one armed timer for the oldest serves them all, and a limit
that is met costs an entry in a dictionary and its removal. (`asyncio.timeout` arms and
cancels a timer of the loop's each time: 3 to 4 us.)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from resilient.clock import Clock, TimerHandle

__all__ = ["Limit", "TimerQueue", "limit_at"]

Task = asyncio.Task[Any]


class Limit:
    """A time at which the task that set it is cancelled, on a timer of its own."""

    __slots__ = ("_cancelling", "_handle", "_task", "fired")

    def __init__(self, clock: Clock, when: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "a middleware runs in a task"
        self._task = task
        # A cancellation that was under way before is not ours to take back.
        self._cancelling = self._task.cancelling()
        self.fired = False
        self._handle = clock.call_at(when, self._expire)

    def _expire(self) -> None:
        self.fired = True
        self._task.cancel()

    def lift(self) -> bool:
        """Forget it; whether it had run out, and it alone had cancelled the task.

        The same rule as `asyncio.timeout`: if somebody else has cancelled the task too, the
        `CancelledError` is theirs and goes on.
        """
        self._handle.cancel()
        if not self.fired:
            return False
        self.fired = False
        return self._task.uncancel() <= self._cancelling


@define(eq=False)
class TimerQueue:
    """Limits of one duration, in seconds, on one armed timer."""

    _clock: Clock
    seconds: float
    # The tasks that are limited: until when, and how many cancellations were under way.
    _limits: dict[Task, tuple[float, int]] = field(factory=dict, init=False)
    _fired: dict[Task, int] = field(factory=dict, init=False)
    _handle: TimerHandle | None = field(default=None, init=False)

    def set(self, now: float) -> Task | Limit | None:
        """Limit the current task, from `now` on."""
        task = asyncio.current_task()
        assert task is not None, "a middleware runs in a task"
        when = now + self.seconds
        if task in self._limits or task in self._fired:
            # A request within a request of the same task.
            return Limit(self._clock, when)
        self._limits[task] = when, task.cancelling()
        if self._handle is None:
            self._handle = self._clock.call_at(when, self._fire)
        return task

    def set_at(self, when: float) -> Task | Limit | None:
        """Limit the current task to a time that is not `seconds` away; infinity is no limit."""
        return None if when == math.inf else Limit(self._clock, when)

    def lift(self, limit: Task | Limit | None) -> bool:
        """Forget a limit; as `Limit.lift`."""
        if self._limits.pop(limit, None) is not None or limit is None:  # type: ignore[arg-type]  # in vain
            return False
        if isinstance(limit, Limit):
            return limit.lift()
        cancelling = self._fired.pop(limit, None)
        return cancelling is not None and limit.uncancel() <= cancelling

    def _fire(self) -> None:
        self._handle = None
        now = self._clock.time()
        due = []
        for task, (when, _) in self._limits.items():
            if when > now:
                self._handle = self._clock.call_at(when, self._fire)
                break
            due.append(task)
        for task in due:
            _, self._fired[task] = self._limits.pop(task)
            task.cancel()


@contextmanager
def limit_at(clock: Clock, when: float) -> Iterator[None]:
    """Leave the block at a time on the clock's scale, as `contextlib.suppress` would."""
    limit = Limit(clock, when)
    try:
        yield
    except asyncio.CancelledError:
        if not limit.lift():
            raise
    finally:
        limit.lift()
