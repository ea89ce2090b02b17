"""The waits between attempts, as far as a policy says."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from resilient.retry import RetryPolicy

__all__ = ["Wait", "Waits", "waits"]

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
        bounds: Of the first of them.
        count: How many at most.
        longest: The seconds of all together at most, with those that a server asks for.
        ends: Why there are no more of them than so, if not for the attempts; else None.
    """

    bounds: tuple[Wait, ...]
    count: int
    longest: float
    ends: str | None = None


def waits(retry: RetryPolicy) -> Waits:
    """The waits of a policy; a wait generator of the user's is run once, and may be wrong."""
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
        except Exception as error:
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
