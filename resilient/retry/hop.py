"""One hop under a retry: its attempts are recorded, judged, and what follows is prepared."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable, Iterator
from typing import Final

from aiohttp import ClientRequest, ConnectionTimeoutError

from resilient.attempts import Stop, Wait
from resilient.clock import LoopBound
from resilient.core.call import Call, tell_attempts
from resilient.core.keys import ask_key
from resilient.core.outcome import Outcome, is_transport_failure
from resilient.core.waiting import sleep
from resilient.errors import (
    AttemptTimeoutError,
    ConnectionFailedError,
    DeadlineExceededError,
    RefusedError,
    ResilientError,
    SessionClosedError,
)
from resilient.headers.should_retry import should_retry
from resilient.reasons import Reason
from resilient.retry.budget import RetryBudget, Token
from resilient.retry.decision import Decision, Facts, Pause, blocked_by, decide, pace
from resilient.retry.idempotency import is_keyed
from resilient.retry.policy import RetryPolicy
from resilient.support.redact import public_url, summary
from resilient.support.words import brief
from resilient.telemetry.emitter import Emitter
from resilient.wire.bodies import prepare_upload, stop_upload, unrepeatable
from resilient.wire.connections import drop_idle
from resilient.wire.malformed import MalformedAnswer
from resilient.wire.reading import discard
from resilient.wire.requests import session_ran_out, session_was_closed

__all__ = ["Hop", "closed_error"]

_REFUSALS: Final = {
    Reason.CIRCUIT_OPEN: "the circuit is open",
    Reason.GATE_CLOSED: "the gate is closed",
}

_SESSION_TIMEOUT: Final = Stop(Reason.SESSION_TIMEOUT, "the total timeout of the session ran out")
_SESSION_CLOSED: Final = Stop(Reason.SESSION_CLOSED, "the session is closed")


def closed_error(call: Call) -> SessionClosedError:
    """Return the error that ends a call whose session was closed, with its attempts."""
    call.stop = _SESSION_CLOSED
    error = SessionClosedError()
    tell_attempts(error, call)
    return error


class Hop:
    """State that one run of the retry loop keeps from one attempt to the next.

    Args:
        call: The call.
        request: The request of the hop.
        policy: The retry policy.
        budget: The budget for retries, or None.
        emitter: Told of attempts, waits and refusals.
        bound: The clock.

    Attributes:
        number: The number of the attempt under way, from 1.
    """

    __slots__ = (
        "_bound",
        "_budget",
        "_budget_key",
        "_emitter",
        "_policy",
        "_resent",
        "_token",
        "_waits",
        "call",
        "number",
        "request",
    )

    def __init__(
        self,
        call: Call,
        request: ClientRequest,
        policy: RetryPolicy,
        budget: RetryBudget | None,
        emitter: Emitter,
        bound: LoopBound,
    ) -> None:
        self.call = call
        self.request = request
        self.number = 1
        self._policy = policy
        self._budget = budget
        self._emitter = emitter
        self._bound = bound
        self._resent = False
        self._waits: Iterator[float] | None = None
        # The token that the attempt under way has taken, if it had to.
        self._token: Token | None = None
        self._budget_key: Hashable | None = None
        if budget is not None:
            self._budget_key = ask_key(budget.key, request, emitter, "budget key")

    # -- after an attempt

    async def next(self, outcome: Outcome) -> Wait | None:
        """Decide what follows an attempt, and take from the budget what that costs.

        Returns:
            The wait before another attempt; None if there is to be none. The reason is then
            in `call.stop`.
        """
        guarded = self.call.guarded
        decision = decide(self._policy, self._facts(outcome))
        if decision.succeeded:
            self.earn()
        elif not decision.resend:
            if self.call.waiting or (outcome.is_throttled and outcome.is_own):
                self.refund()
            self._charge()
        if not decision.repeat:
            self._stop(Stop(decision.code, decision.words), told=decision.refused)
            return None
        if decision.resend:
            seconds, words = 0.0, decision.words
        else:
            pause = self._pace(outcome)
            if pause.seconds is None:
                assert pause.code is not None, "there is a reason"
                self._stop(Stop(pause.code, pause.words))
                return None
            seconds = pause.seconds
            words = f"{decision.words}; {pause.words}" if pause.words else decision.words
        await self._clean_up(outcome)
        # A connection that was closed before costs the server nothing, and a guard that holds
        # the attempt spares it the load.
        is_free = decision.resend or (guarded is not None and (guarded.paced or guarded.shut))
        if not is_free and not self._pay(outcome.duration, seconds):
            words = f"{decision.words}, but the retry budget is spent"
            self._stop(Stop(Reason.BUDGET, words))
            return None
        self._prepare(decision)
        return Wait(seconds, decision.code, words)

    def _pay(self, took: float, wait: float) -> bool:
        """Take the token of a retry; return False if none is left."""
        budget, key = self._budget, self._budget_key
        if budget is None or key is None:
            return True
        self._token = budget.take(key, self._bound.time(), took=took, wait=wait)
        return self._token is not None

    def _charge(self) -> None:
        """Tell the budget of a retry that failed."""
        if self._token is not None and self._budget is not None:
            self._budget.charge(self._token, self._bound.time())
        self._token = None

    def refund(self) -> None:
        """Give the token of a retry back that was never sent, or is not to be charged."""
        if self._token is not None and self._budget is not None:
            self._budget.give_back(self._token, self._bound.time())
        self._token = None

    def earn(self) -> None:
        """Tell the budget of an attempt that succeeded."""
        self.refund()
        if self._budget is not None and self._budget_key is not None:
            self._budget.earn(self._budget_key, self._bound.time())

    def _prepare(self, decision: Decision) -> None:
        if decision.resend:
            self._resent = True
            # Others that have been idle for as long are as dead.
            drop_idle(self.request)
        else:
            self.number += 1

    def _facts(self, outcome: Outcome) -> Facts:
        call, request, policy = self.call, self.request, self._policy
        facts = Facts(
            outcome=outcome,
            method=request.method,
            number=self.number,
            max_attempts=call.override.max_attempts or policy.max_attempts,
            keyed=is_keyed(request, policy),
            idempotent=call.override.idempotent,
            obstacle=self._obstacle(outcome),
            resent=self._resent,
        )
        if policy.judge is not None and (blocked_by(facts) is None or outcome.stale):
            facts.judged = self._ask_judge(outcome)
        if policy.heed_should_retry and outcome.is_own and (outcome.status or 0) >= 400:
            facts.hint = should_retry(outcome.headers)
        return facts

    def _obstacle(self, outcome: Outcome) -> Stop | None:
        """Return why there is no time, no session or no body for another attempt, or None."""
        if outcome.is_cut_off:
            return _SESSION_TIMEOUT
        if self.request.session.closed:
            return _SESSION_CLOSED
        if outcome.never_sent:
            return None
        reason = unrepeatable(self.request)
        return None if reason is None else Stop(Reason.BODY, reason)

    def _ask_judge(self, outcome: Outcome) -> bool | None:
        judge = self._policy.judge
        assert judge is not None, "asked only if there is one"
        try:
            answer = judge(self.request, outcome.result)  # type: ignore[arg-type]  # no BaseException gets here
            if answer is not None and not isinstance(answer, bool):
                raise TypeError(f"a judge answers True, False or None, not {answer!r}")
        except Exception as error:
            self._emitter.complain("judge", judge, error)
            return None
        return answer

    def _pace(self, outcome: Outcome) -> Pause:
        policy, call = self._policy, self.call
        now = self._bound.time()
        guarded = call.guarded
        if guarded is not None and guarded.paced:
            # Two waits would be one too many.
            words = "a guard says when, at no cost to the budget"
            return self._unless_refused(Pause(0.0, None, words), guarded, now)
        if self._waits is None:
            self._waits = policy.backoff.waits(self._bound.clock.random)
        try:
            planned = next(self._waits, None)
        except Exception as error:
            self._emitter.complain("wait generator", policy.backoff.wait, error)
            return Pause(None, Reason.BACKOFF_ENDED, "the wait generator failed")
        if planned is None:
            return Pause(None, Reason.BACKOFF_ENDED, "the backoff gives no more waits")
        left = math.inf if call.deadline is None else call.deadline - now
        if call.cut_off is not None:
            left = min(left, call.cut_off - asyncio.get_running_loop().time())
        pause = pace(
            planned,
            outcome.retry_after,
            policy=policy,
            random=self._bound.clock.random(),
            left=left,
        )
        if guarded is None:
            return pause
        if guarded.shut and pause.seconds is not None:
            words = "then it queues for the circuit, at no cost to the budget"
            pause = pause._replace(words=f"{pause.words}; {words}" if pause.words else words)
        return self._unless_refused(pause, guarded, now)

    def _unless_refused(self, pause: Pause, guarded: Outcome, now: float) -> Pause:
        """Return a pause, or none if a guard would refuse the attempt after it."""
        until = guarded.refused_until
        if pause.seconds is None or until is None or now + pause.seconds >= until:
            return pause
        if until == math.inf:
            words = "the circuit is isolated by hand"
            return Pause(None, Reason.CIRCUIT_ISOLATED, words)
        what = _REFUSALS.get(guarded.refused_code, "a guard refuses")
        return Pause(None, guarded.refused_code, f"{what} for another {brief(until - now)} s")

    async def _clean_up(self, outcome: Outcome) -> None:
        """Put an end to an attempt that failed."""
        if outcome.error is None or outcome.never_sent:
            return
        request, clock = self.request, self._bound.clock
        left_open = request.response
        # Another middleware may have made an exception of a response, and dropped it. (One that
        # is not the outcome's, or has no head, is that of a twin which is under way.)
        is_own = outcome.response is None or outcome.response is left_open
        if left_open is not None and is_own and left_open.status and not left_open.closed:
            await discard(request, left_open, clock)
        await stop_upload(request, clock)

    def _stop(self, stop: Stop, *, told: bool = True) -> None:
        self.call.stop = stop if stop.words else None
        if told:
            self._emitter.tell(
                "refusal", self.call, self.request, by="retry", code=stop.code, reason=stop.words
            )

    # -- between two attempts

    async def wait(self, wait: Wait, outcome: Outcome) -> None:
        """Give a response back that nobody wants, and wait.

        Raises:
            DeadlineExceededError: The total timeout of the session ran out meanwhile.
            SessionClosedError: The session was closed meanwhile.
        """
        call, request = self.call, self.request
        clock = self._bound.clock
        if outcome.error is None:
            assert outcome.response is not None, "one of the two is there"
            await discard(request, outcome.response, clock)
            await stop_upload(request, clock)
            if session_ran_out(request):
                call.stop = _SESSION_TIMEOUT
                raise self._told(self._typed(TimeoutError()))
        call.waited(wait)
        self._emitter.tell(
            "wait",
            call,
            request,
            number=call.records[-1][0],
            seconds=wait.seconds,
            code=wait.code,
            reason=wait.words,
        )
        try:
            if wait.seconds > 0:
                await sleep(wait.seconds, request.session, clock)
            await prepare_upload(request)
        except SessionClosedError:
            raise closed_error(call) from outcome.error
        call.guarded = None
        call.waiting = False

    # -- in the end

    def refused(self, refusal: RefusedError, outcome: Outcome) -> Exception:
        """Return the exception that ends the hop because a guard refused another attempt.

        It is that of the last attempt, which says what is wrong; the refusal says why no more
        was tried. A response that nobody made an error of was given back, so that then the
        refusal itself is left.
        """
        self.refund()
        if outcome.error is None:
            return self._told(refusal)
        self.call.stop = Stop(refusal.stop_code or Reason.NOT_RETRYABLE, str(refusal))
        error = self.error_for(outcome)
        # Who reads the traceback is told by the reason.
        error.__suppress_context__ = True
        return error

    def error_for(self, outcome: Outcome) -> Exception:
        """Return the exception that ends the hop: typed, with its attempts and the reason."""
        error = outcome.error
        assert isinstance(error, Exception), "a response is handed over"
        final = self._typed(error, outcome.malformed)
        if final is not error:
            final.__cause__ = error
        return self._told(final)

    def _typed(self, error: Exception, malformed: MalformedAnswer | None = None) -> Exception:
        request = self.request
        if isinstance(error, ResilientError):
            return error
        if session_was_closed(request, error):
            return closed_error(self.call)
        method, url = request.method, str(public_url(request.url))
        if type(error) is TimeoutError and session_ran_out(request, unknown=True):
            return DeadlineExceededError(method=method, url=url)
        if malformed is not None:
            status = "" if malformed.status is None else f" with status {malformed.status}"
            what = f"the answer{status} is malformed: {malformed.words}"
            return ConnectionFailedError(f"{method} {url}: {what}")
        if isinstance(error, TimeoutError):
            connecting = isinstance(error, ConnectionTimeoutError)
            return AttemptTimeoutError(method=method, url=url, while_connecting=connecting)
        if is_transport_failure(error):
            return ConnectionFailedError(f"{method} {url}: {summary(error)}")
        return error

    def _told(self, error: Exception) -> Exception:
        tell_attempts(error, self.call)
        return error
