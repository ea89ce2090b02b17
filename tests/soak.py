"""Calls at full speed to a server that fails in every way, many of them cancelled, for a while.

    python -m tests.soak --seconds 60 --seed 1

Now and then everything comes to rest, and what is held then is compared: memory, files and
sockets, tasks, places in the pool, circuits. It is an error if anything goes on growing.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import aiohttp
from aiohttp import ClientRequest
from attrs import define, field, frozen

import resilient
from resilient import (
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    ErrorPolicy,
    Pipeline,
    Policy,
    RetryPolicy,
)
from resilient.testing import (
    Answer,
    Disconnect,
    FaultServer,
    Hang,
    Malformed,
    Mixture,
    Reply,
    Reset,
)

__all__ = ["Held", "Soak", "main"]

CALLERS = 20
PATHS = 40
MAX_CIRCUITS = 16

# Tables inside the interpreter and aiohttp grow in steps of about this.
MAX_GROWTH = 100_000

# How often something has to grow, one stretch after the other.
STRETCHES = 3

BODY = b"0123456789" * 500
FAULTS: dict[Answer, float] = {
    Reply(503, json={"error": {"code": "busy", "message": "Later."}}): 0.08,
    Reply(503, body=b"x" * 200_000, keep_alive=False): 0.01,
    Reply(429, headers={"Retry-After": "0"}): 0.04,
    Reply(404, body=b"<html>"): 0.05,
    Reply(503, early=True): 0.02,
    Reply(200, body=BODY, truncate=100): 0.02,
    Reply(503, body=BODY, body_delay=0.4): 0.01,
    Malformed(): 0.01,
    Hang(): 0.01,
    Hang(after="body"): 0.01,
    **{Reset(moment): 0.01 for moment in ("accept", "request", "head", "body")},
    **{Disconnect(moment): 0.01 for moment in ("accept", "request", "status", "body")},
}


def path_of(request: ClientRequest) -> str:
    return request.url.path


POLICY = Policy(
    name="soak",
    total_timeout=1.0,
    attempt_timeout=0.2,
    retry=RetryPolicy(
        backoff=Backoff(base=0.001, cap=0.01), max_retry_after=0.5, budget=BudgetPolicy(ratio=1.0)
    ),
    breaker=BreakerPolicy(
        window=0.2,
        failures=5,
        open_for=0.02,
        max_open_for=0.05,
        probe_lease=0.2,
        recovery=0.02,
        patience=0.05,
        key=path_of,
        max_destinations=MAX_CIRCUITS,
    ),
    errors=ErrorPolicy(),
)


@frozen
class Held:
    """What is held when everything is at rest: bytes, and numbers of the rest."""

    memory: int
    files: int
    tasks: int
    connections: int
    circuits: int

    def grown(self, before: Held) -> Iterator[str]:
        """What is more than before, in words."""
        if self.memory > before.memory + MAX_GROWTH:
            yield f"memory grew from {before.memory:,} to {self.memory:,} bytes"
        if self.files > before.files:
            yield f"open files grew from {before.files} to {self.files}"
        if self.tasks > before.tasks:
            yield f"tasks grew from {before.tasks} to {self.tasks}"
        if self.connections:
            yield f"{self.connections} connections are held"
        if self.circuits > MAX_CIRCUITS:
            yield f"{self.circuits} circuits are kept, of {MAX_CIRCUITS} at most"


async def pieces() -> AsyncIterator[bytes]:
    for start in range(0, len(BODY), 1000):
        yield BODY[start : start + 1000]


@define
class Soak:
    """A run of it.

    Attributes:
        seconds: How long to make calls.
        seed: Of what is asked, cancelled and answered.
        outcomes: What came of the calls, by name, and how often.
        problems: What is wrong, in words.
    """

    seconds: float
    seed: int = 1
    outcomes: Counter[str] = field(factory=Counter, init=False)
    problems: list[str] = field(factory=list, init=False)
    growth: int = field(default=0, init=False)
    _random: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)

    def __str__(self) -> str:
        calls = self.outcomes.total()
        what = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        return f"{calls} calls in {self.seconds:g} s, {self.growth:+,} bytes: {what}"

    async def run(self) -> None:
        """Make calls, rest, make calls, rest, compare; and again, if something has grown."""
        asyncio.get_running_loop().set_exception_handler(self._complain)
        rough = Mixture(FAULTS, otherwise=Reply(200, body=BODY), seed=self.seed)
        async with FaultServer(then=rough, record=False) as server:
            # Idle connections go at once, so that those in use are the ones left at rest.
            connector = aiohttp.TCPConnector(limit=CALLERS // 2, keepalive_timeout=0.05)
            pipeline = Pipeline(POLICY)
            original = aiohttp.ClientSession(connector=connector)
            async with original, resilient.wrap(original, pipeline) as session:
                await self._call(session, server, self.seconds / 5)  # to warm up
                await self._held(server, connector, pipeline)
                await self._call(session, server, self.seconds * 2 / 5)
                middle = await self._held(server, connector, pipeline)
                # What grows once (a module that a rare failure imports) is no leak; what grows
                # each time is.
                for _ in range(STRETCHES):
                    await self._call(session, server, self.seconds * 2 / 5)
                    end = await self._held(server, connector, pipeline)
                    self.growth = end.memory - middle.memory
                    grown = list(end.grown(middle))
                    if not grown:
                        break
                    middle = end
                self.problems += grown
                await self._recover(session, server)

    async def _call(
        self, session: aiohttp.ClientSession, server: FaultServer, seconds: float
    ) -> None:
        """Many callers, each with one call after another."""
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._caller(session, server, until) for _ in range(CALLERS)))

    async def _caller(
        self, session: aiohttp.ClientSession, server: FaultServer, until: float
    ) -> None:
        loop = asyncio.get_running_loop()
        random = self._random
        while loop.time() < until:
            call = asyncio.create_task(self._one(session, server))
            if random.random() < 0.2:
                await asyncio.wait([call], timeout=random.choice([0, 0.0005, 0.002, 0.01, 0.06]))
                call.cancel()
            await asyncio.wait([call])
            if call.cancelled():
                self.outcomes["cancelled"] += 1
            else:
                self.outcomes[call.result()] += 1
                # Refusals take no time, and would be all there is.
                await asyncio.sleep(0.002 if call.result() == "CircuitOpenError" else 0)

    async def _one(self, session: aiohttp.ClientSession, server: FaultServer) -> str:
        random = self._random
        url = server.url.with_path(f"/{random.randrange(PATHS)}")
        data: Any = random.choice([lambda: None, lambda: BODY, pieces])()
        method = random.choice(["GET", "GET", "PUT", "POST"])
        try:
            async with asyncio.timeout(2), session.request(method, url, data=data) as response:
                await response.read()
                return str(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    async def _held(
        self, server: FaultServer, connector: aiohttp.TCPConnector, pipeline: Pipeline
    ) -> Held:
        """Let everything come to rest, and look."""
        try:
            async with asyncio.timeout(5):
                await server.wait_for(connections=0)
        except TimeoutError:
            self.problems.append(f"{server.connections} connections stay open")
        await asyncio.sleep(0.05)
        gc.collect()
        return Held(
            memory=tracemalloc.get_traced_memory()[0],
            files=len(os.listdir("/dev/fd")),
            tasks=len(asyncio.all_tasks()),
            connections=len(connector._acquired),
            circuits=len(pipeline.breaker.circuits),
        )

    async def _recover(self, session: aiohttp.ClientSession, server: FaultServer) -> None:
        """Once the server is well, every circuit closes, and no place is missing."""
        for number in range(PATHS):
            server.route(f"/{number}", then=Reply(200))
            url = server.url.with_path(f"/{number}")
            outcome: object = None
            for _ in range(20):
                try:
                    async with session.get(url) as response:
                        outcome = response.status
                        break
                except aiohttp.ClientError as error:
                    outcome = error
                    await asyncio.sleep(0.01)
            if outcome != 200:
                self.problems.append(f"{url.path} does not recover: {outcome!r}")

    def _complain(self, _: object, context: dict[str, Any]) -> None:
        # aiohttp 3.12 shields this future from the writer that was cancelled, and forgets it.
        if str(context.get("exception")) != "Connection lost":
            self.problems.append(f"the event loop complains: {context}")


def main(arguments: list[str] | None = None) -> int:
    """Run it, print what it did, and return 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    logger = logging.getLogger("resilient")
    level = logger.level
    logger.setLevel(logging.ERROR)
    soak = Soak(given.seconds, given.seed)
    tracemalloc.start()
    try:
        # Given a factory, a runner leaves the event loop alone that its caller has set.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(soak.run())
    finally:
        tracemalloc.stop()
        logger.setLevel(level)
    sys.stdout.write(f"{soak}\n")
    for problem in soak.problems:
        sys.stderr.write(f"  {problem}\n")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
