"""A real server that misbehaves to order.

Whether a client survives a reset, a truncated body or an answer to half an upload shows on
a socket and nowhere else: a mock raises what its author believes a client library raises.
So this is HTTP/1.1 on loopback, scripted request by request, that keeps what reached it:

    async with FaultServer(Reply(503), Reset(), Reply(200, json={"ok": True})) as server:
        async with session.get(server.url / "meetings") as response:
            assert await response.json() == {"ok": True}
        assert server.hits == 3
        assert {request.path for request in server.requests} == {"/meetings"}

For load there are answers that keep a state, one around another, and a process of its own
(`FaultServerProcess`):

    rough = Mixture({Reply(503): 0.1, Reset(): 0.02, Hang(): 0.01}, seed=1)
    FaultServer(then=Outage(Period(5, 10), then=TokenBucket(rate=5, burst=20, then=rough)))
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from types import TracebackType
from typing import Self

from yarl import URL

from resilient.errors import ConfigError
from resilient.testing.script.outage import Period
from resilient.testing.script.script import OK, Answer, Script
from resilient.testing.server.offline import Offline
from resilient.testing.server.port import Listener
from resilient.testing.server.received import Received, Unparsable
from resilient.testing.server.records import Records, Stats, Watchers
from resilient.testing.server.serving import Service

__all__ = ["FaultServer"]


class FaultServer:
    """A scripted HTTP/1.1 server on loopback, as an async context manager.

    Each request takes the next answer, in the order in which their heads are complete, over
    all connections; a pipelined one waits its turn. A callable in the place of a step is
    given the request, read whole, and returns a step; it may be a coroutine function. If it
    raises, the client gets a 500, and the exception comes out of the `async with` block. The
    choosers (`Mixture`, `TokenBucket`, `Outage`, `BrownOut`) are asked before the body is read.

    Delays are asyncio's own, so a loop in virtual time skips them. A wait ends when the
    client closes the connection, unless that is behind an upload which the step leaves unread.
    It needs an event loop that has `add_reader`, as all have but the proactor of Windows.

    Args:
        *steps: The script: a step, or a callable, for one request each.
        then: What answers every request after those.
        host: The address to listen on.
        port: The port; 0 for a free one.
        ssl: Speak TLS, with a context for servers that has a certificate.
        offline: When to refuse connections, and drop those that are open.
        record: Whether `requests` keeps what arrives, which takes memory under load.

    Raises:
        ConfigError: An argument makes no sense.
    """

    def __init__(
        self,
        *steps: Answer,
        then: Answer = OK,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: SSLContext | None = None,
        offline: Iterable[Period] = (),
        record: bool = True,
    ) -> None:
        _check(host=host, port=port, ssl=ssl, record=record)
        self._watchers = Watchers()
        self._service = Service(_script(steps, then), record, self._watchers.changed, self._begun)
        self._listener = Listener((host, port), self._service.serve, self._watchers.changed, ssl)
        self._offline = Offline.of(self._listener, offline)

    # What it does.

    def script(self, *steps: Answer) -> None:
        """Append to the script, also while it runs."""
        self._service.script.extend(steps)

    def route(self, path: str, *steps: Answer, then: Answer = OK) -> None:
        """Give a path a script of its own; a second one replaces it.

        The query does not count. A step after "accept" that is next in the main script comes
        before any route, as no path is known at that moment.
        """
        if not path.startswith("/"):
            raise ConfigError.of("FaultServer.route's path", path, "a path that begins with /")
        self._service.routes[path] = _script(steps, then)

    # What it has seen.

    @property
    def url(self) -> URL:
        """Where it listens."""
        host, port = self._listener.address
        if port == 0:
            raise RuntimeError("the server has no port before it is started")
        scheme = "http" if self._listener.tls is None else "https"
        return URL.build(scheme=scheme, host=host, port=port)

    @property
    def requests(self) -> Sequence[Received]:
        """The requests, in the order in which they took their steps."""
        return self._service.records.requests

    @property
    def hits(self) -> int:
        """How many requests arrived, those included that were cut off at their first byte."""
        return self._service.records.hits

    @property
    def malformed(self) -> Sequence[Unparsable]:
        """What was no request, nor TLS; it was answered with a 400, if at all, and took no step."""
        return self._service.records.malformed

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._listener.connections

    @property
    def total_connections(self) -> int:
        """How many connections there have been."""
        return self._listener.total

    @property
    def waiting(self) -> int:
        """How many requests are in a `Hang`."""
        return self._service.waiting

    def stats(self) -> Stats:
        """All that it counts, at this moment."""
        records = self._service.records
        return Stats(
            hits=records.hits,
            statuses=dict(records.statuses),
            steps=dict(records.steps),
            arrivals=dict(records.arrivals),
            malformed=len(records.malformed),
            connections=self.connections,
            total_connections=self.total_connections,
            waiting=self.waiting,
            seconds=asyncio.get_running_loop().time() - self._service.started,
        )

    def clear(self) -> None:
        """Forget requests, malformed ones, and all counts of them.

        Connections go on being numbered, and the server's first request stays the first.
        """
        self._service.records = Records()

    async def wait_for(
        self, *, hits: int | None = None, waiting: int | None = None, connections: int | None = None
    ) -> None:
        """Wait for all that is named to be so at one moment.

        Args:
            hits: At least so many requests arrived, their bodies included, as far as their
                steps read them and the clients sent them.
            waiting: Just so many requests in a `Hang`.
            connections: Just so many connections open.

        Raises:
            RuntimeError: The server was closed, so it will never be so.
        """

        def reached() -> bool:
            return (
                (hits is None or self._service.records.settled >= hits)
                and waiting in (None, self.waiting)
                and connections in (None, self.connections)
            )

        await self._watchers.wait(reached)

    # Its life.

    async def start(self) -> None:
        """Begin to listen. `async with` does it, and closes the server too."""
        self._listener.start()
        self._service.started = asyncio.get_running_loop().time()
        self._offline.begin("start")

    async def stop_listening(self) -> None:
        """Begin an outage: drop every connection, refuse new ones."""
        await self._listener.stop()

    async def resume_listening(self) -> None:
        """End an outage, on the same port."""
        self._listener.resume()

    async def aclose(self) -> None:
        """Drop every connection and stop for good; harmless when done twice."""
        try:
            await self._offline.aclose()
        finally:
            try:
                await self._listener.aclose()
            finally:
                self._watchers.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
        if self._service.failure is not None:
            if error is None:
                raise self._service.failure
            error.add_note(f"a callable of FaultServer failed: {self._service.failure!r}")

    def __repr__(self) -> str:
        where = ":".join(map(str, self._listener.address))
        return f"<FaultServer {where} {self._listener.state} hits={self.hits}>"

    def _begun(self) -> None:
        self._offline.begin("first_request")


def _script(steps: tuple[Answer, ...], then: Answer) -> Script:
    script = Script(then)
    script.extend(steps)
    return script


def _check(*, host: object, port: object, ssl: object, record: object) -> None:
    if not isinstance(host, str):
        raise ConfigError.of("FaultServer.host", host, "an address")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise ConfigError.of("FaultServer.port", port, "an integer from 0 to 65535")
    if ssl is not None and not (
        isinstance(ssl, SSLContext) and ssl.protocol is not PROTOCOL_TLS_CLIENT
    ):
        raise ConfigError.of("FaultServer.ssl", ssl, "None or an SSLContext for servers")
    if not isinstance(record, bool):
        raise ConfigError.of("FaultServer.record", record, "True or False")
