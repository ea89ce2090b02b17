"""aiohttp-retry: a client around a session, with the session's own methods.

https://github.com/inyutin/aiohttp_retry. It goes around `session.request`, not into the chain
of middlewares; in process it is given an object that has nothing but such a method. It counts
attempts, takes statuses, methods and exceptions, and backs off exponentially.

Its jitter adds to the wait, in the square of some seconds, so full jitter cannot be expressed and
none is used. It does not heed Retry-After, has no budget, no limit over all attempts, and does
not release the responses that it drops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession
from aiohttp_retry import ExponentialRetry, RetryClient
from yarl import URL

from benchmarks.overhead.common_settings import (
    COMMON,
    IDEMPOTENT_METHODS,
    RETRY_STATUSES,
    TRANSPORT_ERRORS,
    CommonSettings,
)
from benchmarks.overhead.wrapper import Fetch, Wrapper

__all__ = ["WRAPPER"]


class _Thin:
    """The part of a session that the library needs, around a handler."""

    def __init__(self, send: ClientHandlerType) -> None:
        self._send = send

    async def request(self, method: str, url: Any, **_: object) -> ClientResponse:
        return await self._send(url)


class AiohttpRetry(Wrapper):
    """A `RetryClient`."""

    name = "aiohttp-retry"
    parts = "retry"
    lacks = ("full jitter", "budget", "Retry-After", "drained responses", "deadline")
    first_use = "from aiohttp_retry import ExponentialRetry, RetryClient; ExponentialRetry()"

    def wrap(self, send: ClientHandlerType, common: CommonSettings = COMMON) -> ClientHandlerType:
        """Return a client of a thin session, which gets the request in the place of a URL."""
        client = self._client(cast("ClientSession", _Thin(send)), common)

        async def call(request: ClientRequest) -> ClientResponse:
            # In a tuple, which is for several URLs, it is not checked to be a URL.
            return await client.get((request,))  # type: ignore[arg-type]  # see above

        return call

    @asynccontextmanager
    async def client(
        self, session: ClientSession, common: CommonSettings = COMMON
    ) -> AsyncIterator[Fetch]:
        """Yield a fetch through a client of the session."""
        client = self._client(session, common)

        async def fetch(url: URL) -> ClientResponse:
            async with client.get(url) as response:
                await response.read()
                return response

        yield fetch

    @staticmethod
    def _client(session: ClientSession, common: CommonSettings) -> RetryClient:
        # The library doubles the wait before the first one.
        options = ExponentialRetry(
            attempts=common.attempts,
            start_timeout=common.base / 2,
            max_timeout=common.cap,
            statuses=set(RETRY_STATUSES),
            exceptions=set(TRANSPORT_ERRORS),
            methods=set(IDEMPOTENT_METHODS),
            retry_all_server_errors=False,
        )
        return RetryClient(session, retry_options=options)


WRAPPER = AiohttpRetry()
