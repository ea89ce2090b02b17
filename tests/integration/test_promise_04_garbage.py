"""Promise 4: nothing waits for the garbage collector, and nothing outlives its call."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from resilient import (
    APIError,
    AttemptTimeout,
    BreakerPolicy,
    CircuitBreaker,
    Deadline,
    ErrorPolicy,
    NormalizeErrors,
    Pipeline,
    ResilientError,
    Retry,
    attempts_of,
    listens_to,
    override,
)
from resilient.testing import Answer, Disconnect, FaultServer, Hang, Reply
from tests.integration.support import client, fault_server, policy, retry_policy, wrapped
from tests.integration.telemetry_support import Recorder, traced_policy


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def fail(session: aiohttp.ClientSession, url: object, **options: Any) -> None:
    try:
        async with session.get(str(url), **options) as response:
            await response.read()
    except (aiohttp.ClientError, TimeoutError):
        pass


async def garbage(call: Callable[[], Any], calls: int = 8) -> float:
    """How many objects each of some calls leaves to the collector."""
    for _ in range(3):
        await call()
    await asyncio.sleep(0)
    gc.collect()
    for _ in range(calls):
        await call()
    await asyncio.sleep(0)
    return gc.collect() / calls


FAULTS: dict[str, Answer] = {
    "404": Reply(404, json={"message": "x"}),
    "503": Reply(503, json={"message": "x"}),
    "too long to wait": Reply(429, headers={"Retry-After": "3600"}),
    "dropped": Disconnect("body", reply=Reply(503, body=b"x" * 100)),
    "disconnected": Disconnect(),
}

# The garbage of a call of aiohttp alone, by the fault that it meets.
USUAL: dict[str, float] = {}

SHAPES: dict[str, Callable[[], Any]] = {
    "pipeline": lambda: Pipeline(policy(breaker=None)),
    "pipeline with a breaker": lambda: Pipeline(policy(breaker=BreakerPolicy(observe=True))),
    "pipeline with telemetry": lambda: Recorder().pipeline(traced_policy(breaker=None)),
    "pipeline that tells of calls": lambda: Pipeline(
        policy(breaker=None), listeners=[listens_to("call")(lambda event: None)]
    ),
    "retry alone": lambda: Retry(retry_policy()),
    "errors alone": NormalizeErrors,
    "nested otherwise": lambda: Pipeline.of(
        NormalizeErrors(),
        Deadline(50),
        Retry(retry_policy()),
        CircuitBreaker(BreakerPolicy(observe=True)),
        AttemptTimeout(30),
    ),
}


# Those with one more coroutine around each call.
FOLLOWED = {"pipeline with telemetry", "pipeline that tells of calls"}


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_call_that_fails_is_freed_without_the_collector(
    fault: str, shape: str, under: Any
) -> None:
    async with fault_server(then=FAULTS[fault]) as server:
        if fault not in USUAL:
            async with client() as bare:
                USUAL[fault] = await garbage(lambda: fail(bare, server.url))
        async with under(SHAPES[shape]()) as session:
            found = await garbage(lambda: fail(session, server.url))
    usual = USUAL[fault]
    # A call is three requests, or four if the first broke a pooled connection.
    # What aiohttp leaves in a circle holds a few things of ours too.
    few = 12 if shape in FOLLOWED else 8
    assert found <= 4 * (usual and usual + few) + 1


@pytest.mark.parametrize("shape", SHAPES)
async def test_one_that_runs_out_of_time_is_freed_too(shape: str) -> None:
    async def late() -> None:
        with override(attempt_timeout=0.01, max_attempts=1):
            await fail(session, server.url, timeout=aiohttp.ClientTimeout(sock_read=0.02))

    async with fault_server(then=Hang()) as server, client(SHAPES[shape]()) as session:
        async with client() as bare:
            timeout = aiohttp.ClientTimeout(sock_read=0.01)
            usual = await garbage(lambda: fail(bare, server.url, timeout=timeout), 5)
        assert await garbage(late, 5) <= usual + 1


async def test_a_call_that_a_breaker_refuses_is_freed() -> None:
    pipeline = Pipeline(policy())
    async with FaultServer() as server, client(pipeline) as session:
        pipeline.breaker.circuit(server.url).isolate()
        assert await garbage(lambda: fail(session, server.url)) <= 1


async def test_a_call_that_is_cancelled_is_freed() -> None:
    async def cancelled(session: aiohttp.ClientSession) -> None:
        task = asyncio.ensure_future(fail(session, server.url))
        await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.wait([task])

    async with fault_server(then=Hang()) as server, client(Pipeline(policy())) as session:
        async with client() as bare:
            usual = await garbage(lambda: cancelled(bare), 5)
        assert await garbage(lambda: cancelled(session), 5) <= usual + 1


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("shape", ["pipeline", "retry alone", "nested otherwise"])
async def test_an_error_that_a_success_followed_is_gone_with_its_body(
    shape: str, under: Any
) -> None:
    body = {"message": "x" * 10_000}
    async with (
        fault_server(Reply(503, json=body), Reply(503, json=body)) as server,
        under(SHAPES[shape]()) as session,
    ):
        before = count_errors()
        async with session.get(server.url) as response:
            assert len(attempts_of(response)) >= 2 or shape == "nested otherwise"
            assert count_errors() == before
            # Nor does the call that the response remembers keep anything of them.
            call: Any = getattr(response, "_resilient_call", None)
            assert call is None or (call.outcome, call.failure, call.request) == (None,) * 3


def count_errors() -> int:
    return sum(isinstance(each, APIError | aiohttp.ClientError) for each in gc.get_objects())


async def test_an_error_keeps_neither_its_session_nor_its_pipeline() -> None:
    pipeline = Pipeline(policy())
    async with fault_server(then=Reply(404)) as server, wrapped(pipeline) as session:
        with pytest.raises(ResilientError) as caught:
            await session.get(server.url)
    error = caught.value.with_traceback(None)
    del caught
    seen = {id(error)}
    pending: list[Any] = [vars(error)]
    while pending:
        for each in gc.get_referents(pending.pop()):
            if id(each) not in seen and not isinstance(each, type):
                seen.add(id(each))
                assert not isinstance(each, aiohttp.ClientSession | Pipeline)
                if type(each).__module__ != "builtins" or isinstance(each, dict | list | tuple):
                    pending.append(each)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_pipeline_that_is_dropped_is_gone_at_once_and_leaves_no_timer(times: int) -> None:
    loop: Any = asyncio.get_running_loop()
    async with fault_server() as server, client() as session:
        await fail(session, server.url)
        before = live_timers(loop)
        pipeline = Pipeline(policy())
        for _ in range(times):
            await fail(session, server.url, middlewares=[pipeline])
        gone = weakref.ref(pipeline)
        assert live_timers(loop) > before
        del pipeline
        assert gone() is None
        assert live_timers(loop) == before


def live_timers(loop: Any) -> int:
    return sum(not handle.cancelled() for handle in loop._scheduled)


class Stuck(io.FileIO):
    """A file whose reading takes until it is let go."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.go_on = threading.Event()
        self.is_read = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.is_read.set()
        self.go_on.wait(20)
        return super().read(-1 if size is None else size)

    def seek(self, *args: Any) -> int:
        return super().seek(*args)


