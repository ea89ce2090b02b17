"""State that belongs to an event loop outlives it: a second `asyncio.run`, and a fork."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import warnings
from typing import Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    NormalizeErrors,
    Pipeline,
    Retry,
    Service,
    Services,
)
from resilient.testing import FaultServer, Reply, VirtualTimeLoop
from tests.integration.support import policy, retry_policy, status_of

AT_MODULE_LEVEL: dict[str, Any] = {
    "pipeline": lambda: Pipeline(policy()),
    "services": lambda: Services([Service("a", "http://127.0.0.1", policy())], default=policy()),
    "deadline": lambda: Deadline(10),
    "retry": lambda: Retry(retry_policy()),
    "breaker": CircuitBreaker,
    "errors": NormalizeErrors,
    "attempt time-out": lambda: AttemptTimeout(10),
}


async def fetch(middleware: Any, *steps: Reply) -> int:
    async with (
        FaultServer(*steps) as server,
        aiohttp.ClientSession(middlewares=[middleware]) as session,
    ):
        return await status_of(session, server.url)


@pytest.mark.parametrize("make", AT_MODULE_LEVEL.values(), ids=AT_MODULE_LEVEL)
def test_it_serves_one_loop_after_another(make: Any) -> None:
    middleware = make()
    for _ in range(3):
        assert asyncio.run(fetch(middleware)) == 200


@pytest.mark.parametrize("make", AT_MODULE_LEVEL.values(), ids=AT_MODULE_LEVEL)
def test_limits_that_were_set_on_the_first_loop_cut_nothing_on_the_next(make: Any) -> None:
    middleware = make()

    async def dropped() -> None:
        task = asyncio.ensure_future(fetch(middleware, Reply(delay=60)))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(dropped())
    assert asyncio.run(fetch(middleware)) == 200


def test_from_a_second_loop_while_the_first_is_open_there_is_an_error() -> None:
    breaker = CircuitBreaker()
    with asyncio.Runner() as runner:
        runner.run(fetch(breaker))
        with pytest.raises(RuntimeError, match="belongs to another event loop, which is not"):
            asyncio.run(fetch(breaker))


OPEN = BreakerPolicy(failures=1, open_for=50, max_open_for=50, patience=0)


async def trip(breaker: CircuitBreaker) -> str:
    async with (
        FaultServer(Reply(503)) as server,
        aiohttp.ClientSession(middlewares=[breaker]) as session,
    ):
        await status_of(session, server.url)
        (circuit,) = breaker.circuits
        assert circuit.state == "open"
        return str(server.url)


def test_a_circuit_that_opened_is_open_on_the_next_loop() -> None:
    breaker = CircuitBreaker(OPEN)
    url = asyncio.run(trip(breaker))
    assert breaker.circuit(url).state == "open"

    async def again() -> None:
        async with aiohttp.ClientSession(middlewares=[breaker]) as session:
            with pytest.raises(CircuitOpenError) as caught:
                await session.get(url)
            assert caught.value.retry_after == pytest.approx(50, abs=6)

    asyncio.run(again())


@pytest.mark.parametrize(("first", "second"), [(0.0, 1e6), (1e6, 0.0)])
def test_times_are_moved_to_the_scale_of_the_next_loop(first: float, second: float) -> None:
    """A loop's clock may start anywhere: neither is the circuit open for ever, nor shut."""
    breaker = CircuitBreaker(OPEN)
    with asyncio.Runner(loop_factory=functools.partial(VirtualTimeLoop, start=first)) as runner:
        url = runner.run(trip(breaker))

    async def later() -> None:
        async with aiohttp.ClientSession(middlewares=[breaker]) as session:
            with pytest.raises(CircuitOpenError) as caught:
                await session.get(url)
            assert caught.value.retry_after == pytest.approx(50, abs=6)
            await asyncio.sleep(60)
            with pytest.raises(aiohttp.ClientConnectorError):  # nobody is there any more
                await session.get(url)

    with asyncio.Runner(loop_factory=functools.partial(VirtualTimeLoop, start=second)) as runner:
        runner.run(later())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("make", AT_MODULE_LEVEL.values(), ids=AT_MODULE_LEVEL)
def test_it_serves_a_process_that_was_forked(make: Any) -> None:
    middleware = make()
    runner = asyncio.Runner()
    try:
        assert runner.run(fetch(middleware)) == 200
        with warnings.catch_warnings():
            # That threads are there does not matter: the child uses none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = 1
            try:
                asyncio.set_event_loop(None)
                asyncio._set_running_loop(None)
                status = 0 if asyncio.run(fetch(middleware)) == 200 else 2
            finally:
                sys.stderr.flush()
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        # And the parent goes on.
        assert runner.run(fetch(middleware)) == 200
    finally:
        runner.close()
