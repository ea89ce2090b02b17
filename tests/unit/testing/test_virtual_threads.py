"""Virtual time beside threads: work is waited for, whoever handed it out, and no more than that.

The limits are so short that a single jump would spend them. The tests are plain functions, as
each brings a loop of its own.
"""

from __future__ import annotations

import asyncio
import functools
import queue
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from resilient.testing.time.virtual import run_in_virtual_time

SHORT = 1e-6

Queue = queue.SimpleQueue[Any] | queue.Queue[Any]
Work = Callable[[], object]
Hand = Callable[[Work], Awaitable[object]]


def now() -> float:
    return asyncio.get_running_loop().time()


def work() -> str:
    time.sleep(0.001)
    return "done"


class Connection:
    """A thread with a queue of its own, that answers as aiosqlite's does."""

    def __init__(self, kind: Callable[[], Queue]) -> None:
        self._queue = kind()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            if item is None:
                return
            future, function = item
            result = function()
            future.get_loop().call_soon_threadsafe(future.set_result, result)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    async def __call__(self, function: Work) -> object:
        future = asyncio.get_running_loop().create_future()
        self._queue.put((future, function))
        return await future


@asynccontextmanager
async def a_connection(kind: Callable[[], Queue]) -> AsyncIterator[Hand]:
    connection = Connection(kind)
    try:
        yield connection
    finally:
        connection.close()


@asynccontextmanager
async def asyncios() -> AsyncIterator[Hand]:
    yield asyncio.to_thread


@asynccontextmanager
async def anyios() -> AsyncIterator[Hand]:
    yield anyio.to_thread.run_sync


@asynccontextmanager
async def a_pool_of_ones_own() -> AsyncIterator[Hand]:
    with ThreadPoolExecutor(1) as pool:
        yield lambda function: asyncio.wrap_future(pool.submit(function))


@asynccontextmanager
async def a_thread_for_each() -> AsyncIterator[Hand]:
    def hand(function: Work) -> Awaitable[object]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()

        def run() -> None:
            loop.call_soon_threadsafe(future.set_result, function())

        threading.Thread(target=run).start()
        return future

    yield hand


@asynccontextmanager
async def a_thread_that_sets_an_event() -> AsyncIterator[Hand]:
    async def hand(function: Work) -> object:
        loop, event, results = asyncio.get_running_loop(), asyncio.Event(), []

        def run() -> None:
            results.append(function())
            loop.call_soon_threadsafe(event.set)

        threading.Thread(target=run).start()
        await event.wait()
        return results[0]

    yield hand


@pytest.mark.parametrize(
    "handing",
    [
        asyncios,
        anyios,
        functools.partial(a_connection, queue.Queue),
        functools.partial(a_connection, queue.SimpleQueue),
        a_pool_of_ones_own,
        a_thread_for_each,
        a_thread_that_sets_an_event,
    ],
    ids=["asyncio", "anyio", "queue", "simple queue", "pool", "thread", "event"],
)
@pytest.mark.parametrize("function", [work, functools.partial(str, "done")], ids=["slow", "quick"])
def test_work_is_waited_for_and_nothing_beyond_it(handing: Any, function: Work) -> None:
    async def scenario() -> tuple[int, float]:
        done = 0
        async with handing() as hand:
            for _ in range(60):
                async with asyncio.timeout(SHORT):
                    done += await hand(function) == "done"
            await asyncio.sleep(3_600)
        return done, now()

    assert run_in_virtual_time(scenario(), patience=60) == (60, 3_600)


