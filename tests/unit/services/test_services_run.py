"""`Services` as a middleware: who serves which URL, and that nobody shares anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientRequest, ClientResponse
from yarl import URL

from resilient import (
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    Event,
    Policy,
    RetryBudget,
    RetryPolicy,
    Service,
    Services,
)
from tests.unit.services.support import FRAGILE, MAVIO, MEETERGO, two

# One retry in ten seconds, however many calls there are.
ONE_IN_ALL = BudgetPolicy(ratio=0.001, capacity=1, min_per_second=0, key=lambda _: "all")


Run = Callable[..., Awaitable[str]]


@pytest.fixture
async def run() -> Any:
    """Runs a request through a middleware; says what came of it."""
    async with aiohttp.ClientSession() as session:

        async def run(middleware: Any, url: str, *, fails: bool = False) -> str:
            loop = asyncio.get_running_loop()
            request = ClientRequest("GET", URL(url), loop=loop, session=session)

            async def handler(request: ClientRequest) -> ClientResponse:
                if fails:
                    raise aiohttp.ClientPayloadError
                raise Reached(request.url)

            try:
                await middleware(request, handler)
            except Exception as error:
                return type(error).__name__
            raise AssertionError("something always comes of it")

        yield run


class Reached(Exception):
    """The handler at the end was reached."""


@pytest.mark.parametrize("default", [None, FRAGILE])
async def test_the_breaker_of_one_opens_and_no_others(run: Run, default: Policy | None) -> None:
    services = two(default=default)
    assert await run(services, MAVIO, fails=True) == "ConnectionFailedError"
    assert await run(services, MAVIO) == "CircuitOpenError"
    assert await run(services, MEETERGO) == "Reached"
    assert await run(services, "https://other.example") == "Reached"
    assert services["mavio"].breaker.circuit(MAVIO).state == "open"
    assert services["meetergo"].breaker.circuit(MAVIO).state == "closed"
    assert services["meetergo"].breaker.circuit(MEETERGO).counts.failures == 0


async def test_two_services_at_one_origin_have_a_breaker_each(run: Run) -> None:
    services = Services(
        [Service("v3", MAVIO + "/v3", FRAGILE), Service("v4", MAVIO + "/v4", FRAGILE)],
        default=FRAGILE,
    )
    assert await run(services, MAVIO + "/v3", fails=True) == "ConnectionFailedError"
    assert await run(services, MAVIO + "/v3") == "CircuitOpenError"
    assert await run(services, MAVIO + "/v4") == "Reached"
    assert await run(services, MAVIO) == "Reached"


async def test_sharing_services_as_values_shares_nothing(run: Run) -> None:
    made = [Service("mavio", MAVIO, FRAGILE)]
    one, other = Services(made), Services(made)
    assert await run(one, MAVIO, fails=True) == "ConnectionFailedError"
    assert await run(one, MAVIO) == "CircuitOpenError"
    assert await run(other, MAVIO) == "Reached"


async def test_a_breaker_can_be_looked_up_and_isolated(run: Run) -> None:
    services = two()
    circuit = services["mavio"].breaker.circuit(MAVIO)
    circuit.isolate()
    assert await run(services, MAVIO + "/v4") == "CircuitOpenError"
    circuit.reset()
    assert await run(services, MAVIO + "/v4") == "Reached"


@pytest.mark.parametrize(
    ("default", "result"), [(None, "ClientPayloadError"), (FRAGILE, "ConnectionFailedError")]
)
async def test_the_rest_are_under_the_default_or_left_alone(
    run: Run, default: Policy | None, result: str
) -> None:
    services = two(default=default)
    assert (services.default_pipeline is None) == (default is None)
    assert await run(services, "https://other.example", fails=True) == result
    assert await run(services, MAVIO, fails=True) == "ConnectionFailedError"


async def test_what_no_service_covers_is_handed_through_unseen() -> None:
    services = two()

    async def handler(_: ClientRequest) -> ClientResponse:
        raise Reached

    async with aiohttp.ClientSession() as session:
        loop = asyncio.get_running_loop()
        request = ClientRequest("GET", URL("https://o.example"), loop=loop, session=session)
        before = set(vars(request))
        with pytest.raises(Reached):
            await services(request, handler)
        assert set(vars(request)) == before


async def test_events_carry_the_name_of_the_service(run: Run) -> None:
    told: list[Event] = []
    rest = Policy(name="rest", retry=RetryPolicy(max_attempts=1))
    services = two(default=rest, listeners=iter([told.append]))
    for url in (MAVIO, MEETERGO, "https://other.example"):
        await run(services, url + "/v4", fails=True)
    names = {event.url: event.name for event in told if hasattr(event, "url")}
    assert names == {
        MAVIO + "/v4": "mavio",
        MEETERGO + "/v4": "meetergo",
        "https://other.example/v4": "rest",
    }
    assert {event.name for event in told if event.kind == "transition"} == {"mavio", "meetergo"}


async def test_all_pipelines_have_the_key_of_their_policy_and_the_clock(run: Run) -> None:
    asked = []

    def tenant(request: ClientRequest) -> str:
        asked.append(request.url.host)
        return "acme"

    clock = Standing()
    policy = Policy(
        retry=RetryPolicy(max_attempts=2, backoff=Backoff(base=7, jitter="none")),
        breaker=BreakerPolicy(consecutive_failures=1, open_for=1, key=tenant),
    )
    services = Services([Service("mavio", MAVIO, policy)], default=policy, clock=clock)
    for url in (MAVIO, "https://other.example"):
        assert await run(services, url, fails=True) == "ConnectionFailedError"
    assert set(asked) == {"api.mavio.example", "other.example"}
    assert clock.slept == [7, 7]
    assert services["mavio"].breaker.circuit("acme").state == "open"
    assert services.default_pipeline is not None
    assert services.default_pipeline.breaker.circuit("acme").state == "open"


@pytest.mark.parametrize(("budget", "retries"), [(None, 3), (RetryBudget(ONE_IN_ALL), 1)])
async def test_services_may_share_a_retry_budget(
    run: Run, budget: RetryBudget | None, retries: int
) -> None:
    clock = Standing()
    policy = Policy(
        retry=RetryPolicy(
            max_attempts=2, backoff=Backoff(base=0.1, jitter="none"), budget=ONE_IN_ALL
        )
    )
    made = [Service("mavio", MAVIO, policy), Service("meetergo", MEETERGO, policy)]
    services = Services(made, default=policy, budget=budget, clock=clock)
    for url in (MAVIO, MEETERGO, "https://other.example"):
        await run(services, url, fails=True)
    assert len(clock.slept) == retries


class Standing:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def time(self) -> float:
        return sum(self.slept)

    def now(self) -> Any:
        return datetime.now(UTC)

    def random(self) -> float:
        return 0.5

    def call_at(self, when: float, callback: Callable[[], object]) -> Any:
        return asyncio.get_running_loop().call_later(3600, callback)

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> Any:
        self.slept.append(seconds)
        return asyncio.get_running_loop().call_soon(callback)
