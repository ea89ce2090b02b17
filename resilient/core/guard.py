"""Guards: what may hold an attempt back (a circuit breaker; a throttle, a bulkhead).

A guard decides, and does nothing else: it is asked with `enter` before an attempt, and told
with `leave` how that ended. It never waits and never reads a clock. Waiting is the business of
one runner, `admit`:

1. An attempt asks the guards from the outermost in. Each grants a permit, or refuses, or says
   that the attempt has to wait, and gives it a turn in its queue.
2. Whoever waits holds no permit: those of the guards further out are given back, unused. It
   keeps its *place* in their queues, though. So an attempt which waits at an inner guard stays
   the head at the outer one, and those behind it do not ask.
   (If they all asked again, each would take the permit that another needs, and give it back
   because the inner guard says wait: nobody gets through both.)
3. When its turn comes, or its time, it asks again from the outermost in.
4. With all permits it leaves the queues, and the next head is woken. It does so too when it is
   refused, cancelled or out of time, so that a turn which is not taken goes on.

Permits are granted and used in the same turn of the event loop; to be woken is no more than a
hint to ask. So nothing is lost when somebody who was woken is cancelled.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from aiohttp import ClientRequest

from resilient.clock import Clock
from resilient.core.call import Call
from resilient.core.outcome import Outcome
from resilient.core.waiting import wait_for
from resilient.errors import ResilientError

__all__ = ["Guard", "GuardChain", "Queue", "Refusal", "Turn", "Wait", "admit", "pass_guard"]


class Turn:
    """A place in a guard's queue."""

    __slots__ = ("_future", "_woken", "queue")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._woken = False
        self._future: asyncio.Future[None] | None = None

    @property
    def is_head(self) -> bool:
        """Whether nobody stands before it."""
        return self.queue.head is self

    def wake(self) -> None:
        """Let whoever stands here ask again; also before it has begun to wait."""
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, call: Call, request: ClientRequest, clock: Clock, until: float) -> None:
        """Wait to be woken, or until a time on the clock's scale.

        Raises:
            SessionClosedError: The session was closed meanwhile.
        """
        if not self._woken:
            self._future = asyncio.get_running_loop().create_future()
            try:
                await wait_for(self._future, request.session, clock, until)
            finally:
                self._future = None
        self._woken = False


class Queue:
    """The queue of those who wait at a guard, first in, first out.

    The guard gives each one a turn; only the head is to be granted a permit. The guard wakes the
    head when it may ask again, and the runner makes them leave.
    """

    __slots__ = ("_gone", "_turns")

    def __init__(self) -> None:
        self._turns: deque[Turn] = deque()
        # Turns that are given up in the middle; to remove each at once would take linear time.
        self._gone: set[Turn] = set()

    def __len__(self) -> int:
        return len(self._turns) - len(self._gone)

    @property
    def head(self) -> Turn | None:
        """The first in the queue, or None."""
        return self._turns[0] if self._turns else None

    def join(self) -> Turn:
        """Give a turn at the end of the queue."""
        turn = Turn(self)
        self._turns.append(turn)
        return turn

    def wake(self) -> None:
        """Let the head ask again."""
        if self._turns:
            self._turns[0].wake()

    def leave(self, turn: Turn) -> None:
        """Give a turn up; if it was the head's, the next head is woken."""
        if not self._turns or turn in self._gone:
            return
        if self._turns[0] is not turn:
            self._gone.add(turn)
            return
        self._turns.popleft()
        while self._turns and self._turns[0] in self._gone:
            self._gone.discard(self._turns.popleft())
        self.wake()

    def clear(self) -> None:
        """Forget everyone: their event loop is closed."""
        self._turns.clear()
        self._gone.clear()


class Wait(NamedTuple):
    """An attempt has to wait.

    Attributes:
        turn: Its place in the guard's queue.
        until: When to ask again on the clock's scale if nobody wakes it; infinity for never.
    """

    turn: Turn
    until: float = math.inf


class Refusal(NamedTuple):
    """An attempt is not let through.

    Attributes:
        error: The exception to raise.
    """

    error: ResilientError


