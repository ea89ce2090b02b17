"""Promise 8: `except` clauses written for aiohttp go on working, and causes are kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout

import resilient
from resilient import (
    APIError,
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    ConnectionFailedError,
    NormalizeErrors,
    NotFoundError,
    Pipeline,
    ResilientError,
    Retry,
    ServiceUnavailableError,
    override,
)
from resilient.testing import Disconnect, FaultServer, Hang, Malformed, Reply, Reset, Step
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    UNDER,
    client,
    fault_server,
    passing,
    policy,
    retry_policy,
    status_of,
    wrapped,
)

# What a server does, and the clause that a user of aiohttp has for it.
CLAUSES: dict[str, tuple[Step, type[Exception], type[ResilientError]]] = {
    "an error status": (Reply(404), aiohttp.ClientResponseError, NotFoundError),
    "a busy server": (Reply(503), aiohttp.ClientResponseError, ServiceUnavailableError),
    "a disconnect": (Disconnect(), aiohttp.ClientConnectionError, ConnectionFailedError),
    "a reset": (Reset(), aiohttp.ClientConnectionError, ConnectionFailedError),
    "no HTTP": (Malformed(), aiohttp.ClientConnectionError, ConnectionFailedError),
    "a hang": (Hang(), TimeoutError, resilient.AttemptTimeoutError),
    "a hang again": (Hang(), aiohttp.ServerTimeoutError, resilient.AttemptTimeoutError),
    "a hang once more": (Hang(), aiohttp.ClientConnectionError, resilient.AttemptTimeoutError),
}


@UNDER
@pytest.mark.parametrize("name", CLAUSES)
async def test_a_clause_of_aiohttps_catches_ours(under: Any, name: str) -> None:
    step, clause, kind = CLAUSES[name]
    clock = FakeClock()
    async with (
        fault_server(then=step) as server,
        under(Pipeline(policy(attempt_timeout=5), clock=clock)) as session,
        passing(clock, server),
    ):
        for expected in (clause, aiohttp.ClientError, ResilientError):
            with pytest.raises(expected) as caught:
                await status_of(session, server.url)
            assert type(caught.value) is kind


@pytest.mark.parametrize("name", CLAUSES)
async def test_no_error_of_ours_sets_off_aiohttps_own_repetition(name: str) -> None:
    step, _, kind = CLAUSES[name]
    clock = FakeClock()
    async with (
        fault_server(then=step) as server,
        client(Pipeline(policy(attempt_timeout=5), clock=clock)) as session,
        passing(clock, server),
    ):
        with override(max_attempts=1), pytest.raises(kind):
            await status_of(session, server.url)
        assert server.hits == 1


async def test_a_server_that_is_not_there() -> None:
    async with FaultServer() as server:
        url = server.url
    async with wrapped(Pipeline(policy())) as session:
        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await status_of(session, url)
    assert isinstance(caught.value, ConnectionFailedError)
    assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorError)
    assert "ClientConnectorError" in str(caught.value)
    assert len(caught.value.attempts) == 3


async def test_an_open_circuit_is_a_connection_error_of_aiohttps() -> None:
    hair_trigger = BreakerPolicy(consecutive_failures=1, open_for=60, max_open_for=60, patience=0)
    async with fault_server(then=Reply(500)) as server:
        async with client(Pipeline(policy(breaker=hair_trigger, retry=None))) as session:
            with pytest.raises(APIError):
                await status_of(session, server.url)
            with pytest.raises(aiohttp.ClientConnectionError) as caught:
                await status_of(session, server.url)
        assert server.hits == 1
    assert isinstance(caught.value, CircuitOpenError)
    assert 59 < (caught.value.retry_after or 0) <= 66


@pytest.mark.parametrize(
    ("step", "cause"),
    [
        (Disconnect(), aiohttp.ServerDisconnectedError),
        (Reset(), aiohttp.ClientOSError),
        (Malformed(), aiohttp.ClientResponseError),
    ],
)
async def test_the_original_is_kept_as_the_cause(step: Step, cause: type[Exception]) -> None:
    async with fault_server(then=step) as server, client(Pipeline(policy())) as session:
        with pytest.raises(ConnectionFailedError) as caught:
            await status_of(session, server.url)
    assert isinstance(caught.value.__cause__, cause)
    assert caught.value.__suppress_context__


@UNDER
@pytest.mark.parametrize("status", [404, 503])
async def test_a_session_that_raises_by_itself_raises_ours(under: Any, status: int) -> None:
    async with fault_server(then=Reply(status, json={"message": "read"})) as server:
        async with under(Pipeline(policy()), raise_for_status=True) as session:
            with pytest.raises(APIError) as caught:
                await status_of(session, server.url)
            assert caught.value.message == "read"
            with override(raise_errors=False):
                if under is wrapped:
                    assert await status_of(session, server.url) == status
                else:  # aiohttp raises when all middlewares are done
                    with pytest.raises(aiohttp.ClientResponseError) as raw:
                        await status_of(session, server.url)
                    assert not isinstance(raw.value, ResilientError)
        assert server.hits == (2 if status == 404 else 6)


async def test_retry_alone_repeats_under_a_session_that_raises_by_itself() -> None:
    async with fault_server(Reply(503), Reply(503)) as server:
        async with client(Retry(retry_policy()), raise_for_status=True) as session:
            assert await status_of(session, server.url) == 200
        server.script(*[Reply(503)] * 3)
        async with client(Retry(retry_policy()), raise_for_status=True) as session:
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await status_of(session, server.url)
    assert caught.value.status == 503


async def raising(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Somebody else's middleware, which raises for error statuses."""
    response = await handler(request)
    response.raise_for_status()
    return response


