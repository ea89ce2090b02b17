"""`snapshot` of pipelines and services: plain data for a health endpoint, in every state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientRequest

from resilient import (
    BreakerPolicy,
    BudgetPolicy,
    BulkheadPolicy,
    Deadline,
    Pipeline,
    Retry,
    Service,
    Services,
    Throttle,
    ThrottlePolicy,
    override,
)
from resilient.testing import FaultServer, Hang, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, policy, retry_policy, status_of, wrapped

SECRET = "hunter2"

GATE = {"part", "rate", "seconds", "server_seconds", "waiting"}
CIRCUIT = {"state", "isolated", "score", "retry_after", "waiting"}


def plain(state: dict[str, Any]) -> dict[str, Any]:
    """The state as a health endpoint would send it: it must be JSON, without NaN and infinity."""
    text = json.dumps(state, allow_nan=False)
    assert SECRET not in text
    found: dict[str, Any] = json.loads(text)
    assert found == state
    return found


async def fail(session: aiohttp.ClientSession, url: object, calls: int = 1) -> None:
    for _ in range(calls):
        with suppress(aiohttp.ClientError):
            await status_of(session, url, headers={"Authorization": f"Bearer {SECRET}"})


def test_nothing_has_happened_yet() -> None:
    assert plain(Pipeline().snapshot()) == {"budgets": {}, "gates": {}, "circuits": {}}
    full = policy(bulkhead=BulkheadPolicy())
    assert plain(Pipeline(full).snapshot())["bulkheads"] == {}
    assert plain(Pipeline.of().snapshot()) == {}
    alone = retry_policy(budget=None)
    assert plain(Pipeline.of(Retry(alone)).snapshot()) == {"budgets": {}}


async def test_a_circuit_in_each_of_its_states() -> None:
    clock = FakeClock(draw=0.0)
    trips = policy(retry=None, breaker=BreakerPolicy(failures=2, patience=0))
    async with FaultServer(then=Reply(503)) as server:
        pipeline, key = Pipeline(trips, clock=clock), str(server.url.origin())

        def circuit() -> dict[str, Any]:
            found: dict[str, Any] = plain(pipeline.snapshot())["circuits"][key]
            assert found.keys() == CIRCUIT
            return found

        async with wrapped(pipeline) as session:
            await fail(session, server.url / SECRET)
            assert circuit() == {
                "state": "closed", "isolated": False, "score": 1.0, "retry_after": 0.0,
                "waiting": 0,
            }  # fmt: skip
            await fail(session, server.url)
            found = circuit()
            assert (found["state"], found["score"]) == ("open", 2.0)
            assert 0.4 < found["retry_after"] < 0.6
            clock.advance(1)
            server.route("/", then=Reply(200))
            assert await status_of(session, server.url) == 200
            assert circuit()["state"] == "half_open"
            pipeline.breaker.circuit(key).isolate()
            found = circuit()
            assert (found["state"], found["isolated"]) == ("open", True)
            assert found["retry_after"] is None
            pipeline.breaker.circuit(key).reset()
            assert circuit()["state"] == "closed"


@pytest.mark.parametrize("asked", ["1", "3600", "99999999999"])
async def test_gates_and_those_who_wait(asked: str) -> None:
    clock = FakeClock()
    pipeline = Pipeline(policy(retry=None, total_timeout=None), clock=clock)
    answer = Reply(429, headers={"Retry-After": asked})
    async with FaultServer(answer) as server, wrapped(pipeline) as session:
        await fail(session, server.url / "v4" / "x")
        ((key, (gate,)),) = plain(pipeline.snapshot())["gates"].items()
        assert key == str(server.url.origin())
        assert gate.keys() == GATE
        assert (gate["part"], gate["waiting"], gate["rate"]) == ("GET /v4", 0, 0.5)
        assert gate["seconds"] >= gate["server_seconds"] > 0
        clock.advance(gate["seconds"] + 60)
        await asyncio.sleep(0)
        assert plain(pipeline.snapshot())["gates"] == {}


@pytest.mark.parametrize("limit", [{"limit": "1/min"}, {"limit": "1/min", "pace": "window"}])
async def test_a_declared_limit_that_somebody_waits_for(limit: dict[str, Any]) -> None:
    held = asyncio.Event()

    class Still(FakeClock):
        """A clock that stands while calls wait."""

        def wake_after(self, seconds: float, callback: Callable[[], object]) -> Any:
            asyncio.get_running_loop().call_soon(held.set)
            return self.call_at(self.time() + seconds, callback)

    throttle = ThrottlePolicy(max_wait=100, **limit)
    pipeline = Pipeline(policy(throttle=throttle), clock=Still())
    async with FaultServer() as server, wrapped(pipeline) as session:
        assert await status_of(session, server.url) == 200
        assert plain(pipeline.snapshot())["gates"] == {}
        waits = asyncio.create_task(status_of(session, server.url))
        async with asyncio.timeout(10):
            await held.wait()
        gates = plain(pipeline.snapshot())["gates"]
        waits.cancel()
    ((gate,),) = gates.values()
    assert (gate["part"], gate["waiting"]) == (None, 1)
    assert gate["seconds"] == pytest.approx(60)


async def test_budgets_that_are_not_full() -> None:
    pipeline = Pipeline(
        policy(retry=retry_policy(budget=BudgetPolicy(capacity=5))), clock=FakeClock()
    )
    async with FaultServer(then=Reply(503)) as server, wrapped(pipeline) as session:
        for left in (3, 1):
            await fail(session, server.url)
            budgets = plain(pipeline.snapshot())["budgets"]
            assert budgets.keys() == {str(server.url.origin())}
            (budget,) = budgets.values()
            assert budget["capacity"] == 5
            # Below three it grows with time.
            assert left <= budget["left"] < left + 1
        await fail(session, server.url, 5)
        ((_, spent),) = plain(pipeline.snapshot())["budgets"].items()
        assert 0 <= spent["left"] < 1


async def test_a_bulkhead_with_somebody_in_it() -> None:
    pipeline = Pipeline(policy(bulkhead=BulkheadPolicy(max_concurrent=1)))
    async with FaultServer(then=Hang()) as server, wrapped(pipeline) as session:
        calls = [asyncio.create_task(status_of(session, server.url)) for _ in range(3)]
        await server.wait_for(waiting=1)
        assert plain(pipeline.snapshot())["bulkheads"] == {
            str(server.url.origin()): {"limit": 1, "in_use": 1, "waiting": 2}
        }
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


def by_tuple(request: ClientRequest) -> Hashable:
    return request.method, 7, None


@pytest.mark.parametrize("key", [by_tuple, "origin+path:2+method+header:Authorization"])
async def test_keys_of_any_kind(key: Any) -> None:
    keyed = policy(
        retry=retry_policy(budget=BudgetPolicy(key=key)),
        throttle=ThrottlePolicy(key=key),
        breaker=BreakerPolicy(key=key),
        bulkhead=BulkheadPolicy(key=key),
    )
    pipeline = Pipeline(keyed, clock=FakeClock())
    script = Reply(503), Reply(503), Reply(503), Reply(429)
    async with FaultServer(*script) as server, wrapped(pipeline) as session:
        await fail(session, server.url, 2)
        state = plain(pipeline.snapshot())
    for part in ("budgets", "gates", "circuits"):
        (name,) = state[part]
        assert name == str(("GET", 7, None)) if callable(key) else "Authorization=" in name


async def test_services_have_the_states_of_all() -> None:
    a, b = policy(), policy(bulkhead=BulkheadPolicy())
    services = Services([Service("a", "https://a.example", a)], default=b)
    empty: dict[str, Any] = {"budgets": {}, "gates": {}, "circuits": {}}
    told = {"services": {"a": empty}, "default": {**empty, "bulkheads": {}}}
    assert plain(services.snapshot()) == told
    # A pipeline that has services in it tells of them too.
    assert plain(Pipeline.of(Deadline(9), services).snapshot()) == told
    assert plain(Services([]).snapshot()) == {"services": {}, "default": None}
    async with client(services), FaultServer() as server, client(services) as session:
        assert await status_of(session, server.url) == 200
    assert plain(services.snapshot())["default"]["circuits"].keys() == {str(server.url.origin())}


async def test_of_two_parts_alike_both_are_told() -> None:
    per_path = Throttle(ThrottlePolicy(key="origin+path:1"))
    pipeline = Pipeline.of(Throttle(), per_path)
    async with FaultServer(then=Reply(429)) as server, client(pipeline) as session:
        with override(max_attempts=1):
            await fail(session, server.url / "a")
        assert len(plain(pipeline.snapshot())["gates"]) == 2
