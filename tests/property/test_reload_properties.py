"""Whatever policies follow one another under traffic, every call ends, and no place stays taken."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import pytest
from hypothesis import given, strategies as st

import resilient
from resilient import Services, load_services
from resilient.core.guard import Guard
from resilient.testing import FaultServer, Reply, run_in_virtual_time

pytestmark = pytest.mark.slow

OPTIONS: dict[str, list[Any]] = {
    "bulkhead": [
        False,
        {"max_concurrent": 1, "max_wait": 30},
        {"max_concurrent": 3},
        {"adaptive": {"initial": 2}},
    ],
    "throttle": [False, {}, {"limit": "2/s"}, {"limit": "60/min", "pace": "window"}],
    "breaker": [
        False,
        {"consecutive_failures": 1, "patience": 10, "open_for": 1},
        {"failures": 3, "patience": 5},
    ],
    "retry": [False, {}, {"max_attempts": 2, "backoff": {"base": 0.1}}],
    "total_timeout": [20, 100],
    "max_waiting": [3, 10_000],
}
POLICIES = st.fixed_dictionaries({key: st.sampled_from(each) for key, each in OPTIONS.items()})


@given(st.lists(POLICIES, min_size=2, max_size=5), st.integers(0, 1000))
def test_every_call_ends_and_no_place_stays_taken(policies: list[Any], seed: int) -> None:
    run_in_virtual_time(traffic(policies, random.Random(seed)))


async def traffic(policies: list[dict[str, Any]], chance: random.Random) -> None:
    def answer(*_: Any) -> Reply:
        status = chance.choice([200, 200, 200, 503, 429])
        return Reply(status, delay=chance.choice([0, 0.5, 3]))

    async with FaultServer(then=answer) as server, aiohttp.ClientSession(server.url) as plain:

        def document(settings: dict[str, Any]) -> Any:
            common = {"match": str(server.url), "attempt_timeout": 10}
            return {"services": {"a": {**common, **settings}}}

        services = load_services(document(policies[0]))
        session = resilient.wrap(plain, services)
        guards = guards_of(services)

        async def call() -> None:
            try:
                async with asyncio.timeout(chance.choice([2, 1000])):
                    await session.get("/")
            except (resilient.ResilientError, TimeoutError):
                pass

        calls = []
        for settings in policies[1:]:
            for _ in range(8):
                calls.append(asyncio.create_task(call()))
                await asyncio.sleep(chance.choice([0, 0.1, 1]))
            services.reload(document(settings))
            guards |= guards_of(services)
        async with asyncio.timeout(2000):
            await asyncio.gather(*calls)
        assert [guard for guard in guards if guard.room.taken] == []
        assert [guard for guard in guards for queue in guard.queues() if queue] == []
        permits = (guard.tally().get("permits", 0) for guard in guards)
        assert sum(permits) == 0


def guards_of(services: Services) -> set[Guard]:
    parts: list[Any] = list(services["a"])
    return {part for part in parts if isinstance(part, Guard)}
