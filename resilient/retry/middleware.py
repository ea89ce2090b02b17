"""Retry as a middleware: the loop around the questions of `decision`."""

from __future__ import annotations

import asyncio
import math
from asyncio import get_running_loop
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.clock import SYSTEM_CLOCK, Clock, claim_loop, time_on
from resilient.core.call import Call, drop, remember, take, tell_attempts
from resilient.core.outcome import (
    Outcome,
    is_cut_off,
    is_stale,
    session_ran_out,
    status_of,
    was_never_sent,
)
from resilient.errors import (
    APIError,
    AttemptTimeoutError,
    CircuitOpenError,
)
from resilient.headers.should_retry import should_retry
from resilient.retry.budget import RetryBudget
from resilient.retry.idempotency import is_keyed, send_key
from resilient.retry.policy import RetryPolicy
from resilient.retry.surface import headers_of, surface
from resilient.support.redact import summary
from resilient.support.timers import limit_at
from resilient.support.validation import instance, optional, validated
from resilient.telemetry.emitter import Emitter, make_emitter
from resilient.wire.bodies import prepare_upload, stop_upload, unrepeatable
from resilient.wire.connections import mark_used, was_reused
from resilient.wire.reading import discard, read_ahead

if TYPE_CHECKING:
    from resilient.retry.decision import Facts
    from resilient.telemetry.events import Listener

__all__ = ["Retry"]

_STANDARD: Final = RetryPolicy()

_RAN_OUT = "the total timeout of the session ran out"


