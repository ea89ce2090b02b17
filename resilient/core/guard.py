"""Guards: what may hold an attempt back (a circuit breaker, a throttle, a bulkhead).

A guard decides, and does nothing else: it is asked with `enter` before an attempt, and told
with `leave` how that ended. It never waits and never reads a clock. Waiting is the business of
one runner, `GuardChain` and `admit`:

1. An attempt asks the guards from the outermost in. Each grants a permit, or refuses, or says
   in which queue the attempt has to wait.
2. An attempt that waits holds no permit: those of the guards further out are given back,
   unused.
3. It keeps its place in the queues of guards further out, where it is the head. Only the head
   of a queue goes on to ask the next guard, and it stays the head until its attempt leaves or
   is refused. (If all of them asked, each would take the permit that another needs, and give
   it back because the guard further in says wait: nobody gets through both.)
4. It stands in no queue further in than where it waits. A guard further out that changes its
   mind (a gate has closed meanwhile) costs it its place further in, and the next one there has
   its turn. (Two attempts could otherwise stand behind each other in two queues, for ever.)
5. When it is woken, or its time has come, it asks again from the outermost in.
6. When it has all permits, is refused, cancelled or out of time, it leaves every queue. In each
   where it was the head, the next one is woken: a turn that is not taken goes on.

To be woken is no more than a hint to ask again, and permits are granted and used in the same
turn of the event loop, so that nothing is lost when an attempt that was woken is cancelled.

A guard whose policy is changed retires (`Guard.retire`): its heir takes its place. Those who wait
at it are woken, leave its queue, and ask the heir, from the outermost guard in as ever. Attempts
that it has let through come back to it.

By 3 and 4 an attempt waits only for others that wait at the same guard or further in, and the
holder of a permit waits for nobody: there is no circle. That takes an order. Guards that
several pipelines share stand in the same order in each of them.
"""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from aiohttp import ClientRequest

from resilient.clock import SYSTEM_CLOCK, Clock, LoopBound
from resilient.core.call import Call
from resilient.core.keys import KeyFunction, ask_key, origin
from resilient.core.outcome import Outcome
from resilient.core.queues import Queue, Room
from resilient.core.quiet import Watched
from resilient.core.waiting import Turn
from resilient.errors import RefusedError, ResilientError
from resilient.reasons import Reason
from resilient.telemetry.emitter import Emitter, make_emitter
from resilient.telemetry.events import Listener
from resilient.wire.connections import check_open

__all__ = [
    "Guard",
    "GuardChain",
    "Held",
    "Queue",
    "Refusal",
    "Turn",
    "Wait",
    "admit",
    "as_one",
    "guards_of",
]


class Wait(NamedTuple):
    """An attempt has to wait.

    Attributes:
        queue: Where. A guard may name another queue than before (the limit is now that of
            a whole host, say); then the attempt leaves the old one.
        until: When to ask again on the clock's scale if nobody wakes it; infinity for never.
        front: Whether it goes before those who wait there already, and not behind them.
        code: Why, for a program.
        words: The same for people; "" if the code says it all.
        key: What the guard keeps its state for, for the error if too many wait already.
    """

    queue: Queue
    until: float = math.inf
    front: bool = False
    code: Reason = Reason.GATE
    words: str = ""
    key: Hashable = None


class Refusal(NamedTuple):
    """An attempt is not let through.

    Attributes:
        error: The exception to raise.
    """

    error: ResilientError


