"""Reading requests, as bytes on a socket."""

import asyncio

import pytest

from resilient.testing import Disconnect, FaultServer, Received, Reply


async def say(server: FaultServer, *parts: bytes) -> bytes:
    """Send bytes, close the sending side, and read to the end."""
    reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def only(raw: bytes) -> Received:
    async with FaultServer() as server:
        assert (await say(server, raw)).startswith(b"HTTP/1.1 200 OK\r\n")
        assert len(server.requests) == 1
        return server.requests[0]


async def test_a_request_is_recorded() -> None:
    received = await only(
        b"PUT /a%20b/%C3%A9?q=1&q=x+y&empty= HTTP/1.1\r\nHost: h\r\nX-Two: a\r\nx-two:  b \r\n"
        b"Content-Length: 4\r\n\r\nbody"
    )
    assert (received.method, received.path) == ("PUT", "/a b/é")
    assert received.target == "/a%20b/%C3%A9?q=1&q=x+y&empty="
    assert list(received.query.items()) == [("q", "1"), ("q", "x y"), ("empty", "")]
    assert received.headers.getall("X-TWO") == ["a", "b"]
    assert (received.body, received.complete) == (b"body", True)
    assert received.connection == 1
    assert received.time <= asyncio.get_running_loop().time()
    assert received.keep_alive


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://elsewhere.example/x?y=1", "/x"),
        ("http://elsewhere.example", "/"),
        ("//double/slash", "//double/slash"),
        ("*", "*"),
        ("host.example:443", "host.example:443"),
        ("/redirect?to=http://a/b", "/redirect"),
    ],
)
async def test_every_form_of_target_has_a_path(target: str, path: str) -> None:
    received = await only(f"OPTIONS {target} HTTP/1.1\r\n\r\n".encode())
    assert (received.target, received.path) == (target, path)


async def test_repr_shows_no_secrets() -> None:
    received = await only(
        b"POST /p?token=s3cret HTTP/1.1\r\nAuthorization: s3cret\r\nContent-Length: 6\r\n\r\ns3cret"
    )
    assert "POST" in repr(received)
    assert "s3cret" not in repr(received)


async def test_a_chunked_body_is_recorded_whole() -> None:
    received = await only(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
    )
    assert (received.body, received.complete) == (b"abc0123456789", True)


async def test_bytes_that_come_one_by_one() -> None:
    raw = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with FaultServer() as server:
        assert b"200 OK" in await say(server, *(bytes([byte]) for byte in raw))
        assert server.requests[0].body == b"abc"


async def test_bare_line_feeds_and_empty_lines_before_a_request() -> None:
    received = await only(b"\r\n\nGET /x HTTP/1.1\nA: b\n\n")
    assert (received.path, received.headers["A"]) == ("/x", "b")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with FaultServer(
        Reply(201, delay=0.01), Reply(202, body=b"x", chunk_delay=0.001), then=Reply(203)
    ) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(
            b"GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"
            b"GET /3 HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        answers = await reader.read()
        writer.close()
        await writer.wait_closed()
        statuses = [line.split()[1] for line in answers.split(b"\r\n") if b"HTTP/1.1" in line]
        assert statuses == [b"201", b"202", b"203"]
        assert [request.path for request in server.requests] == ["/1", "/2", "/3"]
        assert {request.connection for request in server.requests} == {1}


async def test_a_client_that_shuts_down_its_sending_side_gets_what_comes_at_once() -> None:
    async with FaultServer(Reply(204), Reply(delay=600)) as server:
        request = b"GET / HTTP/1.1\r\n\r\n"
        assert await say(server, request) == b"HTTP/1.1 204 No Content\r\n\r\n"
        assert await say(server, request) == b""


async def test_what_goes_out_is_what_was_scripted() -> None:
    async with FaultServer(then=Reply(299, body=b"abc", headers={"x-A": "b"})) as server:
        head = b"HTTP/1.1 299 \r\nx-A: b\r\nContent-Length: 3\r\n"
        assert await say(server, b"GET / HTTP/1.1\r\n\r\n") == head + b"\r\nabc"
        assert await say(server, b"HEAD / HTTP/1.1\r\n\r\n") == head + b"\r\n"
        closed = await say(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert closed == head + b"Connection: close\r\n\r\nabc"


@pytest.mark.parametrize("version", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nConnection: x, Close\r\n"])
async def test_a_client_that_wants_the_connection_closed(version: bytes) -> None:
    async with FaultServer() as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"GET / " + version + b"\r\n")
        assert b"Connection: close" in await reader.read()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"nonsense\r\n\r\n", "request line"),
        (b"GET /\r\n\r\n", "request line"),
        (b"GET  / HTTP/1.1\r\n\r\n", "request line"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "request line"),
        (b"\x16\x03\x01\x02\x00\x01", "0x16"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length"),
        (b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "Content-Length"),
        (
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "both",
        ),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "coding"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 65536, "head beyond"),
        (b"x" * 70_000, "head beyond"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 12_000 + b"\r\n", "head beyond"),
    ],
)
async def test_what_is_no_request_gets_a_400_and_takes_no_step(raw: bytes, reason: str) -> None:
    async with FaultServer() as server:
        answer = await say(server, raw)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert reason.encode() in answer
        assert reason in server.malformed[0].reason
        assert raw.startswith(server.malformed[0].raw[:64])
        assert server.malformed[0].raw
        assert len(server.malformed[0].raw) <= 65536
        assert server.malformed[0].connection == 1
        assert (server.hits, list(server.requests)) == (0, [])


async def test_a_head_of_64_kib_is_still_read() -> None:
    start = b"GET / HTTP/1.1\r\nX: "
    received = await only(start + b"x" * (65536 - len(start) - 4) + b"\r\n\r\n")
    assert len(received.headers["X"]) > 65_000


@pytest.mark.parametrize(
    "chunks", [b"x\r\n", b"3\r\nabcd\r\n", b"3\r\nabc3\r\n", b"f" * 16 + b"\r\n", b"1" * 70_000]
)
async def test_a_body_that_breaks_off_into_nonsense(chunks: bytes) -> None:
    async with FaultServer() as server:
        answer = await say(
            server, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        )
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert len(server.malformed) == 1
        assert not server.requests[0].complete


@pytest.mark.parametrize("raw", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nA: b\r\n"])
async def test_a_client_that_leaves_before_the_end_of_the_head_is_no_request(raw: bytes) -> None:
    async with FaultServer() as server:
        assert await say(server, raw) == b""
        await server.wait_for(connections=0)
        assert (server.hits, list(server.malformed)) == (0, [])


async def test_a_client_that_leaves_in_the_body_is_recorded_as_far_as_it_came() -> None:
    async with FaultServer() as server:
        assert await say(server, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc") == b""
        await server.wait_for(hits=1)
        assert (server.requests[0].body, server.requests[0].complete) == (b"abc", False)


async def test_a_step_that_cuts_at_accept_waits_for_no_head() -> None:
    async with FaultServer(Disconnect("accept")) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"G")
        assert await reader.read() == b""
        assert (server.hits, list(server.requests)) == (1, [])
        writer.close()
        await writer.wait_closed()