class Retry:
    """Tries again what may go better next time, within a policy.

        session = aiohttp.ClientSession(middlewares=[Retry(RetryPolicy(max_attempts=5))])

    It works on responses and on the exceptions of middlewares inside it alike. When no more
    is tried the last outcome comes out: a response as it is, an exception with its attempts
    and the reason. Transport errors come out as `ConnectionFailedError` or
    `AttemptTimeoutError`, with aiohttp's own as their cause.

    Args:
        policy: What is tried again, how often, and after how long.
        budget: One to share with other middlewares; by default each has its own.
        listeners: Told of attempts, waits and refusals.
        clock: The source of time, sleep and randomness.

    Raises:
        ConnectionFailedError: The transport failed.
        AttemptTimeoutError: An attempt ran out of time.
        DeadlineExceededError: The total timeout of the session ran out.
        RuntimeError: It was used from a second event loop.
    """

    __slots__ = (
        "__weakref__",
        "_budget",
        "_clock",
        "_counting",
        "_emitter",
        "_loop",
        "_time",
        "policy",
    )

    def __init__(
        self,
        policy: RetryPolicy = _STANDARD,
        *,
        budget: RetryBudget | None = None,
        listeners: Iterable[Listener] | Emitter = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        is_budget = instance(RetryBudget, "a RetryBudget (a policy goes into RetryPolicy)")
        self.policy = validated(self, "policy", policy, instance(RetryPolicy, "a RetryPolicy"))
        self._budget: RetryBudget | None = validated(self, "budget", budget, optional(is_budget))
        if budget is None and policy.budget is not None:
            self._budget = RetryBudget(policy.budget)
        # The budget, as calls keep it: a tuple made once costs them nothing.
        self._counting = () if self._budget is None else (self._budget,)
        self._emitter = make_emitter(listeners)
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._time: Callable[[], float]  # from the loop on that it is first used on

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Run the request until it succeeds or no more is to be tried."""
        if self._loop is not get_running_loop():
            self._loop = claim_loop(self, self._loop)
            self._time = time_on(self._loop, self._clock)
        call, is_outermost = take(request)
        policy = self.policy
        try:
            if call.session is not None or call.records:
                # A hop or a run before this one may have left them.
                call.failure = call.stopped = call.read_until = None
            started = self._time()
            if self._budget is not None and self._budget not in call.counted:
                call.counted += self._counting
                self._budget.count_call(started)
            if request.body:
                await prepare_upload(request)
            if policy.idempotency_header is not None:
                send_key(request, call, policy)

            number = 1
            hop: _Hop | None = None
            while True:
                before = request.response
                response: ClientResponse | None = None
                try:
                    response = await handler(request)
                    if policy.read_body is not None:
                        await self._read_body(response, call, policy.read_body)
                except CircuitOpenError as error:
                    # Nothing was attempted, and waiting here is what a breaker is there to spare.
                    if number == 1:
                        error._call = call
                        raise
                    tell_attempts(error, call)
                    raise error from call.failure
                except Exception as error:
                    call.failure = error
                    self._note(call, request, number, started, status_of(error) or summary(error))
                    hop = hop or _Hop(request, call)
                    stale = response is None and is_stale(error) and was_reused(request, before)
                    wait, reason = await self._next(hop, number, error, before, stale=stale)
                    if wait is None:
                        call.stopped = reason
                        final = surface(error, request, call)
                        if final is error:
                            raise
                        raise final from error
                except BaseException:
                    self._note(call, request, number, started, "cut off")
                    raise
                else:
                    status = response.status
                    self._note(call, request, number, started, status)
                    mark_used(response)
                    remember(response, call)
                    if status < 400 and policy.judge is None and status not in policy.statuses:
                        return response
                    hop = hop or _Hop(request, call)
                    wait, reason = await self._next(hop, number, response, before)
                    if wait is None:
                        call.stopped = reason or None
                        return response
                    await discard(request, response, self._clock)
                    await stop_upload(request, self._clock)
                    if session_ran_out(request):
                        # Meanwhile; the response is gone.
                        call.stopped = _RAN_OUT
                        raise surface(TimeoutError(), request, call)
                await self._wait(hop, number, wait, reason)
                number += 1
                started = self._time()
        finally:
            if is_outermost:
                drop(request)

    async def _wait(self, hop: _Hop, number: int, seconds: float, reason: str) -> None:
        call, request = hop.call, hop.request
        call.waited(seconds, reason)
        self._emitter.tell("wait", request, number=number, seconds=seconds, reason=reason)
        if seconds > 0:
            await self._clock.sleep(seconds)
        await prepare_upload(request)
        call.refused_until = None

    async def _next(
        self,
        hop: _Hop,
        number: int,
        outcome: Outcome,
        before: ClientResponse | None,
        *,
        stale: bool = False,
    ) -> tuple[float | None, str]:
        """The seconds to wait before another attempt, or None for no more; and why.

        Args:
            hop: What the hop knows of its attempts.
            number: The attempt that is over.
            outcome: What came of it.
            before: The request's response before it.
            stale: Whether it failed as one does whose pooled connection was closed before.
        """
        # Not before an attempt has failed.
        from resilient.headers.retry_after import parse_retry_after
        from resilient.retry.decision import Facts, decide, hindrance

        policy = self.policy
        call, request = hop.call, hop.request
        facts = Facts(
            outcome=outcome,
            method=request.method,
            number=number,
            max_attempts=call.override.max_attempts or policy.max_attempts,
            keyed=is_keyed(request, policy),
            idempotent=call.override.idempotent,
        )
        if isinstance(outcome, Exception):
            facts.never_sent = was_never_sent(outcome, request, before)
        facts.obstacle = self._obstacle(facts, request)
        headers = headers_of(outcome)
        if hindrance(facts) is None:
            facts.judged = self._ask_judge(request, outcome)
        if policy.heed_should_retry and (status_of(outcome) or 0) >= 400:
            facts.told = should_retry(headers)
        answer = decide(policy, facts)
        retry_after = parse_retry_after(
            headers, now=self._clock.now(), reset_headers=policy.reset_headers
        )
        if isinstance(outcome, APIError) and outcome.retry_after is None:
            outcome.retry_after = retry_after
        if not answer.repeat:
            return self._refuse(hop, answer.reason, said=answer.refused)

        # The first such failure is nobody's fault.
        stale = stale and not hop.was_stale
        if stale:
            hop.was_stale = True
            wait, reason = 0.0, f"{answer.reason} on a pooled connection"
        else:
            wait_or_none, why = self._pace(hop, retry_after)
            if wait_or_none is None:
                return self._refuse(hop, why)
            wait, reason = wait_or_none, f"{answer.reason}; {why}" if why else answer.reason
        if isinstance(outcome, Exception) and not facts.never_sent:
            await self._clean_up(request)
        # A connection that was closed before costs the server nothing.
        if self._budget is not None and not stale and not self._budget.withdraw(self._time()):
            return self._refuse(hop, f"{answer.reason}, but the retry budget is spent")
        return wait, reason

    @staticmethod
    def _obstacle(facts: Facts, request: ClientRequest) -> str | None:
        """Why there is no time, no session or no body for another attempt."""
        outcome = facts.outcome
        if (isinstance(outcome, Exception) and is_cut_off(outcome, request)) or session_ran_out(
            request
        ):
            return _RAN_OUT
        if request.session.closed:
            return "the session is closed"
        return None if facts.never_sent else unrepeatable(request)

    async def _clean_up(self, request: ClientRequest) -> None:
        """Put an end to an attempt that failed."""
        left_open = request.response
        if left_open is not None and not left_open.closed:
            # Another middleware made an exception of a response, and dropped it.
            await discard(request, left_open, self._clock)
        await stop_upload(request, self._clock)

    def _pace(self, hop: _Hop, retry_after: float | None) -> tuple[float | None, str]:
        from resilient.retry.decision import pace  # as in `_next`

        policy = self.policy
        call = hop.call
        if hop.waits is None:
            hop.waits = policy.backoff.waits(self._clock.random)
        try:
            planned = next(hop.waits, None)
        except Exception as error:
            self._emitter.complain("wait generator", policy.backoff.wait, error)
            return None, "the wait generator failed"
        if planned is None:
            return None, "the backoff gives no more waits"
        now = self._time()
        left = math.inf if call.deadline is None else call.deadline - now
        if call.cut_off is not None:
            left = min(left, call.cut_off - asyncio.get_running_loop().time())
        wait, why = pace(
            planned, retry_after, policy=policy, random=self._clock.random(), left=left
        )
        if wait is not None and call.refused_until is not None and now + wait < call.refused_until:
            if call.refused_until == math.inf:
                return None, "the circuit is isolated by hand"
            return None, f"the circuit is open for another {call.refused_until - now:.3g} s"
        return wait, why

    def _ask_judge(self, request: ClientRequest, outcome: Outcome) -> bool | None:
        judge = self.policy.judge
        if judge is None:
            return None
        try:
            answer = judge(request, outcome)
            if answer is not None and not isinstance(answer, bool):
                raise TypeError(f"a judge answers True, False or None, not {answer!r}")
        except Exception as error:
            self._emitter.complain("judge", judge, error)
            return None
        return answer

    async def _read_body(self, response: ClientResponse, call: Call, limit: int) -> None:
        length = response.content_length
        if response.status >= 400 or length is None or length > limit or response.status == 101:
            return
        if call.read_until is None or call.read_until == math.inf:
            await read_ahead(response, limit)
            return
        read = False
        with limit_at(self._clock, call.read_until):
            await read_ahead(response, limit)
            read = True
        if not read:
            raise AttemptTimeoutError

    # -- telling

    def _note(
        self,
        call: Call,
        request: ClientRequest,
        number: int,
        started: float,
        what: int | str,
    ) -> None:
        """Keep a record of an attempt: its status, or what went wrong, in a few words."""
        ended = self._time()
        call.records += ((number, request.method, request.url, started, ended, what),)
        if self._emitter.wants("attempt"):
            self._emitter.tell(
                "attempt",
                request,
                number=number,
                duration=ended - started,
                status=what if isinstance(what, int) else None,
                error=what if isinstance(what, str) else None,
            )

    def _refuse(self, hop: _Hop, reason: str, *, said: bool = True) -> tuple[None, str]:
        if said:
            self._emitter.tell("refusal", hop.request, by="retry", reason=reason)
        return None, reason


class _Hop:
    """What one run of the loop keeps from a failed attempt to the next."""

    __slots__ = ("call", "request", "waits", "was_stale")

    def __init__(self, request: ClientRequest, call: Call) -> None:
        self.request = request
        self.call = call
        self.was_stale = False
        self.waits: Iterator[float] | None = None
