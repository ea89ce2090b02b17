"""Real responses, cheaply: each kind is parsed once, then copied."""

from __future__ import annotations

import asyncio

from aiohttp import ClientRequest, ClientResponse
from attrs import define, evolve, field, frozen
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy

from benchmarks.storm.tally import Tally
from resilient.testing.handler.responses import make_response
from resilient.testing.script.faults import Reply
from resilient.testing.script.outage import Period
from resilient.testing.script.script import Answer, Chooser, Delayed, choose
from resilient.testing.server.received import Received

__all__ = ["Held", "Network", "Replies", "Stalled"]


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


_NO_QUERY: MultiDictProxy[str] = MultiDictProxy(MultiDict())
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())


def received_at(now: float) -> Received:
    """A request whose head is in; of what is in it nothing but the time matters here."""
    return Received(
        method="GET",
        target="/",
        path="/",
        query=_NO_QUERY,
        headers=_NO_HEADERS,
        time=now,
        connection=1,
        keep_alive=True,
        expects_continue=False,
        length=0,
        since_start=now,
        since_first=now,
    )


@frozen
class Held(Chooser):
    """A network that holds what is sent within a period, and delivers it all at its end.

    That is what TCP makes of a switch that is down for a while: everything is sent again,
    also what nobody waits for any more.

    Attributes:
        period: When; counted from the start.
        then: What is behind it.
    """

    period: Period
    then: Answer

    def __call__(self, received: Received) -> Answer:
        """The answer for a request."""
        now = received.time
        if not self.period.covers(now):
            return self.then
        end = self.period.end
        seconds, answer = choose(self.then, evolve(received, time=end, since_start=end))
        return Delayed(end - now + seconds, answer)


@frozen
class Stalled(Chooser):
    """A server that stalls for a while, and then fails all that it was sent, at once.

    So does one that hangs, until somebody restarts it.

    Attributes:
        period: When; counted from the start.
        then: What answers before and after.
        failure: What comes at the end of the period.
    """

    period: Period
    then: Answer
    failure: Reply = Reply(503)  # noqa: RUF009 (a frozen value)

    def __call__(self, received: Received) -> Answer:
        """The answer for a request."""
        now = received.time
        if not self.period.covers(now):
            return self.then
        return Delayed(self.period.end - now, self.failure)


@define(eq=False)
class Network:
    """The handler at the end of the chain: counts what arrives, and answers when it is time.

    A client that gives up is not noticed: the server has taken its request in by then, and
    works on it.

    Attributes:
        server: What answers, and after how long: any chooser of `resilient.testing`.
        tally: What has arrived.
    """

    server: Answer
    tally: Tally
    _replies: Replies = field(factory=Replies, init=False)

    async def __call__(self, request: ClientRequest) -> ClientResponse:
        """Answer a request."""
        now = asyncio.get_running_loop().time()
        seconds, reply = choose(self.server, received_at(now))
        assert isinstance(reply, Reply), "storms are made of replies"
        self.tally.arrived(now, seconds)
        response = self._replies.copy(reply) or await self._replies.parse(request, reply)
        # As aiohttp does when it has sent the request: that is how a middleware can tell.
        request.response = response
        await asyncio.sleep(seconds)
        return response
