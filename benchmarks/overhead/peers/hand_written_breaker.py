"""A retry and a breaker as people write them in an hour: the least cost of both.

The breaker counts failures in a row, so that random failures open it for nothing; it has one
circuit for all servers, and lets all calls through when its time is up. The retry is the
hand-written one.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable

from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
)

from benchmarks.overhead.common_settings import (
    COMMON,
    FAILURE_STATUSES,
    TRANSPORT_ERRORS,
    CommonSettings,
)
from benchmarks.overhead.peers.hand_written_retry import WRAPPER as RETRY
from benchmarks.overhead.wrapper import Circuits, Middleware, circuits_in_dict

__all__ = ["WRAPPER"]


class Refused(Exception):
    """The circuit is open. (It is no error of aiohttp's, so that it is not retried.)"""


class Circuit:
    """Counts failures in a row, and keeps the time until which calls are refused."""

    __slots__ = ("failures", "open_until")

    def __init__(self) -> None:
        self.failures = 0
        self.open_until = 0.0

    def check(self) -> None:
        """Raise while the circuit is open."""
        if self.open_until and time.monotonic() < self.open_until:
            raise Refused

    def count(self, common: CommonSettings, *, failed: bool) -> None:
        """Count a call; open after enough failures in a row."""
        if not failed:
            self.failures, self.open_until = 0, 0.0
            return
        self.failures += 1
        if self.failures >= common.consecutive_failures:
            self.open_until = time.monotonic() + common.open_for


class HandWrittenBreaker(Middleware):
    """The hand-written retry around a breaker."""

    name = "hand-written retry, breaker"
    parts = "retry, breaker"
    lacks = ("failure rate", "bounded probes", "circuits by origin", *RETRY.lacks)
    refusal = Refused

    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Make a new middleware."""
        circuit = Circuit()
        retry = RETRY.middleware(common)

        def both(request: ClientRequest, handler: ClientHandlerType) -> Awaitable[ClientResponse]:
            async def guarded(request: ClientRequest) -> ClientResponse:
                circuit.check()
                try:
                    response = await handler(request)
                except TRANSPORT_ERRORS:
                    circuit.count(common, failed=True)
                    raise
                circuit.count(common, failed=response.status in FAILURE_STATUSES)
                return response

            return retry(request, guarded)

        return both

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return a dict of circuits."""

        async def put(circuit: Circuit, failed: bool) -> None:
            circuit.check()
            circuit.count(common, failed=failed)

        return circuits_in_dict(Circuit, put)


WRAPPER = HandWrittenBreaker()
