"""Promise 2: what may have been carried out is repeated only if that is known to be harmless."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    Backoff,
    NormalizeErrors,
    Retry,
    RetryPolicy,
    override,
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

KEY = "Idempotency-Key"
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
METHODS = ["GET", "PUT", "DELETE", "POST", "PATCH"]
WAIT = {"Retry-After": "2"}

# After these the request may have been carried out.
UNSURE: dict[str, Answer] = {
    "408": Reply(408),
    "500": Reply(500),
    "502": Reply(502),
    "503": Reply(503),
    "503 with Retry-After": Reply(503, headers=WAIT),
    "504": Reply(504),
    "520": Reply(520),
    "599": Reply(599),
    "reset": Reset(),
    "reset at the first byte": Reset("accept"),
    "disconnect": Disconnect(),
    "malformed": Malformed(),
    "time-out after sending": Hang(),
}
# After these it was not.
SURE: dict[str, Answer] = {
    "429": Reply(429),
    "429 with Retry-After": Reply(429, headers=WAIT),
    "425": Reply(425),
}


def hang(clock: FakeClock) -> Answer:
    """A request that was read whole, and takes for ever, in no time."""

    def answer(_: Received) -> Hang:
        clock.advance(60)
        return Hang()

    return answer


def policy(**changes: Any) -> RetryPolicy:
    backoff = Backoff(base=1, jitter="none")
    given: dict[str, Any] = {"max_attempts": 2, "backoff": backoff, "budget": None}
    return RetryPolicy(**given | changes)


@asynccontextmanager
async def idempotent(said: bool | None) -> AsyncIterator[None]:
    with nullcontext() if said is None else override(idempotent=said):
        yield


@pytest.mark.parametrize("normalised", [False, True], ids=["raw", "normalised"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("what", [*UNSURE, *SURE])
async def test_it_is_repeated_if_harmless_and_only_then(
    what: str,
    method: str,
    normalised: bool,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    """The whole decision table: whose key, which methods, and what the user says."""
    answer = (UNSURE | SURE)[what]
    if isinstance(answer, Hang):
        answer = hang(clock)
    inner = [NormalizeErrors(clock=clock)] if normalised else []
    wrong = []
    async with FaultServer(then=answer) as server:
        for key, methods, said in itertools.product(
            ["none", "caller's", "policy's"],
            [IDEMPOTENT, IDEMPOTENT | {"POST"}, frozenset({"GET"}), frozenset[str]()],
            [None, True, False],
        ):
            header = KEY if key == "policy's" else None
            retry = Retry(policy(methods=methods, idempotency_header=header), clock=clock)
            session = open_session(retry, *inner, AttemptTimeout(60, clock=clock))
            headers = {KEY: "k"} if key == "caller's" else {}
            server.clear()
            async with idempotent(said):
                await fetch(session, method, server.url, headers=headers)
            keyed = key == "caller's" or (key == "policy's" and method not in IDEMPOTENT & methods)
            harmless = keyed or method in methods if said is None else said
            expected = 2 if harmless or what in SURE else 1
            if server.hits != expected:
                wrong.append((key, sorted(methods), said, server.hits, expected))
    assert wrong == []


@pytest.mark.parametrize("status", [400, 404, 409, 501, 505, 506, 507, 508, 510, 511])
async def test_what_no_wait_mends_is_not_repeated(
    status: int, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(Retry(policy(), clock=clock))
    async with FaultServer(then=Reply(status)) as server:
        assert await fetch(session, "GET", server.url) == status
        assert server.hits == 1


@pytest.mark.parametrize("said", [None, True, False], ids="override={}".format)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_a_refused_connection_may_be_tried_again_whatever_the_method(
    method: str, said: bool | None, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(Retry(policy(max_attempts=3), clock=clock))
    async with FaultServer() as server:
        await server.stop_listening()
        async with idempotent(said):
            await fetch(session, method, server.url)
        assert len(clock.sleeps) == 2


async def test_a_time_out_of_connecting_may_be_repeated(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    timeout = aiohttp.ClientTimeout(connect=0.02)
    connector = aiohttp.TCPConnector(limit=1)
    session = open_session(Retry(policy(), clock=clock), connector=connector)
    async with FaultServer(Reply(body=b"x", body_delay=60)) as server:
        async with session.get(server.url):
            outcome = await fetch(session, "POST", server.url, timeout=timeout)
        assert type(outcome) is AttemptTimeoutError
        assert len(outcome.attempts) == 2


async def test_a_time_out_of_reading_may_not(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    timeout = aiohttp.ClientTimeout(sock_read=0.02)
    session = open_session(Retry(policy(), clock=clock), timeout=timeout)
    async with FaultServer(then=Hang()) as server:
        for method, attempts in (("POST", 1), ("PUT", 2)):
            outcome = await fetch(session, method, server.url)
            assert type(outcome) is AttemptTimeoutError
            assert len(outcome.attempts) == attempts


async def test_a_time_out_of_another_middleware_is_an_attempt_that_failed(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    """A session without a total timeout, so that this cannot be what ran out."""
    limits = [0.02, 60, 0.02, 0.02]

    async def impatient(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        async with asyncio.timeout(limits.pop(0)):
            response: aiohttp.ClientResponse = await handler(request)
            return response

    timeout = aiohttp.ClientTimeout(total=None)
    session = open_session(Retry(policy(), clock=clock), impatient, timeout=timeout)

    async with FaultServer(Hang(), Reply(), then=Hang()) as server:
        assert await fetch(session, "GET", server.url) == 200
        assert type(await fetch(session, "GET", server.url)) is AttemptTimeoutError
        assert limits == []


@pytest.mark.parametrize(
    ("answer", "method", "requests"),
    [
        (Reply(503, headers={"x-should-retry": "true"}), "POST", 1),
        (Reply(429, headers={"x-should-retry": "true"}), "POST", 2),
        (Reply(503, headers={"x-should-retry": "true"}), "PUT", 2),
        (Reply(404, headers={"x-should-retry": "true"}), "GET", 2),
        (Reply(503, headers={"x-should-retry": "false"}), "GET", 1),
        (Reply(429, headers={"x-should-retry": "false"}), "GET", 1),
        (Reply(201, headers={"x-should-retry": "true"}), "POST", 1),
    ],
)
@pytest.mark.parametrize("judge", [None, lambda request, outcome: None], ids=["", "judge"])
async def test_the_server_may_say_whether_to_repeat_a_failure(
    answer: Reply,
    method: str,
    requests: int,
    judge: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    session = open_session(Retry(policy(judge=judge), clock=clock))
    async with FaultServer(then=answer) as server:
        await fetch(session, method, server.url)
        assert server.hits == requests
