"""Guards as a user of ours would write them, for tests of the protocol.

`Bulkhead` is the example of how small a guard is; `Pace` grants by time, and `Gate` opens and
closes, and refuses after its patience.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Any

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.clock import SYSTEM_CLOCK, Clock, LoopBound
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Queue, Refusal, Turn, Wait
from resilient.core.outcome import Outcome
from resilient.errors import ResilientError

__all__ = ["Bulkhead", "Gate", "GateClosedError", "Pace"]

# Times that add up are not exact to the last digit.
GRAIN = 1e-6


class Bulkhead(LoopBound):
    """Lets so many attempts run at once; the others wait for their turn."""

    def __init__(self, limit: int, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.limit = limit
        self.out: set[object] = set()
        self.queue = Queue()

    def loop_changed(self, now: float | None) -> None:
        self.queue.clear()
        self.out.clear()

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        return run_attempt(request, handler, self, self, None, None)

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> object | Wait:
        if len(self.out) >= self.limit or not self.queue.is_next(turn):
            return Wait(self.queue)
        permit = object()
        self.out.add(permit)
        return permit

    def leave(self, permit: object, outcome: Outcome | None, now: float) -> None:
        self.give_back(permit, False)

    def give_back(self, permit: object, refused: bool) -> None:
        self.out.discard(permit)
        self.queue.wake()


class Pace(LoopBound):
    """Lets attempts leave at least so many seconds apart."""

    def __init__(self, interval: float, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.interval = interval
        self.next = 0.0
        self.queue = Queue()

    def loop_changed(self, now: float | None) -> None:
        self.queue.clear()

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        return run_attempt(request, handler, self, self, None, None)

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> float | Wait:
        if not self.queue.is_next(turn):
            return Wait(self.queue)
        if now < self.next:
            return Wait(self.queue, self.next)
        before, self.next = self.next, now + self.interval
        return before

    def leave(self, permit: float, outcome: Outcome | None, now: float) -> None:
        pass

    def give_back(self, permit: float, refused: bool) -> None:
        # It keeps its pace for those who are refused further in, or they all were at once.
        if not refused:
            self.next = permit


class GateClosedError(ResilientError):
    """The gate was closed for longer than the call was to wait."""


class Gate(LoopBound):
    """Is open or shut; while it is shut attempts wait, a call for so many seconds in all."""

    def __init__(self, patience: float = math.inf, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.patience = patience
        self.is_open = True
        self.refusing = False
        self.queue = Queue()

    def loop_changed(self, now: float | None) -> None:
        self.queue.clear()

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        return run_attempt(request, handler, self, self, None, None)

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> Wait | Refusal | None:
        if self.is_open:
            return None if self.queue.is_next(turn) else Wait(self.queue)
        left = self.patience - call.held_by(self)
        if self.refusing or left <= GRAIN:
            return Refusal(GateClosedError("the gate is shut"))
        return Wait(self.queue, now + left)

    def leave(self, permit: Any, outcome: Outcome | None, now: float) -> None:
        raise AssertionError("it grants nothing that is counted")

    def give_back(self, permit: Any, refused: bool) -> None:
        raise AssertionError("it grants nothing that is counted")

    def shut(self, *, refusing: bool = False) -> None:
        self.is_open, self.refusing = False, refusing
        if refusing:
            self.queue.wake_all()

    def open(self) -> None:
        self.is_open = True
        self.queue.wake()
