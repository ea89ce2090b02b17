"""Promise 4: a response that is discarded or raised leaves its cookies, as with aiohttp alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from resilient import Backoff, ErrorPolicy, NormalizeErrors, Retry, RetryPolicy
from resilient.testing import FakeClock, FaultServer, Reply

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession


def retry(clock: FakeClock) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    return Retry(RetryPolicy(max_attempts=2, backoff=backoff, budget=None), clock=clock)


def setting(status: int, *cookies: str) -> Reply:
    return Reply(status, headers=[("Set-Cookie", cookie) for cookie in cookies])


def jar(**options: Any) -> aiohttp.CookieJar:
    return aiohttp.CookieJar(unsafe=True, **options)  # or it has none for an IP address


def kept(session: aiohttp.ClientSession, url: URL) -> dict[str, str]:
    return {name: each.value for name, each in session.cookie_jar.filter_cookies(url).items()}


wrapped = pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "wrapped"])
SOME = ("a=1", "b=2; Path=/", "c=3; Path=/elsewhere", "d=4; Max-Age=0", "not a cookie")


@wrapped
@pytest.mark.parametrize(
    ("ours", "replies"),
    [
        ("raised", [setting(401, *SOME)]),
        ("discarded", [setting(503, *SOME), Reply(200)]),
        ("raised and repeated", [setting(503, *SOME), Reply(200)]),
        ("handed over", [setting(200, *SOME)]),
        ("handed over as an error", [setting(404, *SOME)]),
    ],
)
async def test_they_reach_the_jar(
    ours: str,
    replies: list[Reply],
    wrapped: bool,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    middlewares: dict[str, list[Any]] = {
        "raised": [NormalizeErrors()],
        "discarded": [retry(clock)],
        "raised and repeated": [retry(clock), NormalizeErrors()],
        "handed over": [retry(clock), NormalizeErrors()],
        "handed over as an error": [retry(clock), NormalizeErrors(ErrorPolicy(ignore={404}))],
    }
    session = open_session(*middlewares[ours], wrapped=wrapped, cookie_jar=jar())
    async with FaultServer(*replies) as server:
        await fetch(session, "GET", server.url / "path")
        assert kept(session, server.url) == {"a": "1", "b": "2"}
        assert kept(session, server.url / "elsewhere") == {"a": "1", "b": "2", "c": "3"}
        await fetch(session, "GET", server.url)
        assert server.requests[-1].headers["Cookie"] == "a=1; b=2"


@wrapped
async def test_as_with_aiohttp_alone(
    wrapped: bool, open_session: OpenSession, fetch: Fetch
) -> None:
    ours = open_session(NormalizeErrors(), wrapped=wrapped, cookie_jar=jar())
    bare = open_session(cookie_jar=jar())
    twice = ("a=1; Path=/x", "a=2; Path=/", "a=3", 'q="quoted"', "bad name=1", "=", "")
    async with FaultServer(then=setting(500, *twice)) as server:
        for session in (ours, bare):
            await fetch(session, "GET", server.url / "x" / "y")
    for path in ("", "x", "x/y", "x/y/z"):
        assert kept(ours, server.url / path) == kept(bare, server.url / path)
    assert len(ours.cookie_jar) == len(bare.cookie_jar)


@wrapped
async def test_the_next_attempt_sends_what_its_request_was_made_with(
    wrapped: bool, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(
        retry(clock), NormalizeErrors(), wrapped=wrapped, cookie_jar=jar(), cookies={"x": "0"}
    )
    async with FaultServer(setting(503, "x=1")) as server:
        assert await fetch(session, "GET", server.url) == 200
        assert await fetch(session, "GET", server.url) == 200
        sent = [request.headers["Cookie"] for request in server.requests]
    assert sent == ["x=0", "x=0", "x=1"]


async def test_each_response_once(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    class Counting(aiohttp.CookieJar):
        updates = 0

        def update_cookies_from_headers(self, headers: Any, response_url: URL) -> None:
            self.updates += 1
            super().update_cookies_from_headers(headers, response_url)

    counting = Counting()
    session = open_session(retry(clock), NormalizeErrors(), cookie_jar=counting)
    replies = [setting(503, "a=1"), setting(200, "a=1"), setting(404, "a=1"), Reply(200)]
    async with FaultServer(*replies) as server:
        for expected in (2, 3, 3):
            await fetch(session, "GET", server.url)
            assert counting.updates == expected


async def test_a_jar_that_keeps_nothing_keeps_nothing(
    open_session: OpenSession, fetch: Fetch
) -> None:
    session = open_session(NormalizeErrors(), cookie_jar=aiohttp.DummyCookieJar())
    async with FaultServer(then=setting(500, "a=1")) as server:
        for _ in range(2):
            await fetch(session, "GET", server.url)
        assert "Cookie" not in server.requests[-1].headers


async def test_the_one_before_a_redirect_and_after_it(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), NormalizeErrors(), wrapped=True, cookie_jar=jar())
    there = Reply(302, headers=[("Location", "/there"), ("Set-Cookie", "a=1")])
    async with FaultServer(setting(503, "b=2"), there, setting(404, "c=3")) as server:
        await fetch(session, "GET", server.url)
        assert kept(session, server.url) == {"a": "1", "b": "2", "c": "3"}
        assert [request.headers.get("Cookie") for request in server.requests] == [
            None,
            None,
            "a=1; b=2",
        ]


async def test_one_that_another_middleware_dropped_and_ours_discards(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    async def drops(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await handler(request)
        if response.status == 503:
            raise aiohttp.ClientPayloadError("not good enough")
        return response

    session = open_session(retry(clock), drops, cookie_jar=jar())
    reply = Reply(503, headers=[("Set-Cookie", "a=1")], body=b"x" * 100, body_delay=0.01)
    async with FaultServer(reply) as server:
        assert await fetch(session, "GET", server.url) == 200
        assert kept(session, server.url) == {"a": "1"}
