"""A crowd at a gate: bounded memory, no quadratic time, and released in order."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from resilient import ThrottledError, ThrottlePolicy
from tests.guards import turns, virtual
from tests.throttles import Calls
from tests.unit.core.test_guard_crowd import CROWD, CROWDS, MEGABYTE, Calls as Counted

EVER = 1e9


@virtual
async def test_a_crowd_is_released_in_order_and_in_linear_time() -> None:
    steps = []
    for crowd in CROWDS:
        async with Calls(ThrottlePolicy(max_wait=EVER), lambda request: (429, {})) as calls:
            await calls.call("/v1/429")
            calls.answer = None
            tasks = [calls.start(1, f"/v1/{n}")[0] for n in range(crowd)]
            with Counted() as counted:
                await asyncio.wait(tasks)
            steps.append(counted.count / crowd)
            assert [path for _, path in calls.sent[1:]] == [f"/v1/{n}" for n in range(crowd)]
    assert steps[1] < 1.1 * steps[0]


@virtual
async def test_a_crowd_is_refused_in_linear_time() -> None:
    steps = []
    for crowd in CROWDS:
        async with Calls(answer=lambda request: (429, {"Retry-After": "1"})) as calls:
            await calls.call()
            tasks = calls.start(crowd)
            await turns()
            calls.answer = lambda request: (429, {"Retry-After": "3600"})
            with Counted() as counted:
                await asyncio.wait(tasks)
            steps.append(counted.count / crowd)
            came = [type(each.result()) for each in tasks]
            assert came.count(ThrottledError) == crowd - 1
    assert steps[1] < 1.1 * steps[0]


@virtual
async def test_a_crowd_that_moves_to_a_wider_gate_does_so_in_linear_time() -> None:
    steps = []
    for crowd in CROWDS:
        async with Calls(answer=lambda request: (429, {"Retry-After": "30"})) as calls:
            for path in ("/a", "/b"):
                await calls.call(path)
            calls.answer = None
            tasks = calls.start(crowd, "/a")
            await turns()
            calls.answer = lambda request: (429, {"Retry-After": "30"})
            with Counted() as counted:
                await calls.call("/c")
                await turns()
            steps.append(counted.count / crowd)
            assert [(each.part, each.waiting) for each in calls.throttle.gates] == [(None, crowd)]
            for each in tasks:
                each.cancel()
            await asyncio.wait(tasks)
            assert calls.throttle.room.taken == 0
    assert steps[1] < 1.1 * steps[0]


@pytest.mark.slow
@virtual
async def test_a_crowd_that_waits_at_a_gate_takes_little_memory() -> None:
    async with Calls(answer=lambda request: (429, {"Retry-After": "30"})) as calls:
        await calls.call()
        gc.collect()
        tracemalloc.start()
        tasks = calls.start(CROWD)
        await turns()
        bytes_, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        (gate,) = calls.throttle.gates
        assert gate.waiting == CROWD
        # The tasks and requests of the callers are in it.
        assert bytes_ < 60 * MEGABYTE
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
