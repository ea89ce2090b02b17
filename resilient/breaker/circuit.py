"""A circuit of a breaker, to look at and to operate."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from attrs import field, frozen

from resilient.breaker.machine import Change, Counts, Machine

if TYPE_CHECKING:
    from resilient.breaker.middleware import CircuitBreaker

__all__ = ["Circuit"]


@frozen
class Circuit:
    """One circuit of a breaker, seen from outside; always as it is now."""

    key: Hashable
    _breaker: CircuitBreaker = field(repr=False)

    @property
    def _machine(self) -> Machine:
        # Looking at a circuit does not make one: it would be as new.
        return self._breaker._machines.get(self.key) or Machine(self._breaker.policy)

    @property
    def state(self) -> str:
        """One of "closed", "open", "half_open"."""
        return self._machine.state.value

    @property
    def isolated(self) -> bool:
        """Whether it stays open until `reset`."""
        return self._machine.isolated

    @property
    def counts(self) -> Counts:
        """Calls, failures and slow calls in the window, and the failures in a row."""
        return self._machine.counts(self._breaker._clock.time())

    @property
    def retry_after(self) -> float | None:
        """Seconds until a call may pass; 0 if one may now, None while it is isolated."""
        return self._machine.retry_in(self._breaker._clock.time())

    def isolate(self) -> None:
        """Refuse every call until `reset`; with `observe`, only say so."""
        machine = self._breaker._machines.get(self.key) or self._breaker._make(self.key)
        self._told(machine.isolate())

    def reset(self) -> None:
        """Close it, and forget what it has counted."""
        self._told(self._machine.reset())

    def _told(self, change: Change | None) -> None:
        if change is not None:
            self._breaker._tell(self.key, change)
