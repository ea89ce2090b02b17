"""Promise 4, cancellation: a call stops at once, counts as nothing, and returns what it held."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    Backoff,
    BreakerPolicy,
    ErrorPolicy,
    NormalizeErrors,
    Pipeline,
    Policy,
    Retry,
    RetryPolicy,
)
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.testing import Answer, Disconnect, FakeClock, FaultServer, Hang, Reply, Reset

if TYPE_CHECKING:
    from tests.integration.conftest import Held, OpenSession

WITHOUT_END = Reply(503, body=b"x" * 9_000, chunk_delay=0.005)


@asynccontextmanager
async def stops_at_once() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    yield
    assert loop.time() - started < 1, "all that could be waited for takes longer"


async def cancel(task: asyncio.Task[Any]) -> None:
    async with stops_at_once():
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert task.cancelled()


class Call:
    """A pipeline with waits of half a minute, and a call through it."""

    def __init__(
        self, open_session: OpenSession, *, raw: bool = False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.waiting = asyncio.Event()
        retry = RetryPolicy(backoff=Backoff(base=30, cap=30, jitter="none"), budget=None)
        errors = None if raw else ErrorPolicy()
        policy = Policy(retry=retry, breaker=BreakerPolicy(failures=1, patience=0), errors=errors)
        self.pipeline = Pipeline(policy, listeners=[self._listen], clock=clock)
        self.session = open_session(
            self.pipeline, wrapped=True, connector=aiohttp.TCPConnector(limit=1)
        )

    def _listen(self, event: Any) -> None:
        if event.kind == "wait":
            self.waiting.set()

    def start(self, server: FaultServer, **options: Any) -> asyncio.Task[Any]:
        async def call() -> None:
            async with self.session.put(server.url, **options) as response:
                await response.read()

        return asyncio.create_task(call())

    def counts(self, server: FaultServer) -> tuple[int, int]:
        counts = self.pipeline.breaker.circuit(server.url).counts
        return counts.calls, counts.failures


@pytest.mark.parametrize("raw", [False, True], ids=["normalised", "raw"])
async def test_during_an_attempt(raw: bool, open_session: OpenSession, held: Held) -> None:
    call = Call(open_session, raw=raw)
    async with FaultServer(Hang()) as server:
        task = call.start(server)
        await server.wait_for(waiting=1)
        await cancel(task)
        assert held(call.session) == 0
        assert call.counts(server) == (0, 0)
        await asyncio.wait_for(server.wait_for(connections=0), 5)
        assert server.hits == 1


@pytest.mark.parametrize("raw", [False, True], ids=["normalised", "raw"])
async def test_during_a_wait(raw: bool, open_session: OpenSession, held: Held) -> None:
    call = Call(open_session, raw=raw)
    async with FaultServer(Reply(503, body=b"x" * 1000)) as server:
        task = call.start(server)
        await call.waiting.wait()
        assert held(call.session) == 0
        await asyncio.sleep(0.01)
        await cancel(task)
        assert call.counts(server) == (1, 1)
        assert server.hits == 1


@pytest.mark.parametrize("raw", [False, True], ids=["normalised", "raw"])
async def test_while_an_error_body_is_drained(
    raw: bool, open_session: OpenSession, held: Held, clock: FakeClock
) -> None:
    clock.speed = 0.001  # so that draining takes minutes
    call = Call(open_session, raw=raw, clock=clock)
    async with FaultServer(WITHOUT_END) as server:
        task = call.start(server)
        await server.wait_for(hits=1)
        await asyncio.sleep(0.03)
        assert held(call.session) == 1
        await cancel(task)
        assert held(call.session) == 0
        await asyncio.wait_for(server.wait_for(connections=0), 5)
        assert server.hits == 1
        assert call.counts(server)[1] <= 1


async def test_in_the_queue_of_the_pool(open_session: OpenSession, held: Held) -> None:
    call = Call(open_session)
    async with FaultServer(Hang()) as server:
        first, second = call.start(server), call.start(server)
        await server.wait_for(waiting=1)
        await cancel(second)
        assert call.counts(server) == (0, 0)
        await cancel(first)
        assert held(call.session) == 0


async def test_in_the_middle_of_an_upload(open_session: OpenSession, held: Held) -> None:
    call = Call(open_session)
    async with FaultServer(Reply(early=True, delay=60)) as server:
        task = call.start(server, data=io.BytesIO(bytes(6_000_000)))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.02)
        await cancel(task)
        assert held(call.session) == 0
        assert call.counts(server) == (0, 0)


async def test_while_a_thread_still_reads_a_file(open_session: OpenSession, held: Held) -> None:
    go_on = threading.Event()

    class Slow(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            if self.reads > 1:
                go_on.wait(5)
            return super().read(size)

    file = Slow(bytes(6_000_000))
    call = Call(open_session)
    async with FaultServer(Reply(503, early=True, delay=0.02)) as server:
        task = call.start(server, data=aiohttp.payload.IOBasePayload(file))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.04)
        task.cancel()
        try:
            async with stops_at_once():
                await asyncio.wait([task])
        finally:
            go_on.set()
        assert held(call.session) == 0


async def test_while_a_body_is_read_within_the_attempt(
    open_session: OpenSession, held: Held
) -> None:
    session = open_session(Retry(RetryPolicy(read_body_up_to=99)))
    async with FaultServer(Reply(body=b"x" * 50, chunk_delay=0.01)) as server:
        task = asyncio.ensure_future(session.get(server.url))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.02)
        await cancel(task)
        assert held(session) == 0
        await asyncio.wait_for(server.wait_for(connections=0), 5)


async def test_aiohttps_own_time_limit_ends_attempts_and_waits_alike(
    open_session: OpenSession, held: Held
) -> None:
    timeout = aiohttp.ClientTimeout(total=0.03)
    backoff = Backoff(base=30, cap=30, jitter="none")
    session = open_session(Retry(RetryPolicy(backoff=backoff)), timeout=timeout)
    for step in (Hang(), Reply(503)):
        async with FaultServer(then=step) as server:
            async with stops_at_once():
                with pytest.raises(TimeoutError):
                    await session.get(server.url)
            assert held(session) == 0
            assert server.hits <= 1


SCENARIOS: dict[str, list[Answer]] = {
    "errors with small bodies": [Reply(503, body=b"x" * 500)] * 2,
    "errors with large bodies": [Reply(503, body=b"x" * 200_000)] * 2,
    "errors without end": [WITHOUT_END, Reply(503)],
    "resets": [Reset(), Reset("accept")],
    "disconnects": [Disconnect("head"), Disconnect()],
    "early answers": [Reply(503, early=True), Reply(503, body=b"x" * 500, early=True)],
    "malformed": [Reply(503, body=b"x" * 500, truncate=3), Disconnect("body")],
}
BODIES: dict[str, Callable[[], Any]] = {
    "no body": lambda: None,
    "upload": lambda: io.BytesIO(bytes(400_000)),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("steps", SCENARIOS.values(), ids=SCENARIOS)
@pytest.mark.parametrize("inner", [(), (NormalizeErrors(),)], ids=["raw", "normalised"])
async def test_at_any_moment(
    inner: Any,
    steps: list[Answer],
    body: Callable[[], Any],
    open_session: OpenSession,
    held: Held,
) -> None:
    """The call is cancelled at each turn of the event loop, one after the other."""
    policy = RetryPolicy(
        backoff=Backoff(base=0.0005, jitter="none"), budget=None, read_body_up_to=999
    )
    session = open_session(Retry(policy), *inner, connector=aiohttp.TCPConnector(limit=1))

    async def call(server: FaultServer) -> int:
        async with session.put(server.url, data=body()) as response:
            await response.read()
            return response.status

    for turn in range(1, 60, 2):
        async with FaultServer(*steps) as server:
            task = asyncio.create_task(call(server))
            await turns(turn)
            before = server.hits
            task.cancel()
            await quickly(asyncio.wait([task]))
            if not task.cancelled():
                assert turn > 5, "it is not as quick as that"
                assert task.result() == 200
            assert held(session) == 0
            await turns(20)
            assert server.hits <= before + 1, "what was on the wire may still arrive"
            assert asyncio.all_tasks() - {asyncio.current_task()} <= server_tasks(server)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def quickly(waiting: Awaitable[Any]) -> None:
    async with stops_at_once():
        await waiting


def server_tasks(server: FaultServer) -> set[asyncio.Task[Any]]:
    return set(server._port._tasks)