@pytest.mark.parametrize("cut", ["cancelled", "deadline"])
@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("errors", [None, ErrorPolicy()], ids=["raw", "typed"])
async def test_a_call_that_ends_while_its_file_is_being_read_gives_its_connection_back(
    errors: ErrorPolicy | None, cut: str, under: Any, tmp_path: Any
) -> None:
    """The server answered early, and the next attempt waits for the thread that reads."""
    path = tmp_path / "upload"
    path.write_bytes(b"x" * 1_000_000)
    pipeline = Pipeline(policy(errors=errors, total_timeout=None if cut == "cancelled" else 0.5))
    down = Reply(503, body=b"x" * 100_000, early=True)
    # The clients look for connections that were not given back.
    async with fault_server(then=down) as server, under(pipeline) as session:
        file = Stuck(path)
        try:
            task = asyncio.ensure_future(session.put(server.url, data=file))
            await asyncio.to_thread(file.is_read.wait)
            await asyncio.sleep(0.1)
            if cut == "cancelled":
                task.cancel()
            with pytest.raises((asyncio.CancelledError, TimeoutError)):
                await task
        finally:
            file.go_on.set()
            file.close()


async def test_an_upload_by_a_generator_is_freed_too() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x"

    async def upload() -> None:
        await fail(session, server.url, data=parts())

    async with fault_server(then=Reply(503)) as server, client(Pipeline(policy())) as session:
        async with client() as bare:
            usual = await garbage(lambda: fail(bare, server.url, data=parts()))
        assert await garbage(upload) <= usual + 1
