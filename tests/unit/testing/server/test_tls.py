"""The fault server over TLS: as a raw client sees it, and as aiohttp does."""

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from resilient.errors import ConfigError
from resilient.testing import (
    Answer,
    Disconnect,
    FaultServer,
    Hang,
    Malformed,
    Reply,
    Reset,
)
from tests.unit.testing.support import GET, Certificates, converse, post

REPLY = Reply(503, body=b"halfgone")
STATUS_LINE = b"HTTP/1.1 503 Service Unavailable\r\n"
HEAD = STATUS_LINE + b"Content-Length: 8\r\n\r\n"


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


def over_tls(certificates: Certificates, *steps: Answer, **kwargs: Any) -> FaultServer:
    return FaultServer(*steps, ssl=certificates.server, **kwargs)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def client(certificates: Certificates, request: pytest.FixtureRequest) -> ssl.SSLContext:
    context = certificates.trusting()
    context.minimum_version = context.maximum_version = request.param
    return context


# How connections end.


@pytest.mark.parametrize(
    ("step", "sent", "end"),
    [
        (Reply(503, body=b"halfgone", keep_alive=False), None, "close_notify"),
        (Reply(503, body=b"halfgone", truncate=4), None, "close_notify"),
        (Malformed(b"nonsense"), b"nonsense", "close_notify"),
        (Hang(0.001), b"", "close_notify"),
        (Disconnect("accept"), b"", "FIN"),
        (Disconnect(), b"", "FIN"),
        (Disconnect("status", reply=REPLY), STATUS_LINE, "FIN"),
        (Disconnect("body", reply=REPLY), HEAD + b"half", "FIN"),
        (Reset("accept"), b"", "RST"),
        (Reset(), b"", "RST"),
        (Reset("status", reply=REPLY), STATUS_LINE, "RST"),
        (Reset("head", reply=REPLY), HEAD, "RST"),
        (Reset("body", reply=REPLY), HEAD + b"half", "RST"),
    ],
    ids=repr,
)
async def test_a_connection_ends_as_scripted(
    certificates: Certificates,
    client: ssl.SSLContext,
    step: Answer,
    sent: bytes | None,
    end: str,
) -> None:
    async with over_tls(certificates, step) as server:
        got, ended = await converse(server, tls=client)
        assert ended == end
        assert sent is None or got == sent
        await server.wait_for(connections=0)


@pytest.mark.parametrize("how", ["close_notify", "FIN", "RST"])
async def test_a_client_that_leaves_is_noticed(
    certificates: Certificates, client: ssl.SSLContext, how: str
) -> None:
    def leave(address: tuple[str, int], hanging: asyncio.Event) -> None:
        plain = socket.create_connection(address, timeout=5)
        connection = client.wrap_socket(plain, server_hostname=address[0])
        connection.sendall(GET)
        asyncio.run_coroutine_threadsafe(hanging.wait(), loop).result(5)
        if how == "close_notify":
            connection.settimeout(0.0)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                connection.unwrap()
            asyncio.run_coroutine_threadsafe(server.wait_for(waiting=0), loop).result(5)
        elif how == "RST":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    loop = asyncio.get_running_loop()
    async with over_tls(certificates, Hang()) as server:
        hanging = asyncio.Event()
        address = (server.url.host or "", server.url.port or 0)
        leaving = asyncio.create_task(asyncio.to_thread(leave, address, hanging))
        await server.wait_for(waiting=1)
        hanging.set()
        await leaving
        await server.wait_for(waiting=0, connections=0)


# As aiohttp sees it.


async def test_https_calls_are_answered_and_recorded(
    session: aiohttp.ClientSession, certificates: Certificates
) -> None:
    async with over_tls(certificates, Reply(json=[1]), Reply(201)) as server:
        assert server.url.scheme == "https"
        async with session.post(
            server.url / "a", data=b"x" * 300_000, ssl=certificates.client
        ) as response:
            assert await response.json() == [1]
        assert await post(session, server, ssl=certificates.client) == 201
        assert [request.connection for request in server.requests] == [1, 1]
        assert server.requests[0].body == b"x" * 300_000
        assert server.requests[0].path == "/a"


async def test_a_large_body_arrives_whole(
    session: aiohttp.ClientSession, certificates: Certificates
) -> None:
    body = bytes(range(256)) * 20_000
    async with (
        over_tls(certificates, Reply(body=body)) as server,
        session.post(server.url, ssl=certificates.client) as response,
    ):
        await asyncio.sleep(0.01)
        assert await response.read() == body


async def test_an_early_answer_to_an_upload(
    session: aiohttp.ClientSession, certificates: Certificates
) -> None:
    async def upload() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.Event().wait()

    async with over_tls(certificates, Reply(413, early=True, keep_alive=False)) as server:
        assert await post(session, server, data=upload(), ssl=certificates.client) == 413
        assert server.requests[0].body == b""


