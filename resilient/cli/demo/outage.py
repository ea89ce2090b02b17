"""Play the outage of the demo: calls go on while the server is down, under a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from attrs import asdict, define, field

from resilient.cli.demo.facts import OutageFacts, Spell
from resilient.cli.demo.run import Stage
from resilient.cli.demo.scenario import BREAKER_POLICY, OUTAGE, PACE, Outage
from resilient.errors import CircuitOpenError
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
    first_hit: int
    succeeded: int = 0
    failed: int = 0
    refused: int = 0


@define(eq=False)
class _Log:
    """A listener that begins a spell whenever the circuit changes its state."""

    _stage: Stage
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
                first_hit=self._stage.server.hits + 1,
            )
        )

    def spell_of(self, hit: int) -> _Open:
        """Return the spell in which a request reached the server, by the request's number."""
        return next(spell for spell in reversed(self.spells) if spell.first_hit <= hit)

    def close(self) -> tuple[Spell, ...]:
        """Return the facts of all spells."""
        ends = [spell.first_hit for spell in self.spells[1:]] + [self._stage.server.hits + 1]
        closed = []
        for spell, end in zip(self.spells, ends, strict=True):
            values = asdict(spell)
            closed.append(Spell(requests=end - values.pop("first_hit"), **values))
        return tuple(closed)


async def run_outage(stage: Stage, progress: Callable[[str], object]) -> OutageFacts:
    """Call a server that goes down and comes back, one call after the other.

    Args:
        stage: Where.
        progress: Called after each call, with the state of the circuit.
    """
    path = "/mavio/meetings"
    outage = Outage()
    stage.server.clear()
    stage.server.route(path, then=outage)
    log = _Log(stage, outage)
    pipeline = Pipeline(BREAKER_POLICY, listeners=[log])
    session = wrap(stage.plain, pipeline)
    circuit = pipeline.breaker.circuit(stage.server.url)

    async def call() -> None:
        before = stage.server.hits
        try:
            async with session.get(stage.url(path)) as response:
                await response.read()
        except CircuitOpenError:
            log.spells[-1].refused += 1
        except aiohttp.ClientError:
            log.spell_of(before + 1).failed += 1
        else:
            log.spell_of(before + 1).succeeded += 1

    loop = asyncio.get_running_loop()
    due = loop.time()
    for what, down, calls in OUTAGE:
        outage.down = down
        log.begin(circuit.state, what)
        for _ in range(calls):
            await call()
            progress(circuit.state)
            due += PACE
            await asyncio.sleep(due - loop.time())
    return OutageFacts(log.close())
