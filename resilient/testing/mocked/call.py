"""Mock one call of a session by two middlewares, around the others and inside them.

aiohttp builds the requests, runs the chain, follows redirects, keeps cookies and watches the
time, as ever. The innermost middleware answers in the place of the network.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientTimeout,
    SocketTimeoutError,
    hdrs,
)
from multidict import CIMultiDict
from yarl import URL

from resilient.testing.mocked.answers import MockedResponse, answer_of, is_refusal
from resilient.testing.mocked.exchange import Exchange
from resilient.testing.mocked.upstream import (
    Aioresponses,
    RequestMatch,
    keep,
    normalize_url,
    passes,
    record,
    take,
)
from resilient.testing.server.received import Received

__all__ = ["MockedCall"]


class MockedCall:
    """Mock one call, by one mock.

    Args:
        mock: The mock that has the answers.
        received: The list for the requests that are sent.
        method: The method that the code under test asks for.
        url: The URL that it asks for, normalised as for matching.
        options: The arguments of the call.
        is_outermost: Whether no other mock is around this one: one that is may have answers
            for what this one has none for.

    Attributes:
        failure: The exception that the chain has let out, if nothing was really sent.
    """

    def __init__(
        self,
        mock: Aioresponses,
        received: list[Received],
        method: str,
        url: URL,
        options: dict[str, Any],
        *,
        is_outermost: bool = True,
    ) -> None:
        self._is_outermost = is_outermost
        self._mock = mock
        self._received = received
        self._method = method
        self._url = url
        self._options = options
        self._is_redirected = False
        # The hop's request, before any other middleware saw it.
        self._built = URL()
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._is_mocked = False
        self.failure: BaseException | None = None

    async def outermost(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Run a hop, and not a second time for a failure that was mocked."""
        if self.failure is not None:
            # aiohttp goes through the chain again after a failure that a stale connection may
            # have caused. There was none: the first failure stands.
            raise self.failure
        self._is_mocked = False
        self._built = request.url
        self._headers = request.headers.copy()
        try:
            response = await handler(request)
        except BaseException as error:
            if self._is_mocked:
                self.failure = error
            raise
        # Whatever comes after a response is the target of a redirect.
        self._is_redirected = True
        return response

    async def innermost(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Answer in the place of the network, or let the request through to it."""
        urls = self._spellings(request)
        self._is_mocked = False
        if passes(self._mock, urls):
            return await handler(request)
        options = self._as_sent(request)
        records = [options]
        if not self._is_redirected:
            asked = record(self._mock, self._method, self._url, self._options)
            records.append(asked.kwargs)
        found = take(self._mock, self._methods(request), urls)
        if found is None and (self._mock.passthrough_unmatched or not self._is_outermost):
            return await handler(request)
        self._is_mocked = True
        if found is None:
            raise ClientConnectionError(f"Connection refused: {request.method} {urls[0]}")
        match, url = found
        if is_refusal(match):
            await answer_of(match, url, options)  # raises it
        return await self._answer(request, match, url, records)

    async def _answer(
        self,
        request: ClientRequest,
        match: RequestMatch,
        url: URL,
        records: list[dict[str, Any]],
    ) -> ClientResponse:
        options = records[0]
        exchange = Exchange(request)
        try:
            received = await exchange.upload()
            received.connection = len(self._received) + 1
            self._received.append(received)
            if hasattr(options.get("data"), "__aiter__"):
                # It can be read only once, and just was.
                for each in records:
                    each["data"] = received.body
            mocked = await self._within_sock_read(request, match, url, options)
            response = await exchange.download(mocked)
        except BaseException:
            exchange.abandon()
            raise
        keep(self._mock, response)
        return response

    async def _within_sock_read(
        self, request: ClientRequest, match: RequestMatch, url: URL, options: dict[str, Any]
    ) -> MockedResponse:
        """Wait for the answer as long as the call's `sock_read` lets a client wait for data."""
        timeout = self._options.get("timeout")
        if not isinstance(timeout, ClientTimeout | int | float):
            timeout = request.session.timeout
        # A number is the total of a call that has no other limit; 0 is no limit.
        seconds = timeout.sock_read if isinstance(timeout, ClientTimeout) else None
        limit = asyncio.timeout(seconds or None)
        try:
            async with limit:
                return await answer_of(match, url, options)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise SocketTimeoutError("Timeout on reading data from socket") from error

    def _methods(self, request: ClientRequest) -> tuple[str, ...]:
        """Return the methods whose answers will do, the best first."""
        if self._is_redirected and request.method != hdrs.METH_GET:
            # For aioresponses, a redirect makes a GET of everything.
            return request.method, hdrs.METH_GET
        return (request.method,)

    def _spellings(self, request: ClientRequest) -> list[URL]:
        """Return the URL of a request as it was written and as it is sent (no fragment, say)."""
        urls = [normalize_url(request.url)]
        if request.url == self._built:
            written = normalize_url(request.original_url) if self._is_redirected else self._url
            if written not in urls:
                urls.insert(0, written)
        return urls

    def _as_sent(self, request: ClientRequest) -> dict[str, Any]:
        """Return the arguments of the call, with the headers that middlewares have changed."""
        before, now = self._headers, request.headers
        changed = {
            name.lower()
            for name in (*before, *now)
            if before.getall(name, []) != now.getall(name, [])
        }
        options = dict(self._options)
        if changed:
            headers = CIMultiDict(options.get("headers") or {})
            for name in changed:
                headers.popall(name, None)
            headers.extend(
                [(name, value) for name, value in now.items() if name.lower() in changed]
            )
            options["headers"] = headers
        return options
