"""Retry as a middleware: the loop around the questions of `decision`."""

from __future__ import annotations

import math
from asyncio import get_running_loop
from collections.abc import Hashable, Iterable, Mapping
from logging import DEBUG
from typing import Any, Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.clock import SYSTEM_CLOCK, Clock, LoopBound
from resilient.core.call import Call, attach, current, detach, remember, tell_attempts
from resilient.core.keys import ask_key
from resilient.core.outcome import Outcome
from resilient.core.override import NO_OVERRIDE
from resilient.core.statuses import in_words
from resilient.errors import AttemptTimeoutError, RefusedError
from resilient.headers.retry_after import ResetHeader
from resilient.retry.budget import RetryBudget
from resilient.retry.hop import Hop, closed_error
from resilient.retry.idempotency import send_key
from resilient.retry.policy import RetryPolicy
from resilient.support.redact import public_url
from resilient.support.timers import limit_at
from resilient.support.validation import instance, optional, validated
from resilient.telemetry.emitter import make_emitter
from resilient.telemetry.events import Listener
from resilient.wire.bodies import prepare_upload
from resilient.wire.connections import mark_used
from resilient.wire.cookies import keep_cookies
from resilient.wire.reading import read_ahead
from resilient.wire.requests import Sendings, session_was_closed

__all__ = ["Retry"]

_STANDARD: Final = RetryPolicy()


