"""`Services`: a redirect leads from one service to another, and each hop is under its own."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from yarl import URL

from resilient import (
    AttemptTimeoutError,
    BreakerPolicy,
    BudgetPolicy,
    Policy,
    Service,
    Services,
    ServiceUnavailableError,
    attempts_of,
    override,
)
from resilient.testing import Disconnect, EventLog, FakeClock, Reply
from tests.integration.service_support import attempts, localhost, two
from tests.integration.support import (
    UNDER,
    after,
    fault_server,
    policy,
    redirect,
    retry_policy,
    status_of,
    wrapped,
)


@UNDER
async def test_each_hop_has_the_attempts_of_its_service(under: Any) -> None:
    async with fault_server() as here, fault_server() as there:
        services = two(here, there, attempts(2), attempts(3))
        here.script(Reply(503), redirect(localhost(there) / "x"))
        there.script(Reply(503), Reply(503), Reply(200))
        async with under(services) as session:
            async with session.get(here.url) as response:
                assert response.status == 200
                told = attempts_of(response)
            assert (here.hits, there.hits) == (2, 3)
            here.script(redirect(localhost(there) / "x"))
            there.script(Reply(503), Reply(503), redirect(here.url))
            here.script(Reply(503), Reply(503))
            with pytest.raises(ServiceUnavailableError) as caught:
                await status_of(session, here.url)
            assert (here.hits, there.hits) == (5, 6)
    hops = [(1, 503), (2, 302), (1, 503), (2, 503), (3, 200)]
    # Without `wrap` a hop knows nothing of those before it.
    assert [(each.number, each.status) for each in told] == hops[0 if under is wrapped else 2 :]
    assert caught.value.stop_reason == "no attempt is left of 2"


@UNDER
async def test_an_override_holds_in_each_hop(under: Any) -> None:
    async with fault_server() as here, fault_server(then=Reply(503)) as there:
        services = two(here, there, attempts(2), attempts(3))
        here.script(Reply(503), Reply(503), Reply(503), redirect(localhost(there)))
        async with under(services) as session:
            with override(max_attempts=4), pytest.raises(ServiceUnavailableError):
                await status_of(session, here.url)
        assert (here.hits, there.hits) == (4, 4)


@UNDER
async def test_a_redirect_that_is_not_requoted_reaches_its_service(under: Any) -> None:
    async with fault_server() as here, fault_server(then=Reply(503)) as there:
        at_v4 = Service("v4", str(localhost(there) / "v4"), attempts(4))
        services = Services([at_v4, Service("here", str(here.url), attempts(2))])
        odd = f"http://LocalHost:{there.url.port}/x/../%76%34/users"
        here.script(redirect(odd))
        async with under(services, requote_redirect_url=False) as session:
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, here.url)
            assert there.hits == 4
            with pytest.raises(ServiceUnavailableError):
                async with session.get(URL(odd, encoded=True)):
                    pass
            assert there.hits == 8


@UNDER
async def test_events_of_each_hop_carry_the_name_of_its_service(under: Any) -> None:
    told = EventLog()
    async with fault_server() as here, fault_server() as there:
        services = Services(
            [
                Service("here", str(here.url), attempts(2)),
                Service("there", str(localhost(there)), attempts(2)),
            ],
            listeners=[told],
        )
        here.script(Reply(503), redirect(localhost(there)))
        there.script(Reply(503), Reply(200))
        async with under(services) as session:
            assert await status_of(session, here.url) == 200
    assert [(event.name, event.kind) for event in told if event.kind != "call"] == [
        ("here", "attempt"),
        ("here", "wait"),
        ("here", "attempt"),
        ("there", "attempt"),
        ("there", "wait"),
        ("there", "attempt"),
    ]


@UNDER
async def test_a_redirect_to_what_no_service_covers_is_aiohttps_alone(under: Any) -> None:
    async with fault_server() as here, fault_server(then=Reply(503)) as other:
        services = Services([Service("here", str(here.url), attempts(2))])
        here.route("/out", then=redirect(other.url))
        here.route("/back", then=Reply(503))
        async with under(services) as session:
            assert await status_of(session, here.url / "out") == 503
            assert other.hits == 1
            other.script(Disconnect())
            # Its recovery from stale connections is there too.
            assert await status_of(session, here.url / "out") == 503
            assert other.hits == 3
            other.script(redirect(here.url / "back"))
            here.clear()
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, other.url)
            assert here.hits == 2


@pytest.mark.parametrize("hops", [1, 2, 3])
async def test_the_retry_budget_of_a_service_that_is_only_redirected_to_pays_for_its_retries(
    hops: int,
) -> None:
    """It has one to give, however often the call has come by."""
    one_each = BudgetPolicy(ratio=0.001, capacity=1, min_per_second=0)
    spent = retry_policy(max_attempts=3, budget=one_each)
    async with fault_server() as here, fault_server() as there:
        services = two(here, there, policy(retry=spent), policy(retry=spent))
        for hop in range(1, hops):
            here.route(f"/{hop}", then=redirect(localhost(there) / str(hop)))
            there.route(f"/{hop}", then=redirect(here.url / str(hop + 1)))
        here.route(f"/{hops}", then=redirect(localhost(there) / "end"))
        there.route("/end", then=Reply(503))
        async with wrapped(services) as session:
            with pytest.raises(ServiceUnavailableError) as caught:
                await status_of(session, here.url / "1")
        assert [request.path for request in there.requests].count("/end") == 2
    assert "the retry budget is spent" in str(caught.value.stop_reason)


async def test_a_pooled_connection_of_one_hop_does_not_excuse_the_failure_of_the_next() -> None:
    fragile = BreakerPolicy(consecutive_failures=1, patience=0)
    without_retry = Policy(
        retry=None, total_timeout=None, attempt_timeout=None, errors=None, breaker=fragile
    )
    async with fault_server() as here, fault_server(then=Disconnect()) as there:
        services = two(here, there, attempts(2), without_retry)
        async with wrapped(services) as session:
            assert await status_of(session, here.url) == 200
            here.script(redirect(localhost(there)))
            with pytest.raises(aiohttp.ClientConnectionError):
                await status_of(session, here.url)
        circuit = services["there"].breaker.circuit(str(localhost(there)))
        assert circuit.counts.failures == 1
        assert there.hits == 1


async def test_the_time_for_one_hops_attempts_does_not_run_for_the_next() -> None:
    """Only the first service limits attempts; the second one reads bodies within its own."""
    clock = FakeClock()
    reading = retry_policy(max_attempts=1, read_body_up_to=1000)
    async with fault_server() as here, fault_server() as there:
        here.route("/", then=redirect(localhost(there)))
        there.route("/", then=after(clock, 7, Reply(body=b"read", body_delay=0.005)))
        services = two(
            here,
            there,
            policy(retry=None, attempt_timeout=5),
            policy(retry=reading, attempt_timeout=None),
            clock=clock,
        )
        async with wrapped(services) as session:
            try:
                assert await status_of(session, here.url) == 200
            except AttemptTimeoutError as error:
                raise AssertionError("the limit of another service's attempt") from error
