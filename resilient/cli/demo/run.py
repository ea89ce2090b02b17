"""Make the calls of the demo and count them; print nothing."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
from attrs import define, field, frozen
from yarl import URL

from resilient.cli.demo.facts import CallFacts, Comparison, ErrorFacts, Side
from resilient.cli.demo.scenario import (
    CROWD,
    MIXED_AT_ONCE,
    MIXED_CALLS,
    MIXTURE,
    POLICY,
    Limited,
    ScriptedCall,
    in_words,
    mixture,
)
from resilient.core.call import attempts_of
from resilient.errors import APIError, ResilientError
from resilient.pipeline.pipeline import Pipeline
from resilient.session import wrap
from resilient.testing import FaultServer, Received, Reply

__all__ = ["Calls", "Stage", "make_call", "meet_error", "run_crowd", "run_mixture", "set_up"]


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
    """Make a call that fails, and take down the fields of its error."""
    stage.server.route(path, then=reply)
    try:
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


@define(eq=False)
class Calls:
    """Calls of one side, and what they came to.

    Attributes:
        began: When the first was made.
        durations: Seconds that each took.
        failures: The error of each that failed.
    """

    _session: aiohttp.ClientSession
    _url: URL
    began: float = field(factory=lambda: asyncio.get_running_loop().time())
    durations: list[float] = field(factory=list)
    failures: list[str] = field(factory=list)

    async def make(self) -> Exception | int:
        """Make a call; return its status, or the exception that it raised."""
        time = asyncio.get_running_loop().time
        started = time()
        result: Exception | int
        try:
            async with self._session.get(self._url) as response:
                await response.read()
                result = response.status
                if result >= 400:
                    self.failures.append(f"status {result}")
        except aiohttp.ClientError as error:
            result = error
            reason = getattr(error, "stop_reason", None)
            self.failures.append(type(error).__name__ + (f": {reason}" if reason else ""))
        self.durations.append(time() - started)
        return result

    def side(self, served: Mapping[str, int]) -> Side:
        """Return the facts, once all are over."""
        return Side(
            calls=len(self.durations),
            failures=tuple(self.failures),
            requests=sum(served.values()),
            served=tuple(served.items()),
            seconds=asyncio.get_running_loop().time() - self.began,
            slowest=max(self.durations),
        )


async def run_crowd(stage: Stage, progress: Callable[[str], object]) -> Comparison:
    """Make many calls at once to a server that limits them, by aiohttp alone and with a pipeline.

    Args:
        stage: Where.
        progress: Called after each call, with the name of the side.
    """

    async def run(calls: Calls, name: str) -> None:
        async def one() -> None:
            await calls.make()
            progress(name)

        async with asyncio.TaskGroup() as group:
            for _ in range(CROWD):
                group.create_task(one())

    names = ("429", "let through")
    return await _both(stage, (Limited(), Limited()), names, run)


async def run_mixture(stage: Stage, *, seed: int, progress: Callable[[str], object]) -> Comparison:
    """Make many calls to a mixture of faults, by aiohttp alone and with a pipeline.

    Args:
        stage: Where.
        seed: Of the mixture.
        progress: Called after each call, with the name of the side.
    """

    async def run(calls: Calls, name: str) -> None:
        async def work(left: Iterator[int]) -> None:
            for _ in left:
                await calls.make()
                progress(name)

        left = iter(range(MIXED_CALLS))
        async with asyncio.TaskGroup() as group:
            for _ in range(MIXED_AT_ONCE):
                group.create_task(work(left))

    names = [name for name, _, _ in MIXTURE]
    return await _both(stage, (mixture(seed), mixture(seed)), names, run)


class _Drawing(Protocol):
    """Answers requests, and counts its answers."""

    @property
    def drawn(self) -> Sequence[int]: ...

    def __call__(self, request: Received, /) -> Any: ...


async def _both(
    stage: Stage,
    answers: tuple[_Drawing, _Drawing],
    names: Iterable[str],
    run: Callable[[Calls, str], Awaitable[None]],
) -> Comparison:
    """Run both sides at once, each against a path of its own that answers the same."""
    stage.server.clear()
    sessions = {"alone": stage.plain, "pipeline": wrap(stage.plain, Pipeline(POLICY))}
    names = tuple(names)

    async def side(name: str, answer: _Drawing) -> Side:
        path = f"/mavio/{name}"
        stage.server.route(path, then=answer)
        calls = Calls(sessions[name], stage.url(path))
        await run(calls, name)
        return calls.side(dict(zip(names, answer.drawn, strict=True)))

    sides = [side(name, answer) for name, answer in zip(sessions, answers, strict=True)]
    return Comparison(*await asyncio.gather(*sides))
