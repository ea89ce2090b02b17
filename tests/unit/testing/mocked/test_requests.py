"""The request that middlewares get is a real one, and its body is really written."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from resilient.testing import CallbackResult, aioresponses
from tests.unit.testing.mocked.support import Log

API = "http://api.example/x"
OTHER = "http://other.example/y"


def is_consumed(request: ClientRequest) -> bool:
    body: Any = request.body
    return bool(body.consumed)


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
            assert "Connection" not in received.headers
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
    ids=["json", "form", "bytes", "chunked", "long", "text", "file", "expect", "none"],
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


@pytest.mark.parametrize("of_callback", [False, True])
async def test_the_request_knows_its_response(of_callback: bool) -> None:
    class Mine(ClientResponse):
        pass

    async def look(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        known.append(request.response)
        assert request.response_class is ClientResponse
        return response

    known: list[Any] = []
    kind = Mine if of_callback else None
    with aioresponses() as m:
        m.get(API, callback=lambda *_, **__: CallbackResult(response_class=kind))
        async with aiohttp.ClientSession(middlewares=[look]) as session:
            response = await session.get(API)
    assert isinstance(response, Mine) is of_callback
    assert known == [response]
