"""Callers of a server that limits a rate, on sockets and in virtual time: promises 5 and 13."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest

import resilient
from resilient import Throttle, ThrottlePolicy
from resilient.telemetry.emitter import make_emitter
from resilient.testing import EventLog, FaultServer, Limit, Received, Reply, run_in_virtual_time
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


async def outcome_of(
    session: aiohttp.ClientSession, url: object, method: str = "GET", **options: Any
) -> Any:
    try:
        async with session.request(method, str(url), **options) as response:
            return response.status
    except resilient.ResilientError as error:
        return error


@pytest.mark.parametrize("per", ["account", "route"])
@pytest.mark.parametrize("hints", [("Retry-After",), ()])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_50_callers_at_a_limit_all_succeed(per: Any, hints: Any, method: str) -> None:
    """With at most two requests each, as a mean; POSTs too, each of which is carried out once."""
    log = EventLog()

    carried_out = 0

    def carry_out(received: Received) -> Reply:
        nonlocal carried_out
        carried_out += 1
        return Reply(200)

    async def main() -> tuple[list[Any], int]:
        limit = Limit("10/s", per=per, hints=hints, then=carry_out)
        pipeline = resilient.Pipeline(listeners=[log])
        async with (
            FaultServer(then=limit) as api,
            aiohttp.ClientSession(middlewares=[pipeline]) as session,
        ):
            # Of one route they share the limit either way.
            routes = 10 if per == "account" else 1
            urls = [api.url / f"route{number % routes}" for number in range(CALLERS)]
            calls = [outcome_of(session, url, method=method, json={}) for url in urls]
            return list(await asyncio.gather(*calls)), api.hits

    came, hits = run_in_virtual_time(main())
    assert came == [200] * CALLERS
    assert carried_out == CALLERS
    assert hits <= 2 * CALLERS
    log.assert_no_refusals()
    log.assert_held(by="throttle")


def test_a_route_that_is_always_refused_costs_the_others_nothing() -> None:
    async def main() -> tuple[list[float], int]:
        loop = asyncio.get_running_loop()
        async with (
            FaultServer() as api,
            aiohttp.ClientSession(middlewares=[resilient.Pipeline()]) as session,
        ):
            api.route("/bad", then=Reply(429, headers={"Retry-After": "30"}))
            bad = []
            took = []
            for number in range(200):
                if number % 10 == 0:
                    bad.append(asyncio.create_task(outcome_of(session, api.url / "bad")))
                started = loop.time()
                assert await status_of(session, api.url / f"route{number % 9}") == 200
                took.append(loop.time() - started)
                await asyncio.sleep(0.1)
            for each in bad:
                each.cancel()
            await asyncio.wait(bad)
            return took, api.hits - 200

    took, hits = run_in_virtual_time(main())
    assert max(took) < 0.5
    assert hits <= 2


def test_3600_seconds_asked_no_request_and_an_immediate_refusal() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            FaultServer(Reply(429, headers={"Retry-After": "3600"})) as api,
            aiohttp.ClientSession(middlewares=[resilient.Pipeline()]) as session,
        ):
            first = await outcome_of(session, api.url / "things")
            assert isinstance(first, resilient.RateLimitError)
            assert first.stop_code is resilient.Reason.RETRY_AFTER_TOO_LONG
            while loop.time() < 3000:
                started = loop.time()
                error = await outcome_of(session, api.url / "things")
                assert isinstance(error, resilient.ThrottledError)
                assert isinstance(error.__cause__, resilient.RateLimitError)
                assert loop.time() == started
                await asyncio.sleep(60)
            assert api.hits == 1
            await asyncio.sleep(600)
            assert await status_of(session, api.url / "things") == 200

    run_in_virtual_time(main())


def test_a_declared_limit_is_never_refused() -> None:
    async def main() -> tuple[list[Any], int]:
        policy = resilient.Policy(throttle=resilient.ThrottlePolicy(limit="300/min"))
        async with (
            FaultServer(then=Limit("300/min", burst=15)) as api,
            aiohttp.ClientSession(middlewares=[resilient.Pipeline(policy)]) as session,
        ):
            calls = [outcome_of(session, api.url / "things") for _ in range(100)]
            return list(await asyncio.gather(*calls)), api.hits

    came, hits = run_in_virtual_time(main())
    assert came == [200] * 100
    assert hits == 100
