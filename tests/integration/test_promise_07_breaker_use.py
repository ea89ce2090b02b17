"""Promise 7: whose circuit it is, who may turn it, who is told; and a retry around it."""

import asyncio
import logging
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from attrs import evolve

import resilient
from resilient import (
    BreakerPolicy,
    CallEvent,
    CircuitBreaker,
    CircuitOpenError,
    Pipeline,
    Reason,
    RefusalEvent,
    Retry,
    ServiceUnavailableError,
    TransitionEvent,
)
from resilient.testing import FaultServer, Received, Reply
from resilient.testing.event_log import EventLog
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, fault_server, policy, retry_policy, status_of, wrapped

DOWN = Reply(503)
# One failure opens it, for five seconds, and nobody waits.
EAGER = BreakerPolicy(failures=1, open_for=5, patience=0)


async def flood(session: aiohttp.ClientSession, server: FaultServer, callers: int) -> list[Any]:
    calls = (status_of(session, server.url) for _ in range(callers))
    async with asyncio.timeout(5):
        return await asyncio.gather(*calls, return_exceptions=True)


def by_path(request: ClientRequest) -> str:
    return request.url.path


# -- whose circuit


async def test_each_origin_has_a_circuit_of_its_own() -> None:
    breaker = CircuitBreaker(EAGER)
    async with fault_server(DOWN) as one, fault_server() as two, client(breaker) as session:
        assert await status_of(session, one.url / "a") == 503
        with pytest.raises(CircuitOpenError):
            await session.get(one.url / "b" % {"c": "d"})
        assert await status_of(session, two.url / "a") == 200
        assert [(circuit.key, circuit.state) for circuit in breaker.circuits] == [
            (str(one.url), "open"),
            (str(two.url), "closed"),
        ]


@pytest.mark.parametrize(
    "url",
    ["https://api.mavio.example", "https://api.mavio.example:443/meetings?page=2",
     "HTTPS://me:secret@API.Mavio.example/"],
)  # fmt: skip
def test_any_url_of_an_origin_names_its_circuit(url: str) -> None:
    breaker = CircuitBreaker()
    breaker.circuit(url).isolate()
    assert breaker.circuit("https://api.mavio.example").isolated
    assert "secret" not in repr(breaker.circuits)
    for other in ("http://api.mavio.example", "https://api.mavio.example:8443"):
        assert not breaker.circuit(other).isolated


@pytest.mark.parametrize(
    ("key", "is_other"),
    [
        ("origin", {}),
        ("origin+path:1", {"path"}),
        ("origin+method", {"method"}),
        ("origin+header:X-Tenant", {"tenant"}),
        ("origin+path:1+header:X-Tenant", {"path", "tenant"}),
    ],
)
async def test_a_declared_key_says_which_requests_share_a_circuit(
    key: str, is_other: set[str]
) -> None:
    breaker = CircuitBreaker(evolve(EAGER, key=key))
    async with fault_server(DOWN) as server, client(breaker) as session:

        async def passes(path: str = "a/x", method: str = "GET", tenant: str = "one") -> bool:
            try:
                async with session.request(
                    method, server.url / path, headers={"X-Tenant": tenant}
                ) as response:
                    return response.status == 200
            except CircuitOpenError:
                return False

        assert not await passes()
        assert not await passes()
        assert not await passes("a/y" if "path:1" in key else "a/x")
        assert await passes(path="b/x") == ("path" in is_other)
        assert await passes(method="POST") == ("method" in is_other)
        assert await passes(tenant="two") == ("tenant" in is_other)
        assert "one" not in str([circuit.key for circuit in breaker.circuits])


async def test_a_key_of_the_users_own_says_which_circuit() -> None:
    breaker = CircuitBreaker(evolve(EAGER, key=by_path))
    async with fault_server() as server, client(breaker) as session:
        server.route("/a", DOWN)
        assert await status_of(session, server.url / "a") == 503
        with pytest.raises(CircuitOpenError) as caught:
            await session.get(server.url / "a")
        assert caught.value.key == "/a"
        assert await status_of(session, server.url / "b") == 200


async def test_a_pipeline_takes_a_key_too() -> None:
    keyed = evolve(EAGER, key=lambda request: ("tenant", request.method))
    pipeline = Pipeline(policy(breaker=keyed))
    async with fault_server(DOWN) as server, client(pipeline) as session:
        with pytest.raises(ServiceUnavailableError):
            await session.get(server.url)
        with pytest.raises(CircuitOpenError):
            await session.get(server.url)
        assert (await session.post(server.url)).status == 200
        assert pipeline.breaker.circuit(("tenant", "GET")).state == "open"


