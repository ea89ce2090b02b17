"""Limits on how long a call, and each of its attempts, may take until the response is there."""

from __future__ import annotations

import asyncio
import math
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.attempts import Stop
from resilient.clock import SYSTEM_CLOCK, Clock, LoopBound
from resilient.core.attempt import run_attempt
from resilient.core.call import UNSET, Call, attach, detach, tell_attempts
from resilient.core.override import NO_OVERRIDE
from resilient.errors import AttemptTimeoutError, DeadlineExceededError
from resilient.reasons import Reason
from resilient.support.redact import public_url
from resilient.support.timers import Limit, Serial, Task, TimerQueue
from resilient.support.validation import positive, validated
from resilient.wire.connections import is_full, pool_turn
from resilient.wire.requests import is_connecting, upload_progress, writer_of

__all__ = ["AttemptTimeout", "Deadline"]

# How many times in an attempt's limit to look whether its upload moves.
_LOOKS: Final = 4


class Deadline(LoopBound):
    """One limit over attempts, waits and the reading of error bodies.

    Under `wrap` it spans the whole call, redirects included, and a call's own `timeout=` takes
    its place; elsewhere it is for one hop.

    Args:
        seconds: The limit.
        clock: The source of time; by default the event loop's.

    Raises:
        DeadlineExceededError: The time ran out.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_timers", "seconds")

    def __init__(self, seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.seconds = validated(self, "seconds", seconds, positive())
        self._timers = TimerQueue(clock, seconds)

    def loop_changed(self, now: float | None) -> None:
        """Forget the timers of the loop that is closed."""
        self._timers.reset()

    def describe(self) -> str:
        """Return its settings in words."""
        return f"{self.seconds:g} s for the whole call"

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Run the request within the time that its call has left."""
        if self.loop is not get_running_loop():
            self.claim()
        call, token = attach(request)
        begun = call.begun
        outer = call.deadline if begun is None else None
        now = self.time() if begun is None else begun.started
        seconds = self.seconds
        if call.override is not NO_OVERRIDE:
            seconds = call.override.total_timeout or seconds
        span = call.span
        if span is not None and span.given is not None:
            seconds = span.given
        try:
            if outer is None and seconds == self.seconds:
                call.deadline = now + seconds
                call.allowed = seconds
                limit: Serial | Limit
                if begun is None:
                    limit = self._timers.set(now)
                else:
                    limit = begun.deadline or self._timers.set_at(call.deadline)
            else:
                # A later hop of the call, a deadline within another, or a time of the call's own.
                due = now + seconds
                if outer is None or due < outer:
                    call.deadline, call.allowed = due, seconds
                else:
                    due = outer
                if due <= now:
                    raise self._exceeded(call, request)
                limit = self._timers.set_at(due)
            is_begun = begun is not None or call.decision is not UNSET
            # Nothing but what follows calls is outside, or the attempt began before.
            is_outermost = (token is not None and not call.lent) or _is_only_watched(call)
            call.is_limited = True
            if span is not None and (is_begun or is_outermost):
                # For the hops to come, and for another copy of this one; not if another of our
                # middlewares stands further out, whose call this is.
                span.deadline, span.allowed = call.deadline, call.allowed
            try:
                return await handler(request)
            except asyncio.CancelledError as cancelled:
                if self._timers.lift(limit):
                    raise self._exceeded(call, request) from call.failure or cancelled
                raise
            finally:
                self._timers.lift(limit)
        finally:
            call.deadline = outer
            if token is not None:
                detach(call, token)

    def limit(self, call: Call, started: float, task: Task, cancelling: int) -> Limit:
        """Limit a task whose call began before, and whose time may have come already.

        Args:
            call: The call.
            started: When it began.
            task: The task.
            cancelling: How many cancellations of it were under way then.
        """
        self.note(call, started)
        when = started + self.seconds
        return self._timers.set_at(when, task=task, cancelling=cancelling)

    def note(self, call: Call, started: float) -> None:
        """Note when a call has to be over that began with the policy's own limit."""
        call.deadline, call.allowed = started + self.seconds, self.seconds

    @staticmethod
    def _exceeded(call: Call, request: ClientRequest) -> DeadlineExceededError:
        url = str(public_url(request.url))
        error = DeadlineExceededError(call.allowed, method=request.method, url=url)
        call.stop = Stop(Reason.DEADLINE, "the deadline passed")
        tell_attempts(error, call)
        return error


def _is_only_watched(call: Call) -> bool:
    """Return whether no retry and no other deadline has met a call before, but who follows it."""
    return bool(call.watched_by) and not call.is_limited and call.before is UNSET


class _Watched:
    """An attempt whose time has run out once, and was put off."""

    __slots__ = (
        "before",
        "call",
        "connecting",
        "moved",
        "passed_over",
        "request",
        "seconds",
        "sent",
        "turn",
    )

    def __init__(
        self,
        call: Call,
        request: ClientRequest,
        before: ClientResponse | None,
        seconds: float,
    ) -> None:
        self.call = call
        self.request = request
        self.before = before
        self.seconds = seconds
        # Whether it has no connection yet.
        self.connecting = False
        # Its turn in the pool; and whether the pool had a place meanwhile, and gave it nobody.
        self.turn: asyncio.Future[None] | None = None
        self.passed_over = False
        # The bytes of its upload that have left, and when the last of them did.
        self.sent = -1
        self.moved = 0.0

    @property
    def is_sent(self) -> bool:
        """True if it has a connection, and aiohttp has begun to write."""
        return self.request.response is not self.before


