"""Middlewares run around mocked answers as they run around a network."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from resilient.testing import FaultServer, Reply
from resilient.testing.aioresponses import CallbackResult, aioresponses

API = "http://api.example/x"
OTHER = "http://other.example/y"

Middleware = Callable[[ClientRequest, ClientHandlerType], Awaitable[ClientResponse]]


class Log:
    """What middlewares that it makes have seen, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.requests: list[ClientRequest] = []

    def named(self, name: str) -> Middleware:
        async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            self.requests.append(request)
            self.lines.append(f"{name} {request.method} {request.url}")
            response = await handler(request)
            self.lines.append(f"{name} {response.status}")
            return response

        return middleware


@pytest.fixture
def log() -> Log:
    return Log()


async def again(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Send a request until there is a response that is no error."""
    while (response := await handler(request)).status >= 400:
        response.release()
    return response


def is_consumed(request: ClientRequest) -> bool:
    body: Any = request.body
    return bool(body.consumed)


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


# The request.


async def test_the_request_is_a_real_one(log: Log) -> None:
    async with aiohttp.ClientSession(
        "http://api.example",
        headers={"X-Session": "a"},
        cookies={"c": "d"},
        middlewares=[log.named("m")],
    ) as session:
        with aioresponses() as m:
            m.post(f"{API}?p=q")
            await session.post("/x", params={"p": "q"}, headers={"X-Call": "b"}, json={"k": "v"})
            (request,) = log.requests
            assert type(request) is ClientRequest
            assert request.session is session
            assert (request.method, request.url) == ("POST", URL(f"{API}?p=q"))
            for name, value in {
                "Host": "api.example",
                "X-Session": "a",
                "X-Call": "b",
                "Cookie": "c=d",
                "Content-Type": "application/json",
                "Content-Length": "10",
            }.items():
                assert request.headers[name] == m.received[0].headers[name] == value
            (received,) = m.received
            assert (received.method, received.target) == ("POST", "/x?p=q")
            assert (received.body, received.complete) == (b'{"k": "v"}', True)


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"json": {"a": "é"}}, b'{"a": "\\u00e9"}'),
        ({"data": {"a": "b c"}}, b"a=b+c"),
        ({"data": b"abc"}, b"abc"),
        ({"data": b"abc", "chunked": True}, b"abc"),
        ({"data": b"abc" * 100_000}, b"abc" * 100_000),
        ({"data": "é"}, "é".encode()),
        ({"data": io.BytesIO(b"abc")}, b"abc"),
        ({"data": b"abc", "expect100": True}, b"abc"),
        ({}, b""),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_body_is_written_again_for_each_run(options: dict[str, Any], body: bytes) -> None:
    with aioresponses() as m:
        m.put(API, status=503)
        m.put(API)

        async def twice(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            (await handler(request)).release()
            request.update_expect_continue()
            return await handler(request)

        async with aiohttp.ClientSession() as session:
            assert (await session.put(API, middlewares=[twice], **options)).status == 200
        assert [received.body for received in m.received] == [body, body]
        assert all(received.complete for received in m.received)


async def test_a_body_that_is_read_once_is_consumed() -> None:
    async def parts() -> Any:
        yield b"abc"

    async def look(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        before = is_consumed(request)
        response = await handler(request)
        consumed.append((before, is_consumed(request)))
        return response

    consumed: list[tuple[bool, bool]] = []
    with aioresponses() as m:
        m.post(API)
        async with aiohttp.ClientSession(middlewares=[look]) as session:
            await session.post(API, data=parts())
    assert consumed == [(False, True)]


@pytest.mark.parametrize("mocked", [True, False], ids=["mocked", "not mocked"])
async def test_a_refused_connection_leaves_the_request_unsent(mocked: bool) -> None:
    async def parts() -> Any:
        yield b"abc"

    async def persist(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        with pytest.raises(aiohttp.ClientConnectionError):
            await handler(request)
        assert not is_consumed(request)
        assert request.response is None
        m.post(API, status=201)
        return await handler(request)

    with aioresponses() as m:
        if mocked:
            m.post(API, exception=aiohttp.ConnectionTimeoutError)
        async with aiohttp.ClientSession(middlewares=[persist]) as session:
            assert (await session.post(API, data=parts())).status == 201
        assert [received.body for received in m.received] == [b"abc"]


async def test_a_body_that_fails_fails_the_request(log: Log) -> None:
    async def parts() -> Any:
        yield b"abc"
        raise LookupError("no more of it")

    with aioresponses() as m:
        m.post(API)
        async with aiohttp.ClientSession(middlewares=[log.named("m")]) as session:
            with pytest.raises(aiohttp.ClientConnectionError, match="no more of it") as caught:
                await session.post(API, data=parts())
        assert isinstance(caught.value.__cause__, LookupError)
        assert m.received == []


async def test_a_body_shorter_than_announced_is_incomplete() -> None:
    with aioresponses() as m:
        m.post(API)
        async with aiohttp.ClientSession() as session:
            headers = {"Content-Length": "10"}
            assert (await session.post(API, data=b"abc", headers=headers)).status == 200
        assert (m.received[0].body, m.received[0].complete) == (b"abc", False)


async def test_traces_see_the_exchange() -> None:
    seen: list[str] = []
    traces = aiohttp.TraceConfig()
    for name in (
        "request_start",
        "request_headers_sent",
        "request_chunk_sent",
        "request_exception",
        "request_end",
        "response_chunk_received",
    ):

        async def note(session: object, context: object, params: Any, name: str = name) -> None:
            seen.append(name)

        getattr(traces, f"on_{name}").append(note)
    with aioresponses() as m:
        m.post(API, body="a")
        m.post(API, exception=aiohttp.ServerDisconnectedError())
        async with aiohttp.ClientSession(trace_configs=[traces]) as session:
            response = await session.post(API, data=b"b")
            await response.read()
            assert seen == [
                "request_start",
                "request_headers_sent",
                "request_chunk_sent",
                "request_end",
                "response_chunk_received",
            ]
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.post(API)
            assert seen[-1] == "request_exception"


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
        request.url = URL(OTHER)
        return await handler(request)

    with aioresponses() as m:
        m.get(API, status=500)
        m.get(OTHER, status=204)
        async with aiohttp.ClientSession(middlewares=[discover]) as session:
            assert (await session.get(API)).status == 204
        assert m.received[0].path == "/y"
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


# Redirects.


async def test_each_hop_passes_the_middlewares(log: Log) -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": OTHER})
        m.get(OTHER, status=307, headers={"Location": "z"})
        m.get("http://other.example/z", status=204)
        async with aiohttp.ClientSession(middlewares=[log.named("m")]) as session:
            response = await session.get(API)
        assert response.url == URL("http://other.example/z")
        assert [hop.status for hop in response.history] == [302, 307]
        assert [hop.url for hop in response.history] == [URL(API), URL(OTHER)]
        assert log.lines[::2] == [
            f"m GET {API}",
            f"m GET {OTHER}",
            "m GET http://other.example/z",
        ]
        assert len(set(map(id, log.requests))) == 3
        assert [received.path for received in m.received] == ["/x", "/y", "/z"]
        # One thing was asked for.
        m.assert_called_once_with(API)


@pytest.mark.parametrize(
    ("status", "method", "body"), [(303, "GET", b""), (302, "GET", b""), (307, "POST", b"a")]
)
async def test_a_redirect_keeps_the_method_where_aiohttp_does(
    status: int, method: str, body: bytes
) -> None:
    with aioresponses() as m:
        m.post(API, status=status, headers={"Location": OTHER})
        m.add(OTHER, method=method)
        async with aiohttp.ClientSession() as session:
            response = await session.post(API, data=b"a")
        assert (response.status, response.method) == (200, method)
        assert [(each.method, each.body) for each in m.received] == [("POST", b"a"), (method, body)]


async def test_a_redirect_may_be_answered_by_what_is_mocked_for_get() -> None:
    with aioresponses() as m:
        m.post(API, status=307, headers={"Location": OTHER})
        m.get(OTHER, status=201)
        m.post(OTHER, status=202)
        async with aiohttp.ClientSession() as session:
            # The method's own is the better match, wherever it stands.
            assert (await session.post(API)).status == 202
            m.post(API, status=307, headers={"Location": OTHER})
            response = await session.post(API)
            assert (response.status, response.method) == (201, "POST")


async def test_a_redirect_forgets_the_credentials_for_another_host() -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": OTHER})
        m.get(OTHER)
        async with aiohttp.ClientSession() as session:
            await session.get(API, headers={"Authorization": "Bearer secret"})
        assert ["Authorization" in each.headers for each in m.received] == [True, False]


async def test_redirects_end_where_the_call_says() -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": API}, repeat=True)
        async with aiohttp.ClientSession() as session:
            assert (await session.get(API, allow_redirects=False)).status == 302
            with pytest.raises(aiohttp.TooManyRedirects):
                await session.get(API, max_redirects=3)


async def test_a_redirect_to_nowhere_is_an_answer() -> None:
    with aioresponses() as m:
        m.get(API, status=302)
        async with aiohttp.ClientSession() as session:
            assert (await session.get(API)).status == 302


async def test_a_redirect_to_what_is_not_mocked_names_it() -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": f"{OTHER}#top"})
        async with aiohttp.ClientSession() as session:
            refused = f"^Connection refused: GET {OTHER}#top$"
            with pytest.raises(aiohttp.ClientConnectionError, match=refused):
                await session.get(API)


async def test_a_redirect_may_lead_to_the_network() -> None:
    async with FaultServer(then=Reply(202)) as server:
        with aioresponses(passthrough=[str(server.url)]) as m:
            m.get(API, status=302, headers={"Location": str(server.url)})
            async with aiohttp.ClientSession() as session, session.get(API) as response:
                assert response.status == 202
                assert [hop.status for hop in response.history] == [302]
