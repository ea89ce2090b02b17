"""The outcome of an attempt: a response or an exception, with the facts about it.

An attempt that simply went well has none. Of any other one outcome is made, kept on the
call, and found again by whoever meets the same response or exception: normalisation adds the
typed error, and breaker, retry and the rest read. Each fact is found once, when it is first
asked for.

Facts are about *this* request. An exception that comes out of an attempt may be about another
one, which a middleware made meanwhile (for a token, an audit, a second host): then it says
nothing of whether this one was sent or carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from typing import Any, Final

import aiohttp
from aiohttp import ClientRequest, ClientResponse

from resilient.clock import Clock
from resilient.core.statuses import NOT_CARRIED_OUT
from resilient.errors import APIError, AttemptTimeoutError, RefusedError
from resilient.headers.retry_after import ResetHeader, parse_retry_after
from resilient.reasons import Reason
from resilient.support.redact import summary
from resilient.wire import connections, requests
from resilient.wire.malformed import MalformedAnswer, malformed_answer

__all__ = [
    "IDEMPOTENT_METHODS",
    "Outcome",
    "Verdict",
    "is_transport_failure",
]

# RFC 9110 9.2.2.
IDEMPOTENT_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})


class Verdict(Enum):
    """The judgement of an outcome."""

    SUCCESS = "success"
    TRANSIENT = "transient"  # may go better next time
    NEUTRAL = "neutral"  # says nothing of the server


def is_transport_failure(error: BaseException) -> bool:
    """Return whether the connection, or what came over it, failed; time-outs included."""
    if isinstance(error, RefusedError):
        return False
    return isinstance(
        error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | TimeoutError
    ) or requests.is_malformed(error)


class Outcome:
    """The end of an attempt that did not simply go well, found once for all who read it.

    Args:
        request: The request.
        result: The response, or the exception.
        before: `request.response` as it was before the attempt. aiohttp replaces it as soon
            as it writes, so that one that is still the same was never written.
        duration: Seconds.
        pool_was_full: Whether the pool had no place when the attempt began.
        reset_headers: Headers in which the service says when its limit is over.
        clock: The time of day, for dates in headers.

    Attributes:
        response: The response as it came, also if an error was made of it; None if there was
            none.
        error: The exception; None for a response that nobody made an error of.
        refused_until: Until when a guard would refuse another attempt, also one that is willing to
            wait there, on its clock's scale; None if it would not. A guard sets it, as it does
            `refused_code`, `paced` and `shut`, when the attempt leaves.
        refused_code: Why it would refuse.
        paced: Whether a guard knows when the next attempt may go and has it wait until then, so
            that no other wait is needed, and no retry out of a budget.
        shut: Whether the circuit of the attempt is open or probing, so that the next attempt
            queues there if it does not go well: that takes no retry out of a budget.
        overdue: Whether a limit further out cut the attempt off, so that a cancellation is a
            time-out.
    """

    def __init__(
        self,
        request: ClientRequest,
        result: ClientResponse | BaseException,
        before: ClientResponse | None,
        *,
        duration: float,
        pool_was_full: bool = False,
        reset_headers: tuple[ResetHeader, ...] = (),
        clock: Clock,
    ) -> None:
        self.request = request
        self.response: ClientResponse | None = None
        self.error: BaseException | None = None
        if isinstance(result, BaseException):
            self.error = result
        else:
            self.response = result
        self.duration = duration
        self.pool_was_full = pool_was_full
        self.overdue = False
        self.refused_until: float | None = None
        self.refused_code = Reason.CIRCUIT_OPEN
        self.paced = self.shut = False
        self.reset_headers = reset_headers
        self._before = before
        self._clock = clock

    @classmethod
    def supposed(
        cls, request: Any, error: Exception, *, never_sent: bool = False, stale: bool = False
    ) -> Outcome:
        """Return an outcome that nobody has met, to ask what would become of it.

        Args:
            request: Anything with a method and a URL.
            error: The exception.
            never_sent: Whether nothing of the request was sent.
            stale: Whether the server had closed the pooled connection.
        """
        outcome = cls.__new__(cls)
        outcome.request = request
        outcome.response = None
        outcome.error = error
        outcome.duration = 0.0
        outcome.pool_was_full = outcome.overdue = False
        outcome.refused_until = None
        outcome.refused_code = Reason.CIRCUIT_OPEN
        outcome.paced = outcome.shut = False
        outcome.reset_headers = ()
        # Facts that no connection tells.
        vars(outcome).update(never_sent=never_sent, is_own=True, stale=stale, retry_after=None)
        vars(outcome)["malformed"] = None
        return outcome

    def covers(self, result: ClientResponse | BaseException) -> bool:
        """Return whether this is the outcome of that response or exception."""
        return result is self.error or result is self.response

    def read_with(self, reset_headers: tuple[ResetHeader, ...]) -> None:
        """Read Retry-After by these headers too, if it was read without any."""
        if reset_headers and not self.reset_headers:
            self.reset_headers = reset_headers
            vars(self).pop("retry_after", None)

    def refuse_until(self, until: float, code: Reason) -> None:
        """Note that a guard would refuse another attempt until then; the latest time counts."""
        if self.refused_until is None or until > self.refused_until:
            self.refused_until, self.refused_code = until, code

    def became(self, error: APIError) -> None:
        """Take in that an error was made of it."""
        # Facts that the new error does not tell.
        vars(self).update(is_own=self.is_own, never_sent=self.never_sent, stale=self.stale)
        for fact in ("headers", "malformed", "retry_after", "status"):
            vars(self).pop(fact, None)
        self.error = error

    @property
    def result(self) -> ClientResponse | BaseException:
        """The exception, or the response if there is none."""
        if self.error is not None:
            return self.error
        assert self.response is not None, "one of the two is there"
        return self.response

    # Facts, each found once.

    @cached_property
    def is_own(self) -> bool:
        """True if it is about this request, not about one that a middleware made meanwhile."""
        error = self.error
        if isinstance(error, aiohttp.ClientResponseError) and self.response is None:
            return requests.belongs_to(error, self.request, self._before)
        return True

    @cached_property
    def status(self) -> int | None:
        """The status that a server (or a proxy) gave, or None if none came."""
        if self.error is None:
            assert self.response is not None, "one of the two is there"
            return self.response.status
        if self.malformed is not None:
            # Of an answer that is no error only the failure counts.
            known = self.malformed.status or 0
            return known if known >= 400 else None
        if isinstance(self.error, aiohttp.ClientResponseError):
            return None if requests.is_malformed(self.error) else self.error.status
        return None

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers that came with it; empty if none did."""
        if self.malformed is not None:
            return self.malformed.headers
        return getattr(self.result, "headers", None) or {}

    @cached_property
    def malformed(self) -> MalformedAnswer | None:
        """The answer that aiohttp could not read, as far as it is known; None if it could."""
        error = self.error
        if error is None or isinstance(error, APIError) or not self.is_own:
            return None
        return malformed_answer(error, self.request)

    @property
    def untyped_status(self) -> int | None:
        """The status of an exception of aiohttp's that stands for a response to this request.

        None for any other outcome, and for one of which a typed error was made.
        """
        error = self.error
        if self.malformed is not None:
            return self.status
        if not isinstance(error, aiohttp.ClientResponseError) or isinstance(error, APIError):
            return None
        return error.status if self.is_own else None

    @property
    def code(self) -> str | None:
        """The error code of a normalised error."""
        return self.error.code if isinstance(self.error, APIError) else None

    @property
    def is_throttled(self) -> bool:
        """True if a server says "too many requests", by the status 429 or by a code."""
        error = self.error
        return error.throttled if isinstance(error, APIError) else self.status == 429

    @cached_property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait, or None if it does not.

        If headers and body both do, the longer wait: it must never be undercut.
        """
        wait = None
        if self.headers:
            wait = parse_retry_after(
                self.headers, now=self._clock.now(), reset_headers=self.reset_headers
            )
        # Of a normalised error, which knows what the body asks for.
        told = self.error.retry_after if isinstance(self.error, APIError) else None
        return wait if told is None or (wait is not None and wait > told) else told

    @cached_property
    def never_sent(self) -> bool:
        """True if nothing of the request can have reached the server, by all that shows."""
        error, request = self.error, self.request
        if requests.sendings_of(request):
            return False
        if error is None or self.response is not None or request.response is not self._before:
            return False
        if requests.body_was_taken(request):
            return False
        if isinstance(error, AttemptTimeoutError):
            is_unknown = error.url is None
            return error.while_connecting and (
                is_unknown or requests.is_about(request, error.method, error.url)
            )
        return requests.failed_to_connect(error, request)

    @cached_property
    def stale(self) -> bool:
        """True if a pooled connection failed that the server had closed while it was idle."""
        return (
            self.error is not None
            and self.response is None
            and requests.is_stale(self.error)
            and connections.was_reused(self.request, self._before)
        )

    @cached_property
    def not_carried_out(self) -> bool:
        """True if the server has certainly not carried the request out.

        A middleware may have sent it more than once; then it has to have been refused each time.
        """
        if self.status not in NOT_CARRIED_OUT or not self.is_own:
            return False
        made = requests.sendings_of(self.request) or ()
        return all(each.status in NOT_CARRIED_OUT for each in made)

    @property
    def is_given_up(self) -> bool:
        """True if its caller cancelled the attempt, not a limit of time."""
        return isinstance(self.error, asyncio.CancelledError) and not self.overdue

    @property
    def timed_out(self) -> bool:
        """True if it ran out of time."""
        cut = isinstance(self.error, asyncio.CancelledError) and self.overdue
        return cut or isinstance(self.error, TimeoutError)

    @cached_property
    def is_cut_off(self) -> bool:
        """True if aiohttp's own total timeout has run out, so that no attempt can succeed.

        That comes as a plain `TimeoutError`. Trying again after it would outlive the user's
        limit, so that in doubt it is taken for one.
        """
        unknown = type(self.error) is TimeoutError
        return requests.session_ran_out(self.request, unknown=unknown)

    def health(self, failing: frozenset[int]) -> Verdict:
        """Judge what it says of the health of the server, for a breaker.

        Only an attempt that left this machine for this destination says anything of it: not a
        lack of descriptors or ports, a session that was closed, or a wait for a place in the
        pool; nor what a middleware met meanwhile at another origin. A circuit would open for a
        fault of ours, and its refusals would hide the fault.

        Args:
            failing: The statuses that count as failures.
        """
        error = self.error
        cancelled = isinstance(error, asyncio.CancelledError)
        if self.stale or (cancelled and not self.overdue):
            return Verdict.NEUTRAL
        if (
            error is not None
            and self.response is None
            and requests.is_elsewhere(error, self.request)
        ):
            return Verdict.NEUTRAL
        status = self.status
        if status is not None:
            if self.is_throttled:
                # A code that means it stands for the status: a 503 with one is no trouble.
                return Verdict.TRANSIENT if 429 in failing else Verdict.NEUTRAL
            return Verdict.TRANSIENT if status in failing else Verdict.SUCCESS
        if not cancelled and (error is None or not is_transport_failure(error)):
            # Nothing of the transport's: a bug, or another middleware's own exception.
            return Verdict.NEUTRAL
        if error is not None and (requests.is_local(error) or self.request.session.closed):
            return Verdict.NEUTRAL
        timed_out = cancelled or isinstance(error, TimeoutError)
        if timed_out and self.pool_was_full and self.request.response is self._before:
            # It may have been waiting for our own pool.
            return Verdict.NEUTRAL
        return Verdict.TRANSIENT

    def __str__(self) -> str:
        status = self.status
        if status is not None:
            if self.is_throttled is (status == 429):
                return f"status {status}"
            # A code from a table, and so no text of a server's.
            return f"status {status} {self.code or '(too many requests)'}"
        assert self.error is not None, "a response has a status"
        return summary(self.error)