@UNDER
@pytest.mark.parametrize(("status", "hits"), [(404, 1), (503, 3)])
async def test_an_error_of_a_middleware_inside_is_typed_too(
    under: Any, status: int, hits: int
) -> None:
    reply = Reply(status, headers={"X-Request-Id": "r-1", "Retry-After": "0"})
    async with fault_server(then=reply) as server:
        async with under(Pipeline.of(Pipeline(policy()), raising)) as session:
            with pytest.raises(APIError) as caught:
                await status_of(session, server.url)
        assert server.hits == hits
    error = caught.value
    assert error.status == status
    assert error.request_id == "r-1"
    assert error.retry_after == 0
    assert type(error.__cause__) is aiohttp.ClientResponseError
    assert [attempt.status for attempt in error.attempts] == [status] * hits


@pytest.mark.parametrize(("status", "hits", "failures"), [(404, 1, 0), (503, 3, 3), (429, 3, 0)])
async def test_retry_and_breaker_know_the_status_of_an_error_of_others(
    status: int, hits: int, failures: int
) -> None:
    breaker = CircuitBreaker()
    async with fault_server(then=Reply(status)) as server:
        async with client(Retry(retry_policy()), breaker, raising) as session:
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await status_of(session, server.url)
        assert server.hits == hits
        assert breaker.circuit(str(server.url)).counts.failures == failures
    assert type(caught.value) is aiohttp.ClientResponseError
    assert caught.value.status == status


async def test_an_exception_of_another_middleware_comes_out_as_it_is() -> None:
    class Mine(Exception):
        pass

    calls: list[int] = []

    def failing(error: Exception) -> Callable[..., Awaitable[ClientResponse]]:
        async def fail(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            calls.append(1)
            raise error

        return fail

    async with fault_server() as server:
        for error in (Mine("x"), ValueError("x"), KeyError("x"), aiohttp.InvalidURL("x")):
            calls.clear()
            async with client(Pipeline(policy()), failing(error)) as session:
                with pytest.raises(type(error)) as caught:
                    await status_of(session, server.url)
                assert caught.value is error
                assert len(calls) == 1
        calls.clear()
        repeating = Pipeline(policy(retry=retry_policy(exceptions=(Mine,))))
        async with client(repeating, failing(Mine("x"))) as session:
            with pytest.raises(Mine) as mine:
                await status_of(session, server.url)
            assert len(calls) == 3
            assert len(mine.value.__notes__) == 3


async def test_a_content_type_error_of_the_users_own_is_not_ours() -> None:
    async with (
        fault_server(then=Reply(200, body=b"<html>")) as server,
        client(Pipeline(policy())) as session,
        session.get(server.url) as response,
    ):
        with pytest.raises(aiohttp.ContentTypeError):
            await response.json()


async def test_alone_normalisation_leaves_transport_errors_to_aiohttp() -> None:
    async with fault_server(Disconnect()) as server, client(NormalizeErrors()) as session:
        assert await status_of(session, server.url) == 200
        assert server.hits == 2  # aiohttp's own second request
        server.script(Disconnect())
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(server.url)


async def test_a_proxy_that_refuses_to_connect_was_never_a_sent_request() -> None:
    """The status is the proxy's; the POST behind it never left, and may be repeated."""
    async with fault_server(then=Reply(503)) as proxy:
        async with client(Pipeline(policy())) as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.post("https://api.example/", data=b"x", proxy=str(proxy.url))
        assert [request.method for request in proxy.requests] == ["CONNECT"] * 3
    assert isinstance(caught.value, ResilientError)


async def test_time_outs_of_the_session_and_ours_share_a_clause() -> None:
    async with fault_server(then=Hang()) as server:
        for options, changes in (
            ({"timeout": ClientTimeout(total=0.02)}, {}),
            ({"timeout": ClientTimeout(sock_read=0.01)}, {}),
            ({}, {"total_timeout": 0.02}),
            ({}, {"attempt_timeout": 0.01}),
        ):
            async with client(Pipeline(policy(**changes)), **options) as session:
                with pytest.raises(asyncio.TimeoutError):
                    await status_of(session, server.url)
