"""The places of one destination: how many there are, how many are taken, and who waits for one.

A fixed limit stays as it is. An adaptive one learns from how attempts end (AIMD, additive
increase, multiplicative decrease):

- A failure lowers it to nine tenths, by one place at least: from 2 it has to come to 1.
- A success raises it by one, if at least half of the places are taken. A limit that nobody comes
  near says nothing, and would only drift upwards until the next crowd meets it.
- An attempt that began before the last fall counts for nothing, neither way: it tells of the
  limit as it was. Without this, fifty attempts that hang together would be fifty falls; and the
  successes of those that went out with the failure would undo its fall at once. Attempts are
  numbered for it, so that it needs no clock. At a share p of failures the limit settles where
  AIMDLimit's does, near (1 - p) / p / 0.1: at 90 for one in ten, at 10 for one in two.
- A neutral end (a cancellation, a failure of this machine's own, a 429) changes nothing.

A limit may fall below what is under way. Then nobody gets a place until enough have left.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from resilient.bulkhead.policy import Aimd
from resilient.core.call import Call
from resilient.core.outcome import Verdict
from resilient.core.queues import Queue, Room

__all__ = ["Destination", "Places"]


class Places(NamedTuple):
    """The places of one destination at one moment.

    Attributes:
        key: What it is, as a rule an origin.
        limit: How many attempts may be under way.
        in_use: How many are.
        waiting: How many wait for a place.
    """

    key: Hashable
    limit: int
    in_use: int
    waiting: int


class Destination:
    """Counts the attempts under way to one destination, and moves its limit.

    Args:
        key: What it is.
        limit: The limit to begin with.
        adaptive: How that adapts; None if it is fixed.
        room: Counts those who wait.

    Attributes:
        key: As given.
        limit: How many attempts may be under way.
        taken: How many are.
        number: The number of the last attempt that took a place.
        queue: Those who wait for a place.
        inside: The calls of those who have one.
    """

    __slots__ = ("_adaptive", "_cut", "inside", "key", "limit", "number", "queue", "taken")

    def __init__(self, key: Hashable, limit: int, adaptive: Aimd | None, room: Room) -> None:
        self.key = key
        self.limit = limit
        self.taken = 0
        self.number = 0
        self.queue = Queue(room)
        self.inside: set[Call] = set()
        self._adaptive = adaptive
        # The number of the last attempt that had begun when the limit fell.
        self._cut = 0

    @property
    def is_idle(self) -> bool:
        """True if nobody is there, and nobody waits."""
        return self.taken == 0 and self.queue.head is None

    @property
    def places(self) -> Places:
        """A view of it, to read."""
        return Places(self.key, self.limit, self.taken, len(self.queue))

    def take(self) -> int:
        """Take a place, and return the number of the attempt."""
        self.taken += 1
        self.number += 1
        return self.number

    def give_back(self) -> None:
        """Free a place, and let the next one ask for it."""
        self.taken -= 1
        self.queue.wake()

    def learn(self, number: int, verdict: Verdict) -> None:
        """Move an adaptive limit by how an attempt ended; its place is still taken.

        Args:
            number: That of the attempt.
            verdict: What it says of the server.
        """
        aimd = self._adaptive
        if aimd is None or number <= self._cut:
            return
        if verdict is Verdict.TRANSIENT:
            self._cut = self.number
            self.limit = max(aimd.minimum, min(self.limit - 1, int(self.limit * aimd.decrease)))
        elif verdict is Verdict.SUCCESS and 2 * self.taken >= self.limit:
            self.limit = min(aimd.effective_maximum, self.limit + aimd.increase)
