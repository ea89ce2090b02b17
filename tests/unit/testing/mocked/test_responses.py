"""A mocked response behaves as one that came over a socket."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import aiohttp
import pytest
from yarl import URL

from resilient.testing import aioresponses

Session = aiohttp.ClientSession

API = "http://api.example/x"
LONG = bytes(range(256)) * 1000


async def test_it_knows_where_it_comes_from(session: Session) -> None:
    with aioresponses() as m:
        m.put(f"{API}?b=2&a=1#top")
        response = await session.put(f"{API}?b=2&a=1#top", headers={"X-Word": "a"})
        assert (response.method, response.url) == ("PUT", URL(f"{API}?b=2&a=1"))
        assert response.real_url == URL(f"{API}?b=2&a=1#top")
        info = response.request_info
        assert (info.method, info.url) == ("PUT", URL(f"{API}?b=2&a=1"))
        assert (info.headers["X-Word"], info.headers["Host"]) == ("a", "api.example")
        assert response.history == ()
        assert (response.version, response.ok) == (aiohttp.HttpVersion11, True)


async def test_its_cookies_reach_the_jar_and_the_next_request(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, headers={"Set-Cookie": "k=v; Path=/"})
        m.get(API)
        response = await session.get(API)
        assert response.cookies["k"].value == "v"
        assert session.cookie_jar.filter_cookies(URL(API))["k"].value == "v"
        await session.get(API)
        assert ["Cookie" in received.headers for received in m.received] == [False, True]
        assert m.received[1].headers["Cookie"] == "k=v"


async def test_its_body_can_be_read_in_every_way(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, body=LONG, repeat=True)
        async with session.get(API) as response:
            assert await response.read() == await response.read() == LONG
        async with session.get(API) as response:
            chunks = [chunk async for chunk in response.content.iter_chunked(1000)]
            assert (b"".join(chunks), {len(chunk) for chunk in chunks}) == (LONG, {1000})
        async with session.get(API) as response:
            assert await response.content.readexactly(300) == LONG[:300]
            assert await response.content.read() == LONG[300:]
            assert response.content.at_eof()
        async with session.get(API) as response:
            assert b"".join([chunk async for chunk in response.content.iter_any()]) == LONG


async def test_its_text_is_decoded_as_its_type_says(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, body="é".encode("latin-1"), content_type="text/plain; charset=latin-1")
        response = await session.get(API)
        assert (await response.text(), response.charset) == ("é", "latin-1")


async def test_json_of_another_type_is_refused_as_ever(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, body="[1]", content_type="text/html")
        response = await session.get(API)
        with pytest.raises(aiohttp.ContentTypeError):
            await response.json()
        assert await response.json(content_type=None) == [1]


@pytest.mark.parametrize("end", ["release", "close"])
async def test_it_can_be_given_up_unread(session: Session, end: str) -> None:
    with aioresponses() as m:
        m.get(API, body=LONG)
        response = await session.get(API)
        getattr(response, end)()
        assert response.closed
        with pytest.raises(aiohttp.ClientConnectionError):
            await response.read()


async def test_it_holds_no_connection(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, body=LONG)
        response = await session.get(API)
        assert response.connection is None
        assert session.connector is not None
        assert not session.connector._acquired


async def test_nothing_complains_of_what_is_dropped() -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    try:
        with aioresponses() as m:
            m.get(API, body=LONG)
            m.get(API, status=404)
            m.get(API, exception=aiohttp.ServerDisconnectedError())
            m.get(API, status=302, headers={"Location": "/y"})
            async with aiohttp.ClientSession() as session:
                await session.get(API)
                with pytest.raises(aiohttp.ClientResponseError):
                    await session.get(API, raise_for_status=True)
                with pytest.raises(aiohttp.ServerDisconnectedError):
                    await session.get(API)
                with pytest.raises(aiohttp.ClientConnectionError):
                    await session.get(API)
            del session
        gc.collect()
    finally:
        loop.set_debug(False)


async def test_a_call_that_is_cancelled_leaves_no_upload_behind(session: Session) -> None:
    started = asyncio.Event()
    stopped: list[str] = []

    async def endless() -> Any:
        try:
            yield b"a"
            started.set()
            await asyncio.Event().wait()
        finally:
            stopped.append("upload")

    with aioresponses() as m:
        m.post(API)
        call = asyncio.create_task(session.post(API, data=endless()))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0)
        assert stopped == ["upload"]
        assert m.received == []


async def test_a_call_that_is_cancelled_in_its_callback_stops(session: Session) -> None:
    started = asyncio.Event()

    async def hang(url: URL, **kwargs: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    with aioresponses() as m:
        m.get(API, callback=hang)
        call = asyncio.create_task(session.get(API))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_calls_at_once_do_not_mix(session: Session) -> None:
    async def wait(url: URL, **kwargs: Any) -> None:
        await asyncio.sleep(0)

    with aioresponses() as m:
        for number in range(20):
            m.post(f"{API}/{number}", payload=number, callback=wait)
        responses = await asyncio.gather(
            *(session.post(f"{API}/{number}", json=number) for number in range(20))
        )
        assert [await response.json() for response in responses] == list(range(20))
        assert sorted(received.connection for received in m.received) == list(range(1, 21))
        assert {received.path: received.body for received in m.received} == {
            f"/x/{number}": str(number).encode() for number in range(20)
        }


async def test_a_refused_handshake_is_refused(session: Session) -> None:
    with aioresponses() as m:
        m.get("ws://api.example/x", status=403)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect("ws://api.example/x")
        assert caught.value.status == 403


@pytest.mark.skipif(not hasattr(aiohttp, "UploadTracker"), reason="new in aiohttp 3.14.4")
async def test_an_upload_can_be_tracked(session: Session) -> None:
    written: list[int] = []

    async def parts() -> Any:
        yield b"abc"
        written.append(tracker.bytes_written)
        yield b"de"

    tracker = aiohttp.UploadTracker()
    with aioresponses() as m:
        m.post(API)
        await session.post(API, data=parts(), upload_tracker=tracker)
    assert (written, tracker.bytes_written, tracker.attempts) == ([3], 5, 1)
