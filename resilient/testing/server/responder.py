"""Read each request of the fault server, give it its answer, and record both."""

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
from resilient.testing.server.records import Hit, Records
from resilient.testing.server.sending import send, send_until
from resilient.testing.server.tls import BrokenTLS

__all__ = ["Responder"]

_FAILED = Reply(500, body=b"A callable of the script failed.\n", keep_alive=False)


@define(eq=False)
class Responder:
    """Carry out a script, over any number of connections.

    Attributes:
        script: The script for requests without a route.
        recording: Whether requests are kept.
        changed: A function to call when there is something new to see.
        begun: A function to call at the first request.
        routes: The scripts by decoded path.
        records: The records since the start or the last `clear`.
        waiting: The number of requests in a `Hang`.
        started: The moment at which the server began to listen, in seconds of the event
            loop's time.
        first: The moment of the first request, or None before it.
        failure: The first exception of the user's code that is still to come out.
    """

    script: Script
    recording: bool
    changed: Callable[[], None]
    begun: Callable[[], None]
    routes: dict[str, Script] = field(factory=dict, init=False)
    records: Records = field(factory=Records, init=False)
    waiting: int = field(default=0, init=False)
    started: float = field(default=0.0, init=False)
    first: float | None = field(default=None, init=False)
    failure: BaseException | None = field(default=None, init=False)

    async def serve(self, connection: Connection) -> None:
        """Answer one request after the other."""
        while await self._exchange(connection):
            pass

    def fail(self, error: BaseException) -> None:
        """Keep an exception that is to come out where the server ends; the first one stays."""
        if self.failure is None:
            self.failure = error
        self.changed()

    def take_failure(self) -> BaseException | None:
        """Return the exception that was kept, if any, and forget it."""
        failure, self.failure = self.failure, None
        return failure

    async def _exchange(self, connection: Connection) -> bool:
        """Read a request and carry out its step; return whether the connection may go on."""
        records = self.records
        try:
            await connection.peek()
            records = self.records
            interruption = self.script.take_early()
            if interruption is not None:
                await self._interrupt_early(connection, interruption, records)
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

    async def _interrupt_early(
        self, connection: Connection, interruption: Reset | Disconnect | Hang, records: Records
    ) -> None:
        hit, _ = self._hit(records, asyncio.get_running_loop().time())
        self._settle(records)
        try:
            await self._interrupt(connection, interruption, hit)
        finally:
            hit.end()

    async def _answer(self, connection: Connection, received: Received, records: Records) -> bool:
        received.since_start = received.time - self.started
        hit, received.since_first = self._hit(records, received.time)
        if self.recording:
            records.requests.append(received)
        try:
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
                returned = await self._call(answer, received, connection)
                seconds, answer = self._choose(returned, received)
                await connection.pause(seconds)
            go_on = await self._perform(connection, received, answer, hit)
        finally:
            hit.end()
        if early and go_on:
            await read_body(connection, received)
        return go_on

    # Records.

    def _hit(self, records: Records, now: float) -> tuple[Hit, float]:
        """Count a request; return its count and its seconds after the first request."""
        hit = records.hit(now - self.started)
        if self.first is None:
            self.first = now
            self.begun()
        return hit, now - self.first

    def _settle(self, records: Records) -> None:
        records.settled += 1
        self.changed()

    def _malformed(self, connection: Connection, records: Records, reason: str, raw: bytes) -> None:
        now = asyncio.get_running_loop().time()
        records.malformed.append(Unparsable(reason, raw, now, connection.number))

    # Answers. The user's code may raise anything: `pytest.fail` raises what is no Exception.

    def _choose(self, answer: Any, received: Received) -> tuple[float, Any]:
        try:
            return choose(answer, received)
        except BaseException as error:
            self.fail(error)
            return 0.0, _FAILED

    async def _call(
        self, answer: Callable[[Received], Any], received: Received, connection: Connection
    ) -> Answer:
        returned: Any
        try:
            returned = answer(received)
            if not inspect.isawaitable(returned):
                return returned  # type: ignore[no-any-return]  # checked next
            returned = await returned
        except GeneratorExit:
            raise  # the event loop is gone, and there is nobody to answer
        except BaseException as error:
            task = asyncio.current_task()
            is_dropped = task is not None and task.cancelling() > 0
            if not (is_dropped and isinstance(error, asyncio.CancelledError)):
                self.fail(error)
            if is_dropped:
                raise
            returned = _FAILED
        # Time may have passed, and nothing is delayed for a client that has left.
        connection.check_client()
        return returned  # type: ignore[no-any-return]  # checked next

    # Steps.

    async def _perform(
        self, connection: Connection, received: Received, step: Step, hit: Hit
    ) -> bool:
        """Carry a step out; return whether the connection may go on."""
        match step:
            case Reply():
                return await send(connection, received, step, hit.replied)
            case Reset() | Disconnect() | Hang():
                await send_until(connection, received, step, hit.sent)
                await self._interrupt(connection, step, hit)
            case Malformed():
                await connection.write(step.raw)
                hit.carried_out(step)
            case _:
                assert_never(step)
        return False

    async def _interrupt(
        self, connection: Connection, step: Reset | Disconnect | Hang, hit: Hit
    ) -> None:
        match step:
            case Reset():
                connection.reset()
                hit.carried_out(step)
            case Disconnect():
                connection.check_open()
                hit.carried_out(step)
                await connection.finish(close_notify=False)
            case Hang():
                connection.check_client()
                hit.carried_out(step)
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
