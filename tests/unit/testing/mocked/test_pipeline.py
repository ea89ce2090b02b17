"""Errors, breaker, time limits and `wrap` keep their promises when the answers are mocked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from yarl import URL

import resilient
from resilient import BreakerPolicy, CircuitBreaker, Retry
from resilient.testing import CallbackResult, FakeClock, aioresponses
from resilient.testing.time.clocks import FakeTimer
from tests.unit.testing.mocked.support import piped

API = "https://api.example/meetings"


MEETING_NOT_FOUND = {
    "error": {
        "code": "not_found",
        "message": "Meeting with ID mtg_xyz789 was not found.",
        "request_id": "req_k1l2m3n4o5",
    }
}
INVALID_USER = {
    "statusCode": 400,
    "message": "Validation failed",
    "error": "Bad Request",
    "errors": [{"field": "email", "message": "Invalid email format"}],
}


# Errors.


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            {"status": 404, "payload": MEETING_NOT_FOUND},
            resilient.NotFoundError,
            MEETING_NOT_FOUND["error"],
        ),
        (
            {"status": 400, "payload": INVALID_USER},
            resilient.ValidationError,
            {
                "message": "Validation failed",
                "field_errors": {"email": "Invalid email format"},
            },
        ),
        (
            {"status": 502, "body": "<html>", "content_type": "text/html"},
            resilient.BadGatewayError,
            {"code": None},
        ),
    ],
    ids=["nested", "flat", "html"],
)
async def test_a_mocked_error_body_becomes_a_typed_error(
    piped_session: aiohttp.ClientSession,
    answer: dict[str, Any],
    kind: type[resilient.APIError],
    said: dict[str, object],
) -> None:
    with aioresponses() as m:
        m.get(API, repeat=True, **answer)
        with pytest.raises(resilient.APIError) as caught:
            await piped_session.get(API)
    assert type(caught.value) is kind
    assert {name: getattr(caught.value, name) for name in said} == said


async def test_an_override_holds(piped_session: aiohttp.ClientSession) -> None:
    with aioresponses() as m:
        m.get(API, status=404, payload=MEETING_NOT_FOUND, repeat=True)
        m.delete(API, status=503, repeat=True)
        with resilient.override(max_attempts=1, raise_errors=False):
            async with piped_session.get(API) as response:
                assert (response.status, await response.json()) == (404, MEETING_NOT_FOUND)
            async with piped_session.delete(API) as response:
                assert response.status == 503
        m.assert_any_call(API, method="DELETE")
        assert len(m.received) == 2


async def test_a_callback_of_raise_for_status_sees_the_last_response(clock: FakeClock) -> None:
    seen: list[int] = []

    async def look(response: aiohttp.ClientResponse) -> None:
        seen.append(response.status)

    with aioresponses() as m:
        m.get(API, status=503)
        m.get(API, status=202)
        async with piped(clock) as session:
            await session.get(API, raise_for_status=look)
    assert seen == [202]


# The breaker.


async def test_the_breaker_opens_on_mocked_failures(clock: FakeClock) -> None:
    breaker = CircuitBreaker(
        BreakerPolicy(consecutive_failures=3, open_for=5, patience=0), clock=clock
    )
    with aioresponses() as m:
        m.get(API, status=503, repeat=True)
        async with aiohttp.ClientSession(middlewares=[breaker]) as session:
            for _ in range(3):
                assert (await session.get(API)).status == 503
            with pytest.raises(resilient.CircuitOpenError):
                await session.get(API)
            assert len(m.received) == len(m.requests["GET", URL(API)]) == 3
            m.clear()
            m.get(API, repeat=True)
            clock.advance(6)
            assert (await session.get(API)).status == 200


async def test_the_pipelines_breaker_saves_attempts(clock: FakeClock) -> None:
    breaker = BreakerPolicy(consecutive_failures=2, patience=0)
    with aioresponses() as m:
        m.get(API, exception=aiohttp.ServerDisconnectedError(), repeat=True)
        async with piped(clock, breaker=breaker) as session:
            with pytest.raises(resilient.ResilientError):
                await session.get(API)
            circuit = resilient.pipeline_of(session).breaker.circuit(URL(API))
            assert circuit.state == "open"
            with pytest.raises(resilient.CircuitOpenError):
                await session.get(API)
        assert len(m.received) == 2


# Time.


async def test_an_attempt_that_hangs_runs_out_of_time_and_was_sent(
    piped_session: aiohttp.ClientSession, clock: FakeClock
) -> None:
    async def hang(url: URL, **kwargs: Any) -> None:
        clock.advance(30)
        await asyncio.Event().wait()

    with aioresponses() as m:
        m.post(API, callback=hang)
        with pytest.raises(resilient.AttemptTimeoutError) as caught:
            await piped_session.post(API)
        # It may have been carried out, so that it is not repeated.
        assert len(caught.value.attempts) == len(m.received) == 1

        m.get(API, callback=hang)
        m.get(API, status=204)
        async with piped_session.get(API) as response:
            assert response.status == 204
            assert len(resilient.attempts_of(response)) == 2


async def test_one_deadline_for_all_attempts(
    piped_session: aiohttp.ClientSession, clock: FakeClock
) -> None:
    def take_long(url: URL, **kwargs: Any) -> CallbackResult:
        clock.advance(45)
        return CallbackResult(status=503)

    async def hang(url: URL, **kwargs: Any) -> None:
        clock.advance(60)
        await asyncio.Event().wait()

    with aioresponses() as m:
        m.get(API, callback=take_long)
        m.get(API, callback=hang)
        with (
            resilient.override(attempt_timeout=float("inf")),
            pytest.raises(resilient.DeadlineExceededError) as caught,
        ):
            await piped_session.get(API)
        assert len(caught.value.attempts) == len(m.received) == 2


async def test_a_cancelled_call_takes_no_more_answers(clock: FakeClock) -> None:
    waiting = asyncio.Event()

    class Stopped(FakeClock):
        def wake_after(self, seconds: float, callback: Callable[[], object]) -> FakeTimer:
            waiting.set()
            return super().wake_after(math.inf, callback)

    with aioresponses() as m:
        m.get(API, status=503, repeat=True)
        async with piped(Stopped()) as session:
            call = asyncio.create_task(session.get(API))
            await waiting.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        m.assert_called_once_with(API)


async def test_a_mocked_cancellation_is_no_failure(piped_session: aiohttp.ClientSession) -> None:
    with aioresponses() as m:
        m.get(API, exception=asyncio.CancelledError())
        with pytest.raises(asyncio.CancelledError):
            await piped_session.get(API)
        m.assert_called_once_with(API)
        circuit = resilient.pipeline_of(piped_session).breaker.circuit(URL(API))
        assert (circuit.counts.calls, circuit.counts.failures) == (0, 0)


# Under wrap.


async def test_redirects_are_one_call_under_wrap(clock: FakeClock) -> None:
    other = "https://other.example/"
    with aioresponses() as m:
        m.get(API, status=503)
        m.get(API, status=302, headers={"Location": other})
        m.get(other, status=503)
        m.get(other, status=204)
        async with piped(clock) as session, session.get(API) as response:
            assert response.status == 204
            attempts = resilient.attempts_of(response)
        assert [(attempt.url, attempt.status) for attempt in attempts] == [
            (API, 503),
            (API, 302),
            (other, 503),
            (other, 204),
        ]
        assert len(m.received) == 4
        # On record is what was asked for, once for each attempt.
        assert {key: len(calls) for key, calls in m.requests.items()} == {("GET", URL(API)): 2}


async def test_middlewares_of_a_call_are_inside_those_of_wrap(clock: FakeClock) -> None:
    runs: list[str] = []

    def named(name: str) -> Any:
        async def middleware(request: Any, handler: Any) -> Any:
            runs.append(name)
            return await handler(request)

        return middleware

    with aioresponses() as m:
        m.get(API, status=503)
        m.get(API)
        retry = Retry(clock=clock)
        async with (
            aiohttp.ClientSession(middlewares=[named("session's")]) as original,
            resilient.wrap(original, named("outside"), retry) as session,
        ):
            await session.get(API, middlewares=[named("call's")])
            assert runs == ["outside", "call's", "call's"]
            m.get(API)
            await session.get(API)
            assert runs[3:] == ["outside", "session's"]
            m.get(API)
            await original.get(API)
            assert runs[5:] == ["session's"]


async def test_a_second_mock_answers_a_session_that_is_wrapped_too(clock: FakeClock) -> None:
    # The class of wrapped sessions is made once, perhaps under another mock.
    for status in (204, 205):
        with aioresponses() as m:
            m.get(API, status=status)
            async with piped(clock) as session, session.get(API) as response:
                assert response.status == status
