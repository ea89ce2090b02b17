"""The promises over every transport: plain and TLS, kept alive or not, alone or among many."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from yarl import URL

from resilient import (
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    ConnectionFailedError,
    NormalizeErrors,
    NotFoundError,
    Retry,
    ServiceUnavailableError,
)
from resilient.testing import Answer, FakeClock, FaultServer, Reply, Reset
from tests.integration.support import given_back, retry_policy, turns
from tests.unit.testing.support import Certificates

OK = Reply(200, body=b"fine")
# A handshake takes both ends milliseconds.
MANY = {"http": 100, "https": 25}
# Connections of a session.
AT_ONCE = 10

Scenario = Callable[["Transport"], Coroutine[Any, Any, None]]
Run = Callable[[Scenario], None]


@frozen
class Transport:
    """How requests get to a server, and how many callers there are at once."""

    certificates: Certificates | None
    keep_alive: bool
    callers: int

    @asynccontextmanager
    async def server(self, *steps: Answer, then: Answer = OK) -> AsyncIterator[FaultServer]:
        """A server with a path for each caller, at which the same happens."""
        tls = None if self.certificates is None else self.certificates.server
        async with FaultServer(ssl=tls) as server:
            for path in self.paths:
                server.route(path, *steps, then=then)
            yield server
            async with asyncio.timeout(5):
                await server.wait_for(connections=0)

    @asynccontextmanager
    async def session(self, *middlewares: Any) -> AsyncIterator[aiohttp.ClientSession]:
        """A session whose connections must all have been given back at the end."""
        trust = True if self.certificates is None else self.certificates.client
        connector = aiohttp.TCPConnector(ssl=trust, limit=AT_ONCE, force_close=not self.keep_alive)
        async with aiohttp.ClientSession(middlewares=middlewares, connector=connector) as session:
            yield session
            await given_back(session)
            assert self.keep_alive or not connector._conns

    @property
    def paths(self) -> list[str]:
        return [f"/{number}" for number in range(self.callers)]

    async def outcomes(
        self, session: aiohttp.ClientSession, server: FaultServer, method: str = "GET"
    ) -> list[Any]:
        """What comes of one call of each caller, all at once: a status, or an exception."""
        urls = [server.url.with_path(path) for path in self.paths]
        return await asyncio.gather(*(outcome(session, method, url) for url in urls))

    def hits(self, server: FaultServer) -> list[int]:
        paths = [request.path for request in server.requests]
        return [paths.count(path) for path in self.paths]


async def outcome(session: aiohttp.ClientSession, method: str, url: URL) -> Any:
    try:
        async with session.request(method, url) as response:
            await response.read()
            return response.status
    except aiohttp.ClientError as error:
        return error


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


def loops() -> Iterator[Any]:
    yield pytest.param(asyncio.SelectorEventLoop, id="asyncio")
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        yield pytest.param(uvloop.new_event_loop, id="uvloop")


@pytest.fixture(params=loops())
def loop_factory(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[True, False], ids=["kept-alive", "closed"])
def keep_alive(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["one", "many"])
def callers(request: pytest.FixtureRequest, scheme: str) -> int:
    return 1 if request.param == "one" else MANY[scheme]


@pytest.fixture
def run(
    loop_factory: Any, scheme: str, keep_alive: bool, callers: int, certificates: Certificates
) -> Run:
    """Runs a scenario over a transport; it may leave no task, and nothing go wrong unseen."""
    transport = Transport(certificates if scheme == "https" else None, keep_alive, callers)
    problems: list[object] = []

    async def main(scenario: Scenario) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        await scenario(transport)
        await turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def run(scenario: Scenario) -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main(scenario))
        assert problems == []

    return run


def retry(**options: Any) -> Retry:
    return Retry(retry_policy(budget=None), **options)


async def a_503_is_repeated(transport: Transport) -> None:
    async with transport.server(Reply(503, body=b"busy")) as server:
        async with transport.session(retry()) as session:
            assert await transport.outcomes(session, server) == [200] * transport.callers
        assert transport.hits(server) == [2] * transport.callers


async def the_servers_time_is_waited(transport: Transport) -> None:
    clock = FakeClock(draw=0.0)
    busy = Reply(429, headers={"Retry-After": "30"})
    async with transport.server(busy) as server:
        async with transport.session(retry(clock=clock), NormalizeErrors()) as session:
            assert await transport.outcomes(session, server) == [200] * transport.callers
        assert clock.sleeps == [30] * transport.callers


async def a_reset_is_repeated(transport: Transport) -> None:
    async with transport.server(Reset(), Reset("body")) as server:
        async with transport.session(
            Retry(retry_policy(budget=None, read_body_up_to=100))
        ) as session:
            assert await transport.outcomes(session, server) == [200] * transport.callers
        assert transport.hits(server) == [3] * transport.callers


async def a_post_is_not_repeated(transport: Transport) -> None:
    async with transport.server(Reset()) as server:
        async with transport.session(retry()) as session:
            for error in await transport.outcomes(session, server, "POST"):
                assert isinstance(error, ConnectionFailedError)
        assert transport.hits(server) == [1] * transport.callers


async def an_error_has_its_type(transport: Transport) -> None:
    missing = Reply(404, json={"error": {"code": "not_found", "message": "No such meeting."}})
    async with (
        transport.server(then=missing) as server,
        transport.session(retry(), NormalizeErrors()) as session,
    ):
        for error in await transport.outcomes(session, server):
            assert isinstance(error, NotFoundError)
            assert (error.code, error.message) == ("not_found", "No such meeting.")


async def a_breaker_opens_and_refuses(transport: Transport) -> None:
    policy = BreakerPolicy(consecutive_failures=3, patience=0)
    breaker = CircuitBreaker(policy, clock=FakeClock())
    async with (
        transport.server(then=Reply(503)) as server,
        transport.session(retry(), breaker, NormalizeErrors()) as session,
    ):
        for _ in range(3):
            for error in await transport.outcomes(session, server):
                assert isinstance(error, ServiceUnavailableError | CircuitOpenError)
        assert breaker.circuit(str(server.url)).state == "open"
        # No more than what was let through before it opened: each caller, and a repetition
        # of each of the failures that it takes.
        hits = server.hits
        assert hits <= transport.callers + 3
        for error in await transport.outcomes(session, server):
            assert isinstance(error, CircuitOpenError)
        assert server.hits == hits


async def connections_are_given_back(transport: Transport) -> None:
    async with transport.server(Reply(503, body=b"x" * 5000), then=OK) as server:
        async with transport.session(retry(), NormalizeErrors()) as session:
            for _ in range(2):
                assert await transport.outcomes(session, server) == [200] * transport.callers
        if transport.keep_alive:
            assert server.total_connections <= AT_ONCE


PROMISES = (
    a_503_is_repeated,
    the_servers_time_is_waited,
    a_reset_is_repeated,
    a_post_is_not_repeated,
    an_error_has_its_type,
    a_breaker_opens_and_refuses,
    connections_are_given_back,
)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_over_every_transport(run: Run, promise: Scenario) -> None:
    run(promise)
