"""The fault server, as a real aiohttp session sees it.

Faults are met with POST as a rule: aiohttp sends a GET that met a broken connection once more
on its own.
"""

import asyncio
import errno
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from resilient.errors import ConfigError
from resilient.testing import (
    Answer,
    Disconnect,
    FaultServer,
    Hang,
    Malformed,
    Received,
    Reply,
    Reset,
    Step,
)
from tests.unit.testing.support import post

Session = aiohttp.ClientSession


# Replies.


async def test_a_script_answers_one_request_each_and_then_the_rest(session: Session) -> None:
    async with FaultServer(
        Reply(503), Reply(429, headers={"Retry-After": "1"}), then=Reply(201)
    ) as server:
        assert [await post(session, server) for _ in range(4)] == [503, 429, 201, 201]
        assert server.hits == 4


async def test_what_answers_by_default(session: Session) -> None:
    async with FaultServer() as server, session.get(server.url) as response:
        assert (response.status, response.reason) == (200, "OK")
        assert response.content_type == "application/json"
        assert await response.json() == {}


async def test_a_reply_is_sent_as_it_stands(session: Session) -> None:
    step = Reply(
        599,
        reason="Odd",
        body=b"<html>",
        headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Word", "é\udcff")],
    )
    async with FaultServer(step) as server, session.post(server.url) as response:
        assert (response.status, response.reason) == (599, "Odd")
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert (b"X-Word", "é\udcff".encode("utf-8", "surrogateescape")) in response.raw_headers
        assert set(response.headers) == {"Set-Cookie", "X-Word", "Content-Length"}
        assert await response.read() == b"<html>"


async def test_a_content_type_of_ones_own_is_kept(session: Session) -> None:
    step = Reply(400, json={"title": "é"}, headers={"content-type": "application/problem+json"})
    async with FaultServer(step) as server, session.post(server.url) as response:
        assert response.headers.getall("Content-Type") == ["application/problem+json"]
        assert await response.json(content_type=None) == {"title": "é"}


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body(session: Session, status: int) -> None:
    async with FaultServer(Reply(status)) as server:
        assert await post(session, server) == status
        assert await post(session, server) == 200
        assert server.total_connections == 1


async def test_head_gets_the_head(session: Session) -> None:
    async with FaultServer(Reply(200, json=[1, 2, 3])) as server:
        async with session.head(server.url) as response:
            assert response.headers["Content-Length"] == "9"
            assert await response.read() == b""
        assert await post(session, server) == 200
        assert server.total_connections == 1


async def test_delays_come_where_they_are_scripted(session: Session) -> None:
    loop = asyncio.get_running_loop()
    step = Reply(body=b"abc", delay=0.02, body_delay=0.02, chunk_delay=0.01)
    async with FaultServer(step) as server:
        began = loop.time()
        async with session.post(server.url) as response:
            head = loop.time() - began
            pieces = [piece async for piece in response.content.iter_any()]
            whole = loop.time() - began
    assert pieces == [b"a", b"b", b"c"]
    assert head >= 0.019
    assert whole - head >= 0.035


@pytest.mark.parametrize("chunk_size", [None, 3])
async def test_chunked_replies(session: Session, chunk_size: int | None) -> None:
    step = Reply(json="0123456789", chunked=True, chunk_size=chunk_size)
    async with FaultServer(step, Reply(chunked=True)) as server:
        async with session.post(server.url) as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert "Content-Length" not in response.headers
            assert await response.json() == "0123456789"
        async with session.post(server.url) as response:
            assert await response.read() == b""
        assert server.total_connections == 1


async def test_a_large_body_arrives_whole(session: Session) -> None:
    body = bytes(range(256)) * 20_000
    async with FaultServer(Reply(body=body)) as server, session.post(server.url) as response:
        await asyncio.sleep(0.01)  # longer than the system's buffers last
        assert await response.read() == body


@pytest.mark.parametrize("sent", [0, 3])
@pytest.mark.parametrize("chunked", [False, True])
async def test_truncated_replies(session: Session, sent: int, chunked: bool) -> None:
    async with FaultServer(Reply(body=b"abcdef", truncate=sent, chunked=chunked)) as server:
        async with session.post(server.url) as response:
            assert response.headers.get("Content-Length") == (None if chunked else "6")
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert await post(session, server) == 200
        assert server.total_connections == 2


async def test_a_server_that_lies_about_the_length(session: Session) -> None:
    step = Reply(body=b"abc", headers={"Content-Length": "5"}, keep_alive=False)
    async with FaultServer(step) as server, session.post(server.url) as response:
        assert response.headers.getall("Content-Length") == ["5"]
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


