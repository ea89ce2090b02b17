"""A server that is slower the more it has to do."""

import asyncio
import pickle
from collections import Counter
from typing import Any

import aiohttp
import pytest
from hypothesis import given, strategies as st

from resilient.testing import FaultServer, Hang, Reply, Reset, run_in_virtual_time
from resilient.testing.script.brownout import BrownOut
from resilient.testing.script.script import Delayed
from tests.unit.testing.support import post, request_at


def latencies(brown_out: BrownOut, *times: float) -> list[float | None]:
    """Of requests at these times; None for one that is turned away."""
    answers: list[Any] = [brown_out(request_at(time)) for time in times]
    return [each.seconds if isinstance(each, Delayed) else None for each in answers]


def test_an_idle_server_takes_its_base() -> None:
    assert latencies(BrownOut(2.0), 0, 2, 10, 12) == [2, 2, 2, 2]


def test_latency_grows_with_what_is_in_progress() -> None:
    assert latencies(BrownOut(2.0), 0, 0, 0, 1) == [2, 4, 6, 7]
    assert latencies(BrownOut(2.0, workers=2), 0, 0, 0, 0, 0, 1) == [2, 2, 4, 4, 6, 5]


def test_the_line_is_worked_off_when_nobody_comes() -> None:
    assert latencies(BrownOut(2.0), 0, 0, 0, 5, 6, 100) == [2, 4, 6, 3, 4, 2]


def test_beyond_its_capacity_requests_are_turned_away_and_take_no_time() -> None:
    brown_out = BrownOut(2.0, workers=2, capacity=3)
    assert latencies(brown_out, 0, 0, 0, 0, 1.9, 2, 2, 2) == [2, 2, 4, None, None, 2, 4, None]


def test_what_is_worked_on_and_what_is_turned_away_are_for_the_script_to_say() -> None:
    brown_out = BrownOut(1.0, capacity=1, then=Reset(), full=Reply(429))
    assert brown_out(request_at(0)) == Delayed(1.0, Reset())
    assert brown_out(request_at(0)) == Reply(429)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60).map(sorted),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 10)),
)
def test_it_is_a_line_before_so_many_workers(
    times: list[int], workers: int, capacity: int | None
) -> None:
    """Against a plain model: workers that each say when they are free."""
    free = [0.0] * workers
    done: list[float] = []
    expected: list[float | None] = []
    for time in times:
        if capacity is not None and sum(each > time for each in done) >= capacity:
            expected.append(None)
            continue
        first = free.index(min(free))
        free[first] = max(float(time), free[first]) + 3.0
        done.append(free[first])
        expected.append(free[first] - time)
    assert latencies(BrownOut(3.0, workers=workers, capacity=capacity), *times) == expected


def test_a_line_goes_on_where_its_pickle_was_made() -> None:
    brown_out = BrownOut(2.0)
    latencies(brown_out, 0, 0)
    assert latencies(pickle.loads(pickle.dumps(brown_out)), 1) == [5]


def test_no_more_comes_out_than_the_workers_can_do() -> None:
    async def main() -> Counter[float]:
        loop = asyncio.get_running_loop()
        done: Counter[float] = Counter()

        async def call() -> None:
            assert await post(session, server) == 200
            done[loop.time()] += 1

        then = BrownOut(1.0, workers=4)
        async with aiohttp.ClientSession() as session, FaultServer(then=then) as server:
            await asyncio.gather(*(call() for _ in range(10)))
        return done

    assert run_in_virtual_time(main()) == {1.0: 4, 2.0: 4, 3.0: 2}


def test_a_client_that_gives_up_is_not_noticed() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session, FaultServer(then=BrownOut(10.0)) as server:
            with pytest.raises(TimeoutError):
                await post(session, server, timeout=aiohttp.ClientTimeout(total=1))
            assert await post(session, server) == 200
            assert server.connections == 1
            return loop.time()

    assert run_in_virtual_time(main()) == 20


async def test_it_closes_while_there_is_a_line(session: aiohttp.ClientSession) -> None:
    async with FaultServer(then=BrownOut(600, then=Hang())) as server:
        calls = [asyncio.create_task(post(session, server)) for _ in range(3)]
        await server.wait_for(hits=3)
    for call in calls:
        with pytest.raises(aiohttp.ClientError):
            await call
