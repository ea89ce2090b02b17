"""Tell how long a request waits between attempts, and how long it may take at worst."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from resilient.breaker.middleware import FOR_ITS_TURN
from resilient.cli.plain import number
from resilient.core.outcome import IDEMPOTENT_METHODS
from resilient.pipeline.policy import Policy
from resilient.retry import RetryPolicy
from resilient.wire.reading import DRAIN_SECONDS

__all__ = ["Times", "Wait", "Waits", "times", "waits"]


# As many are looked at one by one: the built-in generators come to their cap before, as a rule.
_MOST: Final = 99


@frozen
class Wait:
    """The bounds of a wait, in seconds, where the server asks for none."""

    after_attempt: int
    least: float
    most: float


@frozen
class Waits:
    """The waits of a hop.

    Attributes:
        bounds: The bounds of the first ones, at most 99.
        count: The greatest number of waits.
        longest: The most seconds that all take together, with those that a server asks for.
        ends: Why the generator ends early, or None if `max_attempts` is the limit.
    """

    bounds: tuple[Wait, ...]
    count: int
    longest: float
    ends: str | None = None


@frozen
class Times:
    """The time of a hop until its response is handed over, in seconds.

    Attributes:
        attempts: The greatest number of attempts, one that is aiohttp's own included.
        attempt: The longest time of one, the reading of its error body included; infinite if
            nothing limits it.
        waits: The waits between attempts; None without retry.
        max_retry_after: The longest wait that a server may ask for; None without retry.
        unlimited: The longest time of all, if no deadline cut it short.
        held: How long guards may hold it besides, a line for each.
        worst: The longest time of all; infinite if nothing limits it. Without `total_timeout` it
            leaves out what guards add: a gate may close again while a call waits at it.
        limited_by: The limit that counts: "total_timeout", "attempts", or None.
    """

    attempts: int
    attempt: float
    waits: Waits | None
    max_retry_after: float | None
    unlimited: float
    worst: float
    limited_by: str | None
    held: tuple[str, ...] = ()


def times(policy: Policy, method: str) -> Times:
    """Return how long a hop may take under a policy."""
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
        held=tuple(_held(policy)),
    )


def _held(policy: Policy) -> Iterator[str]:
    throttle, breaker, bulkhead = policy.throttle, policy.breaker, policy.bulkhead
    if throttle is not None and (throttle.learn or throttle.limit is not None):
        retry = RetryPolicy() if policy.retry is None else policy.retry
        asked = f"until the server's time is over, up to {number(retry.max_retry_after)} s, and "
        yield (
            f"a throttle may hold each attempt {asked if throttle.learn else ''}for a queue of up "
            f"to {number(throttle.max_wait)} s"
        )
    if breaker is not None and breaker.patience and not breaker.observe:
        yield (
            f"an open circuit may hold it for up to {number(breaker.patience)} s in all, and "
            f"{number(FOR_ITS_TURN)} s more once traffic is let back in"
        )
    if bulkhead is not None and bulkhead.max_wait:
        yield f"a bulkhead may hold each attempt for up to {number(bulkhead.max_wait)} s"


def _attempts(retry: RetryPolicy, planned: Waits) -> int:
    if planned.ends is None:
        return retry.max_attempts
    # The first attempt, and another after each wait; a stale pooled connection needs none.
    return min(retry.max_attempts, planned.count + 2)


def _limited_by(limit: float, unlimited: float) -> str | None:
    if limit == unlimited == math.inf:
        return None
    return "total_timeout" if limit <= unlimited else "attempts"


def waits(retry: RetryPolicy) -> Waits:
    """Return the waits of a policy. A wait generator of the user's is run once, and may fail."""
    wanted = retry.max_attempts - 1
    backoff = retry.backoff
    bounds: list[Wait] = []
    ends = None
    upcoming = backoff.bounds()
    while ends is None and len(bounds) < min(wanted, _MOST):
        try:
            bounds.append(Wait(len(bounds) + 1, *next(upcoming)))
        except StopIteration:
            ends = f"the wait generator gives {_so_many(len(bounds))}"
        # Whatever it raises; SystemExit would end this program.
        except (Exception, SystemExit) as error:
            ends = f"the wait generator gives {_so_many(len(bounds))}: {type(error).__name__}"
    count = wanted if ends is None else len(bounds)
    # Who knows what a generator of the user's yields next time.
    sure = len(bounds) if isinstance(backoff.wait, str) or backoff.jitter == "decorrelated" else 0
    # A server's wait is spread upward; see `resilient.retry.decision.pace`.
    asked = retry.max_retry_after + min(retry.max_retry_after / 2, backoff.cap)
    longest = sum(max(each.most, asked) for each in bounds[:sure])
    longest += (count - sure) * max(backoff.cap, asked)
    return Waits(tuple(bounds), count, longest, ends)


def _so_many(count: int) -> str:
    return "no wait" if count == 0 else f"{count} wait{'s' * (count > 1)} and no more"