# Connections.


async def test_a_connection_that_is_kept_alive_is_used_again(session: Session) -> None:
    async with FaultServer(Reply(), Reply(keep_alive=False), Reply()) as server:
        for _ in range(3):
            await post(session, server)
        assert [request.connection for request in server.requests] == [1, 1, 2]
        assert server.total_connections == 2


async def test_connections_are_counted_while_they_are_open(session: Session) -> None:
    async with FaultServer(then=Hang()) as server:
        calls = [asyncio.create_task(post(session, server)) for _ in range(3)]
        await server.wait_for(waiting=3)
        assert (server.connections, server.waiting) == (3, 3)
        calls[0].cancel()
        await server.wait_for(connections=2, waiting=2)
        calls[1].cancel()
        calls[2].cancel()
        await server.wait_for(connections=0)
        assert (server.connections, server.waiting, server.total_connections) == (0, 0, 3)
        for call in calls:
            with pytest.raises(asyncio.CancelledError):
                await call


@pytest.mark.parametrize("after", ["accept", "request"])
@pytest.mark.parametrize(
    ("cut", "error", "number"),
    [
        (Reset, aiohttp.ClientOSError, errno.ECONNRESET),
        (Disconnect, aiohttp.ServerDisconnectedError, None),
    ],
)
async def test_a_cut_before_the_answer(
    session: Session, cut: Any, error: type[Exception], number: int | None, after: str
) -> None:
    async with FaultServer(cut(after)) as server:
        with pytest.raises(error) as caught:
            await post(session, server, data=b"body")
        assert getattr(caught.value, "errno", None) == number
        assert server.hits == 1
        assert [r.body for r in server.requests] == ([b"body"] if after == "request" else [])


@pytest.mark.parametrize("cut", [Reset, Disconnect])
@pytest.mark.parametrize(("after", "arrived"), [("head", b""), ("body", b"half")])
async def test_a_cut_in_the_answer(
    session: Session, cut: type[Reset | Disconnect], after: str, arrived: bytes
) -> None:
    step = cut(after, reply=Reply(503, body=b"halfgone", headers={"X": "y"}))  # type: ignore[arg-type]  # on purpose
    async with FaultServer(step) as server, session.post(server.url) as response:
        assert (response.status, response.headers["X"]) == (503, "y")
        assert response.headers["Content-Length"] == "8"
        assert await response.content.readexactly(len(arrived)) == arrived
        with pytest.raises(aiohttp.ClientPayloadError) as caught:
            await response.content.readexactly(1)
        was_reset = "reset by peer" in f"{caught.value!r} {caught.value.__cause__!r}"
        assert was_reset == (cut is Reset)


@pytest.mark.parametrize("cut", [Reset, Disconnect])
async def test_a_cut_answer_by_default(session: Session, cut: type[Reset | Disconnect]) -> None:
    async with FaultServer(cut("body")) as server, session.post(server.url) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_pooled_connection_that_turns_out_to_be_dead(session: Session) -> None:
    async with FaultServer(Reply(), Disconnect("accept"), Reply(201)) as server:
        async with session.get(server.url) as response:
            await response.read()
        async with session.get(server.url) as response:  # aiohttp sends it twice, unseen
            assert response.status == 201
        assert server.hits == 3
        assert [request.connection for request in server.requests] == [1, 2]


async def test_a_cut_at_accept_does_not_read_a_body_whose_head_it_had_to_see(
    session: Session,
) -> None:
    async def upload() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.Event().wait()

    async with FaultServer() as server:
        server.route("/cut", Reset("accept"))
        with pytest.raises(aiohttp.ClientOSError):
            await post(session, server, "/cut", data=upload())
        assert server.hits == 1
        assert (server.requests[0].body, server.requests[0].complete) == (b"", False)


async def test_malformed_replies(session: Session) -> None:
    async with FaultServer(Malformed(), Malformed(b""), Malformed(b"HTTP/1.1 200")) as server:
        with pytest.raises(aiohttp.ClientResponseError):
            await post(session, server)
        for _ in range(2):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await post(session, server)
        assert server.hits == 3


# Hangs.


