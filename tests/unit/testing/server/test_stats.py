"""What the server counts, and what it keeps."""

import asyncio
import pickle

import aiohttp
import pytest

from resilient.testing import (
    Answer,
    Disconnect,
    FaultServer,
    Hang,
    Malformed,
    Reply,
    Reset,
    run_in_virtual_time,
)
from resilient.testing.server.records import Stats
from tests.unit.testing.support import GET, converse, post


async def test_every_step_is_counted() -> None:
    steps: list[Answer] = [
        Reply(503),
        Reply(503),
        Reset("accept"),
        Reset(),
        Disconnect("body", reply=Reply(206, body=b"xy")),
        Hang(0.0),
        Malformed(),
    ]
    async with FaultServer(*steps) as server:
        for _ in steps:
            await converse(server, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await converse(server, b"nonsense\r\n\r\n")
        stats = server.stats()
        assert stats.hits == server.hits == 7
        assert stats.statuses == {503: 2, 206: 1}
        assert stats.steps == {"Reply": 2, "Reset": 2, "Disconnect": 1, "Hang": 1, "Malformed": 1}
        assert (stats.malformed, stats.total_connections, stats.waiting) == (1, 8, 0)
        assert sum(stats.arrivals.values()) == 7
        assert pickle.loads(pickle.dumps(stats)) == stats


async def test_what_is_open_and_what_waits_is_counted() -> None:
    async with FaultServer(Hang(), Reply(delay=600)) as server:
        writers = []
        for _ in range(2):
            _, writer = await asyncio.open_connection(server.url.host, server.url.port)
            writer.write(GET)
            writers.append(writer)
        await server.wait_for(hits=2)
        stats = server.stats()
        assert (stats.connections, stats.waiting) == (2, 1)
        assert stats.steps == {"Hang": 1, "Reply": 1}
        for writer in writers:
            writer.close()


def test_arrivals_are_counted_by_the_second() -> None:
    async def main() -> Stats:
        await asyncio.sleep(50)
        async with aiohttp.ClientSession() as session, FaultServer(Reset("accept")) as server:
            with pytest.raises(aiohttp.ClientOSError):
                await post(session, server)
            for wait in (0.9, 0.2, 0.1, 5.0):
                await asyncio.sleep(wait)
                await post(session, server)
            return server.stats()

    stats = run_in_virtual_time(main())
    assert stats.arrivals == {0: 2, 1: 2, 6: 1}
    assert stats.seconds == pytest.approx(6.2)


async def test_clear_forgets_the_counts() -> None:
    async with FaultServer(Reply(keep_alive=False)) as server:
        await converse(server)
        server.clear()
        stats = server.stats()
        assert (stats.hits, stats.statuses, stats.steps, stats.arrivals) == (0, {}, {}, {})
        assert stats.total_connections == 1


async def test_a_server_that_does_not_record_counts(session: aiohttp.ClientSession) -> None:
    async with FaultServer(record=False) as server:
        assert await post(session, server, data=b"abc") == 200
        assert (list(server.requests), server.hits) == ([], 1)
        await server.wait_for(hits=1)


async def test_stats_are_of_their_moment(session: aiohttp.ClientSession) -> None:
    async with FaultServer() as server:
        await post(session, server)
        before = server.stats()
        await post(session, server)
        assert (before.hits, before.statuses) == (1, {200: 1})


async def test_a_request_pickles(session: aiohttp.ClientSession) -> None:
    async with FaultServer() as server:
        headers = {"X-A": "b"}
        await post(session, server, data=b"abc", params={"q": "1"}, headers=headers)
        request = server.requests[0]
        copy = pickle.loads(pickle.dumps(request))
    for name in ("method", "target", "path", "query", "headers", "time", "body", "complete"):
        assert getattr(copy, name) == getattr(request, name)
    assert copy.headers["x-a"] == "b"
    assert type(copy.headers) is type(request.headers)
