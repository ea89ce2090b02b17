"""The circuit breaker as a middleware: which circuit, what counts, who is told."""

from __future__ import annotations

import asyncio
import math
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Hashable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from resilient.breaker.machine import Change, Machine, State
from resilient.breaker.policy import BreakerPolicy
from resilient.clock import SYSTEM_CLOCK, Clock, claim_loop, time_on
from resilient.core.attempt import run_attempt
from resilient.core.call import call_of
from resilient.core.outcome import (
    Outcome,
    Verdict,
    is_stale,
    judge_health,
    session_ran_out,
    was_never_sent,
)
from resilient.errors import AttemptTimeoutError, CircuitOpenError, ConfigError
from resilient.support.redact import origin_of
from resilient.support.validation import instance, plain_function, validated
from resilient.telemetry.emitter import Emitter, make_emitter
from resilient.wire.connections import is_full, mark_used, was_reused

if TYPE_CHECKING:
    from resilient.breaker.circuit import Circuit
    from resilient.telemetry.events import Listener

__all__ = ["CircuitBreaker"]

# How many circuits are looked at to find one to forget: enough, and quick.
_OLDEST = 64

_STANDARD: Final = BreakerPolicy()

Key = Callable[[ClientRequest], Hashable | None]

# Of one attempt: its circuit's key and machine, leave to pass, when it began, whether the pool
# was full then, and the request's response before it.
_Ticket = tuple[Hashable, Machine, int, float, bool, ClientResponse | None]


def origin(request: ClientRequest) -> Hashable:
    """One circuit per origin, as text: scheme, host, and a port that is not the scheme's."""
    return origin_of(request.url)


