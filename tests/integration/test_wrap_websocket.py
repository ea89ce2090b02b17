"""`wrap` and promise 8: a WebSocket works through the pipeline, and a refused one is aiohttp's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from resilient import ConnectionFailedError, Pipeline, RetryPolicy, override
from resilient.testing import Disconnect, FakeClock, FaultServer, Hang, Malformed, Reply
from tests.integration.support import UNDER, fault_server, policy, retry_policy, wrapped


@asynccontextmanager
async def echo_server() -> AsyncIterator[URL]:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket

    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield URL.build(scheme="http", host=host, port=port)
    finally:
        await runner.cleanup()


@UNDER
@pytest.mark.parametrize("reading", [None, 1000])
async def test_a_good_one_works(under: Any, reading: int | None) -> None:
    made = Pipeline(policy(retry=retry_policy(read_body_up_to=reading), total_timeout=0.5))
    async with (
        echo_server() as url,
        under(made) as session,
        session.ws_connect(url) as socket,
    ):
        for word in ("one", "two"):
            await socket.send_str(word)
            assert await socket.receive_str() == f"echo {word}"
    assert made.breaker.circuit(str(url)).counts.failures == 0


@UNDER
@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 426, 429, 500, 503])
async def test_a_refused_one_is_aiohttps_own_error(under: Any, status: int) -> None:
    refusal = Reply(status) if status == 304 else Reply(status, json={"message": "no"})
    async with fault_server(then=refusal) as server:
        # A 429 closes a gate for a second.
        async with under(Pipeline(policy(), clock=FakeClock())) as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(server.url)
        assert type(caught.value) is aiohttp.WSServerHandshakeError
        assert caught.value.status == status
        assert server.hits <= 3


async def test_one_that_is_refused_for_a_moment_is_attempted_again() -> None:
    async with fault_server(then=Reply(503)) as server, wrapped(Pipeline(policy())) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(server.url)
        assert server.hits == 3


@UNDER
async def test_one_that_raises_by_the_session_is_aiohttps_own_error(under: Any) -> None:
    async with (
        fault_server(then=Reply(404)) as server,
        under(Pipeline(policy()), raise_for_status=True) as session,
    ):
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await session.ws_connect(server.url)
    assert caught.value.status == 404


@UNDER
@pytest.mark.parametrize("step", [Disconnect(), Malformed()])
async def test_a_connection_that_fails_is_typed(under: Any, step: Any) -> None:
    async with fault_server(then=step) as server, under(Pipeline(policy())) as session:
        with pytest.raises(ConnectionFailedError):
            await session.ws_connect(server.url)
        assert server.hits == 3


@UNDER
async def test_one_that_hangs_runs_out_of_time(under: Any) -> None:
    async with (
        fault_server(then=Hang()) as server,
        under(Pipeline(policy(attempt_timeout=0.02))) as session,
    ):
        with pytest.raises(TimeoutError), override(max_attempts=1):
            await session.ws_connect(server.url)


async def test_refused_ones_open_the_breaker_as_any_failure_does() -> None:
    async with FaultServer(then=Reply(503)) as server:
        made = Pipeline(policy(retry=RetryPolicy(max_attempts=1)))
        async with wrapped(made) as session:
            for _ in range(3):
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    await session.ws_connect(server.url)
        assert made.breaker.circuit(str(server.url)).counts.failures == 3
