"""Waits that a wake-up, a time, or the closing of the session ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from resilient import SessionClosedError
from resilient.core.guard import Queue, Wait
from resilient.core.waiting import Turn, sleep
from resilient.testing import FakeClock, LoopClock
from tests.guards import Pace, Runner, Scripted, turns, virtual

CLOCK = LoopClock()


# A turn.


@virtual
async def test_a_wait_ends_when_it_is_woken() -> None:
    async with aiohttp.ClientSession() as session:
        turn = Turn(CLOCK)
        woken = turn.begin(10.0, session)
        asyncio.get_running_loop().call_later(2.0, turn.wake)
        await woken
        # Once is enough.
        turn.wake()
        assert turn.end() == 2.0


@virtual
async def test_a_wait_ends_at_its_time() -> None:
    async with aiohttp.ClientSession() as session:
        turn = Turn(CLOCK)
        await turn.begin(10.0, session)
        assert turn.end() == 10.0


@virtual
async def test_a_wait_ends_when_the_session_is_closed() -> None:
    session = aiohttp.ClientSession()
    turn = Turn(CLOCK)
    woken = turn.begin(math.inf, session)
    await session.close()
    async with asyncio.timeout(1):
        await woken
    turn.end()
    with pytest.raises(SessionClosedError):
        turn.begin(math.inf, session)


@virtual
async def test_a_wait_that_is_over_leaves_nothing_behind() -> None:
    clock = FakeClock(auto_advance=False)
    async with aiohttp.ClientSession() as session:
        turn = Turn(clock)
        turn.begin(10.0, session)
        assert clock.timers == 1
        turn.end()
        assert clock.timers == 0
        connector: Any = session.connector
        assert connector._resilient_closing not in connector._cleanup_closed_transports
        # The same one may wait again.
        woken = turn.begin(20.0, session)
        clock.advance(20.0)
        await woken
        assert turn.end() == 20.0


class EarlyClock(LoopClock):
    """A clock whose timers are early by their grain, as uvloop's are."""

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return super().wake_after(seconds - 0.0005, callback)


@virtual
async def test_nobody_is_asked_before_the_time_that_was_named() -> None:
    guard = Scripted(Wait(Queue(), 10.0), clock=EarlyClock())
    async with Runner(guard) as runner:
        await runner.attempt("one")
    assert guard.asked == [0.0, 10.0]


async def test_a_wait_on_a_clock_that_somebody_moves() -> None:
    clock = FakeClock(auto_advance=False)
    async with Runner(Pace(5.0, clock)) as runner:
        tasks = runner.start(*range(3))
        for count in (1, 2, 3):
            await turns()
            assert len(runner.left) == count
            clock.advance(5.0)
        await asyncio.gather(*tasks)


def test_to_wake_somebody_whose_loop_is_closed_does_nothing() -> None:
    turn = Turn(FakeClock())

    async def begin() -> tuple[aiohttp.ClientSession, asyncio.Future[None]]:
        session = aiohttp.ClientSession()
        return session, turn.begin(math.inf, session)

    loop = asyncio.new_event_loop()
    session, woken = loop.run_until_complete(begin())
    loop.close()
    turn.wake()
    assert not woken.done()
    turn.end()
    asyncio.run(session.close())


def test_to_wake_somebody_who_does_not_wait_does_nothing() -> None:
    Turn(CLOCK).wake()


# A sleep.


@virtual
async def test_a_sleep_takes_its_time() -> None:
    async with aiohttp.ClientSession() as session:
        await sleep(3.0, session, CLOCK)
    assert asyncio.get_running_loop().time() == 3.0


async def test_a_sleep_is_as_long_as_was_asked_for_to_the_last_bit() -> None:
    clock = FakeClock(start=1e6)
    async with aiohttp.ClientSession() as session:
        await sleep(0.1, session, clock)
    assert clock.sleeps == [0.1]


@pytest.mark.parametrize("before", [True, False])
async def test_a_sleep_under_a_session_that_is_closed_ends_at_once(before: bool) -> None:
    session = aiohttp.ClientSession()
    if before:
        await session.close()
    task = asyncio.create_task(sleep(3600.0, session, CLOCK))
    await turns()
    await session.close()
    with pytest.raises(SessionClosedError):
        await task
    assert task.cancelling() == 0


async def test_a_sleep_that_is_cancelled_is_cancelled() -> None:
    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(sleep(3600.0, session, CLOCK))
        await turns()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_a_cancellation_outranks_the_closing_of_the_session() -> None:
    session = aiohttp.ClientSession()

    async def sleeping() -> None:
        await sleep(3600.0, session, CLOCK)

    task = asyncio.create_task(sleeping())
    await turns()
    task.cancel()
    await session.close()
    await asyncio.wait([task])
    assert task.cancelled()
