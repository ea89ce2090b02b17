"""Promise 4: a response that is discarded gives its connection back before the wait."""

from __future__ import annotations

import asyncio
import gzip
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    Backoff,
    CircuitBreaker,
    Deadline,
    NormalizeErrors,
    Pipeline,
    Retry,
    RetryPolicy,
)
from resilient.testing import (
    Disconnect,
    FakeClock,
    FaultServer,
    Hang,
    Malformed,
    Received,
    Reply,
    Reset,
    Step,
)

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, Held, OpenSession

BIG = b"x" * 3_000_000

SMALL: dict[str, Reply] = {
    "no body": Reply(503),
    "small": Reply(503, body=b"x" * 1000),
    "as much as is drained": Reply(503, body=b"x" * 65_535),
    "json": Reply(503, json={"error": {"code": "down", "message": "Down."}}),
    "small and late": Reply(503, body=b"x" * 1000, body_delay=0.005),
    "small, in chunks": Reply(503, body=b"x" * 1000, chunked=True, chunk_size=100),
    "small, in chunks, late": Reply(503, body=b"x" * 9, chunked=True, chunk_delay=0.001),
    "compressed": Reply(503, body=gzip.compress(b"x" * 999), headers={"Content-Encoding": "gzip"}),
    "429": Reply(429, body=b"x" * 1000),
}
AWKWARD: dict[str, Step] = {
    "large": Reply(503, body=BIG),
    "large, in chunks": Reply(503, body=BIG, chunked=True, chunk_size=65_536),
    "a byte more than is drained": Reply(503, body=b"x" * 65_537),
    "without end": Reply(503, body=BIG[:30_000], chunked=True, chunk_delay=0.002),
    "slow, of a small length": Reply(503, body=BIG[:30_000], chunk_delay=0.002),
    "declared and never sent": Reply(503, body=b"x" * 100, body_delay=60),
    "cut short": Reply(503, body=b"x" * 1000, truncate=10),
    "cut short in a chunk": Reply(503, body=b"x" * 1000, chunked=True, truncate=10),
    "reset": Reset("body", reply=Reply(503, body=b"x" * 1000)),
    "closed": Reply(503, body=b"x" * 1000, keep_alive=False),
    "no gzip": Reply(503, body=b"x" * 1000, headers={"Content-Encoding": "gzip"}),
    "a bomb": Reply(
        503, body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}
    ),
    "no chunks": Malformed(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n"),
    "no HTTP": Malformed(),
    "nothing": Disconnect(),
    "an end before its time": Disconnect("head", reply=Reply(503, body=b"x" * 1000)),
}


def retry(clock: FakeClock, listeners: Any = (), **changes: Any) -> Retry:
    given: dict[str, Any] = {"backoff": Backoff(base=1, jitter="none"), "budget": None}
    return Retry(RetryPolicy(**given | changes), clock=clock, listeners=listeners)


def normalised(clock: FakeClock) -> list[Any]:
    return [NormalizeErrors(clock=clock)]


def raw(_: FakeClock) -> list[Any]:
    return []


inner = pytest.mark.parametrize("inner", [raw, normalised])


@inner
@pytest.mark.parametrize("answer", SMALL.values(), ids=SMALL)
async def test_a_small_error_body_leaves_its_connection_to_the_next_attempt(
    answer: Reply, inner: Any, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), *inner(clock))
    async with FaultServer(answer, answer) as server:
        assert await fetch(session, "GET", server.url) == 200
        assert (server.hits, server.total_connections) == (3, 1)


async def test_the_answer_to_a_head_has_no_body_to_be_drained(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock))
    async with FaultServer(Reply(503, body=BIG)) as server:
        assert await fetch(session, "HEAD", server.url) == 200
        assert (server.hits, server.total_connections) == (2, 1)


@inner
@pytest.mark.parametrize("answer", [*SMALL.values(), *AWKWARD.values()], ids=[*SMALL, *AWKWARD])
async def test_no_connection_is_held_while_it_waits_nor_afterwards(
    answer: Step,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    held: Held,
    clock: FakeClock,
) -> None:
    clock.speed = 50  # a second of draining takes 20 ms
    at_waits: list[int] = []
    connector = aiohttp.TCPConnector(limit=1)

    def listen(event: Any) -> None:
        if event.kind == "wait":
            at_waits.append(held(session))

    session = open_session(retry(clock, [listen]), *inner(clock), connector=connector)
    async with FaultServer(answer, answer) as server:
        assert await asyncio.wait_for(fetch(session, "GET", server.url), 5) == 200
        assert held(session) == 0
        assert at_waits == [0, 0]
        assert server.hits == 3
        await asyncio.wait_for(server.wait_for(connections=1), 5)


@pytest.mark.parametrize("answer", AWKWARD.values(), ids=AWKWARD)
async def test_an_error_that_comes_out_holds_no_connection(
    answer: Step, open_session: OpenSession, fetch: Fetch, held: Held, clock: FakeClock
) -> None:
    clock.speed = 50
    session = open_session(retry(clock, max_attempts=2), NormalizeErrors(clock=clock))
    async with FaultServer(then=answer) as server:
        outcome = await fetch(session, "GET", server.url)
        assert isinstance(outcome, Exception)
        assert held(session) == 0
        assert server.hits == 2
        await session.close()
        await asyncio.wait_for(server.wait_for(connections=0), 5)


