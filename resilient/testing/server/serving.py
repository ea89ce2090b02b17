"""Requests of the fault server: each is read, given its answer, and recorded."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, assert_never

from attrs import define, field

from resilient.testing.script.faults import (
    Disconnect,
    Hang,
    Interruption,
    Malformed,
    Reply,
    Reset,
    Step,
)
from resilient.testing.script.script import Answer, Script, choose
from resilient.testing.server.connection import Connection
from resilient.testing.server.received import (
    Received,
    Unparsable,
    UnparsableRequest,
    read_body,
    read_head,
)
from resilient.testing.server.records import Records
from resilient.testing.server.sending import send, send_until
from resilient.testing.server.tls import BrokenTLS

__all__ = ["Service"]

_FAILED = Reply(500, body=b"A callable of the script failed.\n", keep_alive=False)


@define(eq=False)
class Service:
    """Carries out a script, over any number of connections.

    Attributes:
        script: For what has no route.
        recording: Whether requests are kept.
        changed: Called when there is something new to be seen.
        begun: Called at the first request.
        routes: Scripts by path.
        records: What was seen.
        waiting: How many requests are in a `Hang`.
        failure: What the first callable that failed has raised.
        started: When the server began to listen, in seconds of the event loop's time.
        first: When the first request arrived.
    """

    script: Script
    recording: bool
    changed: Callable[[], None]
    begun: Callable[[], None]
    routes: dict[str, Script] = field(factory=dict, init=False)
    records: Records = field(factory=Records, init=False)
    waiting: int = field(default=0, init=False)
    failure: Exception | None = field(default=None, init=False)
    started: float = field(default=0.0, init=False)
    first: float | None = field(default=None, init=False)

    async def serve(self, connection: Connection) -> None:
        """Answer one request after the other."""
        while await self._exchange(connection):
            pass

    async def _exchange(self, connection: Connection) -> bool:
        """Read a request and carry out its step; say whether the connection may go on."""
        records = self.records
        try:
            await connection.peek()
            records = self.records
            interruption = self.script.take_early()
            if interruption is not None:
                self._hit(records, asyncio.get_running_loop().time())
                self._settle(records)
                records.count(interruption)
                await self._interrupt(connection, interruption)
                return False
            received = await read_head(connection)
            records = self.records
            return await self._answer(connection, received, records)
        except BrokenTLS as error:
            self._malformed(connection, records, error.reason, error.raw)
        except UnparsableRequest as error:
            self._malformed(connection, records, error.reason, error.raw)
            raw = f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{error.reason}\n"
            await connection.write(raw.encode())
        return False

    async def _answer(self, connection: Connection, received: Received, records: Records) -> bool:
        received.since_start = received.time - self.started
        received.since_first = self._hit(records, received.time)
        if self.recording:
            records.requests.append(received)
        taken = self.routes.get(received.path, self.script).take()
        seconds, answer = self._choose(taken, received)
        early = isinstance(answer, Reply | Interruption) and answer.early
        try:
            if not early:
                await read_body(connection, received)
        finally:
            self._settle(records)
        await connection.pause(seconds)
        while not isinstance(answer, Step):
            seconds, answer = self._choose(await self._call(answer, received), received)
            await connection.pause(seconds)
        records.count(answer)
        go_on = await self._perform(connection, received, answer)
        if early and go_on:
            await read_body(connection, received)
        return go_on

    # Records.

    def _hit(self, records: Records, now: float) -> float:
        """Count a request; how many seconds after the first it came."""
        records.hit(now - self.started)
        if self.first is None:
            self.first = now
            self.begun()
        return now - self.first

    def _settle(self, records: Records) -> None:
        records.settled += 1
        self.changed()

    def _malformed(self, connection: Connection, records: Records, reason: str, raw: bytes) -> None:
        now = asyncio.get_running_loop().time()
        records.malformed.append(Unparsable(reason, raw, now, connection.number))

    # Answers.

    def _choose(self, answer: Any, received: Received) -> tuple[float, Any]:
        try:
            return choose(answer, received)
        except Exception as error:  # whatever the user's code raises
            return 0.0, self._failed(error)

    async def _call(self, answer: Callable[[Received], Any], received: Received) -> Answer:
        try:
            given = answer(received)
            return await given if inspect.isawaitable(given) else given  # type: ignore[no-any-return]  # checked next
        except Exception as error:  # whatever the user's code raises
            return self._failed(error)

    def _failed(self, error: Exception) -> Reply:
        self.failure = self.failure or error
        return _FAILED

    # Steps.

    async def _perform(self, connection: Connection, received: Received, step: Step) -> bool:
        """Carry a step out; say whether the connection may go on."""
        match step:
            case Reply():
                return await send(connection, received, step)
            case Reset() | Disconnect() | Hang():
                await send_until(connection, received, step)
                await self._interrupt(connection, step)
            case Malformed():
                await connection.write(step.raw)
            case _:
                assert_never(step)
        return False

    async def _interrupt(self, connection: Connection, step: Reset | Disconnect | Hang) -> None:
        match step:
            case Reset():
                connection.reset()
            case Disconnect():
                await connection.finish(close_notify=False)
            case Hang():
                await self._hang(connection, step)
            case _:
                assert_never(step)

    async def _hang(self, connection: Connection, step: Hang) -> None:
        self.waiting += 1
        self.changed()
        try:
            await connection.pause(step.seconds)
        finally:
            self.waiting -= 1
            self.changed()
