"""Cheap limits on how long the current task may take.

A service sets the same limit for each of its attempts, so that limits run out in the
order in which they were set: one armed timer for the oldest serves them all, and a limit
that is met costs an entry in a dictionary and its removal. (`asyncio.timeout` arms and
cancels a timer of the loop's each time: 3 to 4 us.)

A limit that has run out may be put off: its owner is asked before the task is cancelled,
because afterwards nobody can tell any more what the task was waiting for.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from asyncio import current_task
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from resilient.clock import Clock, TimerHandle

__all__ = ["Limit", "Serial", "Task", "TimerQueue", "limit_at", "weakly"]

Task = asyncio.Task[Any]

# The name of an entry in a `TimerQueue`.
Serial = int

# Asked when a limit runs out: returns when to ask again, on the clock's scale, or None to let it
# cancel its task.
PutOff = Callable[["Limit"], "float | None"]


def running_task() -> Task:
    """Return the current task."""
    task = current_task()
    assert task is not None, "a middleware runs in a task"
    return task


class Limit:
    """A time at which a task is cancelled, on a timer of its own.

    Attributes:
        task: The task, by default the current one; gone once it is lifted.
        when: The time, on the clock's scale.
        fired: Whether it has cancelled the task.
        about: For its owner: what the limit is about; None once it is lifted.
        clock: The source of time.
    """

    __slots__ = ("_cancelling", "_handle", "_put_off", "about", "clock", "fired", "task", "when")

    def __init__(
        self,
        clock: Clock,
        when: float,
        *,
        put_off: PutOff | None = None,
        about: Any = None,
        task: Task | None = None,
        cancelling: int | None = None,
    ) -> None:
        self.task: Any = running_task() if task is None else task
        # A cancellation that was under way before is not ours to take back.
        self._cancelling = self.task.cancelling() if cancelling is None else cancelling
        self.clock = clock
        self._put_off = put_off
        self.about = about
        self.fired = False
        self._handle: TimerHandle | None = None
        self.move(when)

    def move(self, when: float) -> None:
        """Set it to another time; infinity is never."""
        if self._handle is not None:
            self._handle.cancel()
        self.when = when
        self._handle = None if when == math.inf else self.clock.call_at(when, self.expire)

    def expire_if_due(self, now: float) -> None:
        """Let it run out at once if its time has come, and not in the loop's next turn."""
        if self.when <= now:
            self.move(math.inf)
            self.expire()

    def expire(self) -> None:
        """Cancel the task, unless the owner puts that off."""
        later = None if self._put_off is None else self._put_off(self)
        if later is not None:
            self.move(later)
            return
        self.fired = True
        self.task.cancel()

    def lift(self) -> bool:
        """Forget it, and return whether it had run out and it alone had cancelled the task.

        The same rule as `asyncio.timeout`: if somebody else has cancelled the task too, the
        `CancelledError` is theirs and goes on.
        """
        if self._handle is not None:
            self._handle.cancel()
        # A task has the exception that ended it, and that has the frames which have the limit.
        task, self.task = self.task, None
        self._put_off = self.about = None
        if not self.fired:
            return False
        self.fired = False
        return bool(task.uncancel() <= self._cancelling)


class TimerQueue:
    """Limits of one duration, in seconds, on one armed timer.

    Args:
        clock: The source of time.
        seconds: The duration.
        put_off: Asked when a limit runs out, as for `Limit`.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_entries",
        "_handle",
        "_limits",
        "_put_off",
        "_serial",
        "seconds",
    )

    def __init__(self, clock: Clock, seconds: float, put_off: PutOff | None = None) -> None:
        self._clock = clock
        self.seconds = seconds
        self._put_off = put_off
        # Until when, whose task, how many cancellations of it were under way, and about what.
        self._entries: dict[Serial, tuple[float, Task, int, Any]] = {}
        # Those that ran out, or were put off.
        self._limits: dict[Serial, Limit] = {}
        self._serial = 0
        self._handle: TimerHandle | None = None

    def __del__(self) -> None:
        """Leave no timer behind: the loop would keep it for as long as the limit is."""
        if self._handle is not None:
            self._handle.cancel()

    def set(self, now: float, about: Any = None) -> Serial:
        """Limit the current task, from `now` on; return the entry's name, for `lift`."""
        task = current_task()
        assert task is not None, "a middleware runs in a task"
        when = now + self.seconds
        serial = self._serial = self._serial + 1
        self._entries[serial] = when, task, task.cancelling(), about
        if self._handle is None:
            self._arm(when)
        return serial

    def set_at(
        self,
        when: float,
        about: Any = None,
        *,
        task: Task | None = None,
        cancelling: int | None = None,
    ) -> Limit:
        """Limit a task to a time that is not `seconds` away; infinity is no limit.

        Args:
            when: The time.
            about: What it is about.
            task: The task; by default the current one.
            cancelling: How many of its cancellations are others'; by default those under way.
        """
        return Limit(
            *(self._clock, when),
            put_off=self._put_off,
            about=about,
            task=task,
            cancelling=cancelling,
        )

    def get(self, limit: Serial | Limit) -> Limit | None:
        """Return a limit that ran out, was put off, or has a timer of its own; else None."""
        return limit if isinstance(limit, Limit) else self._limits.get(limit)

    def lift(self, limit: Serial | Limit | None) -> bool:
        """Forget a limit; the same as `Limit.lift`. None, and one that was lifted, are no limit."""
        # The common case first; a `Limit` is never a key.
        if self._entries.pop(limit, None) is not None or limit is None:  # type: ignore[arg-type]  # any key may be asked for
            return False
        own = limit if isinstance(limit, Limit) else self._limits.pop(limit, None)
        return False if own is None else own.lift()

    def reset(self) -> None:
        """Forget every limit: their event loop is closed."""
        self._entries.clear()
        self._limits.clear()
        self._handle = None

    def _promote(self, serial: Serial) -> Limit:
        when, task, cancelling, about = self._entries.pop(serial)
        limit = self._limits[serial] = Limit(
            self._clock,
            math.inf,  # the queue's own timer has fired
            put_off=self._put_off,
            about=about,
            task=task,
            cancelling=cancelling,
        )
        limit.when = when
        return limit

    def _arm(self, when: float) -> None:
        # The timer holds no more than a weak reference: a queue that nobody else holds goes.
        self._handle = self._clock.call_at(when, weakly(self.fire))

    def fire(self) -> None:
        """Let the limits run out whose time has come, and arm the timer for the next."""
        self._handle = None
        now = self._clock.time()
        due = []
        for serial, (when, *_) in self._entries.items():
            if when > now:
                self._arm(when)
                break
            due.append(serial)
        for serial in due:
            self._promote(serial).expire()


def weakly(method: Callable[[], object]) -> Callable[[], None]:
    """Return a function that calls a method and does not keep its object alive, for a timer."""
    method_ref = weakref.WeakMethod(method)

    def call() -> None:
        found = method_ref()
        if found is not None:
            found()

    return call


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
