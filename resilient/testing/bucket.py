"""A fault server with a rate limit."""

from __future__ import annotations

import math
from typing import Literal, get_args

from attrs import define, evolve, field

from resilient.testing.faults import Reply
from resilient.testing.received import Received
from resilient.testing.reply import Shown
from resilient.testing.script import OK, Answer, Chooser, an_answer
from resilient.validation import as_tuple, at_least, check, instance, positive

__all__ = ["Hint", "TokenBucket"]

Hint = Literal["Retry-After", "retry-after-ms", "RateLimit", "X-RateLimit-Reset"]

# How much too early is early enough, for a client that comes back just when it was told to:
# seconds, as some event loops count in milliseconds, and at most so much of a token.
_EARLY_SECONDS = 1e-3
_EARLY_TOKEN = 1e-2


@define(eq=False, repr=False)
class TokenBucket(Chooser, Shown):
    """Lets requests through as long as tokens are there, one for each, and refuses the rest.

        TokenBucket(rate=300 / 60, burst=20)  # 300 a minute, 20 of them at once

    The bucket begins full. A refused request costs nothing.

    Attributes:
        rate: Tokens that come back a second.
        burst: Tokens that the bucket holds, so the requests that pass at once.
        then: The answer to what passes.
        refusal: The answer to what does not, to which the hints are added.
        hints: In which headers it says how long it takes until a token is there, in any
            number, also none. "Retry-After": in seconds, rounded up (RFC 9110, 10.2.3).
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
    # When the bucket will be full again: all there is to know of a bucket (ITU-T I.371 has
    # the same under the name of a virtual scheduling algorithm).
    _full_at: float = field(default=-math.inf, init=False)

    def __call__(self, received: Received) -> Answer:
        """The answer for a request."""
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
