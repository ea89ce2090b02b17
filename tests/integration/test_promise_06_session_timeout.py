"""Promise 6: the time that the session itself allows is not outlived, and comes out as such."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout

import resilient
from resilient import (
    AttemptTimeoutError,
    Backoff,
    DeadlineExceededError,
    Pipeline,
    Retry,
    ServiceUnavailableError,
)
from resilient.testing import Hang, Received, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    client,
    fault_server,
    policy,
    retry_policy,
    status_of,
    within,
    wrapped,
)

SHORT = ClientTimeout(total=0.05)
LONG_WAITS = Backoff(base=5, jitter="none")


def retry(**changes: Any) -> Retry:
    return Retry(retry_policy(**changes))


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("per_call", [True, False])
async def test_waiting_for_a_response_ends_with_the_total(under: Any, per_call: bool) -> None:
    total: dict[str, Any] = {"timeout": SHORT}
    given, made = (total, {}) if per_call else ({}, total)
    async with (
        fault_server(then=Hang()) as server,
        under(Pipeline(policy()), **made) as session,
    ):
        with within(2), pytest.raises(TimeoutError) as caught:
            await status_of(session, server.url, **given)
    assert server.hits <= 1
    if server.hits:  # where the machine is busy, the time is over before anything is sent
        error = caught.value
        assert isinstance(error, DeadlineExceededError)
        # Under `wrap` the call's own total is its deadline, and either timer may be first.
        assert error.timeout in (None, 0.05 if per_call and under is wrapped else None)
        if error.timeout is None:
            assert [attempt.error for attempt in error.attempts] == ["TimeoutError"]
            assert "total timeout of the session" in str(error.stop_reason)


@pytest.mark.parametrize("under", [client, wrapped])
async def test_a_wait_ends_with_the_total(under: Any) -> None:
    async with fault_server(then=Reply(503)) as server:
        pipeline = Pipeline(policy(retry=retry_policy(backoff=LONG_WAITS)))
        async with under(pipeline, timeout=SHORT) as session:
            with within(2), pytest.raises((TimeoutError, ServiceUnavailableError)):
                await status_of(session, server.url)
        assert server.hits <= 1


async def test_under_wrap_a_wait_that_does_not_fit_the_total_is_refused_at_once() -> None:
    async with (
        fault_server(then=Reply(503, headers={"Retry-After": "9"})) as server,
        wrapped(Pipeline(policy()), timeout=ClientTimeout(total=5)) as session,
    ):
        with within(2), pytest.raises(ServiceUnavailableError) as caught:
            await status_of(session, server.url)
    assert caught.value.retry_after == 9
    assert "does not fit" in str(caught.value.stop_reason)


async def test_waiting_for_the_pool_ends_with_the_total() -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with (
        fault_server(Hang()) as server,
        client(Pipeline(policy()), timeout=SHORT, connector=connector) as session,
    ):
        first = asyncio.create_task(session.post(server.url, timeout=ClientTimeout(total=9)))
        await server.wait_for(hits=1)
        with within(2), pytest.raises(TimeoutError):
            await status_of(session, server.url)
        assert server.hits <= 1
        first.cancel()
        await asyncio.wait([first])


async def test_a_body_nobody_wants_does_not_use_the_total_up_unseen() -> None:
    """The total may run out while a discarded response is drained: no wait comes after that."""
    clock = FakeClock()
    async with (
        fault_server(Reply(503, body=b"xx", body_delay=9)) as server,
        client(Retry(retry_policy(), clock=clock), timeout=SHORT) as session,
    ):
        with within(2), pytest.raises(TimeoutError):
            await status_of(session, server.url)
    assert clock.sleeps == []
    assert server.hits <= 1


async def test_an_error_body_does_not_use_the_total_up_unseen() -> None:
    clock = FakeClock()
    async with (
        fault_server(Reply(503, body=b"xx", body_delay=9)) as server,
        client(Pipeline(policy(), clock=clock), timeout=SHORT) as session,
    ):
        with within(2), pytest.raises((TimeoutError, ServiceUnavailableError)):
            await status_of(session, server.url)
    assert clock.sleeps == []
    assert server.hits <= 1


async def test_a_body_read_within_the_attempt_ends_with_the_total() -> None:
    async with fault_server(then=Reply(200, body=b"xx", body_delay=9)) as server:
        async with client(retry(read_body_up_to=100), timeout=SHORT) as session:
            with within(2), pytest.raises(TimeoutError):
                await status_of(session, server.url)
        assert server.hits <= 1


@pytest.mark.parametrize("under", [client, wrapped])
async def test_a_stalled_read_is_an_attempts_time_out_and_repeated(under: Any) -> None:
    async with fault_server(then=Hang()) as server:
        async with under(Pipeline(policy()), timeout=ClientTimeout(sock_read=0.01)) as session:
            with within(2), pytest.raises(AttemptTimeoutError) as caught:
                await status_of(session, server.url)
        await server.wait_for(hits=3)
    assert server.hits == 3
    assert isinstance(caught.value.__cause__, aiohttp.SocketTimeoutError)


async def test_a_post_whose_read_stalled_is_not_repeated() -> None:
    async with fault_server(then=Hang()) as server:
        async with client(Pipeline(policy()), timeout=ClientTimeout(sock_read=0.01)) as session:
            with pytest.raises(AttemptTimeoutError) as caught:
                await session.post(server.url)
        await server.wait_for(hits=1)
    assert server.hits == 1
    assert "may have been carried out" in str(caught.value.stop_reason)


class _Fails:
    """A middleware of somebody else's whose own limit runs out, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.calls = 0

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        self.calls += 1
        if self.calls <= self.times:
            raise TimeoutError("mine")
        return await handler(request)


