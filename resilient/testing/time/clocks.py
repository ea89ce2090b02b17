"""Clocks for tests: one that the test moves, and one on the event loop's time.

A test that waits for real is slow, and one that draws random numbers fails now and then.
`FakeClock` goes to a middleware as `clock=`: it stands still until something moves it.

    clock = FakeClock()
    session = aiohttp.ClientSession(middlewares=[Pipeline(clock=clock)])
    ...
    assert clock.sleeps == [30.0]

It is the time of those who ask it, and of nobody else. Where other code waits as well (a
server's delay, your own `asyncio.sleep`), run the event loop itself in virtual time, and fix
the rest with `LoopClock`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from attrs import define, field

from resilient.clock import sleep_on
from resilient.errors import ConfigError
from resilient.support.validation import check
from resilient.testing.server.records import Watchers
from resilient.testing.time.idle import has_ready_callbacks, is_idle

__all__ = ["FakeClock", "FakeTimer", "LoopClock"]

_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

# Turns of the loop that others have before a sleep moves the clock: at least, where the loop
# does not tell whether they need more, and at most.
_LEAST_TURNS, _BLIND_TURNS, _MOST_TURNS = 2, 5, 100

# Real seconds between two looks at a loop that may be idle, at first and in the end.
_LOOK, _LAST_LOOK = 0.001, 0.05

# A timer of the loop's that is due within so many seconds is waited for. Others, such as the
# total time of a session, are there in case that something else does not come.
_SOON = 1.0

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


class FakeTimer:
    """A callback that a `FakeClock` is to run; `call_at` and `wake_after` return it.

    Attributes:
        is_sleep: Whether somebody sleeps until then.
    """

    def __init__(
        self,
        callback: Callable[[], object],
        dropped: Callable[[FakeTimer], object],
        is_sleep: bool,
    ) -> None:
        self._callback: Callable[[], object] | None = callback
        self._dropped = dropped
        self.is_sleep = is_sleep

    @property
    def is_set(self) -> bool:
        """True if the callback is yet to run."""
        return self._callback is not None

    def fire(self) -> None:
        """Run the callback, unless it has run or was cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def cancel(self) -> None:
        """Forget the callback; harmless when it has run."""
        if self._callback is not None:
            self._callback = None
            self._dropped(self)


