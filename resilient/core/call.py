"""The call: what the user asked for, over all its hops and attempts.

Every middleware of ours that a request passes finds the call in a context variable, which
the outermost of them sets. So a request that is under way twice (a middleware outside ours
hedges, or shields the first and begins a second) is two calls, each in a task of its own; and
a request that a middleware makes meanwhile (for a token, say) is a call of its own too, for
it is another request. Under `wrap` a call spans its redirects: the session begins it, and
each hop joins it; a plain middleware meets each hop by itself and makes that a call.

Who writes what, and who reads it:

    slot               written by              read by
    override           attach, begin           all
    span               begin (wrap)            attach, Deadline, AttemptTimeout, Retry
    request            attach                  attach
    outer              attach, begin           around
    deadline, allowed  Deadline                Retry, normalisation, run_attempt
    attempt_deadline   AttemptTimeout          run_attempt
    read_until         AttemptTimeout          Retry: a body that belongs to the attempt
    before             Retry                   run_attempt, for the facts of an outcome
    outcome            run_attempt, Retry      normalisation, breaker, Retry
    failure            run_attempt, Retry      Deadline: the cause of its error
    refused_until      run_attempt             Retry: a shorter wait would be in vain
    held               admit                   guards: their patience with the call
    counted            Retry                   Retry: the budgets that have counted the call
    keys               Retry                   Retry: idempotency keys by origin
    records, waits     Retry                   errors, `attempts_of`
    stop               Retry, Deadline         errors
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextvars import ContextVar, Token
from typing import Any, Final, NamedTuple

from aiohttp import ClientRequest, ClientResponse, ClientSession, ClientTimeout

from resilient.attempts import Attempt, History, Record, Stop, Wait
from resilient.clock import Clock
from resilient.core.outcome import Outcome
from resilient.core.override import NO_OVERRIDE, Override, give_back, scope, take_over
from resilient.errors import ResilientError
from resilient.headers.retry_after import ResetHeader

__all__ = [
    "UNSET",
    "Attached",
    "Call",
    "attach",
    "attempts_of",
    "begin",
    "current",
    "detach",
    "end",
    "remember",
    "tell_attempts",
]


class _Unset:
    """The type of `UNSET`."""


# Where None means something.
UNSET: Final = _Unset()

_numbers = itertools.count(1)


class Span(NamedTuple):
    """State that a session keeps of a call it began, for all redirects of the call.

    Attributes:
        session: The session.
        total: aiohttp's own total timeout, in seconds; None for none.
        began: When that began, on the event loop's scale.
        given: The total of a `timeout=` that was given with the call, in seconds; infinity if it
            says that there is no limit; None if none was given.
    """

    session: ClientSession
    total: float | None
    began: float
    given: float | None


class Call:
    """One call while it runs."""

    __slots__ = (
        "_number",
        "allowed",
        "attempt_deadline",
        "before",
        "counted",
        "deadline",
        "failure",
        "held",
        "keys",
        "outcome",
        "outer",
        "override",
        "override_token",
        "read_until",
        "records",
        "refused_until",
        "request",
        "span",
        "stop",
        "waits",
    )

    def __init__(self) -> None:
        self.override: Override = NO_OVERRIDE
        self.override_token: Token[Override] | None = None
        # If a session began it.
        self.span: Span | None = None
        # The hop under way.
        self.request: ClientRequest | None = None
        # The call that it was made in, by a middleware of that, while it is under way.
        self.outer: Call | None = None
        # When the call has to be over, on the clock's scale.
        self.deadline: float | None = None
        # The seconds that it was given, for whoever says that they are over.
        self.allowed: float | None = None
        # When the attempt under way has to be over; and until when its body may be read.
        self.attempt_deadline: float | None = None
        self.read_until: float | None = None
        # `request.response` before the attempt under way, if a retry counts attempts.
        self.before: ClientResponse | _Unset | None = UNSET
        # What the last attempt came to, if it did not simply go well.
        self.outcome: Outcome | None = None
        # The last exception that an attempt ended with; not a cancellation.
        self.failure: Exception | None = None
        # Until when a guard inside would refuse the next attempt.
        self.refused_until: float | None = None
        # The seconds that each guard has held it back, over all of its attempts.
        self.held: dict[object, float] | None = None
        # The retry budgets that have counted the call: each service on its way has its own.
        self.counted: tuple[object, ...] = ()
        # Idempotency keys by origin.
        self.keys: dict[str, str] | None = None
        self.records: tuple[Record, ...] = ()
        # The wait that followed a record, by the place of the record.
        self.waits: dict[int, Wait] | None = None
        self.stop: Stop | None = None
        self._number = 0

    @property
    def number(self) -> int:
        """The number by which events of one call can be put together; of this process."""
        if self._number == 0:
            self._number = next(_numbers)
        return self._number

    @property
    def cut_off(self) -> float | None:
        """Time at which aiohttp's own total timeout ends it, on the event loop's scale, or None."""
        span = self.span
        return span.began + span.total if span is not None and span.total else None

    def is_overdue(self, now: float) -> bool:
        """Return whether a limit of time is what ends the call, or its attempt, now."""
        # Timers may be early by their grain, which is a millisecond in some event loops.
        return any(
            when is not None and now >= when - 0.002
            for when in (self.deadline, self.attempt_deadline)
        )

    def note_outcome(
        self,
        request: ClientRequest,
        result: ClientResponse | BaseException,
        before: ClientResponse | None,
        *,
        duration: float,
        clock: Clock,
        pool_was_full: bool = False,
        reset_headers: tuple[ResetHeader, ...] = (),
    ) -> Outcome:
        """Find the outcome of a response or an exception, or make it and keep it.

        The arguments are those of `Outcome`. `before` gives way to that of a retry that counts
        the attempt: a request which a middleware has sent twice within one attempt was sent.
        """
        if isinstance(result, Exception):
            self.failure = result
        found = self.outcome
        if found is not None and found.covers(result):
            found.read_with(reset_headers)
            return found
        if not isinstance(self.before, _Unset):
            before = self.before
        self.outcome = Outcome(
            request,
            result,
            before,
            duration=duration,
            clock=clock,
            pool_was_full=pool_was_full,
            reset_headers=reset_headers,
        )
        return self.outcome

    def waited(self, wait: Wait) -> None:
        """Record the wait that follows the last attempt."""
        if self.waits is None:
            self.waits = {}
        self.waits[len(self.records) - 1] = wait

    def around(self) -> Iterator[Call]:
        """Return the calls that it was made in by their middlewares, the nearest first."""
        outer = self.outer
        while outer is not None:
            yield outer
            outer = outer.outer

    def was_held(self, guard: object, seconds: float) -> None:
        """Add to the time that a guard has held the call back."""
        if self.held is None:
            self.held = {}
        self.held[guard] = self.held_by(guard) + seconds

    @property
    def queued(self) -> float:
        """The seconds that guards have held the call back, over all of its attempts."""
        return 0.0 if self.held is None else sum(self.held.values())

    def held_by(self, guard: object) -> float:
        """Return the seconds that a guard has held the call back, over all of its attempts."""
        return 0.0 if self.held is None else self.held.get(guard, 0.0)

    def history(self) -> History:
        """Return all that an error keeps of the call."""
        return History(self.records, self.waits, self.stop)


current: Final[ContextVar[Call | None]] = ContextVar("resilient_call", default=None)

# A hop that joined the call of its session, and did not set the variable.
_JOINED: Final = object()

# What `attach` returns: the call, and for whoever has to `detach` it a token.
Attached = tuple[Call, Any]


def attach(request: ClientRequest) -> Attached:
    """Find the call of a request, or begin one.

    Returns:
        The call, and None if a middleware further out has attached it; else a token for
        `detach`.
    """
    call = current.get()
    if call is not None:
        if call.request is request:
            return call, None
        span = call.span
        if span is not None and call.request is None and span.session is request.session:
            call.request = request
            return call, _JOINED
    outer, call = call, Call()
    call.outer = outer
    call.request = request
    settings = scope.get()
    if settings is not NO_OVERRIDE:
        call.override = settings
        call.override_token = take_over()
    return call, current.set(call)


def detach(call: Call, token: Any) -> None:
    """End a hop, and with it the call unless its session spans more.

    The outcome goes: an exception in it refers to frames that refer to the call.
    """
    call.request = None
    call.before = UNSET
    call.outcome = call.failure = call.held = None
    if token is _JOINED:
        return
    call.outer = None
    try:  # noqa: SIM105 (every call pays for it)
        current.reset(token)
    except ValueError:
        # A coroutine that is thrown away is closed in another context.
        pass
    if call.override_token is not None:
        give_back(call.override_token)
        call.override_token = None


def begin(session: ClientSession, timeout: Any, given: float | None) -> Attached:
    """Begin the call of a session, which spans its redirects.

    Args:
        session: The session.
        timeout: aiohttp's own timeout for the call.
        given: The total of a timeout that was given with the call, in seconds; infinity if it
            says that there is no limit; None if none was given.
    """
    call = Call()
    total = timeout.total if isinstance(timeout, ClientTimeout) else timeout
    total = total if isinstance(total, int | float) else None
    call.span = Span(session, total, asyncio.get_running_loop().time(), given)
    call.outer = current.get()
    call.override = scope.get()
    call.override_token = take_over()
    return call, current.set(call)


def end(call: Call, token: Token[Call | None]) -> None:
    """End the call of a session: nothing that it leaves behind refers to that."""
    call.span = None
    detach(call, token)


def remember(response: Any, call: Call) -> None:
    """Let `attempts_of` find the call of a response."""
    # aiohttp has no slot for it. (Not by way of `__dict__`: asking an instance for that makes
    # all of its attributes slower.)
    response._resilient_call = call


def tell_attempts(error: Exception, call: Call) -> None:
    """Let an exception tell what was attempted, and why no more was."""
    if isinstance(error, ResilientError):
        history = call.history()
        # A refusal says itself why.
        error._history = history if history.stop else history._replace(stop=error._history.stop)
    if len(call.records) > 1:
        said = getattr(error, "__notes__", ())
        for attempt in call.history().attempts():
            if str(attempt) not in said:
                error.add_note(str(attempt))


def attempts_of(response: ClientResponse) -> tuple[Attempt, ...]:
    """Return the attempts for a response, oldest first; none if no `Retry` was in its way."""
    call: Call | None = getattr(response, "_resilient_call", None)
    return () if call is None else call.history().attempts()
