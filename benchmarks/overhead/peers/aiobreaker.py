"""aiobreaker: a circuit breaker as a decorator.

https://github.com/arlyon/aiobreaker. It opens after failures in a row, for a fixed time, and
then lets all calls through. It knows exceptions alone: statuses that are failures become
exceptions in the decorated function. A rate of failures, a number of probes and a time that
grows cannot be expressed, and there is no registry: a circuit by origin is the user's own dict.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from aiobreaker import CircuitBreaker, CircuitBreakerError
from aiohttp import ClientResponse

from benchmarks.overhead.common_settings import COMMON, FAILURE_STATUSES, CommonSettings
from benchmarks.overhead.wrapper import Circuits, Decorator, circuits_in_dict, raise_for_statuses

__all__ = ["WRAPPER"]

_T = TypeVar("_T")


class Aiobreaker(Decorator):
    """A breaker as a decorator."""

    name = "aiobreaker"
    parts = "breaker"
    lacks = (
        "failure rate",
        "bounded probes",
        "open time that grows",
        "circuits by origin",
        "neutral outcomes",
    )
    refusal = CircuitBreakerError
    first_use = "from aiobreaker import CircuitBreaker; CircuitBreaker()"

    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate the function with a breaker."""
        decorated: Callable[[_T], Awaitable[ClientResponse]]
        decorated = self._breaker(common)(raise_for_statuses(function, FAILURE_STATUSES))
        return decorated

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return a dict of breakers."""

        async def failing() -> None:
            raise ConnectionError

        async def succeeding() -> None:
            return

        async def put(breaker: CircuitBreaker, failed: bool) -> None:
            with suppress(ConnectionError):
                await breaker.call_async(failing if failed else succeeding)

        return circuits_in_dict(lambda: self._breaker(common), put)

    @staticmethod
    def _breaker(common: CommonSettings) -> CircuitBreaker:
        return CircuitBreaker(
            fail_max=common.consecutive_failures,
            timeout_duration=timedelta(seconds=common.open_for),
        )


WRAPPER = Aiobreaker()
