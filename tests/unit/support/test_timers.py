"""Limits on how long a task may take."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from resilient.clock import TimerHandle
from resilient.support.timers import TimerQueue, limit_at


class Hand:
    """A clock that is moved by hand; callbacks run when it passes them."""

    def __init__(self) -> None:
        self.at = 0.0
        self.timers: list[tuple[float, object]] = []
        self.armed = 0

    def time(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.now(UTC)

    def random(self) -> float:
        return 0.0

    def wake_after(self, seconds: float, callback: object) -> TimerHandle:
        raise AssertionError("nothing here sleeps")

    def call_at(self, when: float, callback: object) -> TimerHandle:
        self.armed += 1
        timer = (when, callback)
        self.timers.append(timer)
        hand = self

        class Handle:
            def cancel(self) -> None:
                if timer in hand.timers:
                    hand.timers.remove(timer)

        return Handle()

    async def move(self, seconds: float) -> None:
        self.at += seconds
        for timer in sorted(self.timers, key=lambda each: each[0]):
            if timer[0] <= self.at and timer in self.timers:
                self.timers.remove(timer)
                timer[1]()  # type: ignore[operator]  # a callback
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def clock() -> Hand:
    return Hand()


async def limited(timers: TimerQueue, clock: Hand, work: asyncio.Event) -> str:
    limit = timers.set(clock.time())
    try:
        await work.wait()
    except asyncio.CancelledError:
        if timers.lift(limit):
            return "ran out"
        raise
    finally:
        timers.lift(limit)
    return "done"


async def test_one_armed_timer_serves_all_limits(clock: Hand) -> None:
    timers, work = TimerQueue(clock, 10), asyncio.Event()
    tasks = []
    for _ in range(3):
        tasks.append(asyncio.create_task(limited(timers, clock, work)))
        await clock.move(1)
    assert len(clock.timers) == 1
    await clock.move(8)
    assert [task.done() for task in tasks] == [True, False, False]
    assert tasks[0].result() == "ran out"
    work.set()
    assert await asyncio.gather(*tasks[1:]) == ["done", "done"]
    await clock.move(100)
    assert clock.timers == []


async def test_a_limit_that_is_met_never_cancels(clock: Hand) -> None:
    timers, work = TimerQueue(clock, 10), asyncio.Event()
    work.set()
    assert await limited(timers, clock, work) == "done"
    await clock.move(100)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_somebody_elses_cancellation_is_not_swallowed(clock: Hand) -> None:
    timers, work = TimerQueue(clock, 10), asyncio.Event()
    task = asyncio.create_task(limited(timers, clock, work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await clock.move(100)


async def test_a_cancellation_at_the_same_moment_wins_over_the_limit(clock: Hand) -> None:
    timers, work = TimerQueue(clock, 10), asyncio.Event()
    task = asyncio.create_task(limited(timers, clock, work))
    await asyncio.sleep(0)
    task.cancel()
    await clock.move(10)
    assert task.cancelled()


async def test_a_limit_works_while_an_older_cancellation_is_being_cleaned_up(clock: Hand) -> None:
    timers, work = TimerQueue(clock, 10), asyncio.Event()

    async def cleans_up() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await limited(timers, clock, work)
        raise AssertionError("it was cancelled")

    task = asyncio.create_task(cleans_up())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    await clock.move(10)
    assert await task == "ran out"


async def test_a_task_may_set_the_same_limit_within_itself(clock: Hand) -> None:
    timers, work = TimerQueue(clock, 10), asyncio.Event()

    async def outer() -> str:
        limit = timers.set(clock.time())
        try:
            await clock.move(4)
            inner = await limited(timers, clock, work)
        finally:
            late = timers.lift(limit)
        return f"{inner}, {late}"

    task = asyncio.create_task(outer())
    for _ in range(10):
        await asyncio.sleep(0)
    # The outer limit is due at 10, the inner one at 14.
    await clock.move(6)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_limit_at_leaves_the_block_and_nothing_else(clock: Hand) -> None:
    steps: list[str] = []

    async def run() -> None:
        with limit_at(clock, 5):
            steps.append("in")
            await asyncio.Event().wait()
            steps.append("never")
        steps.append("out")

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    await clock.move(5)
    await task
    assert steps == ["in", "out"]
    assert task.cancelling() == 0


async def test_limit_at_lets_exceptions_out(clock: Hand) -> None:
    with pytest.raises(ValueError, match="mine"), limit_at(clock, 5):
        raise ValueError("mine")
    assert clock.timers == []
