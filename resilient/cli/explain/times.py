"""How long a request may take at worst."""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

from resilient.composition import Policy

__all__ = ["Times", "Wait", "times"]

# Attempts whose waits are looked at one by one; those after them wait as long as the last.
_MOST: Final = 100


@frozen
class Wait:
    """The bounds of a wait, in seconds, where the server asks for none."""

    after_attempt: int
    least: float
    most: float


@frozen
class Times:
    """What the time of a hop is made of, in seconds.

    Attributes:
        attempts: How many at most.
        attempt: How long one may take, the reading of its error body included; infinite if
            nothing limits it.
        waits: What may be waited between them.
        max_retry_after: The longest wait that a server may ask for; None without retry.
        unlimited: How long all that takes, did no deadline cut it short.
        worst: How long it takes at worst; infinite if nothing limits it.
        limited_by: What makes it no longer, in words.
    """

    attempts: int
    attempt: float
    waits: tuple[Wait, ...]
    max_retry_after: float | None
    unlimited: float
    worst: float
    limited_by: str


def times(policy: Policy) -> Times:
    """How long a hop may take under a policy."""
    retry = policy.retry
    attempts = 1 if retry is None else retry.max_attempts
    bounds = [] if retry is None else retry.backoff.bounds(min(attempts, _MOST))
    waits = tuple(Wait(place, *each) for place, each in enumerate(bounds, 1))
    attempt = math.inf if policy.attempt_timeout is None else policy.attempt_timeout
    if policy.errors is not None:
        attempt += policy.errors.read_timeout
    longest = [wait.most for wait in waits]
    if retry is not None:
        # A server's wait is spread upward; see `resilient.retry.decision.pace`.
        asked = retry.max_retry_after + min(retry.max_retry_after / 2, retry.backoff.cap)
        longest = [max(most, asked) for most in longest]
    unlimited = attempts * attempt + sum(longest)
    if attempts > _MOST:
        unlimited += (attempts - _MOST) * longest[-1]
    total = math.inf if policy.total_timeout is None else policy.total_timeout
    if total <= unlimited:
        limited_by = "nothing" if math.isinf(total) else "total_timeout"
    else:
        limited_by = "the attempts and the longest waits that a server may ask for"
    return Times(
        attempts=attempts,
        attempt=min(attempt, total),
        waits=waits,
        max_retry_after=None if retry is None else retry.max_retry_after,
        unlimited=unlimited,
        worst=min(total, unlimited),
        limited_by=limited_by,
    )
