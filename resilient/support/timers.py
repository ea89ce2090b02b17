"""Cheap limits on how long the current task may take.

A service sets the same limit for each of its attempts, so that limits run out in the
order in which they were set: one armed timer for the oldest serves them all, and a limit
that is met costs an entry in a dictionary and its removal. (`asyncio.timeout` arms and
cancels a timer of the loop's each time: 3 to 4 us.)
"""

from __future__ import annotations

import asyncio
import math
from asyncio import current_task
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from resilient.clock import Clock, TimerHandle

__all__ = ["Limit", "TimerQueue", "limit_at"]

Task = asyncio.Task[Any]


class Limit:
    """A time at which the task that set it is cancelled, on a timer of its own."""

    __slots__ = ("_cancelling", "_handle", "_task", "fired")

    def __init__(self, clock: Clock, when: float) -> None:
        task = current_task()
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


class TimerQueue:
    """Limits of one duration, in seconds, on one armed timer."""

    __slots__ = ("_clock", "_fired", "_handle", "_limits", "_serial", "seconds")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self.seconds = seconds
        # Until when, whose task it is, and how many cancellations of it were under way.
        self._limits: dict[int, tuple[float, Task, int]] = {}
        self._fired: dict[int, tuple[float, Task, int]] = {}
        self._serial = 0
        self._handle: TimerHandle | None = None

    def set(self, now: float) -> int:
        """Limit the current task, from `now` on; its number, for `lift`."""
        task = current_task()
        assert task is not None, "a middleware runs in a task"
        when = now + self.seconds
        serial = self._serial = self._serial + 1
        self._limits[serial] = when, task, task.cancelling()
        if self._handle is None:
            self._handle = self._clock.call_at(when, self._fire)
        return serial

    def set_at(self, when: float) -> Limit | None:
        """Limit the current task to a time that is not `seconds` away; infinity is no limit."""
        return None if when == math.inf else Limit(self._clock, when)

    def lift(self, limit: int | Limit | None) -> bool:
        """Forget a limit; as `Limit.lift`."""
        if self._limits.pop(limit, None) is not None or limit is None:  # type: ignore[arg-type]  # in vain
            return False
        if isinstance(limit, Limit):
            return limit.lift()
        fired = self._fired.pop(limit, None)
        if fired is None:
            return False
        _, task, cancelling = fired
        return task.uncancel() <= cancelling

    def _fire(self) -> None:
        self._handle = None
        now = self._clock.time()
        due = []
        for serial, (when, _, _) in self._limits.items():
            if when > now:
                self._handle = self._clock.call_at(when, self._fire)
                break
            due.append(serial)
        for serial in due:
            _, task, _ = self._fired[serial] = self._limits.pop(serial)
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
