"""Keep the circuits of a breaker by key: a bounded registry of machines."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import islice
from typing import Final

from resilient.breaker.machine import Change, Machine
from resilient.breaker.policy import BreakerPolicy

__all__ = ["Circuits"]

# How many circuits are looked at to find one to forget: enough, and quick.
_OLDEST: Final = 64

Tell = Callable[[Hashable, Change], object]


class Circuits:
    """Keeps machines by key; of more than `max_circuits` it forgets the least important.

    Args:
        policy: What machines are made from, and how many are kept.
        tell: Told of each transition.
        time: Gives the time, in seconds.

    Attributes:
        machines: Those that there are, by key.
    """

    __slots__ = ("_tell", "machines", "policy", "time")

    def __init__(self, policy: BreakerPolicy, tell: Tell, time: Callable[[], float]) -> None:
        self.policy = policy
        self.time = time
        self._tell = tell
        self.machines: dict[Hashable, Machine] = {}

    def make(self, key: Hashable) -> Machine:
        """Return the machine of a key; make it if there is none."""
        machine = self.machines.get(key)
        if machine is None:
            if len(self.machines) >= self.policy.max_circuits:
                self._forget_one()
            machine = self.machines[key] = Machine(self.policy)
        return machine

    def told(self, key: Hashable, change: Change | None) -> None:
        """Tell of a transition, if there was one."""
        if change is not None:
            self._tell(key, change)

    def rebase(self, now: float) -> None:
        """Move every stored time to another scale, on which it is `now`."""
        for machine in self.machines.values():
            machine.rebase(now)

    def _forget_one(self) -> None:
        """Forget the least important of the oldest circuits."""
        now = self.time()
        least = 4
        for key, machine in islice(self.machines.items(), _OLDEST):
            importance = machine.importance(now)
            if importance < least:
                least, victim = importance, key
                if least == 0:
                    break
        del self.machines[victim]