@pytest.mark.parametrize("total", [300, None], ids=["a total", "no total"])
async def test_a_time_out_of_another_middleware_is_not_taken_for_the_sessions(
    total: float | None,
) -> None:
    timeout = ClientTimeout(total=total)
    async with fault_server() as server:
        async with client(retry(), _Fails(2), timeout=timeout) as session:
            assert await status_of(session, server.url) == 200
        fails = _Fails(9)
        async with client(retry(), fails, timeout=timeout) as session:
            with pytest.raises(AttemptTimeoutError) as caught:
                await status_of(session, server.url)
            assert fails.calls == 3
    assert "session" not in str(caught.value.stop_reason)


@pytest.mark.parametrize("given", [None, ClientTimeout(total=None), ClientTimeout(), 0])
async def test_a_call_may_lift_the_total_of_the_session(given: Any) -> None:
    async with fault_server(Reply(503)) as server:
        pipeline = Pipeline(policy(retry=retry_policy(backoff=Backoff(base=0.06, jitter="none"))))
        async with wrapped(pipeline, timeout=ClientTimeout(total=0.05)) as session:
            assert await status_of(session, server.url, timeout=given) == 200


async def test_a_call_may_shorten_the_total_of_the_session() -> None:
    async with (
        fault_server(then=Reply(503, headers={"Retry-After": "2"})) as server,
        wrapped(Pipeline(policy()), timeout=ClientTimeout(total=50)) as session,
    ):
        with within(2), pytest.raises(ServiceUnavailableError) as caught:
            await status_of(session, server.url, timeout=ClientTimeout(total=1))
    assert "does not fit" in str(caught.value.stop_reason)


@pytest.mark.parametrize("start", [0.0, 1.8e9, -1e9], ids=["zero", "later", "earlier"])
async def test_the_zero_of_a_clock_means_nothing_under_wrap(start: float) -> None:
    """As the protocol of the clock says; the session's own total is on the loop's scale."""
    clock = FakeClock(start)
    async with fault_server(Reply(503), Reply(503)) as server:
        async with wrapped(Pipeline(policy(), clock=clock)) as session:
            assert await status_of(session, server.url) == 200
        async with wrapped(Pipeline(policy(total_timeout=None), clock=clock)) as session:
            server.script(Reply(503, headers={"Retry-After": "40"}))
            with pytest.raises(ServiceUnavailableError) as caught:
                await status_of(session, server.url, timeout=ClientTimeout(total=30))
    assert "does not fit" in str(caught.value.stop_reason)


async def test_a_session_timeout_in_a_later_attempt_is_not_outlived() -> None:
    def slow(_: Received) -> Hang:
        return Hang()

    async with (
        fault_server(Reply(503), then=slow) as server,
        client(Pipeline(policy()), timeout=ClientTimeout(total=0.15)) as session,
    ):
        with within(2), pytest.raises(DeadlineExceededError) as caught:
            await status_of(session, server.url)
    assert server.hits <= 2
    assert [attempt.status for attempt in caught.value.attempts][-1] is None


async def test_closing_the_session_in_a_wait_ends_the_call() -> None:
    async with fault_server(then=Reply(503)) as server:
        session = aiohttp.ClientSession()
        put_under = resilient.wrap(
            session,
            Pipeline(policy(retry=retry_policy(backoff=Backoff(base=0.02, jitter="none")))),
        )
        call = asyncio.create_task(status_of(put_under, server.url))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.005)
        await session.close()
        with within(2), pytest.raises((aiohttp.ClientError, RuntimeError)):
            await call
        assert server.hits == 1
