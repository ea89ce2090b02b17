"""The seam for time, waits and randomness.

Whatever here waits, measures or draws a random number asks a `Clock`. The system's own
takes its time from the running event loop, so that a loop in virtual time is enough to
test a wait of thirty seconds in no time; a `Clock` of one's own does the same for one
middleware.

A clock has two timers. `call_at` is for limits, which as a rule are cancelled before they are
due. `wake_after` is for waits: a call stands still until then, be it between two attempts or in
the queue of a guard. So a clock for tests knows which time it may skip.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "LoopBound", "SystemClock", "TimerHandle", "sleep_on"]


class TimerHandle(Protocol):
    """A scheduled callback, as the timers of a `Clock` return it."""

    def cancel(self) -> object:
        """Forget the callback; harmless when it has run."""


class Clock(Protocol):
    """A source of time, waits and randomness."""

    def time(self) -> float:
        """Return seconds on a scale that only goes forward; its zero means nothing."""

    def now(self) -> datetime:
        """Return the time of day, aware; used only to read dates that servers send."""

    def random(self) -> float:
        """Draw a number uniformly from [0, 1)."""

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Run `callback` once `time()` has reached `when`: a limit."""

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> TimerHandle:
        """Run `callback` in so many seconds, for which somebody waits.

        Args:
            seconds: 0 or more, and finite.
            callback: Ends the wait.
        """


class SystemClock:
    """The running event loop's time, and the system's time of day and random numbers."""

    def time(self) -> float:
        """Return the time of the running event loop, in seconds."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            # Somebody looks at a breaker from outside; asyncio's own loops use the same scale.
            return time.monotonic()

    def now(self) -> datetime:
        """Return the time of day."""
        return datetime.now(UTC)

    def random(self) -> float:
        """Draw a number from [0, 1)."""
        return random.random()  # noqa: S311 (jitter is no secret)

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Schedule a callback on the running event loop."""
        return asyncio.get_running_loop().call_at(when, callback)

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> TimerHandle:
        """Schedule a callback on the running event loop."""
        return asyncio.get_running_loop().call_later(seconds, callback)


SYSTEM_CLOCK = SystemClock()


async def sleep_on(clock: Clock, seconds: float) -> None:
    """Wait for so many seconds on a clock; cancelling stops it at once."""
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    timer = clock.wake_after(seconds, wake)
    try:
        await woken
    finally:
        timer.cancel()


class LoopBound:
    """Base of what keeps state that belongs to one event loop at a time.

    Before each use the loop is compared, which costs next to nothing:

        if self.loop is not get_running_loop():
            self.claim()

    State may move to another loop once its own is closed (a second `asyncio.run`, the loop of
    another test), and in a process that was forked from the one that made it.

    Attributes:
        clock: The source of time, waits and randomness.
        loop: The loop that the state belongs to; None before the first use.
        time: The quickest way to ask for the time on that loop, in seconds.
    """

    __slots__ = ("__weakref__", "_is_monotonic", "_process", "clock", "loop", "time")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.loop: asyncio.AbstractEventLoop | None = None
        self.time: Callable[[], float] = clock.time
        self._process = 0
        self._is_monotonic = False

    def claim(self) -> None:
        """Take the running loop for this state.

        Raises:
            RuntimeError: The state belongs to another loop, which is not closed.
        """
        running = asyncio.get_running_loop()
        held, process = self.loop, os.getpid()
        if held is not None and not held.is_closed() and process == self._process:
            raise RuntimeError(
                f"this {type(self).__name__} belongs to another event loop, which is not closed: "
                "its state cannot be shared between loops, make one for each"
            )
        ask = self._quickest(running)
        # On the same scale time has passed since, and that counts.
        # (uvloop's loops have the system's monotonic time, each by a function of its own.)
        is_monotonic = abs(ask() - time.monotonic()) < 1
        is_same_scale = ask == self.time or (is_monotonic and self._is_monotonic)
        self._is_monotonic = is_monotonic
        self.loop, self.time, self._process = running, ask, process
        if held is not None:
            self.loop_changed(None if is_same_scale else ask())

    @property
    def is_used_elsewhere(self) -> bool:
        """True while the loop that the state belongs to runs, and this is not its thread."""
        held = self.loop
        if held is None or self._process != os.getpid() or not held.is_running():
            return False
        return held is not asyncio._get_running_loop()

    def loop_changed(self, now: float | None) -> None:
        """Drop timers and futures of the old loop, and move stored times to the new scale.

        Args:
            now: The time on the new loop's scale, at which the last time seen on the old one is
                to stand; None if both have the same scale.
        """

    def _quickest(self, loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
        if not isinstance(self.clock, SystemClock):
            return self.clock.time
        # asyncio's own loops ask for nothing else.
        return time.monotonic if type(loop).time is asyncio.BaseEventLoop.time else loop.time