class Guard(Protocol):
    """What an attempt has to pass. Everything here is synchronous, and takes the time."""

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None = None
    ) -> Any:
        """Decide whether an attempt may pass.

        Args:
            call: Its call.
            request: Its request.
            now: The time, in seconds.
            turn: Its place in this guard's queue, if it was given one before.

        Returns:
            A `Wait`, a `Refusal`, or anything else: a permit, which comes back with `leave` or
            with `give_back`. None is a permit that nobody counts.
        """

    def leave(self, permit: Any, outcome: Outcome | None, now: float) -> None:
        """Learn how an attempt ended.

        Args:
            permit: What `enter` granted it; never None.
            outcome: What it came to; None if it simply went well.
            now: The time, in seconds.
        """

    def give_back(self, permit: Any) -> None:
        """Take a permit back whose attempt never left: it counts nowhere."""


async def admit(
    guards: Sequence[Guard],
    call: Call,
    request: ClientRequest,
    clock: Clock,
) -> list[Any]:
    """Bring an attempt past its guards, waiting where they say so.

    Args:
        guards: From the outermost in.
        call: Its call.
        request: Its request.
        clock: The clock that the guards' times are on.

    Returns:
        A permit of each.

    Raises:
        ResilientError: A guard refused.
        SessionClosedError: The session was closed while it waited.
    """
    turns: dict[Guard, Turn] = {}
    try:
        while True:
            permits, wait = ask(guards, call, request, clock.time(), turns)
            if wait is None:
                return permits
            await wait.turn.wait(call, request, clock, wait.until)
    finally:
        for turn in turns.values():
            turn.queue.leave(turn)


def ask(
    guards: Sequence[Guard],
    call: Call,
    request: ClientRequest,
    now: float,
    turns: dict[Guard, Turn],
) -> tuple[list[Any], Wait | None]:
    """Ask the guards from the outermost in, once.

    Returns:
        A permit of each, and None; or none, and where to wait.

    Raises:
        ResilientError: A guard refused.
    """
    permits: list[Any] = []
    try:
        for guard in guards:
            decision = guard.enter(call, request, now, turns.get(guard))
            kind = decision.__class__
            if kind is Refusal:
                try:
                    raise decision.error
                finally:
                    del decision  # what is raised refers to this frame
            if kind is Wait:
                turns[guard] = decision.turn
                give_all_back(guards, permits)
                return [], decision
            permits.append(decision)
    except BaseException:
        give_all_back(guards, permits)
        raise
    return permits, None


def give_all_back(guards: Sequence[Guard], permits: list[Any]) -> None:
    """Give permits back whose attempt never left, the innermost first."""
    while permits:
        permit = permits.pop()
        if permit is not None:
            guards[len(permits)].give_back(permit)


class GuardChain:
    """Several guards as one, from the outermost in; its permits are lists of theirs.

    Attributes:
        guards: The guards.
    """

    __slots__ = ("guards",)

    def __init__(self, guards: Sequence[Guard]) -> None:
        self.guards = tuple(guards)

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None = None
    ) -> Any:
        """Ask them all; the first who does not grant a permit decides."""
        permits: list[Any] = []
        for guard in self.guards:
            decision = guard.enter(call, request, now)
            if decision.__class__ is Wait or decision.__class__ is Refusal:
                give_all_back(self.guards, permits)
                return decision
            permits.append(decision)
        return permits

    def leave(self, permit: list[Any], outcome: Outcome | None, now: float) -> None:
        """Tell them all how an attempt ended."""
        for guard, own in zip(self.guards, permit, strict=True):
            if own is not None:
                guard.leave(own, outcome, now)

    def give_back(self, permit: list[Any]) -> None:
        """Give the permits of them all back."""
        give_all_back(self.guards, permit)


async def pass_guard(
    guard: Guard, call: Call, request: ClientRequest, clock: Clock, wait: Wait
) -> Any:
    """Bring an attempt past a guard at which it has to wait.

    Args:
        guard: The guard, or a chain of them.
        call: The call.
        request: Its request.
        clock: The clock that the guards' times are on.
        wait: What the guard said.

    Returns:
        A permit.

    Raises:
        ResilientError: It refused.
        SessionClosedError: The session was closed while the attempt waited.
    """
    guards = guard.guards if isinstance(guard, GuardChain) else (guard,)
    # They are asked anew, at the same moment, so that the place in the queue is the same.
    wait.turn.queue.leave(wait.turn)
    permits = await admit(guards, call, request, clock)
    return permits if isinstance(guard, GuardChain) else permits[0]
