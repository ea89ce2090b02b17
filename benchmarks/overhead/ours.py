"""Wrap our own middlewares for the measurement: the whole pipeline, and each one alone."""

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
from benchmarks.overhead.common_settings import (
    COMMON,
    FAILURE_STATUSES,
    RETRY_STATUSES,
    CommonSettings,
)
from benchmarks.overhead.wrapper import Circuits, Fetch, Middleware, fetch_with

__all__ = ["BREAKER", "PARTS", "PIPELINE", "WRAPPED", "OurMiddleware", "PassThrough", "policy"]


def policy(common: CommonSettings = COMMON) -> resilient.Policy:
    """Return the standard policy with the common settings."""
    return resilient.Policy(
        total_timeout=common.total,
        attempt_timeout=common.attempt,
        retry=_retry(common),
        breaker=_breaker(common),
    )


def _retry(common: CommonSettings) -> resilient.RetryPolicy:
    return resilient.RetryPolicy(
        max_attempts=common.attempts,
        statuses=RETRY_STATUSES,
        backoff=resilient.Backoff(base=common.base, cap=common.cap),
    )


def _breaker(common: CommonSettings) -> resilient.BreakerPolicy:
    return resilient.BreakerPolicy(
        failures=common.consecutive_failures,
        statuses=FAILURE_STATUSES,
        open_for=common.open_for,
        max_open_for=max(common.open_for, 60.0),
        probes=common.probes,
        max_destinations=1 << 20,
        patience=0,
    )


class OurMiddleware(Middleware):
    """One of our middlewares."""

    def __init__(
        self,
        name: str,
        parts: str,
        make: Callable[[CommonSettings], ClientMiddlewareType],
        refusal: type[Exception] | None = None,
    ) -> None:
        self.name = name
        self.parts = parts
        self.refusal = refusal
        self._make = make

    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Make a new middleware."""
        return self._make(common)

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return the circuits of a breaker, used as the middleware uses them."""
        breaker = resilient.CircuitBreaker(_breaker(common))

        async def call(key: str, failures: Sequence[bool]) -> None:
            machine = breaker._circuits.make(key)
            for second, failed in enumerate(failures):
                now = 1000.0 + second
                permit, _ = machine.admit(now)
                if not permit:
                    raise resilient.CircuitOpenError(key, machine.retry_in(now))
                if failed:
                    machine.fail(permit, now, now)
                else:
                    machine.succeed(permit, now, now)

        return call


class _Wrapped(OurMiddleware):
    """The pipeline added by `wrap` to a session that exists."""

    @asynccontextmanager
    async def client(self, session: ClientSession) -> AsyncIterator[Fetch]:
        """Yield a fetch through the wrapped session."""
        async with resilient.wrap(session, resilient.Pipeline(policy())) as client:
            yield fetch_with(client)


class PassThrough(Middleware):
    """The cheapest possible middleware, which ratios refer to."""

    name = "do nothing"
    parts = ""

    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Make a middleware that passes every request through."""

        async def pass_through(
            request: ClientRequest, handler: ClientHandlerType
        ) -> ClientResponse:
            return await handler(request)

        return pass_through


_ALL = "deadline, retry, breaker, typed errors, attempt time-out"


def _pipeline(common: CommonSettings) -> ClientMiddlewareType:
    return resilient.Pipeline(policy(common))


PIPELINE = OurMiddleware("whole pipeline", _ALL, _pipeline, resilient.CircuitOpenError)
PIPELINE.first_use = "from resilient import Pipeline, wrap; Pipeline()"

WRAPPED = _Wrapped("whole pipeline, by wrap", _ALL, _pipeline)

BREAKER = OurMiddleware(
    "CircuitBreaker",
    "breaker",
    lambda common: resilient.CircuitBreaker(_breaker(common)),
    resilient.CircuitOpenError,
)

PARTS = (
    OurMiddleware("Deadline", "deadline", lambda common: resilient.Deadline(common.total)),
    OurMiddleware("Retry", "retry", lambda common: resilient.Retry(_retry(common))),
    BREAKER,
    OurMiddleware("NormalizeErrors", "typed errors", lambda _: resilient.NormalizeErrors()),
    OurMiddleware(
        "AttemptTimeout",
        "attempt time-out",
        lambda common: resilient.AttemptTimeout(common.attempt),
    ),
)
