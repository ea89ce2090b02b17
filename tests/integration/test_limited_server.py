"""A crowd of callers at a server that limits the rate of an account, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

import aiohttp
import pytest

from resilient import GateView, Pipeline, Throttle, ThrottlePolicy
from resilient.telemetry.emitter import make_emitter
from resilient.testing import (
    EventLog,
    FaultServer,
    Limit,
    Received,
    Reply,
    run_in_virtual_time,
)
from tests.guards import Pace
from tests.integration.support import status_of

CALLERS = 50


async def crowd(middleware: Any) -> tuple[Counter[int], float]:
    """Call all at once, under one of ten routes each; return the statuses and the time."""
    limit = Limit("10/s", per="account")
    async with (
        FaultServer(then=limit) as api,
        aiohttp.ClientSession(middlewares=[middleware]) as session,
    ):
        calls = [status_of(session, api.url / f"route{number % 10}") for number in range(CALLERS)]
        statuses = await asyncio.gather(*calls)
        return Counter(statuses), asyncio.get_running_loop().time()


def test_a_pace_of_ones_own_lets_all_of_them_through_in_turn() -> None:
    log = EventLog()

    async def main() -> tuple[Counter[int], float]:
        pace = Pace(0.1)
        pace.emitter = make_emitter([log])
        return await crowd(pace)

    statuses, seconds = run_in_virtual_time(main())
    assert statuses == {200: CALLERS}
    assert seconds == pytest.approx(4.9)
    log.assert_held(by="guard")
    log.assert_turns(CALLERS - 1, by="guard")
    log.assert_no_refusals()
    log.assert_gates()


def test_a_declared_limit_lets_all_of_them_through_in_turn() -> None:
    log = EventLog()

    async def main() -> tuple[Counter[int], float]:
        return await crowd(Throttle(ThrottlePolicy(limit="10/s"), listeners=[log]))

    statuses, seconds = run_in_virtual_time(main())
    assert statuses == {200: CALLERS}
    assert seconds == pytest.approx(4.9)
    log.assert_turns(CALLERS - 1, by="throttle")
    log.assert_no_refusals()
    log.assert_gates()


@pytest.mark.parametrize("refuses", ["all", "each second"])
@pytest.mark.parametrize("asked", [None, "0", "1"])
def test_promise_13_a_server_that_is_well_again_is_not_held_for_minutes(
    refuses: str, asked: str | None
) -> None:
    """It answers 429 in the first ten seconds of a process; then 20 calls a second are fine."""
    headers = {} if asked is None else {"Retry-After": asked}
    log = EventLog()

    async def main() -> tuple[float, tuple[GateView, ...]]:
        time = asyncio.get_running_loop().time
        seen = itertools.count()
        began = time()

        def serve(request: Received) -> Reply:
            is_bad = time() < began + 10 and (refuses == "all" or next(seen) % 2 == 0)
            return Reply(429, headers=headers) if is_bad else Reply(200)

        pipeline = Pipeline(listeners=[log])
        async with (
            FaultServer(then=serve) as api,
            aiohttp.ClientSession(middlewares=[pipeline]) as session,
        ):
            calls = []
            for _ in range(2000):
                calls.append(asyncio.ensure_future(status_of(session, api.url)))
                await asyncio.sleep(0.05)
            statuses = await asyncio.gather(*calls, return_exceptions=True)
            late = statuses[1000:]
            return late.count(200) / len(late), pipeline.throttle.gates

    share, gates = run_in_virtual_time(main())
    assert share > 0.97
    # Nobody has waited for ten seconds: it is over, although calls went on.
    assert gates == ()
    assert [each.closed for each in log.gates if each.is_news] == [True, False]