@pytest.mark.parametrize("kind", [queue.Queue, queue.SimpleQueue, None])
def test_a_thread_that_was_there_before_is_waited_for(kind: Any) -> None:
    """The last one polls a list that it was given."""
    items: list[Any] = []
    stop = threading.Event()

    def poll() -> None:
        while not stop.is_set():
            time.sleep(0.001)
            while items:
                future, function = items.pop()
                future.get_loop().call_soon_threadsafe(future.set_result, function())

    async def by_list(function: Work) -> object:
        future = asyncio.get_running_loop().create_future()
        items.append((future, function))
        return await future

    connection = None if kind is None else Connection(kind)
    if connection is None:
        threading.Thread(target=poll).start()

    async def scenario() -> tuple[int, float]:
        done = 0
        for _ in range(60):
            await asyncio.sleep(60)
            async with asyncio.timeout(SHORT):
                done += await (connection or by_list)(work) == "done"
        return done, now()

    try:
        assert run_in_virtual_time(scenario(), patience=60) == (60, 3_600)
    finally:
        stop.set()
        if connection is not None:
            connection.close()


def test_sixty_of_sixty_files_are_read() -> None:
    async def scenario() -> tuple[int, float]:
        read = 0
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x" * 100_000)
            file.flush()
            for _ in range(60):
                async with asyncio.timeout(SHORT), await anyio.open_file(file.name, "rb") as opened:
                    read += len(await opened.read()) == 100_000
        return read, now()

    assert run_in_virtual_time(scenario(), patience=60) == (60, 0)


def test_work_is_waited_for_where_no_timer_is_set() -> None:
    async def scenario() -> object:
        async with a_thread_that_sets_an_event() as hand:
            return await hand(work)

    assert run_in_virtual_time(scenario(), patience=0) == "done"


def test_a_limit_on_the_work_ends_it() -> None:
    async def scenario() -> float:
        release = threading.Event()
        try:
            await asyncio.wait_for(asyncio.to_thread(release.wait), 0.01)
        except TimeoutError:
            return now()
        finally:
            release.set()
        raise AssertionError("nobody had let it go")

    assert run_in_virtual_time(scenario(), patience=0.01) == pytest.approx(0.01)


@pytest.mark.parametrize("run_sync", [asyncio.to_thread, anyio.to_thread.run_sync])
def test_work_that_waits_for_the_loop_does_not_hold_it_up(run_sync: Any) -> None:
    async def nap() -> float:
        await asyncio.sleep(3_600)
        return now()

    async def scenario() -> object:
        loop = asyncio.get_running_loop()
        return await run_sync(lambda: asyncio.run_coroutine_threadsafe(nap(), loop).result())

    assert run_in_virtual_time(scenario(), patience=3_600) == 3_600


@contextmanager
def polling(call: Callable[[Callable[[], None]], object]) -> Iterator[list[float]]:
    """Let a function of ours be run elsewhere that calls the loop every other millisecond."""
    loop, ticks = asyncio.get_running_loop(), list[float]()
    stop, stopped = threading.Event(), threading.Event()

    def tick() -> None:
        ticks.append(loop.time())

    def poll() -> None:
        while not stop.is_set():
            time.sleep(0.002)
            loop.call_soon_threadsafe(tick)
        stopped.set()

    call(poll)
    try:
        yield ticks
    finally:
        stop.set()
        stopped.wait()


def in_a_thread(function: Work) -> None:
    threading.Thread(target=function).start()


def in_the_executor(function: Work) -> None:
    asyncio.get_running_loop().run_in_executor(None, function)


@pytest.mark.parametrize("somewhere", [in_a_thread, in_the_executor])
def test_time_passes_beside_a_thread_that_polls(somewhere: Any) -> None:
    async def scenario() -> float:
        with polling(somewhere) as ticks:
            for _ in range(100):
                await asyncio.sleep(36)
            assert ticks
        return now()

    assert run_in_virtual_time(scenario(), patience=0.01) == pytest.approx(3_600)


def test_time_passes_while_a_task_hands_out_work_until_some_time() -> None:
    async def scenario() -> float:
        while now() < 0.02:
            await asyncio.to_thread(work)
        return now()

    assert 0.02 <= run_in_virtual_time(scenario(), patience=0.001) < 60
