"""Retry keeps its promises when the answers are mocked."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from yarl import URL

import resilient
from resilient import Retry, RetryPolicy
from resilient.testing import CallbackResult, FakeClock, aioresponses
from tests.unit.testing.mocked.support import piped

API = "https://api.example/meetings"


async def test_what_fails_is_tried_again(piped_session: aiohttp.ClientSession) -> None:
    with aioresponses() as m:
        m.get(API, status=503, repeat=2)
        m.get(API, payload={"meetings": []})
        async with piped_session.get(API) as response:
            assert await response.json() == {"meetings": []}
            attempts = resilient.attempts_of(response)
        assert [attempt.status for attempt in attempts] == [503, 503, 200]
        assert len(m.requests["GET", URL(API)]) == len(m.received) == 3


async def test_retry_works_alone(clock: FakeClock) -> None:
    with aioresponses() as m:
        m.get(API, status=503, repeat=True)
        retry = Retry(RetryPolicy(max_attempts=4), clock=clock)
        async with (
            aiohttp.ClientSession(middlewares=[retry]) as session,
            session.get(API) as response,
        ):
            assert response.status == 503
            assert len(resilient.attempts_of(response)) == 4
        assert len(m.received) == 4


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        ({"status": 503}, 1),
        ({"status": 429}, 3),
        ({"exception": aiohttp.ServerDisconnectedError()}, 1),
        ({"timeout": True}, 1),
    ],
    ids=["503", "429", "disconnected", "timeout"],
)
async def test_a_post_is_repeated_only_where_it_was_not_carried_out(
    piped_session: aiohttp.ClientSession, answer: dict[str, Any], sent: int
) -> None:
    with aioresponses() as m:
        m.post(API, repeat=True, **answer)
        with pytest.raises(resilient.ResilientError) as caught:
            await piped_session.post(API, json={"a": 1})
        assert len(caught.value.attempts) == len(m.received) == sent


async def test_a_post_that_was_never_sent_is_repeated(piped_session: aiohttp.ClientSession) -> None:
    with aioresponses() as m:
        m.post(API, exception=aiohttp.ConnectionTimeoutError("late"), repeat=2)
        m.post(API, status=201)
        async with piped_session.post(API, json={"a": 1}) as response:
            assert response.status == 201
            assert len(resilient.attempts_of(response)) == 3
        assert len(m.requests["POST", URL(API)]) == 3
        assert len(m.received) == 1


@pytest.mark.parametrize(
    "failure",
    [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientOSError(104, "Connection reset by peer"),
        aiohttp.ClientPayloadError("cut"),
        aiohttp.ServerTimeoutError("late"),
        TimeoutError("late"),
    ],
    ids=repr,
)
async def test_a_failure_of_the_transport_is_tried_again_and_exactly_counted(
    piped_session: aiohttp.ClientSession, failure: Exception
) -> None:
    with aioresponses() as m:
        m.get(API, exception=failure, repeat=True)
        with pytest.raises(resilient.ResilientError) as caught:
            await piped_session.get(API)
        assert isinstance(
            caught.value, resilient.ConnectionFailedError | resilient.AttemptTimeoutError
        )
        assert caught.value.__cause__ is failure
        assert len(caught.value.attempts) == len(m.received) == 3


async def test_what_is_not_mocked_is_a_refused_connection(
    piped_session: aiohttp.ClientSession,
) -> None:
    with aioresponses() as m:
        with pytest.raises(resilient.ConnectionFailedError) as caught:
            await piped_session.get(API)
        assert "Connection refused" in str(caught.value.__cause__)
        assert len(m.requests["GET", URL(API)]) == 3
        assert m.received == []


async def test_a_bug_is_not_tried_again(piped_session: aiohttp.ClientSession) -> None:
    with aioresponses() as m:
        m.get(API, exception=LookupError("a bug"))
        with pytest.raises(LookupError, match="a bug"):
            await piped_session.get(API)
        m.assert_called_once_with(API)


async def test_a_body_that_is_read_once_is_sent_once(piped_session: aiohttp.ClientSession) -> None:
    async def parts() -> Any:
        yield b"abc"

    with aioresponses() as m:
        m.put(API, status=503)
        m.put(API)
        with pytest.raises(resilient.ServiceUnavailableError) as caught:
            await piped_session.put(API, data=parts())
        assert caught.value.stop_reason == "its body can be read only once"
        assert [received.body for received in m.received] == [b"abc"]


async def test_every_attempt_sends_the_same_body(piped_session: aiohttp.ClientSession) -> None:
    with aioresponses() as m:
        m.put(API, status=503, repeat=2)
        m.put(API)
        form = aiohttp.FormData({"a": "b"})
        form.add_field("file", b"abc", filename="c")
        async with piped_session.put(API, data=form):
            pass
        bodies = [received.body for received in m.received]
        assert len(bodies) == 3
        assert len(set(bodies)) == 1
        assert b"abc" in bodies[0]


async def test_the_idempotency_key_is_the_same_for_each_attempt(clock: FakeClock) -> None:
    keys: list[str] = []

    def callback(url: URL, **kwargs: Any) -> CallbackResult:
        keys.append(kwargs["headers"]["Idempotency-Key"])
        return CallbackResult(status=503 if len(keys) < 3 else 201)

    retry = RetryPolicy(idempotency_header="Idempotency-Key")
    with aioresponses() as m:
        m.post(API, callback=callback, repeat=True)
        async with piped(clock, retry=retry) as session, session.post(API) as response:
            assert response.status == 201
        assert [received.headers["Idempotency-Key"] for received in m.received] == keys
    assert len(keys) == 3
    assert len(set(keys)) == 1


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:09 GMT"}, 9),
        ({"retry-after-ms": "1500"}, 1.5),
    ],
)
async def test_the_servers_time_is_a_floor(
    piped_session: aiohttp.ClientSession, clock: FakeClock, headers: dict[str, str], least: float
) -> None:
    with aioresponses() as m:
        m.get(API, status=429, headers=headers)
        m.get(API)
        async with piped_session.get(API):
            pass
    (slept,) = clock.sleeps
    assert least <= slept < least * 1.5
