"""What aioresponses does, ours does too, with every aiohttp that is supported."""

from __future__ import annotations

import asyncio
import copy
import re
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse
from multidict import CIMultiDict
from yarl import URL

from resilient.errors import ConfigError
from resilient.testing import Disconnect, FaultServer, Reply
from resilient.testing.aioresponses import CallbackResult, aioresponses

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


# What is answered.


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


# Callbacks.


async def test_a_callback_is_given_what_the_call_was_given(session: Session) -> None:
    given: list[Any] = []
    with aioresponses() as m:
        m.get(f"{API}?a=1#top", callback=lambda url, **kwargs: given.extend((url, kwargs)))
        await session.get(f"{API}#top", params={"a": "1"}, headers={"X-Word": "a"})
    assert given == [
        URL(f"{API}?a=1#top"),
        {"allow_redirects": True, "params": {"a": "1"}, "headers": {"X-Word": "a"}},
    ]


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


# Exceptions.


@pytest.mark.parametrize(
    "exception",
    [
        ValueError("oops"),
        ValueError,
        BaseException(),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
        asyncio.CancelledError(),
        asyncio.CancelledError,
        aiohttp.ClientPayloadError("cut"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ServerDisconnectedError,
        aiohttp.ClientOSError(104, "Connection reset by peer"),
        aiohttp.ServerTimeoutError("late"),
        aiohttp.ConnectionTimeoutError("late"),
    ],
    ids=repr,
)
async def test_the_exception_that_is_mocked_comes_out(session: Session, exception: Any) -> None:
    with aioresponses() as m:
        m.get(API, exception=exception)
        m.get(API, status=204)
        kind = exception if isinstance(exception, type) else type(exception)
        with pytest.raises(kind) as caught:
            await session.get(API)
        assert exception in (caught.value, kind)
        # Once: what is mocked after it is for the next call, whatever aiohttp tries again.
        assert len(m.requests["GET", URL(API)]) == 1
        assert (await session.get(API)).status == 204


async def test_a_timeout_can_be_mocked(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, timeout=True)
        with pytest.raises(asyncio.TimeoutError):
            await session.get(API)


async def test_a_callback_runs_before_the_exception(session: Session) -> None:
    called: list[URL] = []
    with aioresponses() as m:
        refused = aiohttp.ConnectionTimeoutError()
        m.get(API, exception=ValueError(), callback=lambda url, **_: called.append(url))
        m.get(API, exception=refused, callback=lambda url, **_: called.append(url))
        with pytest.raises(ValueError):  # noqa: PT011 (nothing is said)
            await session.get(API)
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await session.get(API)
    assert called == [URL(API)] * 2


async def test_the_sessions_own_timeout_cuts_a_callback_off() -> None:
    async def hang(url: URL, **kwargs: Any) -> None:
        await asyncio.Event().wait()

    with aioresponses() as m:
        m.get(API, callback=hang)
        timeout = aiohttp.ClientTimeout(total=0.01)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with pytest.raises(TimeoutError):
                await session.get(API)


async def test_a_closed_session_says_so(session: Session) -> None:
    await session.close()
    with aioresponses() as m:
        m.get(API)
        with pytest.raises(RuntimeError, match=r"^Session is closed$"):
            await session.get(API)
        m.assert_not_called()


async def test_a_url_that_is_none_is_for_aiohttp_to_refuse(session: Session) -> None:
    with aioresponses():
        with pytest.raises(aiohttp.InvalidURL):
            await session.get("http://[")
        with pytest.raises(aiohttp.NonHttpUrlClientError):
            await session.get("ftp://api.example/x")


# raise_for_status.


@pytest.mark.parametrize(
    ("of_session", "of_call", "raises"),
    [(False, None, False), (False, True, True), (True, None, True), (True, False, False)],
)
async def test_raise_for_status(of_session: bool, of_call: bool | None, raises: bool) -> None:
    with aioresponses() as m:
        m.get(API, status=404)
        async with aiohttp.ClientSession(raise_for_status=of_session) as session:
            if not raises:
                assert (await session.get(API, raise_for_status=of_call)).status == 404
                return
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await session.get(API, raise_for_status=of_call)
            assert (caught.value.status, caught.value.message) == (404, "Not Found")


async def test_raise_for_status_as_a_function(session: Session) -> None:
    seen: list[int] = []

    async def look(response: ClientResponse) -> None:
        seen.append(response.status)

    with aioresponses() as m:
        m.get(API, status=404)
        await session.get(API, raise_for_status=look)
    assert seen == [404]


# Records and assertions.


async def test_a_record_is_what_the_call_was_given(session: Session) -> None:
    body = [1]
    with aioresponses() as m:
        m.get(API, repeat=True)
        await session.get(API, json=body)
        body[:] = [2]
        await session.request("get", API, json=body)
        first, second = m.requests["GET", URL(API)]
        assert first == ((), {"allow_redirects": True, "json": [1]})
        assert second == ((), {"allow_redirects": True, "json": [2]})


async def test_what_is_not_mocked_is_on_record(session: Session) -> None:
    with aioresponses() as m:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(API)
        m.assert_called_once_with(API)
        assert m.received == []


async def test_the_assertions(session: Session) -> None:
    with aioresponses() as m:
        m.post(API, repeat=True)
        m.assert_not_called()
        with pytest.raises(AssertionError):
            m.assert_called()
        await session.post(API, data="a", headers={"X-Word": "b"})
        m.assert_called()
        m.assert_called_once()
        m.assert_any_call(API, method="POST")
        m.assert_called_with(API, method="post", data="a", headers={"X-Word": "b"})
        m.assert_called_once_with(API, method="POST", args_to_match=["data"], data="a")
        for wrong in ({"data": "c"}, {"data": "a"}):
            with pytest.raises(AssertionError):
                m.assert_called_with(API, method="POST", **wrong)
        with pytest.raises(AssertionError):
            m.assert_any_call("http://other.example")
        with pytest.raises(AssertionError):
            m.assert_not_called()
        await session.post(API)
        with pytest.raises(AssertionError):
            m.assert_called_once()


async def test_middlewares_of_a_call_are_on_record_as_themselves(session: Session) -> None:
    class Middleware:
        def __deepcopy__(self, memo: object) -> Middleware:
            return Middleware()

        async def __call__(self, request: Any, handler: Any) -> ClientResponse:
            response: ClientResponse = await handler(request)
            return response

    middlewares = [Middleware()]
    assert copy.deepcopy(middlewares) != middlewares
    with aioresponses() as m:
        m.get(API)
        await session.get(API, middlewares=middlewares)
        m.assert_called_once_with(API, middlewares=middlewares)


# Its life.


async def test_it_can_be_started_and_stopped_by_hand(session: Session) -> None:
    m = aioresponses()
    m.start()
    m.get(API, body="left")
    response = await session.get(API)
    m.stop()
    with pytest.raises(aiohttp.ClientConnectionError, match="closed"):
        await response.read()
    async with FaultServer(then=Reply(202)) as server, session.get(server.url) as real:
        assert real.status == 202


async def test_its_argument_can_be_named(session: Session) -> None:
    @aioresponses(param="mocked")
    async def named(first: int, *, mocked: aioresponses) -> int:
        mocked.get(API, status=204)
        return first + (await session.get(API)).status

    assert await named(1) == 205


async def test_clear_forgets_the_answers(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, repeat=True)
        await session.get(API)
        m.clear()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(API)


# To the network.


async def test_what_passes_through_is_not_on_record(session: Session) -> None:
    async with FaultServer(then=Reply(202)) as server:
        with aioresponses(passthrough=[str(server.url)]) as m:
            m.get(API)
            async with session.get(server.url / "a", params={"b": "c"}) as response:
                assert (response.status, response.url.query_string) == (202, "b=c")
            assert (await session.get(API)).status == 200
            m.assert_called_once_with(API)
        assert server.hits == 1


async def test_what_is_not_mocked_passes_with_its_body_unread(session: Session) -> None:
    async def parts() -> Any:
        yield b"ab"

    async with FaultServer(then=Reply(202)) as server:
        with aioresponses(passthrough_unmatched=True) as m:
            async with session.post(server.url, data=parts()) as response:
                assert response.status == 202
            m.assert_called_once()
        assert [request.body for request in server.requests] == [b"ab"]


async def test_what_passes_has_aiohttps_own_second_try(session: Session) -> None:
    async with FaultServer(Disconnect()) as server:
        with aioresponses(passthrough_unmatched=True):
            async with session.get(server.url) as response:
                assert response.status == 200
        assert server.hits == 2
