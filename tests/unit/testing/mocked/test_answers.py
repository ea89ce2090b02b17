"""What aioresponses does, ours does too: which answer a request gets, and what is in it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse
from multidict import CIMultiDict
from yarl import URL

from resilient.errors import ConfigError
from resilient.testing import CallbackResult, aioresponses

Session = aiohttp.ClientSession

API = "http://api.example/x"


# Which answer a request gets.


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
async def test_each_method_has_its_shortcut(session: Session, method: str) -> None:
    with aioresponses() as m:
        getattr(m, method.lower())(API, status=202)
        response = await session.request(method, API)
        assert (response.status, response.method) == (202, method)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.request(method, API)


async def test_an_answer_is_for_its_method_only(session: Session) -> None:
    with aioresponses() as m:
        m.get(API)
        with pytest.raises(
            aiohttp.ClientConnectionError, match=r"^Connection refused: POST http://api\.example/x$"
        ):
            await session.post(API)


async def test_the_order_of_the_query_does_not_matter(session: Session) -> None:
    with aioresponses() as m:
        m.get(f"{API}?b=2&a=1")
        assert (await session.get(API, params={"a": "1", "b": "2"})).status == 200
        m.assert_called_once_with(API, params={"a": "1", "b": "2"})


@pytest.mark.parametrize("url", [f"{API}#top", "http://user:secret@api.example/x", f"{API}?q=a b"])
async def test_a_url_is_matched_as_it_was_written(session: Session, url: str) -> None:
    with aioresponses() as m:
        m.get(url, status=204)
        assert (await session.get(url)).status == 204
        m.assert_called_once_with(url)


async def test_a_url_is_matched_as_it_is_sent(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, status=204)
        assert (await session.get("http://user:secret@api.example/x#top")).status == 204


async def test_a_pattern_is_matched_with_the_whole_url(session: Session) -> None:
    with aioresponses() as m:
        m.get(re.compile(r"^http://api\.example/\w\?a=1&b=2$"), repeat=True)
        assert (await session.get(f"{API}?b=2&a=1")).status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(API)


async def test_the_base_url_of_the_session_counts() -> None:
    with aioresponses() as m:
        m.get(API, status=204)
        async with aiohttp.ClientSession("http://api.example") as session:
            assert (await session.get("/x")).status == 204
        m.assert_called_once_with(API)


@pytest.mark.parametrize(
    ("repeat", "uses"), [(False, 1), (1, 1), (2, 2), (3, 3)], ids=lambda value: repr(value)
)
async def test_an_answer_is_used_so_often(session: Session, repeat: int, uses: int) -> None:
    with aioresponses() as m:
        m.get(API, repeat=repeat)
        for _ in range(uses):
            assert (await session.get(API)).status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(API)


async def test_an_answer_can_be_used_without_end(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, repeat=True)
        assert [(await session.get(API)).status for _ in range(20)] == [200] * 20


async def test_an_answer_is_used_once_however_long_its_callback_takes(session: Session) -> None:
    go_on = asyncio.Event()

    async def wait(url: URL, **kwargs: Any) -> CallbackResult:
        await go_on.wait()
        return CallbackResult(status=201)

    with aioresponses() as m:
        m.get(API, callback=wait)
        m.get(API, status=202, callback=lambda *_, **__: go_on.set())
        responses = await asyncio.gather(session.get(API), session.get(API))
        assert [response.status for response in responses] == [201, 202]


# What is in it.


async def test_an_answer_is_as_it_was_described(session: Session) -> None:
    headers = CIMultiDict([("X-Word", "a"), ("X-Word", "b"), ("Connection", "keep-alive")])
    with aioresponses() as m:
        m.get(
            API,
            status=418,
            reason="Short and stout",
            body=b"\xff\x00",
            content_type="application/octet-stream",
            headers=headers,
        )
        response = await session.get(API)
        assert (response.status, response.reason) == (418, "Short and stout")
        assert response.headers.getall("X-Word") == ["a", "b"]
        assert response.content_type == "application/octet-stream"
        assert response.raw_headers == (
            (b"Content-Type", b"application/octet-stream"),
            (b"X-Word", b"a"),
            (b"X-Word", b"b"),
            (b"Connection", b"keep-alive"),
        )
        assert await response.read() == b"\xff\x00"


async def test_a_content_type_among_the_headers_is_the_only_one(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, headers={"content-type": "text/html"})
        response = await session.get(API)
        assert response.headers.getall("Content-Type") == ["text/html"]


async def test_a_payload_is_json(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, payload={"a": ["é"]}, body="not this")
        response = await session.get(API)
        assert response.content_type == "application/json"
        assert await response.json() == {"a": ["é"]}


@pytest.mark.parametrize(
    ("status", "reason"), [(200, "OK"), (404, "Not Found"), (299, "")], ids=repr
)
async def test_a_status_brings_its_reason(session: Session, status: int, reason: str) -> None:
    with aioresponses() as m:
        m.get(API, status=status)
        m.get(API, callback=lambda *_, **__: CallbackResult(status=status))
        assert (await session.get(API)).reason == reason
        assert (await session.get(API)).reason == reason


async def test_a_body_that_is_none_is_refused(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, body={"a": 1})
        with pytest.raises(ConfigError, match=r"must be text or bytes, not \{'a': 1\}"):
            await session.get(API)


async def test_a_response_can_be_of_any_class(session: Session) -> None:
    class Mine(ClientResponse):
        pass

    with aioresponses() as m:
        m.get(API, response_class=Mine, body="a")
        m.get(API, callback=lambda *_, **__: CallbackResult(response_class=Mine, body="b"))
        m.get(API, body="c")
        for kind, text in ((Mine, "a"), (Mine, "b"), (ClientResponse, "c")):
            response = await session.get(API)
            assert type(response) is kind
            assert await response.text() == text


async def test_a_response_is_of_the_sessions_class() -> None:
    class Mine(ClientResponse):
        pass

    with aioresponses() as m:
        m.get(API)
        async with aiohttp.ClientSession(response_class=Mine) as session:
            assert type(await session.get(API)) is Mine
