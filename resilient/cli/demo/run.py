"""Make the calls of the demo and count them; print nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import aiohttp
from attrs import frozen
from yarl import URL

from resilient.cli.demo.facts import CallFacts, ErrorFacts, Side
from resilient.cli.demo.scenario import (
    CALLS_AT_ONCE,
    CALLS_PER_SIDE,
    MIXTURE,
    POLICY,
    ScriptedCall,
    in_words,
    mixture,
)
from resilient.core.call import attempts_of
from resilient.core.override import override
from resilient.errors import APIError, ResilientError
from resilient.pipeline.pipeline import Pipeline
from resilient.session import wrap
from resilient.testing import FaultServer, Reply

__all__ = ["Stage", "make_call", "meet_error", "run_side", "set_up"]


@frozen
class Stage:
    """The server, and a session that knows nothing of this package."""

    server: FaultServer
    plain: aiohttp.ClientSession

    def url(self, path: str) -> URL:
        """Return the URL of a path."""
        return self.server.url.with_path(path)


@asynccontextmanager
async def set_up() -> AsyncIterator[Stage]:
    """Run a server on loopback and a plain session, for as long as the demo lasts."""
    async with FaultServer() as server, aiohttp.ClientSession() as plain:
        yield Stage(server, plain)


async def make_call(
    stage: Stage, session: aiohttp.ClientSession, script: ScriptedCall
) -> CallFacts:
    """Make a call, and take down what its response or its error says of it."""
    server = stage.server
    server.clear()
    server.route(script.path, *script.steps)
    key = script.idempotency_key
    headers = {} if key is None else {"Idempotency-Key": key}
    raised = stop_reason = None
    try:
        async with session.request(
            script.method, stage.url(script.path), headers=headers
        ) as response:
            attempts = attempts_of(response)
    except ResilientError as error:
        attempts = error.attempts
        raised = type(error).__name__
        stop_reason = error.stop_reason
    return CallFacts(
        method=script.method,
        path=script.path,
        keyed=key is not None,
        script=in_words(script.steps),
        attempts=attempts,
        raised=raised,
        stop_reason=stop_reason,
        requests=server.hits,
        keys=len({each.headers.get("Idempotency-Key") for each in server.requests} - {None}),
    )


async def meet_error(
    stage: Stage, session: aiohttp.ClientSession, path: str, reply: Reply
) -> ErrorFacts:
    """Make a call that fails, once, and take down the fields of its error."""
    stage.server.route(path, then=reply)
    try:
        with override(max_attempts=1):
            async with session.get(stage.url(path)):
                raise AssertionError(f"{reply} has raised nothing")
    except APIError as error:
        return ErrorFacts(
            kind=type(error).__name__,
            status=error.status,
            code=error.code,
            message=error.message,
            request_id=error.request_id,
            field_errors=tuple(error.field_errors.items()),
            retry_after=error.retry_after,
        )


async def run_side(
    stage: Stage, *, with_pipeline: bool, seed: int, progress: Callable[[], object]
) -> Side:
    """Make many calls to a mixture of faults, with the pipeline or without.

    Args:
        stage: Where.
        with_pipeline: Whether the session is wrapped.
        seed: Of the mixture.
        progress: Called after each call.
    """
    path = "/mavio/meetings"
    drawing = mixture(seed)
    stage.server.clear()
    stage.server.route(path, then=drawing)
    session = wrap(stage.plain, Pipeline(POLICY)) if with_pipeline else stage.plain
    time = asyncio.get_running_loop().time
    durations: list[float] = []
    failures: list[str] = []

    async def call() -> None:
        try:
            async with session.get(stage.url(path)) as response:
                await response.read()
                if response.status >= 400:
                    failures.append(f"status {response.status}")
        except aiohttp.ClientError as error:
            reason = getattr(error, "stop_reason", None)
            failures.append(type(error).__name__ + (f": {reason}" if reason else ""))

    async def work(calls: Iterator[int]) -> None:
        for _ in calls:
            started = time()
            await call()
            durations.append(time() - started)
            progress()

    began = time()
    calls = iter(range(CALLS_PER_SIDE))
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLS_AT_ONCE):
            group.create_task(work(calls))
    return Side(
        calls=len(durations),
        failures=tuple(failures),
        requests=stage.server.hits,
        served=tuple(zip((name for name, _, _ in MIXTURE), drawing.drawn, strict=True)),
        seconds=time() - began,
        slowest=max(durations),
    )
