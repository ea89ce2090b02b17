"""purgatory: a circuit breaker as a decorator, with a registry of circuits by name.

https://github.com/mardiros/purgatory. It opens after failures in a row, for a fixed time, and
then lets all calls through. It knows exceptions alone: statuses that are failures become
exceptions in the decorated function. A rate of failures, a number of probes and a time that
grows cannot be expressed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from aiohttp import ClientResponse
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from benchmarks.overhead.common_settings import COMMON, FAILURE_STATUSES, CommonSettings
from benchmarks.overhead.wrapper import Circuits, Decorator, raise_for_statuses

__all__ = ["WRAPPER"]

_T = TypeVar("_T")


class Purgatory(Decorator):
    """A factory of breakers, as a decorator."""

    name = "purgatory"
    parts = "breaker"
    lacks = ("failure rate", "bounded probes", "open time that grows", "neutral outcomes")
    refusal = OpenedState
    first_use = "from purgatory import AsyncCircuitBreakerFactory; AsyncCircuitBreakerFactory()"

    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate the function with a breaker."""
        decorated: Callable[[_T], Awaitable[ClientResponse]]
        decorated = self._factory(common)("api")(raise_for_statuses(function, FAILURE_STATUSES))
        return decorated

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return the breakers of a factory."""
        factory = self._factory(common)

        async def call(key: str, failures: Sequence[bool]) -> None:
            for failed in failures:
                with suppress(ConnectionError):
                    async with await factory.get_breaker(key):
                        if failed:
                            raise ConnectionError

        return call

    @staticmethod
    def _factory(common: CommonSettings) -> AsyncCircuitBreakerFactory:
        return AsyncCircuitBreakerFactory(
            default_threshold=common.consecutive_failures, default_ttl=common.open_for
        )


WRAPPER = Purgatory()
