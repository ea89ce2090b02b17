"""A connection without a socket, between aiohttp's own client and a few lines of ours.

The client writes its request, and parses an answer, as it does on a socket, so that what
comes of it is what comes of a server: a real `ClientResponse`, a body that ends too early,
an upload that was read and is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import BaseConnector, ClientRequest, ClientResponse
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection as ClientConnection

from resilient.clock import Clock
from resilient.testing.server.connection import Connection

__all__ = ["MemoryConnection", "exchange"]

Serve = Callable[["MemoryConnection"], Awaitable[None]]


class MemoryConnection(Connection):
    """The server's end; what it waits, it waits on a clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(1)
        self._clock = clock

    async def pause(self, seconds: float | None) -> None:
        """Wait so long, or until the client goes."""
        if seconds is None:
            await super().pause(None)
        elif seconds > 0:
            await self._clock.sleep(seconds)


class _Transport(asyncio.Transport):
    """One end: what is written here arrives there at once."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.peer: _Transport
        self._protocol = protocol
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.peer._protocol.data_received(bytes(data))

    def write_eof(self) -> None:
        """Nobody here listens for more once the other end has finished."""
        self.close()

    def close(self) -> None:
        if not self._closed:
            for end in (self, self.peer):
                end._closed = True
                asyncio.get_running_loop().call_soon(end._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closed

    # What was written has arrived: there is no flow to control.

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class _Pool:
    """As much of a connector as a connection of aiohttp's needs; it keeps none alive."""

    force_close = False

    def _release(self, key: object, protocol: ResponseHandler, **_: Any) -> None:
        protocol.close()


def _connect(client: ResponseHandler, server: MemoryConnection) -> None:
    ends = _Transport(client), _Transport(server)
    ends[0].peer, ends[1].peer = ends[1], ends[0]
    client.connection_made(ends[0])
    server.connection_made(ends[1])


async def exchange(request: ClientRequest, serve: Serve, clock: Clock) -> ClientResponse:
    """Send a request to a function in the place of a server.

    The aiohttp internals that this needs are its `ResponseHandler` and `Connection`, which
    are the same from 3.12 to 3.14; `ClientResponse` itself takes other arguments in each.

    Args:
        request: What a middleware is given.
        serve: Reads the request off a connection and answers. What it raises before an answer
            has begun comes out here.
        clock: For what it waits.

    Returns:
        The response, once its head is there.
    """
    loop = asyncio.get_running_loop()
    client, server = ResponseHandler(loop), MemoryConnection(clock)
    _connect(client, server)
    client.set_response_params(
        timer=getattr(request, "_timer", None),
        skip_payload=request.method == "HEAD",
        auto_decompress=request.session.auto_decompress,
    )
    pool = cast("BaseConnector", _Pool())
    connection = ClientConnection(pool, request.connection_key, client, loop)
    task = loop.create_task(_run(serve, server, client))

    def client_is_done() -> None:
        task.cancel()

    connection.add_callback(client_is_done)
    try:
        response = await request.send(connection)
        try:
            return await response.start(connection)
        except BaseException:
            response.close()
            raise
    except BaseException:
        connection.close()
        raise


async def _run(serve: Serve, server: MemoryConnection, client: ResponseHandler) -> None:
    try:
        await serve(server)
    except Exception as error:
        client.set_exception(error)
