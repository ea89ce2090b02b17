"""Scenarios in virtual time: exact, quick, and never ahead of what is under way.

The tests are plain functions, as each brings a loop of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from typing import Any

import aiohttp
import anyio.from_thread
import anyio.to_thread
import pytest
from aiohttp import connector as _connector

from resilient import AttemptTimeout, AttemptTimeoutError, Pipeline, attempts_of
from resilient.errors import ConfigError
from resilient.testing import FaultServer, Hang, Reply
from resilient.testing.time.clocks import LoopClock
from resilient.testing.time.virtual import DeadlockError, VirtualTimeLoop, run_in_virtual_time
from tests.unit.testing.support import Certificates

connector: Any = _connector  # its `monotonic` is not public


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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is on its way")
@pytest.mark.parametrize("part", ["listening", "connected", "in a request", "over TLS"])
def test_sockets_whose_both_ends_are_here_cost_no_real_time(part: str) -> None:
    """With so long a grace, it would take an hour."""

    async def scenario() -> float:
        certificates = Certificates() if part == "over TLS" else None
        context = None if certificates is None else certificates.server
        options: Any = {} if certificates is None else {"ssl": certificates.client}
        async with (
            FaultServer(then=Reply(delay=1_000), ssl=context) as api,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as session,
        ):
            if part != "listening":
                async with session.get(api.url, **options):
                    pass
            if part == "in a request":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(session.post(api.url, data=b"x" * 300_000), 10)
            began = now()
            for _ in range(100):
                await asyncio.sleep(36)
            return now() - began

    started = time.monotonic()
    assert run_in_virtual_time(scenario(), grace=3_600, patience=3_600) == 3_600
    assert time.monotonic() - started < 600


def test_pools_of_connections_grow_older() -> None:
    async def scenario() -> list[int]:
        async with FaultServer() as api, aiohttp.ClientSession() as session:
            for seconds in (10, 10, 20, 0):  # a connection is kept for 15 s
                async with session.get(api.url):
                    pass
                await asyncio.sleep(seconds)
            return [request.connection for request in api.requests]

    assert run_in_virtual_time(scenario()) == [1, 1, 1, 2]


def test_names_that_were_looked_up_grow_older() -> None:
    async def scenario() -> list[bool]:
        cache = aiohttp.TCPConnector(ttl_dns_cache=10)
        cache._cached_hosts.add(("api.example", 443), [])
        async with cache:
            before = cache._cached_hosts.expired(("api.example", 443))
            await asyncio.sleep(11)
            return [before, cache._cached_hosts.expired(("api.example", 443))]

    assert run_in_virtual_time(scenario()) == [False, True]


def test_pools_elsewhere_keep_their_own_time() -> None:
    async def pool_time() -> float:
        return connector.monotonic()  # type: ignore[no-any-return]  # not public

    async def scenario() -> tuple[float, float, bool]:
        await asyncio.sleep(1e9)
        virtual = await asyncio.to_thread(run_in_virtual_time, pool_time())
        ordinary = await asyncio.to_thread(asyncio.run, pool_time())
        return await pool_time(), virtual, ordinary <= time.monotonic()

    untouched = connector.monotonic
    assert run_in_virtual_time(scenario()) == (1e9, 0, True)
    assert connector.monotonic is untouched is time.monotonic


class TestDeadlock:
    def test_tasks_that_wait_for_each_other_are_named(self) -> None:
        async def takes_both(first: asyncio.Lock, second: asyncio.Lock) -> None:
            async with first:
                await asyncio.sleep(1)
                async with second:
                    pass

        async def scenario() -> None:
            locks = asyncio.Lock(), asyncio.Lock()
            tasks = [
                asyncio.create_task(takes_both(*locks), name="left"),
                asyncio.create_task(takes_both(*reversed(locks)), name="right"),
            ]
            await asyncio.gather(*tasks)

        with pytest.raises(DeadlockError) as raised:
            run_in_virtual_time(scenario())
        message = str(raised.value)
        for name in ("left", "right"):
            assert f"  {name}: " in message
        assert message.count("takes_both") == 2
        assert f"{__file__}:" in message
        assert "Lock.acquire" in message

    def test_a_server_in_the_loop_that_hangs_is_one(self) -> None:
        async def scenario() -> None:
            timeout = aiohttp.ClientTimeout()
            async with (
                FaultServer(Hang()) as api,
                aiohttp.ClientSession(timeout=timeout) as session,
            ):
                await session.get(api.url)

        with pytest.raises(DeadlockError, match=r"ClientSession\._request"):
            run_in_virtual_time(scenario())

    @pytest.mark.skipif(sys.platform != "linux", reason="others list no child processes")
    def test_the_process_that_multiprocessing_leaves_behind_connects_to_nobody(self) -> None:
        program = """
            import aiohttp
            from multiprocessing import resource_tracker
            from resilient.testing import DeadlockError, FaultServer, Hang, run_in_virtual_time

            async def scenario():
                timeout = aiohttp.ClientTimeout()
                async with FaultServer(Hang()) as api:
                    async with aiohttp.ClientSession(timeout=timeout) as session:
                        await session.get(api.url)

            resource_tracker.ensure_running()
            try:
                run_in_virtual_time(scenario())
            except DeadlockError:
                print("a deadlock")
        """
        command = [sys.executable, "-c", textwrap.dedent(program)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert done.stdout == "a deadlock\n", done.stderr

    def test_what_the_tasks_hold_is_given_back(self) -> None:
        given_back: list[str] = []

        async def scenario() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(5)
                given_back.append("in the end")

        with pytest.raises(DeadlockError):
            run_in_virtual_time(scenario())
        assert given_back == ["in the end"]

    def test_threads_that_rest_do_not_hide_it(self) -> None:
        async def scenario() -> None:
            await asyncio.to_thread(int)
            await anyio.to_thread.run_sync(int)
            await asyncio.Event().wait()

        with pytest.raises(DeadlockError):
            run_in_virtual_time(scenario())

    def test_a_thread_that_waits_for_the_loop_does_not_hide_it(self) -> None:
        async def scenario() -> None:
            await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(asyncio.Event().wait))

        with pytest.raises(DeadlockError):
            run_in_virtual_time(scenario())

    def test_an_end_outside_may_still_say_something(self) -> None:
        async def scenario(port: int) -> int:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as session,
                session.get(f"http://127.0.0.1:{port}") as response,
            ):
                return response.status

        port, thread = answer_after(0.02)
        try:
            assert run_in_virtual_time(scenario(port), grace=0, patience=0) == 204
        finally:
            thread.join()

    def test_a_signal_may_come(self) -> None:
        async def scenario() -> None:
            event, loop = asyncio.Event(), asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGUSR1, event.set)
            sender = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
            sender.start()
            await event.wait()
            sender.join()

        run_in_virtual_time(scenario(), patience=0)


def test_a_process_that_is_waited_for_is_given_time() -> None:
    async def scenario() -> tuple[int, float]:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        return await asyncio.wait_for(process.wait(), 0.001), now()

    assert run_in_virtual_time(scenario(), patience=60) == (0, 0)


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


@pytest.mark.parametrize("name", ["grace", "patience"])
@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_a_wait_that_makes_no_sense_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(ConfigError, match=name):
        VirtualTimeLoop(**{name: seconds})
