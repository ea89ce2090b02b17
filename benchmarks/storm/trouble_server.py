"""Answers of a server in trouble that the testing kit does not have.

They are choosers like those of `resilient.testing`, and combine with them: an outage is an
`Outage`, random failures are a `Mixture`, a limit of the rate is a `Limit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from attrs import define, evolve, field, frozen

from resilient.testing.script.brownout import BrownOut
from resilient.testing.script.outage import Period
from resilient.testing.script.script import OK, Answer, Chooser, Delayed
from resilient.testing.server.received import Received

__all__ = ["ByPath", "Latency", "Weakened"]


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
