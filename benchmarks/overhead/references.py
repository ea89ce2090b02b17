"""The two that all figures are set beside: a middleware that does nothing, and a hand-written one.

The first is the least that any middleware costs. The second is a retry and a breaker as people
write them in an hour: the least that these cost.
"""

from __future__ import annotations

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from benchmarks.overhead.common_settings import CommonSettings
from benchmarks.overhead.peers.hand_written_breaker import WRAPPER as HAND_WRITTEN
from benchmarks.overhead.wrapper import Middleware

__all__ = ["HAND_WRITTEN", "NOTHING", "PassThrough"]


class PassThrough(Middleware):
    """The cheapest possible middleware."""

    name = "doing nothing"
    parts = ""

    @property
    def label(self) -> str:
        """The name of its rows."""
        return self.name

    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Make a middleware that passes every request through."""

        async def pass_through(
            request: ClientRequest, handler: ClientHandlerType
        ) -> ClientResponse:
            return await handler(request)

        return pass_through


NOTHING = PassThrough()
