"""The bulkhead as a middleware and a guard: which destination, who waits, who is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Iterable
from typing import Any, Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.bulkhead.destination import Destination, Places
from resilient.bulkhead.policy import BulkheadPolicy
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Guard, Refusal, Turn, Wait
from resilient.core.keys import key_function, key_text
from resilient.core.outcome import Outcome, Verdict
from resilient.core.queues import Queue, Room
from resilient.errors import BulkheadFullError
from resilient.reasons import Reason
from resilient.support.registry import IN_USE, UNUSED, make_room
from resilient.support.validation import instance, validated
from resilient.telemetry.events import Listener

__all__ = ["Bulkhead"]

_STANDARD: Final = BulkheadPolicy()

# The destination, the attempt's number there, and the call.
_Permit = tuple[Destination, int, Call]


class Bulkhead(Guard):
    """Lets so many attempts to a destination be under way at once; the others wait in a queue.

        bulkhead = Bulkhead(BulkheadPolicy(max_concurrent=20, max_wait=5))
        Pipeline(Policy(), bulkhead=bulkhead)     # or several pipelines, which then share it
        Bulkhead(BulkheadPolicy(adaptive=Aimd(initial=20)))

    It keeps one slow service from taking all the callers of a process, and a server from more
    work at once than it bears. aiohttp's pool limits connections as well, but lets callers wait
    for as long as their time-outs are, counts all hosts together by default, and learns nothing.

    An attempt has its place from when it is let through until the head of its response is there,
    or the attempt failed; the body of an error that is raised is read within that. Reading the
    body of a good response does **not** count: a caller may keep a response open for as long as
    it likes, or forget it, and an attempt that waits for a place must not hang on that.
    `TCPConnector(limit_per_host=...)` is the limit that lasts to the end of the body.

    Who waits is served first in, first out, for at most `max_wait` and within the deadline, and
    holds no connection and no permit of another guard. A session that is closed ends its waits.
    Calls that a middleware makes inside an attempt (for a token, say) are part of that attempt, and
    share its place where there is no other: it would never come free while they wait for it.

    Args:
        policy: How many may be under way, how long others wait, and what a destination is.
        listeners: Told of waits, turns and refusals.
        room: Counts those who wait, with those of other guards.
        clock: The source of time and randomness; by default the event loop's and the system's.

    Raises:
        BulkheadFullError: The attempt got no place; nothing was sent.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_destinations", "_key", "policy")

    name = "bulkhead"

    def __init__(
        self,
        policy: BulkheadPolicy = _STANDARD,
        *,
        listeners: Iterable[Listener] = (),
        room: Room | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(listeners=listeners, room=room, clock=clock)
        is_policy = instance(BulkheadPolicy, "a BulkheadPolicy")
        self.policy = validated(self, "policy", policy, is_policy)
        self._key = key_function(policy.key)
        # Nobody is there as a rule: then there is none, unless its limit has moved.
        self._destinations: dict[Hashable, Destination] = {}

    def loop_changed(self, now: float | None) -> None:
        """Keep the limits that were learnt; who was there or waited is gone with the loop."""
        # Permits of the old loop refer to the old ones, and change nothing when they come back.
        old, self._destinations = self._destinations, {}
        for each in old.values():
            each.queue.clear()
            if each.limit != self.policy.initial:
                self._make(each.key, each.limit)

    def describe(self) -> str:
        """Return its settings in words."""
        policy, aimd = self.policy, self.policy.adaptive
        most = (
            f"{policy.max_concurrent} attempts"
            if aimd is None
            else f"{aimd.initial} attempts (adaptive, from {aimd.minimum} to "
            f"{aimd.effective_maximum})"
        )
        wait = f"others wait up to {policy.max_wait:g} s" if policy.max_wait else "refuses others"
        return f"at most {most} at once for each {key_text(policy.key)}; {wait}"

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Let a request pass once there is a place, or refuse it."""
        return run_attempt(request, handler, self, self, None, None)

    # -- as a guard

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> _Permit | Wait | Refusal | None:
        """Give an attempt a place, have it wait, or refuse it; None for one without a key."""
        key = self.key_of(self._key, call, request)
        if key is None:
            return None
        found = self._destinations.get(key)
        if found is None:
            found = self._make(key, self.policy.initial)
        queue = found.queue
        if found.taken < found.limit and queue.is_next(turn):
            found.inside.add(call)
            return found, found.take(), call
        if any(outer in found.inside for outer in call.around()):
            return None
        allowed = call.override.max_wait
        if allowed is None:
            allowed = self.policy.max_wait
        until = None if turn is None else queue.until(turn)
        waits_already = until is not None
        if until is None:
            until = now + allowed
        if now >= until:
            return self._refuse(call, request, found, allowed if waits_already else 0.0)
        words = f"{found.taken} of {found.limit} places are taken"
        return Wait(queue, until, code=Reason.PLACE, words=words, key=key)

    def leave(self, permit: _Permit, outcome: Outcome | None, now: float) -> None:
        """Free a place, and learn from how the attempt ended."""
        found, number, call = permit
        aimd = self.policy.adaptive
        if aimd is None:
            self._free(found, call)
            return
        try:
            verdict = Verdict.SUCCESS if outcome is None else outcome.health(aimd.statuses)
            found.learn(number, verdict)
        finally:
            self._free(found, call)

    def give_back(self, permit: _Permit, refused: bool) -> None:
        """Free the place of an attempt that never left."""
        found, _, call = permit
        self._free(found, call)

    def crowded(self, call: Call, wait: Wait) -> BulkheadFullError:
        """Make the error for an attempt that would have to wait where too many do already."""
        return BulkheadFullError(wait.key, queued=call.queued)

    def _refuse(
        self, call: Call, request: ClientRequest, found: Destination, waited: float
    ) -> Refusal:
        code = Reason.MAX_WAIT if waited else Reason.BULKHEAD_FULL
        words = f"{found.taken} of {found.limit} places for {found.key} are taken"
        if waited:
            words += f", none came free in {waited:g} s (max_wait)"
        error = BulkheadFullError(found.key, queued=call.queued)
        return self.refuse(call, request, error.because(code, words))

    def queues(self) -> Iterable[Queue]:
        """Return the queues of its destinations."""
        return [each.queue for each in self._destinations.values()]

    # -- destinations

    def _make(self, key: Hashable, limit: int) -> Destination:
        kept = self._destinations
        most = self.policy.max_destinations
        if len(kept) >= most:
            make_room(kept, most, lambda each: UNUSED if each.is_idle else IN_USE)
        found = kept[key] = Destination(key, limit, self.policy.adaptive, self.room)
        return found

    def _free(self, found: Destination, call: Call) -> None:
        found.inside.discard(call)
        found.give_back()
        if found.is_idle and found.limit == self.policy.initial:
            key = found.key
            if self._destinations.get(key) is found:
                del self._destinations[key]

    # -- to look at

    @property
    def places(self) -> tuple[Places, ...]:
        """The places of each destination where somebody is or waits, or whose limit has moved."""
        return tuple(
            each.places
            for each in self._destinations.values()
            if not each.is_idle or each.limit != self.policy.initial
        )

    def tally(self) -> dict[str, int]:
        """Count places that are taken, and the limits where any is; another thread may ask."""
        kept = list(self._destinations.values())
        return {
            "permits": sum(each.taken for each in kept),
            "limit": sum(each.limit for each in kept),
        }

    def snapshot(self) -> dict[str, Any]:
        """Return its places by destination, as plain data for a health endpoint."""
        return {
            "bulkheads": {
                str(each.key): {
                    "limit": each.limit,
                    "in_use": each.in_use,
                    "waiting": each.waiting,
                }
                for each in self.places
            }
        }
