"""Real responses, cheaply: each kind is parsed once, then copied."""

from __future__ import annotations

from aiohttp import ClientRequest, ClientResponse

from resilient.testing.faults import Reply
from resilient.testing.responses import make_response

__all__ = ["Replies"]


class Replies:
    """Responses as aiohttp makes them of a reply, without doing it each time.

    The first of a kind comes from aiohttp's own parser, and is read to its end; the others
    are copies of it with nothing left to read. So status and headers are real, bodies are
    empty, and what the parsing costs is left out. A reply is told from another by identity.
    """

    def __init__(self) -> None:
        self._parsed: dict[int, tuple[Reply, ClientResponse]] = {}

    async def parse(self, request: ClientRequest, reply: Reply) -> ClientResponse:
        """Make the first response of a kind."""
        response = await make_response(request, reply)
        await response.read()
        # Kept together: an identity is good only as long as its object lives.
        self._parsed[id(reply)] = reply, response
        return response

    def copy(self, reply: Reply) -> ClientResponse | None:
        """Another response of its kind, or None if there is no first one yet."""
        found = self._parsed.get(id(reply))
        if found is None:
            return None
        response = ClientResponse.__new__(ClientResponse)
        # Not copy.copy, which is ten times slower.
        response.__dict__.update(found[1].__dict__)
        return response
