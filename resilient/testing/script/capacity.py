"""Answer with a capacity: under a rate limit, or at a speed that falls with the load."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal, get_args

from attrs import define, evolve, field

from resilient.support.validation import as_tuple, at_least, check, instance, optional, positive
from resilient.testing.script.faults import Reply
from resilient.testing.script.reply import ShortRepr
from resilient.testing.script.script import OK, Answer, Chooser, Delayed, an_answer
from resilient.testing.server.received import Received

__all__ = ["BrownOut", "Hint", "TokenBucket"]

Hint = Literal["Retry-After", "retry-after-ms", "RateLimit", "X-RateLimit-Reset"]

# A client that comes back just when it was told to may be so much too early: seconds, as
# some event loops count in milliseconds, and at most so much of a token.
_EARLY_SECONDS = 1e-3
_EARLY_TOKEN = 1e-2


@define(eq=False, repr=False)
class TokenBucket(Chooser, ShortRepr):
    """Let requests through as long as tokens are there, one for each, and refuse the rest.

        TokenBucket(rate=300 / 60, burst=20)  # 300 a minute, 20 of them at once

    The bucket begins full. A refused request costs nothing.

    Attributes:
        rate: The number of tokens that come back a second.
        burst: The number of tokens that the bucket holds, so the requests that pass at
            once; by default 1.
        then: The answer to requests that pass; by default a 200 with `{}`.
        refusal: The answer to those that do not, a Reply to which the hints are added; by
            default a 429.
        hints: The headers that say how long it takes until a token is there, any number of
            them. "Retry-After", the default: in seconds, rounded up (RFC 9110, 10.2.3).
            "retry-after-ms": in milliseconds. "RateLimit": with RateLimit-Policy, as in
            draft-ietf-httpapi-ratelimit-headers. "X-RateLimit-Reset": in seconds, with
            X-RateLimit-Limit and X-RateLimit-Remaining.
    """

    rate: float = field(validator=positive("tokens a second"))
    burst: int = field(default=1, validator=at_least(1))
    then: Answer = field(default=OK, kw_only=True, validator=an_answer)
    refusal: Reply = field(default=Reply(429), kw_only=True, validator=instance(Reply, "a Reply"))
    hints: tuple[Hint, ...] = field(
        default=("Retry-After",),
        kw_only=True,
        converter=as_tuple,
        validator=check(
            f"some of {get_args(Hint)}",
            lambda given: (
                isinstance(given, tuple) and all(each in get_args(Hint) for each in given)
            ),
        ),
    )
    # The moment at which the bucket is full again. A bucket needs no other state (ITU-T I.371
    # has the same under the name of a virtual scheduling algorithm).
    _full_at: float = field(default=-math.inf, init=False)

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        now = received.time
        full_at = max(self._full_at, now)
        wait = full_at - now - (self.burst - 1) / self.rate
        if wait > min(_EARLY_SECONDS, _EARLY_TOKEN / self.rate):
            headers = self.refusal.headers + self._headers(wait)
            return evolve(self.refusal, headers=headers)
        self._full_at = full_at + 1 / self.rate
        return self.then

    def _headers(self, wait: float) -> tuple[tuple[str, str], ...]:
        milliseconds = math.ceil(round(wait * 1000, 3))
        seconds = math.ceil(round(wait, 6))
        window = math.ceil(self.burst / self.rate)
        headers = {
            "Retry-After": (("Retry-After", f"{seconds}"),),
            "retry-after-ms": (("retry-after-ms", f"{milliseconds}"),),
            "RateLimit": (
                ("RateLimit-Policy", f'"default";q={self.burst};w={window}'),
                ("RateLimit", f'"default";r=0;t={seconds}'),
            ),
            "X-RateLimit-Reset": (
                ("X-RateLimit-Limit", f"{self.burst}"),
                ("X-RateLimit-Remaining", "0"),
                ("X-RateLimit-Reset", f"{seconds}"),
            ),
        }
        return tuple(header for hint in self.hints for header in headers[hint])


@define(eq=False, repr=False)
class BrownOut(Chooser, ShortRepr):
    """Work on a few requests at a time, and let the others wait in line.

        BrownOut(0.02, workers=4, capacity=100)  # never more than 200 answers a second

    Each request takes a worker for `base` seconds, first come, first served. While there are
    idle workers, that is the latency, too. Otherwise a request that finds n in progress waits
    for n // workers turns before its own. No more than `workers / base` answers a second come
    out, whatever comes in: beyond that rate the line grows until `capacity`, and further
    requests are turned away at once.

    A client that gives up is not noticed, and its request is worked on. Most servers do so,
    and impatient clients that ask again keep them busy with work that nobody waits for.

    In the terms of queueing theory this is G/D/c/K: any arrivals, deterministic service, c
    servers, K places. Only the moments at which the heads of requests are in count; delays of
    `then` itself come on top, and occupy no worker.

    Attributes:
        base: Seconds of work for a request.
        workers: The number of requests worked on at once; by default 1.
        capacity: The number of requests that may be in progress, the waiting ones included;
            None, the default, for any number.
        then: The answer to requests that are worked on; by default a 200 with `{}`.
        full: The answer to requests that are turned away; by default a 503.
    """

    base: float = field(validator=positive())
    workers: int = field(default=1, kw_only=True, validator=at_least(1))
    capacity: int | None = field(default=None, kw_only=True, validator=optional(at_least(1)))
    then: Answer = field(default=OK, kw_only=True, validator=an_answer)
    full: Answer = field(default=Reply(503), kw_only=True, validator=an_answer)
    # The moments at which those in progress are done, in the order of their coming.
    _done_at: deque[float] = field(factory=deque, init=False)

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        now, done_at = received.time, self._done_at
        while done_at and done_at[0] <= now:
            done_at.popleft()
        if self.capacity is not None and len(done_at) >= self.capacity:
            return self.full
        begins = now if len(done_at) < self.workers else done_at[-self.workers]
        done_at.append(begins + self.base)
        return Delayed(begins + self.base - now, self.then)
