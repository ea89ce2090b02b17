"""Scenarios in virtual time: exact, quick, and never ahead of what is under way.

The tests are plain functions, as each brings a loop of its own.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time

import aiohttp
import pytest

from resilient import AttemptTimeout, AttemptTimeoutError, Pipeline, attempts_of
from resilient.errors import ConfigError
from resilient.testing import FaultServer, Hang, Reply
from resilient.testing.time.clocks import LoopClock
from resilient.testing.time.virtual import VirtualTimeLoop, run_in_virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_scenario_returns_what_it_returns() -> None:
    async def scenario() -> str:
        return "done"

    assert run_in_virtual_time(scenario()) == "done"


def test_sleeps_take_their_time_on_the_loop_and_none_for_real() -> None:
    async def scenario() -> float:
        await asyncio.sleep(86_400 * 365)
        return now()

    started = time.monotonic()
    assert run_in_virtual_time(scenario()) == 86_400 * 365
    assert time.monotonic() - started < 86_400


def test_timers_fire_in_their_order_and_at_their_times() -> None:
    async def scenario() -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def worker(name: str, seconds: float) -> None:
            for _ in range(2):
                await asyncio.sleep(seconds)
                seen.append((name, now()))

        await asyncio.gather(worker("slow", 3), worker("quick", 2))
        return seen

    assert run_in_virtual_time(scenario()) == [
        ("quick", 2),
        ("slow", 3),
        ("quick", 4),
        ("slow", 6),
    ]


def test_no_time_passes_while_there_is_something_to_do() -> None:
    async def scenario() -> float:
        async with asyncio.timeout(0.001):
            for _ in range(2_000):
                await asyncio.sleep(0)
        return now()

    assert run_in_virtual_time(scenario()) == 0


def test_a_wait_that_the_server_asks_for_is_exact() -> None:
    async def scenario() -> tuple[float, list[float | None]]:
        clock = LoopClock(draw=0.0)
        api = FaultServer(Reply(503, headers={"Retry-After": "30"}), Reply(200))
        session = aiohttp.ClientSession(middlewares=[Pipeline(clock=clock)])
        async with api, session, session.get(api.url) as response:
            return now(), [attempt.waited for attempt in attempts_of(response)]

    assert run_in_virtual_time(scenario()) == (30.0, [30.0, None])


def test_the_systems_clock_needs_no_replacement() -> None:
    async def scenario() -> tuple[float, float]:
        api = FaultServer(Reply(503, headers={"Retry-After": "30"}), Reply(200))
        session = aiohttp.ClientSession(middlewares=[Pipeline()])
        async with api, session, session.get(api.url) as response:
            return now(), attempts_of(response)[0].waited or 0.0

    came, waited = run_in_virtual_time(scenario())
    assert 30 <= waited < 50
    assert came == pytest.approx(waited)


def test_a_servers_delays_are_in_the_same_time() -> None:
    async def scenario() -> float:
        api = FaultServer(Reply(delay=10, body_delay=20, body=b"four", chunk_delay=1))
        async with api, aiohttp.ClientSession() as session, session.get(api.url) as response:
            assert await response.read() == b"four"
        return now()

    assert run_in_virtual_time(scenario()) == 33


def test_a_limit_passes_when_its_time_has_come() -> None:
    async def scenario() -> float:
        session = aiohttp.ClientSession(middlewares=[AttemptTimeout(7)])
        async with FaultServer(Hang()) as api, session:
            with pytest.raises(AttemptTimeoutError):
                await session.get(api.url)
        return now()

    assert run_in_virtual_time(scenario()) == 7


@pytest.mark.parametrize("grace", [0.0, 0.005])
def test_an_answer_under_way_is_not_overtaken(grace: float) -> None:
    """Megabytes through sockets, with a timeout that a single jump would spend."""

    async def scenario() -> float:
        api = FaultServer(then=lambda received: Reply(body=received.body))
        timeout = aiohttp.ClientTimeout(total=0.5)
        async with api, aiohttp.ClientSession(timeout=timeout) as session:
            for _ in range(5):
                async with session.post(api.url, data=b"x" * 1_000_000) as response:
                    assert len(await response.read()) == 1_000_000
        return now()

    assert run_in_virtual_time(scenario(), grace=grace) == 0


def test_without_sockets_nothing_is_waited_for() -> None:
    run_in_virtual_time(asyncio.sleep(3_600), grace=3_600)


def answer_after(seconds: float) -> tuple[int, threading.Thread]:
    """A server in a thread that takes its time over one request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65_536)
            time.sleep(seconds)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    return listener.getsockname()[1], thread


def test_a_server_elsewhere_is_given_as_long_as_is_asked_for() -> None:
    async def scenario(port: int) -> tuple[int, float]:
        timeout = aiohttp.ClientTimeout(total=1)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://127.0.0.1:{port}") as response,
        ):
            return response.status, now()

    port, thread = answer_after(0.02)
    try:
        assert run_in_virtual_time(scenario(port), grace=5) == (204, 0)
    finally:
        thread.join()


def test_work_in_threads_is_waited_for() -> None:
    async def scenario() -> float:
        async with asyncio.timeout(60):
            await asyncio.to_thread(time.sleep, 0.01)
        came = now()
        await asyncio.sleep(3_600)  # and no longer than until it is done
        return came

    assert run_in_virtual_time(scenario()) == 0


def test_but_not_beyond_the_time_that_there_is() -> None:
    async def scenario() -> float:
        release = threading.Event()
        try:
            await asyncio.wait_for(asyncio.to_thread(release.wait), 0.01)
        except TimeoutError:
            return now()
        finally:
            release.set()
        raise AssertionError("nobody had let it go")

    assert run_in_virtual_time(scenario()) == 0.01


def test_uploads_from_files_are_waited_for() -> None:
    async def scenario() -> tuple[int, float]:
        timeout = aiohttp.ClientTimeout(total=0.5)
        with tempfile.TemporaryFile() as file:
            file.write(b"x" * 500_000)
            file.seek(0)
            async with FaultServer() as api, aiohttp.ClientSession(timeout=timeout) as session:
                await session.post(api.url, data=file)
                return len(api.requests[0].body), now()

    assert run_in_virtual_time(scenario()) == (500_000, 0)


def test_closing_the_loop_waits_for_its_threads() -> None:
    """It warns where the threads have not ended in time, which would be over at once."""

    async def scenario() -> None:
        await asyncio.to_thread(int)
        # Takes its time, and nobody waits for it.
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.01)

    run_in_virtual_time(scenario())


def test_it_is_a_loop_factory_and_begins_where_it_is_told() -> None:
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start=1e6)) as runner:

        async def scenario() -> float:
            await asyncio.sleep(0.5)
            return now()

        assert runner.run(scenario()) == 1_000_000.5


def test_other_loops_are_left_alone() -> None:
    async def scenario() -> None:
        assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

    async def ordinary() -> None:
        assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

    run_in_virtual_time(scenario())
    asyncio.run(ordinary())


@pytest.mark.parametrize("grace", [-1.0, float("nan")])
def test_a_grace_that_makes_no_sense_is_refused(grace: float) -> None:
    with pytest.raises(ConfigError, match="grace"):
        VirtualTimeLoop(grace=grace)
