"""The throttle as a middleware and a guard: which gate, who waits, who is refused, who is told.

An attempt has to pass the gate that holds it, if one does, and the declared limit, if there is
one, in this order. Each has a queue. Who has passed the gate and has to wait for the limit stands
in the queue of the limit, and has passed: the gate counts it as gone.

Who cannot be served is refused at once, before it waits:

- the server itself asks to wait longer than `max_retry_after` (all who wait are refused too);
- those before it would take longer than `max_wait`;
- its turn, or the opening of the gate, comes after the call's deadline.

A call that a middleware makes inside an attempt (for a token, say) keeps the pace, and goes before
those who wait. Behind them it could wait for itself: their head may wait for the place that the
attempt around it has in a bulkhead.

Only a 429, or a code that means the same (`ErrorPolicy.throttling_codes`), closes a gate, and only
one that this request itself met. (A 503 with Retry-After says that a server is in trouble, and is
the breaker's.)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Iterable
from copy import copy
from typing import Any, Final, NamedTuple

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient.clock import SYSTEM_CLOCK, Clock, TimerHandle
from resilient.core.attempt import run_attempt
from resilient.core.call import Call, current
from resilient.core.guard import Guard, Refusal, Turn, Wait
from resilient.core.keys import key_function, key_text, origin
from resilient.core.outcome import Outcome
from resilient.core.queues import Queue, Room
from resilient.errors import APIError, ThrottledError
from resilient.headers.rate_limit import used_up_for
from resilient.headers.retry_after import ResetHeader
from resilient.reasons import Reason
from resilient.support.timers import weakly
from resilient.support.validation import at_least, instance, validated
from resilient.support.words import brief
from resilient.telemetry.events import Listener
from resilient.throttle.destination import WHOLE, Destination, credential_of, part_of
from resilient.throttle.destinations import Destinations, GateView
from resilient.throttle.gate import QUIET, Gate, Part
from resilient.throttle.limit import Meter
from resilient.throttle.obstacle import Bounds, Obstacle, find_obstacle
from resilient.throttle.policy import ThrottlePolicy

__all__ = ["Throttle"]

_STANDARD: Final = ThrottlePolicy()

# The least time between two looks for gates that are over, in seconds.
_WATCHES_EVERY: Final = 1.0


class _Permit(NamedTuple):
    """Leave to pass a destination that is not quiet; that of one that is quiet is itself.

    Attributes:
        place: The destination.
        gate: The gate that it has passed, or None.
        sent: When; minus infinity if no gate was closed then.
        gate_before: What undoes that it was counted at the gate; None if it was not.
        meter_before: The same for the declared limit.
        request: The request.
        credential: That which the request carried then, or None.
    """

    place: Destination
    gate: Gate | None
    sent: float
    gate_before: float | None
    meter_before: tuple[float, int] | None
    request: ClientRequest
    credential: str | None


class Throttle(Guard):
    """Holds back those who share a limit, once a server refuses one of them, and paces them.

        throttle = Throttle(ThrottlePolicy(limit="300/min"))
        Pipeline(Policy(), throttle=throttle)   # or several pipelines, which then share it

    Args:
        policy: What is learnt, which limit is declared, and how long calls wait.
        max_retry_after: The most that a server may ask a call to wait, in seconds; one that asks
            for more has everyone refused until then. By default 60.
        listeners: Told of gates, waits, turns and refusals.
        reset_headers: Headers in which the service says when its limit is over.
        room: Counts those who wait, with those of other guards.
        clock: The source of time and randomness; by default the event loop's and the system's.

    Attributes:
        reads_headers: Whether it has to see good responses too.

    Raises:
        ThrottledError: The call was refused; nothing was sent.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = (
        "_key",
        "_max_retry_after",
        "_places",
        "_seen",
        "_timer",
        "policy",
        "reads_headers",
        "reset_headers",
    )

    name = "throttle"

    def __init__(
        self,
        policy: ThrottlePolicy = _STANDARD,
        *,
        max_retry_after: float = 60.0,
        listeners: Iterable[Listener] = (),
        reset_headers: Iterable[ResetHeader] = (),
        room: Room | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(listeners=listeners, room=room, clock=clock)
        is_policy = instance(ThrottlePolicy, "a ThrottlePolicy")
        self.policy = validated(self, "policy", policy, is_policy)
        is_time = at_least(0.0, "seconds")
        self._max_retry_after = validated(self, "max_retry_after", max_retry_after, is_time)
        self._key = key_function(policy.key)
        self.reads_headers = bool(policy.headers)
        self.reset_headers = tuple(reset_headers)
        self._places = Destinations(policy, self.room)
        # The latest time that was seen; on the quiet path nobody looks.
        self._seen = -math.inf
        # Ends gates that nobody asks any more, so that the end is told when it comes.
        self._timer: TimerHandle | None = None

    def loop_changed(self, now: float | None) -> None:
        """Keep what was learnt, on the new loop's scale of time; those who waited are gone."""
        shift = 0.0 if now is None or self._seen == -math.inf else now - self._seen
        self._seen += shift
        for place in self._places.by_key.values():
            place.change_loop(shift)
        # The old one never fires.
        self._timer = None
        self._watch()

    def describe(self) -> str:
        """Return its settings in words."""
        policy = self.policy
        words = [f"for each {key_text(policy.key)}"]
        if policy.limit is not None:
            burst = self._places.burst
            how = "a window at once" if policy.pace == "window" else f"bursts of {burst}"
            words.append(f"at most {policy.limit}, {how}")
        if policy.learn:
            what = "its method, first path segment and credential" if policy.classes else "all"
            words.append(f"a 429 holds {what} for the server's time, then a learnt limit")
        if policy.headers:
            words.append(f"reads {', '.join(policy.headers)}")
        words.append(f"queues of up to {policy.max_wait:g} s (max_wait)")
        return "; ".join(words)

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Let a request pass in its turn, or refuse it."""
        return run_attempt(
            request, handler, self, self, None, None, self.reset_headers, self.reads_headers
        )

    # -- as a guard

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> Destination | _Permit | Wait | Refusal | None:
        """Let an attempt pass, have it wait, or refuse it; None for one without a key."""
        key = self.key_of(self._key, call, request)
        if key is None:
            return None
        place = self._places.by_key.get(key) or self._places.make(key, self._at(now))
        if place.is_quiet:
            return place
        now = self._at(now)
        gate = None
        if place.gates:
            self._end_some(place, now)
            gate = place.find(self._part(place, request))
        meter = place.meter
        gate_before = meter_before = None
        if gate is not None:
            has_passed = meter is not None and turn is not None and turn in meter.queue
            if not has_passed or now < gate.not_before:
                decision = self._queue(call, request, place, gate, now, turn)
                if decision is not None:
                    return decision
                gate_before = gate.take(now)
        if meter is not None:
            decision = self._queue(call, request, place, meter, now, turn)
            if decision is not None:
                if gate is not None and gate_before is not None and type(decision) is Refusal:
                    gate.give_back(gate_before)
                return decision
            meter_before = meter.take(now)
        credential = credential_of(request) if place.sees_credentials else None
        # Without a gate it is sent before one of its part closes, also if that is at this moment.
        sent = -math.inf if gate is None else now
        return _Permit(place, gate, sent, gate_before, meter_before, request, credential)

    def leave(self, permit: Destination | _Permit, outcome: Outcome | None, now: float) -> None:
        """Take in what the server said to an attempt."""
        if isinstance(permit, Destination):
            # It was sent before any gate of its destination closed.
            place, gate, sent = permit, None, -math.inf
            if outcome is None:
                grants = place.grants
                if now >= grants.edge:
                    place.advance(now)
                grants.recent += 1
                for each in place.gates.values():
                    each.granted(sent)
                return
        else:
            place, gate, sent = permit.place, permit.gate, permit.sent
            if place.sees_credentials and (outcome is None or outcome.status is not None):
                place.learn_credential(permit.credential, credential_of(permit.request))
            while gate is not None and gate.heir is not None:
                gate = gate.heir
            if gate is None and place.gates:
                # One that has closed meanwhile.
                gate = place.find(self._part(place, permit.request))
        now = self._at(now)
        if outcome is None:
            place.add(now)
            if gate is not None:
                gate.granted(sent)
            return
        if not outcome.is_own:
            return
        status = outcome.status
        if place.gates:
            gate = place.find(self._part(place, outcome.request))
        if outcome.is_throttled:
            if self.policy.learn:
                self._refused(place, gate, sent, outcome, outcome.retry_after, now)
        elif status is None or status >= 500:
            if gate is not None and (outcome.overdue or isinstance(outcome.error, Exception)):
                gate.failed()
        else:
            place.add(now)
            if gate is not None:
                gate.granted(sent)
            if self.reads_headers:
                seconds = used_up_for(outcome.headers, self.policy.headers, self.clock.now())
                if seconds is not None:
                    self._refused(place, gate, sent, outcome, seconds, now, Reason.USED_UP)

    def quiet(self, request: ClientRequest) -> Destination | None:
        """Return the destination of a request's origin, if it has neither a gate nor a limit."""
        if self._key is not origin or self.reads_headers:
            return None
        place = self._places.by_key.get(origin(request))
        return place if place is not None and place.is_quiet else None

    def give_back(self, permit: Destination | _Permit, refused: bool) -> None:
        """Undo that an attempt was counted which goes on waiting; keep the pace for a refusal."""
        if refused or isinstance(permit, Destination):
            return
        if permit.meter_before is not None and permit.place.meter is not None:
            permit.place.meter.give_back(permit.meter_before)
        if permit.gate_before is not None and permit.gate is not None:
            permit.gate.give_back(permit.gate_before)

    def crowded(self, call: Call, wait: Wait) -> ThrottledError:
        """Make the error for an attempt that would have to wait where too many do already."""
        return ThrottledError(wait.key, queued=call.queued)

    def retire(self, heir: Guard | None) -> None:
        """Leave the service; those who wait are held for the time that a server has named.

        A retry leaves that time to the gate: without it, the next attempt would come too early. So
        the heir takes these gates over, if it has the same key and classes. Without an heir they
        hold those who wait at them, and nobody else.
        """
        if heir is None and self.policy.learn:
            policy = ThrottlePolicy(
                key=self.policy.key, classes=self.policy.classes, max_wait=self.policy.max_wait
            )
            heir = Throttle(
                policy,
                max_retry_after=self._max_retry_after,
                listeners=self.emitter,
                reset_headers=self.reset_headers,
                room=self.room,
                clock=self.clock,
            )
        if isinstance(heir, Throttle):
            heir._take_over(self)
        super().retire(heir)

    def _take_over(self, other: Throttle) -> None:
        """Take over the gates of another throttle whose server has named a time that is to come."""
        mine, its = self.policy, other.policy
        if not mine.learn or (mine.key, mine.classes) != (its.key, its.classes):
            return
        if other.loop is None or other.loop is not asyncio._get_running_loop():
            return  # nobody waits there, and its times may be of another scale
        self.claim()
        self._seen = other._seen
        for key, place in other._places.by_key.items():
            gates = [gate for gate in place.gates.values() if gate.server_until > other._seen]
            if gates:
                self._places.make(key, other._seen).take_over(place, gates)
        self._watch()

    def queues(self) -> Iterable[Queue]:
        """Return the queues of its gates and its limits."""
        for place in self._places.by_key.values():
            yield from (gate.queue for gate in place.gates.values())
            if place.meter is not None:
                yield place.meter.queue

    # -- whom it lets through

    def _queue(
        self,
        call: Call,
        request: ClientRequest,
        place: Destination,
        at: Gate | Meter,
        now: float,
        turn: Turn | None,
    ) -> Wait | Refusal | None:
        """Let an attempt wait at a gate or a limit, or refuse it; None if its turn has come."""
        queue = at.queue
        is_inside = any(call.around())
        is_next = is_inside or queue.is_next(turn)
        if not queue:
            at.full = False
        when = at.turn_at(0, now)
        waits_here = turn is not None and turn in queue
        if waits_here and isinstance(at, Gate):
            at.busy_at = now
        if is_next and when <= now:
            return None
        bounds = self._bounds(call, now)
        found = find_obstacle(at, bounds, now, waits=waits_here or is_inside)
        if not waits_here:
            at.held += 1
        if found is not None:
            if found.code is Reason.MAX_WAIT and not bounds.is_own:
                at.full = True
            return self._refuse(call, request, place, at, found, now)
        code = Reason.LIMIT
        if isinstance(at, Gate):
            at.busy_at = now
            code = Reason.GATE
        words = self._words(at, now) if self.emitter.wants("hold") else ""
        until = when if is_next else math.inf
        return Wait(queue, until, front=is_inside, code=code, words=words, key=place.key)

    def _bounds(self, call: Call, now: float) -> Bounds:
        own = call.override.max_wait
        deadline = math.inf if call.deadline is None else call.deadline
        if call.cut_off is not None and self.loop is not None:
            deadline = min(deadline, now + call.cut_off - self.loop.time())
        max_wait = self.policy.max_wait if own is None else own
        return Bounds(max_wait, own is not None, self._max_retry_after, deadline)

    def _refuse(
        self,
        call: Call,
        request: ClientRequest,
        place: Destination,
        at: Gate | Meter,
        found: Obstacle,
        now: float,
    ) -> Refusal:
        error = ThrottledError(place.key, found.until - now, queued=call.queued)
        if isinstance(at, Gate):
            error.__cause__ = at.cause
        words = f"the throttle for {place.key} refused: {found.words}"
        return self.refuse(call, request, error.because(found.code, words))

    def _words(self, at: Gate | Meter, now: float) -> str:
        if isinstance(at, Gate):
            opens = at.opens_at(now) - now
            return f"the gate is closed for {brief(opens)} s, then {brief(at.rate)} a second"
        return f"the limit is {self.policy.limit}"

    # -- what it learns

    def _refused(
        self,
        place: Destination,
        gate: Gate | None,
        sent: float,
        outcome: Outcome,
        asked: float | None,
        now: float,
        code: Reason = Reason.REFUSED,
    ) -> None:
        """Close a gate, cut it, or only move its time."""
        random = self.clock.random
        part = self._part(place, outcome.request)
        if gate is None:
            # Of a destination that was forgotten meanwhile the one that is kept now counts.
            place = self._places.kept(place)
            gate = place.find(part)
        is_news = gate is None
        was_cut = True
        was_aside = gate is not None and gate.is_aside
        if gate is None:
            gate = place.make(part, now)
            wide = place.widened(gate, now)
            if wide is not None:
                gate, code = wide, Reason.WIDENED
            gate.close(place.grants, now, asked, random)
            if wide is not None:
                for each in place.narrower(wide.part.credential):
                    place.forget(each)
                    wide.take_over(each)
        else:
            was_cut = gate.refused(sent, now, asked, random)
        if gate.is_aside and not was_aside:
            code = Reason.UNRELATED
            gate.queue.wake_all()
        if was_cut:
            error = outcome.error
            # Without its traceback, which refers to all that the call has.
            gate.cause = copy(error) if isinstance(error, APIError) else None
            if is_news or self.emitter.wants("throttle"):
                self._tell(place, gate, now, code, asked, str(outcome), is_news=is_news)
        if is_news:
            self._watch()
        if gate.server_until - now > self._max_retry_after:
            gate.queue.wake_all()
        call = current.get()
        if outcome.is_throttled and call is not None:
            bounds = self._bounds(call, now)
            found = find_obstacle(gate, bounds, now, waits=False)
            if found is None and place.meter is not None:
                found = find_obstacle(place.meter, bounds, now, waits=False)
            # At a gate that stands aside each waits for its own time.
            outcome.paced = found is None and not gate.is_aside
            if found is not None:
                outcome.refuse_until(found.until, found.code)

    def _tell(
        self,
        place: Destination,
        gate: Gate,
        now: float,
        code: Reason,
        asked: float | None,
        what: str,
        *,
        is_news: bool,
    ) -> None:
        why = {
            Reason.REFUSED: what.removeprefix("status "),
            Reason.USED_UP: "nothing remains of the limit",
            Reason.WIDENED: "refusals of several parts",
            Reason.UNRELATED: "refusals come at any rate",
        }[code]
        said = "the server names no time" if asked is None else f"the server asks for {asked:g} s"
        self.emitter.announce(
            "throttle",
            key=place.key,
            part=gate.part.name,
            closed=not gate.is_aside,
            rate=gate.rate,
            seconds=gate.opens_at(now) - now,
            queued=len(gate.queue),
            code=code,
            reason=f"{why}; {said}",
            is_news=is_news,
        )

    def _watch(self) -> None:
        """Have gates ended that are over, also if no call comes that would find them."""
        if self._timer is not None:
            return
        ends = [
            gate.over_at for place in self._places.by_key.values() for gate in place.gates.values()
        ]
        if ends:
            # One that somebody waits at is looked at again in a while.
            when = max(min(ends), self._seen + _WATCHES_EVERY)
            self._timer = self.clock.call_at(when, weakly(self._end_all))

    def _end_all(self) -> None:
        """End the gates that are over, and tell of it."""
        self._timer = None
        now = self._at(self.clock.time())
        for place in self._places.by_key.values():
            self._end_some(place, now)
        self._watch()

    def _end_some(self, place: Destination, now: float) -> None:
        for gate in place.ended(now):
            self.emitter.announce(
                "throttle",
                key=place.key,
                part=gate.part.name,
                closed=False,
                rate=None,
                seconds=0.0,
                queued=gate.held,
                code=Reason.QUIET,
                reason=f"nobody has waited for {QUIET:g} s",
            )

    def _part(self, place: Destination, request: ClientRequest) -> Part:
        if not self.policy.classes:
            return WHOLE
        return part_of(request, with_credential=place.sees_credentials)

    def _at(self, now: float) -> float:
        """Return the time, which never goes back."""
        if now > self._seen:
            self._seen = now
        return self._seen

    # -- to look at

    @property
    def gates(self) -> tuple[GateView, ...]:
        """The gates that are in force, and the declared limits that somebody waits for."""
        return tuple(self._places.views(max(self.clock.time(), self._seen)))

    def tally(self) -> dict[str, int]:
        """Count the gates that are in force; another thread may ask."""
        return {"gates": sum(len(each.gates) for each in list(self._places.by_key.values()))}

    def snapshot(self) -> dict[str, Any]:
        """Return the gates by key, as plain data; see `Pipeline.snapshot`."""
        found: dict[str, list[dict[str, Any]]] = {}
        for gate in self.gates:
            found.setdefault(str(gate.key), []).append(
                {
                    "part": gate.part,
                    "rate": gate.rate,
                    "seconds": gate.seconds,
                    "server_seconds": gate.server_seconds,
                    "waiting": gate.waiting,
                }
            )
        return {"gates": found}
