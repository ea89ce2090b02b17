"""The circuit breaker as a middleware and a guard: which circuit, what counts, who waits."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Hashable, Iterable
from typing import Any, Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from resilient.breaker.circuit import Circuit
from resilient.breaker.circuits import Circuits, Kept
from resilient.breaker.machine import Change, State
from resilient.breaker.policy import BreakerPolicy
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Guard, Refusal, Turn, Wait
from resilient.core.keys import key_function, key_text, origin
from resilient.core.outcome import Outcome, Verdict
from resilient.core.queues import Queue, Room
from resilient.errors import CircuitOpenError, ConfigError, RefusedError
from resilient.headers.retry_after import ResetHeader
from resilient.reasons import Reason
from resilient.support.redact import origin_of
from resilient.support.validation import instance, validated
from resilient.telemetry.emitter import Emitter
from resilient.telemetry.events import Listener

__all__ = ["FOR_ITS_TURN", "CircuitBreaker"]

_STANDARD: Final = BreakerPolicy()

# A circuit that lets traffic back in serves those who wait in seconds, so they may stay longer.
FOR_ITS_TURN: Final = 3.0

# Times that add up are not exact to the last digit.
_GRAIN: Final = 1e-6

# The circuit that granted it, the attempt's number there, the time, and the call.
_Permit = tuple[Kept, int, float, Call]


class CircuitBreaker(Guard):
    """Holds calls back from a server that keeps failing, until it has shown that it is back.

        breaker = CircuitBreaker(BreakerPolicy(failures=10))
        breaker.circuit("https://api.mavio.example").isolate()

    Failures are the policy's statuses, transport failures, attempts that ran out of time, and
    attempts that their caller gave up after long silence. Other statuses are successes. 429, any
    other cancelled call, a failure of this machine's, a pooled connection that the server had
    closed, and waiting for a place in the pool say nothing of the server and count as neither.

    A call that may not pass waits for its turn as long as the policy's patience allows; one that
    would wait in vain is refused at once. Calls that a middleware makes inside an attempt of a
    half-open circuit (for a token, say) are part of that attempt, and pass.

    Args:
        policy: When circuits open and close, and who waits for them.
        listeners: Told of transitions, of those who are held, and of refusals.
        reset_headers: Headers in which the service says when its limit is over.
        room: Counts those who wait, with those of other guards.
        clock: The source of time and randomness; by default the event loop's and the system's.

    Raises:
        CircuitOpenError: The call was refused; nothing was sent.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_circuits", "_key", "policy", "reset_headers")

    name = "breaker"

    def __init__(
        self,
        policy: BreakerPolicy = _STANDARD,
        *,
        listeners: Iterable[Listener] = (),
        reset_headers: Iterable[ResetHeader] = (),
        room: Room | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(listeners=listeners, room=room, clock=clock)
        is_policy = instance(BreakerPolicy, "a BreakerPolicy")
        self.policy = validated(self, "policy", policy, is_policy)
        self._key = key_function(policy.key)
        self.reset_headers = tuple(reset_headers)
        self._circuits = Circuits(policy, _Teller(self.emitter), clock.time, self.room)

    def loop_changed(self, now: float | None) -> None:
        """Keep the circuits, on the new loop's scale of time."""
        self._circuits.move_to_loop(now)

    def describe(self) -> str:
        """Return its settings in words."""
        policy = self.policy
        said = [
            f"for each {key_text(policy.key)}",
            f"opens at {policy.failures} failures, if at least {policy.failure_rate:.0%} fail, "
            f"for {policy.open_for:g} to {policy.max_open_for:g} s",
        ]
        if policy.consecutive_failures:
            said.append(f"or after {policy.consecutive_failures} failures in a row")
        if policy.slow_call:
            said.append(f"or at {policy.failures} calls of {policy.slow_call:g} s and more")
        if policy.observe:
            said.append("only observes")
        elif policy.patience:
            said.append(
                f"calls wait up to {policy.patience:g} s for it in the first "
                f"{policy.patience_horizon:g} s of an outage"
            )
        else:
            said.append("calls do not wait for it")
        return "; ".join(said)

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Let a request pass, hold it back, or refuse it."""
        return run_attempt(request, handler, self, self, None, None, self.reset_headers)

    # -- as a guard

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> _Permit | Wait | Refusal | None:
        """Let an attempt pass, hold it back, or refuse it; None for one that does not count."""
        key = self.key_of(self._key, call, request)
        if key is None:
            return None
        machine = self._circuits.machines.get(key) or self._circuits.make(key)
        if machine.state is State.CLOSED:
            number = machine.sent = machine.sent + 1
            return machine, number, now, call
        return self._ask(machine, call, request, now, turn)

    def quiet(self, request: ClientRequest) -> Kept | None:
        """Return the circuit of a request's origin, if it is closed and nothing is wrong."""
        if self._key is not origin:
            return None
        machine = self._circuits.make(origin(request))
        return machine if machine.is_quiet else None

    def may_refuse(self, request: ClientRequest) -> bool:
        """Return whether the circuit of a request's origin is open."""
        machine = self._circuits.machines.get(origin(request))
        return machine is not None and machine.state is State.OPEN

    def permit(self, kept: Kept, number: int, started: float, call: Call) -> _Permit:
        """Return the permit of an attempt that passed without asking."""
        return kept, number, started, call

    def _ask(
        self, machine: Kept, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> _Permit | Wait | Refusal | None:
        """Ask a circuit that is not closed."""
        if machine.inside and any(outer in machine.inside for outer in call.around()):
            # Refused, it would end the attempt around it, and no probe would ever be answered.
            return None
        observes = self.policy.observe
        queue = machine.queue
        if machine.stays_open(now) and not observes:
            until = self._may_wait_until(machine, call, now)
            if machine.open_until > until or until - now <= _GRAIN:
                # The shortest way for those who would wait in vain: there may be many.
                if turn is None:
                    machine.ask(is_new=not call.records)
                return self.refuse(call, request, self._error(machine, call, now))
        number = 0
        if queue is None or queue.is_next(turn):
            number, change = machine.admit(now)
            self._circuits.told(machine, change)
        if number:
            machine.let_in(call)
        if number or observes:
            return machine, number, now, call
        if turn is None:
            machine.ask(is_new=not call.records)
        # Of those who wait already nobody counts who comes before whom.
        is_known = turn is not None and queue is not None and turn in queue
        ready = machine.ready_at(0 if is_known else machine.waiting, now)
        until = self._may_wait_until(machine, call, now)
        is_vain = ready > until and (machine.state is State.OPEN or machine.is_releasing)
        is_vain = is_vain or ready == math.inf
        if until - now <= _GRAIN or is_vain:
            return self.refuse(call, request, self._error(machine, call, now))
        queue = self._circuits.queue_of(machine)
        if queue.is_next(turn) and now < ready < until:
            until = ready
        if machine.is_releasing:
            code, words = Reason.RECOVERY, "waits for its turn in the recovery"
        else:
            code, words = Reason.VERDICT, "waits for the verdict of a probe"
        return Wait(queue, until, False, code, words, machine.key)

    def _may_wait_until(self, machine: Kept, call: Call, now: float) -> float:
        """Return until when a call may wait, by its patience and its deadline."""
        policy = self.policy
        patience = call.override.patience
        if patience is None:
            patience = policy.patience
            is_old = now - machine.series_began > policy.patience_horizon
            if is_old and not machine.is_releasing:
                return now
        if patience <= 0:
            return now
        if machine.is_releasing:
            patience += FOR_ITS_TURN
        until = now + patience - call.held_by(self)
        return until if call.deadline is None else min(until, call.deadline)

    def leave(self, permit: _Permit, outcome: Outcome | None, now: float) -> None:
        """Take in how an attempt ended."""
        machine, number, started, call = permit
        if outcome is None:
            if machine.is_quiet and now < machine.look_at:
                # Not by `succeed`, since nearly every call ends here.
                machine.answered_at = now
                return
            machine.inside.discard(call)
            self._took(machine, machine.succeed(number, started, now), now)
            return
        machine.inside.discard(call)
        verdict = outcome.health(self.policy.statuses)
        duration = now - started
        slow_call = self.policy.slow_call
        timed_out = outcome.timed_out
        if verdict is Verdict.SUCCESS:
            if outcome.pool_was_full and slow_call is not None and duration >= slow_call:
                # Nobody can tell how much of that was waiting for the pool.
                verdict = Verdict.NEUTRAL
        elif (
            outcome.is_given_up
            and duration >= self.policy.abandoned_after
            and number
            and machine.may_abandon(started, now)
        ):
            verdict, timed_out = Verdict.TRANSIENT, True
        if verdict is Verdict.SUCCESS:
            change = machine.succeed(number, started, now)
        elif verdict is Verdict.TRANSIENT:
            change = machine.fail(
                number,
                started,
                now,
                timed_out=timed_out,
                retry_after=outcome.retry_after,
                random=self.clock.random(),
            )
        else:
            if outcome.status is not None:
                machine.answered_at = now
            change = machine.end(number, now)
        self._took(machine, change, now, is_free=verdict is Verdict.NEUTRAL)
        if machine.state is not State.CLOSED and not self.policy.observe:
            self._foretell(machine, outcome, call, now)

    def _foretell(self, machine: Kept, outcome: Outcome, call: Call, now: float) -> None:
        """Let a retry further out know until when its next attempt would be refused."""
        outcome.shut = not machine.is_releasing
        if machine.state is State.OPEN:
            ready = machine.ready_at(0, now)
            patience = self._may_wait_until(machine, call, now) - now
            code = Reason.CIRCUIT_ISOLATED if ready == math.inf else Reason.CIRCUIT_OPEN
            outcome.refuse_until(ready - patience, code)

    def _took(
        self, machine: Kept, change: Change | None, now: float, *, is_free: bool = False
    ) -> None:
        """Tell of a change that an attempt made, and wake whoever it concerns.

        Args:
            machine: The circuit.
            change: The change, if there was one.
            now: The time, in seconds.
            is_free: Whether the attempt may have freed the place of a probe.
        """
        self._circuits.told(machine, change)
        state = machine.state
        if state is State.CLOSED:
            return
        queue = machine.queue
        if state is State.HALF_OPEN:
            proven = machine.close_if_proven(machine.waiting)
            if proven is not None:
                self._circuits.told(machine, proven)
            elif queue is not None and (change is not None or is_free):
                queue.wake()
        elif change is not None and queue is not None:
            # It opened again: some can no longer wait for so long, and the next one for longer.
            queue.wake()
            queue.wake_before(machine.ready_at(0, now))

    def give_back(self, permit: _Permit, refused: bool) -> None:
        """Free the place of an attempt that never left."""
        machine, number, _, call = permit
        machine.void(number)
        machine.inside.discard(call)
        if machine.queue is not None and refused:
            machine.queue.wake()

    def crowded(self, call: Call, wait: Wait) -> RefusedError:
        """Make the error for an attempt that would have to wait where too many do already."""
        machine = self._circuits.machines.get(wait.key)
        state = State.OPEN if machine is None else machine.state
        return CircuitOpenError(wait.key, 0.0, state.value, queued=call.queued)

    def retire(self, heir: Guard | None) -> None:
        """Leave the service; what was isolated by hand stays so until somebody resets it.

        That is no change, and told to nobody: a listener could replace services once more, while
        half of them are replaced.
        """
        if isinstance(heir, CircuitBreaker) and heir.policy.key == self.policy.key:
            for circuit in self.circuits:
                if circuit.isolated:
                    heir._circuits.make(circuit.key).isolate()
        super().retire(heir)

    def queues(self) -> Iterable[Queue]:
        """Return the queues of its circuits."""
        machines = self._circuits.machines.values()
        return [each.queue for each in machines if each.queue is not None]

    def _error(self, machine: Kept, call: Call, now: float) -> CircuitOpenError:
        return CircuitOpenError(
            machine.key, machine.retry_in(now), machine.state.value, queued=call.queued
        )

    # -- to look at and to operate

    def circuit(self, key: Hashable) -> Circuit:
        """Return the circuit of a key; for an origin, any URL of it will do.

        Raises:
            ConfigError: What should be a URL has no scheme or no host.
        """
        if self._key is origin:
            url = URL(key) if isinstance(key, str) else key
            if not isinstance(url, URL) or not url.absolute or not url.host:
                raise ConfigError.of("CircuitBreaker.circuit", key, "a URL with scheme and host")
            key = origin_of(url)
        return Circuit(key, self._circuits)

    @property
    def circuits(self) -> tuple[Circuit, ...]:
        """Every circuit that is kept."""
        return tuple(Circuit(key, self._circuits) for key in self._circuits.machines)

    def tally(self) -> dict[str, int]:
        """Count the circuits in each state, as last heard; another thread may ask."""
        counts = dict.fromkeys((state.value for state in State), 0)
        for machine in list(self._circuits.machines.values()):
            counts[machine.state.value] += 1
        return counts

    def snapshot(self) -> dict[str, Any]:
        """Return the circuits that are kept, as plain data; see `Pipeline.snapshot`."""
        return {
            "circuits": {
                str(circuit.key): {
                    "state": circuit.state,
                    "isolated": circuit.isolated,
                    "score": circuit.counts.score,
                    "retry_after": circuit.retry_after,
                    "waiting": circuit.waiting,
                }
                for circuit in self.circuits
            }
        }


class _Teller:
    """Tells an emitter of transitions."""

    __slots__ = ("_emitter",)

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    def __call__(self, key: Hashable, change: Change) -> None:
        self._emitter.announce(
            "transition",
            key=key,
            before=change.before.value,
            after=change.after.value,
            code=change.code,
            reason=change.reason,
            seconds=change.seconds,
            held=change.held,
        )