class Retry(LoopBound):
    """Tries again what may go better next time, within a policy.

        session = aiohttp.ClientSession(middlewares=[Retry(RetryPolicy(max_attempts=5))])

    It works on responses and on the exceptions of middlewares inside it alike. When no more
    is tried the last outcome comes out: a response as it is, an exception with its attempts
    and the reason. Transport errors come out as `ConnectionFailedError` or
    `AttemptTimeoutError`, with aiohttp's own as their cause.

    A request that a stale pooled connection swallowed is sent again at once, on a new
    connection, as aiohttp alone would do; that is no attempt, and there is one such resend at
    most in a hop.

    If a guard inside (a breaker, a throttle) refuses the first attempt, its refusal comes out. If
    it refuses a later one, the error of the attempt before does, with the refusal as the reason
    why no more was tried.

    Args:
        policy: What is tried again, how often, and after how long.
        budget: One to share with other middlewares; by default each has its own.
        listeners: Told of attempts, waits and refusals.
        reset_headers: Headers in which the service says when its limit is over.
        clock: The source of time, sleep and randomness; by default the event loop's and the
            system's.

    Raises:
        ConnectionFailedError: The transport failed.
        AttemptTimeoutError: An attempt ran out of time.
        DeadlineExceededError: The total timeout of the session ran out.
        SessionClosedError: The session was closed while the call waited.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_budget", "emitter", "owing", "policy", "reset_headers")

    def __init__(
        self,
        policy: RetryPolicy = _STANDARD,
        *,
        budget: RetryBudget | None = None,
        listeners: Iterable[Listener] = (),
        reset_headers: Iterable[ResetHeader] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(clock)
        is_budget = instance(RetryBudget, "a RetryBudget (a policy goes into RetryPolicy)")
        self.policy = validated(self, "policy", policy, instance(RetryPolicy, "a RetryPolicy"))
        self._budget: RetryBudget | None = validated(self, "budget", budget, optional(is_budget))
        if budget is None and policy.budget is not None:
            self._budget = RetryBudget(policy.budget)
        # Empty as long as no retry has failed: what a success has to look at.
        self.owing: Mapping[Hashable, object] = (
            {} if self._budget is None else self._budget.accounts
        )
        self.emitter = make_emitter(listeners)
        self.reset_headers = tuple(reset_headers)

    def loop_changed(self, now: float | None) -> None:
        """Keep the budget, on the new loop's scale of time."""
        if now is not None and self._budget is not None:
            self._budget.rebase(now)

    def describe(self) -> str:
        """Return its settings in words."""
        policy, backoff = self.policy, self.policy.backoff
        wait = backoff.wait if isinstance(backoff.wait, str) else backoff.wait.__name__
        return (
            f"at most {policy.max_attempts} attempts; "
            f"statuses {in_words(policy.statuses) or 'none'}; "
            f"{wait} backoff from {backoff.base:g} s to {backoff.cap:g} s, {backoff.jitter} jitter"
            + (f"; sends {policy.idempotency_header}" if policy.idempotency_header else "")
            + ("; asks a judge" if policy.judge else "")
            + ("" if self._budget is None else f"; {self._budget.describe()}")
        )

    @property
    def budget(self) -> RetryBudget | None:
        """The budget that it asks; None if it has none."""
        return self._budget

    def snapshot(self) -> dict[str, Any]:
        """Return the budgets that are not full, as plain data; see `Pipeline.snapshot`."""
        budget = self._budget
        return {"budgets": {} if budget is None else budget.snapshot(self.clock.time())}

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Run the request until it succeeds or no more is to be tried."""
        if self.loop is not get_running_loop():
            self.claim()
        token = None
        call = current.get()
        if call is None or call.request is not request:
            call, token = attach(request)
        policy = self.policy
        hop: Hop | None = None
        result: ClientResponse | Exception | None = None
        outcome: Outcome | None = None
        try:
            begun = call.begun
            if begun is None:
                started = self.time()
                if request.body or policy.idempotency_header is not None or call.records:
                    await self._prepare(call, request)
            else:
                # The first attempt has left already, and was ready for it.
                started = begun.started
            while True:
                before = call.before = request.response if begun is None else None
                if begun is not None:
                    begun = None
                elif call.override is not NO_OVERRIDE or request.method not in policy.methods:
                    # Whether it was carried out will be the question.
                    Sendings.begin(request)
                response: ClientResponse | None = None
                try:
                    response = await handler(request)
                    if policy.read_body_up_to is not None:
                        await self._read_body(response, call, policy.read_body_up_to)
                except RefusedError as refusal:
                    # Nothing was attempted. The server's own error says more, if there is one.
                    if hop is not None and outcome is not None:
                        raise hop.refused(refusal, outcome)  # noqa: B904 (it has its own cause)
                    if call.records:
                        tell_attempts(refusal, call)
                    raise
                except Exception as error:
                    ended = self.time()
                    result = error
                    if response is not None:
                        # Its head was good.
                        keep_cookies(request, response)
                except BaseException as error:
                    self._record(call, request, hop, started, self.time(), "cut off")
                    if call.waiting and hop is not None:
                        hop.refund()
                    if session_was_closed(request, error):
                        raise closed_error(call) from error
                    raise
                else:
                    ended = self.time()
                    mark_used(response)
                    remember(response, call)
                    status = response.status
                    if status < 400 and policy.judge is None and status not in policy.statuses:
                        self._record(call, request, hop, started, ended, status)
                        if self.owing:
                            self.earned(request, hop, ended)
                        return response
                    result = response
                outcome = call.note_outcome(
                    request,
                    result,
                    before,
                    duration=ended - started,
                    clock=self.clock,
                    reset_headers=self.reset_headers,
                )
                self._record(call, request, hop, started, ended, outcome.status or str(outcome))
                if hop is None:
                    hop = Hop(call, request, policy, self._budget, self.emitter, self)
                try:
                    wait = await hop.next(outcome)
                    if wait is None:
                        if outcome.error is not None:
                            raise hop.error_for(outcome)
                        assert response is not None, "one of the two is there"
                        return response
                    await hop.wait(wait, outcome)
                except BaseException:
                    if response is not None:
                        # Whoever is cancelled here has been handed nothing.
                        response.close()
                    # The retry that was paid for is not sent.
                    hop.refund()
                    raise
                started = self.time()
        finally:
            # What is raised refers to this frame.
            result = outcome = hop = None
            if token is not None:
                detach(call, token)

    def _record(
        self,
        call: Call,
        request: ClientRequest,
        hop: Hop | None,
        started: float,
        ended: float,
        came: int | str,
    ) -> None:
        """Keep a record of an attempt: its status, or what went wrong, in a few words."""
        number = 1 if hop is None else hop.number
        queued = call.take_queued(started) if call.holds else 0.0
        call.records += ((number, request.method, request.url, started, ended, came, queued),)
        if self.emitter.is_heard(DEBUG):
            self.emitter.tell(
                "attempt",
                call,
                request,
                number=number,
                duration=ended - started - queued,
                status=came if isinstance(came, int) else None,
                error=came if isinstance(came, str) else None,
                queued=queued,
            )

    def earned(self, request: ClientRequest, hop: Hop | None, now: float) -> None:
        """Tell the budget of an attempt that succeeded, while retries of some key have failed."""
        if hop is not None:
            hop.earn()
        elif self._budget is not None:
            key = ask_key(self._budget.key, request, self.emitter, "budget key")
            if key is not None:
                self._budget.earn(key, now)

    async def _prepare(self, call: Call, request: ClientRequest) -> None:
        """Prepare a hop that has records already, or whose request has a body or needs a key."""
        # A run before this one may have left them.
        call.stop = call.read_until = None
        if request.body:
            await prepare_upload(request)
        send_key(request, call, self.policy)

    async def _read_body(self, response: ClientResponse, call: Call, limit: int) -> None:
        length = response.content_length
        if response.status >= 400 or length is None or length > limit or response.status == 101:
            return
        if call.read_until is None or call.read_until == math.inf:
            await read_ahead(response, limit)
            return
        read = False
        with limit_at(self.clock, call.read_until):
            await read_ahead(response, limit)
            read = True
        if not read:
            raise AttemptTimeoutError(method=response.method, url=str(public_url(response.url)))
