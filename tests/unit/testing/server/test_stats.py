"""What the server counts, and what it keeps."""

import asyncio
import pickle

import aiohttp
import pytest

from resilient.testing import (
    Answer,
    Delayed,
    Disconnect,
    FaultServer,
    Hang,
    Malformed,
    Received,
    Reply,
    Reset,
    Step,
    run_in_virtual_time,
)
from resilient.testing.server.records import Stats
from tests.unit.testing.support import GET, converse, post

POST = b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly the beginning"


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
        assert stats.abandoned == 0
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
        assert (stats.hits, stats.steps, stats.statuses) == (2, {"Hang": 1}, {})
        for writer in writers:
            writer.close()


async def slowly(_: Received) -> Step:
    for _turn in range(1000):
        await asyncio.sleep(0)
    return Reply()


CUT = Reply(503, body=b"halfgone")
SLOW = Reply(503, body=b"halfgone", chunk_size=4, chunk_delay=600)


@pytest.mark.parametrize("ended_by", ["the client", "the server", "an outage"])
@pytest.mark.parametrize(
    ("raw", "step", "statuses", "steps"),
    [
        # Nothing was sent.
        (GET, Reply(delay=600), {}, {}),
        (GET, Reply(head_byte_delay=600), {}, {}),
        (GET, Delayed(600, Reply()), {}, {}),
        (GET, slowly, {}, {}),
        (GET, Disconnect("head", reply=Reply(503, body=b"ab", delay=600)), {}, {}),
        (POST, Reply(), {}, {}),
        (POST, Reset(), {}, {}),
        # Something was.
        (GET, SLOW, {503: 1}, {"Reply": 1}),
        (GET, Reply(body=bytes(20_000_000)), {200: 1}, {"Reply": 1}),
        (GET, Hang(after="body", reply=CUT), {503: 1}, {"Hang": 1}),
        (GET, Hang(after="status", reply=CUT), {503: 1}, {"Hang": 1}),
        (GET, Hang(), {}, {"Hang": 1}),
        (GET, Hang(after="accept"), {}, {"Hang": 1}),
    ],
    ids=[
        "a delay",
        "half a status line",
        "a delayed answer",
        "a slow callable",
        "a delay before an interruption",
        "half an upload",
        "half an upload before an interruption",
        "half a body",
        "a large body that nobody reads",
        "a hang in the body",
        "a hang in the head",
        "a hang",
        "a hang at accept",
    ],
)
async def test_only_what_was_sent_is_counted_as_sent(
    ended_by: str, raw: bytes, step: Answer, statuses: object, steps: object
) -> None:
    server = FaultServer(step)
    await server.start()
    reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
    writer.write(raw)
    if raw is GET:
        await server.wait_for(hits=1)
    while statuses and not (await reader.read(10)).startswith(b"HTTP"):
        pass
    for _ in range(1000):
        if server.hits and server.stats().steps == steps:
            break
        await asyncio.sleep(0)
    if ended_by == "the client":
        writer.close()
        await writer.wait_closed()
        await server.wait_for(connections=0)
    elif ended_by == "an outage":
        await server.stop_listening()
    stats = server.stats()
    if ended_by == "the server":
        await server.aclose()
        stats = server.stats()
    await server.aclose()
    writer.transport.abort()
    assert (stats.hits, stats.statuses, stats.steps) == (1, statuses, steps)
    assert stats.abandoned == (0 if steps else 1)
    assert stats.connections == 0


async def test_a_body_that_is_none_leaves_its_step_undone() -> None:
    chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"
    async with FaultServer() as server:
        assert (await converse(server, chunked))[0].startswith(b"HTTP/1.1 400 ")
        stats = server.stats()
        assert (stats.hits, stats.malformed, stats.abandoned) == (1, 1, 1)
        assert (stats.statuses, stats.steps) == ({}, {})


async def test_a_client_that_has_ended_its_side_gets_what_is_written_at_once() -> None:
    async with FaultServer(Reply(201, keep_alive=False)) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(GET)
        writer.write_eof()
        assert b"201" in await reader.read()
        assert server.stats().statuses == {201: 1}
        writer.close()
        await writer.wait_closed()


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
