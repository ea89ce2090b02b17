"""Calls that arrive and are made when they are due."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Iterable

import pytest

from benchmarks.load.generator import Arrival, arrivals, generate
from benchmarks.load.tally import DROPPED, LATE, UNFINISHED, Tally
from resilient.testing import run_in_virtual_time


def drawn(worker: int = 0, workers: int = 1, seed: int = 1, posts: float = 0.0) -> list[Arrival]:
    return list(
        arrivals(seed=seed, worker=worker, workers=workers, rate=1000.0, seconds=10.0, posts=posts)
    )


def test_the_same_seed_gives_the_same_calls() -> None:
    assert drawn(posts=0.5) == drawn(posts=0.5)


def test_another_seed_and_another_worker_give_others() -> None:
    assert len({tuple(drawn()), tuple(drawn(seed=2)), tuple(drawn(worker=1))}) == 3


def test_they_are_in_order_and_within_the_time() -> None:
    offsets = [each.offset for each in drawn()]
    assert offsets == sorted(offsets)
    assert offsets[0] >= 0
    assert offsets[-1] < 10.0


@pytest.mark.parametrize("workers", [1, 4])
def test_all_workers_together_have_the_rate(workers: int) -> None:
    count = sum(len(drawn(worker, workers)) for worker in range(workers))
    assert count == pytest.approx(10_000, abs=4 * math.sqrt(10_000))


def test_gaps_are_those_of_a_poisson_process() -> None:
    offsets = [each.offset for each in drawn()]
    gaps = [after - before for before, after in itertools.pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    # Of an exponential distribution both are the same; of a steady beat the spread is none.
    assert spread == pytest.approx(mean, rel=0.1)


def test_so_many_are_posts() -> None:
    methods = [each.method for each in drawn(posts=0.2)]
    assert methods.count("POST") / len(methods) == pytest.approx(0.2, abs=0.02)
    assert {each.method for each in drawn()} == {"GET"}


def beat(count: int, gap: float = 0.1) -> list[Arrival]:
    return [Arrival(number * gap, "GET") for number in range(count)]


def run(
    arrivals: Iterable[Arrival],
    call: Callable[[str], Awaitable[str | None]],
    most: int = 100,
    grace: float = 60.0,
) -> Tally:
    async def main() -> Tally:
        start = asyncio.get_running_loop().time() + 1
        return await generate(arrivals, call, start=start, most=most, grace=grace)

    return run_in_virtual_time(main())


def test_calls_do_not_wait_for_those_before_them() -> None:
    made: list[float] = []

    async def slow(method: str) -> None:
        made.append(asyncio.get_running_loop().time())
        await asyncio.sleep(50)

    tally = run(beat(10), slow)
    assert made == pytest.approx([1 + number * 0.1 for number in range(10)])
    assert tally.calls == len(tally.succeeded) == tally.peak == 10
    assert tally.succeeded.quantile(1) == pytest.approx(50, rel=1e-3)


def test_latency_counts_from_when_a_call_was_due() -> None:
    async def at_once(method: str) -> None:
        return None

    def held_up() -> Iterable[Arrival]:
        # The first call is due in a second, and the machine is busy for longer.
        asyncio.get_running_loop()._now += 1.3  # type: ignore[attr-defined]  # virtual time
        yield Arrival(0.0, "GET")

    tally = run(held_up(), at_once)
    assert tally.lateness.quantile(1) == pytest.approx(0.3, rel=1e-2)
    assert tally.succeeded.quantile(1) == pytest.approx(0.3, rel=1e-2)


def test_calls_that_a_slow_machine_is_late_for_are_not_made() -> None:
    made: list[str] = []

    async def call(method: str) -> None:
        made.append(method)

    def held_up() -> Iterable[Arrival]:
        yield Arrival(0.0, "GET")
        asyncio.get_running_loop()._now += 9  # type: ignore[attr-defined]  # virtual time
        yield Arrival(0.1, "PUT")
        yield Arrival(9.0, "POST")

    tally = run(held_up(), call)
    assert made == ["GET", "POST"]
    assert tally.failures == {LATE: 1}
    assert len(tally.failed) == 0


def test_what_is_due_when_too_many_are_in_progress_is_counted_and_not_made() -> None:
    async def slow(method: str) -> None:
        await asyncio.sleep(0.25)

    tally = run(beat(4), slow, most=2)
    assert tally.failures == {DROPPED: 1}
    assert len(tally.failed) == 0  # whose latency would be nothing, and look quick
    assert (tally.calls, len(tally.succeeded), tally.peak) == (4, 3, 2)


def test_failures_are_counted_by_kind() -> None:
    kinds = iter(["503", None, "503", "ClientOSError"])

    async def call(method: str) -> str | None:
        return next(kinds)

    tally = run(beat(4), call)
    assert tally.failures == {"503": 2, "ClientOSError": 1}
    assert (len(tally.succeeded), len(tally.failed)) == (1, 3)


def test_what_never_ends_is_ended_and_counted() -> None:
    ended: list[str] = []

    async def hang(method: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(method)

    tally = run(beat(3), hang, grace=5.0)
    assert ended == ["GET"] * 3
    assert tally.failures == {UNFINISHED: 3}


async def test_a_generator_that_is_cancelled_leaves_no_calls() -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def hang(method: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(method)

    start = asyncio.get_running_loop().time()
    arrivals = [Arrival(0.0, "GET"), Arrival(1000.0, "GET")]
    task = asyncio.create_task(generate(arrivals, hang, start=start, most=9, grace=1.0))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["GET"]


def test_goodput_is_counted_when_a_call_ends_and_arrivals_when_it_was_due() -> None:
    async def slow(method: str) -> None:
        await asyncio.sleep(2)

    tally = run(beat(2, gap=0.6), slow)
    assert tally.offered == {0: 1, 1: 1}
    assert tally.good == {4: 1, 5: 1}
