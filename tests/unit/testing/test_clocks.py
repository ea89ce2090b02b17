"""The clocks for tests: time that moves only when it is moved, and randomness without chance."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import anyio.to_thread
import pytest

from resilient import AttemptTimeout, AttemptTimeoutError, Pipeline
from resilient.clock import Clock
from resilient.errors import ConfigError
from resilient.support.timers import Limit, limit_at
from resilient.testing import FaultServer, Hang, Reply, ScriptedHandler
from resilient.testing.time.clocks import FakeClock, LoopClock
from resilient.testing.time.virtual import run_in_virtual_time
from tests.guards import Gate

URL = "https://api.example/meetings"


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


async def test_those_who_sleep_at_the_same_time_sleep_side_by_side() -> None:
    clock = FakeClock()
    woken: list[tuple[int, float]] = []

    async def sleeper(seconds: int) -> None:
        await turns(seconds)  # each begins a little later
        await clock.sleep(seconds)
        woken.append((seconds, clock.time()))

    await asyncio.gather(*(sleeper(seconds) for seconds in (3, 1, 2)))
    assert woken == [(1, 1), (2, 2), (3, 3)]
    assert clock.sleeps == [1, 2, 3]


async def test_others_finish_before_time_passes() -> None:
    clock = FakeClock()
    seen: list[float] = []

    async def other() -> None:
        await turns(50)
        seen.append(clock.time())

    await asyncio.gather(other(), clock.sleep(1))
    assert (seen, clock.time()) == ([0], 1)


async def test_one_that_never_comes_to_rest_does_not_stop_the_time() -> None:
    clock = FakeClock()

    async def restless() -> None:
        await turns(1_000_000)

    other = asyncio.create_task(restless())
    await clock.sleep(1)
    other.cancel()
    assert clock.time() == 1


async def test_delayed_answers_come_side_by_side() -> None:
    clock = FakeClock()
    handler = ScriptedHandler(clock)
    for _ in range(10):
        handler.expect().reply(delay=5)
    limit = AttemptTimeout(7, clock=clock)
    await asyncio.gather(*(handler.run(limit, "GET", URL) for _ in range(10)))
    assert clock.time() == 5


async def test_a_sleep_without_end_moves_from_timer_to_timer() -> None:
    clock = FakeClock()
    seen: list[float] = []
    clock.call_at(3, lambda: seen.append(clock.time()))
    clock.call_at(1, lambda: clock.call_at(2, lambda: seen.append(clock.time())))
    sleeping = asyncio.create_task(clock.sleep(math.inf))
    await asyncio.sleep(0.01)
    assert (seen, clock.time()) == ([2, 3], 3)
    clock.call_at(9, lambda: sleeping.cancel())
    await asyncio.wait([sleeping])
    assert (clock.time(), clock.sleepers) == (9, 0)


async def test_timers_that_were_cancelled_do_not_pile_up() -> None:
    clock = FakeClock()
    kept = clock.call_at(1e9, print)
    for number in range(10_000):
        clock.call_at(1e6 + number, print).cancel()
    assert clock.timers == 1
    assert len(clock._timers) < 100
    kept.cancel()
    assert clock.timers == 0


class TestWhenAllWait:
    """Nobody sleeps: the clock moves once the loop has nothing else to do."""

    async def test_a_call_that_hangs_ends_with_its_limit(self) -> None:
        clock = FakeClock()
        handler = ScriptedHandler(clock)
        handler.expect().hang()
        limit = AttemptTimeout(7, clock=clock)
        with pytest.raises(AttemptTimeoutError):
            await asyncio.wait_for(handler.run(limit, "GET", URL), 10)
        assert clock.time() == 7

    async def test_the_whole_pipeline_goes_on(self) -> None:
        clock = FakeClock(draw=0.0)
        handler = ScriptedHandler(clock)
        handler.expect().hang()
        handler.expect().reply(503, headers={"Retry-After": "9"})
        handler.expect().reply(200, delay=5)
        response = await asyncio.wait_for(handler.run(Pipeline(clock=clock), "GET", URL), 10)
        assert response.status == 200
        assert clock.time() == 30 + 9 + 5

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is on its way")
    async def test_a_server_in_the_same_loop_may_hang(self) -> None:
        clock = FakeClock()
        limit = AttemptTimeout(7, clock=clock)
        async with (
            FaultServer(Hang()) as api,
            aiohttp.ClientSession(middlewares=[limit]) as session,
        ):
            with pytest.raises(AttemptTimeoutError):
                await asyncio.wait_for(session.get(api.url), 10)
        assert clock.time() == 7

    @pytest.mark.parametrize("size", [10, 3_000_000])
    async def test_no_answer_under_way_is_overtaken(self, size: int) -> None:
        clock = FakeClock()
        limit = AttemptTimeout(7, clock=clock)
        async with (
            FaultServer(then=lambda received: Reply(body=received.body, delay=0.002)) as api,
            aiohttp.ClientSession(middlewares=[limit]) as session,
        ):
            for _ in range(10):
                async with session.post(api.url, data=io.BytesIO(b"x" * size)) as response:
                    assert len(await response.read()) == size
        assert clock.time() == 0

    async def test_an_answer_under_way_comes_before_the_patience_of_those_who_wait_for_it(
        self,
    ) -> None:
        clock = FakeClock()
        gate = Gate(patience=2.0, clock=clock)
        async with (
            FaultServer() as api,
            aiohttp.ClientSession() as session,
            aiohttp.ClientSession(middlewares=[gate]) as held,
        ):
            gate.shut()
            waiting = [asyncio.create_task(held.get(api.url)) for _ in range(3)]
            await session.get(api.url)
            gate.open()
            answers = await asyncio.wait_for(asyncio.gather(*waiting), 10)
            assert [answer.status for answer in answers] == [200, 200, 200]
        assert clock.time() == 0

    @pytest.mark.parametrize(
        "wait",
        [
            lambda: asyncio.sleep(0.1),
            lambda: asyncio.to_thread(time.sleep, 0.1),
            lambda: anyio.to_thread.run_sync(time.sleep, 0.1),
        ],
        ids=["sleep", "asyncio's thread", "anyio's thread"],
    )
    async def test_what_is_short_and_real_is_waited_for(self, wait: Any) -> None:
        clock = FakeClock()
        clock.call_at(30, print)
        await wait()
        assert clock.time() == 0

    async def test_nothing_moves_it_that_was_not_asked_to(self) -> None:
        clock = FakeClock(auto_advance=False)
        clock.call_at(7, print)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.02)
        assert clock.time() == 0

    async def test_it_leaves_no_timer_in_the_loop(self) -> None:
        clock = FakeClock()
        loop: Any = asyncio.get_running_loop()
        before = [timer for timer in loop._scheduled if not timer.cancelled()]
        timers = [clock.call_at(7, print), clock.call_at(8, print)]
        await asyncio.sleep(0.005)
        for timer in timers:
            timer.cancel()
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == before

    def test_in_one_loop_after_another(self) -> None:
        clock = FakeClock()

        async def scenario() -> None:
            fired = asyncio.Event()
            clock.call_at(clock.time() + 7, fired.set)
            await asyncio.wait_for(fired.wait(), 10)
            clock.call_at(clock.time() + 7, print)  # is left behind

        for _ in range(3):
            asyncio.run(scenario())
        assert clock.time() == 21


class TestSpeed:
    def test_time_passes_with_the_loops(self) -> None:
        clock = FakeClock(start=100.0, speed=10)
        seen: list[float] = []

        async def scenario() -> None:
            assert clock.time() == 100
            clock.call_at(150, lambda: seen.append(clock.time()))
            clock.call_at(130, lambda: seen.append(clock.time()))
            clock.call_at(140, lambda: seen.append(clock.time())).cancel()
            await asyncio.sleep(4)
            assert clock.time() == 140
            assert clock.now() == clock.today + timedelta(seconds=40)
            clock.speed = 5
            await asyncio.sleep(4)
            clock.speed = 0
            await asyncio.sleep(4)

        run_in_virtual_time(scenario())
        assert clock.time() == 160
        assert seen == pytest.approx([130, 150])

    def test_a_sleep_returns_at_once_all_the_same(self) -> None:
        clock = FakeClock(speed=1)
        seen: list[float] = []

        async def scenario() -> float:
            clock.call_at(20, lambda: seen.append(clock.time()))
            await clock.sleep(30)
            await asyncio.sleep(1)
            assert clock.time() == 31
            return asyncio.get_running_loop().time()

        assert run_in_virtual_time(scenario()) == 1
        assert (seen, clock.sleeps) == ([20], [30])

    def test_it_can_be_moved_by_hand_as_well(self) -> None:
        clock = FakeClock(speed=1, auto_advance=False)

        async def scenario() -> None:
            sleeping = asyncio.create_task(clock.sleep(30))
            await asyncio.sleep(10)
            clock.advance(15)
            await asyncio.wait_for(sleeping, 5.5)

        run_in_virtual_time(scenario())
        assert clock.time() == 30

    @pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
    def test_one_that_makes_no_sense_is_refused(self, speed: float) -> None:
        with pytest.raises(ConfigError, match=r"FakeClock\.speed"):
            FakeClock(speed=speed)
        clock = FakeClock()
        with pytest.raises(ConfigError, match=r"FakeClock\.speed"):
            clock.speed = speed


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
