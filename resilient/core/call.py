"""The call: what the user asked for, over all its hops and attempts.

Every middleware of ours that a request passes finds the call in a context variable, which
the outermost of them sets. So a request that is under way twice (a middleware outside ours
hedges, or shields the first and begins a second) is two calls, each in a task of its own; and
a request that a middleware makes meanwhile (for a token, say) is a call of its own too, for
it is another request. A plain middleware meets each hop by itself and makes that a call.

Under `wrap` a call spans its redirects, as a `Span` of which each hop has a call of its own. If
something was said for the call alone, the session begins the span, which is what the variable
has between the hops; if not, the first hop that needs it does, and the later ones find it by the
timer that aiohttp has for all hops of a call. So two
copies of a hop know nothing of each other, but they have the same override, deadline and
number. A hop that ends leaves its records to the hops after it. One that is cancelled does not:
of two at once the other has answered, and the redirect that follows is that one's.

Who writes what, and who reads it:

    slot               written by              read by
    override           attach, begin (wrap)    all
    span               attach                  Deadline, AttemptTimeout
    request            attach                  attach
    outer              attach, begin           around
    origin, origin_of  guards                  guards
    deadline, allowed  Deadline                Retry, normalisation, run_attempt
    is_limited         Deadline                Deadline: whether it is the outermost
    attempt_deadline   AttemptTimeout          run_attempt
    read_until         AttemptTimeout          Retry: a body that belongs to the attempt
    before             Retry                   run_attempt, for the facts of an outcome
    begun              pipeline.optimistic     Deadline, Retry, run_attempt: the first attempt
    lent               attach                  detach
    decision           pipeline.optimistic     run_attempt: the first attempt
    outcome            run_attempt, Retry      normalisation, breaker, Retry
    failure            run_attempt, Retry      Deadline: the cause of its error
    guarded            run_attempt             Retry: when guards would let the next attempt go
    held               admit                   guards: their patience with the call
    holds, waiting     admit                   Retry: an attempt's time in queues
    keys               Retry                   Retry: idempotency keys by origin
    records, waits     Retry                   errors, `attempts_of`
    stop               Retry, Deadline         errors, CallWatch
    watched_by         CallWatch               CallWatch
    watched            CallWatch (a `Span`'s)  end
    sent               AttemptTelemetry        CallTelemetry, AttemptTelemetry
    traced             CallTelemetry           AttemptTelemetry
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any, Final
from weakref import ReferenceType, ref

from aiohttp import ClientRequest, ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from resilient.attempts import Attempt, History, Record, Stop, Wait
from resilient.clock import Clock
from resilient.core.begun import Begun, open_call
from resilient.core.outcome import Outcome
from resilient.core.override import NO_OVERRIDE, Override, give_back, scope, take_over
from resilient.errors import ResilientError
from resilient.headers.retry_after import ResetHeader
from resilient.support.redact import origin_of

__all__ = [
    "UNSET",
    "Attached",
    "Call",
    "Span",
    "attach",
    "attempts_of",
    "begin",
    "current",
    "detach",
    "end",
    "hop_spans",
    "is_spanned",
    "make_call",
    "remember",
    "tell_attempts",
]


class _Unset:
    """The type of `UNSET`."""


# Where None means something.
UNSET: Final = _Unset()

_numbers = itertools.count(1)


class Call:
    """One call while it runs; under `wrap` one hop of it."""

    # Facts that few calls have: the class has their defaults, so that the others need not store
    # them. (So there are no __slots__.)

    override_token: Token[Override] | None = None
    # The last exception that an attempt ended with; not a cancellation.
    failure: Exception | None = None
    # The outcome that guards inside have seen last, if the attempt did not simply go well.
    guarded: Outcome | None = None
    # When guards held the attempt under way, from and until; and whether one does.
    holds: tuple[tuple[float, float], ...] = ()
    waiting = False
    # Idempotency keys by origin.
    keys: dict[str, str] | None = None
    # The wait that followed a record, by the place of the record.
    waits: dict[int, Wait] | None = None
    stop: Stop | None = None
    # Whether a deadline has met it.
    is_limited = False
    # The scopes of those who watch it.
    watched_by: tuple[Hashable, ...] = ()
    # Requests that were sent, over all hops, as far as telemetry counts them.
    sent = 0
    # What has made its span, and whether that is recorded.
    traced: tuple[object, bool] | None = None
    # The call within which a middleware makes this one, for a token say; a weak reference.
    outer: ReferenceType[Call] | None = None
    _number = 0
    # The part of the first attempt that is over before the middlewares come to it.
    begun: Begun | None = None
    # What guards have decided of the first attempt before the middlewares come to it.
    decision: Any = UNSET
    # Whether it belongs to an attempt that began without it, further out, and ends with that.
    lent = False

    def __init__(
        self, request: ClientRequest | None = None, override: Override = NO_OVERRIDE
    ) -> None:
        # The request under way.
        self.request = request
        self.override = override
        # The origin of a URL, as guards have asked for it.
        self.origin = ""
        self.origin_of: URL | None = None
        # The call that it is a hop of, if a session began that.
        self.span: Span | None = None
        # When the call has to be over, on the clock's scale; and the seconds that it was given,
        # for whoever says that they are over.
        self.deadline: float | None = None
        self.allowed: float | None = None
        # When the attempt under way has to be over; and until when its body may be read.
        self.attempt_deadline: float | None = None
        self.read_until: float | None = None
        # `request.response` before the attempt under way, if a retry counts attempts.
        self.before: ClientResponse | _Unset | None = UNSET
        # What the last attempt came to, if it did not simply go well.
        self.outcome: Outcome | None = None
        # The seconds that each guard has held it back, over all of its attempts.
        self.held: dict[object, float] | None = None
        self.records: tuple[Record, ...] = ()

    @property
    def number(self) -> int:
        """The number by which events of one call can be put together; of this process."""
        if self._number == 0:
            self._number = next(_numbers) if self.span is None else self.span.number
        return self._number

    @property
    def is_over(self) -> bool:
        """True if it has ended; a task that began in it goes on with it in its context."""
        return self.request is None

    @property
    def cut_off(self) -> float | None:
        """Time at which aiohttp's own total timeout ends it, on the event loop's scale, or None."""
        span = self.span
        return span.began + span.total if span is not None and span.total else None

    def find_origin(self, request: ClientRequest) -> str:
        """Return the origin of its request, and remember it for the next guard that asks."""
        # A middleware may send the request somewhere else the next time.
        url = self.origin_of = request.url
        self.origin = origin_of(url)
        return self.origin

    def around(self) -> Iterator[Call]:
        """Return the calls that it was made in by their middlewares, the nearest first."""
        outer = self.outer
        while outer is not None:
            call = outer()
            if call is None:
                return
            yield call
            outer = call.outer

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

    def was_held(self, guard: object, seconds: float) -> None:
        """Add to the time that a guard has held the call back."""
        if self.held is None:
            self.held = {}
        self.held[guard] = self.held_by(guard) + seconds

    def take_queued(self, since: float) -> float:
        """Return the seconds that guards have held an attempt that began then, and forget them."""
        holds, self.holds = self.holds, ()
        return sum(ended - began for began, ended in holds if began >= since)

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


class Span(Call):
    """The call of a session: what its hops begin with, and leave to each other.

    Attributes:
        session: The session, if that began it and the call is not over; else None.
        total: aiohttp's own total timeout, in seconds; None for none.
        began: When that began, on the event loop's scale.
        given: The total of a `timeout=` that was given with the call, in seconds; infinity if it
            says that there is no limit; None if none was given.
    """

    # What is known to those who watch the call, by their scopes; and whom to tell of its end.
    watched: Mapping[Hashable, Any] = MappingProxyType({})
    _told: tuple[tuple[Any, Callable[[Any, BaseException | None], None]], ...] = ()

    def __init__(
        self, session: ClientSession | None, total: float | None, began: float, given: float | None
    ) -> None:
        super().__init__()
        self.session = session
        self.total = total
        self.began = began
        self.given = given
        # Those by which later hops may find it, while they live.
        self.keepers: set[ReferenceType[Any]] = set()

    @property
    def is_over(self) -> bool:
        """True if it has ended."""
        return self.session is None

    def watch(
        self, scope: Hashable, watched: Any, over: Callable[[Any, BaseException | None], None]
    ) -> None:
        """Have somebody told when the call is over.

        Args:
            scope: The key by which the next hops find it.
            watched: What is known of the call.
            over: Called with that, and with what was raised in the place of a response or None.
        """
        self.watched = {**self.watched, scope: watched}
        self._told = (*self._told, (watched, over))

    def tell_over(self, error: BaseException | None) -> None:
        """Tell those who watch it that the call is over, once."""
        told, self._told = self._told, ()
        # What is known refers to the call.
        self.watched = MappingProxyType({})
        for watched, over in told:
            over(watched, error)

    def begin_hop(self, request: ClientRequest) -> Call:
        """Return the call of a hop that begins now."""
        hop = Call(request, self.override)
        hop.span = self
        hop.deadline = self.deadline
        hop.allowed = self.allowed
        hop.records = self.records
        if self.outer is not None:
            hop.outer = self.outer
        if self.held is not None:
            hop.held = dict(self.held)
        if self.keys is not None:
            hop.keys = self.keys
        if self.waits is not None:
            # Not the same: another copy of the hop has waits of its own.
            hop.waits = dict(self.waits)
        return hop

    def end_hop(self, hop: Call) -> None:
        """Keep for the hops to come what one leaves them, unless it was cancelled."""
        error = sys.exception()
        if error is None or isinstance(error, Exception):
            self.records, self.waits = hop.records, hop.waits
            self.held, self.keys = hop.held, hop.keys
        if self.keepers and hop.request is not None and hop.request.response is not None:
            # aiohttp keeps a response that leads to another hop.
            _keep(self, hop.request, hop.request.response)


# Spans that no session began, by the identity of aiohttp's timer for their calls.
hop_spans: Final[dict[int, Span]] = {}


def is_spanned(request: Any) -> bool:
    """Return whether a request is a hop of a call whose span was found by its timer."""
    return bool(hop_spans) and id(request._timer) in hop_spans


def _span_of(request: Any, override: Override, elapsed: float) -> Span | None:
    """Return the span of a request that no session began; None if its session has none."""
    session: Any = request.session
    if not getattr(session, "_resilient_spans_redirects", False):
        return None
    timer = getattr(request, "_timer", None)
    span = hop_spans.get(id(timer))
    if span is None:
        total = session.timeout.total
        span = Span(None, total, asyncio.get_running_loop().time() - elapsed, None)
        # Of a coroutine that was made outside a block, and is awaited inside, the block is told.
        span.override = override
        if timer is not None:
            _keep(span, request, request)
    return span


def _keep(span: Span, request: Any, keeper: Any) -> None:
    """Let later hops find a span as long as something lives that has the timer of its call."""
    key = id(request._timer)

    def forget(dead: ReferenceType[Any]) -> None:
        found = hop_spans.get(key)
        if found is not None:
            found.keepers.discard(dead)
            if not found.keepers:
                del hop_spans[key]

    span.keepers.add(ref(keeper, forget))
    hop_spans[key] = span


current: Final[ContextVar[Call | None]] = ContextVar("resilient_call", default=None)

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
        if isinstance(call, Span) and call.session is request.session:
            call = call.begin_hop(request)
            return call, current.set(call)
    if call is None or call.is_over:
        opened = open_call(request)
        if opened is not None:
            call, is_own = opened
            if is_own:
                call.lent = True
                return call, current.set(call)
    outer, call = call, make_call(request, scope.get())
    if outer is not None:
        call.outer = ref(outer)
    if call.override is not NO_OVERRIDE and (call.span is None or call.span.session is None):
        call.override_token = take_over()
    return call, current.set(call)


def make_call(request: ClientRequest, override: Override, elapsed: float = 0.0) -> Call:
    """Return a new call for a request.

    Args:
        request: The request.
        override: The settings that held when it began.
        elapsed: The seconds since it began.
    """
    span = _span_of(request, override, elapsed)
    return Call(request, override) if span is None else span.begin_hop(request)


def detach(call: Call, token: Token[Call | None]) -> None:
    """End a call, or a hop of one.

    The outcome goes: an exception in it refers to frames that refer to the call.
    """
    if call.lent:
        _reset(token)
        return
    span = call.span
    if span is not None:
        span.end_hop(call)
        call.span = None
    call.request = call.before = call.held = None
    if call.outcome is not None:
        call.outcome = call.guarded = call.failure = None
    _reset(token)
    if call.override is not NO_OVERRIDE and call.override_token is not None:
        give_back(call.override_token)
        call.override_token = None


def _reset(token: Token[Call | None]) -> None:
    try:  # noqa: SIM105 (every call pays for it)
        current.reset(token)
    except ValueError:
        # A coroutine that is thrown away is closed in another context.
        pass


def begin(
    session: ClientSession, timeout: Any, given: float | None
) -> tuple[Span, Token[Call | None]]:
    """Begin the call of a session, which spans its redirects.

    Args:
        session: The session.
        timeout: aiohttp's own timeout for the call.
        given: The total of a timeout that was given with the call, in seconds; infinity if it
            says that there is no limit; None if none was given.
    """
    total = timeout.total if isinstance(timeout, ClientTimeout) else timeout
    total = total if isinstance(total, int | float) else None
    span = Span(session, total, asyncio.get_running_loop().time(), given)
    outer = current.get()
    if outer is not None:
        span.outer = ref(outer)
    span.override = scope.get()
    span.override_token = take_over()
    return span, current.set(span)


def end(span: Span, token: Token[Call | None]) -> None:
    """End the call of a session: nothing that it leaves behind refers to that."""
    if span._told:
        span.tell_over(None)
    span.session = None
    detach(span, token)


def remember(response: Any, call: Call) -> None:
    """Let `attempts_of` find the call of a response."""
    # aiohttp has no slot for it. (Of an attempt that simply went well, `pipeline.optimistic` puts
    # the two times and the URL here. Not by way of `__dict__`: asking an instance for that makes
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
    call: Call | tuple[float, float, URL] | None = getattr(response, "_resilient_call", None)
    if isinstance(call, tuple):
        started, ended, url = call
        record = (1, response.method, url, started, ended, response.status, 0.0)
        return History((record,)).attempts()
    return () if call is None else call.history().attempts()