@pytest.mark.parametrize("size", [0, 300_000])
@pytest.mark.parametrize("step", [Hang(), Reply(delay=600), Reply(body=b"x", body_delay=600)])
async def test_a_wait_ends_when_the_client_goes(session: Session, step: Answer, size: int) -> None:
    async with FaultServer(step) as server:
        call = asyncio.create_task(post(session, server, data=bytes(size)))
        await server.wait_for(hits=1)
        call.cancel()
        await server.wait_for(connections=0)
        assert server.waiting == 0
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_a_hang_ends_when_the_server_is_closed(session: Session) -> None:
    async with FaultServer(Hang()) as server:
        call = asyncio.create_task(post(session, server))
        await server.wait_for(waiting=1)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call


async def test_a_hang_of_a_certain_length(session: Session) -> None:
    async with FaultServer(Hang(0.01)) as server:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(session, server)
        assert server.waiting == 0


# Uploads.


async def test_a_chunked_upload_is_recorded_whole(session: Session) -> None:
    async def upload() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"x" * 300_000):
            yield part
            await asyncio.sleep(0)

    async with FaultServer() as server:
        assert await post(session, server, data=upload()) == 200
        assert server.requests[0].headers["Transfer-Encoding"] == "chunked"
        assert server.requests[0].body == b"one two " + b"x" * 300_000
        assert server.requests[0].complete


async def test_a_client_that_expects_a_100_gets_it(session: Session) -> None:
    async with FaultServer() as server:
        assert await post(session, server, data=b"abc", expect100=True) == 200
        assert server.requests[0].expects_continue
        assert server.requests[0].body == b"abc"


async def test_an_early_answer_spares_a_client_that_expects_a_100_the_upload(
    session: Session,
) -> None:
    async with FaultServer(Reply(413, early=True)) as server:
        async with session.post(server.url, data=b"abc", expect100=True) as response:
            assert response.status == 413
            assert response.headers["Connection"] == "close"
        await server.wait_for(connections=0)
        assert (server.requests[0].body, server.requests[0].complete) == (b"", False)


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_an_early_answer_to_a_long_upload(session: Session, keep_alive: bool) -> None:
    answered = asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.wait_for(answered.wait(), 5)
        yield b"end"

    async with FaultServer(Reply(503, early=True, keep_alive=keep_alive)) as server:
        async with session.post(server.url, data=upload()) as response:
            assert response.status == 503
            assert not server.requests[0].complete
            answered.set()
            await response.read()
        await server.wait_for(connections=0)  # aiohttp closes what it has not written to the end
        assert not server.requests[0].complete


async def test_an_upload_is_read_to_its_end_after_an_early_answer() -> None:
    async with FaultServer(Reply(503, early=True), Reply(201)) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
        assert b"503" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"def" + b"GET / HTTP/1.1\r\n\r\n")
        assert b"201" in await reader.readuntil(b"\r\n\r\n")
        assert (server.requests[0].body, server.requests[0].complete) == (b"abcdef", True)
        writer.close()
        await writer.wait_closed()


async def test_an_upload_that_nobody_reads_stalls() -> None:
    async with FaultServer(Reply(503, early=True, delay=600)) as server:
        _, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n")
        await server.wait_for(hits=1)
        writer.write(bytes(100_000_000))
        before, unsent = 0, 100_000_000
        while unsent != before:
            await asyncio.sleep(0.01)
            before, unsent = unsent, writer.transport.get_write_buffer_size()
        assert unsent > 50_000_000
        writer.transport.abort()


async def test_an_answer_is_not_lost_on_a_client_that_goes_on_sending() -> None:
    step = Reply(413, body=b"enough", early=True, keep_alive=False, delay=0.02)
    async with FaultServer(step) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n")
        for _ in range(20):
            writer.write(bytes(1_000_000))
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.read()).endswith(b"enough")
        writer.close()
        await writer.wait_closed()
        await server.wait_for(connections=0)


async def test_a_slow_reader_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resilient.testing.server.connection._LINGER", 0.0)
    body = bytes(8_000_000)
    async with FaultServer(Reply(body=body, keep_alive=False)) as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.02)
        assert await reader.read() == body
        writer.close()
        await writer.wait_closed()


# Scripts.


async def test_routes_have_scripts_of_their_own(session: Session) -> None:
    async with FaultServer(Reply(500), then=Reply(501)) as server:
        server.route("/a", Reply(401), Reply(402), then=Reply(403))
        paths = ["/a", "/b", "/a", "/a", "/b"]
        assert [await post(session, server, path) for path in paths] == [401, 500, 402, 403, 501]
        async with session.post(server.url / "a", params={"q": "1"}) as response:
            assert response.status == 403
        server.route("/a", Reply(404))
        assert [await post(session, server, path) for path in ("/a", "/a")] == [404, 200]


