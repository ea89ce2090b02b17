"""A real server that misbehaves to order.

Whether a client survives a reset, a truncated body or an answer to half an upload shows on
a socket and nowhere else: a mock raises what its author believes a client library raises.
So this is HTTP/1.1 on loopback, scripted request by request, that keeps what reached it:

    async with FaultServer(Reply(503), Reset(), Reply(200, json={"ok": True})) as server:
        async with session.get(server.url / "meetings") as response:
            assert await response.json() == {"ok": True}
        assert server.hits == 3
        assert {request.path for request in server.requests} == {"/meetings"}
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from types import TracebackType
from typing import Self, assert_never

from yarl import URL

from resilient.errors import ConfigError
from resilient.testing.faults import Disconnect, Hang, Malformed, Reply, Reset, Step
from resilient.testing.listener import Listener
from resilient.testing.received import (
    Received,
    Unparsable,
    UnparsableRequest,
    read_body,
    read_head,
)
from resilient.testing.records import Records, Watchers
from resilient.testing.replies import cut, send
from resilient.testing.script import OK, Answer, Script, checked_step
from resilient.testing.wire import Connection

__all__ = ["FaultServer"]


class FaultServer:
    """A scripted HTTP/1.1 server on loopback, as an async context manager.

    Each request takes the next step, in the order in which their heads are complete, over
    all connections; a pipelined one waits its turn. A callable in the place of a step is
    given the request, read whole, and returns a step; it may be a coroutine function. If it
    raises, the client gets a 500, and the exception comes out of the `async with` block.

    Delays are asyncio's own, so a loop in virtual time skips them. A wait ends when the
    client closes the connection. It needs an event loop that has `add_reader`, as all have
    but the proactor of Windows.

    Args:
        *steps: The script: a step, or a callable, for one request each.
        then: What answers every request after those.
        host: The address to listen on.
        port: The port; 0 for a free one.
    """

    def __init__(
        self, *steps: Answer, then: Answer = OK, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._script = Script(then)
        self._script.extend(steps)
        self._routes: dict[str, Script] = {}
        self._records = Records()
        self._watchers = Watchers()
        self._waiting = 0
        self._failure: Exception | None = None
        self._listener = Listener((host, port), self._serve, self._watchers.changed)

    # What it does.

    def script(self, *steps: Answer) -> None:
        """Append to the script, also while it runs."""
        self._script.extend(steps)

    def route(self, path: str, *steps: Answer, then: Answer = OK) -> None:
        """Give a path a script of its own; a second one replaces it.

        The query does not count. A cut after "accept" that is next in the main script comes
        before any route, as no path is known at that moment.
        """
        if not path.startswith("/"):
            raise ConfigError.of("FaultServer.route's path", path, "a path that begins with /")
        script = Script(then)
        script.extend(steps)
        self._routes[path] = script

    # What it has seen.

    @property
    def url(self) -> URL:
        """Where it listens."""
        host, port = self._listener.address
        if port == 0:
            raise RuntimeError("the server has no port before it is started")
        return URL.build(scheme="http", host=host, port=port)

    @property
    def requests(self) -> Sequence[Received]:
        """The requests, in the order in which they took their steps."""
        return self._records.requests

    @property
    def hits(self) -> int:
        """How many requests arrived, those included that were cut off at their first byte."""
        return self._records.hits

    @property
    def malformed(self) -> Sequence[Unparsable]:
        """What was no request; it was answered with a 400 and took no step."""
        return self._records.malformed

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
        return self._waiting

    def clear(self) -> None:
        """Forget requests, hits and what was malformed. Connections go on being numbered."""
        self._records = Records()

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
                (hits is None or self._records.settled >= hits)
                and waiting in (None, self.waiting)
                and connections in (None, self.connections)
            )

        await self._watchers.wait(reached)

    # Its life.

    async def start(self) -> None:
        """Begin to listen. `async with` does it, and closes the server too."""
        self._listener.start()

    async def stop_listening(self) -> None:
        """Begin an outage: drop every connection, refuse new ones."""
        await self._listener.stop()

    async def resume_listening(self) -> None:
        """End an outage, on the same port."""
        self._listener.resume()

    async def aclose(self) -> None:
        """Drop every connection and stop for good; harmless when done twice."""
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
        if self._failure is not None:
            if error is None:
                raise self._failure
            error.add_note(f"a callable of FaultServer failed: {self._failure!r}")

    def __repr__(self) -> str:
        where = ":".join(map(str, self._listener.address))
        return f"<FaultServer {where} {self._listener.state} hits={self.hits}>"

    # Connections and requests.

    async def _serve(self, connection: Connection) -> None:
        while await self._exchange(connection):
            pass

    async def _exchange(self, connection: Connection) -> bool:
        """Read a request and carry out its step; say whether the connection may go on."""
        await connection.peek()
        records = self._records
        step = self._script.take_cut()
        if step is not None:
            records.hits += 1
            self._settle(records)
            await cut(connection, None, step)
            return False
        try:
            received = await read_head(connection)
            records = self._records
            answer = self._routes.get(received.path, self._script).take()
            records.requests.append(received)
            records.hits += 1
            early = isinstance(answer, Reply | Reset | Disconnect) and answer.early
            try:
                if not early:
                    await read_body(connection, received)
            finally:
                self._settle(records)
            go_on = await self._perform(connection, received, await self._step(answer, received))
            if early and go_on:
                await read_body(connection, received)
            return go_on
        except UnparsableRequest as error:
            now = asyncio.get_running_loop().time()
            records.malformed.append(Unparsable(error.reason, error.raw, now, connection.number))
            raw = f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{error.reason}\n"
            await connection.write(raw.encode())
            return False

    def _settle(self, records: Records) -> None:
        records.settled += 1
        self._watchers.changed()

    async def _step(self, answer: Answer, received: Received) -> Step:
        if isinstance(answer, Step):
            return answer
        try:
            step = answer(received)
            if inspect.isawaitable(step):
                step = await step
            return checked_step(step)
        except Exception as error:  # whatever the user's code raises
            self._failure = self._failure or error
            return Reply(500, body=b"A callable of the script failed.\n", keep_alive=False)

    async def _perform(self, connection: Connection, received: Received, step: Step) -> bool:
        match step:
            case Reply():
                return await send(connection, received, step)
            case Reset() | Disconnect():
                await cut(connection, received, step)
            case Malformed():
                await connection.write(step.raw)
            case Hang():
                await self._hang(connection, step)
            case _:
                assert_never(step)
        return False

    async def _hang(self, connection: Connection, step: Hang) -> None:
        self._waiting += 1
        self._watchers.changed()
        try:
            await connection.pause(step.seconds)
        finally:
            self._waiting -= 1
            self._watchers.changed()
