"""How long a request may take at worst."""

from __future__ import annotations

import math

from attrs import frozen

from resilient.cli.explain.waits import Waits, waits
from resilient.core.outcome import IDEMPOTENT_METHODS
from resilient.pipeline.policy import Policy
from resilient.retry import RetryPolicy
from resilient.wire.reading import DRAIN_SECONDS

__all__ = ["Times", "times"]


@frozen
class Times:
    """What the time of a hop is made of until its response is handed over, in seconds.

    Attributes:
        attempts: How many at most, one that is aiohttp's own included.
        attempt: How long one may take, the reading of its error body included; infinite if
            nothing limits it.
        waits: What may be waited between them; None without retry.
        max_retry_after: The longest wait that a server may ask for; None without retry.
        unlimited: How long all that takes, did no deadline cut it short.
        worst: How long it takes at worst; infinite if nothing limits it.
        limited_by: What makes it no longer: "total_timeout", "attempts", or None.
    """

    attempts: int
    attempt: float
    waits: Waits | None
    max_retry_after: float | None
    unlimited: float
    worst: float
    limited_by: str | None


def times(policy: Policy, method: str) -> Times:
    """How long a hop may take under a policy."""
    attempt = math.inf if policy.attempt_timeout is None else policy.attempt_timeout
    total = math.inf if policy.total_timeout is None else policy.total_timeout
    # An error body is read when the attempt is over; so is one that nobody wants.
    reading = 0.0 if policy.errors is None else policy.errors.read_timeout
    retry = policy.retry
    if retry is None:
        planned = None
        # aiohttp may send again on its own, and enters the whole pipeline a second time.
        attempts = entries = 2 if method in IDEMPOTENT_METHODS else 1
        between = 0.0
    else:
        planned = waits(retry)
        attempts, entries = _attempts(retry, planned), 1
        between = planned.longest + (attempts - 1) * max(reading, DRAIN_SECONDS)
    unlimited = attempts * attempt + between + reading
    limit = entries * total
    return Times(
        attempts=attempts,
        attempt=min(attempt + reading, total),
        waits=planned,
        max_retry_after=None if retry is None else retry.max_retry_after,
        unlimited=unlimited,
        worst=min(limit, unlimited),
        limited_by=_limited_by(limit, unlimited),
    )


def _attempts(retry: RetryPolicy, planned: Waits) -> int:
    if planned.ends is None:
        return retry.max_attempts
    # The first attempt, and another after each wait; a stale pooled connection needs none.
    return min(retry.max_attempts, planned.count + 2)


def _limited_by(limit: float, unlimited: float) -> str | None:
    if limit == unlimited == math.inf:
        return None
    return "total_timeout" if limit <= unlimited else "attempts"
