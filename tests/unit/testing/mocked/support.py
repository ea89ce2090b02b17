"""What the tests of the mock share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

import resilient
from resilient import Pipeline, Policy
from resilient.testing import FakeClock

__all__ = ["Log", "piped"]

Middleware = Callable[[ClientRequest, ClientHandlerType], Awaitable[ClientResponse]]


class Log:
    """What middlewares that it makes have seen, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.requests: list[ClientRequest] = []

    def named(self, name: str) -> Middleware:
        async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            self.requests.append(request)
            self.lines.append(f"{name} {request.method} {request.url}")
            response = await handler(request)
            self.lines.append(f"{name} {response.status}")
            return response

        return middleware


@asynccontextmanager
async def piped(
    clock: FakeClock, *, wrapped: bool = True, **policy: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session with the standard pipeline under it, or in it."""
    pipeline = Pipeline(Policy(**policy), clock=clock)
    if not wrapped:
        async with aiohttp.ClientSession(middlewares=[pipeline]) as session:
            yield session
        return
    async with aiohttp.ClientSession() as original, resilient.wrap(original, pipeline) as session:
        yield session
