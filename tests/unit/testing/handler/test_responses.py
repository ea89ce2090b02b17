"""Real responses without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient import NormalizeErrors, NotFoundError
from resilient.testing import Reply
from resilient.testing.handler.responses import make_response
from resilient.testing.time.clocks import FakeClock

MEETINGS = "https://api.example/meetings"


async def test_a_middleware_can_stand_in_the_place_of_the_network() -> None:
    async def offline(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        return await make_response(request, Reply(404, json={"error": {"code": "not_found"}}))

    async with aiohttp.ClientSession(middlewares=[NormalizeErrors(), offline]) as session:
        with pytest.raises(NotFoundError) as failure:
            await session.get(MEETINGS)
    assert failure.value.code == "not_found"


async def test_the_request_counts_as_sent() -> None:
    seen: list[object] = []

    async def offline(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await make_response(request, Reply())
        seen.append(request.response is response)
        return response

    async with (
        aiohttp.ClientSession(middlewares=[offline]) as session,
        session.post(MEETINGS, json={"a": 1}) as response,
    ):
        assert response.ok
    assert seen == [True]


async def test_a_client_that_waits_for_a_100_gets_it() -> None:
    sent: list[bytes] = []

    async def stream() -> AsyncIterator[bytes]:
        sent.append(b"asked for")
        yield sent[0]

    async def offline(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        return await make_response(request, Reply(201))

    async with aiohttp.ClientSession(middlewares=[offline]) as session:
        await session.put(MEETINGS, data=stream(), expect100=True)
    assert sent == [b"asked for"]


async def test_its_delay_is_on_the_clock_that_is_given() -> None:
    clock = FakeClock()

    def offline(request: ClientRequest, _: ClientHandlerType) -> Awaitable[ClientResponse]:
        return make_response(request, Reply(delay=30), clock=clock)

    async with aiohttp.ClientSession(middlewares=[offline]) as session:
        await session.get(MEETINGS)
    assert clock.time() == 30


async def test_a_body_nobody_has_read_leaves_nothing_when_it_is_dropped() -> None:
    async def offline(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        return await make_response(request, Reply(body=b"x" * 10, body_delay=1, chunk_delay=1))

    async with aiohttp.ClientSession(middlewares=[offline]) as session:
        response = await session.get(MEETINGS)
        assert not response.closed
        response.close()
        assert response.closed
