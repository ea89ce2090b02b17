"""Callers of a server that limits a rate, on sockets and in virtual time: promises 5 and 13."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

import resilient
from resilient import BulkheadPolicy, GateView, Pipeline, Policy, Throttle, ThrottlePolicy
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


# Credentials: the gate of one is found by the next call, whoever sets the header, and however.

_numbers = itertools.count(1)


def _bearer(_: ClientRequest) -> str:
    return "Bearer s3cr3t=="


def _digest(_: ClientRequest) -> str:
    number = next(_numbers)
    return f'Digest username="me", nc={number:08x}, response="{number}"'


def _signature(_: ClientRequest) -> str:
    return f"AWS4-HMAC-SHA256 Credential=AK/eu/s3, Signature={next(_numbers):x}"


class Authorizing:
    """Sets the header, as middlewares for tokens and signatures do."""

    def __init__(self, make: Callable[[ClientRequest], str]) -> None:
        self._make = make

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.headers["Authorization"] = self._make(request)
        return await handler(request)


@pytest.mark.parametrize("make", [_bearer, _digest, _signature])
@pytest.mark.parametrize("place", ["outside", "inside", "wrapped"])
def test_promise_5_the_servers_time_holds_all_calls_of_a_credential(make: Any, place: str) -> None:
    async def main() -> int:
        authorizing, pipeline = Authorizing(make), Pipeline()
        chains: dict[str, list[Any]] = {
            "outside": [authorizing, pipeline],
            "inside": [pipeline, authorizing],
            "wrapped": [authorizing],
        }
        refusal = Reply(429, headers={"Retry-After": "30"})
        async with (
            FaultServer(Reply(200), then=refusal) as api,
            aiohttp.ClientSession(middlewares=chains[place]) as made,
        ):
            session = resilient.wrap(made, pipeline) if place == "wrapped" else made
            assert await status_of(session, api.url) == 200
            calls = []
            for _ in range(25):
                calls.append(asyncio.ensure_future(status_of(session, api.url)))
                await asyncio.sleep(1)
            hits = api.hits
            for each in calls:
                each.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            return hits

    assert run_in_virtual_time(main()) == 2


def test_accounts_do_not_wait_for_one_another() -> None:
    def serve(request: Received) -> Reply:
        is_bad = request.headers["Authorization"] == "Bearer a"
        return Reply(429, headers={"Retry-After": "30"}) if is_bad else Reply(200)

    async def main() -> float:
        async with (
            FaultServer(then=serve) as api,
            aiohttp.ClientSession(middlewares=[Pipeline()]) as session,
        ):
            first = asyncio.ensure_future(
                status_of(session, api.url, headers={"Authorization": "Bearer a"})
            )
            await asyncio.sleep(1)
            assert await status_of(session, api.url, headers={"Authorization": "Bearer b"}) == 200
            ended = asyncio.get_running_loop().time()
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            return ended

    assert run_in_virtual_time(main()) == 1


def test_promise_5_the_first_credential_that_is_set_inside_brings_the_gates_together() -> None:
    """Some calls bring a credential of their own, others get it inside, of the same account."""

    async def bring(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.headers.setdefault("Authorization", "Bearer a")
        return await handler(request)

    async def main() -> tuple[int, int]:
        refusal = Reply(429, headers={"Retry-After": "30"})
        throttle = Throttle()
        async with (
            FaultServer(Reply(200), then=refusal) as api,
            aiohttp.ClientSession(middlewares=[throttle, bring]) as session,
        ):
            for headers in ({"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}, {}):
                await status_of(session, api.url, headers=headers)
            held = [
                asyncio.ensure_future(status_of(session, api.url, headers=headers))
                for headers in ({"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}, {})
            ]
            await asyncio.sleep(1)
            (gate,) = throttle.gates
            hits = api.hits
            for each in held:
                each.cancel()
            await asyncio.gather(*held, return_exceptions=True)
            return hits, gate.waiting

    assert run_in_virtual_time(main()) == (3, 3)


def test_promise_5_a_gate_is_kept_while_its_destination_is_forgotten_and_made_again() -> None:
    """Two attempts are under way when the registry is full; then more than a thousand others."""
    is_over = asyncio.Event()
    asked = iter(["50", "1"])

    async def serve(request: Received) -> Reply:
        if request.path != "/slow":
            return Reply(200)
        seconds = next(asked)
        await is_over.wait()
        await asyncio.sleep(1 / float(seconds))
        return Reply(429, headers={"Retry-After": seconds})

    async def main() -> float:
        throttle = Throttle(ThrottlePolicy(key=lambda request: request.url.query.get("key")))
        async with (
            FaultServer(then=serve) as api,
            aiohttp.ClientSession(middlewares=[throttle]) as session,
        ):
            slow = []
            await status_of(session, api.url.with_query(key="this"))
            for _ in range(2):
                slow.append(
                    asyncio.ensure_future(status_of(session, (api.url / "slow") % {"key": "this"}))
                )
                await asyncio.sleep(0.1)
            for number in range(1100):
                await status_of(session, api.url.with_query(key=number))
            await status_of(session, api.url.with_query(key="this"))
            is_over.set()
            assert await asyncio.gather(*slow) == [429, 429]
            (gate,) = throttle.gates
            return gate.server_seconds

    assert run_in_virtual_time(main()) == pytest.approx(49, abs=0.1)


@pytest.mark.parametrize("learnt", [False, True])
def test_a_call_inside_an_attempt_does_not_wait_behind_those_who_wait_for_that(
    learnt: bool,
) -> None:
    """The head of the queue waits for a place, and who has it for a token through the queue."""
    throttle = ThrottlePolicy(classes=False) if learnt else ThrottlePolicy(limit="10/s", burst=1)
    policy = Policy(throttle=throttle, bulkhead=BulkheadPolicy(max_concurrent=1))

    async def token(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if request.url.path != "/token":
            session = request.session
            assert await status_of(session, request.url.with_path("/token")) == 200
        return await handler(request)

    async def main() -> tuple[list[int], float]:
        server = Limit("10/s") if learnt else Reply(200)
        async with (
            FaultServer(then=server) as api,
            aiohttp.ClientSession(middlewares=[Pipeline(policy), token]) as session,
        ):
            statuses = await asyncio.gather(*(status_of(session, api.url) for _ in range(20)))
            return statuses, asyncio.get_running_loop().time()

    statuses, seconds = run_in_virtual_time(main())
    assert statuses == [200] * 20
    assert seconds < 10


@pytest.mark.parametrize("declared", [None, "1000/s"])
def test_a_crowd_that_is_the_first_at_its_destination_learns_from_late_news(
    declared: str | None,
) -> None:
    """All of it is sent, answered and refused at one moment, at a place that nobody knows yet."""

    async def main() -> Counter[int | BaseException]:
        policy = Policy(throttle=ThrottlePolicy(limit=declared))
        async with (
            FaultServer(then=Limit("10/s", burst=10)) as api,
            aiohttp.ClientSession(middlewares=[Pipeline(policy)]) as session,
        ):
            calls = [status_of(session, api.url) for _ in range(CALLERS)]
            return Counter(await asyncio.gather(*calls, return_exceptions=True))

    assert run_in_virtual_time(main()) == {200: CALLERS}
