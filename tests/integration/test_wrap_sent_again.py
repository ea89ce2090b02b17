"""`wrap` and pipelines: a middleware of others may send its request in a second time."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient import (
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    NormalizeErrors,
    NotFoundError,
    Pipeline,
    ResilientError,
    Retry,
    attempts_of,
    pipeline_of,
    wrap,
)
from resilient.testing import Received, Reply
from tests.integration.support import (
    client,
    fault_server,
    policy,
    retry_policy,
    status_of,
    wrapped,
)


async def again(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Authentication is done so: the handler is called a second time after a 401."""
    response = await handler(request)
    if response.status != 401:
        return response
    response.release()
    return await handler(request)


def raw() -> Pipeline:
    return Pipeline(policy(errors=None))


ORDERS: dict[str, Any] = {
    "before a pipeline": lambda: [again, raw()],
    "before retry": lambda: [again, Retry(retry_policy())],
    "in a pipeline, before retry": lambda: [Pipeline.of(again, Retry(retry_policy()))],
    "in a pipeline, before a deadline": lambda: [
        Pipeline.of(again, Deadline(5), Retry(retry_policy()))
    ],
    "in a pipeline without a retry": lambda: [
        Pipeline.of(again, CircuitBreaker()),
        Retry(retry_policy()),
    ],
    "in a pipeline before another": lambda: [
        Pipeline.of(again),
        Pipeline(policy(errors=None, breaker=None)),
    ],
    "within retry": lambda: [Pipeline.of(Retry(retry_policy()), again, CircuitBreaker())],
    "behind a pipeline": lambda: [Pipeline.of(Retry(retry_policy()), CircuitBreaker()), again],
}


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("under", [client, wrapped])
async def test_it_is_served_again(name: str, under: Any) -> None:
    async with fault_server(Reply(503), Reply(401), Reply(503)) as server:
        async with under(*ORDERS[name]()) as session:
            assert await status_of(session, server.url) == 200
        assert server.hits == 4


async def test_it_is_served_again_by_the_pipeline_that_was_there() -> None:
    async with (
        fault_server(Reply(503), Reply(401), Reply(503)) as server,
        client(raw()) as original,
        wrap(original, again) as session,
    ):
        assert await status_of(session, server.url) == 200
        assert server.hits == 4


async def test_the_second_time_has_errors_and_attempts_as_the_first() -> None:
    async with (
        fault_server(Reply(401), Reply(503), Reply(404)) as server,
        client(NormalizeErrors(), Pipeline.of(again, Retry(retry_policy()))) as session,
    ):
        with pytest.raises(NotFoundError) as caught:
            await status_of(session, server.url)
    # It is one call, from the outermost middleware of ours on.
    assert [attempt.status for attempt in caught.value.attempts] == [401, 503, 404]
    assert caught.value.stop_reason == "status 404 is not repeated"


@pytest.mark.parametrize("under", [client, wrapped])
async def test_why_the_first_time_was_over_is_not_said_of_the_second(under: Any) -> None:
    async with (
        fault_server(Reply(401)) as server,
        under(Pipeline.of(again, Retry(retry_policy()))) as session,
        session.get(server.url) as response,
    ):
        last = attempts_of(response)[-1]
    assert (last.status, last.reason) == (200, None)


async def test_nor_of_a_refusal_that_follows() -> None:
    def isolating(_: Received) -> Reply:
        pipeline_of(session).breaker.circuit(str(server.url)).isolate()
        return Reply(401)

    async with (
        fault_server(isolating) as server,
        wrapped(again, Retry(retry_policy()), CircuitBreaker()) as session,
    ):
        with pytest.raises(CircuitOpenError) as caught:
            await status_of(session, server.url)
    assert "401" not in str(caught.value.stop_reason)


async def test_each_time_has_all_its_attempts() -> None:
    async with fault_server(Reply(503), Reply(503), Reply(401), Reply(503), Reply(503)) as server:
        async with client(Pipeline.of(again, Retry(retry_policy()))) as session:
            assert await status_of(session, server.url) == 200
        assert server.hits == 6


@pytest.mark.parametrize("under", [client, wrapped])
async def test_a_body_that_is_spent_is_refused_by_an_error_of_ours(under: Any) -> None:
    """Not sent empty; and every exception that the package raises has one base."""

    async def once() -> AsyncIterator[bytes]:
        yield b"x"

    async with fault_server(Reply(401)) as server:
        async with under(Pipeline.of(again, Retry(retry_policy()))) as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.post(server.url, data=once())
        assert [request.body for request in server.requests] == [b"x"]
    assert isinstance(caught.value, ResilientError)
