"""Whether to try again: questions of policy, asked in this order.

1. Is there an attempt left, time, and a body that can be sent again?
2. What does the user's `judge` say?
3. What does the server say, in `x-should-retry`?
4. May the request be carried out twice?
5. Is it a status, a code or an exception that is worth another attempt?
6. How long would the wait be, and is there time for it?
7. Is there a retry left in the budget?

The last two are asked by the middleware, since they change something. Everything here is
pure: it takes facts, and gives an answer with its reason.
"""

from __future__ import annotations

from typing import NamedTuple

from attrs import define

from resilient.core.outcome import Outcome, is_permanent, is_transport_failure, status_of
from resilient.errors import APIError, CircuitOpenError
from resilient.retry.policy import RetryPolicy
from resilient.support.redact import summary

__all__ = ["NOT_CARRIED_OUT", "Answer", "Facts", "decide", "hindrance", "pace"]

# Statuses after which the request was certainly not carried out: RFC 6585 4, RFC 8470 5.2.
NOT_CARRIED_OUT = frozenset({425, 429})


@define
class Facts:
    """What is known when an attempt is over."""

    outcome: Outcome
    method: str
    number: int
    max_attempts: int
    # Whether nothing of the request reached the server.
    never_sent: bool = False
    # Whether the request carries an idempotency key.
    keyed: bool = False
    # What the user says of carrying it out twice; None for nothing.
    idempotent: bool | None = None
    # Why there is no time left, or why its body cannot be sent again.
    obstacle: str | None = None
    # The verdict of the `judge` hook, and of the server.
    judged: bool | None = None
    told: bool | None = None


class Answer(NamedTuple):
    """Whether to try again, and why or why not.

    `refused` is true where the outcome was worth another attempt that could not be made.
    """

    repeat: bool
    reason: str
    refused: bool = False


def describe(outcome: Outcome) -> str:
    """An outcome in a few words."""
    status = status_of(outcome)
    if status is not None:
        return f"status {status}"
    assert isinstance(outcome, Exception), "a response has a status"
    return summary(outcome)


def hindrance(facts: Facts) -> str | None:
    """What is in the way of another attempt, whatever anyone thinks of the outcome."""
    if facts.number >= facts.max_attempts:
        return f"no attempt is left of {facts.max_attempts}"
    return facts.obstacle


def decide(policy: RetryPolicy, facts: Facts) -> Answer:
    """Whether the outcome is to be followed by another attempt, wait and budget apart."""
    what = describe(facts.outcome)
    in_the_way = hindrance(facts)
    if in_the_way is None and facts.judged is not None:
        verb = "asks for another attempt" if facts.judged else "asks for no other attempt"
        return Answer(facts.judged, f"{what}; the judge hook {verb}")
    if in_the_way is None and facts.told is not None:
        return Answer(facts.told, f"{what}; the server said x-should-retry: {facts.told}".lower())
    if in_the_way is not None and _might_be_repeated(policy, facts):
        return Answer(False, in_the_way, refused=True)
    if not _worth_repeating(policy, facts.outcome):
        return Answer(False, f"{what} is not repeated" if _failed(facts.outcome) else "")
    if not _may_repeat(policy, facts):
        return Answer(
            False, f"{what}, and the {facts.method} may have been carried out", refused=True
        )
    return Answer(True, what)


def _failed(outcome: Outcome) -> bool:
    return isinstance(outcome, Exception) or outcome.status >= 400


def _might_be_repeated(policy: RetryPolicy, facts: Facts) -> bool:
    """Whether somebody might want another attempt, were there nothing in its way."""
    if facts.told is not None:
        return facts.told
    asked = policy.judge is not None and _failed(facts.outcome)
    return asked or _worth_repeating(policy, facts.outcome)


def _may_repeat(policy: RetryPolicy, facts: Facts) -> bool:
    if facts.never_sent or status_of(facts.outcome) in NOT_CARRIED_OUT:
        return True
    if facts.idempotent is not None:
        return facts.idempotent
    return facts.keyed or facts.method in policy.methods


def _worth_repeating(policy: RetryPolicy, outcome: Outcome) -> bool:
    code = outcome.code if isinstance(outcome, APIError) else None
    if code in policy.fatal_codes:
        return False
    if status_of(outcome) in policy.statuses or code in policy.codes:
        return True
    if not isinstance(outcome, Exception) or isinstance(outcome, CircuitOpenError):
        return False
    if isinstance(outcome, policy.exceptions):
        return True
    return is_transport_failure(outcome) and not is_permanent(outcome)


def pace(
    planned: float,
    retry_after: float | None,
    *,
    policy: RetryPolicy,
    random: float,
    left: float,
) -> tuple[float | None, str]:
    """How long to wait, or None and the reason why not at all.

    What the server asks for is a floor, above which the wait is spread: callers that were
    turned away together must not come back together.

    Args:
        planned: The backoff's wait, in seconds.
        retry_after: What the server asked for, in seconds, or None.
        policy: Its `max_retry_after` is the most that a server may ask for.
        random: A number from [0, 1).
        left: Seconds that the call has left.
    """
    floor = 0.0
    wait = planned
    if retry_after:
        if retry_after > policy.max_retry_after:
            return None, (
                f"the server asks to wait {retry_after:g} s, "
                f"more than max_retry_after ({policy.max_retry_after:g} s)"
            )
        floor = retry_after
        # At most half as long again, as Envoy spreads it, and no more than a backoff's wait.
        wait = max(planned, floor + random * min(floor / 2, policy.backoff.cap))
        # The spread gives way to the deadline; the floor does not.
        wait = min(wait, max(floor, left / 2))
    if wait >= left:
        needed = max(floor, wait)
        return None, f"a wait of {needed:.3g} s does not fit the {max(left, 0):.3g} s left"
    return wait, f"the server asks to wait {retry_after:g} s" if retry_after else ""
