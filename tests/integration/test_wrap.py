"""`wrap`: middlewares under a session that somebody else made, which does not change."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TraceConfig,
)

import resilient
from resilient import (
    CircuitBreaker,
    CircuitOpenError,
    ConfigError,
    Deadline,
    NotFoundError,
    Pipeline,
    Retry,
    ServiceUnavailableError,
    attempts_of,
    pipeline_of,
    wrap,
)
from resilient.testing import Disconnect, Reply
from tests.integration.support import (
    Teller,
    client,
    fault_server,
    policy,
    retry_policy,
    status_of,
    wrapped,
)


def standard() -> Pipeline:
    return Pipeline(policy())


async def test_what_comes_back_is_a_client_session() -> None:
    async with client() as original, wrap(original) as session:
        assert isinstance(session, ClientSession)
        assert session is not original
        assert type(session).__name__ == "ClientSession"
        assert isinstance(session, type(original))


async def test_the_original_is_not_touched() -> None:
    teller = Teller()
    async with fault_server() as server, client(teller) as original:
        before = dict(vars(original))
        async with wrap(original, standard()) as session:
            assert await status_of(session, server.url) == 200
            assert dict(vars(original)) == before
            assert type(original) is ClientSession
            server.script(Reply(503))
            assert await status_of(original, server.url) == 503
        assert dict(vars(original)) == before
        assert not original.closed


async def test_everything_else_is_shared() -> None:
    told = []

    async def tell(*_: Any) -> None:
        told.append("start")

    trace = TraceConfig()
    trace.on_request_start.append(tell)
    async with fault_server(Reply(503), Reply(headers={"Set-Cookie": "sid=1; Path=/"})) as server:
        async with (
            client(
                base_url=server.url / "v1/",
                headers={"X-App": "a"},
                cookie_jar=aiohttp.CookieJar(unsafe=True),
                timeout=ClientTimeout(total=7, sock_read=3),
                trace_configs=[trace],
            ) as original,
            wrap(original, standard()) as session,
        ):
            assert session.connector is original.connector
            assert session.cookie_jar is original.cookie_jar
            assert session.timeout is original.timeout
            assert session.headers is original.headers
            assert session.trace_configs is original.trace_configs
            assert await status_of(session, "meetings") == 200
            session.headers["X-Later"] = "b"
            assert await status_of(original, "meetings") == 200
        assert server.total_connections == 1
        first, second, third = server.requests
    assert first.path == second.path == third.path == "/v1/meetings"
    assert {each.headers["X-App"] for each in server.requests} == {"a"}
    assert third.headers["X-Later"] == "b"
    assert third.headers["Cookie"] == "sid=1"
    assert told == ["start", "start"]  # once a call, not once an attempt


async def test_the_standard_pipeline_is_put_under_it_if_none_is_named() -> None:
    async with client() as original, wrap(original) as session:
        names = [type(each).__name__ for each in pipeline_of(session)]
    assert names == [
        "Deadline",
        "Retry",
        "Throttle",
        "CircuitBreaker",
        "NormalizeErrors",
        "AttemptTimeout",
    ]


async def test_middlewares_that_were_there_stay_inside() -> None:
    teller = Teller()
    async with (
        fault_server(Reply(503), Reply(503)) as server,
        client(teller) as original,
        wrap(original, standard()) as session,
    ):
        assert await status_of(session, server.url / "x") == 200
    assert teller.seen == ["GET /x"] * 3  # once an attempt


@pytest.mark.parametrize("own", [True, False])
async def test_ours_stay_when_a_call_passes_its_own(own: bool) -> None:
    theirs, given = Teller(), Teller()
    async with fault_server(Reply(503)) as server, client(theirs) as original:
        async with wrap(original, standard()) as session:
            middlewares = (given,) if own else ()
            assert await status_of(session, server.url, middlewares=middlewares) == 200
        assert server.hits == 2
    assert theirs.seen == []
    assert len(given.seen) == (2 if own else 0)


async def test_ours_stay_when_a_call_passes_none() -> None:
    theirs = Teller()
    async with (
        fault_server(Reply(503)) as server,
        client(theirs) as original,
        wrap(original, standard()) as session,
    ):
        assert await status_of(session, server.url, middlewares=None) == 200
    assert len(theirs.seen) == 2


async def test_several_middlewares_in_order() -> None:
    outer, inner = Teller(), Teller()
    async with (
        fault_server(Reply(503)) as server,
        wrapped(outer, Retry(retry_policy()), inner) as session,
    ):
        assert await status_of(session, server.url) == 200
        assert [type(each) for each in pipeline_of(session)] == [Teller, Retry, Teller]
    assert (len(outer.seen), len(inner.seen)) == (1, 2)


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_three_attempts_are_three_requests(times: int) -> None:
    """aiohttp would repeat what failed so by itself; under `wrap` it does not."""
    async with fault_server(then=Disconnect()) as server:
        async with wrapped(Retry(retry_policy(max_attempts=times))) as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await status_of(session, server.url)
        assert server.hits == times


async def test_nor_does_it_when_a_middleware_around_retry_raises_what_it_would_repeat() -> None:
    async def raising(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except aiohttp.ClientConnectionError as error:
            raise aiohttp.ServerDisconnectedError from error

    async with fault_server(then=Disconnect()) as server:
        async with wrapped(raising, Retry(retry_policy())) as session:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await status_of(session, server.url)
        assert server.hits == 3


async def test_without_retry_aiohttp_goes_on_recovering_from_stale_connections() -> None:
    async with fault_server(Disconnect()) as server:
        async with wrapped(CircuitBreaker(), Deadline(5)) as session:
            assert await status_of(session, server.url) == 200
        assert server.hits == 2


async def test_what_is_no_session_or_no_middleware_is_refused() -> None:
    async with client() as original:
        wrong: Any
        for wrong in (None, "session", ClientSession):
            with pytest.raises(ConfigError, match=r"wrap\.session"):
                wrap(wrong)
        for wrong in (3, "retry", Retry):
            with pytest.raises(ConfigError, match="middleware"):
                wrap(original, wrong)
        closed = ClientSession()
        await closed.close()
        with pytest.raises(ConfigError, match="closed"):
            wrap(closed)


async def test_a_breaker_can_be_looked_up_and_isolated() -> None:
    async with fault_server() as server, wrapped(standard()) as session:
        circuit = pipeline_of(session).breaker.circuit(str(server.url))
        assert await status_of(session, server.url) == 200
        circuit.isolate()
        with pytest.raises(CircuitOpenError):
            await status_of(session, server.url)
        circuit.reset()
        assert await status_of(session, server.url) == 200


async def test_pipeline_of_finds_what_was_given_to_the_session_as_a_middleware() -> None:
    pipeline = standard()
    async with client(Teller(), pipeline) as session:
        assert pipeline_of(session) is pipeline
    async with client(pipeline) as original, wrap(original, Teller()) as session:
        assert pipeline_of(session) is not pipeline
        assert pipeline_of(original) is pipeline


async def test_pipeline_of_says_when_there_is_none() -> None:
    for middlewares in ((), (Teller(),), (Retry(),)):
        async with client(*middlewares) as session:
            with pytest.raises(LookupError, match="wrap"):
                pipeline_of(session)


async def test_responses_and_errors_tell_of_their_attempts() -> None:
    async with fault_server(Reply(503)) as server, wrapped(standard()) as session:
        async with session.get(server.url) as response:
            assert [attempt.status for attempt in attempts_of(response)] == [503, 200]
        server.script(Reply(503), Reply(404))
        with pytest.raises(NotFoundError) as caught:
            await status_of(session, server.url)
    assert [attempt.status for attempt in caught.value.attempts] == [503, 404]


async def test_concurrent_calls_keep_their_attempts_apart() -> None:
    unbroken = Pipeline(policy(breaker=None))
    async with fault_server() as server, wrapped(unbroken) as session:

        async def one(number: int) -> list[tuple[str, int | None]]:
            async with session.get(server.url / str(number)) as response:
                await response.read()
                told = attempts_of(response)
            return [(attempt.url.rpartition("/")[2], attempt.status) for attempt in told]

        for number in range(20):
            server.route(f"/{number}", *[Reply(503, delay=0.001)] * (number % 3))
        told = await asyncio.gather(*(one(number) for number in range(20)))
    for number, attempts in enumerate(told):
        name = str(number)
        assert attempts == [(name, 503)] * (number % 3) + [(name, 200)]


async def test_one_pipeline_may_be_under_several_sessions() -> None:
    pipeline = Pipeline(policy(retry=None))
    async with (
        fault_server(then=Reply(503)) as server,
        wrapped(pipeline) as one,
        wrapped(pipeline) as another,
    ):
        for session in (one, another):
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url)
    assert pipeline.breaker.circuit(str(server.url)).counts.failures == 2


async def test_a_session_without_cookies_or_with_everything_odd_is_wrapped_too() -> None:
    async with (
        fault_server() as server,
        wrapped(
            standard(),
            cookie_jar=DummyCookieJar(),
            raise_for_status=True,
            auto_decompress=False,
            trust_env=True,
            requote_redirect_url=False,
            connector=aiohttp.TCPConnector(limit=1, force_close=True),
        ) as session,
    ):
        assert await status_of(session, server.url) == 200
        server.script(Reply(418))
        with pytest.raises(resilient.APIError):
            await status_of(session, server.url)


async def test_a_policy_in_the_place_of_a_middleware_is_explained() -> None:
    async with client() as session:
        with pytest.raises(ConfigError, match=r"wrap\.middlewares must be .*Pipeline\(policy\)"):
            wrap(session, resilient.Policy())  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("part", ["breaker", "retry"])
async def test_the_pipeline_of_services_says_where_theirs_are(under: Any, part: str) -> None:
    services = resilient.Services([resilient.Service("mavio", "https://api.mavio.example")])
    async with under(Pipeline.of(services)) as session:
        with pytest.raises(LookupError, match=r'find\(Services\)\["NAME"\]') as caught:
            getattr(pipeline_of(session), part)
        assert "mavio" in str(caught.value)
        found = pipeline_of(session).find(resilient.Services)
        assert found is not None
        assert isinstance(found["mavio"].breaker, CircuitBreaker)


async def test_a_pipeline_without_one_has_none() -> None:
    with pytest.raises(LookupError, match="this pipeline has no circuit breaker"):
        _ = Pipeline(policy(breaker=None)).breaker
    with pytest.raises(LookupError, match="this pipeline has no retry"):
        _ = Pipeline(policy(retry=None)).retry
