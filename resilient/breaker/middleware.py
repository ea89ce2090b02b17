"""The circuit breaker as a middleware and a guard: which circuit, what counts, who is told."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Hashable, Iterable
from typing import Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from resilient.breaker.circuit import Circuit
from resilient.breaker.circuits import Circuits
from resilient.breaker.machine import Change, Machine, State
from resilient.breaker.policy import BreakerPolicy
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Guard, Refusal, Turn
from resilient.core.keys import Key, ask_key, is_key, key_function, origin
from resilient.core.outcome import Outcome, Verdict
from resilient.core.queues import Room
from resilient.errors import CircuitOpenError, ConfigError
from resilient.headers.retry_after import ResetHeader
from resilient.support.redact import origin_of
from resilient.support.validation import instance, validated
from resilient.telemetry.emitter import Emitter
from resilient.telemetry.events import Listener

__all__ = ["CircuitBreaker"]

_STANDARD: Final = BreakerPolicy()

# The key, the machine that granted it, its number there, and the time.
_Permit = tuple[Hashable, Machine, int, float]


class CircuitBreaker(Guard):
    """Refuses calls to a server that keeps failing, until it has shown that it is back.

        breaker = CircuitBreaker(BreakerPolicy(failure_rate=0.5))
        breaker.circuit("https://api.mavio.example").isolate()

    Failures are the policy's statuses, transport failures, and attempts that ran out of
    time. Other statuses are successes. 429, a cancelled call, a pooled connection that the
    server had closed, and waiting for a place in the pool say nothing of the server and
    count as neither.

    Args:
        policy: When circuits open and close.
        key: The circuit that a request belongs to, declared as in `resilient.core.keys`, or a
            function of the request; by default one per origin. None from a function, or a
            function that raises, lets the request pass uncounted.
        listeners: Told of transitions and refusals.
        reset_headers: Headers in which the service says when its limit is over.
        room: Counts those who wait, with those of other guards.
        clock: The source of time and randomness; by default the event loop's and the system's.

    Raises:
        CircuitOpenError: The call was refused; nothing was sent.
        RuntimeError: It was used from a second event loop while the first is not closed.
    """

    __slots__ = ("_circuits", "key", "policy", "reset_headers")

    name = "breaker"

    def __init__(
        self,
        policy: BreakerPolicy = _STANDARD,
        *,
        key: Key = "origin",
        listeners: Iterable[Listener] = (),
        reset_headers: Iterable[ResetHeader] = (),
        room: Room | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(listeners=listeners, room=room, clock=clock)
        is_policy = instance(BreakerPolicy, "a BreakerPolicy")
        self.policy = validated(self, "policy", policy, is_policy)
        self.key = key_function(validated(self, "key", key, is_key()))
        self.reset_headers = tuple(reset_headers)
        self._circuits = Circuits(policy, _Teller(self.emitter), clock.time)

    def loop_changed(self, now: float | None) -> None:
        """Keep the circuits, on the new loop's scale of time."""
        if now is not None:
            self._circuits.rebase(now)

    def describe(self) -> str:
        """Return its settings in words."""
        policy = self.policy
        return (
            f"opens at {policy.failure_rate:.0%} failures of at least {policy.minimum_calls} "
            f"calls in {policy.window:g} s, for {policy.open_for:g} to {policy.max_open_for:g} s"
            + (
                f"; or after {policy.consecutive_failures} failures in a row"
                if policy.consecutive_failures
                else ""
            )
            + ("; only observes" if policy.observe else "")
        )

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Let a request pass, or refuse it."""
        return run_attempt(request, handler, self, self, None, None, self.reset_headers)

    # -- as a guard

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> _Permit | Refusal | None:
        """Let an attempt pass, or refuse it; None for one that does not count."""
        own = self.key
        key = (
            origin(request) if own is origin else ask_key(own, request, self.emitter, "breaker key")
        )
        if key is None:
            return None
        machine = self._circuits.machines.get(key) or self._circuits.make(key)
        number = machine.free_pass
        if number is None:
            number, change = machine.admit(now)
            self._circuits.told(key, change)
            if not number and not self.policy.observe:
                error = CircuitOpenError(
                    key, machine.retry_in(now), machine.state.value, queued=call.queued
                )
                return self.refuse(call, request, error)
        return key, machine, number, now

    def leave(self, permit: _Permit, outcome: Outcome | None, now: float) -> None:
        """Take in how an attempt ended."""
        key, machine, number, started = permit
        duration = now - started
        if outcome is None:
            change = machine.succeed(number, now, duration)
            if change is not None:
                self._circuits.told(key, change)
            return
        verdict = outcome.health(self.policy.statuses)
        slow_call = self.policy.slow_call
        if (
            verdict is Verdict.SUCCESS
            and outcome.pool_was_full
            and slow_call is not None
            and duration >= slow_call
        ):
            # Nobody can tell how much of that was waiting for the pool.
            verdict = Verdict.NEUTRAL
        failed = verdict is Verdict.TRANSIENT
        change = machine.record(
            number,
            verdict,
            now,
            duration=duration,
            retry_after=outcome.retry_after if failed else None,
            random=self.clock.random() if failed else 0.0,
        )
        self._circuits.told(key, change)
        if machine.state is State.OPEN and not self.policy.observe:
            # Lets a retry further out know that waiting less would be in vain.
            seconds = machine.retry_in(now)
            outcome.refused_until = math.inf if seconds is None else now + seconds

    def give_back(self, permit: _Permit, refused: bool) -> None:
        """Free the place of an attempt that never left."""
        _, machine, number, _ = permit
        machine.void(number)

    # -- to look at and to operate

    def circuit(self, key: Hashable) -> Circuit:
        """Return the circuit of a key; for an origin, any URL of it will do.

        Raises:
            ConfigError: What should be a URL has no scheme or no host.
        """
        if self.key is origin:
            url = URL(key) if isinstance(key, str) else key
            if not isinstance(url, URL) or not url.absolute or not url.host:
                raise ConfigError.of("CircuitBreaker.circuit", key, "a URL with scheme and host")
            key = origin_of(url)
        return Circuit(key, self._circuits)

    @property
    def circuits(self) -> tuple[Circuit, ...]:
        """Every circuit that is kept."""
        return tuple(Circuit(key, self._circuits) for key in self._circuits.machines)


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
        )
