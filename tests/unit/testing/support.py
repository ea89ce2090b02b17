"""What these tests share: requests made by hand, and a raw client."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import aiohttp
import trustme
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy

from resilient.testing import FaultServer, FaultServerProcess, Received

__all__ = [
    "GET",
    "Certificates",
    "converse",
    "post",
    "request_at",
]

T = TypeVar("T")

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def request_at(
    time: float, *, since_start: float | None = None, since_first: float | None = None
) -> Received:
    """A request whose head was in at a time."""
    return Received(
        method="GET",
        target="/",
        path="/",
        query=MultiDictProxy(MultiDict()),
        headers=CIMultiDictProxy(CIMultiDict()),
        time=time,
        connection=1,
        keep_alive=True,
        expects_continue=False,
        length=0,
        since_start=time if since_start is None else since_start,
        since_first=time if since_first is None else since_first,
    )


async def post(
    session: aiohttp.ClientSession,
    server: FaultServer | FaultServerProcess,
    path: str = "/",
    **kwargs: Any,
) -> int:
    async with session.post(server.url / path.lstrip("/"), **kwargs) as response:
        await response.read()
        return response.status


async def converse(
    server: FaultServer, raw: bytes = GET, tls: ssl.SSLContext | None = None
) -> tuple[bytes, str]:
    """What a client gets that sends bytes and reads; and its end.

    That is "FIN" or "RST", and over TLS also "close_notify".
    """
    address = (server.url.host or "", server.url.port or 0)
    return await asyncio.to_thread(_converse, address, raw, tls)


def _converse(
    address: tuple[str, int], raw: bytes, context: ssl.SSLContext | None
) -> tuple[bytes, str]:
    got = bytearray()
    with socket.create_connection(address, timeout=5) as connection:
        try:
            parts = _plain(connection, raw) if context is None else _tls(connection, raw, context)
            for part in parts:
                got += part
        except ConnectionResetError:
            return bytes(got), "RST"
        except EOFError:
            return bytes(got), "FIN"
        return bytes(got), "close_notify"


def _plain(connection: socket.socket, raw: bytes) -> Iterator[bytes]:
    connection.sendall(raw)
    while part := connection.recv(65536):
        yield part
    raise EOFError


def _tls(connection: socket.socket, raw: bytes, context: ssl.SSLContext) -> Iterator[bytes]:
    """In memory: the sockets of the ssl module take a reset for an end on some versions."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=connection.getpeername()[0])

    def when_ready(call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                # Sending nothing would find a reset that came behind data still to be read.
                if pending := outgoing.read():
                    connection.sendall(pending)
                data = connection.recv(65536)
                if not data:
                    raise EOFError from None
                incoming.write(data)

    when_ready(tls.do_handshake)
    tls.write(raw)
    while part := when_ready(lambda: tls.read(65536)):
        yield part


class Certificates:
    """Contexts for a server on loopback and for clients that trust it."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.issued = self._authority.issue_cert("127.0.0.1")
        self.issued.configure_cert(self.server)
        self.client = self.trusting()

    def trusting(self) -> ssl.SSLContext:
        """Another context for clients."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context
