"""Promise 5, refusals: a wait that cannot fit is refused at once, with the server's own error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    APIError,
    Backoff,
    Deadline,
    NormalizeErrors,
    Pipeline,
    Policy,
    RateLimitError,
    ResetHeader,
    Retry,
    RetryPolicy,
    ServiceUnavailableError,
    override,
)
from resilient.testing import FakeClock, FaultServer, Reply

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession


RESETS = [ResetHeader("X-Reset-In", "seconds")]


def retry(clock: FakeClock) -> Retry:
    policy = RetryPolicy(backoff=Backoff(base=0.1, jitter="none"), budget=None)
    return Retry(policy, reset_headers=RESETS, clock=clock)


async def refused(
    session: aiohttp.ClientSession, fetch: Fetch, clock: FakeClock, **reply: Any
) -> APIError:
    method = reply.pop("method", "GET")
    async with FaultServer(then=Reply(**reply)) as server:
        outcome = await fetch(session, method, server.url)
        assert server.hits == 1
    assert clock.sleeps == []
    assert isinstance(outcome, APIError)
    assert outcome.status == reply["status"]
    assert len(outcome.attempts) == 1
    return outcome


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("61", 61), ("3600", 3600), ("9" * 5000, 2**31), ("Thu, 01 Jan 2099 12:00:00 GMT", None)],
    ids=["just over", "an hour", "for ever", "date"],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_more_than_max_retry_after_is_refused(
    status: int,
    asked: str,
    seconds: float | None,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    session = open_session(retry(clock), NormalizeErrors(reset_headers=RESETS, clock=clock))
    error = await refused(session, fetch, clock, status=status, headers={"Retry-After": asked})
    assert type(error) is (RateLimitError if status == 429 else ServiceUnavailableError)
    assert error.retry_after is not None
    assert error.retry_after == seconds or (seconds is None and error.retry_after > 1e9)
    assert "max_retry_after (60 s)" in str(error.stop_reason)
    assert "max_retry_after (60 s)" in str(error)


async def test_just_max_retry_after_is_waited_for(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock))
    async with FaultServer(Reply(503, headers={"Retry-After": "60"})) as server:
        assert await fetch(session, "GET", server.url) == 200
    assert clock.sleeps[0] >= 60


async def test_a_raw_response_over_the_cap_comes_out_as_it_is(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock))
    async with FaultServer(then=Reply(429, headers={"Retry-After": "61"})) as server:
        async with session.get(server.url) as response:
            assert response.status == 429
            assert response.headers["Retry-After"] == "61"
        assert server.hits == 1
    assert clock.sleeps == []


def under_a_deadline(clock: FakeClock, open_session: OpenSession) -> aiohttp.ClientSession:
    return open_session(
        Deadline(5, clock=clock), retry(clock), NormalizeErrors(reset_headers=RESETS, clock=clock)
    )


def by_policy(clock: FakeClock, open_session: OpenSession) -> aiohttp.ClientSession:
    policy = Policy(total_timeout=5, retry=RetryPolicy(budget=None))
    return open_session(Pipeline(policy, clock=clock), wrapped=True)


def by_aiohttp(clock: FakeClock, open_session: OpenSession) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=5)
    return open_session(Pipeline(clock=clock), wrapped=True, timeout=timeout)


def on_a_clock_behind(_: FakeClock, open_session: OpenSession) -> aiohttp.ClientSession:
    behind = FakeClock(start=-1e6, speed=1)  # "its zero means nothing"
    return by_aiohttp(behind, open_session)


@pytest.mark.parametrize("limit", [under_a_deadline, by_policy, by_aiohttp, on_a_clock_behind])
@pytest.mark.parametrize("status", [429, 503])
async def test_what_does_not_fit_the_time_that_is_left_is_refused(
    limit: Any, status: int, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = limit(clock, open_session)
    error = await refused(session, fetch, clock, status=status, headers={"Retry-After": "6"})
    assert error.retry_after == 6
    assert "a wait of 6 s does not fit" in str(error.stop_reason)


async def test_an_override_of_the_deadline_is_what_counts(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(Pipeline(clock=clock))
    with override(total_timeout=5):
        await refused(session, fetch, clock, status=503, headers={"Retry-After": "6"})
    async with FaultServer(Reply(503, headers={"Retry-After": "6"})) as server:
        assert await fetch(session, "GET", server.url) == 200
    assert clock.sleeps[0] >= 6


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
@pytest.mark.parametrize("zero", [0, 1e9, -1e9])
async def test_what_fits_is_waited_for_whatever_the_scale_of_the_clock(
    zero: float, wrapped: bool, open_session: OpenSession, fetch: Fetch
) -> None:
    clock = FakeClock(start=zero, speed=1)
    session = open_session(Pipeline(clock=clock), wrapped=wrapped)
    async with FaultServer(Reply(503, headers={"Retry-After": "6"})) as server:
        assert await fetch(session, "GET", server.url) == 200
    assert clock.sleeps[0] >= 6


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
async def test_the_spread_gives_way_to_the_deadline_and_the_floor_does_not(
    draw: float, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    clock.draw = draw
    session = under_a_deadline(clock, open_session)
    async with FaultServer(*[Reply(503, headers={"Retry-After": "2"})] * 2) as server:
        assert await fetch(session, "GET", server.url) == 200
    assert min(clock.sleeps) >= 2
    assert sum(clock.sleeps) < 5


async def test_time_that_waits_have_used_up_is_gone(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = under_a_deadline(clock, open_session)
    async with FaultServer(then=Reply(503, headers={"Retry-After": "3"})) as server:
        outcome = await fetch(session, "GET", server.url)
        assert server.hits == 2
    assert type(outcome) is ServiceUnavailableError
    assert outcome.retry_after == 3
    assert "does not fit" in str(outcome.stop_reason)
    (slept,) = clock.sleeps
    assert [attempt.waited for attempt in outcome.attempts] == [slept, None]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_503_of_a_post_is_not_repeated_although_it_says_when(
    method: str, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), NormalizeErrors(reset_headers=RESETS, clock=clock))
    headers = {"Retry-After": "1"}
    error = await refused(session, fetch, clock, status=503, headers=headers, method=method)
    assert error.retry_after == 1
    assert f"the {method} may have been carried out" in str(error.stop_reason)


@pytest.mark.parametrize("status", [400, 404, 501])
async def test_a_status_that_is_not_repeated_still_tells_its_retry_after(
    status: int, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), NormalizeErrors(reset_headers=RESETS, clock=clock))
    error = await refused(session, fetch, clock, status=status, headers={"X-Reset-In": "4"})
    assert error.retry_after == 4