class CircuitBreaker:
    """Refuses calls to a server that keeps failing, until it has shown that it is back.

        breaker = CircuitBreaker(BreakerPolicy(failure_rate=0.5))
        breaker.circuit("https://api.mavio.example").isolate()

    Failures are the policy's statuses, transport failures, and attempts that ran out of
    time. Other statuses are successes. 429, a cancelled call, a pooled connection that the
    server had closed, and waiting for a place in the pool say nothing of the server and
    count as neither.

    Args:
        policy: When circuits open and close.
        key: Which circuit a request belongs to; by default one per origin. None, or a hook
            that raises, lets the request pass uncounted.
        listeners: Told of transitions and refusals.
        clock: The source of time and randomness.

    Raises:
        CircuitOpenError: The call was refused; nothing was sent.
        RuntimeError: It was used from a second event loop.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_emitter",
        "_loop",
        "_machines",
        "_time",
        "key",
        "policy",
    )

    def __init__(
        self,
        policy: BreakerPolicy = _STANDARD,
        *,
        key: Key = origin,
        listeners: Iterable[Listener] | Emitter = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        is_policy = instance(BreakerPolicy, "a BreakerPolicy")
        self.policy = validated(self, "policy", policy, is_policy)
        self.key = validated(self, "key", key, plain_function("of a request"))
        self._emitter = make_emitter(listeners)
        self._clock = clock
        self._machines: dict[Hashable, Machine] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._time: Callable[[], float]  # from the loop on that it is first used on

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Let a request pass, or refuse it."""
        return run_attempt(request, handler, self, None, None)

    def admit(self, request: ClientRequest) -> _Ticket | None:
        """Let an attempt pass, or refuse it; None for one that does not count."""
        if self._loop is not get_running_loop():
            self._loop = claim_loop(self, self._loop)
            self._time = time_on(self._loop, self._clock)
        key = origin_of(request.url) if self.key is origin else self._ask_key(request)
        if key is None:
            return None
        machine = self._machines.get(key) or self._make(key)
        started = self._time()
        permit = machine.free_pass
        if permit is None:
            permit, change = machine.admit(started)
            if change is not None:
                self._tell(key, change)
            if not permit and not self.policy.observe:
                raise self._refuse(request, key, machine, started)
        return key, machine, permit, started, is_full(request), request.response

    def succeeded(self, ticket: _Ticket, request: ClientRequest, response: ClientResponse) -> None:
        """Take in the response to an attempt."""
        mark_used(response)
        key, machine, permit, started, was_full, _ = ticket
        if response.status >= 400:
            verdict = judge_health(response, self.policy.statuses)
            return self._record(ticket, request, verdict, response)
        ended = self._time()
        slow_call = self.policy.slow_call
        if was_full and slow_call is not None and ended - started >= slow_call:
            # Nobody can tell how much of that was waiting for the pool.
            change = machine.record(permit, Verdict.NEUTRAL, ended)
        else:
            change = machine.succeed(permit, ended, ended - started)
        if change is not None:
            self._tell(key, change)
        return None

    def failed(self, ticket: _Ticket, request: ClientRequest, error: BaseException) -> None:
        """Take in how an attempt ended that had no response."""
        if isinstance(error, Exception):
            return self._record(ticket, request, self._judge(error, request, ticket), error)
        if isinstance(error, asyncio.CancelledError) and (
            call_of(request).is_overdue(self._time()) or session_ran_out(request)
        ):
            # An attempt that a limit further out cut off took too long, like any other.
            verdict = self._judge(AttemptTimeoutError(), request, ticket)
        else:
            verdict = Verdict.NEUTRAL
        return self._record(ticket, request, verdict)

    def circuit(self, key: Hashable) -> Circuit:
        """The circuit of a key, to look at or to operate; for an origin, any URL of it will do.

        Raises:
            ConfigError: What should be a URL has no scheme or no host.
        """
        if self.key is origin:
            url = URL(key) if isinstance(key, str) else key
            if not isinstance(url, URL) or not url.absolute or not url.host:
                raise ConfigError.of("CircuitBreaker.circuit", key, "a URL with scheme and host")
            key = origin_of(url)
        return self._circuit(key)

    @property
    def circuits(self) -> tuple[Circuit, ...]:
        """Every circuit that is kept."""
        return tuple(map(self._circuit, self._machines))

    def _circuit(self, key: Hashable) -> Circuit:
        # Only for who looks.
        from resilient.breaker.circuit import Circuit

        return Circuit(key, self)

    def _ask_key(self, request: ClientRequest) -> Hashable | None:
        try:
            key = self.key(request)
            hash(key)
        except Exception as error:
            self._emitter.complain("breaker key", self.key, error)
            return None
        return key

    def _make(self, key: Hashable) -> Machine:
        if len(self._machines) >= self.policy.max_circuits:
            self._forget_one()
        machine = self._machines[key] = Machine(self.policy)
        return machine

    def _forget_one(self) -> None:
        """Forget the least important of the oldest circuits."""
        now = self._clock.time()
        least = 4
        for key, machine in islice(self._machines.items(), _OLDEST):
            importance = machine.importance(now)
            if importance < least:
                least, victim = importance, key
                if least == 0:
                    break
        del self._machines[victim]

    def _judge(self, error: Exception, request: ClientRequest, ticket: _Ticket) -> Verdict:
        """What an exception says of the server, given where its connection came from."""
        *_, was_full, before = ticket
        if is_stale(error) and was_reused(request, before):
            return Verdict.NEUTRAL
        if was_full and isinstance(error, TimeoutError) and was_never_sent(error, request, before):
            return Verdict.NEUTRAL
        return judge_health(error, self.policy.statuses)

    def _record(
        self,
        ticket: _Ticket,
        request: ClientRequest,
        verdict: Verdict,
        outcome: Outcome | None = None,
    ) -> None:
        key, machine, permit, started, _, _ = ticket
        ended = self._time()
        failed = verdict is Verdict.TRANSIENT
        headers = getattr(outcome, "headers", None) if failed else None
        retry_after = None
        if headers:
            # Not before an attempt has failed.
            from resilient.headers.retry_after import parse_retry_after

            retry_after = parse_retry_after(headers, now=self._clock.now())
        change = machine.record(
            permit,
            verdict,
            ended,
            duration=ended - started,
            retry_after=retry_after,
            random=self._clock.random() if failed else 0.0,
        )
        if change is not None:
            self._tell(key, change)
        if machine.state is State.OPEN and not self.policy.observe:
            # Lets a retry further out know that waiting less would be in vain.
            seconds = machine.retry_in(ended)
            call_of(request).refused_until = math.inf if seconds is None else ended + seconds

    def _refuse(
        self, request: ClientRequest, key: Hashable, machine: Machine, now: float
    ) -> CircuitOpenError:
        error = CircuitOpenError(key, machine.retry_in(now), machine.state.value)
        if self._emitter.wants("refusal"):
            self._emitter.tell("refusal", request, by="breaker", reason=str(error))
        return error

    def _tell(self, key: Hashable, change: Change) -> None:
        self._emitter.announce(
            "transition",
            key=key,
            before=change.before.value,
            after=change.after.value,
            reason=change.reason,
            seconds=change.seconds,
        )
