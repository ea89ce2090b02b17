"""Records of what reached a fault server, and counts made from them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from resilient.testing.script.faults import Interruption, Reply, Step
from resilient.testing.server.received import Received, Unparsable

__all__ = ["Records", "Stats", "Watchers"]


@define(eq=False)
class Records:
    """What `FaultServer.clear` forgets; a request stays with the records it began in.

    Attributes:
        requests: Those whose head was read.
        malformed: What was no request.
        hits: Requests that took a step.
        settled: Those of them that were read as far as they are going to be.
        steps: The names of the steps that were carried out.
        statuses: The statuses that were sent.
        arrivals: The hits by the second of the server's life.
    """

    requests: list[Received] = field(factory=list)
    malformed: list[Unparsable] = field(factory=list)
    hits: int = 0
    settled: int = 0
    steps: Counter[str] = field(factory=Counter)
    statuses: Counter[int] = field(factory=Counter)
    arrivals: Counter[int] = field(factory=Counter)

    def hit(self, since_start: float) -> None:
        """Count a request."""
        self.hits += 1
        self.arrivals[int(since_start)] += 1

    def count(self, step: Step) -> None:
        """Count what it met."""
        self.steps[type(step).__name__] += 1
        reply = step.begun if isinstance(step, Interruption) else step
        if isinstance(reply, Reply):
            self.statuses[reply.status] += 1


@define(eq=False)
class Watchers:
    """Those who wait for something to be so; looked after at each change, without polling."""

    _waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = field(
        factory=list, init=False
    )
    _closed: bool = field(default=False, init=False)

    async def wait(self, reached: Callable[[], bool]) -> None:
        """Wait until it is so, if only for a moment."""
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
        """Look who has waited for this."""
        for reached, future in self._waiting:
            if not future.done() and reached():
                future.set_result(None)

    def close(self) -> None:
        """Nothing will change any more: those who still wait get a `RuntimeError`."""
        self._closed = True
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(RuntimeError("the server was closed"))


@frozen
class Stats:
    """The counts of a fault server at one moment.

    Attributes:
        hits: Requests that took a step.
        statuses: How many of them were answered with which status; for an answer that was
            broken off, the status that had been sent.
        steps: How many met which kind of step, by its name: "Reply", "Reset" and so on. A
            request whose answer is not decided yet is in `hits` alone.
        arrivals: How many arrived in which second, counted from 0 from when the server
            began to listen; seconds without any are left out.
        malformed: How many were no requests.
        connections: How many connections are open.
        total_connections: How many there have been.
        waiting: How many requests are in a `Hang`.
        seconds: How long the server has been up.
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
