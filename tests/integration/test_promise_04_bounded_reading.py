"""Promise 4: reading is bounded by what comes out of a decoder; what is read ahead is not lost."""

from __future__ import annotations

import gzip
import tracemalloc
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    Backoff,
    ConnectionFailedError,
    ErrorPolicy,
    NormalizeErrors,
    Retry,
    RetryPolicy,
)
from resilient.testing import FakeClock, FaultServer, Reply

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

LIMIT = 200_000
PACKED = {"Content-Encoding": "gzip"}
BOMB = gzip.compress(bytes(60_000_000), compresslevel=9)
# Before 3.14 aiohttp inflates all that arrives, before anybody reads.
IS_LAZY = hasattr(aiohttp.StreamReader, "set_read_chunk_size")


def retry(clock: FakeClock) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    policy = RetryPolicy(max_attempts=2, backoff=backoff, budget=None, read_body_up_to=LIMIT)
    return Retry(policy, clock=clock)


BOMBS = {
    "read within the attempt": (Reply(200, body=BOMB, headers=PACKED), 200),
    "discarded": (Reply(503, body=BOMB, headers=PACKED), 503),
    "discarded, without a length": (Reply(503, body=BOMB, headers=PACKED, chunked=True), 503),
}


@pytest.mark.parametrize(("reply", "status"), BOMBS.values(), ids=BOMBS)
async def test_a_bomb_takes_no_more_than_was_allowed(
    reply: Reply, status: int, open_session: OpenSession, clock: FakeClock
) -> None:
    assert len(BOMB) < LIMIT
    session = open_session(retry(clock))
    async with FaultServer(then=reply) as server:
        tracemalloc.start()
        try:
            async with session.get(server.url) as response:
                assert response.status == status
                _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8_000_000 or not IS_LAZY


@pytest.mark.parametrize("limit", [1_000, 65_536, 3_000_000])
async def test_a_bomb_of_an_error_takes_no_more_than_was_allowed(
    limit: int, open_session: OpenSession, fetch: Fetch
) -> None:
    session = open_session(NormalizeErrors(ErrorPolicy(max_body=limit)))
    async with FaultServer(Reply(503, body=BOMB, headers=PACKED)) as server:
        tracemalloc.start()
        try:
            error: Any = await fetch(session, "GET", server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert error.body == bytes(limit)
    assert peak < 8_000_000 + limit or not IS_LAZY


TEXT = b"".join(b"line %d\n" % n for n in range(50_000))
assert len(TEXT) > 2 * LIMIT
BODIES = {
    "nothing": (b"", {}),
    "short": (b'{"a": 1}', {}),
    "as long as allowed": (TEXT[:LIMIT], {}),
    "one too long": (TEXT[: LIMIT + 1], {}),
    "short, packed": (gzip.compress(b'{"a": 1}'), PACKED),
    "as long as allowed, packed": (gzip.compress(TEXT[:LIMIT]), PACKED),
    "one too long, packed": (gzip.compress(TEXT[: LIMIT + 1]), PACKED),
    "far too long, packed": (gzip.compress(TEXT), PACKED),
}


async def by_read(response: aiohttp.ClientResponse) -> bytes:
    return await response.read()


async def by_read_twice(response: aiohttp.ClientResponse) -> bytes:
    await response.read()
    return (await response.text()).encode()


async def in_pieces(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece in response.content.iter_chunked(777)])


async def as_it_comes(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece in response.content.iter_any()])


async def by_chunks(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece, _ in response.content.iter_chunks()])


async def by_lines(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([line async for line in response.content])


async def first_some_then_all(response: aiohttp.ClientResponse) -> bytes:
    return await response.content.read(5) + await response.content.read()


@pytest.mark.parametrize(
    "read",
    [by_read, by_read_twice, in_pieces, as_it_comes, by_chunks, by_lines, first_some_then_all],
)
@pytest.mark.parametrize(("body", "headers"), BODIES.values(), ids=BODIES)
async def test_what_was_read_ahead_is_there_for_the_caller(
    body: bytes,
    headers: dict[str, str],
    read: Any,
    open_session: OpenSession,
    clock: FakeClock,
) -> None:
    session = open_session(retry(clock))
    reply = Reply(body=body, headers=headers, chunk_size=10_000)
    async with FaultServer(then=reply) as server:
        for _ in range(2):
            async with session.get(server.url) as response:
                assert await read(response) == (gzip.decompress(body) if headers else body)
        assert server.hits == 2
        assert server.total_connections == 1


async def test_traces_are_told_of_the_body_once(
    clock: FakeClock, open_session: OpenSession
) -> None:
    told: list[bytes] = []

    async def tell(session: object, context: object, params: Any) -> None:
        told.append(params.chunk)

    trace = aiohttp.TraceConfig()
    trace.on_response_chunk_received.append(tell)
    session = open_session(retry(clock), trace_configs=[trace])
    async with FaultServer(Reply(body=b"abc")) as server, session.get(server.url) as response:
        assert await response.read() == b"abc"
    assert told == [b"abc"]


async def test_what_was_read_ahead_outlives_its_connection(
    clock: FakeClock, open_session: OpenSession
) -> None:
    session = open_session(retry(clock))
    async with FaultServer(Reply(body=b"abc", keep_alive=False)) as server:
        response = await session.get(server.url)
        await session.close()
        assert await response.read() == b"abc"
        response.release()


BROKEN = {
    "cut short": Reply(body=b"x" * 1000, truncate=10),
    "not packed": Reply(body=b"x" * 1000, headers=PACKED),
    "packed and cut short": Reply(body=gzip.compress(TEXT), headers=PACKED, truncate=1000),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_what_fails_within_the_bound_is_tried_again(
    broken: Reply, clock: FakeClock, open_session: OpenSession, fetch: Fetch
) -> None:
    session = open_session(retry(clock))
    async with FaultServer(broken) as server:
        assert await fetch(session, "GET", server.url) == 200
        assert server.hits == 2
    async with FaultServer(then=broken) as server:
        assert type(await fetch(session, "GET", server.url)) is ConnectionFailedError


CUT = {
    "cut short": Reply(503, body=b'{"message": "full", "a": "bcdef"}', truncate=25),
    "a broken chunk": Reply(
        503,
        body=b"11\r\n" + b'{"message": "full' + b"\r\nzz\r\n",
        headers={"Transfer-Encoding": "chunked"},
        chunk_size=4 + 17 + 2,
        chunk_delay=0.01,
    ),
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
async def test_of_an_error_body_that_breaks_off_what_came_is_kept(
    cut: Reply, clock: FakeClock, open_session: OpenSession, fetch: Fetch
) -> None:
    clock.speed = 10
    session = open_session(NormalizeErrors(clock=clock))
    async with FaultServer(cut) as server:
        error: Any = await fetch(session, "GET", server.url)
    assert error.status == 503
    assert error.body.startswith(b'{"message": "full')
