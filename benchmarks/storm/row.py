"""One row that many clients want to change at once: optimistic concurrency control.

After the simulator that was published with "Exponential Backoff And Jitter"
(aws-samples/aws-arch-backoff-simulator). Each client reads the version of the row, then
writes with it; the write is refused if somebody else's came in between.
"""

from __future__ import annotations

import asyncio
from random import Random

from aiohttp import ClientRequest, ClientResponse
from attrs import define, field

from benchmarks.storm.replies import Replies
from resilient.testing.script.faults import Reply

__all__ = ["Row"]

_WRITTEN = Reply(200)
_CONFLICT = Reply(409)

# The time that one message takes: a normal distribution, in seconds.
_DELAY_MEAN = 0.010
_DELAY_DEVIATION = 0.002


@define(eq=False)
class Row:
    """A handler that reads the row's version and writes with it: 200, or 409 for too late.

    Attributes:
        random: Says how long each message takes.
        writes: When each write arrived, in seconds.
        version: How often the row was changed.
    """

    random: Random
    writes: list[float] = field(factory=list)
    version: int = 0
    _replies: Replies = field(factory=Replies)

    async def __call__(self, request: ClientRequest) -> ClientResponse:
        """Read, then write."""
        await self._messages(1)
        version = self.version
        await self._messages(2)
        self.writes.append(asyncio.get_running_loop().time())
        reply = _CONFLICT if version != self.version else _WRITTEN
        self.version += reply is _WRITTEN
        response = self._replies.copy(reply) or await self._replies.parse(request, reply)
        request.response = response
        await self._messages(1)
        return response

    async def _messages(self, count: int) -> None:
        """Wait for so many messages to arrive, one after another."""
        delays = (abs(self.random.gauss(_DELAY_MEAN, _DELAY_DEVIATION)) for _ in range(count))
        await asyncio.sleep(sum(delays))
