"""Promise 6: one deadline over attempts, waits and error bodies; of the call, or of a hop."""

import math
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    Backoff,
    BreakerPolicy,
    Deadline,
    DeadlineExceededError,
    ErrorPolicy,
    NormalizeErrors,
    Pipeline,
    PipelineWarning,
    Retry,
    ServiceUnavailableError,
    override,
    wrap,
)
from resilient.testing import FaultServer, Hang, Received, Reply
from resilient.testing.time.clocks import FakeClock, FakeTimer
from tests.integration.support import (
    after,
    client,
    fault_server,
    passing,
    policy,
    redirect,
    retry_policy,
    status_of,
    within,
    wrapped,
)


def hops(server: FaultServer, clock: FakeClock, each: float) -> None:
    """Two redirects and an answer, each so slow."""
    server.route("/1", then=after(clock, each, redirect("/2")))
    server.route("/2", then=after(clock, each, redirect("/3")))
    server.route("/3", then=after(clock, each, Reply(200)))


async def test_under_wrap_one_deadline_spans_the_redirects() -> None:
    clock = FakeClock()
    async with fault_server() as server:
        hops(server, clock, each=4)
        async with wrapped(Pipeline(policy(total_timeout=10), clock=clock)) as session:
            with pytest.raises(DeadlineExceededError) as caught:
                await status_of(session, server.url / "1")
        assert server.hits == 3
    assert [attempt.url.rpartition("/")[2] for attempt in caught.value.attempts] == ["1", "2", "3"]
    assert caught.value.timeout == 10


async def test_under_wrap_it_spans_the_redirects_of_a_probe_too() -> None:
    clock = FakeClock()
    touchy = BreakerPolicy(consecutive_failures=1, patience=0)
    given = policy(total_timeout=10, retry=None, breaker=touchy)
    async with fault_server() as server:
        server.route("/0", then=Reply(503))
        hops(server, clock, each=4)
        async with wrapped(Pipeline(given, clock=clock)) as session:
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url / "0")
            clock.advance(1)
            with pytest.raises(DeadlineExceededError):
                await status_of(session, server.url / "1")


async def test_one_within_another_pipeline_gives_each_hop_the_whole_time() -> None:
    clock = FakeClock()
    outer = Pipeline(policy(total_timeout=None), clock=clock)
    async with fault_server() as server:
        hops(server, clock, each=4)
        inner = [Deadline(10, clock=clock)]
        async with aiohttp.ClientSession(middlewares=inner) as plain:
            with pytest.warns(PipelineWarning, match="a Deadline inside Retry"):
                session = wrap(plain, outer)
            for _ in range(2):
                assert await status_of(session, server.url / "1") == 200


async def test_a_plain_middleware_gives_each_hop_the_whole_time() -> None:
    clock = FakeClock()
    async with fault_server() as server:
        hops(server, clock, each=4)
        async with client(Pipeline(policy(total_timeout=10), clock=clock)) as session:
            assert await status_of(session, server.url / "1") == 200


async def test_under_wrap_a_hop_is_not_begun_when_no_time_is_left() -> None:
    clock = FakeClock()

    async def late(*_: object) -> None:
        clock.advance(10)

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(late)
    async with fault_server() as server:
        server.route("/1", then=redirect("/2"))
        async with wrapped(
            Pipeline(policy(total_timeout=10), clock=clock), trace_configs=[trace]
        ) as session:
            with pytest.raises(DeadlineExceededError):
                await status_of(session, server.url / "1")
        assert server.hits == 1