@inner
async def test_many_callers_of_a_small_pool_do_not_stand_in_each_others_way(
    inner: Any, open_session: OpenSession, fetch: Fetch, held: Held, clock: FakeClock
) -> None:
    connector = aiohttp.TCPConnector(limit=2)
    session = open_session(retry(clock), *inner(clock), connector=connector)
    steps = [AWKWARD["large"], SMALL["small"], AWKWARD["cut short"], AWKWARD["nothing"]]
    async with FaultServer(*steps * 5) as server:
        calls = (fetch(session, "GET", server.url) for _ in range(20))
        outcomes = await asyncio.wait_for(asyncio.gather(*calls), 5)
        assert held(session) == 0
    assert outcomes.count(200) >= 20 - 20 // 3


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["small", "large"])
async def test_a_response_of_which_another_middleware_made_an_exception_is_given_back_too(
    size: int, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    class BusyError(Exception):
        pass

    async def raising(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await handler(request)
        if response.status == 503:
            raise BusyError
        return response

    connector = aiohttp.TCPConnector(limit=1)
    session = open_session(retry(clock, exceptions=BusyError), raising, connector=connector)
    async with FaultServer(Reply(503, body=b"x" * size)) as server:
        assert await asyncio.wait_for(fetch(session, "GET", server.url), 5) == 200


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["small", "large"])
async def test_a_response_in_an_exception_that_is_not_repeated_stays_readable(
    size: int, open_session: OpenSession, clock: FakeClock
) -> None:
    class MissingError(Exception):
        def __init__(self, response: aiohttp.ClientResponse) -> None:
            self.response = response

    async def raising(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        raise MissingError(await handler(request))

    session = open_session(retry(clock), raising)
    async with FaultServer(Reply(404, body=b"x" * size)) as server:
        with pytest.raises(MissingError) as caught:
            await session.get(server.url)
        assert await caught.value.response.read() == b"x" * size


@pytest.mark.parametrize(
    "answer",
    [Disconnect("body"), Reset("body"), Reply(body=b"x" * 9, truncate=4), Reply(body=b"x" * 9)],
    ids=str,
)
async def test_reading_the_body_within_the_attempt_leaves_nothing_open(
    answer: Step, open_session: OpenSession, fetch: Fetch, held: Held, clock: FakeClock
) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    session = open_session(retry(clock, read_body_up_to=99), connector=connector)
    async with FaultServer(answer) as server:
        assert await asyncio.wait_for(fetch(session, "GET", server.url), 5) == 200
        assert held(session) == 0


async def test_a_body_that_stalls_ends_with_its_attempt(
    open_session: OpenSession, fetch: Fetch, held: Held, clock: FakeClock
) -> None:
    def stall(_: Received) -> Reply:
        asyncio.get_running_loop().call_later(0.02, clock.advance, 60)
        return Reply(body=b"x" * 9, body_delay=60)

    timeout = AttemptTimeout(60, clock=clock)
    connector = aiohttp.TCPConnector(limit=1)
    session = open_session(retry(clock, read_body_up_to=99), timeout, connector=connector)
    async with FaultServer(stall) as server:
        assert await asyncio.wait_for(fetch(session, "GET", server.url), 5) == 200
        assert held(session) == 0
        assert server.hits == 2


ORDERS = [
    "Deadline Retry CircuitBreaker NormalizeErrors AttemptTimeout",
    "Retry Deadline CircuitBreaker NormalizeErrors AttemptTimeout",
    "Deadline CircuitBreaker Retry NormalizeErrors AttemptTimeout",
    "Deadline Retry NormalizeErrors CircuitBreaker AttemptTimeout",
    "Deadline Retry CircuitBreaker AttemptTimeout NormalizeErrors",
    "NormalizeErrors AttemptTimeout CircuitBreaker Retry Deadline",
    "AttemptTimeout NormalizeErrors Retry",
    "NormalizeErrors Retry",
    "CircuitBreaker Retry",
]


@pytest.mark.filterwarnings("ignore::resilient.PipelineWarning")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("answer", ["large", "without end", "cut short", "nothing", "no HTTP"])
async def test_in_any_order_nothing_leaks(
    order: str,
    answer: str,
    open_session: OpenSession,
    fetch: Fetch,
    held: Held,
    clock: FakeClock,
) -> None:
    clock.speed = 50
    made: dict[str, Any] = {
        "Deadline": Deadline(1000, clock=clock),
        "Retry": retry(clock),
        "CircuitBreaker": CircuitBreaker(clock=clock),
        "NormalizeErrors": NormalizeErrors(clock=clock),
        "AttemptTimeout": AttemptTimeout(500, clock=clock),
    }
    pipeline = Pipeline.of(*(made[name] for name in re.findall(r"\w+", order)))
    session = open_session(pipeline, wrapped=True, connector=aiohttp.TCPConnector(limit=1))
    async with FaultServer(*[AWKWARD[answer]] * 2) as server:
        assert await asyncio.wait_for(fetch(session, "GET", server.url), 5) == 200
        assert held(session) == 0
        assert server.hits == 3


async def test_what_hangs_is_closed_when_its_attempt_is_over(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    def hang(_: Received) -> Hang:
        clock.advance(60)
        return Hang()

    session = open_session(retry(clock), AttemptTimeout(60, clock=clock))
    async with FaultServer(hang, hang) as server:
        assert await fetch(session, "GET", server.url) == 200
        await asyncio.wait_for(server.wait_for(connections=1, waiting=0), 5)
