"""How long a call, and each of its attempts, may take until the response is handed over."""

from __future__ import annotations

import asyncio
import math
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.clock import SYSTEM_CLOCK, Clock, claim_loop, time_on
from resilient.core.attempt import run_attempt
from resilient.core.call import NO_OVERRIDE, Call, drop, take, tell_attempts
from resilient.errors import AttemptTimeoutError, DeadlineExceededError
from resilient.support.timers import Limit, TimerQueue
from resilient.support.validation import positive, validated

__all__ = ["AttemptTimeout", "Deadline"]


class _Limited:
    """What the two have in common: a duration, and the timers for it."""

    __slots__ = ("__weakref__", "_clock", "_loop", "_time", "_timers", "lift", "seconds")

    def __init__(self, seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.seconds = validated(self, "seconds", seconds, positive())
        self._clock = clock
        self._timers = TimerQueue(clock, seconds)
        self.lift: Callable[[int | Limit | None], bool] = self._timers.lift
        self._loop: asyncio.AbstractEventLoop | None = None
        self._time: Callable[[], float]  # from the loop on that it is first used on

    def _claim(self) -> None:
        self._loop = claim_loop(self, self._loop)
        self._time = time_on(self._loop, self._clock)


class Deadline(_Limited):
    """One limit over attempts, waits and the reading of error bodies.

    Under `wrap` it spans the whole call, redirects included; elsewhere one hop.

    Args:
        seconds: How long it may take.
        clock: The source of time.

    Raises:
        DeadlineExceededError: The time ran out.
        RuntimeError: It was used from a second event loop.
    """

    __slots__ = ()

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Run the request within the time that its call has left."""
        if self._loop is not get_running_loop():
            self._claim()
        call, is_outermost = take(request)
        outer = call.deadline
        now = self._time()
        seconds = self.seconds
        if call.override is not NO_OVERRIDE:
            seconds = call.override.total_timeout or seconds
        if outer is None and seconds == self.seconds:
            call.deadline = now + seconds
            limit: int | Limit | None = self._timers.set(now)
        else:
            # A later hop of the call, a deadline within another, or an override.
            call.deadline = min(now + seconds, math.inf if outer is None else outer)
            if call.deadline <= now:
                if is_outermost:
                    drop(request)
                raise self._exceeded(call, seconds)
            limit = self._timers.set_at(call.deadline)
        try:
            return await handler(request)
        except asyncio.CancelledError as cancelled:
            if self.lift(limit):
                raise self._exceeded(call, seconds) from call.failure or cancelled
            raise
        finally:
            self.lift(limit)
            if call.session is None or not is_outermost:
                # Only a call that spans its redirects has one deadline for all that comes.
                call.deadline = outer
            if is_outermost:
                drop(request)

    @staticmethod
    def _exceeded(call: Call, seconds: float) -> DeadlineExceededError:
        error = DeadlineExceededError(seconds)
        call.stopped = "the deadline passed"
        tell_attempts(error, call)
        return error


class AttemptTimeout(_Limited):
    """A limit for each attempt.

    Args:
        seconds: How long an attempt may take.
        clock: The source of time.

    Raises:
        AttemptTimeoutError: The time ran out.
        RuntimeError: It was used from a second event loop.
    """

    __slots__ = ()

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Run the request within the time for one attempt."""
        return run_attempt(request, handler, None, None, self)

    def begin(self, call: Call) -> int | Limit | None:
        """Limit the current task."""
        if self._loop is not get_running_loop():
            self._claim()
        now = self._time()
        seconds = self.seconds
        if call.override is not NO_OVERRIDE:
            seconds = call.override.attempt_timeout or seconds
        call.attempt_deadline = call.read_until = now + seconds
        if seconds == self.seconds:
            return self._timers.set(now)
        return self._timers.set_at(call.attempt_deadline)

    def ran_out(self, limit: int | Limit | None, call: Call) -> AttemptTimeoutError | None:
        """What stands for a cancellation of the task, if it was the limit that cancelled it."""
        if self.lift(limit):
            return AttemptTimeoutError(call.override.attempt_timeout or self.seconds)
        return None
