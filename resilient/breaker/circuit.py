"""A circuit of a breaker, to look at and to operate."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import field, frozen

from resilient.breaker.circuits import Circuits, Kept
from resilient.breaker.machine import Counts

__all__ = ["Circuit"]


@frozen
class Circuit:
    """One circuit of a breaker, seen from outside; always as it is now.

    Attributes:
        key: What it belongs to, as a rule an origin.
    """

    key: Hashable
    _circuits: Circuits = field(repr=False)

    @property
    def _machine(self) -> Kept:
        # Looking at a circuit does not make one: it would be as new.
        return self._circuits.machines.get(self.key) or Kept(self._circuits.policy, self.key)

    @property
    def state(self) -> str:
        """The state: "closed", "open" or "half_open"."""
        return self._machine.state.value

    @property
    def isolated(self) -> bool:
        """True if it stays open until `reset`."""
        return self._machine.isolated

    @property
    def counts(self) -> Counts:
        """The scores, the failures that made them, and the failures in a row."""
        return self._machine.counts()

    @property
    def waiting(self) -> int:
        """The number of calls that wait for it."""
        return self._machine.waiting

    @property
    def retry_after(self) -> float | None:
        """The seconds until a call may pass, as far as that is known; 0 if one may now.

        None if nobody can say, which is so while it is isolated.
        """
        return self._machine.retry_in(self._circuits.time())

    def isolate(self) -> None:
        """Refuse every call until `reset`; with `observe`, only say so."""
        machine = self._circuits.make(self.key)
        self._circuits.told(machine, machine.isolate())
        self._wake(machine)

    def reset(self) -> None:
        """Close it, and forget what it has counted."""
        machine = self._machine
        self._circuits.told(machine, machine.reset())
        self._wake(machine)

    def _wake(self, machine: Kept) -> None:
        if machine.queue is not None:
            machine.queue.wake_all()
