"""Play the demo from beginning to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from aiohttp import ClientSession
from rich.console import Console

from resilient.cli.demo.documented import FLAT, NESTED
from resilient.cli.demo.facts import (
    CallFacts,
    Comparison,
    DemoFacts,
    ErrorFacts,
    OutageFacts,
    TelemetryFacts,
)
from resilient.cli.demo.outage import run_outage
from resilient.cli.demo.run import (
    Stage,
    make_call,
    meet_error,
    run_crowd,
    run_mixture,
    set_up,
)
from resilient.cli.demo.scenario import (
    CALLS,
    CROWD,
    LIMIT,
    MIXED_AT_ONCE,
    MIXED_CALLS,
    OUTAGE,
    PACE,
    POLICY,
)
from resilient.cli.demo.show import Show
from resilient.envelopes import NormalizeErrors
from resilient.pipeline.pipeline import Pipeline
from resilient.session import wrap

__all__ = ["main", "play"]


def main(seed: int, *, telemetry: bool = False) -> None:
    """Play the demo on standard output, with or without its part about telemetry."""
    if telemetry:
        # Before anything is played: it may not be installed.
        import_module("resilient.cli.demo.tracing")
    with _quiet(), asyncio.Runner() as runner:
        runner.run(play(seed, Console(), telemetry=telemetry))


async def play(seed: int, console: Console, *, telemetry: bool = False) -> DemoFacts:
    """Play the demo, and return what was counted.

    Args:
        seed: Of the mixture of faults.
        console: Where to print.
        telemetry: Whether to show what OpenTelemetry is told.
    """
    show = Show(console)
    async with set_up() as stage:
        pipeline = Pipeline(POLICY)
        session = wrap(stage.plain, pipeline)
        show.opening(stage.server.url.authority, seed, pipeline.describe())
        return DemoFacts(
            calls=await _calls(show, stage, session),
            errors=await _errors(show, stage),
            outage=await _outage(show, stage),
            crowd=await _crowd(show, stage),
            mixture=await _mixture(show, stage, seed),
            telemetry=await _telemetry(show, stage) if telemetry else None,
        )


async def _calls(show: Show, stage: Stage, session: ClientSession) -> tuple[CallFacts, ...]:
    show.heading(
        "1. Single calls",
        "as attempts_of(response), error.attempts and error.stop_reason tell them",
    )
    show.columns()
    calls = []
    for script in CALLS:
        facts = await make_call(stage, session, script)
        show.call(facts)
        calls.append(facts)
    show.calls(calls)
    return tuple(calls)


async def _errors(show: Show, stage: Stage) -> tuple[ErrorFacts, ...]:
    show.heading("2. Typed errors", "the same classes and fields for both formats")
    assert POLICY.errors is not None, "it has them"
    # Nothing but the errors: a 429 among them would hold what comes after it.
    session = wrap(stage.plain, NormalizeErrors(POLICY.errors))
    nested = [await meet_error(stage, session, "/mavio/meetings", each) for each in NESTED]
    show.errors('{"error": {"code": ..., "message": ...}}', nested)
    flat = [await meet_error(stage, session, "/meetergo/bookings", each) for each in FLAT]
    show.errors('{"statusCode": ..., "message": ..., "error": ...}', flat)
    return (*nested, *flat)


async def _outage(show: Show, stage: Stage) -> OutageFacts:
    show.heading(
        "3. An outage",
        f"a call each {PACE * 1000:g} ms; the server goes down, and comes back",
    )
    with show.progress(sum(calls for _, _, calls in OUTAGE), "closed") as advance:
        facts = await run_outage(stage, advance)
    show.outage(facts)
    return facts


async def _crowd(show: Show, stage: Stage) -> Comparison:
    show.heading("4. A limit", f"{CROWD} calls at once, of which the server lets {LIMIT} through")
    with show.progress(2 * CROWD, "alone") as advance:
        facts = await run_crowd(stage, advance)
    show.comparison(facts)
    return facts


async def _mixture(show: Show, stage: Stage, seed: int) -> Comparison:
    show.heading(
        "5. Random failures",
        f"{MIXED_AT_ONCE} calls at once; each request meets the next fault of the same mixture",
    )
    with show.progress(2 * MIXED_CALLS, "alone") as advance:
        facts = await run_mixture(stage, seed=seed, progress=advance)
    show.comparison(facts)
    return facts


async def _telemetry(show: Show, stage: Stage) -> TelemetryFacts:
    from resilient.cli.demo.tracing import run_traced

    show.heading("6. Telemetry", "the spans of one call, and the metrics that it moved")
    facts = await run_traced(stage)
    show.telemetry(facts)
    return facts


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep log lines out of the display, which shows the same."""
    logger = logging.getLogger("resilient")
    propagated = logger.propagate
    handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagated
        logger.removeHandler(handler)