@pytest.mark.parametrize(
    ("route", "sent"),
    [
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/%61", "/a"),
        ("/é", "/%C3%A9"),
        ("/%c3%a9", "/%C3%A9"),
        ("/what%3F", "/what%3F"),
        ("/no.%231", "/no.%231"),
        ("/100%25", "/100%25"),
        ("/100%", "/100%25"),
        ("/a+b", "/a+b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/", ""),
    ],
)
async def test_a_route_is_met_by_its_path_however_it_is_escaped(
    session: Session, route: str, sent: str
) -> None:
    async with FaultServer(then=Reply(404)) as server:
        server.route(route, then=Reply(201))
        url = URL(f"{str(server.url).rstrip('/')}{sent}?q=1", encoded=True)
        async with session.post(url) as response:
            assert response.status == 201


@pytest.mark.parametrize(
    ("route", "allowed"),
    [
        ("/a?b=c", "a path alone, as neither query nor fragment count: '/a' "),
        ("/a#b", "a path alone, as neither query nor fragment count: '/a' "),
        ("/a?", "a path alone, as neither query nor fragment count: '/a' "),
        ("/?x#y", "a path alone, as neither query nor fragment count: '/' "),
        ("a", "a path that begins with /"),
        ("", "a path that begins with /"),
        ("?a", "a path that begins with /"),
        ("http://127.0.0.1/a", "a path that begins with /"),
        (URL("/a"), "a path that begins with /"),
        (None, "a path that begins with /"),
    ],
)
def test_a_route_that_nothing_can_match_is_refused(route: Any, allowed: str) -> None:
    expected = f"FaultServer.route's path must be {allowed}"
    with pytest.raises(ConfigError, match=re.escape(expected)):
        FaultServer().route(route)


async def test_a_script_grows_while_it_runs(session: Session) -> None:
    async with FaultServer(Reply(500)) as server:
        server.script(Reply(501))
        assert [await post(session, server) for _ in range(3)] == [500, 501, 200]
        server.script(Reply(502), Reply(503))
        assert [await post(session, server) for _ in range(3)] == [502, 503, 200]


async def test_a_callable_sees_the_whole_request(session: Session) -> None:
    def echo(request: Received) -> Step:
        return Reply(200 + server.hits, body=request.body)

    async def later(request: Received) -> Step:
        await asyncio.sleep(0)
        return Reply(299, body=request.body)

    async with FaultServer(later, then=echo) as server:
        for status in (299, 202, 203):
            async with session.post(server.url, data=b"abc") as response:
                assert (response.status, await response.read()) == (status, b"abc")


async def test_a_callable_that_fails_fails_the_test(session: Session) -> None:
    def fails(request: Received) -> Step:
        raise LookupError("oops")

    async def run(answer: Answer, *, then_fail: bool = False) -> None:
        async with FaultServer(answer) as server:
            assert await post(session, server) == 500
            if then_fail:
                raise RuntimeError("the test's own")

    with pytest.raises(LookupError, match="oops"):
        await run(fails)
    with pytest.raises(ConfigError, match="must be a step, not 503"):
        await run(lambda request: 503)  # type: ignore[arg-type, return-value]  # on purpose
    with pytest.raises(RuntimeError, match="the test's own") as caught:
        await run(fails, then_fail=True)
    assert caught.value.__notes__ == ["a callable of FaultServer failed: LookupError('oops')"]


async def test_a_callable_may_end_the_server(session: Session) -> None:
    async def outage(request: Received) -> Step:
        await server.stop_listening()
        return Reply()

    async with FaultServer(outage, then=Hang()) as server:
        first = asyncio.create_task(post(session, server))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await first
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(session, server)


async def test_requests_at_once_take_one_step_each(session: Session) -> None:
    steps = [Reply(200 + i) for i in range(50)]
    async with FaultServer(*steps, then=Reply(500)) as server:
        statuses = await asyncio.gather(*(post(session, server) for _ in steps))
        assert sorted(statuses) == [step.status for step in steps]
        assert server.hits == 50
        times = [request.time for request in server.requests]
        assert times == sorted(times)


# Records.


async def test_wait_for_hits_waits_for_bodies_too(session: Session) -> None:
    async with FaultServer() as server:
        reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
        writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        waiter = asyncio.create_task(server.wait_for(hits=1))
        writer.write(b"begin")
        await asyncio.sleep(0.001)
        assert (server.hits, waiter.done()) == (1, False)
        writer.write(b"end")
        await waiter
        assert server.requests[0].body == b"beginend"
        writer.close()
        await writer.wait_closed()
        await server.wait_for(hits=1)
        await server.wait_for()


