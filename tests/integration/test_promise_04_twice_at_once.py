"""A request may be under way twice at once: middlewares of others shield, and hedge."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient import (
    AttemptTimeout,
    CircuitBreaker,
    Deadline,
    NormalizeErrors,
    Pipeline,
    Retry,
)
from resilient.testing import FaultServer, Hang, Reply
from tests.integration.support import client, fault_server, policy, retry_policy, turns, wrapped

SHAPES: dict[str, Any] = {
    "pipeline": lambda between: [Pipeline(policy()), *between],
    "one by one": lambda between: [
        Deadline(50), *between, Retry(retry_policy()), CircuitBreaker(), NormalizeErrors(),
        AttemptTimeout(20),
    ],
    "within": lambda between: [
        Deadline(50), Retry(retry_policy()), *between, CircuitBreaker(), NormalizeErrors(),
        AttemptTimeout(20),
    ],
    "outside": lambda between: [*between, Pipeline(policy())],
}  # fmt: skip


class Shielding:
    """Goes on with a request after its caller has gone."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Future[ClientResponse]] = []

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        task = asyncio.ensure_future(handler(request))
        self.tasks.append(task)
        return await asyncio.shield(task)


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_request_that_is_shielded_goes_on_after_its_caller(shape: str, under: Any) -> None:
    shielding = Shielding()
    answer = asyncio.Event()

    async def later(_: object) -> Reply:
        await answer.wait()
        return Reply(503)

    middlewares = SHAPES[shape]([shielding])
    async with FaultServer(later) as server, under(*middlewares) as session:
        call = asyncio.ensure_future(session.get(server.url))
        await server.wait_for(hits=1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        answer.set()
        await asyncio.wait(shielding.tasks)
        for task in shielding.tasks:
            error = task.exception()
            if error is None:
                task.result().release()
            else:
                assert getattr(error, "status", None) == 503
        await turns()


class Hedging:
    """Begins the same request a second time while the first is under way."""

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        tasks = [asyncio.ensure_future(handler(request))]
        await asyncio.sleep(0.02)
        tasks.append(asyncio.ensure_future(handler(request)))
        done, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return await done.pop()


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_request_that_is_hedged_is_answered_by_the_quicker(shape: str, under: Any) -> None:
    async with FaultServer(Hang(), Reply()) as server, under(*SHAPES[shape]([Hedging()])) as made:
        async with made.get(server.url) as response:
            assert response.status == 200
        assert server.hits == 2


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_request_that_is_sent_many_times_at_once_fails_as_each_does(shape: str) -> None:
    async def thrice(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        ends = await asyncio.gather(*(handler(request) for _ in range(3)), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                assert getattr(end, "status", None) == 503, end
            else:
                end.release()
        return await handler(request)

    async with fault_server(then=Reply(503)) as server, client(*SHAPES[shape]([thrice])) as made:
        with contextlib.suppress(Exception):
            response = await made.get(server.url)
            response.release()
        assert server.hits >= 4
