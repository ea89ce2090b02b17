"""What waiting at guards takes: memory, operations, and nothing that stays behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from resilient.core.attempt import run_attempt
from resilient.core.guard import Turn
from tests.guards import Bulkhead, Gate, GateClosedError, Pace, Request, Runner, turns, virtual

CROWD = 10_000
# Two of which one is ten times the other: what each takes in steps is to stay the same.
CROWDS = 300, 3_000
MEGABYTE = 1_000_000


class Calls:
    """Counts calls of functions, those in C included, while its block runs."""

    count = 0

    def __enter__(self) -> Calls:
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _see(self, frame: object, kind: str, argument: object) -> None:
        self.count += kind in ("call", "c_call")


@virtual
async def test_a_crowd_is_let_through_in_linear_time() -> None:
    """Each takes as many steps, however many there are."""
    steps = []
    for crowd in CROWDS:
        pace, bulkhead = Pace(0.001), Bulkhead(10)
        async with Runner(pace, bulkhead) as runner:
            tasks = runner.start(*range(crowd))
            with Calls() as calls:
                await asyncio.wait(tasks)
        steps.append(calls.count / crowd)
        assert runner.names == list(range(crowd))
        assert (len(pace.queue), len(bulkhead.queue)) == (0, 0)
    assert steps[1] < 1.1 * steps[0]


@virtual
async def test_a_crowd_is_given_up_in_linear_time() -> None:
    steps = []
    for crowd in CROWDS:
        gate = Gate()
        gate.shut()
        async with Runner(gate) as runner:
            # The first stays.
            first, *tasks = runner.start(*range(crowd))
            await turns()
            with Calls() as calls:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            assert len(gate.queue) == 1
            gate.open()
            await first
        steps.append(calls.count / crowd)
    assert steps[1] < 1.1 * steps[0]


@pytest.mark.slow
@virtual
async def test_a_crowd_that_waits_takes_little_memory() -> None:
    gate = Gate()
    gate.shut()
    async with Runner(gate) as runner:
        never = asyncio.get_running_loop().create_future()

        async def bare(request: Any) -> None:
            await never

        async def waiting(request: Any) -> None:
            await run_attempt(request, bare, gate, gate, None, None)  # type: ignore[arg-type]  # it gets nowhere

        # The tasks of the callers are their own.
        callers = await taken(bare, runner)
        assert await taken(waiting, runner) - callers < 20 * MEGABYTE
    assert (len(gate.queue), gate.queue.head) == (0, None)


async def taken(call: Callable[[Any], Coroutine[Any, Any, None]], runner: Runner) -> int:
    """Return the bytes that a crowd of callers takes, and let them go."""
    gc.collect()
    tracemalloc.start()
    tasks = [asyncio.create_task(call(Request(runner.session))) for _ in range(CROWD)]
    await turns()
    bytes_, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return bytes_


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_those_who_left_take_no_memory_behind_a_head_that_waits(no_collector: None) -> None:
    gate = Gate()
    gate.shut()
    async with Runner(gate) as runner:
        (head,) = runner.start("head")
        for limit in [None, 0.001] * 50:
            (task,) = runner.start("another", limit=limit)
            await turns(2)
            task.cancel()
            await asyncio.wait([task])
        del task
        assert turns_alive() == 1
        gate.open()
        await head
        del head
        assert turns_alive() == 0


def turns_alive() -> int:
    return sum(type(each) is Turn for each in gc.get_objects())


@pytest.mark.parametrize("waiting", [False, True])
async def test_what_is_refused_is_freed_without_the_collector(
    waiting: bool, no_collector: None
) -> None:
    gate = Gate(patience=0.001)
    gate.shut(refusing=not waiting)
    async with Runner(Pace(0.0), gate) as runner:
        freed = weakref.ref(await refused(runner))
        await turns()
        assert freed() is None
        assert turns_alive() == 0


async def refused(runner: Runner) -> GateClosedError:
    try:
        await runner.attempt("one")
    except GateClosedError as error:
        return error
    raise AssertionError("it was let through")
