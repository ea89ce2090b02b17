"""A fault server that is slower the more it has to do."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from resilient.testing.faults import Reply
from resilient.testing.received import Received
from resilient.testing.reply import Shown
from resilient.testing.script import OK, Answer, Chooser, Delayed, an_answer
from resilient.validation import at_least, optional, positive

__all__ = ["BrownOut"]


@define(eq=False, repr=False)
class BrownOut(Chooser, Shown):
    """A queue with a few servers: so many requests are worked on, and the others wait in line.

        BrownOut(0.02, workers=4, capacity=100)  # never more than 200 answers a second

    Each takes a worker for `base` seconds, first come, first served. As long as there are
    idle workers that is the latency, too. A request that finds n in progress when there are
    none has n // workers turns to wait for before its own, so that latency grows with what is
    in progress. No more than `workers / base` answers a second come out, whatever comes in:
    beyond that rate the line grows until `capacity`, and the rest is turned away at once.

    A client that gives up is not noticed, and its request is worked on: so do most servers,
    and that is how impatient clients that ask again keep one busy with work that nobody
    waits for any more.

    In the terms of queueing theory this is G/D/c/K: any arrivals, deterministic service, c
    servers, K places. It knows of
    nothing but when the heads of requests are in; delays of `then`'s own come on
    top, and occupy no worker.

    Attributes:
        base: Seconds of work for a request.
        workers: How many are worked on at once.
        capacity: How many may be in progress, the waiting ones included; None for any number.
        then: The answer to what is worked on.
        full: The answer to what is turned away.
    """

    base: float = field(validator=positive())
    workers: int = field(default=1, kw_only=True, validator=at_least(1))
    capacity: int | None = field(default=None, kw_only=True, validator=optional(at_least(1)))
    then: Answer = field(default=OK, kw_only=True, validator=an_answer)
    full: Answer = field(default=Reply(503), kw_only=True, validator=an_answer)
    # When those in progress will be done, in the order of their coming, so the next one first.
    _done_at: deque[float] = field(factory=deque, init=False)

    def __call__(self, received: Received) -> Answer:
        """The answer for a request."""
        now, done_at = received.time, self._done_at
        while done_at and done_at[0] <= now:
            done_at.popleft()
        if self.capacity is not None and len(done_at) >= self.capacity:
            return self.full
        begins = now if len(done_at) < self.workers else done_at[-self.workers]
        done_at.append(begins + self.base)
        return Delayed(begins + self.base - now, self.then)
