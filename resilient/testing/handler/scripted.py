"""A handler that answers from a script, to test a middleware without a socket.

    handler = ScriptedHandler()
    handler.expect("GET", "https://api.example/meetings").reply(503)
    handler.expect("GET").reply(200, json={"id": "mtg_1"})

    response = await handler.run(Retry(clock=FakeClock()), "GET", "https://api.example/meetings")

    assert await response.json() == {"id": "mtg_1"}
    handler.assert_done()

It stands where the network is: innermost among the middlewares of a session. Requests are
sent to it and its answers are parsed by aiohttp itself, only without a connection, so that
no name is looked up and `https` needs no certificate. What goes wrong on the wire itself is
for a `FaultServer` to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ClientSession,
)
from attrs import define, field
from yarl import URL

from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.testing.handler.expectations import Expectation
from resilient.testing.handler.memory import MemoryConnection, exchange
from resilient.testing.handler.responses import answer
from resilient.testing.script.faults import Reply
from resilient.testing.server.received import Received, read_body, read_head
from resilient.wire.requests import failed_to_connect

__all__ = ["ScriptedHandler"]


@define(eq=False)
class ScriptedHandler:
    """Expects requests, one after the other, and answers each.

    A request that is not the next one expected fails with an `AssertionError` at the place
    where it was made, and again in `assert_done`, should somebody have caught the first.

    Args:
        clock: What the delays of its answers are waited on.

    Attributes:
        requests: What came, bodies included, as far as it was sent: `Received`s, as a
            `FaultServer` keeps them.
    """

    clock: Clock = SYSTEM_CLOCK
    requests: list[Received] = field(factory=list, init=False)
    _expected: list[Expectation] = field(factory=list, init=False)
    _came: list[str] = field(factory=list, init=False)
    _failure: AssertionError | None = field(default=None, init=False)

    def expect(self, method: str | None = None, url: str | URL | None = None) -> Expectation:
        """The request that is to come next, after those that are expected already.

        Args:
            method: None for any.
            url: The whole URL, or its path if it begins with a "/", with the query, if any,
                in both cases; None for any.

        Returns:
            What to set the answer on.
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
            middleware: One, or several, the outermost first.
            method: The method.
            url: The whole URL.
            **options: Whatever else `ClientSession.request` takes.

        Returns:
            The response; its body can still be read.
        """
        middlewares = (middleware,) if callable(middleware) else tuple(middleware)
        async with ClientSession(middlewares=(*middlewares, self)) as session:
            return await session.request(method, url, **options)

    async def __call__(
        self, request: ClientRequest, handler: ClientHandlerType | None = None
    ) -> ClientResponse:
        """Answer a request, as a handler or as the innermost middleware of a session."""
        number = len(self._came) + 1
        self._came.append(f"{request.method} {request.url}")
        expectation = self._next(request, number)
        error = expectation.upfront
        if error is not None and failed_to_connect(error, request):
            raise error

        async def serve(connection: MemoryConnection) -> None:
            received = await read_head(connection)
            self.requests.append(received)
            if not expectation.early:
                await read_body(connection, received)
            given = await expectation.answer_to(received)
            if isinstance(given, Exception):
                raise given
            if isinstance(given, Reply):
                await answer(connection, received, given)
            else:
                await connection.pause(given.seconds)
                await connection.finish()

        return await exchange(request, serve, self.clock)

    def assert_done(self) -> None:
        """Every request that was expected has come, and no other."""
        if self._failure is not None:
            raise self._failure
        missing = len(self._expected) - len(self._came)
        if missing:
            raise self._error(f"{missing} of {len(self._expected)} requests never came")

    def _next(self, request: ClientRequest, number: int) -> Expectation:
        if number > len(self._expected):
            problem = "was not expected"
        elif not self._expected[number - 1].met_by(request):
            problem = "is not the one expected"
        else:
            return self._expected[number - 1]
        error = self._error(f"request {number} {problem}: {self._came[-1]}")
        self._failure = self._failure or error
        raise error

    def _error(self, what: str) -> AssertionError:
        """With the script, and what came of it."""
        lines = [what, "expected:", *_numbered(self._expected), "came:", *_numbered(self._came)]
        return AssertionError("\n".join(lines))


def _numbered(lines: Sequence[object]) -> list[str]:
    return [f"  {number}. {line}" for number, line in enumerate(lines, 1)] or ["  nothing"]
