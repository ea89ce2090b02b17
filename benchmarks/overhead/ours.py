"""Wrap our own middlewares for the measurement: pipelines of several kinds, and each part alone.

A row more is a line in one of the tuples here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ConnectionTimeoutError,
)
from attrs import evolve
from yarl import URL

import resilient
from benchmarks.overhead.common_settings import (
    COMMON,
    FAILURE_STATUSES,
    RETRY_STATUSES,
    CommonSettings,
)
from benchmarks.overhead.wrapper import Circuits, Fetch, Middleware, fetch_with
from resilient.testing import Reply, make_response

__all__ = [
    "BREAKER",
    "BULKHEAD",
    "PARTS",
    "PIPELINE",
    "RETRY",
    "THROTTLE",
    "VARIANTS",
    "WRAPPED",
    "OurMiddleware",
    "policy",
    "services",
    "wrapped_services",
]

_SERVICES = 100


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
        budget=resilient.BudgetPolicy() if common.budget else None,
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


Make = Callable[[CommonSettings], ClientMiddlewareType]


class OurMiddleware(Middleware):
    """One of our middlewares."""

    def __init__(
        self,
        name: str,
        parts: str,
        make: Make,
        refusal: type[Exception] | None = None,
        *,
        method: str = "GET",
    ) -> None:
        self.name = name
        self.parts = parts
        self.refusal = refusal
        self.method = method
        self._make = make
        self._sessions: list[ClientSession] = []

    @property
    def label(self) -> str:
        """The name of its rows."""
        return f"resilient: {self.name}"

    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Make a new middleware."""
        return self._make(common)

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return the destinations of a new middleware, each reached by requests to an origin."""
        middleware = self._make(common)
        session = ClientSession()
        self._sessions.append(session)
        answer: ClientResponse | None = None

        async def send(request: ClientRequest) -> ClientResponse:
            nonlocal answer
            if answer is None:
                answer = await make_response(request, Reply(200))
            return answer

        async def fail(request: ClientRequest) -> ClientResponse:
            raise ConnectionTimeoutError

        async def call(key: str, failures: Sequence[bool]) -> None:
            loop = asyncio.get_running_loop()
            url = URL(key)
            for failed in failures:
                request = ClientRequest("GET", url, loop=loop, session=session)
                try:
                    await middleware(request, fail if failed else send)
                except (ClientConnectionError, TimeoutError) as error:
                    if self.refusal is not None and isinstance(error, self.refusal):
                        raise

        return call

    async def close(self) -> None:
        """Close the sessions of its destinations."""
        while self._sessions:
            await self._sessions.pop().close()


class _Wrapped(OurMiddleware):
    """Something that `wrap` puts under a session that exists."""

    @asynccontextmanager
    async def client(
        self, session: ClientSession, common: CommonSettings = COMMON
    ) -> AsyncIterator[Fetch]:
        """Yield a fetch through the wrapped session."""
        async with resilient.wrap(session, self.middleware(common)) as client:
            yield fetch_with(client)


_ALL = "deadline, retry, breaker, typed errors, attempt time-out"


def _pipeline(**changes: Any) -> Make:
    def make(common: CommonSettings) -> resilient.Pipeline:
        return resilient.Pipeline(evolve(policy(common), **changes))

    return make


def _ignore(event: resilient.Event) -> None:
    pass


def _heard(common: CommonSettings) -> resilient.Pipeline:
    return resilient.Pipeline(policy(common), listeners=[_ignore])


def _with_keys(common: CommonSettings) -> resilient.Pipeline:
    retry = evolve(_retry(common), idempotency_header="Idempotency-Key")
    return resilient.Pipeline(evolve(policy(common), retry=retry))


PIPELINE = OurMiddleware("Pipeline()", _ALL, _pipeline(), resilient.CircuitOpenError)
PIPELINE.first_use = "from resilient import Pipeline, wrap; Pipeline()"

WRAPPED = _Wrapped("wrap(session)", _ALL, _pipeline(), resilient.CircuitOpenError)

# What costs more than the standard pipeline, and says so in a row of its own.
VARIANTS = (
    OurMiddleware(
        "Pipeline, a declared limit",
        _ALL,
        # So large that nobody ever waits.
        _pipeline(throttle=resilient.ThrottlePolicy(limit="999999999/s")),
    ),
    OurMiddleware(
        "Pipeline, named headers",
        _ALL,
        _pipeline(throttle=resilient.ThrottlePolicy(headers=("RateLimit", "X-RateLimit"))),
    ),
    OurMiddleware("Pipeline, idempotency keys (POST)", _ALL, _with_keys, method="POST"),
    OurMiddleware("Pipeline, a listener to all events", _ALL, _heard),
)

RETRY = OurMiddleware("Retry", "retry", lambda common: resilient.Retry(_retry(common)))
THROTTLE = OurMiddleware("Throttle", "throttle", lambda _: resilient.Throttle())
BREAKER = OurMiddleware(
    "CircuitBreaker",
    "breaker",
    lambda common: resilient.CircuitBreaker(_breaker(common)),
    resilient.CircuitOpenError,
)
BULKHEAD = OurMiddleware("Bulkhead", "bulkhead", lambda _: resilient.Bulkhead())

# The standard pipeline's, the outermost first; and what is not in it.
PARTS = (
    OurMiddleware("Deadline", "deadline", lambda common: resilient.Deadline(common.total)),
    RETRY,
    THROTTLE,
    BREAKER,
    OurMiddleware("NormalizeErrors", "typed errors", lambda _: resilient.NormalizeErrors()),
    OurMiddleware(
        "AttemptTimeout",
        "attempt time-out",
        lambda common: resilient.AttemptTimeout(common.attempt),
    ),
    BULKHEAD,
)


def services(url: URL) -> tuple[OurMiddleware, OurMiddleware]:
    """Return `Services` with one service, that of a URL, and with a hundred, it among them."""
    return (
        OurMiddleware("Services, one", _ALL, _services(url, 1), resilient.CircuitOpenError),
        OurMiddleware(
            "Services, a hundred", _ALL, _services(url, _SERVICES), resilient.CircuitOpenError
        ),
    )


def wrapped_services(url: URL) -> OurMiddleware:
    """Return a hundred services under a session that exists, that of a URL among them."""
    return _Wrapped(
        "wrap(session, Services), a hundred",
        _ALL,
        _services(url, _SERVICES),
        resilient.CircuitOpenError,
    )


def _services(url: URL, count: int) -> Make:
    others = [f"https://{number}.api.example" for number in range(count - 1)]

    def make(common: CommonSettings) -> resilient.Services:
        return resilient.Services(
            resilient.Service(f"service {number}", origin, policy(common))
            for number, origin in enumerate([*others, str(url.origin())])
        )

    return make