@contextlib.asynccontextmanager
async def natural_server(context: ssl.SSLContext, *, reset: bool) -> AsyncIterator[str]:
    """asyncio's own, which sends half a response and dies."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"half")
        await writer.drain()
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def failure(session: aiohttp.ClientSession, url: Any, context: ssl.SSLContext) -> str:
    async with session.post(url, ssl=context) as response:
        assert response.status == 503
        assert await response.content.readexactly(4) == b"half"
        with pytest.raises(aiohttp.ClientPayloadError) as caught:
            await response.read()
    return f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("reset", [True, False])
async def test_a_body_that_is_cut_reaches_aiohttp_as_from_a_server_that_dies(
    session: aiohttp.ClientSession, certificates: Certificates, client: ssl.SSLContext, reset: bool
) -> None:
    step = Reset("body", reply=REPLY) if reset else Disconnect("body", reply=REPLY)
    async with natural_server(certificates.server, reset=reset) as url:
        expected = await failure(session, url, client)
    async with over_tls(certificates, step) as server:
        assert await failure(session, server.url, client) == expected
    assert ("reset by peer" in expected) == reset


async def test_faults_before_the_answer(
    session: aiohttp.ClientSession, certificates: Certificates
) -> None:
    async with over_tls(certificates, Reset(), Disconnect(), Reset("accept")) as server:
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await post(session, server, ssl=certificates.client)
        assert caught.value.errno == errno.ECONNRESET
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(session, server, ssl=certificates.client)
        with pytest.raises(aiohttp.ClientOSError):
            await post(session, server, ssl=certificates.client)
        assert server.hits == 3


async def test_a_wait_ends_when_the_client_goes(
    session: aiohttp.ClientSession, certificates: Certificates
) -> None:
    async with over_tls(certificates, Reply(delay=600)) as server:
        call = asyncio.create_task(post(session, server, ssl=certificates.client))
        await server.wait_for(hits=1)
        call.cancel()
        await server.wait_for(connections=0)
        with pytest.raises(asyncio.CancelledError):
            await call


@pytest.mark.parametrize("step", [Hang(), Reply(body=bytes(20_000_000))], ids=["hang", "unread"])
async def test_closing_does_not_wait_for_steps(
    session: aiohttp.ClientSession, certificates: Certificates, step: Answer
) -> None:
    async with over_tls(certificates, step) as server:
        response = asyncio.create_task(session.post(server.url, ssl=certificates.client))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.001)
    with pytest.raises(aiohttp.ClientError):
        await (await response).read()


async def test_an_outage_over_tls(
    session: aiohttp.ClientSession, certificates: Certificates
) -> None:
    async with over_tls(certificates) as server:
        await server.stop_listening()
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(session, server, ssl=certificates.client)
        await server.resume_listening()
        assert await post(session, server, ssl=certificates.client) == 200


# Clients that cannot agree with it.


async def test_a_client_that_does_not_trust_it(
    session: aiohttp.ClientSession, certificates: Certificates
) -> None:
    async with over_tls(certificates) as server:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await post(session, server, ssl=ssl.create_default_context())
        await server.wait_for(connections=0)
        assert server.hits == 0


async def test_what_is_no_tls_is_recorded(certificates: Certificates) -> None:
    async with over_tls(certificates) as server:
        raw = GET + b"x" * 1000
        _, end = await converse(server, raw)
        assert end == "FIN"
        (unparsable,) = server.malformed
        assert "TLS handshake that failed" in unparsable.reason
        assert unparsable.raw == raw[:64]
        assert (server.hits, server.stats().malformed) == (0, 1)


async def test_a_client_too_old_for_the_server_gets_the_alert(certificates: Certificates) -> None:
    strict = Certificates().server
    strict.minimum_version = ssl.TLSVersion.TLSv1_3
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with FaultServer(ssl=strict) as server:
        with pytest.raises(ssl.SSLError, match=r"(?i)alert.protocol.version"):
            await converse(server, tls=old)
        assert "UNSUPPORTED_PROTOCOL" in server.malformed[0].reason


async def test_records_that_turn_to_gibberish_are_recorded(certificates: Certificates) -> None:
    def talk(address: tuple[str, int]) -> bytes:
        with socket.create_connection(address, timeout=5) as plain:
            copy = plain.dup()
            connection = certificates.client.wrap_socket(plain, server_hostname=address[0])
            with connection, copy:
                connection.sendall(GET)
                connection.recv(1000)
                copy.sendall(b"gibberish, and no record of TLS")
                with contextlib.suppress(ssl.SSLError):
                    return connection.recv(1000)
                return b""

    async with over_tls(certificates) as server:
        assert await asyncio.to_thread(talk, (server.url.host or "", server.url.port or 0)) == b""
        await server.wait_for(connections=0)
        assert "a TLS record that failed" in server.malformed[0].reason
        assert server.hits == 1


def test_a_context_for_clients_is_refused(certificates: Certificates) -> None:
    with pytest.raises(ConfigError, match=r"FaultServer\.ssl must be None or an SSLContext for"):
        FaultServer(ssl=certificates.client)
