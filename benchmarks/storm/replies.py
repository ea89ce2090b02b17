"""Real responses, cheaply: each kind is parsed once, then copied."""

from __future__ import annotations

import asyncio

from aiohttp import ClientRequest, ClientResponse

from resilient.testing.handler.responses import make_response
from resilient.testing.script.faults import Reply

__all__ = ["Replies"]


class Replies:
    """Responses as aiohttp makes them of a reply, without doing it each time.

    The first of a kind, which is a status and headers, comes from aiohttp's own parser and
    is read to its end; the others are copies of it with nothing left to read. So status and
    headers are real, bodies are empty, and what the parsing costs is left out.
    """

    def __init__(self) -> None:
        self._parsed: dict[object, ClientResponse] = {}
        self._parsing = asyncio.Lock()

    async def parse(self, request: ClientRequest, reply: Reply) -> ClientResponse:
        """A response of a kind of which there may be none yet."""
        # Of many who ask for the first one at once, one makes it.
        async with self._parsing:
            copy = self.copy(reply)
            if copy is None:
                response = await make_response(request, reply)
                await response.read()
                self._parsed[reply.status, reply.headers] = response
                copy = self.copy(reply)
            assert copy is not None, "it was just made"
            return copy

    def copy(self, reply: Reply) -> ClientResponse | None:
        """Another response of its kind, or None if there is no first one yet."""
        found = self._parsed.get((reply.status, reply.headers))
        if found is None:
            return None
        response = ClientResponse.__new__(ClientResponse)
        # Not copy.copy, which is ten times slower.
        response.__dict__.update(found.__dict__)
        return response
