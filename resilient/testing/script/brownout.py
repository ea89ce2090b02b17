"""Answer at a speed that falls with the load."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from resilient.support.validation import at_least, optional, positive
from resilient.testing.script.faults import Reply
from resilient.testing.script.reply import ShortRepr
from resilient.testing.script.script import OK, Answer, Chooser, Delayed, an_answer
from resilient.testing.server.received import Received

__all__ = ["BrownOut"]


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
