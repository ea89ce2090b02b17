"""Connect aiohttp's own client to a function of ours, without a socket.

The client writes its request, and parses an answer, as it does on a socket, so that the
results are those of a server: a real `ClientResponse`, a body that ends too early, an upload
that was read and is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import BaseConnector, ClientRequest, ClientResponse, ClientTimeout
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection as ClientConnection

from resilient.clock import Clock, SystemClock, sleep_on
from resilient.testing.server.connection import ClientGone, Connection
from resilient.testing.time.clocks import LoopClock

__all__ = ["MemoryConnection", "exchange"]

Serve = Callable[["MemoryConnection"], Awaitable[None]]

# Seconds beyond any limit, for clocks on which time passes only while somebody sleeps.
_FOREVER = 1e9


class MemoryConnection(Connection):
    """The server's end of a connection; its waits are on a clock.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(1)
        self._clock = clock

    async def pause(self, seconds: float | None) -> None:
        """Wait so many seconds on the clock, or until the client leaves if it is None.

        On a clock apart from the event loop a wait without end passes time too, so that the
        limits on that clock run out; then it goes on until the client leaves.
        """
        if seconds is None:
            if not isinstance(self._clock, SystemClock | LoopClock):
                await sleep_on(self._clock, _FOREVER)
            await super().pause(None)
        elif seconds > 0:
            await sleep_on(self._clock, seconds)


class _Transport(asyncio.Transport):
    """One end of a connection: bytes that are written arrive at the other end at once."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.peer: _Transport
        self._protocol = protocol
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.peer._protocol.data_received(bytes(data))

    def write_eof(self) -> None:
        """Close both ends: nobody here listens for more once the other end has finished."""
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

    # Bytes arrive as they are written: there is no flow to control.

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class _Pool:
    """The part of a connector that a connection of aiohttp's needs; it keeps none alive."""

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
        request: The request, as a middleware is given it.
        serve: A function that reads the request off a connection and answers.
        clock: The clock for its waits.

    Returns:
        The response, once its head is there.

    Raises:
        BaseException: `serve` has raised it, whatever it is, before its answer had begun.
    """
    loop = asyncio.get_running_loop()
    client, server = ResponseHandler(loop), MemoryConnection(clock)
    _connect(client, server)
    client.set_response_params(
        timer=getattr(request, "_timer", None),
        skip_payload=request.method == "HEAD",
        auto_decompress=request.session.auto_decompress,
        read_timeout=_read_timeout(request),
    )
    pool = cast("BaseConnector", _Pool())
    connection = ClientConnection(pool, request.connection_key, client, loop)
    task = loop.create_task(_serve(serve, server, client))

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
    except _Carried as carried:
        connection.close()
        raise carried.error from carried.error.__cause__
    except BaseException:
        connection.close()
        raise


def _read_timeout(request: ClientRequest) -> float | None:
    """Return the `sock_read` of the call, where aiohttp shows it (3.15), or of the session."""
    timeout = getattr(request, "timeout", None)
    if not isinstance(timeout, ClientTimeout):
        timeout = request.session.timeout
    return timeout.sock_read


class _Carried(Exception):
    """Carry an exception that aiohttp and asyncio do not pass on as it is to who waits."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


async def _serve(serve: Serve, server: MemoryConnection, client: ResponseHandler) -> None:
    """Run `serve`, and wake the client with the exception that it raises."""
    try:
        await serve(server)
    except ClientGone:
        pass
    except BaseException as error:
        # Nobody waits any more if the client is done, or the event loop is gone.
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        plain = isinstance(error, Exception) and not isinstance(error, StopIteration)
        client.set_exception(error if plain else _Carried(error))
        if isinstance(error, GeneratorExit):
            raise