@define(eq=False)
class FakeClock:
    """A `Clock` that stands still until something moves it.

    As a rule those who wait move it, to the next thing that is due: a sleep returns at once,
    that much later, and what falls due on the way happens in its turn. Callers that sleep at
    the same time sleep side by side. `sleep(math.inf)` moves the clock from timer to timer
    until it is cancelled. A call that waits for its next attempt sleeps, and so does one that
    a guard holds back until a certain time.

    If nobody sleeps, and all that the event loop runs waits (for an answer that does not
    come, say), the clock moves to the next timer as well, so that a limit on it ends a call
    that hangs. It has to see for that that the loop is idle: it sees what a `VirtualTimeLoop`
    sees, on asyncio's own loops; a timer of the loop's that is due within a second is waited
    for. On other loops (uvloop) only a sleep, or the test, moves it.

    With `auto_advance=False` both wait for `advance`:

        call = asyncio.create_task(fetch())
        await clock.wait_for_sleepers()
        clock.advance(30)

    Args:
        start: The time that it shows at first, in seconds; its zero means nothing. The
            default is 0.
        draw: The number that `random()` returns, from [0, 1), or a function that returns
            one; `random.Random(7).random` gives a sequence that is the same in each run. The
            default is 0.5. With 0, waits for a Retry-After have no spread.
        today: The time of day at first, aware, which goes on with the time. The default is
            the first of January 2026, 0:00 UTC.
        auto_advance: Whether those who wait move the clock. The default is True.
        speed: The seconds that pass for each second of the event loop's own time, in which
            case an idle loop does not move the clock. The default is 0: none. It can be set
            at any time.

    Attributes:
        sleeps: The seconds of each sleep that was begun.
    """

    start: float = 0.0
    draw: Draw = field(default=0.5, kw_only=True, validator=_DRAW)
    today: datetime = field(default=_NEW_YEAR, kw_only=True, validator=_AWARE)
    auto_advance: bool = field(default=True, kw_only=True)
    _speed: float = field(default=0.0, kw_only=True)
    sleeps: list[float] = field(factory=list, init=False)
    _now: float = field(init=False)
    _timers: list[tuple[float, int, FakeTimer]] = field(factory=list, init=False)
    _set: int = field(default=0, init=False)
    _serial: Iterator[int] = field(factory=itertools.count, init=False)
    _sleepers: int = field(default=0, init=False)
    _watchers: Watchers = field(factory=Watchers, init=False)
    # The loop whose time was looked at last, and that time.
    _seen: tuple[asyncio.AbstractEventLoop, float] | None = field(default=None, init=False)
    # The loop in which `_step` is about to run, and the timer of a loop that moves the clock.
    _stepping: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _alarm: tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle] | None = field(
        default=None, init=False
    )

    def __attrs_post_init__(self) -> None:
        self._now = self.start
        _check_speed(self._speed)

    # A clock.

    def time(self) -> float:
        """Return the seconds, from `start` on."""
        if self._speed:
            self._flow()
        return self._now

    def now(self) -> datetime:
        """Return the time of day."""
        return self.today + timedelta(seconds=self.time() - self.start)

    def random(self) -> float:
        """Return the number that `draw` gives."""
        return _drawn(self.draw)

    def call_at(self, when: float, callback: Callable[[], object]) -> FakeTimer:
        """Run `callback` once the clock shows `when`; in the loop's next turn if it does."""
        return self._set_timer(when, callback, is_sleep=False)

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> FakeTimer:
        """Run `callback` in so many seconds, of somebody who sleeps until then."""
        self.sleeps.append(seconds)
        self._sleepers += 1
        timer = self._set_timer(self.time() + seconds, callback, is_sleep=True)
        self._watchers.changed()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock shows so many seconds more; see the class for who moves it."""
        await sleep_on(self, seconds)

    def _set_timer(
        self, when: float, callback: Callable[[], object], *, is_sleep: bool
    ) -> FakeTimer:
        timer = FakeTimer(callback, self._forget, is_sleep)
        self._set += 1
        if when <= self.time():
            asyncio.get_running_loop().call_soon(self._fire, timer)
        else:
            heapq.heappush(self._timers, (when, next(self._serial), timer))
            self._arrange()
        return timer

    # In the hand of a test.

    @property
    def speed(self) -> float:
        """The seconds that pass for each second of the event loop's own time."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        _check_speed(speed)
        self.time()  # until now it was as quick as before
        self._speed = speed
        self._seen = None
        self.time()
        self._arrange()

    def advance(self, seconds: float) -> None:
        """Move on, and do what falls due on the way, each at its time and in order.

        Tasks that wake up run when the caller next awaits, by when all the time has passed.

        Raises:
            ConfigError: `seconds` is negative, or not a number.
        """
        if not seconds >= 0:
            raise ConfigError.of("FakeClock.advance's seconds", seconds, "0 or more")
        self._move_to(self.time() + seconds)
        self._arrange()

    @property
    def sleepers(self) -> int:
        """The number of callers that sleep."""
        return self._sleepers

    async def wait_for_sleepers(self, count: int = 1) -> None:
        """Wait until at least so many callers sleep."""
        await self._watchers.wait(lambda: self._sleepers >= count)

    @property
    def timers(self) -> int:
        """The number of timers that are set, those of sleepers included."""
        return self._set

    # Moving.

    def _flow(self) -> None:
        """Take in the time that has passed on the loop."""
        loop = asyncio._get_running_loop()
        if loop is None:
            return
        now = loop.time()
        if self._seen is not None and self._seen[0] is loop:
            self._now += (now - self._seen[1]) * self._speed
        self._seen = loop, now

    def _move_to(self, end: float) -> None:
        while (when := self._next()) is not None and when <= end:
            self._fire_next()
        self._now = max(self._now, end)

    def _next(self) -> float | None:
        """Return when the next timer is due; None if none ever is."""
        timers = self._timers
        while timers and not timers[0][2].is_set:
            heapq.heappop(timers)
        return timers[0][0] if timers and timers[0][0] < math.inf else None

    def _fire_next(self) -> None:
        when, _, timer = heapq.heappop(self._timers)
        self._now = max(self._now, when)
        self._fire(timer)

    def _fire(self, timer: FakeTimer) -> None:
        if timer.is_set:
            self._count_out(timer)
            timer.fire()

    def _count_out(self, timer: FakeTimer) -> None:
        self._set -= 1
        self._sleepers -= timer.is_sleep

    def _forget(self, timer: FakeTimer) -> None:
        """Count a timer that was cancelled; those that are left behind do not pile up."""
        self._count_out(timer)
        if len(self._timers) > 2 * self._set + 8:
            self._timers = [each for each in self._timers if each[2].is_set]
            heapq.heapify(self._timers)
        if not self._timers or not self._set:
            self._disarm()

    def _arrange(self) -> None:
        """See to it that whatever moves the clock next will run."""
        loop = asyncio._get_running_loop()
        if loop is None:
            return
        if self.auto_advance and self._sleepers and self._stepping is not loop:
            self._stepping = loop
            loop.call_soon(self._step, loop, 0)
        if self._speed:
            self._arm(loop, 0.0)
        elif self.auto_advance and self._set and not self._sleepers:
            self._arm(loop, _LOOK)

    def _step(self, loop: asyncio.AbstractEventLoop, turn: int) -> None:
        """Move to the next timer for those who sleep, once the others have had their turns."""
        self._stepping = None
        if not (self.auto_advance and self._sleepers):
            return self._arrange()
        busy = has_ready_callbacks(loop)
        needed = _BLIND_TURNS if busy is None else _MOST_TURNS if busy else _LEAST_TURNS
        if turn >= needed:
            if self._next() is None:
                return None  # all sleep for ever; the next timer that is set goes on here
            self._fire_next()
            turn = -1
        self._stepping = loop
        loop.call_soon(self._step, loop, turn + 1)
        return None

    # The alarm: a timer of the loop's by which the clock moves though nobody sleeps.

    def _arm(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        if self._speed:
            self._disarm()
            when = self._next()
            if when is not None:
                delay = max(0.0, when - self.time()) / self._speed
                self._alarm = loop, loop.call_later(delay, self._ring, loop, delay)
        elif self._alarm is None or self._alarm[0] is not loop:
            self._alarm = loop, loop.call_later(delay, self._ring, loop, delay)

    def _disarm(self) -> None:
        alarm, self._alarm = self._alarm, None
        if alarm is not None and not alarm[0].is_closed():
            alarm[1].cancel()

    def _ring(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._alarm = None
        if self._speed:
            self._move_to(self.time())
            self._arrange()
            return
        when = self._next()
        if when is None or self._sleepers or not self.auto_advance:
            return
        if is_idle(loop, min(_SOON, when - self._now), _is_alarm):
            self._fire_next()
            delay = 0.0
        if self._alarm is None and self._set:
            self._arm(loop, min(2 * delay or _LOOK, _LAST_LOOK))


def _check_speed(speed: float) -> None:
    if not 0 <= speed < math.inf:
        raise ConfigError.of("FakeClock.speed", speed, "0 or more, and finite")


def _is_alarm(handle: asyncio.TimerHandle) -> bool:
    return getattr(handle._callback, "__func__", None) is FakeClock._ring  # type: ignore[attr-defined]  # private


@define(eq=False)
class LoopClock:
    """A `Clock` on the running event loop's time, with randomness and the date fixed.

    With it, scenarios in virtual time are exact to the digit:

        async def scenario():
            pipeline = Pipeline(clock=LoopClock(draw=0.0))

        run_in_virtual_time(scenario())

    Args:
        draw: As for `FakeClock`; the default is 0.5.
        today: The time of day when the loop's time is zero, aware. The default is the first
            of January 2026, 0:00 UTC.

    Attributes:
        sleeps: The seconds of each sleep that was begun.
    """

    draw: Draw = field(default=0.5, kw_only=True, validator=_DRAW)
    today: datetime = field(default=_NEW_YEAR, kw_only=True, validator=_AWARE)
    sleeps: list[float] = field(factory=list, init=False)

    def time(self) -> float:
        """Return the loop's time, in seconds."""
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """Return the time of day."""
        return self.today + timedelta(seconds=self.time())

    def random(self) -> float:
        """Return the number that `draw` gives."""
        return _drawn(self.draw)

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Run `callback` when the loop's time is `when`."""
        return asyncio.get_running_loop().call_at(when, callback)

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Run `callback` in so many seconds of the loop's, of somebody who sleeps until then."""
        self.sleeps.append(seconds)
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop, so many seconds."""
        await sleep_on(self, seconds)
