"""Where an answer breaks off, or stalls: byte by byte, and as aiohttp sees it."""

import asyncio
from typing import Any

import aiohttp
import pytest

from resilient.testing import (
    Disconnect,
    FaultServer,
    Hang,
    Malformed,
    Reply,
    Reset,
    run_in_virtual_time,
)
from tests.unit.testing.support import GET, converse, post

STATUS_LINE = b"HTTP/1.1 503 Service Unavailable\r\n"
HEAD = STATUS_LINE + b"X: y\r\nContent-Length: 8\r\n\r\n"
REPLY = Reply(503, body=b"halfgone", headers={"X": "y"})
SENT = {
    "accept": b"",
    "request": b"",
    "status": STATUS_LINE,
    "head": HEAD,
    "body": HEAD + b"half",
}


def interruption(kind: Any, after: str) -> Any:
    reply = None if after in ("accept", "request") else REPLY
    return kind(after=after, reply=reply)


@pytest.mark.parametrize("after", list(SENT))
@pytest.mark.parametrize(("kind", "end"), [(Reset, "RST"), (Disconnect, "FIN")])
async def test_a_cut_comes_just_after_what_it_names(kind: Any, end: str, after: str) -> None:
    async with FaultServer(interruption(kind, after)) as server:
        assert await converse(server) == (SENT[after], end)
        assert server.stats().steps == {kind.__name__: 1}


@pytest.mark.parametrize("after", list(SENT))
async def test_a_hang_stalls_just_after_what_it_names(after: str) -> None:
    async with FaultServer(interruption(Hang, after)) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(GET)
        await server.wait_for(waiting=1)
        assert await reader.readexactly(len(SENT[after])) == SENT[after]
        assert not reader.at_eof()
        assert len(server.requests) == (after != "accept")
        writer.close()
        await writer.wait_closed()
        await server.wait_for(waiting=0, connections=0)


async def test_a_hang_of_a_certain_length_in_a_body_ends_as_a_disconnect() -> None:
    async with FaultServer(Hang(0.01, after="body", reply=REPLY)) as server:
        assert await converse(server) == (SENT["body"], "FIN")


async def test_a_hang_at_accept_leaves_an_upload_on_the_wire() -> None:
    async with FaultServer(Hang(after="accept")) as server:
        _, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n" + bytes(50_000_000))
        await server.wait_for(waiting=1)
        before, unsent = 0, 50_000_000
        while unsent != before:
            await asyncio.sleep(0.01)
            before, unsent = unsent, writer.transport.get_write_buffer_size()
        assert unsent > 20_000_000
        assert list(server.requests) == []
        writer.transport.abort()


@pytest.mark.parametrize("after", ["status", "head", "body"])
async def test_a_plain_answer_is_broken_off_by_default(after: Any) -> None:
    async with FaultServer(Disconnect(after)) as server:
        got, _ = await converse(server)
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.stats().statuses == {200: 1}


async def test_an_answer_without_a_body_can_break_off_in_its_head() -> None:
    async with FaultServer(Disconnect("status", reply=Reply(204))) as server:
        assert await converse(server) == (b"HTTP/1.1 204 No Content\r\n", "FIN")


# As aiohttp sees it.


async def test_a_cut_in_the_head(session: aiohttp.ClientSession) -> None:
    async with FaultServer(Reset("status"), Disconnect("status")) as server:
        with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
            await post(session, server)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(session, server)


async def test_a_stall_before_the_head_and_one_in_the_body(session: aiohttp.ClientSession) -> None:
    limit = aiohttp.ClientTimeout(sock_read=0.02)
    async with FaultServer(Hang(), Hang(after="status"), Hang(after="body", reply=REPLY)) as server:
        for _ in range(2):
            with pytest.raises(aiohttp.SocketTimeoutError):
                await post(session, server, timeout=limit)
        async with session.post(server.url, timeout=limit) as response:
            assert response.status == 503
            assert await response.content.readexactly(4) == b"half"
            with pytest.raises(aiohttp.SocketTimeoutError):
                await response.read()


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
    ],
)
async def test_a_body_that_is_malformed(session: aiohttp.ClientSession, raw: bytes) -> None:
    async with FaultServer(Malformed(raw)) as server:
        with pytest.raises(aiohttp.ClientError):  # of the head or of the body: versions differ
            await post(session, server)
        assert server.stats().statuses == {}


# Slow bytes of a head.


def test_the_bytes_of_a_head_come_one_by_one() -> None:
    step = Reply(503, body=b"body", head_byte_delay=1.0, body_delay=100.0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with FaultServer(step) as server:
            reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
            writer.write(GET)
            began = loop.time()
            arrived = [(await reader.readexactly(1), loop.time() - began) for _ in range(10)]
            assert arrived == [(bytes([b]), i) for i, b in enumerate(STATUS_LINE[:10])]
            rest = await reader.readuntil(b"\r\n\r\n")
            head_took = loop.time() - began
            assert head_took == 10 + len(rest) - 1
            assert await reader.readexactly(4) == b"body"
            assert loop.time() - began == head_took + 100
            writer.close()
            await writer.wait_closed()

    run_in_virtual_time(main())


def test_the_bytes_of_a_status_line_come_one_by_one_to_where_it_is_cut() -> None:
    step = Disconnect("status", reply=Reply(503, delay=5.0, head_byte_delay=1.0))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with FaultServer(step) as server:
            reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
            writer.write(GET)
            began = loop.time()
            assert await reader.read() == STATUS_LINE
            assert loop.time() - began == 5 + len(STATUS_LINE) - 1
            writer.close()
            await writer.wait_closed()

    run_in_virtual_time(main())


@pytest.mark.parametrize("body", [b"", b"abc"])
async def test_aiohttp_reads_a_slow_head(session: aiohttp.ClientSession, body: bytes) -> None:
    step = Reply(503, body=body, head_byte_delay=0.0001)
    async with FaultServer(step) as server, session.post(server.url) as response:
        assert (response.status, await response.read()) == (503, body)


async def test_a_client_that_leaves_in_a_slow_head_is_let_go() -> None:
    async with FaultServer(Reply(head_byte_delay=600)) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(GET)
        assert await reader.readexactly(1) == b"H"
        writer.close()
        await writer.wait_closed()
        await server.wait_for(connections=0)
