"""Decide whether to try again: questions of policy, asked in this order.

1. Is there an attempt left, time, and a body that can be sent again?
2. What does the user's `judge` say?
3. Is it a status, a code or an exception that is worth another attempt? The server may say
   so too, in `x-should-retry`.
4. May the request be carried out twice? The user's word is final here, and no header makes it
   so.
5. How long would the wait be, and is there time for it? A guard that paces the next attempt
   knows itself when that may go, so that there is no other wait; one that would still refuse it
   after the wait makes it vain.
6. Is there a retry left in the budget? An attempt that a guard holds needs none.

A request that a stale pooled connection swallowed is sent again without an attempt and a wait:
only the body, the time and questions 2 and 4 count.

Everything here is pure: it takes facts, and gives a decision with its reason. The last
question is asked by the hop, since it takes something.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from attrs import define

from resilient.attempts import Stop
from resilient.core.outcome import Outcome, is_transport_failure
from resilient.errors import RefusedError
from resilient.reasons import Reason
from resilient.retry.policy import RetryPolicy
from resilient.support.words import brief
from resilient.wire.requests import is_permanent

__all__ = ["Decision", "Facts", "Pause", "blocked_by", "decide", "pace"]


@define
class Facts:
    """The facts about an attempt that is over.

    Attributes:
        outcome: What it came to.
        method: The method of the request.
        number: The number of the attempt, from 1.
        max_attempts: How many there may be.
        keyed: Whether the request carries an idempotency key.
        idempotent: What the user says of carrying it out twice; None for nothing.
        obstacle: Why there is no time left, or why its body cannot be sent again.
        judged: The verdict of the `judge` hook; None for none.
        hint: What the server says in `x-should-retry`; None for nothing.
        resent: Whether a stale connection was made up for before in this hop.
    """

    outcome: Outcome
    method: str
    number: int
    max_attempts: int
    keyed: bool = False
    idempotent: bool | None = None
    obstacle: Stop | None = None
    judged: bool | None = None
    hint: bool | None = None
    resent: bool = False


class Decision(NamedTuple):
    """The decision to try again or not, with its reason.

    Attributes:
        repeat: Whether there is to be another attempt.
        code: Why, or why not, for a program.
        words: The same for people; "" where there is nothing to explain.
        refused: Whether the outcome was worth another attempt that cannot be made.
        worth: Why the outcome is worth another attempt, or why not.
        leave: Why the request may be carried out again, in words; "" if it may not.
        succeeded: Whether the server did its work: it gave an answer that nobody would repeat.
    """

    repeat: bool
    code: Reason
    words: str
    refused: bool = False
    worth: Reason = Reason.NOT_RETRYABLE
    leave: str = ""
    succeeded: bool = False

    @property
    def resend(self) -> bool:
        """True if the request is sent again at once, which is no attempt and needs no wait."""
        return self.repeat and self.code is Reason.STALE_CONNECTION


class Pause(NamedTuple):
    """The wait before another attempt.

    Attributes:
        seconds: Its length; None if there can be no such wait.
        code: Why not, for a program; None if there can.
        words: Why so long, or why not at all; "" where the backoff alone decides.
    """

    seconds: float | None
    code: Reason | None
    words: str


def blocked_by(facts: Facts) -> Stop | None:
    """Return what rules out another attempt regardless of policy, or None."""
    if facts.number >= facts.max_attempts:
        return Stop(Reason.ATTEMPTS, f"no attempt is left of {facts.max_attempts}")
    return facts.obstacle


def decide(policy: RetryPolicy, facts: Facts) -> Decision:
    """Decide whether the outcome is to be followed by another attempt, wait and budget apart."""
    outcome = facts.outcome
    what = str(outcome)
    worth = _worth(policy, facts)
    is_worth = worth not in _NOT_WORTH
    leave = _leave(policy, facts)
    succeeded = (
        worth is Reason.NOT_RETRYABLE
        and outcome.status is not None
        and outcome.status not in policy.statuses
        and outcome.is_own
        and not facts.judged
    )
    decision = Decision(True, worth, what, worth=worth, leave=leave, succeeded=succeeded)
    is_dead = outcome.stale and not facts.resent
    if is_dead and leave and facts.obstacle is None and facts.judged is not False:
        words = f"{what} on a pooled connection; sent again at once"
        return decision._replace(code=Reason.STALE_CONNECTION, words=words)
    block = blocked_by(facts)
    if block is not None:
        is_asked = policy.judge is not None and facts.hint is None and _failed(outcome)
        if is_asked or is_worth:
            return decision._replace(repeat=False, code=block.code, words=block.words, refused=True)
    elif facts.judged is not None:
        verb = "asks for another attempt" if facts.judged else "asks for no other attempt"
        is_worth = facts.judged
        what = f"{what}; the judge hook {verb}"
        decision = decision._replace(code=Reason.JUDGE, words=what)
    elif facts.hint is not None:
        what = f"{what}; the server said x-should-retry: {facts.hint}".lower()
        decision = decision._replace(words=what)
    if not is_worth:
        if decision.words == str(outcome):
            words = f"{what} is not repeated" if _failed(outcome) else ""
            decision = decision._replace(words=words)
        return decision._replace(repeat=False)
    if not leave:
        return decision._replace(
            repeat=False,
            code=Reason.NOT_IDEMPOTENT,
            words=f"{what}, and the {facts.method} may have been carried out",
            refused=True,
        )
    return decision


# What makes an outcome not worth another attempt.
_NOT_WORTH: Final = frozenset({Reason.NOT_RETRYABLE, Reason.FATAL_CODE, Reason.PERMANENT})


def _failed(outcome: Outcome) -> bool:
    return outcome.error is not None or (outcome.status or 0) >= 400


def _leave(policy: RetryPolicy, facts: Facts) -> str:
    """Return why the request may be carried out again, in words; "" if it may not."""
    if facts.outcome.never_sent:
        return "nothing was sent"
    if facts.outcome.not_carried_out:
        return "the server did not carry it out"
    if facts.idempotent is not None:
        return "override(idempotent=True) says so" if facts.idempotent else ""
    if facts.method in policy.methods:
        return f"{facts.method} is in retry.methods"
    if facts.keyed:
        return f"{policy.idempotency_header or 'its key'} lets the server tell a repetition"
    # A judge is the user's, and has seen the request.
    return "the judge hook says so" if facts.judged else ""


def _worth(policy: RetryPolicy, facts: Facts) -> Reason:
    """Return why the outcome is worth another attempt, or why not."""
    outcome = facts.outcome
    code, error = outcome.code, outcome.error
    if facts.hint is not None:
        # Between the answers of a judge and of the policy: it is about this very response.
        return Reason.SERVER_HINT if facts.hint else Reason.NOT_RETRYABLE
    throttled, status = outcome.is_throttled, outcome.status
    # A 429 that is no throttling has a code which says that a quota is used up.
    no_wait_mends_it = status == 429 and not throttled and code not in policy.codes
    if code in policy.fatal_codes or no_wait_mends_it:
        return Reason.FATAL_CODE
    if throttled and 429 in policy.statuses:
        return Reason.THROTTLED
    if status in policy.statuses:
        return Reason.STATUS
    if code in policy.codes:
        return Reason.CODE
    if error is None or isinstance(error, RefusedError):
        return Reason.NOT_RETRYABLE
    if isinstance(error, policy.exceptions):
        return Reason.EXCEPTION
    if not is_transport_failure(error):
        return Reason.NOT_RETRYABLE
    if is_permanent(error):
        return Reason.PERMANENT
    return Reason.TIMEOUT if isinstance(error, TimeoutError) else Reason.TRANSPORT


def pace(
    planned: float,
    retry_after: float | None,
    *,
    policy: RetryPolicy,
    random: float,
    left: float,
) -> Pause:
    """Say how long to wait, or why not at all.

    The server's time is a floor, above which the wait is spread: callers that were turned away
    together must not come back together.

    Args:
        planned: The backoff's wait, in seconds.
        retry_after: Seconds that the server asks for, or None.
        policy: Its `max_retry_after` is the most that a server may ask for.
        random: A number from [0, 1).
        left: Seconds that the call has left.
    """
    floor = 0.0
    wait = planned
    if retry_after:
        if retry_after > policy.max_retry_after:
            return Pause(
                None,
                Reason.RETRY_AFTER_TOO_LONG,
                f"the server asks to wait {retry_after:g} s, "
                f"more than max_retry_after ({policy.max_retry_after:g} s)",
            )
        floor = retry_after
        # At most half as long again, as Envoy spreads it, and no more than a backoff's wait.
        wait = max(planned, floor + random * min(floor / 2, policy.backoff.cap))
        # The spread gives way to the deadline; the floor does not.
        wait = min(wait, max(floor, left / 2))
    if wait >= left:
        needed = max(floor, wait)
        words = f"a wait of {brief(needed)} s does not fit the {brief(max(left, 0))} s left"
        return Pause(None, Reason.DEADLINE, words)
    return Pause(wait, None, f"the server asks to wait {retry_after:g} s" if retry_after else "")
