"""Answer from a script in the place of the network, to test a middleware without a socket.

    clock = FakeClock()
    handler = ScriptedHandler(clock)
    handler.expect("GET", "https://api.example/meetings").reply(503)
    handler.expect("GET").reply(200, json={"id": "mtg_1"})

    response = await handler.run(Retry(clock=clock), "GET", "https://api.example/meetings")

    assert await response.json() == {"id": "mtg_1"}
    handler.assert_done()

It is the innermost among the middlewares of a session. aiohttp itself sends requests to it
and parses its answers, only without a connection, so that no name is looked up and `https`
needs no certificate. To test failures of the wire itself, take a `FaultServer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
)
from attrs import define, field
from yarl import URL

from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.testing.handler.expectations import Expectation, ScriptedAnswer
from resilient.testing.handler.memory import MemoryConnection, exchange
from resilient.testing.handler.responses import answer
from resilient.testing.script.faults import Reply
from resilient.testing.server.received import Received, read_body, read_head
from resilient.wire.requests import failed_to_connect

__all__ = ["ScriptedHandler"]


@define(eq=False)
class ScriptedHandler:
    """Expect requests, one after the other, and answer each.

    A request that is not the next one expected fails with an `AssertionError` at the place
    where it was made, and again in `assert_done`, should somebody have caught the first. The
    same holds for an `AssertionError` or `pytest.fail` in a function of `Expectation.call`.

    Limits cut an answer off as they cut a server off, if they are on the clock of the
    handler: give it the clock of the middlewares. The limits of a `ClientTimeout` are on the
    event loop's time; of those given to one call, before aiohttp 3.15, `sock_read` shows to
    no middleware: there that of the session counts.

    Args:
        clock: The clock for delays and hangs; by default the system's, so that they are real.

    Attributes:
        requests: The requests that came, as `Received`s of a `FaultServer`: with bodies, as
            far as they were sent.
    """

    clock: Clock = SYSTEM_CLOCK
    requests: list[Received] = field(factory=list, init=False)
    _expected: list[Expectation] = field(factory=list, init=False)
    _came: list[str] = field(factory=list, init=False)
    _failure: BaseException | None = field(default=None, init=False)
    _traceback: TracebackType | None = field(default=None, init=False)

    def expect(self, method: str | None = None, url: str | URL | None = None) -> Expectation:
        """Expect another request, after those that are expected already.

        Args:
            method: The method; None for any.
            url: The whole URL, or its path if it begins with a "/", with the query, if any,
                in both cases; None for any.

        Returns:
            The expectation, to set its answer.

        Raises:
            ConfigError: No request can have such a URL.
        """
        expectation = Expectation(method, url)
        self._expected.append(expectation)
        return expectation

    async def run(
        self,
        middleware: ClientMiddlewareType | Iterable[ClientMiddlewareType],
        method: str,
        url: str | URL,
        **options: Any,
    ) -> ClientResponse:
        """Make a request through middlewares, from a session of its own.

        Args:
            middleware: The middleware, or several, the outermost first.
            method: The method.
            url: The whole URL.
            **options: Further arguments of `ClientSession.request`.

        Returns:
            The response; its body can still be read.
        """
        middlewares = (middleware,) if callable(middleware) else tuple(middleware)
        chain: tuple[ClientMiddlewareType, ...] = (*middlewares, self)
        timeout = options.get("timeout")
        if isinstance(timeout, ClientTimeout):
            # As the session's own it is the same, and in full view of the handler.
            session = ClientSession(middlewares=chain, timeout=timeout)
        else:
            session = ClientSession(middlewares=chain)
        async with session:
            return await session.request(method, url, **options)

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType | None = None
    ) -> ClientResponse:
        """Answer a request, as a handler or as the innermost middleware of a session."""
        number = len(self._came) + 1
        self._came.append(f"{request.method} {request.url}")
        expectation = self._next(request, number)
        error = expectation.error
        if error is not None and failed_to_connect(error, request):
            raise error.with_traceback(None)

        async def serve(connection: MemoryConnection) -> None:
            received = await read_head(connection)
            self.requests.append(received)
            if not expectation.early:
                await read_body(connection, received)
            scripted = await self._answer(expectation, received)
            if isinstance(scripted, Exception):
                raise scripted.with_traceback(None)
            if isinstance(scripted, Reply):
                await answer(connection, received, scripted)
            else:
                await connection.pause(scripted.seconds)
                await connection.finish()

        return await exchange(request, serve, self.clock)

    def assert_done(self) -> None:
        """Check that every request that was expected has come, and no other.

        Raises:
            AssertionError: It is not so.
            BaseException: A function of the script has failed the test.
        """
        if self._failure is not None:
            if self._traceback is None:
                self._traceback = self._failure.__traceback__
            # However often this is asked, the traceback does not grow.
            raise self._failure.with_traceback(self._traceback)
        missing = len(self._expected) - len(self._came)
        if missing:
            raise self._error(f"{missing} of {len(self._expected)} requests never came")

    async def _answer(self, expectation: Expectation, received: Received) -> ScriptedAnswer:
        try:
            return await expectation.answer_to(received)
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # Other exceptions are answers of the function, as the network fails with some.
            if isinstance(error, AssertionError) or not isinstance(error, Exception):
                self._fail(error)
            raise

    def _fail(self, failure: BaseException) -> None:
        if self._failure is None:
            self._failure = failure

    def _next(self, request: ClientRequest, number: int) -> Expectation:
        if number > len(self._expected):
            problem = "was not expected"
        elif not self._expected[number - 1].is_met_by(request):
            problem = "is not the one expected"
        else:
            return self._expected[number - 1]
        error = self._error(f"request {number} {problem}: {self._came[-1]}")
        self._fail(error)
        raise error

    def _error(self, what: str) -> AssertionError:
        """Return an error that shows the script, and the requests that came."""
        lines = [what, "expected:", *_numbered(self._expected), "came:", *_numbered(self._came)]
        return AssertionError("\n".join(lines))


def _numbered(lines: Sequence[object]) -> list[str]:
    return [f"  {number}. {line}" for number, line in enumerate(lines, 1)] or ["  nothing"]
