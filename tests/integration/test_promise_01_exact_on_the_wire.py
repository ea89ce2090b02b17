"""Promise 1: `max_attempts=n` means at most n requests on the wire per hop, whatever fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    Backoff,
    ConnectionFailedError,
    Pipeline,
    Policy,
    Retry,
    RetryPolicy,
    ServiceUnavailableError,
    attempts_of,
    wrap,
)
from resilient.testing import (
    Answer,
    Disconnect,
    FakeClock,
    FaultServer,
    Hang,
    Malformed,
    Received,
    Reply,
    Reset,
)

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

Request = Callable[..., Awaitable["int | Exception"]]
Mount = Callable[["OpenSession", "Fetch", int, "FakeClock"], Request]

ATTEMPT = 60.0

FAULTS: dict[str, Answer] = {
    "503": Reply(503),
    "503 with a body": Reply(503, json={"error": {"code": "down", "message": "Down."}}),
    "reset": Reset(),
    "reset at the first byte": Reset("accept"),
    "reset after the head": Reset("head"),
    "disconnect": Disconnect(),
    "disconnect at the first byte": Disconnect("accept"),
    "timeout": Hang(),
    "malformed": Malformed(),
    "half a head": Malformed(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "malformed status": Malformed(b"HTTP/1.1 9x9 OK\r\n\r\n"),
    "body cut short": Disconnect("body"),
    "body reset": Reset("body"),
    "declared longer than sent": Reply(body=b"x" * 99, truncate=50),
}


def hang(clock: FakeClock) -> Answer:
    """A request that was read whole, and takes for ever, in no time."""

    def answer(_: Received) -> Hang:
        clock.advance(ATTEMPT)
        return Hang()

    return answer


def policy(attempts: int) -> RetryPolicy:
    backoff = Backoff(base=1, jitter="none")
    return RetryPolicy(max_attempts=attempts, backoff=backoff, budget=None, read_body_up_to=999)


def pipeline(attempts: int, clock: FakeClock) -> Pipeline:
    whole = Policy(
        retry=policy(attempts), breaker=None, attempt_timeout=ATTEMPT, total_timeout=10_000
    )
    return Pipeline(whole, clock=clock)


async def other(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    response: aiohttp.ClientResponse = await handler(request)
    return response


def by_wrap(open_session: OpenSession, fetch: Fetch, attempts: int, clock: FakeClock) -> Request:
    session = open_session(pipeline(attempts, clock), wrapped=True)
    return lambda *request: fetch(session, *request)


def as_a_list(open_session: OpenSession, fetch: Fetch, attempts: int, clock: FakeClock) -> Request:
    session = open_session(pipeline(attempts, clock))
    return lambda *request: fetch(session, *request)


def as_a_sequence(
    open_session: OpenSession, fetch: Fetch, attempts: int, clock: FakeClock
) -> Request:
    session = open_session(middlewares=pipeline(attempts, clock))
    return lambda *request: fetch(session, *request)


def among_others(
    open_session: OpenSession, fetch: Fetch, attempts: int, clock: FakeClock
) -> Request:
    retry = Retry(policy(attempts), clock=clock)
    session = open_session(other, retry, other, AttemptTimeout(ATTEMPT, clock=clock))
    return lambda *request: fetch(session, *request)


def per_call(open_session: OpenSession, fetch: Fetch, attempts: int, clock: FakeClock) -> Request:
    session, given = open_session(), pipeline(attempts, clock)
    return lambda *request: fetch(session, *request, middlewares=[given])


def wrapped_per_call(
    open_session: OpenSession, fetch: Fetch, attempts: int, clock: FakeClock
) -> Request:
    session = open_session(pipeline(attempts, clock), wrapped=True)
    return lambda *request: fetch(session, *request, middlewares=[other])


MOUNTS: list[Mount] = [
    by_wrap,
    as_a_list,
    as_a_sequence,
    among_others,
    per_call,
    wrapped_per_call,
]
mounted = pytest.mark.parametrize("mount", MOUNTS, ids=lambda mount: mount.__name__)


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", FAULTS)
@mounted
async def test_a_failing_server_gets_max_attempts_requests_and_no_more(
    mount: Mount,
    fault: str,
    method: str,
    attempts: int,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    allowed = attempts if method == "GET" else 1
    answer = FAULTS[fault]
    async with FaultServer(then=hang(clock) if isinstance(answer, Hang) else answer) as server:
        outcome = await mount(open_session, fetch, attempts, clock)(method, server.url)
        assert server.hits == allowed
    assert len(clock.sleeps) == allowed - 1
    # Either of these two would have set off aiohttp's hidden second request.
    assert not isinstance(outcome, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError)
    if fault.startswith("503"):
        assert outcome == 503 or isinstance(outcome, ServiceUnavailableError)
        return
    expected = AttemptTimeoutError if fault == "timeout" else ConnectionFailedError
    assert type(outcome) is expected
    assert [attempt.number for attempt in outcome.attempts] == list(range(1, allowed + 1))
    assert outcome.stop_reason


@pytest.mark.parametrize("method", ["GET", "POST"])
@mounted
async def test_a_refused_connection_is_tried_max_attempts_times(
    mount: Mount, method: str, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    async with FaultServer() as server:
        await server.stop_listening()
        outcome = await mount(open_session, fetch, 3, clock)(method, server.url)
        assert type(outcome) is ConnectionFailedError
        assert len(outcome.attempts) == 3
        await server.resume_listening()
        assert server.total_connections == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
@pytest.mark.parametrize("fault", ["disconnect", "reset"])
@pytest.mark.parametrize("body", [None, b"body"], ids=["empty", "body"])
async def test_the_hidden_second_request_of_aiohttp_is_counted_for_every_idempotent_method(
    method: str,
    fault: str,
    body: bytes | None,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    session = open_session(Retry(policy(2), clock=clock))
    async with FaultServer(then=FAULTS[fault]) as server:
        assert type(await fetch(session, method, server.url, data=body)) is ConnectionFailedError
        assert server.hits == 2


@mounted
async def test_what_succeeds_is_sent_once(
    mount: Mount, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    async with FaultServer() as server:
        assert await mount(open_session, fetch, 3, clock)("GET", server.url) == 200
        assert server.hits == 1


@mounted
async def test_each_hop_of_a_redirect_has_its_own_attempts(
    mount: Mount, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    async with FaultServer() as server:
        there = Reply(307, headers={"Location": "/there"})
        server.route("/here", Reply(503), Reset(), there)
        server.route("/there", Disconnect(), Reply(503))
        request = mount(open_session, fetch, 3, clock)
        assert await request("GET", server.url / "here") == 200
        assert server.hits == 6
        server.route("/here", Reply(503), there)
        server.route("/there", then=Disconnect())
        assert type(await request("GET", server.url / "here")) is ConnectionFailedError
        # The first broke a pooled connection, as one that was closed while idle does: it is
        # made up for, and is none of the three attempts.
        assert server.hits == 6 + 2 + 1 + 3


async def test_attempts_of_a_response_are_those_on_the_wire(
    open_session: OpenSession, clock: FakeClock
) -> None:
    session = wrap(open_session(), Retry(policy(3), clock=clock))
    down = Reply(503, keep_alive=False)
    async with FaultServer(down, Reset()) as server, session.get(server.url) as response:
        attempts = attempts_of(response)
        assert [attempt.status for attempt in attempts] == [503, None, 200]
        assert [attempt.waited for attempt in attempts] == [1.0, 2.0, None]
        assert server.hits == 3
    await session.close()
