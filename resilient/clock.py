"""The seam for time, sleep and randomness.

Whatever here waits, measures or draws a random number asks a `Clock`. The system's own
takes its time from the running event loop, so that a loop in virtual time is enough to
test a wait of thirty seconds in no time; a `Clock` of one's own does the same for one
middleware.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock", "TimerHandle", "claim_loop", "time_on"]


class TimerHandle(Protocol):
    """What `Clock.call_at` gives back."""

    def cancel(self) -> object:
        """Forget the callback; harmless when it has run."""


class Clock(Protocol):
    """Time, sleep and randomness."""

    def time(self) -> float:
        """Seconds on a scale that only goes forward; its zero means nothing."""

    def now(self) -> datetime:
        """The time of day, aware; used only to read dates that servers send."""

    def random(self) -> float:
        """A number drawn uniformly from [0, 1)."""

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Run `callback` once `time()` has reached `when`."""

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling stops it at once."""


class SystemClock:
    """The running event loop's time, and the system's time of day and random numbers."""

    def time(self) -> float:
        """The time of the running event loop, in seconds."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            # Somebody looks at a breaker from outside; asyncio's own loops use the same scale.
            return time.monotonic()

    def now(self) -> datetime:
        """The time of day."""
        return datetime.now(UTC)

    def random(self) -> float:
        """A number from [0, 1)."""
        return random.random()  # noqa: S311 (jitter is no secret)

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Schedule on the running event loop."""
        return asyncio.get_running_loop().call_at(when, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


def claim_loop(owner: object, held: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
    """The running loop, for state that belongs to the loop it is first used on.

    Raises:
        RuntimeError: The state belongs to another loop already.
    """
    running = asyncio.get_running_loop()
    if held is not None and held is not running:
        raise RuntimeError(
            f"this {type(owner).__name__} belongs to another event loop: its state cannot be "
            "shared between loops, make one for each"
        )
    return running


def time_on(loop: asyncio.AbstractEventLoop, clock: Clock) -> Callable[[], float]:
    """The quickest way to ask a clock for the time on a loop."""
    if not isinstance(clock, SystemClock):
        return clock.time
    # asyncio's own loops ask for nothing else.
    return time.monotonic if type(loop).time is asyncio.BaseEventLoop.time else loop.time
