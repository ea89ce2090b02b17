"""Simulate the network and the server behind it, in memory: the end of a chain of middlewares."""

from __future__ import annotations

import asyncio
import errno
import math

from aiohttp import (
    ClientConnectorError,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ServerDisconnectedError,
    SocketTimeoutError,
)
from attrs import define, evolve, field, frozen
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy

from benchmarks.storm.tally import Tally
from resilient.testing.handler.responses import make_response
from resilient.testing.script.faults import Disconnect, Hang, Reply, Reset
from resilient.testing.script.outage import Period
from resilient.testing.script.script import Answer, Chooser, Delayed, choose
from resilient.testing.server.received import Received

__all__ = ["Held", "Network", "Refused", "Replies", "Stalled"]

_NO_QUERY: MultiDictProxy[str] = MultiDictProxy(MultiDict())

_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())

# Made once: a union in its place would be made for each request.
_STEPS = (Reply, Reset, Disconnect, Hang)

# The response of a request that was sent and gets no answer.
_SENT = Reply(200)


class Replies:
    """Makes real responses cheaply: each kind is parsed once, then copied.

    A kind is a status and headers. Its first response comes from aiohttp's own parser and is read
    to the end; the others are copies with nothing left to read. So status and headers are real,
    bodies are empty, and parsing takes no time.
    """

    def __init__(self) -> None:
        self._parsed: dict[object, ClientResponse] = {}
        self._parsing = asyncio.Lock()

    async def parse(self, request: ClientRequest, reply: Reply) -> ClientResponse:
        """Return a response for a reply, parsing it if it is the first of its kind."""
        # Many may ask for the first one at once; only one of them makes it.
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
        """Return a copy of the first response of this kind, or None if there is none yet."""
        found = self._parsed.get((reply.status, reply.headers))
        if found is None:
            return None
        response = ClientResponse.__new__(ClientResponse)
        # copy.copy would be ten times slower.
        response.__dict__.update(found.__dict__)
        return response


def received_at(now: float, method: str = "GET", path: str = "/") -> Received:
    """Return a request as a server sees it; its headers do not matter here."""
    return Received(
        method=method,
        target=path,
        path=path,
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


@frozen(repr=False)
class Refused(Reset):
    """Refuse the connection, so that nothing of the request is sent."""


@frozen
class Held(Chooser):
    """A network that holds all requests of a period, and delivers them at its end.

    TCP does this when a switch is down for a while: everything is sent again, also requests that
    no client waits for any more.

    Attributes:
        period: The period, counted from the start.
        then: The server behind the network.
    """

    period: Period
    then: Answer

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        now = received.time
        if not self.period.covers(now):
            return self.then
        end = self.period.end
        seconds, answer = choose(self.then, evolve(received, time=end, since_start=end))
        return Delayed(end - now + seconds, answer)


@frozen
class Stalled(Chooser):
    """A server that holds all requests of a period, and fails them all at its end.

    A server that hangs until it is restarted does this.

    Attributes:
        period: The period, counted from the start.
        then: Answers before and after the period.
        failure: The answer at the end of the period. Default 503.
    """

    period: Period
    then: Answer
    failure: Reply = Reply(503)  # noqa: RUF009 (a frozen value)

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        now = received.time
        if not self.period.covers(now):
            return self.then
        return Delayed(self.period.end - now, self.failure)


@define(eq=False)
class Network:
    """The handler at the end of the chain: counts arrivals, and answers when it is time.

    A client that gives up changes nothing: the server has its request by then and works on it.

    Attributes:
        server: Chooses the answer and its delay: any chooser of `resilient.testing`, and the
            steps Reply, Refused, Reset, Disconnect and Hang.
        tally: Counts the requests that arrive, those whose connection is refused included.
        read_timeout: Seconds without an answer after which aiohttp itself (its `sock_read`)
            ends an attempt; None, the default, for no limit.
    """

    server: Answer
    tally: Tally
    read_timeout: float | None = None
    _replies: Replies = field(factory=Replies, init=False)

    async def __call__(self, request: ClientRequest) -> ClientResponse:
        """Count and answer a request, or raise as aiohttp would."""
        now = asyncio.get_running_loop().time()
        received = received_at(now, request.method, request.url.path)
        seconds, step = choose(self.server, received)
        assert isinstance(step, _STEPS), "storms have no other steps"
        self.tally.arrived(now, seconds)
        if isinstance(step, Refused):
            await asyncio.sleep(seconds)
            refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
            raise ClientConnectorError(request.connection_key, refused)
        reply = step if isinstance(step, Reply) else _SENT
        response = self._replies.copy(reply) or await self._replies.parse(request, reply)
        # aiohttp sets it when it has sent the request, and middlewares look at it.
        request.response = response
        if isinstance(step, Hang):
            seconds += math.inf if step.seconds is None else step.seconds
        await self._wait(seconds)
        if isinstance(step, Reset):
            raise ClientOSError(errno.ECONNRESET, "Connection reset by peer")
        if not isinstance(step, Reply):
            raise ServerDisconnectedError
        return response

    async def _wait(self, seconds: float) -> None:
        if self.read_timeout is not None and seconds > self.read_timeout:
            await asyncio.sleep(self.read_timeout)
            raise SocketTimeoutError("Timeout on reading data from socket")
        if seconds == math.inf:
            await asyncio.Event().wait()
        await asyncio.sleep(seconds)
