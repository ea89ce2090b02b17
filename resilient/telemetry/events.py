"""Events: what happened, told to whoever listens.

A listener is a callable that takes one event. Who is told, and when, is in `emitter`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import ClassVar, Literal

from attrs import frozen

from resilient.reasons import Reason
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

    Attributes:
        name: The name of the policy, as a rule that of the service.
        call: The number of the call, the same in all events of one call in this process.
        method: The method of the request.
        url: The URL without userinfo, query and fragment.
        number: The number of the attempt, from 1 in each hop.
        duration: Seconds until the response was there, or the failure.
        status: The status of the response; None if there was none.
        error: What went wrong in the place of a response, in a few words; None otherwise.
    """

    kind: ClassVar[Literal["attempt"]] = "attempt"
    level: ClassVar[int] = LEVELS["attempt"]

    name: str
    call: int
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
    """A call waits before its next attempt.

    Attributes:
        name: As for `AttemptEvent`, and so are `call`, `method` and `url`.
        number: The number of the attempt that is over.
        seconds: The length of the wait.
        code: Why another attempt is made, for a program.
        reason: The same in words.
    """

    kind: ClassVar[Literal["wait"]] = "wait"
    level: ClassVar[int] = LEVELS["wait"]

    name: str
    call: int
    method: str
    url: str
    number: int
    seconds: float
    code: Reason
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.method} {self.url}: waiting {self.seconds:.3f} s after attempt "
            f"{self.number} ({self.reason})"
        )


@frozen(kw_only=True)
class RefusalEvent:
    """A failed call was not tried again, or a call was not let through at all.

    Attributes:
        name: As for `AttemptEvent`, and so are `call`, `method` and `url`.
        by: "retry" or "breaker".
        code: Why, for a program.
        reason: The same in words.
    """

    kind: ClassVar[Literal["refusal"]] = "refusal"
    level: ClassVar[int] = LEVELS["refusal"]

    name: str
    call: int
    method: str
    url: str
    by: str
    code: Reason
    reason: str

    def __str__(self) -> str:
        return f"{self.method} {self.url}: the {self.by} refused ({self.reason})"


@frozen(kw_only=True)
class TransitionEvent:
    """A circuit changed its state, or an open one was isolated.

    Attributes:
        name: The name of the policy, as a rule that of the service.
        key: What the circuit belongs to, as a rule an origin.
        before: The state before: "closed", "open" or "half_open".
        after: The state after.
        code: Why, for a program.
        reason: The same in words.
        seconds: How long the circuit stays open; None if it did not open, or stays so for good.
    """

    kind: ClassVar[Literal["transition"]] = "transition"

    name: str
    key: Hashable
    before: str
    after: str
    code: Reason
    reason: str
    seconds: float | None = None

    @property
    def level(self) -> int:
        """The level at which it is logged; a circuit that opens is worth a person's time."""
        return logging.WARNING if self.after == "open" else logging.INFO

    def __str__(self) -> str:
        how_long = "" if self.seconds is None else f" for {self.seconds:.3g} s"
        return f"the circuit for {self.key} is {self.after}{how_long} ({self.reason})"


Event = AttemptEvent | WaitEvent | RefusalEvent | TransitionEvent
# Returns None, so that type checkers refuse a coroutine function, which nobody would await.
Listener = Callable[[Event], None]

KINDS = {
    "attempt": AttemptEvent,
    "wait": WaitEvent,
    "refusal": RefusalEvent,
    "transition": TransitionEvent,
}
