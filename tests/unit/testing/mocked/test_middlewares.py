"""Middlewares run around mocked answers as they run around a network."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from resilient.testing import CallbackResult, Disconnect, FaultServer, Reply, aioresponses
from tests.unit.testing.mocked.support import Log

API = "http://api.example/x"
OTHER = "http://other.example/y"


async def again(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Send a request until there is a response that is no error."""
    while (response := await handler(request)).status >= 400:
        response.release()
    return response


# The chain.


async def test_the_first_is_outermost(log: Log) -> None:
    with aioresponses() as m:
        m.get(API)
        async with aiohttp.ClientSession(middlewares=[log.named("a"), log.named("b")]) as session:
            await session.get(API)
    assert log.lines == [f"a GET {API}", f"b GET {API}", "b 200", "a 200"]


@pytest.mark.parametrize("given", ["one", "none"])
async def test_those_of_the_call_replace_the_sessions(log: Log, given: str) -> None:
    middlewares = [log.named("call's")] if given == "one" else []
    with aioresponses() as m:
        m.get(API)
        async with aiohttp.ClientSession(middlewares=[log.named("session's")]) as session:
            await session.get(API, middlewares=middlewares)
    assert log.lines == ([f"call's GET {API}", "call's 200"] if middlewares else [])


async def test_each_run_of_the_handler_takes_the_next_answer() -> None:
    with aioresponses() as m:
        m.get(API, status=503, repeat=2)
        m.get(API, payload={"a": 1})
        async with aiohttp.ClientSession(middlewares=[again]) as session:
            response = await session.get(API)
            assert await response.json() == {"a": 1}
        assert len(m.requests["GET", URL(API)]) == 3
        assert [received.connection for received in m.received] == [1, 2, 3]
        with pytest.raises(AssertionError, match="Called 3 times"):
            m.assert_called_once_with(API)
        m.assert_called_with(API)


async def test_a_middleware_that_answers_itself_takes_none() -> None:
    with aioresponses() as m:
        m.get(API, status=202)

        async def cached(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            return seen

        async with aiohttp.ClientSession() as session:
            seen = await session.get(API)
            assert await session.get(API, middlewares=[cached]) is seen
        m.assert_called_once()


async def test_a_middleware_meets_the_exception_and_may_go_on() -> None:
    caught: list[Exception] = []

    async def persist(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        while True:
            try:
                return await handler(request)
            except aiohttp.ClientError as error:
                caught.append(error)

    failures = [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientConnectorError(None, OSError()),  # type: ignore[arg-type]  # not looked at
        aiohttp.ClientPayloadError(),
    ]
    with aioresponses() as m:
        for failure in failures:
            m.put(API, exception=failure)
        m.put(API)
        async with aiohttp.ClientSession(middlewares=[persist]) as session:
            assert (await session.put(API, data=b"a")).status == 200
        # Nothing is received where no connection was made.
        assert [received.body for received in m.received] == [b"a"] * 3
    assert caught == failures


async def test_a_middleware_may_ask_the_session_for_something_else() -> None:
    async def login(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        token = await (await request.session.get(OTHER, middlewares=())).text()
        request.headers["Authorization"] = f"Bearer {token}"
        return await handler(request)

    with aioresponses() as m:
        m.get(OTHER, body="abc")
        m.get(API)
        async with aiohttp.ClientSession(middlewares=[login]) as session:
            await session.get(API)
        assert [received.headers["Host"] for received in m.received] == [
            "other.example",
            "api.example",
        ]
        assert m.received[1].headers["Authorization"] == "Bearer abc"


async def test_aiohttps_own_middleware_for_digests_works() -> None:
    challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm="SHA-256"'
    with aioresponses() as m:
        m.get(API, status=401, headers={"WWW-Authenticate": challenge})
        m.get(API, body="in")
        digest = aiohttp.DigestAuthMiddleware("user", "secret")
        async with aiohttp.ClientSession(middlewares=[digest]) as session:
            assert await (await session.get(API)).text() == "in"
        assert m.received[1].headers["Authorization"].startswith('Digest username="user"')


# What a middleware changes.


async def test_a_header_that_a_middleware_sets_is_sent() -> None:
    given: list[Any] = []

    async def sign(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.headers["X-Word"] = "signed"
        request.headers.add("X-Other", "b")
        del request.headers["X-Gone"]
        return await handler(request)

    def callback(url: URL, **kwargs: Any) -> CallbackResult:
        given.append(kwargs["headers"])
        return CallbackResult()

    with aioresponses() as m:
        m.get(API, callback=callback)
        async with aiohttp.ClientSession(middlewares=[sign]) as session:
            headers = {"x-word": "a", "X-Other": "a", "X-Gone": "a", "X-Kept": "a"}
            await session.get(API, headers=headers)
        (received,) = m.received
        assert received.headers.getall("X-Other") == ["a", "b"]
        assert received.headers["X-Word"] == "signed"
        # The code under test is on record with what it gave itself.
        m.assert_called_once_with(API, headers=headers)
    assert sorted((name.lower(), value) for name, value in given[0].items()) == [
        ("x-kept", "a"),
        ("x-other", "a"),
        ("x-other", "b"),
        ("x-word", "signed"),
    ]


async def test_a_url_that_a_middleware_sets_is_the_one_that_is_answered() -> None:
    async def discover(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.url = URL(f"{OTHER}?b=2&a=1")
        return await handler(request)

    with aioresponses() as m:
        m.get(API, status=500)
        m.get(f"{OTHER}?a=1&b=2", status=204)
        async with aiohttp.ClientSession(middlewares=[discover]) as session:
            assert (await session.get(API)).status == 204
        assert m.received[0].target == "/y?b=2&a=1"
        m.assert_called_once_with(API)


async def test_a_url_that_a_middleware_sets_may_pass_through() -> None:
    async with FaultServer(then=Reply(202)) as server:

        async def discover(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            request.url = server.url / "a"
            return await handler(request)

        with aioresponses(passthrough=[str(server.url)]) as m:
            async with (
                aiohttp.ClientSession(middlewares=[discover]) as session,
                session.get(API) as response,
            ):
                assert response.status == 202
            m.assert_not_called()
        assert server.hits == 1


# aiohttp's own second try, after a failure that a stale connection may have caused.


@pytest.mark.parametrize("hops", [1, 2])
async def test_a_failure_of_a_middlewares_own_is_tried_again_by_aiohttp(hops: int) -> None:
    runs: list[URL] = []

    async def fail_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        runs.append(request.url)
        if len(runs) == hops:
            raise aiohttp.ServerDisconnectedError
        return await handler(request)

    with aioresponses() as m:
        if hops == 2:
            m.get(OTHER, status=302, headers={"Location": API})
        m.get(API, status=204)
        async with aiohttp.ClientSession(middlewares=[fail_once]) as session:
            url = OTHER if hops == 2 else f"{API}#top"
            assert (await session.get(url)).status == 204
        m.assert_called_once_with(url)
    assert runs[-2:] == [URL(API)] * 2


async def test_a_failure_of_the_network_after_a_mocked_one_is_tried_again_by_aiohttp() -> None:
    async with FaultServer(Disconnect()) as server:

        async def fall_back(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            try:
                return await handler(request)
            except aiohttp.ServerDisconnectedError:
                request.url = server.url
                return await handler(request)

        with aioresponses(passthrough=[str(server.url)]) as m:
            m.get(API, exception=aiohttp.ServerDisconnectedError, repeat=2)
            async with (
                aiohttp.ClientSession(middlewares=[fall_back]) as session,
                session.get(API) as response,
            ):
                assert response.status == 200
        assert server.hits == 2
