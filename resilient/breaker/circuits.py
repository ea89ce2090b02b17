"""Keep the circuits of a breaker by key: a bounded registry of machines and their queues."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable
from typing import Final

from resilient.breaker.machine import Change, Machine, State
from resilient.breaker.policy import BreakerPolicy
from resilient.core.call import Call
from resilient.core.queues import Queue, Room
from resilient.support.registry import IN_DOUBT, IN_USE, UNUSED, make_room

__all__ = ["Circuits", "Kept"]

logger = logging.getLogger("resilient")

Tell = Callable[[Hashable, Change], object]


# Shared by all circuits that were never half-open, so that nobody adds to it.
_NOBODY: Final[set[Call]] = set()


class Kept(Machine):
    """A machine as it is kept: with its key, and the queue of those who wait for it.

    Attributes:
        key: The key.
        queue: Those who wait; None before anybody did.
        inside: Calls with an attempt under way that it let pass while it was half-open.
    """

    __slots__ = ("inside", "key", "queue")

    def __init__(self, policy: BreakerPolicy, key: Hashable) -> None:
        super().__init__(policy)
        self.key = key
        self.queue: Queue | None = None
        self.inside = _NOBODY

    def let_in(self, call: Call) -> None:
        """Note the call of an attempt that passes while it is half-open."""
        if self.inside is _NOBODY:
            self.inside = set()
        self.inside.add(call)

    @property
    def waiting(self) -> int:
        """The number of those who wait."""
        return 0 if self.queue is None else len(self.queue)


class Circuits:
    """Keeps machines by key; of more than `max_destinations` it forgets what is not needed.

    Needed is what is not closed, and where somebody waits. If all are, the registry grows, since a
    circuit that is forgotten is closed. Those that have failed lately go last.

    Args:
        policy: What machines are made from, and how many are kept.
        tell: Told of each transition.
        time: Gives the time, in seconds.
        room: Counts those who wait.

    Attributes:
        machines: Those that there are, by key.
    """

    __slots__ = ("_has_said", "_room", "_tell", "machines", "policy", "time")

    def __init__(
        self, policy: BreakerPolicy, tell: Tell, time: Callable[[], float], room: Room
    ) -> None:
        self.policy = policy
        self.time = time
        self._tell = tell
        self._room = room
        self._has_said = False
        self.machines: dict[Hashable, Kept] = {}

    def make(self, key: Hashable) -> Kept:
        """Return the machine of a key; make it if there is none."""
        machine = self.machines.get(key)
        if machine is None:
            if len(self.machines) >= self.policy.max_destinations:
                self._make_room()
            machine = self.machines[key] = Kept(self.policy, key)
        return machine

    def queue_of(self, machine: Kept) -> Queue:
        """Return the queue of a machine; make it if there is none."""
        if machine.queue is None:
            machine.queue = Queue(self._room)
        return machine.queue

    def told(self, machine: Kept, change: Change | None) -> None:
        """Tell of a transition, if there was one; of a circuit that was forgotten nothing."""
        if change is None:
            return
        if change.after is State.CLOSED:
            machine.inside.clear()
        if self.machines.get(machine.key) is machine:
            self._tell(machine.key, change)

    def move_to_loop(self, now: float | None) -> None:
        """Go on in another event loop: queues are cleared, and stored times moved.

        Args:
            now: The time there, at which the last time seen is to stand; None if both loops have
                the same scale.
        """
        seen = max((machine.last_seen for machine in self.machines.values()), default=None)
        shift = 0.0 if now is None or seen is None or seen == -math.inf else now - seen
        for machine in self.machines.values():
            if machine.queue is not None:
                machine.queue.clear()
            machine.inside.clear()
            machine.move_to_loop(shift)

    def _make_room(self) -> None:
        """Make room for one more among the oldest circuits: first go those that are quiet."""
        now, most = self.time(), self.policy.max_destinations

        def use(machine: Kept) -> int:
            if machine.is_needed or machine.waiting:
                return IN_USE
            return IN_DOUBT if machine.is_scoring(now) else UNUSED

        make_room(self.machines, most, use, Kept.disturb)
        if len(self.machines) >= most and not self._has_said:
            self._has_said = True
            logger.warning(
                "more than %d circuits are kept, since those that are in trouble are not "
                "forgotten (BreakerPolicy.max_destinations); this is said once",
                self.policy.max_destinations,
            )
