"""`wrap`: one call is one call, with all its hops, and a request within it is another."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, TraceConfig
from yarl import URL

from resilient import (
    Attempt,
    Backoff,
    BreakerPolicy,
    CircuitBreaker,
    ConnectionFailedError,
    Pipeline,
    Retry,
    ServiceUnavailableError,
    attempts_of,
    override,
    wrap,
)
from resilient.testing import Disconnect, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    client,
    fault_server,
    policy,
    redirect,
    retry_policy,
    status_of,
    turns,
    wrapped,
)


def paths(attempts: tuple[Attempt, ...]) -> list[str]:
    return [URL(attempt.url).path for attempt in attempts]


async def test_attempts_of_all_hops_are_told_in_order() -> None:
    async with fault_server() as server, wrapped(Pipeline(policy())) as session:
        server.route("/a", Reply(503), redirect("/b"))
        server.route("/b", Reply(503), Reply(200))
        async with session.get(server.url / "a") as response:
            attempts = attempts_of(response)
    assert paths(attempts) == ["/a", "/a", "/b", "/b"]
    assert [attempt.number for attempt in attempts] == [1, 2, 1, 2]
    assert [attempt.status for attempt in attempts] == [503, 302, 503, 200]


async def test_a_plain_middleware_tells_of_the_last_hop() -> None:
    async with fault_server() as server, client(Pipeline(policy())) as session:
        server.route("/a", Reply(503), redirect("/b"))
        async with session.get(server.url / "a") as response:
            assert paths(attempts_of(response)) == ["/b"]


async def test_the_idempotency_key_is_the_calls_and_stays_with_its_origin() -> None:
    async with fault_server() as here, fault_server() as there:
        here.route("/a", Reply(503), redirect("/b", 307))
        here.route("/b", redirect(there.url / "c", 307))
        there.route("/c", Reply(503))
        keyed = retry_policy(idempotency_header="Idempotency-Key")
        async with (
            wrapped(Pipeline(policy(retry=keyed))) as session,
            session.post(here.url / "a", data=b"x") as response,
        ):
            assert response.status == 200
        keys = [request.headers["Idempotency-Key"] for request in here.requests]
        others = [request.headers["Idempotency-Key"] for request in there.requests]
    assert len(keys) == 3
    assert len(others) == 2
    assert len(set(keys)) == len(set(others)) == 1
    assert set(keys) != set(others)


async def test_redirects_across_origins_have_a_breaker_each() -> None:
    async with fault_server() as here, fault_server(then=Reply(503)) as there:
        here.route("/", then=redirect(there.url))
        pipeline = Pipeline(policy(retry=None))
        async with wrapped(pipeline) as session:
            with pytest.raises(ServiceUnavailableError) as caught:
                await session.get(here.url, headers={"Authorization": "s3cret"})
        assert pipeline.breaker.circuit(str(here.url)).counts.failures == 0
        assert pipeline.breaker.circuit(str(there.url)).counts.failures == 1
        assert "Authorization" not in there.requests[0].headers
    assert str(caught.value.request_info.url) == str(there.url)


async def test_a_failure_in_a_later_hop_is_not_repeated_from_the_start() -> None:
    async with fault_server() as server, wrapped(Pipeline(policy())) as session:
        server.route("/a", then=redirect("/b"))
        server.route("/b", then=Disconnect())
        with pytest.raises(ConnectionFailedError):
            await status_of(session, server.url / "a")
        # The first /b broke a pooled connection, and was sent again.
        assert [request.path for request in server.requests] == ["/a", *["/b"] * (1 + 3)]


async def test_too_many_redirects_are_aiohttps_to_report() -> None:
    async with fault_server(then=redirect("/")) as server:
        async with wrapped(Pipeline(policy())) as session:
            with pytest.raises(aiohttp.TooManyRedirects):
                await session.get(server.url, max_redirects=4)
        assert server.hits == 4


class Token:
    """Gets a token with a request of its own before each attempt."""

    def __init__(self) -> None:
        self.session: Any = None
        self.url: Any = None
        self.told: list[tuple[Attempt, ...]] = []

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        async with self.session.get(self.url, middlewares=self.given) as response:
            await response.read()
            self.told.append(attempts_of(response))
        return await handler(request)

    given: Any = None


@pytest.mark.parametrize("via", ["the wrapped", "the original", "another"])
async def test_a_request_by_a_middleware_inside_is_a_call_of_its_own(via: str) -> None:
    token = Token()
    async with fault_server() as server:
        server.route("/token", Reply(503), then=Reply(200))
        server.route("/", Reply(503), Reply(503))
        async with (
            client(token) as original,
            wrap(original, Pipeline(policy())) as session,
            client(Pipeline(policy())) as another,
        ):
            sessions = {"the wrapped": session, "the original": original, "another": another}
            token.session, token.url = sessions[via], server.url / "token"
            token.given = {"the wrapped": (), "the original": (Retry(retry_policy()),)}.get(via)
            async with session.get(server.url) as response:
                assert paths(attempts_of(response)) == ["/", "/", "/"]
    assert [[attempt.status for attempt in told] for told in token.told] == [
        [503, 200],
        [200],
        [200],
    ]


async def test_a_breaker_that_opens_for_a_request_within_does_not_end_the_retries_without() -> None:
    async def ping(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            async with another.get(server.url / "ping") as response:
                await response.read()
        except aiohttp.ClientError:
            pass
        return await handler(request)

    async with fault_server() as server:
        server.route("/ping", then=Reply(503))
        server.route("/", Reply(503))
        breaker = CircuitBreaker(
            BreakerPolicy(consecutive_failures=1, open_for=60, max_open_for=60, patience=0)
        )
        async with (
            client(breaker) as another,
            client(ping) as original,
            wrap(original, Pipeline(policy())) as session,
        ):
            assert await status_of(session, server.url) == 200


async def test_a_request_by_a_trace_is_a_call_of_its_own() -> None:
    async def ping(*_: Any) -> None:
        async with plain.get(server.url / "ping") as response:
            await response.read()

    trace = TraceConfig()
    trace.on_request_start.append(ping)
    trace.on_request_redirect.append(ping)
    async with fault_server() as server, client(Pipeline(policy())) as plain:
        server.route("/a", then=redirect("/b"))
        async with (
            wrapped(Pipeline(policy()), trace_configs=[trace]) as session,
            session.get(server.url / "a") as response,
        ):
            assert paths(attempts_of(response)) == ["/a", "/b"]
        assert server.hits == 4


async def test_a_task_begun_within_a_call_makes_calls_of_its_own_after_it() -> None:
    clock = FakeClock()
    started: list[asyncio.Task[int]] = []
    over = asyncio.Event()

    async def later() -> int:
        await over.wait()
        return await status_of(plain, server.url / "later")

    async def start(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        started.append(asyncio.create_task(later()))
        return await handler(request)

    pipeline = Pipeline(policy(total_timeout=10), clock=clock)
    async with (
        fault_server() as server,
        client(pipeline) as plain,
        client(start) as original,
        wrap(original, pipeline) as session,
        session.get(server.url) as response,
    ):
        clock.advance(100)
        over.set()
        assert await started[0] == 200
        assert len(attempts_of(response)) == 1


async def test_the_same_request_object_serves_many_calls_in_a_row() -> None:
    async with fault_server() as server, wrapped(Pipeline(policy())) as session:
        for _ in range(3):
            server.script(Reply(503))
            async with session.get(server.url) as response:
                assert len(attempts_of(response)) == 2
            await turns()


@pytest.mark.parametrize("given", [1, 2, 5])
async def test_an_override_holds_for_every_hop(given: int) -> None:
    async with fault_server() as server, wrapped(Pipeline(policy())) as session:
        server.route("/a", then=redirect("/b"))
        server.route("/b", then=Reply(503))
        with override(max_attempts=given), pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url / "a")
        assert server.hits == 1 + given


async def test_waits_of_hops_start_over() -> None:
    clock = FakeClock()
    doubling = retry_policy(backoff=Backoff(base=1, jitter="none"))
    async with fault_server() as server:
        server.route("/a", Reply(503), Reply(503), redirect("/b"))
        server.route("/b", Reply(503), Reply(503), Reply(200))
        async with wrapped(Pipeline(policy(retry=doubling), clock=clock)) as session:
            assert await status_of(session, server.url / "a") == 200
    assert clock.sleeps == [1, 2, 1, 2]
