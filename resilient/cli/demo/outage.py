"""Play the outage of the demo: calls go on while the server is down, and nobody waits for them.

The same calls are made at the same moments by aiohttp alone and with the pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from attrs import asdict, define, field

from resilient.cli.demo.facts import Comparison, OutageFacts, Spell
from resilient.cli.demo.run import Calls, Stage
from resilient.cli.demo.scenario import OUTAGE, PACE, POLICY, Outage
from resilient.errors import RefusedError
from resilient.pipeline.pipeline import Pipeline
from resilient.session import wrap
from resilient.telemetry.events import Event, TransitionEvent

__all__ = ["run_outage"]


@define(eq=False, kw_only=True)
class _Open:
    """A spell that is not over."""

    began: float
    state: str
    reason: str
    server_is_down: bool
    requests: int = 0
    succeeded: int = 0
    failed: int = 0
    refused: int = 0

    def count(self, result: Exception | int) -> None:
        """Count a call by what it came to."""
        if isinstance(result, RefusedError):
            self.refused += 1
        elif isinstance(result, Exception) or result >= 400:
            self.failed += 1
        else:
            self.succeeded += 1


@define(eq=False)
class _Log:
    """A listener that begins a spell whenever the circuit changes its state."""

    _outage: Outage
    _began: float = field(factory=lambda: asyncio.get_running_loop().time())
    spells: list[_Open] = field(factory=list)

    def __call__(self, event: Event) -> None:
        if isinstance(event, TransitionEvent):
            self.begin(event.after, event.reason)

    def begin(self, state: str, reason: str) -> None:
        """End one spell and begin another."""
        self.spells.append(
            _Open(
                began=asyncio.get_running_loop().time() - self._began,
                state=state,
                reason=reason,
                server_is_down=self._outage.down,
            )
        )

    async def count(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Count a request when it leaves: it may come in after the circuit has opened."""
        self.spells[-1].requests += 1
        return await handler(request)

    def close(self) -> tuple[Spell, ...]:
        """Return the facts of all spells."""
        return tuple(Spell(**asdict(spell)) for spell in self.spells)


async def run_outage(stage: Stage, progress: Callable[[str], object]) -> OutageFacts:
    """Call a server that goes down and comes back, at a steady pace.

    Args:
        stage: Where.
        progress: Called at each pair of calls, with the state of the circuit.
    """
    stage.server.clear()
    servers = Outage(), Outage()
    paths = "/mavio/alone", "/mavio/pipeline"
    for path, answer in zip(paths, servers, strict=True):
        stage.server.route(path, then=answer)
    log = _Log(servers[1])
    pipeline = Pipeline(POLICY, listeners=[log])
    counting = Pipeline.of(pipeline, log.count)
    sessions: tuple[aiohttp.ClientSession, ...] = (stage.plain, wrap(stage.plain, counting))
    alone, guarded = (
        Calls(session, stage.url(path)) for session, path in zip(sessions, paths, strict=True)
    )
    circuit = pipeline.breaker.circuit(stage.server.url)

    async def call(spell: _Open) -> None:
        spell.count(await guarded.make())

    loop = asyncio.get_running_loop()
    due = loop.time()
    async with asyncio.TaskGroup() as group:
        for what, down, calls in OUTAGE:
            for answer in servers:
                answer.down = down
            log.begin(circuit.state, what)
            for _ in range(calls):
                group.create_task(alone.make())
                group.create_task(call(log.spells[-1]))
                progress(circuit.state)
                due += PACE
                await asyncio.sleep(due - loop.time())
    sides = (
        each.side({"while it was down": answer.failed, "while it was well": answer.well})
        for each, answer in zip((alone, guarded), servers, strict=True)
    )
    return OutageFacts(log.close(), Comparison(*sides))
