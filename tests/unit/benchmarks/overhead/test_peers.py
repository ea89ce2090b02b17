"""Each wrapper behaves as its parts say, at the common settings."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from aiohttp import ClientRequest, ClientResponse, ClientSession, ConnectionTimeoutError
from attrs import evolve
from yarl import URL

import resilient
from benchmarks.overhead.common_settings import COMMON, WITHOUT_WAITS
from benchmarks.overhead.ours import VARIANTS, WRAPPED, policy, services, wrapped_services
from benchmarks.overhead.references import PassThrough
from benchmarks.overhead.traced import TRACED
from benchmarks.overhead.wrapper import Wrapper
from resilient.testing import FaultServer, Reply, make_response, run_in_virtual_time
from tests.unit.benchmarks.overhead.support import (
    BREAKERS,
    EVERYBODY,
    RETRIES,
    calls_of,
    outcomes_of,
)

pytestmark = [
    # Of theirs: in what is measured nobody sees them.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction':DeprecationWarning"),
]

retries = pytest.mark.parametrize("wrapper", RETRIES, ids=lambda each: each.name)
breakers = pytest.mark.parametrize("wrapper", BREAKERS, ids=lambda each: each.name)
everybody = pytest.mark.parametrize("wrapper", EVERYBODY, ids=lambda each: each.name)


def test_the_settings_that_all_have_in_common_are_those_of_the_standard_pipeline() -> None:
    standard = resilient.Policy()
    assert standard.breaker is not None
    # Peers have no patience, and open for a time that does not grow from half a second.
    many = evolve(
        standard.breaker,
        max_destinations=1 << 20,
        **{
            name: getattr(policy().breaker, name)
            for name in ("open_for", "max_open_for", "probes", "patience")
        },
    )
    assert policy() == evolve(standard, breaker=many)


@everybody
def test_a_call_that_goes_well_is_one_attempt(wrapper: Wrapper) -> None:
    assert run_in_virtual_time(outcomes_of(wrapper, 200)) == (1, 200)


@everybody
def test_a_404_is_nothing_to_try_again(wrapper: Wrapper) -> None:
    reached, result = run_in_virtual_time(outcomes_of(wrapper, 404, 200))
    assert reached == 1
    assert result == 404 or isinstance(result, resilient.NotFoundError)


@retries
def test_a_retry_makes_three_attempts(wrapper: Wrapper) -> None:
    assert run_in_virtual_time(outcomes_of(wrapper, 503, 503, 200)) == (3, 200)


@retries
def test_a_retry_makes_no_more_than_three(wrapper: Wrapper) -> None:
    reached, result = run_in_virtual_time(outcomes_of(wrapper, 503))
    assert reached == 3
    assert result == 503 or isinstance(result, Exception)


@retries
def test_a_retry_tries_again_what_never_reached_the_server(wrapper: Wrapper) -> None:
    assert run_in_virtual_time(outcomes_of(wrapper, ConnectionTimeoutError(), 200)) == (2, 200)


@retries
def test_a_retry_waits_about_as_long_as_all_others(wrapper: Wrapper) -> None:
    async def scenario() -> float:
        await outcomes_of(wrapper, 503, 503, 200)
        return asyncio.get_running_loop().time()

    # Up to 0.5 and 1 s; and as much jitter again where it is added. And 0 s, or nearly, would
    # be within full jitter, but not for as good as every call.
    waited = max(run_in_virtual_time(scenario()) for _ in range(5))
    assert 0.1 < waited <= 3.1


@retries
def test_a_post_is_tried_again_only_by_what_lacks_idempotency(wrapper: Wrapper) -> None:
    reached, _ = run_in_virtual_time(outcomes_of(wrapper, 503, 200, method="POST"))
    assert reached == (2 if "idempotency" in wrapper.lacks else 1)


@breakers
@pytest.mark.parametrize("outcome", [503, ConnectionTimeoutError()], ids=["503", "no connection"])
def test_a_breaker_opens_in_an_outage_and_refuses(
    wrapper: Wrapper, outcome: int | Exception
) -> None:
    async def scenario() -> tuple[int, object, int]:
        async with calls_of(wrapper, WITHOUT_WAITS) as calls:
            for _ in range(COMMON.consecutive_failures):
                await calls.make(outcome)
            before = calls.reached
            result = await calls.make(200)
            return before, result, calls.reached

    before, result, after = run_in_virtual_time(scenario())
    assert wrapper.refusal is not None
    assert isinstance(result, wrapper.refusal)
    assert after == before
    # One that counts whole calls has made its attempts in each.
    assert COMMON.consecutive_failures <= before <= COMMON.consecutive_failures * COMMON.attempts


@breakers
def test_a_breaker_stays_closed_when_nothing_is_wrong(wrapper: Wrapper) -> None:
    async def scenario() -> tuple[set[int | Exception], int]:
        async with calls_of(wrapper) as calls:
            statuses = {await calls.make(200) for _ in range(2 * COMMON.consecutive_failures)}
            return statuses, calls.reached

    assert run_in_virtual_time(scenario()) == ({200}, 2 * COMMON.consecutive_failures)


@breakers
async def test_circuits_open_each_by_itself(wrapper: Wrapper) -> None:
    assert wrapper.refusal is not None
    put = wrapper.circuits(WITHOUT_WAITS)
    one, another = "https://one.example", "https://another.example"
    with suppress(wrapper.refusal):  # some say so with the failure that opens them
        await put(one, [True] * COMMON.consecutive_failures)
    await put(another, [False])
    with pytest.raises(wrapper.refusal):
        await put(one, [False])
    await wrapper.close()


@pytest.mark.parametrize("wrapper", [*VARIANTS, *TRACED], ids=lambda each: each.name)
def test_a_pipeline_that_does_more_does_it(wrapper: Wrapper) -> None:
    """Each has what its name says: a row that measured something else would go unnoticed."""

    async def scenario() -> tuple[int, ClientRequest]:
        seen: list[ClientRequest] = []
        async with ClientSession() as session:

            async def handle(request: ClientRequest) -> ClientResponse:
                seen.append(request)
                return await make_response(request, Reply(200))

            loop, url = asyncio.get_running_loop(), URL("http://api.example/")
            request = ClientRequest(wrapper.method, url, loop=loop, session=session)
            response = await wrapper.wrap(handle)(request)
        assert len(seen) == 1
        return response.status, request

    status, request = run_in_virtual_time(scenario())
    assert status == 200
    assert ("Idempotency-Key" in request.headers) == ("idempotency" in wrapper.name)
    made = wrapper.middleware(COMMON)  # type: ignore[attr-defined]  # of a middleware
    assert isinstance(made, resilient.Pipeline)
    assert made.policy is not None
    assert (made.policy.telemetry is not None) == ("telemetry" in wrapper.name)
    spans = "spans" in wrapper.name or "all of it" in wrapper.name
    assert ("traceparent" in request.headers) == spans
    assert made.policy.throttle is not None
    assert (made.policy.throttle.limit is not None) == ("limit" in wrapper.name)
    assert bool(made.policy.throttle.headers) == ("headers" in wrapper.name)


def test_services_cover_the_url_that_is_measured() -> None:
    url = URL("http://127.0.0.1:8080/meetings")
    for wrapper, count in zip((*services(url), wrapped_services(url)), (1, 100, 100), strict=True):
        made = wrapper.middleware(COMMON)
        assert isinstance(made, resilient.Services)
        assert len(made) == count
        assert made.route(url) is not None


@pytest.mark.parametrize("wrapper", [*RETRIES, WRAPPED], ids=lambda each: each.name)
def test_on_a_socket_a_retry_does_the_same(wrapper: Wrapper) -> None:
    async def scenario() -> tuple[int, int]:
        async with FaultServer(Reply(503), Reply(503)) as server, ClientSession() as session:
            async with wrapper.client(session) as fetch:
                response = await fetch(server.url)
            return response.status, server.hits

    assert run_in_virtual_time(scenario()) == (200, 3)


@pytest.mark.parametrize(
    "wrapper", [each for each in EVERYBODY if each not in RETRIES], ids=lambda each: each.name
)
def test_on_a_socket_everybody_else_makes_the_request(wrapper: Wrapper) -> None:
    async def scenario() -> tuple[int, int]:
        async with FaultServer() as server, ClientSession() as session:
            async with wrapper.client(session) as fetch:
                response = await fetch(server.url)
            return response.status, server.hits

    assert run_in_virtual_time(scenario()) == (200, 1)


@everybody
def test_what_a_user_needs_first_can_be_run(wrapper: Wrapper) -> None:
    exec(wrapper.first_use, {})


async def test_without_a_breaker_there_are_no_circuits() -> None:
    with pytest.raises(NotImplementedError, match="doing nothing has no breaker"):
        PassThrough().circuits()


def test_a_wrapper_uses_the_connections_of_the_session() -> None:
    async def scenario() -> int:
        async with FaultServer() as server, ClientSession() as session:
            async with WRAPPED.client(session) as fetch, PassThrough().client(session) as other:
                for each in (fetch, other, fetch):
                    await each(URL(server.url))
            return server.total_connections

    assert run_in_virtual_time(scenario()) == 1
