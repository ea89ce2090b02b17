"""Make real responses without a server."""

from __future__ import annotations

from aiohttp import ClientRequest, ClientResponse

from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.testing.handler.memory import MemoryConnection, exchange
from resilient.testing.script.faults import Reply
from resilient.testing.server.received import Received, read_body, read_head
from resilient.testing.server.sending import send

__all__ = ["answer", "make_response"]


async def make_response(
    request: ClientRequest, reply: Reply, *, clock: Clock = SYSTEM_CLOCK
) -> ClientResponse:
    """Answer a request, for a middleware that stands in the place of the network.

        async def offline(request, handler):
            return await make_response(request, Reply(503, headers={"Retry-After": "30"}))

        session = aiohttp.ClientSession(middlewares=[resilient.Pipeline(), offline])

    The body of the request is read, so that one which can be read only once is gone.

    Args:
        request: The request, as the middleware was given it.
        reply: The response.
        clock: The clock for its delays; by default the system's.

    Returns:
        The response of aiohttp's own class, its body yet to be read.
    """

    async def serve(connection: MemoryConnection) -> None:
        received = await read_head(connection)
        if not reply.early:
            await read_body(connection, received)
        await answer(connection, received, reply)

    return await exchange(request, serve, clock)


async def answer(connection: MemoryConnection, received: Received, reply: Reply) -> None:
    """Send a reply, and close the connection behind it if the reply says so."""
    if not await send(connection, received, reply):
        await connection.finish()
