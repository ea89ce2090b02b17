"""Waits that end at once when the session is closed: between attempts, and in queues of guards.

Both are a `Turn`: a timer for a wait (`Clock.wake_after`), and whatever ends it before.

A session that only borrows its connector (but for one that `wrap` made) gives no sign when it
is closed: then that is noticed when the wait is over.
"""

from __future__ import annotations

import asyncio
import math

from aiohttp import ClientSession

from resilient.clock import Clock, TimerHandle
from resilient.wire.connections import CloseWatch, check_open, watch_close

__all__ = ["Turn", "sleep"]


async def sleep(seconds: float, session: ClientSession, clock: Clock) -> None:
    """Wait for so many seconds.

    Raises:
        SessionClosedError: The session is closed, or was closed meanwhile.
    """
    turn = Turn(clock)
    woken = turn.begin(clock.time() + seconds, session, seconds)
    try:
        await woken
    finally:
        turn.end()
    check_open(session)


class Turn:
    """An attempt that waits, as it stands in the queues of guards, if it stands in any.

    A wait ends when somebody wakes it, at a time, or when the session is closed. (Not a
    coroutine, since thousands may wait, and each coroutine is another frame.)

    Attributes:
        until: When its wait ends on the clock's scale if nobody wakes it; infinity for never.
    """

    __slots__ = ("_clock", "_is_due", "_timer", "_watch", "_woken", "until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken: asyncio.Future[None] | None = None
        self.until = math.inf
        self._is_due = False
        self._timer: TimerHandle | None = None
        self._watch: CloseWatch | None = None

    def begin(
        self, until: float, session: ClientSession, seconds: float | None = None
    ) -> asyncio.Future[None]:
        """Begin a wait: from now on `wake` counts.

        Args:
            until: When it ends on the clock's scale if nothing else ends it; infinity for never.
            session: The session of the attempt.
            seconds: The length of the wait, if that is what was asked for: counted from a time
                that is not exact, it would not be exact either.

        Returns:
            What to await before `end` is called.

        Raises:
            SessionClosedError: The session is closed.
        """
        check_open(session)
        self._woken = asyncio.get_running_loop().create_future()
        self.until, self._is_due = until, False
        if until < math.inf:
            if seconds is None:
                seconds = max(0.0, until - self._clock.time())
            self._timer = self._clock.wake_after(seconds, self._time_up)
        self._watch = watch_close(session, self.wake)
        return self._woken

    def wake(self) -> None:
        """Let the attempt ask again, at whichever guard it waits."""
        woken = self._woken
        # After its loop was closed an attempt may leave late, and wake the next one.
        if woken is not None and not woken.done() and not woken.get_loop().is_closed():
            woken.set_result(None)

    def end(self) -> float:
        """End the wait, and return the time, in seconds.

        If the time has ended it, it is never before `until`, although timers may be early by
        their grain (a millisecond in some event loops): a guard would send the attempt away
        again and again until it is really there.
        """
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        # They refer to this turn.
        self._timer = self._watch = self._woken = None
        now = self._clock.time()
        return max(now, self.until) if self._is_due else now

    def _time_up(self) -> None:
        self._is_due = True
        self.wake()
