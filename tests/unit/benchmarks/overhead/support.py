"""Calls of the wrappers that are measured, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession
from yarl import URL

from benchmarks.overhead import (
    benchmark,
    calls,
    garbage,
    imports,
    instructions,
    memory,
    refusals,
    sessions,
    sockets,
    stalls,
)
from benchmarks.overhead.common_settings import COMMON, CommonSettings
from benchmarks.overhead.imports import Import
from benchmarks.overhead.ours import PARTS, PIPELINE
from benchmarks.overhead.peers.catalogue import Peers, find_peers
from benchmarks.overhead.references import HAND_WRITTEN
from benchmarks.overhead.wrapper import Wrapper
from resilient.testing import Reply, make_response

__all__ = [
    "BREAKERS",
    "EVERYBODY",
    "FEW_PEERS",
    "RETRIES",
    "Calls",
    "calls_of",
    "have_little_to_do",
    "outcomes_of",
]

EVERYBODY = (PIPELINE, *PARTS, HAND_WRITTEN, *find_peers().wrappers)
RETRIES = tuple(each for each in EVERYBODY if "retry" in each.parts)
BREAKERS = tuple(each for each in EVERYBODY if each.refusal is not None)

FEW_PEERS = Peers(find_peers(("hand-written-retry",)).wrappers, ("absentee",))

Outcome = int | Exception


class Calls:
    """A wrapper around a handler that does what it is told, and counts.

    Attributes:
        reached: How often the handler was called.
    """

    def __init__(self, wrapper: Wrapper, session: ClientSession, common: CommonSettings) -> None:
        self.reached = 0
        self._session = session
        self._outcomes: list[Outcome] = []
        self._call: ClientHandlerType = wrapper.wrap(self._handle, common)

    async def make(self, *outcomes: Outcome, method: str = "GET") -> int | Exception:
        """Make a call to a server with these outcomes, the last of them for ever."""
        self._outcomes = list(outcomes)
        loop = asyncio.get_running_loop()
        url = URL("http://api.example/meetings")
        try:
            response = await self._call(
                ClientRequest(method, url, loop=loop, session=self._session)
            )
        except Exception as error:
            return error
        return response.status

    async def _handle(self, request: ClientRequest) -> ClientResponse:
        self.reached += 1
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return await make_response(request, Reply(outcome))


@asynccontextmanager
async def calls_of(wrapper: Wrapper, common: CommonSettings = COMMON) -> AsyncIterator[Calls]:
    """A wrapper, to be called."""
    async with ClientSession() as session:
        try:
            yield Calls(wrapper, session, common)
        finally:
            await wrapper.close()


async def outcomes_of(
    wrapper: Wrapper, *outcomes: Outcome, method: str = "GET"
) -> tuple[int, int | Exception]:
    """Make one call; return the number of times that the handler was called, and the outcome."""
    async with calls_of(wrapper) as calls:
        result = await calls.make(*outcomes, method=method)
    return calls.reached, result


def have_little_to_do(patch: pytest.MonkeyPatch) -> None:
    """Let the benchmark have few peers, few rounds and short turns, and import nothing."""
    for module in (calls, sessions, refusals, sockets, stalls, imports):
        patch.setattr(module, "_ROUNDS", (2, 2))
    for module in (calls, sessions, refusals):
        patch.setattr(module, "_CALLS", 50)
    patch.setattr(sockets, "_REQUESTS", {1: 1, 64: 64})
    patch.setattr(memory, "_DESTINATIONS", 20)
    patch.setattr(memory, "_FIRST", 2)
    patch.setattr(memory, "_REFUSALS", 20)
    patch.setattr(stalls, "stall", lambda client, url: len(client) / 10)
    patch.setattr(garbage, "_CALLS", dict.fromkeys(garbage._CALLS, (2, 2)))
    patch.setattr(garbage, "_FIRST", 1)
    patch.setattr(imports, "import_time", lambda code: Import(0.2, len(code) / 1000))
    patch.setattr(instructions, "instructions_of", lambda way, row, url: len(way + row) * 100.0)
    patch.setattr(benchmark, "find_peers", lambda: FEW_PEERS)