@pytest.mark.parametrize("answer", [None, ["not", "hashable"], KeyError("no such tenant")])
async def test_a_call_without_a_key_passes_uncounted_and_a_broken_hook_is_logged_once(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def key(request: ClientRequest) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    breaker = CircuitBreaker(evolve(EAGER, key=key))
    async with fault_server(*[DOWN] * 5) as server, client(breaker) as session:
        for _ in range(5):
            assert await status_of(session, server.url) == 503
    assert breaker.circuits == ()
    complaints = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(complaints) == (answer is not None)
    assert all("breaker key" in record.getMessage() for record in complaints)


# -- how many circuits


async def test_no_more_circuits_are_kept_than_there_may_be_and_the_healthy_go_first() -> None:
    breaker = CircuitBreaker(evolve(EAGER, max_destinations=4, key=by_path))
    async with fault_server() as server, client(breaker) as session:
        server.route("/down", then=DOWN)
        await status_of(session, server.url / "down")
        for number in range(50):
            await status_of(session, server.url / str(number))
            assert len(breaker.circuits) <= 4
        kept = {circuit.key for circuit in breaker.circuits}
        assert kept == {"/down", "/47", "/48", "/49"}
        with pytest.raises(CircuitOpenError):
            await session.get(server.url / "down")


async def test_a_circuit_whose_failures_are_long_past_goes_before_one_that_is_open() -> None:
    clock = FakeClock()
    few = BreakerPolicy(
        failures=2, open_for=500, max_open_for=500, patience=0, max_destinations=2, key=by_path
    )
    breaker = CircuitBreaker(few, clock=clock)
    async with fault_server() as server, client(breaker) as session:
        server.route("/down", then=DOWN)
        server.route("/once", DOWN)
        for path in ("down", "down", "once"):
            await status_of(session, server.url / path)
        clock.advance(100)  # three windows
        await status_of(session, server.url / "new")
        assert {circuit.key for circuit in breaker.circuits} == {"/down", "/new"}
        with pytest.raises(CircuitOpenError):
            await session.get(server.url / "down")


async def test_an_isolated_circuit_is_never_forgotten() -> None:
    few = BreakerPolicy(max_destinations=2, key=by_path)
    breaker = CircuitBreaker(few)
    async with fault_server(then=DOWN) as server, client(breaker) as session:
        breaker.circuit("/isolated").isolate()
        for number in range(5):
            await status_of(session, server.url / str(number))
        with pytest.raises(CircuitOpenError):
            await session.get(server.url / "isolated")


# -- a retry around it


@pytest.mark.parametrize("wrap", [False, True])
async def test_a_retry_stops_early_with_the_servers_own_error_when_the_circuit_opens(
    wrap: bool,
) -> None:
    clock = FakeClock()
    pipeline = Pipeline(policy(breaker=EAGER), clock=clock)
    async with (
        fault_server(then=DOWN) as server,
        (wrapped if wrap else client)(pipeline) as session,
    ):
        with pytest.raises(ServiceUnavailableError) as caught:
            await session.get(server.url)
        assert "the circuit is open for another 5.25 s" in (caught.value.stop_reason or "")
        assert (server.hits, clock.sleeps) == (1, [])


async def test_a_retry_that_waits_as_long_as_the_circuit_is_open_is_its_probe() -> None:
    clock = FakeClock()
    pipeline = Pipeline(policy(breaker=EAGER), clock=clock)
    sorry = Reply(503, headers={"Retry-After": "30"})
    async with fault_server(sorry) as server, client(pipeline) as session:
        assert await status_of(session, server.url) == 200
        assert (server.hits, len(clock.sleeps)) == (2, 1)
        assert clock.sleeps[0] >= 30


async def test_a_retry_stops_early_too_when_the_circuit_was_isolated_meanwhile() -> None:
    clock = FakeClock()
    pipeline = Pipeline(policy(), clock=clock)

    def isolated(received: Received) -> Reply:
        pipeline.breaker.circuit(server.url).isolate()
        return DOWN

    async with fault_server(isolated) as server, client(pipeline) as session:
        with pytest.raises(ServiceUnavailableError):
            await session.get(server.url)
        assert (server.hits, clock.sleeps) == (1, [])


async def test_the_circuit_of_a_request_made_on_the_way_does_not_stop_the_retry() -> None:
    breaker = CircuitBreaker(EAGER)
    async with fault_server(then=DOWN) as tokens, client(breaker) as token_session:

        async def auth(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            try:
                await status_of(token_session, tokens.url)
            except CircuitOpenError:
                request.headers["Authorization"] = "stale"
            return await handler(request)

        async with FaultServer(DOWN) as server, client(Retry(retry_policy()), auth) as session:
            assert await status_of(session, server.url) == 200
            assert (server.hits, tokens.hits) == (2, 1)


# -- by hand, and for those who watch


async def test_isolate_and_reset_while_it_is_running() -> None:
    async with fault_server() as server, wrapped(Pipeline(policy())) as session:
        circuit = resilient.pipeline_of(session).breaker.circuit(server.url / "any" % {"q": "1"})
        assert await status_of(session, server.url) == 200
        circuit.isolate()
        assert (circuit.state, circuit.isolated, circuit.retry_after) == ("open", True, None)
        with pytest.raises(CircuitOpenError, match="isolated by hand") as caught:
            await session.get(server.url)
        error = caught.value
        assert (error.isolated, error.retry_after) == (True, None)
        assert error.stop_code is resilient.Reason.CIRCUIT_ISOLATED
        assert server.hits == 1
        circuit.reset()
        assert (circuit.state, circuit.isolated, circuit.retry_after) == ("closed", False, 0)
        assert (await flood(session, server, 50)).count(200) == 50


async def test_observing_refuses_nothing_and_reports_everything() -> None:
    clock, told = FakeClock(), EventLog()
    observing = BreakerPolicy(failures=2, open_for=5, observe=True)
    breaker = CircuitBreaker(observing, clock=clock, listeners=[told])
    async with fault_server(*[DOWN] * 100) as server, client(breaker) as session:
        assert (await flood(session, server, 100)).count(503) == 100
        assert breaker.circuit(server.url).state == "open"
        clock.advance(6)
        assert (await flood(session, server, 100)).count(200) == 100
        for _ in range(5):
            clock.advance(1)
            assert await status_of(session, server.url) == 200
        breaker.circuit(server.url).isolate()
        assert await status_of(session, server.url) == 200
    assert [event.after for event in told.events if isinstance(event, TransitionEvent)] == [
        "open", "half_open", "half_open", "closed", "open",
    ]  # fmt: skip
    assert not [event for event in told.events if isinstance(event, RefusalEvent)]


async def test_listeners_are_told_of_transitions_and_refusals() -> None:
    clock, told = FakeClock(draw=0.0), EventLog()

    def rude(_: object) -> None:
        raise ValueError("a listener may not stop a call")

    pipeline = Pipeline(
        policy(name="mavio", breaker=EAGER, retry=None), clock=clock, listeners=[rude, told]
    )
    async with fault_server(DOWN) as server, client(pipeline) as session:
        with pytest.raises(ServiceUnavailableError):
            await session.get(server.url)
        with pytest.raises(CircuitOpenError):
            await session.get(server.url / "secret" % {"token": "s3cret"})
        for _ in range(5):
            clock.advance(5)
            assert await status_of(session, server.url) == 200
        key = str(server.url.origin())
    opened, refusal, *rest = (event for event in told if not isinstance(event, CallEvent))
    assert opened == TransitionEvent(
        name="mavio", key=key, before="closed", after="open", code=Reason.FAILURES,
        reason="1 failures", seconds=5.0,
    )  # fmt: skip
    assert isinstance(refusal, RefusalEvent)
    assert (refusal.name, refusal.method, refusal.by) == ("mavio", "GET", "breaker")
    assert "s3cret" not in str(told.events)
    assert [str(event) for event in rest] == [
        f"the circuit for {key} is half_open (the time is up)",
        f"the circuit for {key} is half_open (a probe went well)",
        f"the circuit for {key} is closed "
        "(5 successes in the recovery; 1 call was held or refused)",
    ]


async def test_its_state_belongs_to_one_event_loop() -> None:
    breaker = CircuitBreaker()
    async with fault_server() as server, client(breaker) as session:
        assert await status_of(session, server.url) == 200

        async def elsewhere() -> None:
            async with client(breaker) as other:
                await other.get(server.url)

        with pytest.raises(RuntimeError, match="CircuitBreaker belongs to another event loop"):
            await asyncio.to_thread(asyncio.run, elsewhere())
        assert await status_of(session, server.url) == 200
        assert server.hits == 2
