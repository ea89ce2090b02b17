"""The clocks for tests: time that moves only when it is moved, and randomness without chance."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resilient.clock import Clock
from resilient.errors import ConfigError
from resilient.support.timers import Limit, limit_at
from resilient.testing.time.clocks import FakeClock, LoopClock
from resilient.testing.time.virtual import run_in_virtual_time


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_stands_still() -> None:
    clock = FakeClock()
    await turns()
    assert clock.time() == 0.0


async def test_a_sleep_returns_at_once_and_that_much_later() -> None:
    clock = FakeClock(start=100.0)
    await clock.sleep(30)
    await clock.sleep(0.25)
    assert clock.time() == 130.25
    assert clock.sleeps == [30, 0.25]


async def test_a_sleep_lets_others_run() -> None:
    ran = asyncio.Event()
    other = asyncio.create_task(asyncio.sleep(0))
    other.add_done_callback(lambda _: ran.set())
    clock = FakeClock()
    for _ in range(3):
        await clock.sleep(1)
    assert ran.is_set()


async def test_what_falls_due_during_a_sleep_happens_at_its_time_and_in_order() -> None:
    clock = FakeClock()
    seen: list[tuple[str, float]] = []
    for name, when in (("late", 8.0), ("early", 2.0), ("twin of early", 2.0), ("beyond", 10.5)):
        clock.call_at(when, lambda name=name: seen.append((name, clock.time())))  # type: ignore[misc]  # a lambda with a default
    await clock.sleep(10)
    assert seen == [("early", 2.0), ("twin of early", 2.0), ("late", 8.0)]
    assert clock.time() == 10.0
    assert clock.timers == 1


async def test_a_timer_that_cancels_the_sleeper_stops_the_clock_there() -> None:
    clock = FakeClock()
    with limit_at(clock, 5.0):
        await clock.sleep(30)
    assert clock.time() == 5.0


async def test_a_timer_set_by_a_timer_counts_in_the_same_sleep() -> None:
    clock = FakeClock()
    seen: list[float] = []
    clock.call_at(1, lambda: clock.call_at(2, lambda: seen.append(clock.time())))
    await clock.sleep(3)
    assert seen == [2.0]


async def test_advancing_does_what_falls_due() -> None:
    clock = FakeClock()
    seen: list[float] = []
    clock.call_at(2, lambda: seen.append(clock.time()))
    clock.advance(1.5)
    assert seen == []
    clock.advance(1.5)
    assert (seen, clock.time()) == ([2.0], 3.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_time_does_not_go_back(seconds: float) -> None:
    with pytest.raises(ConfigError, match="advance"):
        FakeClock().advance(seconds)


async def test_a_timer_that_is_due_already_runs_in_the_next_turn() -> None:
    clock = FakeClock(start=5.0)
    seen: list[str] = []
    clock.call_at(5.0, lambda: seen.append("run"))
    clock.call_at(4.0, lambda: seen.append("cancelled")).cancel()
    assert seen == []
    await turns(1)
    assert seen == ["run"]


async def test_a_timer_that_was_cancelled_does_not_run_and_is_not_counted() -> None:
    clock = FakeClock()
    seen: list[str] = []
    clock.call_at(1.0, lambda: seen.append("cancelled")).cancel()
    assert clock.timers == 0
    clock.advance(2)
    assert seen == []


async def test_limits_of_tasks_run_on_it() -> None:
    clock = FakeClock()
    limit = Limit(clock, 10.0)
    with pytest.raises(asyncio.CancelledError):
        await clock.sleep(11)
    assert limit.lift()


class TestByHand:
    async def test_a_sleep_waits_until_the_clock_has_been_moved_past_it(self) -> None:
        clock = FakeClock(auto_advance=False)
        sleeping = asyncio.create_task(clock.sleep(30))
        await clock.wait_for_sleepers()
        clock.advance(29.9)
        await turns()
        assert not sleeping.done()
        clock.advance(0.1)
        await sleeping
        assert (clock.time(), clock.sleeps, clock.sleepers) == (30.0, [30], 0)

    async def test_those_who_sleep_wake_in_the_order_of_their_times(self) -> None:
        clock = FakeClock(auto_advance=False)
        woken: list[int] = []

        async def sleeper(seconds: int) -> None:
            await clock.sleep(seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
        await clock.wait_for_sleepers(3)
        clock.advance(5)
        await asyncio.gather(*tasks)
        assert woken == [1, 2, 3]

    async def test_waiting_for_sleepers_waits_for_all_of_them(self) -> None:
        clock = FakeClock(auto_advance=False)
        waiting = asyncio.create_task(clock.wait_for_sleepers(2))
        first = asyncio.create_task(clock.sleep(1))
        await turns()
        assert not waiting.done()
        second = asyncio.create_task(clock.sleep(1))
        await waiting
        clock.advance(1)
        await asyncio.gather(first, second)

    async def test_a_sleeper_that_is_cancelled_leaves_nothing(self) -> None:
        clock = FakeClock(auto_advance=False)
        sleeping = asyncio.create_task(clock.sleep(30))
        await clock.wait_for_sleepers()
        sleeping.cancel()
        await asyncio.wait([sleeping])
        assert (clock.sleepers, clock.timers) == (0, 0)

    async def test_no_time_at_all_needs_nobody(self) -> None:
        clock = FakeClock(auto_advance=False)
        await clock.sleep(0)
        assert clock.sleepers == 0


@pytest.mark.parametrize("kind", [FakeClock, LoopClock])
class TestRandomness:
    def test_it_is_fixed(self, kind: type[FakeClock | LoopClock]) -> None:
        clock = kind()
        assert [clock.random(), clock.random()] == [0.5, 0.5]
        clock.draw = 0.0
        assert clock.random() == 0.0

    def test_or_a_sequence_that_is_the_same_in_each_run(
        self, kind: type[FakeClock | LoopClock]
    ) -> None:
        first, second = (kind(draw=random.Random(7).random) for _ in range(2))
        drawn = [first.random() for _ in range(5)]
        assert drawn == [second.random() for _ in range(5)]
        assert len(set(drawn)) == 5

    @pytest.mark.parametrize("draw", [1.0, -0.1, float("nan"), "0.5"])
    def test_what_cannot_be_drawn_is_refused(
        self, kind: type[FakeClock | LoopClock], draw: Any
    ) -> None:
        with pytest.raises(ConfigError, match=r"Clock\.draw"):
            kind(draw=draw)

    def test_a_time_of_day_of_no_place_is_refused(self, kind: type[FakeClock | LoopClock]) -> None:
        with pytest.raises(ConfigError, match=r"Clock\.today"):
            kind(today=datetime(2026, 1, 1))


class TestTimeOfDay:
    async def test_it_goes_on_with_the_time(self) -> None:
        today = datetime(2030, 5, 1, 8, tzinfo=UTC)
        clock = FakeClock(start=1e9, today=today)
        assert clock.now() == today
        await clock.sleep(90)
        assert clock.now() == today + timedelta(seconds=90)

    async def test_it_can_be_set(self) -> None:
        clock = FakeClock()
        clock.today = datetime(1999, 12, 31, tzinfo=UTC)
        assert clock.now().year == 1999


def test_a_clock_on_the_loop_shows_the_loops_time() -> None:
    clock = LoopClock(today=datetime(2030, 5, 1, tzinfo=UTC))
    seen: list[float] = []

    async def scenario() -> None:
        clock.call_at(7.0, lambda: seen.append(clock.time()))
        await asyncio.sleep(5)
        await clock.sleep(20)
        assert clock.time() == asyncio.get_running_loop().time() == 25.0
        assert clock.now() == datetime(2030, 5, 1, 0, 0, 25, tzinfo=UTC)

    run_in_virtual_time(scenario())
    assert (seen, clock.sleeps) == ([7.0], [20])


def test_both_are_clocks() -> None:
    clocks: list[Clock] = [FakeClock(), LoopClock()]
    assert len(clocks) == 2
