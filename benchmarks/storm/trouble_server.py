"""Answers of a server in trouble that the testing kit does not have.

They are choosers like those of `resilient.testing`, and combine with them: an outage is an
`Outage`, random failures are a `Mixture`, a token bucket is a `TokenBucket`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from attrs import define, evolve, field, frozen

from resilient.testing.script.capacity import BrownOut
from resilient.testing.script.faults import Reply
from resilient.testing.script.outage import Period
from resilient.testing.script.script import OK, Answer, Chooser, Delayed
from resilient.testing.server.received import Received

__all__ = ["ByPath", "FixedWindow", "Latency", "Weakened"]


@define(eq=False)
class Latency(Chooser):
    """Delays each answer by a random time, from half of the mean up to one and a half of it.

    Attributes:
        mean: The mean delay in seconds.
        random: Draws the delays.
        then: The answer. Default 200.
    """

    mean: float
    random: Random
    then: Answer = OK

    def __call__(self, received: Received) -> Answer:
        """Return the delayed answer for a request."""
        return Delayed(self.mean * self.random.uniform(0.5, 1.5), self.then)


@frozen
class ByPath(Chooser):
    """Answers some paths differently.

    Attributes:
        paths: The answers, by path.
        otherwise: The answer for all other paths. Default 200.
    """

    paths: Mapping[str, Answer]
    otherwise: Answer = OK

    def __call__(self, received: Received) -> Answer:
        """Return the answer for the path of a request."""
        return self.paths.get(received.path, self.otherwise)


@define(eq=False)
class FixedWindow(Chooser):
    """Lets a number of requests through in each window of time, and refuses the rest.

    Windows begin at the start and follow one another. A refused request does not count.

    Attributes:
        limit: Requests per window.
        seconds: The length of a window.
        then: The answer within the limit. Default 200.
        hint: Say with Retry-After when the window ends, in whole seconds rounded up. Default
            True.
    """

    limit: int
    seconds: float
    then: Answer = OK
    hint: bool = True
    _window: int = field(default=0, init=False)
    _count: int = field(default=0, init=False)

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request, a 429 beyond the limit."""
        now = received.since_start
        window = math.floor(now / self.seconds)
        if window != self._window:
            self._window, self._count = window, 0
        if self._count < self.limit:
            self._count += 1
            return self.then
        if not self.hint:
            return Reply(429)
        left = (window + 1) * self.seconds - now
        return Reply(429, headers={"Retry-After": str(math.ceil(left))})


@define(eq=False)
class Weakened(Chooser):
    """A server with a capacity that is lower during a period, with one queue throughout.

    Two `BrownOut`s in an `Outage` would have a queue each, and so forget at the end of the
    period what is still in line.

    Attributes:
        server: The server at its normal capacity.
        period: The period, counted from the start.
        factor: Its capacity during the period, as a share of the normal one. Default 0.5.
    """

    server: BrownOut
    period: Period
    factor: float = 0.5
    _normal: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        # A copy, since its speed changes.
        self.server = evolve(self.server)
        self._normal = self.server.base

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request, after its time in the queue."""
        weak = self.period.covers(received.since_start)
        self.server.base = self._normal / self.factor if weak else self._normal
        return self.server(received)
