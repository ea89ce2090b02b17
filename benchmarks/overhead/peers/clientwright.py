"""clientwright: sessions that it builds, with an engine in a middleware of its own.

https://github.com/bedrock-python/clientwright, for Python 3.12 and later. It has a deadline,
retries with a budget, Retry-After, a breaker for each origin and a limit for attempts. In
process its middleware is taken from a session that it has built; on a socket that session is
used as it is, with connections of its own, for it takes nobody else's.

Its breaker opens after failures in a row, which it counts by whole calls; its jitter is a
share of the wait, up or down, at most all of it. It is told to log and to measure nothing, as
ours does nothing of the kind unless somebody listens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import clientwright
from aiohttp import ClientMiddlewareType, ClientSession
from clientwright.core.policy.circuit import CircuitRegistry

from benchmarks.overhead.common_settings import (
    COMMON,
    IDEMPOTENT_METHODS,
    RETRY_STATUSES,
    CommonSettings,
)
from benchmarks.overhead.wrapper import Circuits, Fetch, Middleware, fetch_with

__all__ = ["WRAPPER"]


class Clientwright(Middleware):
    """The middleware of a session that `clientwright.build` makes."""

    name = "clientwright"
    parts = "deadline, retry, breaker, attempt time-out"
    lacks = ("failure rate", "full jitter", "typed errors", "sessions that exist")
    refusal = clientwright.CircuitOpenError
    first_use = (
        "import clientwright; clientwright.resolve_adapter('aiohttp'); "
        "clientwright.ClientConfig('api')"
    )

    def __init__(self) -> None:
        self._built: list[ClientSession] = []

    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Take the middleware of a session that the library builds."""
        session = self._build(common)
        self._built.append(session)
        (middleware,) = session._middlewares
        return middleware

    @asynccontextmanager
    async def client(
        self, session: ClientSession, common: CommonSettings = COMMON
    ) -> AsyncIterator[Fetch]:
        """Yield a fetch through a session of its own."""
        async with self._build(common) as built:
            yield fetch_with(built)

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return its registry of circuits, used as its engine uses it."""
        config = clientwright.CircuitBreakerConfig(
            fail_threshold=common.consecutive_failures,
            recovery_timeout=common.open_for,
            max_keys=1 << 20,
        )
        registry = CircuitRegistry(config, lambda: 0.0)
        failure = clientwright.Outcome(kind=clientwright.FailureKind.CONNECT_ERROR)
        success = clientwright.Outcome(kind=None, status_code=200)

        async def call(key: str, failures: Sequence[bool]) -> None:
            for failed in failures:
                registry.check(key)
                registry.record(key, failure if failed else success)

        return call

    async def close(self) -> None:
        """Close the sessions whose middlewares were taken."""
        while self._built:
            await self._built.pop().close()

    @staticmethod
    def _build(common: CommonSettings) -> ClientSession:
        session: ClientSession = clientwright.build(
            "aiohttp",
            clientwright.ClientConfig(
                "api",
                timeout=clientwright.TimeoutConfig(total=common.total, attempt=common.attempt),
                retry=clientwright.RetryConfig(
                    max_attempts=common.attempts,
                    initial_backoff=common.base,
                    max_backoff=common.cap,
                    jitter=1.0,
                    retryable_status=RETRY_STATUSES,
                    methods=IDEMPOTENT_METHODS,
                ),
                circuit_breaker=clientwright.CircuitBreakerConfig(
                    fail_threshold=common.consecutive_failures,
                    recovery_timeout=common.open_for,
                    half_open_max_calls=common.probes,
                ),
                observability=clientwright.ObservabilityConfig(
                    logging=False, metrics=False, tracing=False
                ),
            ),
        )
        return session


WRAPPER = Clientwright()
