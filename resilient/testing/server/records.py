"""Records of what reached a fault server, and counts made from them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from resilient.testing.script.faults import Reply, Step
from resilient.testing.server.received import Received, Unparsable

__all__ = ["Hit", "Records", "Stats", "Watchers"]


@define(eq=False)
class Records:
    """The records that `FaultServer.clear` forgets; a request stays with those it began in.

    Attributes:
        requests: The requests whose head was read.
        malformed: The bytes that could not be read as a request.
        hits: The number of requests that took a step.
        settled: The number of hits whose body was read as far as it is going to be.
        steps: The number of steps carried out, by name.
        statuses: The number of status lines sent, by status.
        abandoned: The number of hits that ended before their step was carried out.
        arrivals: The number of hits by the second of the server's life.
    """

    requests: list[Received] = field(factory=list)
    malformed: list[Unparsable] = field(factory=list)
    hits: int = 0
    settled: int = 0
    steps: Counter[str] = field(factory=Counter)
    statuses: Counter[int] = field(factory=Counter)
    abandoned: int = 0
    arrivals: Counter[int] = field(factory=Counter)

    def hit(self, since_start: float) -> Hit:
        """Count a request that takes a step."""
        self.hits += 1
        self.arrivals[int(since_start)] += 1
        return Hit(self)


@define(eq=False)
class Hit:
    """Count what one request meets, when it has met it and not before."""

    _records: Records
    _is_over: bool = field(default=False, init=False)

    def sent(self, reply: Reply) -> None:
        """Count a status line that is on the wire."""
        self._records.statuses[reply.status] += 1

    def replied(self, reply: Reply) -> None:
        """Count a reply, which is carried out once its status line is on the wire."""
        self.sent(reply)
        self.carried_out(reply)

    def carried_out(self, step: Step) -> None:
        """Count the step of this request."""
        self._is_over = True
        self._records.steps[type(step).__name__] += 1

    def end(self) -> None:
        """Count the request as abandoned if its step was not carried out."""
        if not self._is_over:
            self._records.abandoned += 1


@define(eq=False)
class Watchers:
    """Wake those who wait for a condition, at each change and without polling."""

    _waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = field(
        factory=list, init=False
    )
    _closed: bool = field(default=False, init=False)

    async def wait(self, reached: Callable[[], bool]) -> None:
        """Wait until `reached()` is true, if only for a moment.

        Raises:
            RuntimeError: The watchers were closed before.
        """
        if reached():
            return
        if self._closed:
            raise RuntimeError("the server is closed")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watcher = (reached, future)
        self._waiting.append(watcher)
        try:
            await future
        finally:
            self._waiting.remove(watcher)

    def changed(self) -> None:
        """Wake those whose condition holds now."""
        for reached, future in self._waiting:
            if not future.done() and reached():
                future.set_result(None)

    def close(self) -> None:
        """Raise a `RuntimeError` for those who still wait: nothing will change any more."""
        self._closed = True
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(RuntimeError("the server was closed"))


@frozen
class Stats:
    """The counts of a fault server at one moment.

    A request is counted in `hits` when it arrives, and in `steps` or `abandoned` when it is
    known what came of it. `hits` minus all of those is the number of requests whose answer
    is still to come.

    "Sent" means handed to the system while the connection was open. An answer to a client
    that left a moment before is on the wire and counts; one that was to come later does not.

    Attributes:
        hits: The number of requests that took a step of a script.
        statuses: The number of status lines sent, by status, those included whose response
            was broken off behind them, by a step or by the client. The 400 for what is no
            request is not counted, nor is a 100.
        steps: The number of steps carried out, by name. "Reply": the status line was sent.
            "Reset", "Disconnect": the connection was cut. "Hang": the stall began.
            "Malformed": the bytes were sent.
        arrivals: The number of hits by the second in which they arrived, counted from 0
            when the server began to listen; seconds without any are left out.
        malformed: The number of times that bytes could not be read as a request.
        connections: The number of connections open.
        total_connections: The number of connections accepted since the start.
        waiting: The number of requests in a `Hang`.
        seconds: The seconds since the server began to listen.
        abandoned: The number of hits that ended before their step was carried out: the
            client left, its body was malformed, or the server dropped the connection.
    """

    hits: int
    statuses: Mapping[int, int]
    steps: Mapping[str, int]
    arrivals: Mapping[int, int]
    malformed: int
    connections: int
    total_connections: int
    waiting: int
    seconds: float
    abandoned: int
