"""Promise 2, the keys: one per call and origin, the same on each attempt; the caller's own wins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from resilient import Backoff, NormalizeErrors, Retry, RetryPolicy
from resilient.testing import Disconnect, FakeClock, FaultServer, Received, Reply

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

KEY = "Idempotency-Key"


def retry(clock: FakeClock, **changes: Any) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    given: dict[str, Any] = {
        "backoff": backoff,
        "budget": None,
        "idempotency_header": KEY,
    } | changes
    return Retry(RetryPolicy(**given), clock=clock)


def keys(requests: Any) -> list[str | None]:
    return [request.headers.get(KEY) for request in requests]


def redirect(to: object) -> Reply:
    return Reply(307, headers={"Location": str(to)})


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
async def test_every_attempt_of_a_call_has_the_same_key_and_every_call_another(
    wrapped: bool, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), NormalizeErrors(), wrapped=wrapped)
    async with FaultServer(Reply(503), Disconnect()) as server:
        assert await fetch(session, "POST", server.url) == 200
        assert await fetch(session, "POST", server.url) == 200
        first, second, third, fourth = keys(server.requests)
    assert first
    assert first == second == third != fourth
    assert fourth


async def test_calls_at_once_have_keys_of_their_own(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock))
    seen: dict[str, list[str | None]] = {}

    def fail_once(request: Received) -> Reply:
        attempts = seen.setdefault(request.path, [])
        attempts.append(request.headers.get(KEY))
        return Reply(503 if len(attempts) == 1 else 200)

    async with FaultServer(then=fail_once) as server:
        await asyncio.gather(
            *(fetch(session, "POST", server.url / str(number)) for number in range(20))
        )
    assert all(first == second for first, second in seen.values())
    assert len({first for first, _ in seen.values()}) == 20


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_what_needs_no_key_gets_none(
    method: str, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock))
    async with FaultServer(Reply(503)) as server:
        assert await fetch(session, method, server.url) == 200
        assert keys(server.requests) == [None, None]


async def test_a_method_that_is_not_idempotent_gets_a_key_although_the_policy_repeats_it(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, methods={"GET", "POST"}))
    async with FaultServer(Reply(503)) as server:
        assert await fetch(session, "POST", server.url) == 200
        first, second = keys(server.requests)
    assert first is not None
    assert first == second


@pytest.mark.parametrize("header", [KEY, "X-Request-Key"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
async def test_the_callers_own_key_wins(
    wrapped: bool, header: str, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, idempotency_header=header), wrapped=wrapped)
    async with FaultServer(Reply(503)) as server:
        own = {header.lower(): "mine"}
        assert await fetch(session, "POST", server.url, headers=own) == 200
        assert [request.headers.getall(header) for request in server.requests] == [["mine"]] * 2


async def test_an_empty_key_of_the_callers_is_none(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, idempotency_header=None))
    async with FaultServer(Reply(503)) as server:
        assert await fetch(session, "POST", server.url, headers={KEY: " "}) == 503
        assert server.hits == 1


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
async def test_another_origin_never_sees_the_key(
    wrapped: bool, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), wrapped=wrapped)
    async with FaultServer(Reply(503)) as there, FaultServer() as here:
        here.route("/", Reply(503), redirect(there.url))
        assert await fetch(session, "POST", here.url, data=b"x") == 200
        first, second = keys(here.requests)
        third, fourth = keys(there.requests)
    assert None not in (first, third)
    assert first == second != third == fourth


async def test_another_port_scheme_or_host_is_another_origin(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), wrapped=True)
    async with FaultServer() as server:
        by_name = server.url.with_host("localhost")
        server.script(redirect(by_name))
        assert await fetch(session, "POST", server.url) == 200
        first, second = keys(server.requests)
    assert None not in (first, second)
    assert first != second


async def test_under_wrap_the_key_is_the_same_after_a_redirect_on_one_origin(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), wrapped=True)
    async with FaultServer(Reply(503), redirect("/b"), Disconnect()) as server:
        assert await fetch(session, "POST", server.url / "a") == 200
        assert [request.path for request in server.requests] == ["/a", "/a", "/b", "/b"]
        assert len({*keys(server.requests)} - {None}) == 1


async def test_under_wrap_the_key_is_the_same_on_the_way_back(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), wrapped=True)
    async with FaultServer() as there, FaultServer() as here:
        here.script(redirect(there.url))
        there.script(redirect(here.url / "back"))
        assert await fetch(session, "POST", here.url) == 200
        out, back = keys(here.requests)
        (between,) = keys(there.requests)
    assert None not in (out, between)
    assert out == back != between


async def test_a_redirect_that_becomes_a_get_has_no_key(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), wrapped=True)
    async with FaultServer(Reply(303, headers={"Location": "/b"})) as server:
        assert await fetch(session, "POST", server.url / "a") == 200
        first, second = keys(server.requests)
    assert first is not None
    assert second is None