async def test_wait_for_can_be_cancelled_and_does_not_outlive_the_server(session: Session) -> None:
    async with FaultServer() as server:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.wait_for(hits=1), 0.001)
        await post(session, server)
        waiter = asyncio.create_task(server.wait_for(hits=2))
        await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        await waiter
    await server.wait_for(hits=1)
    with pytest.raises(RuntimeError, match="closed"):
        await server.wait_for(hits=2)


async def test_clear_forgets_the_records(session: Session) -> None:
    async with FaultServer(Reply(201), Hang(0.01), then=Reply(202)) as server:
        await post(session, server)
        hanging = asyncio.create_task(post(session, server))
        await server.wait_for(waiting=1)
        server.clear()
        assert (server.hits, list(server.requests), list(server.malformed)) == (0, [], [])
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await hanging
        assert (server.hits, server.waiting) == (0, 0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.wait_for(hits=1), 0.001)
        assert await post(session, server) == 202
        await server.wait_for(hits=1)
        assert server.requests[0].connection == server.total_connections == 2


# Outages and the server's life.


async def test_an_outage_refuses_connections_and_ends_on_the_same_port(session: Session) -> None:
    async with FaultServer(Reply(201), Hang(), then=Reply(202)) as server:
        url = server.url
        assert await post(session, server) == 201
        hanging = asyncio.create_task(post(session, server))
        await server.wait_for(waiting=1)
        await server.stop_listening()
        await server.stop_listening()
        assert (server.connections, server.waiting) == (0, 0)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await hanging
        for _ in range(3):
            with pytest.raises(aiohttp.ClientConnectorError) as caught:
                await post(session, server)
            assert caught.value.errno == errno.ECONNREFUSED
        assert server.hits == 2
        await server.resume_listening()
        await server.resume_listening()
        assert server.url == url
        assert await post(session, server) == 202
        await server.stop_listening()


async def test_many_outages_under_load_leave_nothing(session: Session) -> None:
    async def call() -> int:
        try:
            return await post(session, server, data=b"x" * 1000)
        except aiohttp.ClientError:
            return 0

    async with FaultServer(then=lambda request: Reply(json={})) as server:
        for turn in range(30):
            calls = [asyncio.create_task(call()) for _ in range(10)]
            for _ in range(turn % 10):
                await asyncio.sleep(0)
            await server.stop_listening()
            assert server.connections == 0
            await server.resume_listening()
            assert set(await asyncio.gather(*calls)) <= {0, 200}


async def test_a_server_is_started_once_and_closed_at_least_once(session: Session) -> None:
    server = FaultServer()
    assert "new" in repr(server)
    with pytest.raises(RuntimeError, match="no port"):
        _ = server.url
    with pytest.raises(RuntimeError, match="new"):
        await server.stop_listening()
    await server.start()
    with pytest.raises(RuntimeError, match="once"):
        await server.start()
    assert await post(session, server) == 200
    assert repr(server) == f"<FaultServer 127.0.0.1:{server.url.port} listening hits=1>"
    await server.aclose()
    await server.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await server.resume_listening()
    with pytest.raises(aiohttp.ClientConnectorError):
        await post(session, server)


async def test_a_server_that_was_never_started_closes() -> None:
    await FaultServer().aclose()


async def test_a_port_that_is_taken_leaves_nothing_open() -> None:
    async with FaultServer() as server:
        with pytest.raises(OSError, match="in use"):
            async with FaultServer(port=server.url.port or 0):
                pass


async def test_a_server_on_a_port_of_ones_choice(session: Session) -> None:
    async with FaultServer() as first:
        port = first.url.port
        assert port
    async with FaultServer(port=port) as server:
        assert server.url.port == port
        assert await post(session, server) == 200


@pytest.mark.parametrize(
    "step",
    [
        Hang(),
        Reply(delay=600),
        Reply(body=b"xx", chunk_delay=600),
        Reply(body=b"x", body_delay=600),
        Reply(body=bytes(20_000_000)),
    ],
    ids=["hang", "delay", "chunk_delay", "body_delay", "unread"],
)
async def test_closing_does_not_wait_for_steps(session: Session, step: Answer) -> None:
    async with FaultServer(step) as server:
        response = asyncio.create_task(session.post(server.url))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.001)
    with pytest.raises(aiohttp.ClientError):
        await (await response).read()