class Guard(LoopBound):
    """Base of a gate that an attempt has to pass; its decisions are synchronous.

    The runner claims the loop for it before it asks for the first time; queues are to be
    cleared in `loop_changed`. Like any middleware a guard is hashable by identity.

    Args:
        listeners: Told of what it holds and refuses.
        room: Counts those who wait; one to share with other guards, by default its own.
        clock: The source of time and randomness.

    Attributes:
        name: What events and errors call it.
        emitter: Tells listeners and the log.
        room: For its queues.
        reads_headers: Whether `leave` has to have an outcome of attempts that went well too; by
            default False, for each of them pays for it.
        heir: The guard that has taken its place; None while it is in service.
    """

    __slots__ = ("emitter", "heir", "room")

    name: ClassVar[str] = "guard"
    reads_headers: bool = False

    def __init__(
        self,
        *,
        listeners: Iterable[Listener] = (),
        room: Room | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(clock)
        self.emitter: Emitter = make_emitter(listeners)
        self.room = Room() if room is None else room
        self.heir: Guard | None = None

    def retire(self, heir: Guard | None) -> None:
        """Leave the service: those who wait ask another guard from now on.

        Args:
            heir: That guard; None to let them pass.
        """
        self.heir = _Open(room=self.room, clock=self.clock) if heir is None else heir
        for queue in [*self.queues()]:
            queue.wake_all()

    def queues(self) -> Iterable[Queue]:
        """Return the queues that somebody may wait in."""
        return ()

    def key_of(self, key: KeyFunction, call: Call, request: ClientRequest) -> Hashable | None:
        """Return the key of a request; None if it has none, or if a function of the user's fails.

        Args:
            key: As `key_function` returned it.
            call: The call of the request.
            request: The request.
        """
        if key is origin:
            return call.origin if call.origin_of is request.url else call.find_origin(request)
        return ask_key(key, request, self.emitter, f"{self.name} key")

    @abstractmethod
    def enter(self, call: Call, request: ClientRequest, now: float, turn: Turn | None) -> Any:
        """Decide whether an attempt may pass.

        One that waits is asked again when it is woken, and when its time has come, also if it
        is not next in the queue. A guard that has the head wait without a time wakes the queue
        as soon as it may grant a permit.

        Args:
            call: Its call; `call.held_by(self)` says how long this guard has held it so far.
            request: Its request.
            now: The time, in seconds; never before the time that a `Wait` of its has named.
            turn: Its place, if it waits, be it at this guard or at another; else None.

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

    def give_back(self, permit: Any, refused: bool) -> None:
        """Take a permit back whose attempt never left: it counts nowhere.

        Args:
            permit: What `enter` granted it in this turn of the event loop; never None.
            refused: Whether a guard further in refused the attempt. If not, the attempt waits
                there, and asks again.
        """

    def quiet(self, request: ClientRequest) -> Watched | None:
        """Return what is kept for a request's origin, if nothing is wrong there; else None.

        A pipeline then lets attempts to the origin pass without asking, until that ends. By
        default a guard has to be asked for each attempt.
        """
        return None

    def permit(self, kept: Any, number: int, started: float, call: Call) -> Any:
        """Return the permit of an attempt that passed without asking.

        Args:
            kept: What `quiet` returned.
            number: Its number there.
            started: When it passed.
            call: Its call.
        """
        return kept

    def refuse(self, call: Call, request: ClientRequest, error: RefusedError) -> Refusal:
        """Return a refusal, and tell listeners of it."""
        if self.emitter.wants("refusal"):
            self.emitter.tell(
                "refusal", call, request, by=self.name, code=error.stop_code, reason=str(error)
            )
        return Refusal(error)

    def tally(self) -> Mapping[str, int]:
        """Count what it keeps, for metrics; a thread of theirs asks, so that nothing may change."""
        return {}

    def crowded(self, call: Call, wait: Wait) -> RefusedError:
        """Make the error for an attempt that would have to wait where too many do already."""
        return RefusedError(wait.key, queued=call.queued)


class _Open(Guard):
    """Takes the place of a guard that is gone: everybody may pass."""

    __slots__ = ()

    name = "open"

    def enter(self, call: Call, request: ClientRequest, now: float, turn: Turn | None) -> None:
        """Let an attempt pass, uncounted."""


# Shared by all who wait, so that nobody adds to it.
_NO_PERMITS: Final[list[Any]] = []


class Held(NamedTuple):
    """An attempt has to wait at one guard of a chain.

    Attributes:
        permits: Those of the guards before that one.
        wait: What that one said.
    """

    permits: list[Any]
    wait: Wait


class GuardChain:
    """Several guards as one; its permits are lists of theirs.

    Attributes:
        guards: The guards, from the outermost in.
    """

    __slots__ = ("guards",)

    def __init__(self, guards: Sequence[Guard]) -> None:
        self.guards = tuple(guards)

    def enter(self, call: Call, request: ClientRequest, now: float, turn: Turn | None) -> Any:
        """Ask them all; the first who grants no permit decides.

        Returns:
            The permits; or `Held`, with those that are still to be given back.

        Raises:
            ResilientError: One refused. The permits were given back.
        """
        permits: list[Any] = []
        try:
            for guard in self.guards:
                decision = guard.enter(call, request, now, turn)
                kind = decision.__class__
                if kind is Wait:
                    return Held(permits, decision)
                if kind is Refusal:
                    raise decision.error
                permits.append(decision)
        except BaseException:
            decision = None  # what is raised refers to this frame
            give_all_back(self.guards, permits, refused=True)
            raise
        return permits

    def leave(self, permit: list[Any], outcome: Outcome | None, now: float) -> None:
        """Tell them all how an attempt ended, even if one of them raises."""
        told = zip(self.guards, permit, strict=True)
        try:
            for guard, each in told:
                if each is not None:
                    guard.leave(each, outcome, now)
        except BaseException:
            rest = [*told]
            if rest:
                GuardChain([guard for guard, _ in rest]).leave(
                    [each for _, each in rest], outcome, now
                )
            raise


def as_one(guards: Sequence[Guard]) -> Guard | GuardChain | None:
    """Return guards as one: a chain of several, a single guard, or None for none."""
    return GuardChain(guards) if len(guards) > 1 else next(iter(guards), None)


def guards_of(guard: Guard | GuardChain | None) -> tuple[Guard, ...]:
    """Return the guards of a chain, a single guard, or none."""
    if guard is None:
        return ()
    return guard.guards if isinstance(guard, GuardChain) else (guard,)


def in_service(guard: Guard | GuardChain) -> Guard | GuardChain:
    """Return a guard or a chain with the heirs of those that have retired; itself if none has."""
    guards = guards_of(guard)
    if all(each.heir is None for each in guards):
        return guard
    found = []
    for each in guards:
        while each.heir is not None:
            each = each.heir
        if each.loop is not asyncio.get_running_loop():
            each.claim()
        found.append(each)
    return GuardChain(found) if isinstance(guard, GuardChain) else found[0]


async def admit(
    guard: Guard | GuardChain,
    call: Call,
    request: ClientRequest,
    clock: Clock,
    decision: Any,
) -> tuple[Guard | GuardChain, Any]:
    """Bring an attempt past guards that have it wait; return the guard that let it, and its permit.

    That is another guard than the one that was asked if that one has retired meanwhile.

    Args:
        guard: The guard, or a chain of them.
        call: The attempt's call.
        request: Its request.
        clock: The clock that the guards' times are on.
        decision: The `Wait` or `Held` that `guard.enter` answered with.

    Raises:
        ResilientError: A guard refused.
        SessionClosedError: The session was closed while it waited.
    """
    guards = guards_of(guard)
    permits, wait = _permits_and_wait(guard, decision)
    assert wait is not None, "asked for one that waits"
    heir = in_service(guard)
    if heir is not guard:
        # An attempt that began before the guard retired, and has only now come to it.
        give_all_back(guards, permits, refused=False)
        guard, guards = heir, guards_of(heir)
        permits, wait = _permits_and_wait(guard, guard.enter(call, request, clock.time(), None))
        if wait is None:
            return guard, _as_permit(guard, permits)
    room = wait.queue.room
    if room.taken >= room.limit:
        place = len(permits)
        give_all_back(guards, permits, refused=True)
        error = guards[place].crowded(call, wait)
        words = f"{room.limit} calls wait already (max_waiting)"
        raise guards[place].refuse(call, request, error.because(Reason.QUEUE_FULL, words)).error
    decision = None  # nobody needs it while it waits
    turn = Turn(clock)
    started = began = clock.time()
    last: Guard | None = None
    code: Reason | None = None
    # Where it stands, by the guard's place.
    queues: list[Queue | None] = [None] * len(guards)
    call.waiting = True
    try:
        while wait is not None:
            place = len(permits)
            give_all_back(guards, permits, refused=False)
            # Thousands may wait, and an empty list for each would count.
            permits = _NO_PERMITS
            if last is not guards[place] or code is not wait.code:
                last, code = guards[place], wait.code
                _tell_hold(last, call, request, wait, began)
            woken = turn.begin(wait.until, request.session, max(0.0, wait.until - began))
            try:
                _take_place(turn, queues, place, wait)
                wait = None
                await woken
            finally:
                # A timer may be early, or its time skipped by a test: guards see no time go back.
                now = max(began, turn.end())
                call.was_held(last, now - began)
            began = now
            check_open(request.session)
            heir = in_service(guard)
            if heir is not guard:
                _leave_retired(turn, guards, queues)
                guard, guards = heir, guards_of(heir)
            permits, wait = _permits_and_wait(guard, guard.enter(call, request, now, turn))
        call.waiting = False
        if last is not None:
            held = clock.time() - started
            last.emitter.tell("turn", call, request, by=last.name, seconds=held)
    finally:
        call.holds += ((started, clock.time()),)
        for queue in queues:
            if queue is not None:
                queue.leave(turn)
    return guard, _as_permit(guard, permits)


def _as_permit(guard: Guard | GuardChain, permits: list[Any]) -> Any:
    return permits if isinstance(guard, GuardChain) else permits[0]


def _leave_retired(turn: Turn, guards: Sequence[Guard], queues: list[Queue | None]) -> None:
    """Have an attempt leave the queues of guards that have retired."""
    for place, each in enumerate(guards):
        queue = queues[place]
        if queue is not None and each.heir is not None:
            queues[place] = None
            queue.leave(turn)


def _permits_and_wait(guard: Guard | GuardChain, decision: Any) -> tuple[list[Any], Wait | None]:
    """Return the permits that a decision brought, and the wait that it asks for, if it does.

    Raises:
        ResilientError: It is a refusal.
    """
    kind = decision.__class__
    if kind is Held:
        return decision.permits, decision.wait
    if kind is Wait:
        return [], decision
    if kind is Refusal:
        raise decision.error
    return decision if isinstance(guard, GuardChain) else [decision], None


def _tell_hold(guard: Guard, call: Call, request: ClientRequest, wait: Wait, now: float) -> None:
    if guard.emitter.wants("hold"):
        seconds = None if wait.until == math.inf else wait.until - now
        words = wait.words or wait.code.value
        guard.emitter.tell(
            "hold", call, request, by=guard.name, seconds=seconds, code=wait.code, reason=words
        )


def _take_place(turn: Turn, queues: list[Queue | None], place: int, wait: Wait) -> None:
    """Let an attempt wait at one guard, and stand in no queue further in."""
    for inner in range(len(queues) - 1, place - 1, -1):
        queue = queues[inner]
        if queue is not None and (inner > place or queue is not wait.queue):
            queues[inner] = None
            queue.leave(turn)
    queues[place] = wait.queue
    wait.queue.join(turn, front=wait.front)


def give_all_back(guards: Sequence[Guard], permits: list[Any], *, refused: bool) -> None:
    """Give permits back whose attempt never left, the innermost first, and empty the list."""
    while permits:
        permit = permits.pop()
        if permit is None:
            continue
        try:
            guards[len(permits)].give_back(permit, refused)
        except BaseException:
            give_all_back(guards, permits, refused=refused)
            raise
