"""Promise 6: an attempt's time begins with its connection, and does not end what moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    DeadlineExceededError,
    Pipeline,
    override,
)
from resilient.testing import FaultServer, Hang, Received, Reply
from tests.integration.support import client, policy, status_of, wrapped

pytestmark = pytest.mark.resilient_virtual_time

POOLS: dict[str, dict[str, Any]] = {
    "limit": {"limit": 1},
    "limit_per_host": {"limit": 9, "limit_per_host": 1},
}


def patient(**changes: Any) -> Pipeline:
    """A pipeline with a second for an attempt, one attempt, and long deadlines."""
    return Pipeline(policy(**{"attempt_timeout": 1, "total_timeout": 1000, **changes}))


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
async def test_waiting_in_the_pool_is_not_the_attempts_time(
    pool: dict[str, Any], under: Any
) -> None:
    connector = aiohttp.TCPConnector(**pool)
    async with FaultServer(then=Reply(delay=0.9)) as server:
        async with under(patient(retry=None), connector=connector) as session:
            calls = [status_of(session, server.url) for _ in range(30)]
            assert await asyncio.gather(*calls) == [200] * 30
        assert server.hits == 30


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
async def test_once_it_has_its_turn_the_limit_holds(pool: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(**pool)
    async with (
        FaultServer(Reply(delay=0.9), then=Hang()) as server,
        client(patient(retry=None), connector=connector) as session,
    ):
        first = asyncio.ensure_future(status_of(session, server.url))
        await asyncio.sleep(0)
        with pytest.raises(AttemptTimeoutError):
            await status_of(session, server.url)
        assert await first == 200
        # 0.9 s in the pool, and a second of its own.
        assert loop.time() == pytest.approx(1.9, abs=0.1)


async def test_whoever_waits_in_the_pool_when_the_time_is_over_is_seen_too() -> None:
    """A middleware took its time before it asked for a connection: the pool was free then."""

    async def slowly(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        await asyncio.sleep(0.05)
        response: aiohttp.ClientResponse = await handler(request)
        return response

    connector = aiohttp.TCPConnector(limit=1)
    async with (
        FaultServer(Reply(delay=3), then=Reply(delay=0.9)) as server,
        client(patient(retry=None), slowly, connector=connector) as session,
    ):
        with override(attempt_timeout=10):
            first = asyncio.ensure_future(status_of(session, server.url))
        await asyncio.sleep(0)
        assert await status_of(session, server.url) == 200
        assert await first == 200


async def test_the_deadline_bounds_the_wait_in_the_pool() -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with (
        FaultServer(then=Hang()) as server,
        client(
            patient(retry=None, total_timeout=10, attempt_timeout=5), connector=connector
        ) as session,
    ):
        with override(attempt_timeout=float("inf"), total_timeout=float("inf")):
            first = asyncio.ensure_future(status_of(session, server.url))
        await server.wait_for(hits=1)
        with pytest.raises(DeadlineExceededError):
            await status_of(session, server.url)
        first.cancel()
        await asyncio.wait([first])


class Drip:
    """A body that comes byte by byte."""

    def __init__(self, pause: float, count: int) -> None:
        self.pause = pause
        self.count = count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            yield b"x" * 1000
            await asyncio.sleep(self.pause)


@pytest.mark.parametrize("under", [client, wrapped])
async def test_an_upload_that_moves_is_not_cut(under: Any) -> None:
    async with FaultServer() as server, under(patient(retry=None)) as session:
        async with session.put(server.url, data=Drip(0.3, 50)) as response:
            assert response.status == 200
        assert [len(request.body) for request in server.requests] == [50_000]


async def test_an_upload_that_stands_still_is() -> None:
    loop = asyncio.get_running_loop()
    async with FaultServer() as server, client(patient(retry=None)) as session:
        with pytest.raises(AttemptTimeoutError):
            await session.put(server.url, data=Drip(100, 2))
        assert loop.time() < 5


async def test_after_an_upload_the_answer_has_the_attempts_time() -> None:
    async def slowly(_: Received) -> Reply:
        return Reply(delay=0.8)

    async with FaultServer(slowly, then=Hang()) as server, client(patient(retry=None)) as session:
        async with session.put(server.url, data=Drip(0.3, 10)) as response:
            assert response.status == 200
        with pytest.raises(AttemptTimeoutError):
            await session.put(server.url, data=Drip(0.3, 10))


async def test_the_deadline_bounds_an_upload_that_moves() -> None:
    async with FaultServer() as server, client(patient(retry=None, total_timeout=5)) as session:
        with pytest.raises(DeadlineExceededError):
            await session.put(server.url, data=Drip(0.3, 100))


async def test_the_error_says_what_was_asked_and_whether_anything_was_sent() -> None:
    async with FaultServer(then=Hang()) as server, client(AttemptTimeout(1)) as session:
        with pytest.raises(AttemptTimeoutError) as caught:
            await session.get(server.url / "path" % {"key": "s3cret"})
        error = caught.value
        assert (error.method, error.url) == ("GET", str(server.url / "path"))
        assert not error.while_connecting
        assert str(error).startswith(f"GET {server.url / 'path'}: no response within 1 s")
        assert "s3cret" not in str(error)
