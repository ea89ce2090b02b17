"""A crowd of callers at a server that limits the rate of an account, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest

from resilient import Throttle, ThrottlePolicy
from resilient.telemetry.emitter import make_emitter
from resilient.testing import EventLog, FaultServer, Limit, run_in_virtual_time
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
