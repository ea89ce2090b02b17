"""What is measured of ours: the whole pipeline, and each middleware alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ClientSession,
)

import resilient
from benchmarks.overhead.equal import EQUAL, FAILURES, STATUSES, Equal
from benchmarks.overhead.wrapper import Circuits, Fetch, Middleware, fetching
from resilient.core.outcome import Verdict

__all__ = ["BREAKER", "PARTS", "PIPELINE", "WRAPPED", "Nothing", "Ours", "policy"]


def policy(equal: Equal = EQUAL) -> resilient.Policy:
    """The standard one, with the settings that all have in common."""
    return resilient.Policy(
        total_timeout=equal.total,
        attempt_timeout=equal.attempt,
        retry=_retry(equal),
        breaker=_breaker(equal),
    )


def _retry(equal: Equal) -> resilient.RetryPolicy:
    return resilient.RetryPolicy(
        max_attempts=equal.attempts,
        statuses=STATUSES,
        backoff=resilient.Backoff(base=equal.base, cap=equal.cap),
    )


def _breaker(equal: Equal) -> resilient.BreakerPolicy:
    return resilient.BreakerPolicy(
        minimum_calls=equal.in_a_row,
        statuses=FAILURES,
        open_for=equal.open_for,
        max_open_for=max(equal.open_for, 60.0),
        probes=equal.probes,
        max_circuits=1 << 20,
    )


class Ours(Middleware):
    """A middleware of ours."""

    def __init__(
        self,
        name: str,
        parts: str,
        make: Callable[[Equal], ClientMiddlewareType],
        refusal: type[Exception] | None = None,
    ) -> None:
        self.name = name
        self.parts = parts
        self.refusal = refusal
        self._make = make

    def middleware(self, equal: Equal) -> ClientMiddlewareType:
        """A new one."""
        return self._make(equal)

    def circuits(self, equal: Equal = EQUAL) -> Circuits:
        """Those of a breaker, which is asked as the middleware asks."""
        breaker = resilient.CircuitBreaker(_breaker(equal))

        async def call(key: str, failures: Sequence[bool]) -> None:
            machine = breaker._machines.get(key) or breaker._make(key)
            for second, failed in enumerate(failures):
                now = 1000.0 + second
                permit, _ = machine.admit(now)
                if not permit:
                    raise resilient.CircuitOpenError(key, machine.retry_in(now))
                verdict = Verdict.TRANSIENT if failed else Verdict.SUCCESS
                machine.record(permit, verdict, now)

        return call


class _Wrapped(Ours):
    """The pipeline under a session that somebody else made."""

    @asynccontextmanager
    async def client(self, session: ClientSession) -> AsyncIterator[Fetch]:
        """What `wrap` makes of the session."""
        async with resilient.wrap(session, resilient.Pipeline(policy())) as client:
            yield fetching(client)


class Nothing(Middleware):
    """The least that a middleware can be: what "do nothing" means."""

    name = "do nothing"
    parts = ""

    def middleware(self, equal: Equal) -> ClientMiddlewareType:
        """One that passes through."""

        async def pass_through(
            request: ClientRequest, handler: ClientHandlerType
        ) -> ClientResponse:
            return await handler(request)

        return pass_through


_ALL = "deadline, retry, breaker, typed errors, attempt time-out"


def _pipeline(equal: Equal) -> ClientMiddlewareType:
    return resilient.Pipeline(policy(equal))


PIPELINE = Ours("whole pipeline", _ALL, _pipeline, resilient.CircuitOpenError)
PIPELINE.first_use = "from resilient import Pipeline, wrap; Pipeline()"

WRAPPED = _Wrapped("whole pipeline, by wrap", _ALL, _pipeline)

BREAKER = Ours(
    "CircuitBreaker",
    "breaker",
    lambda equal: resilient.CircuitBreaker(_breaker(equal)),
    resilient.CircuitOpenError,
)

PARTS = (
    Ours("Deadline", "deadline", lambda equal: resilient.Deadline(equal.total)),
    Ours("Retry", "retry", lambda equal: resilient.Retry(_retry(equal))),
    BREAKER,
    Ours("NormalizeErrors", "typed errors", lambda _: resilient.NormalizeErrors()),
    Ours(
        "AttemptTimeout", "attempt time-out", lambda equal: resilient.AttemptTimeout(equal.attempt)
    ),
)