async def test_the_deadline_spans_attempts_and_waits() -> None:
    clock = FakeClock()
    async with fault_server() as server:
        server.script(after(clock, 3, Reply(503)), after(clock, 3, Reply(503)))
        server.script(after(clock, 3, Reply(200)))
        quick = policy(total_timeout=10, retry=retry_policy(backoff=Backoff(base=1, jitter="none")))
        async with client(Pipeline(quick, clock=clock)) as session:
            # 3 + 1 + 3 + 2, and the third is cut off after one of its three seconds.
            with pytest.raises(DeadlineExceededError) as caught:
                await status_of(session, server.url)
        assert server.hits == 3
    error = caught.value
    assert [attempt.waited for attempt in error.attempts] == [1, 2, None]
    assert [attempt.status for attempt in error.attempts] == [503, 503, None]
    assert isinstance(error.__cause__, ServiceUnavailableError)
    assert error.stop_reason == "the deadline passed"
    assert "within 10 s" in str(error)
    assert "3 attempts" in str(error)
    assert len(error.__notes__) == 3


async def test_the_error_is_a_timeout_and_aiohttps() -> None:
    pipeline = Pipeline(policy(total_timeout=0.02))
    async with fault_server(then=Hang()) as server, client(pipeline) as s:
        for expected in (TimeoutError, aiohttp.ClientError, aiohttp.ServerTimeoutError):
            with within(2), pytest.raises(expected) as caught:
                await status_of(s, server.url)
            assert type(caught.value) is DeadlineExceededError
    assert not isinstance(caught.value, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError)


async def test_a_wait_that_does_not_fit_gives_the_servers_own_error_at_once() -> None:
    clock = FakeClock()
    async with fault_server(then=Reply(503, headers={"Retry-After": "11"})) as server:
        async with client(Pipeline(policy(total_timeout=10), clock=clock)) as session:
            with pytest.raises(ServiceUnavailableError) as caught:
                await status_of(session, server.url)
        assert server.hits == 1
    assert clock.sleeps == []
    assert caught.value.retry_after == 11
    assert "does not fit" in str(caught.value.stop_reason)


async def test_a_wait_that_fitted_and_took_longer_is_cut_by_the_deadline() -> None:
    class Sluggish(FakeClock):
        def wake_after(self, seconds: float, callback: Callable[[], object]) -> FakeTimer:
            return super().wake_after(seconds * 100, callback)

    clock = Sluggish()
    async with fault_server(Reply(503)) as server:
        quick = policy(total_timeout=10, retry=retry_policy(backoff=Backoff(base=1, jitter="none")))
        async with client(Pipeline(quick, clock=clock)) as session:
            with pytest.raises(DeadlineExceededError) as caught:
                await status_of(session, server.url)
        assert server.hits == 1
    assert isinstance(caught.value.__cause__, ServiceUnavailableError)
    assert caught.value.attempts[0].waited == 1


async def test_the_reading_of_an_error_body_is_within_the_deadline() -> None:
    clock = FakeClock()
    stalled = Reply(503, body=b"x" * 10, body_delay=5)
    patient = policy(total_timeout=20, errors=ErrorPolicy(read_timeout=60), retry=None)
    async with (
        fault_server(then=stalled) as server,
        client(Pipeline(patient, clock=clock)) as session,
        passing(clock, server),
    ):
        # Cut short in good time: the server's error is worth more than a time-out.
        with pytest.raises(ServiceUnavailableError) as caught:
            await status_of(session, server.url)
        assert clock.time() < 20
    assert caught.value.body == b""


async def test_the_deadline_ends_with_the_handing_over_of_the_response() -> None:
    clock = FakeClock()
    async with (
        fault_server(Reply(200, body=b"late", body_delay=0.01)) as server,
        client(Pipeline(policy(total_timeout=10), clock=clock)) as session,
        session.get(server.url) as response,
    ):
        clock.advance(100)
        assert await response.read() == b"late"


@pytest.mark.parametrize("seconds", [0.02, 5.0])
async def test_an_override_changes_the_deadline(seconds: float) -> None:
    async with fault_server(Hang(0.06)) as server:
        pipeline = Pipeline(policy(total_timeout=1, retry=None, attempt_timeout=None))
        async with client(pipeline) as session:
            with (
                override(total_timeout=seconds),
                within(2),
                pytest.raises(aiohttp.ClientError) as caught,
            ):
                await session.post(server.url)
    assert isinstance(caught.value, DeadlineExceededError) == (seconds < 0.06)
    if isinstance(caught.value, DeadlineExceededError):
        assert caught.value.timeout == seconds


