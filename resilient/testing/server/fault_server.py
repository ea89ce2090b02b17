"""Run a real server that misbehaves to order.

A reset, a truncated body or an answer to half an upload can be tested on a socket and
nowhere else: a mock raises what its author believes a client library raises. So this is
HTTP/1.1 on loopback, scripted request by request, and it keeps the requests that reach it:

    async with FaultServer(Reply(503), Reset(), Reply(200, json={"ok": True})) as server:
        async with session.get(server.url / "meetings") as response:
            assert await response.json() == {"ok": True}
        assert server.hits == 3
        assert {request.path for request in server.requests} == {"/meetings"}

For load there are answers that keep a state, one around another, and a process of its own
(`FaultServerProcess`):

    rough = Mixture({Reply(503): 0.1, Reset(): 0.02, Hang(): 0.01}, seed=1)
    FaultServer(then=Outage(Period(5, 10), then=Limit("300/min", burst=20, then=rough)))
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from yarl import URL

from resilient.errors import ConfigError
from resilient.testing.script.outage import Period
from resilient.testing.script.script import OK, Answer, Script
from resilient.testing.server.failures import raise_failure
from resilient.testing.server.offline import Offline
from resilient.testing.server.port import Port
from resilient.testing.server.received import Received, Unparsable
from resilient.testing.server.records import Records, Stats, Watchers
from resilient.testing.server.responder import Responder

__all__ = ["FaultServer"]


class FaultServer:
    """A scripted HTTP/1.1 server on loopback, as an async context manager.

    Each request takes the next answer, in the order in which their heads are complete, over
    all connections; a pipelined one waits its turn. A callable in the place of a step is
    given the request, read whole, and returns a step; it may be a coroutine function. The
    choosers (`Mixture`, `Limit`, `Outage`, `BrownOut`) are asked before the body is read.

    If a callable or a chooser raises, the client gets a 500, and the exception comes out of
    the `async with` block, or of `aclose`. That holds for whatever it raises: `pytest.fail`
    and `pytest.skip`, `SystemExit`, `KeyboardInterrupt`, and a `CancelledError` of its own. If
    the block itself ends by an exception, that one comes out, with a note of the other; but
    an exception that is no `Exception`, such as that of `pytest.fail`, outranks one that is.

    Delays are asyncio's own, so a loop in virtual time skips them. A wait ends when the
    client closes the connection, unless that is behind an upload which the step leaves unread.
    While the process is out of file descriptors, clients wait in the backlog: the logger
    "resilient.testing" warns, and the server goes on when there are some again.

    Args:
        *steps: The script: a step, or a callable, for one request each.
        then: The answer to every request after those; by default a 200 with `{}`.
        host: The address to listen on.
        port: The port; 0 for a free one.
        ssl: A context for servers that has a certificate, to speak TLS; None for plain HTTP.
        offline: The periods in which to refuse connections, and drop those that are open.
        record: Whether `requests` keeps the requests, which takes memory under load.

    Raises:
        ConfigError: An argument makes no sense.
        BaseException: A callable or a chooser has raised it.
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
        script, changed = _script(steps, then), self._watchers.changed
        self._responder = Responder(script, record, changed, self._begun)
        self._port = Port((host, port), self._responder.serve, changed, self._responder.fail, ssl)
        self._offline = Offline.of(self._port, offline)

    # The script.

    def script(self, *steps: Answer) -> None:
        """Append to the script, also while it runs."""
        self._responder.script.extend(steps)

    def route(self, path: str, *steps: Answer, then: Answer = OK) -> None:
        """Give a path a script of its own; a second one replaces it.

        Paths are compared decoded, so that "/a b" and "/a%20b" are the same. The query of a
        request does not count. A step after "accept" that is next in the main script comes
        before any route, as no path is known at that moment.

        Args:
            path: The path, beginning with /, with or without escapes: "%3F" is a question
                mark in a path, "%25" a percent sign.
            *steps: As for `FaultServer`.
            then: As for `FaultServer`.

        Raises:
            ConfigError: No request has such a path: it has a query or a fragment.
        """
        self._responder.routes[_path(path)] = _script(steps, then)

    # Records.

    @property
    def url(self) -> URL:
        """Return the address of the server.

        Raises:
            RuntimeError: The server was not started.
        """
        host, port = self._port.address
        if port == 0:
            raise RuntimeError("the server has no port before it is started")
        scheme = "http" if self._port.tls is None else "https"
        return URL.build(scheme=scheme, host=host, port=port)

    @property
    def requests(self) -> Sequence[Received]:
        """Return the requests, in the order in which they took their steps."""
        return self._responder.records.requests

    @property
    def hits(self) -> int:
        """Return how many requests arrived, those included that were cut at their first byte."""
        return self._responder.records.hits

    @property
    def malformed(self) -> Sequence[Unparsable]:
        """Return what could not be read as a request or as TLS; a 400 answered it, if anything.

        A head like that takes no step. A body like that belongs to a request that has taken
        one, which is in `requests` too, and is counted as abandoned.
        """
        return self._responder.records.malformed

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return self._port.connections

    @property
    def total_connections(self) -> int:
        """Return how many connections there have been."""
        return self._port.total

    @property
    def waiting(self) -> int:
        """Return how many requests are in a `Hang`."""
        return self._responder.waiting

    def stats(self) -> Stats:
        """Return all counts of this moment."""
        records = self._responder.records
        return Stats(
            hits=records.hits,
            statuses=dict(records.statuses),
            steps=dict(records.steps),
            arrivals=dict(records.arrivals),
            malformed=len(records.malformed),
            connections=self.connections,
            total_connections=self.total_connections,
            waiting=self.waiting,
            seconds=asyncio.get_running_loop().time() - self._responder.started,
            abandoned=records.abandoned,
        )

    def clear(self) -> None:
        """Forget requests, malformed ones, and all counts of them.

        A request that is under way stays with the counts that are forgotten. Connections go
        on being numbered, and the server's first request stays the first.
        """
        self._responder.records = Records()

    async def wait_for(
        self, *, hits: int | None = None, waiting: int | None = None, connections: int | None = None
    ) -> None:
        """Wait until all numbers given are reached at one moment.

        Args:
            hits: The least number of requests that arrived, their bodies included, as far as
                their steps read them and the clients sent them.
            waiting: The exact number of requests in a `Hang`.
            connections: The exact number of open connections.

        Raises:
            RuntimeError: The server was closed, so that they will never be reached.
            BaseException: A callable or a chooser has raised it, so that they may never be.
        """
        reached = False

        def reached_or_failed() -> bool:
            nonlocal reached
            reached = (
                (hits is None or self._responder.records.settled >= hits)
                and waiting in (None, self.waiting)
                and connections in (None, self.connections)
            )
            return reached or self._responder.failure is not None

        await self._watchers.wait(reached_or_failed)
        if not reached:
            raise_failure(self._responder.failure, None, "")

    # Start and end.

    async def start(self) -> None:
        """Begin to listen. `async with` does it, and closes the server too.

        Raises:
            OSError: The port cannot be had.
            RuntimeError: The server was started before.
        """
        self._port.start()
        self._responder.started = asyncio.get_running_loop().time()
        self._offline.begin("start")

    async def stop_listening(self) -> None:
        """Begin an outage: drop every connection, refuse new ones."""
        await self._port.stop()

    async def resume_listening(self) -> None:
        """End an outage, on the same port."""
        self._port.resume()

    async def aclose(self) -> None:
        """Drop every connection and stop for good; harmless when done twice.

        Raises:
            BaseException: A callable or a chooser has raised it, and nobody was told yet.
        """
        await self._close()
        raise_failure(self._responder.take_failure(), None, "")

    async def _close(self) -> None:
        try:
            await self._offline.aclose()
        finally:
            try:
                await self._port.aclose()
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
        await self._close()
        failure = self._responder.take_failure()
        raise_failure(failure, error, "a callable of FaultServer failed")

    def __repr__(self) -> str:
        where = ":".join(map(str, self._port.address))
        return f"<FaultServer {where} {self._port.state} hits={self.hits}>"

    def _begun(self) -> None:
        self._offline.begin("first_request")


def _script(steps: tuple[Answer, ...], then: Answer) -> Script:
    script = Script(then)
    script.extend(steps)
    return script


def _path(given: Any) -> str:
    """Return a path as `Received.path` has it, decoded."""
    name = "FaultServer.route's path"
    if not isinstance(given, str) or not given.startswith("/"):
        raise ConfigError.of(name, given, "a path that begins with /")
    path = re.split("[?#]", given, maxsplit=1)[0]
    if path != given:
        allowed = (
            f"a path alone, as neither query nor fragment count: {path!r} (in a path, write a "
            "question mark as %3F and a number sign as %23)"
        )
        raise ConfigError.of(name, given, allowed)
    return unquote(path)


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