class AttemptTimeout(LoopBound):
    """A limit for each attempt, until its response is there.

    The time begins when the attempt has its turn in the pool: waiting for a place there is not
    the server's slowness. It does not end an upload while bytes leave; an upload that stands
    still for as long as the limit is ended, and when one is over the time begins anew. A
    deadline bounds all of that. It goes as far as aiohttp lets it be seen: where a middleware
    inside has the request run in a task of its own, the wait for the pool counts, and so does
    one that is over before the limit is, if the pool had a place when the attempt began.

    Args:
        seconds: The limit.
        clock: The source of time; by default the event loop's.

    Raises:
        AttemptTimeoutError: The time ran out.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_timers", "lift", "seconds")

    def __init__(self, seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.seconds = validated(self, "seconds", seconds, positive())
        self._timers = TimerQueue(clock, seconds, _put_off)
        # Lifts a limit; returns whether it, and it alone, had cancelled the task.
        self.lift: Callable[[Serial | Limit | None], bool] = self._timers.lift

    def loop_changed(self, now: float | None) -> None:
        """Forget the timers of the loop that is closed."""
        self._timers.reset()

    def describe(self) -> str:
        """Return its settings in words."""
        return f"{self.seconds:g} s for each attempt"

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Run the request within the time for one attempt."""
        return run_attempt(request, handler, self, None, None, self)

    def begin(
        self, call: Call, request: ClientRequest, now: float, pool_was_full: bool
    ) -> Serial | Limit:
        """Limit the current task."""
        seconds = self.seconds
        if call.override is not NO_OVERRIDE or call.span is not None:
            seconds = self._seconds(call)
        call.attempt_deadline = call.read_until = now + seconds
        about = call, request, request.response, seconds
        if seconds == self.seconds and not pool_was_full:
            return self._timers.set(now, about)
        limit = self._timers.set_at(now + seconds, about)
        if pool_was_full and seconds != math.inf:
            # In a moment the task waits in the pool, and it can be seen what will end that.
            get_running_loop().call_soon(_look_at_pool, limit)
        return limit

    def note(self, call: Call, started: float) -> None:
        """Note when an attempt has to be over that began with the policy's own limit."""
        call.attempt_deadline = call.read_until = started + self.seconds

    def limit(
        self, call: Call, request: ClientRequest, started: float, task: Task, cancelling: int
    ) -> Limit:
        """Limit a task whose attempt began before, and whose time may have come already.

        Args:
            call: The call.
            request: The request.
            started: When the attempt began; the pool had a place then.
            task: The task.
            cancelling: How many cancellations of it were under way then.
        """
        self.note(call, started)
        about = call, request, None, self.seconds
        when = started + self.seconds
        return self._timers.set_at(when, about, task=task, cancelling=cancelling)

    def ran_out(
        self, limit: Serial | Limit, call: Call, request: ClientRequest
    ) -> AttemptTimeoutError | None:
        """Lift a limit; return the exception to raise if it caused the cancellation, else None."""
        own = self._timers.get(limit)
        about = None if own is None else own.about
        if not self._timers.lift(limit):
            return None
        return AttemptTimeoutError(
            self._seconds(call),
            method=request.method,
            url=str(public_url(request.url)),
            while_connecting=isinstance(about, _Watched) and about.connecting,
        )

    def _seconds(self, call: Call) -> float:
        seconds = self.seconds
        if call.override is not NO_OVERRIDE:
            seconds = call.override.attempt_timeout or seconds
        span = call.span
        if span is not None and span.given is not None:
            # Who gives a call more time does not want it cut by an attempt's.
            seconds = max(seconds, span.given)
        return seconds


def _watched(limit: Limit) -> _Watched | None:
    """Return what a limit is about; None if it was lifted or has fired."""
    if limit.about is None or limit.fired:
        return None
    if not isinstance(limit.about, _Watched):
        limit.about = _Watched(*limit.about)
    return limit.about


def _look_at_pool(limit: Limit) -> None:
    later = _wait_for_turn(limit)
    if later is not None:
        limit.move(later)


def _wait_for_turn(limit: Limit) -> float | None:
    """Let the time of an attempt that waits in the pool begin when it has its turn there.

    Returns:
        When to look again; None if it does not wait, or waits for nothing: aiohttp loses a turn
        whose waiter is cancelled as it is woken.
    """
    about = _watched(limit)
    if about is None or about.is_sent:
        return None
    turn = pool_turn(about.request, limit.task)
    if turn is None:
        return None
    if turn is not about.turn:
        about.turn = turn
        turn.add_done_callback(lambda _: _begin_anew(limit))
    was_passed_over, about.passed_over = about.passed_over, not is_full(about.request)
    if was_passed_over and about.passed_over:
        return None
    later = limit.clock.time() + about.seconds / (_LOOKS if about.passed_over else 1)
    about.call.attempt_deadline = about.call.read_until = later
    return later


def _begin_anew(limit: Limit) -> None:
    about = _watched(limit)
    if about is not None:
        when = limit.clock.time() + about.seconds
        about.call.attempt_deadline = about.call.read_until = when
        limit.move(when)


def _put_off(limit: Limit) -> float | None:
    """Put an attempt's limit off while it waits in the pool, or while its upload moves."""
    later = _wait_for_turn(limit)
    if later is not None:
        return later
    about = _watched(limit)
    if about is None:
        return None
    if not about.is_sent:
        about.connecting = is_connecting(about.request, limit.task)
        return None
    sent = upload_progress(about.request)
    writer = writer_of(about.request)
    if sent is None or writer is None:
        return None
    now = limit.clock.time()
    if about.sent < 0:
        writer.add_done_callback(lambda _: _begin_anew(limit))
    if sent > about.sent:
        about.sent, about.moved = sent, now
    elif now - about.moved >= about.seconds:
        return None
    later = now + about.seconds / _LOOKS
    about.call.attempt_deadline = about.call.read_until = later
    return later