async def test_an_override_can_lift_the_deadline() -> None:
    clock = FakeClock()
    async with fault_server() as server:
        hops(server, clock, each=400)
        async with wrapped(
            Pipeline(policy(total_timeout=10, attempt_timeout=None), clock=clock)
        ) as session:
            with override(total_timeout=math.inf):
                assert await status_of(session, server.url / "1") == 200


async def test_an_overridden_deadline_spans_the_redirects_too() -> None:
    clock = FakeClock()
    async with fault_server() as server:
        hops(server, clock, each=4)
        async with wrapped(Pipeline(policy(total_timeout=100), clock=clock)) as session:
            with override(total_timeout=6), pytest.raises(DeadlineExceededError):
                await status_of(session, server.url / "1")
        assert server.hits == 2


async def test_a_deadline_inside_retry_gives_each_attempt_the_whole_time() -> None:
    """As the table of the order in `composition` says of that swap."""
    clock = FakeClock()
    async with fault_server(Hang(), Hang()) as server:
        with pytest.warns(UserWarning, match="Deadline inside Retry"):
            pipeline = Pipeline.of(Retry(retry_policy(), clock=clock), Deadline(10, clock=clock))
        server.route("/", advance_in_a_hang(server, clock), advance_in_a_hang(server, clock))
        async with client(pipeline) as session:
            assert await status_of(session, server.url) == 200
        assert server.hits == 3


def advance_in_a_hang(server: FaultServer, clock: FakeClock) -> Any:
    """An answer that never comes, and takes 20 s of the clock not to come."""

    async def answer(_: Received) -> Hang:
        clock.advance(20)
        return Hang()

    return answer


async def test_an_inner_deadline_gives_the_outer_one_back() -> None:
    clock = FakeClock()
    async with fault_server(after(clock, 0.6, Reply(503)), after(clock, 0.6, Reply(200))) as server:
        pipeline = Pipeline.of(
            Deadline(100, clock=clock),
            Retry(retry_policy(), clock=clock),
            Deadline(1, clock=clock),
            NormalizeErrors(clock=clock),
        )
        async with client(pipeline) as session:
            assert await status_of(session, server.url) == 200
        assert server.hits == 2


async def test_limits_that_were_met_leave_no_timers_behind() -> None:
    clock = FakeClock()
    async with (
        fault_server() as server,
        wrapped(Pipeline(policy(), clock=clock)) as session,
    ):
        for _ in range(20):
            clock.advance(1)
            assert await status_of(session, server.url) == 200
        assert clock.timers <= 3  # one for each duration, and that of the quick way
        clock.advance(1000)
        assert clock.timers == 0
        assert await status_of(session, server.url) == 200


async def test_attempts_that_run_out_of_time_are_no_exceeded_deadline() -> None:
    clock = FakeClock()
    async with fault_server() as server:
        server.route("/", then=advance_in_a_hang(server, clock))
        pipeline = Pipeline(policy(total_timeout=1000, attempt_timeout=10), clock=clock)
        async with client(pipeline) as session:
            with pytest.raises(AttemptTimeoutError) as caught:
                await status_of(session, server.url)
        assert server.hits == 3
    assert caught.value.timeout == 10
    assert len(caught.value.attempts) == 3


@pytest.mark.parametrize("outer", [Deadline, AttemptTimeout])
async def test_alone_a_limit_works_as_well(outer: type[Deadline | AttemptTimeout]) -> None:
    clock = FakeClock()
    async with (
        fault_server(then=Hang()) as server,
        client(outer(5, clock=clock)) as session,
        passing(clock, server),
    ):
        with pytest.raises(TimeoutError) as caught:
            await session.post(server.url)
        assert server.hits == 1
    assert type(caught.value) in (DeadlineExceededError, AttemptTimeoutError)
