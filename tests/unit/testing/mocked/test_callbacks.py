"""Callbacks of mocked answers."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from yarl import URL

from resilient.testing import CallbackResult, aioresponses

Session = aiohttp.ClientSession

API = "http://api.example/x"


async def test_a_callback_is_given_what_the_call_was_given(session: Session) -> None:
    given: list[Any] = []
    with aioresponses() as m:
        m.get(f"{API}?a=1#top", callback=lambda url, **kwargs: given.extend((url, kwargs)))
        await session.get(f"{API}#top", params={"a": "1"}, headers={"X-Word": "a"})
    assert given == [
        URL(f"{API}?a=1#top"),
        {"allow_redirects": True, "params": {"a": "1"}, "headers": {"X-Word": "a"}},
    ]


async def test_a_callback_is_given_nothing_else(session: Session) -> None:
    given: list[Any] = []
    with aioresponses() as m:
        m.get(API, callback=lambda url, **kwargs: given.append(kwargs))
        async with session.request("get", API):
            pass
    assert given == [{"allow_redirects": True}]


async def test_a_callback_is_given_the_headers_of_the_session() -> None:
    given: list[Any] = []
    with aioresponses() as m:
        m.get(API, callback=lambda url, **kwargs: given.append(kwargs["headers"]))
        async with aiohttp.ClientSession(headers={"X-Word": "a"}) as session:
            await session.get(API, headers={"X-Other": "b"})
    assert given == [{"X-Word": "a", "X-Other": "b"}]


async def test_a_callback_may_leave_the_answer_as_it_is(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, status=204, callback=lambda url, **kwargs: None)
        assert (await session.get(API)).status == 204


async def test_a_callback_may_be_anything_that_is_awaited(session: Session) -> None:
    class Callback:
        async def __call__(self, url: URL, **kwargs: Any) -> CallbackResult:
            await asyncio.sleep(0)
            return CallbackResult(status=202, payload={"a": 1}, headers={"X-Word": "a"})

    with aioresponses() as m:
        m.get(API, callback=Callback())
        response = await session.get(API)
        assert (response.status, await response.json()) == (202, {"a": 1})
        assert response.headers["X-Word"] == "a"


async def test_the_error_of_a_callback_comes_out(session: Session) -> None:
    def fail(url: URL, **kwargs: Any) -> None:
        raise LookupError("of the callback's")

    with aioresponses() as m:
        m.get(API, callback=fail)
        with pytest.raises(LookupError, match="of the callback's"):
            await session.get(API)


async def test_an_async_body_reaches_callback_and_record_as_bytes(session: Session) -> None:
    given: list[Any] = []

    async def parts() -> Any:
        yield b"ab"
        yield b"cd"

    with aioresponses() as m:
        m.post(API, callback=lambda url, **kwargs: given.append(kwargs["data"]))
        await session.post(API, data=parts())
        m.assert_called_once_with(API, method="POST", data=b"abcd")
    assert given == [b"abcd"]
