"""hyx: a retry and a circuit breaker as decorators, the breaker inside.

https://github.com/roma-glushko/hyx. The retry counts what follows the first attempt, has full
jitter and a cap; its backoff is one iterator for all calls, which other calls move on. The
breaker opens after failures in a row, for a fixed time, and then lets all calls through. Both
know exceptions alone: statuses become exceptions in the decorated function, 429 among them,
which the breaker then takes for a failure too. Its time-out, which is a decorator as well, is
left out, as no other retry library here has one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from aiohttp import ClientResponse, ClientResponseError
from hyx.circuitbreaker import consecutive_breaker
from hyx.circuitbreaker.exceptions import BreakerFailing
from hyx.retry import retry
from hyx.retry.backoffs import expo
from hyx.retry.jitters import full

from benchmarks.overhead.common_settings import (
    COMMON,
    RETRY_STATUSES,
    TRANSPORT_ERRORS,
    CommonSettings,
)
from benchmarks.overhead.wrapper import Circuits, Decorator, circuits_in_dict, raise_for_statuses

__all__ = ["WRAPPER"]

_T = TypeVar("_T")
_ERRORS = (ClientResponseError, *TRANSPORT_ERRORS)


class Hyx(Decorator):
    """`hyx.retry` around `consecutive_breaker`."""

    name = "hyx"
    parts = "retry, breaker"
    lacks = (
        "failure rate",
        "bounded probes",
        "open time that grows",
        "circuits by origin",
        "idempotency",
        "budget",
        "Retry-After",
        "drained responses",
    )
    refusal = BreakerFailing
    first_use = "from hyx.retry import retry; from hyx.circuitbreaker import consecutive_breaker"

    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate the function with a retry around a breaker."""
        again = retry(
            on=_ERRORS,
            attempts=common.attempts - 1,
            backoff=expo(min_delay_secs=common.base, max_delay_secs=common.cap, jitter=full),
        )
        breaker: Callable[[Any], Any] = self._breaker(common)
        decorated: Callable[[_T], Awaitable[ClientResponse]]
        decorated = again(breaker(raise_for_statuses(function, RETRY_STATUSES)))
        return decorated

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return a dict of breakers."""

        async def put(breaker: consecutive_breaker, failed: bool) -> None:
            with suppress(TimeoutError):
                async with breaker:
                    if failed:
                        raise TimeoutError

        return circuits_in_dict(lambda: self._breaker(common), put)

    @staticmethod
    def _breaker(common: CommonSettings) -> consecutive_breaker:
        return consecutive_breaker(
            exceptions=_ERRORS,
            failure_threshold=common.consecutive_failures,
            recovery_time_secs=common.open_for,
            recovery_threshold=common.probes,
        )


WRAPPER = Hyx()
