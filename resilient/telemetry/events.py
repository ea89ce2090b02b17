"""Events: what happened, told to whoever listens.

A listener is a callable that takes one event. Who is told, and when, is in `emitter`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import ClassVar

from attrs import frozen

from resilient.telemetry.levels import LEVELS

__all__ = [
    "KINDS",
    "AttemptEvent",
    "Event",
    "Listener",
    "RefusalEvent",
    "TransitionEvent",
    "WaitEvent",
]


@frozen(kw_only=True)
class AttemptEvent:
    """An attempt came to its end.

    `status` or `error` says how; `duration` is in seconds.
    """

    kind: ClassVar[str] = "attempt"
    level: ClassVar[int] = LEVELS["attempt"]

    name: str
    method: str
    url: str
    number: int
    duration: float
    status: int | None = None
    error: str | None = None

    def __str__(self) -> str:
        outcome = self.error if self.status is None else self.status
        return (
            f"{self.method} {self.url}: attempt {self.number} came to {outcome} "
            f"in {self.duration:.3f} s"
        )


@frozen(kw_only=True)
class WaitEvent:
    """A call waits before its next attempt; `seconds` is how long, `reason` why at all."""

    kind: ClassVar[str] = "wait"
    level: ClassVar[int] = LEVELS["wait"]

    name: str
    method: str
    url: str
    number: int
    seconds: float
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.method} {self.url}: waiting {self.seconds:.3f} s after attempt "
            f"{self.number} ({self.reason})"
        )


@frozen(kw_only=True)
class RefusalEvent:
    """A failed call was not tried again, or a call was not let through at all.

    `by` is "retry" or "breaker".
    """

    kind: ClassVar[str] = "refusal"
    level: ClassVar[int] = LEVELS["refusal"]

    name: str
    method: str
    url: str
    by: str
    reason: str

    def __str__(self) -> str:
        return f"{self.method} {self.url}: the {self.by} refused ({self.reason})"


@frozen(kw_only=True)
class TransitionEvent:
    """A circuit changed its state; `seconds` is how long it stays open, if it opened."""

    kind: ClassVar[str] = "transition"

    name: str
    key: Hashable
    before: str
    after: str
    reason: str
    seconds: float | None = None

    @property
    def level(self) -> int:
        """A circuit that opens is worth a person's time."""
        return logging.WARNING if self.after == "open" else logging.INFO

    def __str__(self) -> str:
        how_long = "" if self.seconds is None else f" for {self.seconds:.3g} s"
        return f"the circuit for {self.key} is {self.after}{how_long} ({self.reason})"


Event = AttemptEvent | WaitEvent | RefusalEvent | TransitionEvent
Listener = Callable[[Event], object]

KINDS = {
    "attempt": AttemptEvent,
    "wait": WaitEvent,
    "refusal": RefusalEvent,
    "transition": TransitionEvent,
}
