"""Each example of the README of aioresponses 0.7.9, run against ours.

Its examples make their sessions outside of an event loop, which aiohttp has not allowed for
long; the calls are as documented.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp.http_exceptions import HttpProcessingError

from resilient.testing import CallbackResult, FaultServer, Reply, aioresponses

Session = aiohttp.ClientSession


async def test_as_a_decorator(session: Session) -> None:
    @aioresponses()
    async def test_request(mocked: aioresponses) -> None:
        mocked.get("http://example.com", status=200, body="test")
        resp = await session.get("http://example.com")

        assert resp.status == 200
        mocked.assert_called_once_with("http://example.com")

    await test_request()


def test_as_a_decorator_of_a_plain_function() -> None:
    async def fetch() -> int:
        async with aiohttp.ClientSession() as session, session.get("http://example.com") as resp:
            return resp.status

    @aioresponses()
    def test_request(mocked: aioresponses) -> None:
        mocked.get("http://example.com", status=200, body="test")
        with asyncio.Runner() as runner:
            assert runner.run(fetch()) == 200
        mocked.assert_called_once_with("http://example.com")

    test_request()


async def test_as_a_context_manager(session: Session) -> None:
    with aioresponses() as m:
        m.get("http://test.example.com", payload={"foo": "bar"})

        resp = await session.get("http://test.example.com")
        data = await resp.json()

        assert data == {"foo": "bar"}
        m.assert_called_once_with("http://test.example.com")


async def test_any_http_headers(session: Session) -> None:
    @aioresponses()
    async def test_http_headers(m: aioresponses) -> None:
        m.post("http://example.com", payload={}, headers={"connection": "keep-alive"})

        resp = await session.post("http://example.com")

        assert resp.headers["Connection"] == "keep-alive"
        m.assert_called_once_with("http://example.com", method="POST")

    await test_http_headers()


async def test_different_responses_for_the_same_url(session: Session) -> None:
    @aioresponses()
    async def test_multiple_responses(m: aioresponses) -> None:
        m.get("http://example.com", status=500)
        m.get("http://example.com", status=200)

        resp1 = await session.get("http://example.com")
        resp2 = await session.get("http://example.com")

        assert resp1.status == 500
        assert resp2.status == 200

    await test_multiple_responses()


async def test_repeat_a_response_for_the_same_url(session: Session) -> None:
    @aioresponses()
    async def test_multiple_responses(m: aioresponses) -> None:
        m.get("http://example.com", status=500, repeat=2)
        m.get("http://example.com", status=200)

        resp1 = await session.get("http://example.com")
        resp2 = await session.get("http://example.com")
        resp3 = await session.get("http://example.com")

        assert resp1.status == 500
        assert resp2.status == 500
        assert resp3.status == 200

    await test_multiple_responses()


async def test_match_urls_with_regular_expressions(session: Session) -> None:
    @aioresponses()
    async def test_regexp_example(m: aioresponses) -> None:
        pattern = re.compile(r"^http://example\.com/api\?foo=.*$")
        m.get(pattern, status=200)

        resp = await session.get("http://example.com/api?foo=bar")

        assert resp.status == 200

    await test_regexp_example()


async def test_redirects(session: Session) -> None:
    @aioresponses()
    async def test_redirect_example(m: aioresponses) -> None:
        m.get("http://example.com/", headers={"Location": "http://another.com/"}, status=307)
        # Their example leaves this out, and fails.
        m.get("http://another.com/")
        resp = await session.get("http://example.com/", allow_redirects=True)
        assert str(resp.url) == "http://another.com/"

        m.get("http://example.com/", headers={"Location": "/test"}, status=307)
        m.get("http://example.com/test")
        resp = await session.get("http://example.com/", allow_redirects=True)
        assert str(resp.url) == "http://example.com/test"

    await test_redirect_example()


async def test_passthrough_to_a_list_of_servers(session: Session) -> None:
    async with FaultServer(then=Reply(202)) as backend:

        @aioresponses(passthrough=[str(backend.url)])
        async def test_passthrough(m: aioresponses) -> None:
            async with session.get(backend.url / "api") as resp:
                assert resp.status == 202
            m.assert_not_called()

        await test_passthrough()
        assert backend.hits == 1


async def test_passthrough_of_all_that_is_not_mocked(session: Session) -> None:
    async with FaultServer(then=Reply(202)) as backend:

        @aioresponses(passthrough_unmatched=True)
        async def test_passthrough_unmatched(m: aioresponses) -> None:
            url = "https://httpbin.org/get"
            m.get(url, status=200)
            async with session.get(backend.url / "api") as resp:
                assert resp.status == 202
            resp2 = await session.get(url)
            assert resp2.status == 200

        await test_passthrough_unmatched()
        assert backend.hits == 1


async def test_how_to_throw_an_exception(session: Session) -> None:
    @aioresponses()
    async def test_exception(m: aioresponses) -> None:
        mocked = HttpProcessingError(message="test")
        m.get("http://example.com/api", exception=mocked)
        with pytest.raises(HttpProcessingError) as caught:
            await session.get("http://example.com/api")
        assert caught.value is mocked

    await test_exception()


async def test_callbacks_for_dynamic_responses(session: Session) -> None:
    def callback(url: object, **kwargs: Any) -> CallbackResult:
        return CallbackResult(status=418)

    @aioresponses()
    async def test_callback(m: aioresponses) -> None:
        m.get("http://example.com", callback=callback)

        resp = await session.get("http://example.com")

        assert resp.status == 418

    await test_callback()


@pytest.fixture
def mock_aioresponse() -> Iterator[aioresponses]:
    with aioresponses() as m:
        yield m


async def test_in_a_pytest_fixture(mock_aioresponse: aioresponses, session: Session) -> None:
    mock_aioresponse.get("http://example.com", status=204)
    assert (await session.get("http://example.com")).status == 204
