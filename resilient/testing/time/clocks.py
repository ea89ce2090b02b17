"""Clocks for tests: one in the hand of the test, and one on the event loop's time.

A test that waits for real is slow, and one that draws random numbers fails now and then.
`FakeClock` goes to a middleware as `clock=`: it stands still until somebody moves it.

    clock = FakeClock()
    session = aiohttp.ClientSession(middlewares=[Pipeline(clock=clock)])
    ...
    assert clock.sleeps == [30.0]

It moves nothing but what asks it. Where other code waits as well (a server's delay, your own
`asyncio.sleep`), let the event loop itself be in virtual time, and fix the rest with
`LoopClock`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from attrs import define, field

from resilient.errors import ConfigError
from resilient.support.validation import check
from resilient.testing.server.records import Watchers

__all__ = ["FakeClock", "FakeTimer", "LoopClock"]

_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

Draw = float | Callable[[], float]


_DRAW = check(
    "a number from [0, 1), or a function that gives them",
    lambda given: callable(given) or (isinstance(given, int | float) and 0 <= given < 1),
)
_AWARE = check(
    "an aware datetime", lambda given: isinstance(given, datetime) and given.tzinfo is not None
)


def _drawn(draw: Draw) -> float:
    return draw() if callable(draw) else draw


async def _turn() -> None:
    """Let the event loop go round once."""
    await asyncio.sleep(0)


class FakeTimer:
    """What `FakeClock.call_at` gives back."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    @property
    def is_set(self) -> bool:
        """Whether its callback is yet to run."""
        return self._callback is not None

    def fire(self) -> None:
        """Run the callback, once, unless it was cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def cancel(self) -> None:
        """Forget the callback."""
        self._callback = None


@define(eq=False)
class FakeClock:
    """A `Clock` that stands still until somebody moves it.

    As a rule whoever sleeps moves it: the sleep returns at once, that much later, and what
    falls due on the way happens in its turn. Callers that sleep at the same time then sleep
    one after the other. With `auto_advance=False` a sleep waits for `advance`:

        call = asyncio.create_task(fetch())
        await clock.wait_for_sleepers()
        clock.advance(30)

    Args:
        start: The time that it shows at first, in seconds; its zero means nothing.
        draw: What `random()` gives, from [0, 1): always the same number, or what a function
            gives; `random.Random(7).random` is a sequence that is the same in each run. 0 is
            a Retry-After without any spread.
        today: The time of day at first, aware. It goes on with the time.
        auto_advance: Whether a sleep moves the clock.

    Attributes:
        sleeps: The seconds of each sleep that was begun.
    """

    start: float = 0.0
    draw: Draw = field(default=0.5, kw_only=True, validator=_DRAW)
    today: datetime = field(default=_NEW_YEAR, kw_only=True, validator=_AWARE)
    auto_advance: bool = field(default=True, kw_only=True)
    sleeps: list[float] = field(factory=list, init=False)
    _now: float = field(init=False)
    _timers: list[tuple[float, int, FakeTimer]] = field(factory=list, init=False)
    _serial: Iterator[int] = field(factory=itertools.count, init=False)
    _sleepers: int = field(default=0, init=False)
    _watchers: Watchers = field(factory=Watchers, init=False)

    def __attrs_post_init__(self) -> None:
        self._now = self.start

    # A clock.

    def time(self) -> float:
        """Seconds, from `start` on."""
        return self._now

    def now(self) -> datetime:
        """The time of day."""
        return self.today + timedelta(seconds=self._now - self.start)

    def random(self) -> float:
        """What `draw` says."""
        return _drawn(self.draw)

    def call_at(self, when: float, callback: Callable[[], object]) -> FakeTimer:
        """Run `callback` once the clock shows `when`; in the loop's next turn if it does."""
        timer = FakeTimer(callback)
        if when <= self._now:
            asyncio.get_running_loop().call_soon(timer.fire)
        else:
            heapq.heappush(self._timers, (when, next(self._serial), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """Move the clock, or wait until somebody has."""
        self.sleeps.append(seconds)
        end = self._now + seconds
        if not self.auto_advance:
            return await self._wait_until(end)
        while self._fire_next(end):
            # A turn of the loop: a timer that cancels the sleeper stops the clock there.
            await _turn()
        self._now = max(self._now, end)
        return await _turn()

    # In the hand of a test.

    def advance(self, seconds: float) -> None:
        """Move on, and do what falls due on the way, each at its time and in order.

        Tasks that wake up run when the caller next awaits, by when all the time has passed.
        """
        if not seconds >= 0:
            raise ConfigError.of("FakeClock.advance's seconds", seconds, "0 or more")
        end = self._now + seconds
        while self._fire_next(end):
            pass
        self._now = max(self._now, end)

    @property
    def sleepers(self) -> int:
        """How many callers sleep until somebody moves the clock."""
        return self._sleepers

    async def wait_for_sleepers(self, count: int = 1) -> None:
        """Wait until at least so many callers sleep."""
        await self._watchers.wait(lambda: self._sleepers >= count)

    @property
    def timers(self) -> int:
        """How many timers are set, those of sleepers included."""
        return sum(timer.is_set for _, _, timer in self._timers)

    def _fire_next(self, end: float) -> bool:
        """Move to the next timer until `end`, and fire it; whether there was one."""
        if not self._timers or self._timers[0][0] > end:
            return False
        when, _, timer = heapq.heappop(self._timers)
        self._now = max(self._now, when)
        timer.fire()
        return True

    async def _wait_until(self, when: float) -> None:
        woken = asyncio.Event()
        timer = self.call_at(when, woken.set)
        self._sleepers += 1
        self._watchers.changed()
        try:
            await woken.wait()
        finally:
            self._sleepers -= 1
            timer.cancel()


@define(eq=False)
class LoopClock:
    """A `Clock` on the running event loop's time, with randomness and the date fixed.

    For scenarios in virtual time, which are exact to the digit with it:

        async def scenario():
            pipeline = Pipeline(clock=LoopClock(draw=0.0))

        run_in_virtual_time(scenario())

    Args:
        draw: As for `FakeClock`.
        today: The time of day when the loop's time is zero, aware.

    Attributes:
        sleeps: The seconds of each sleep that was begun.
    """

    draw: Draw = field(default=0.5, kw_only=True, validator=_DRAW)
    today: datetime = field(default=_NEW_YEAR, kw_only=True, validator=_AWARE)
    sleeps: list[float] = field(factory=list, init=False)

    def time(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """The time of day."""
        return self.today + timedelta(seconds=self.time())

    def random(self) -> float:
        """What `draw` says."""
        return _drawn(self.draw)

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Schedule on the loop."""
        return asyncio.get_running_loop().call_at(when, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop."""
        self.sleeps.append(seconds)
        await asyncio.sleep(seconds)
