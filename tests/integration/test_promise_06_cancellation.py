"""Promise 6: a cancellation of the user's own is neither swallowed nor taken for a time-out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    Backoff,
    CircuitBreaker,
    Deadline,
    DeadlineExceededError,
    NormalizeErrors,
    Pipeline,
    Retry,
)
from resilient.testing import Answer, FaultServer, Hang, Reply
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


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


# Where a call may be when it is cancelled: the script that brings it there.
PLACES: dict[str, tuple[Answer, ...]] = {
    "an attempt": (Hang(),),
    "a wait": (Reply(503, headers={"Retry-After": "30"}),),
    "an error body": (Reply(503, body=b"xx", body_delay=30),),
    "a later attempt": (Reply(503), Hang()),
}


def patient() -> Any:
    return policy(total_timeout=1000, attempt_timeout=40)


@asynccontextmanager
async def at(place: str, *middlewares: Any) -> AsyncIterator[tuple[FaultServer, Any]]:
    """A session whose next call will stay in one place."""
    async with (
        fault_server(*PLACES[place]) as server,
        client(*middlewares) as session,
    ):
        yield server, session


@pytest.mark.parametrize("place", PLACES)
async def test_cancelling_the_task_ends_the_call_at_once(place: str) -> None:
    async with at(place, Pipeline(patient())) as (server, session):
        task = asyncio.create_task(status_of(session, server.url))
        await server.wait_for(hits=len(PLACES[place]))
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel("by hand")
        with within(2), pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert task.cancelling() == 1
        assert server.hits == len(PLACES[place])


async def call_in_time(
    session: aiohttp.ClientSession, url: object, limits: list[asyncio.Timeout]
) -> Exception:
    """What a call comes to that is given a limit by `asyncio.timeout`, to be set later."""
    try:
        async with asyncio.timeout(None) as limit:
            limits.append(limit)
            await status_of(session, url)
    except Exception as error:
        assert cancelling() == 0
        return error
    raise AssertionError("nothing ended the call")


@pytest.mark.parametrize("place", PLACES)
async def test_a_time_out_of_the_users_own_comes_out_as_it_is(place: str) -> None:
    limits: list[asyncio.Timeout] = []
    async with at(place, Pipeline(patient())) as (server, session):
        task = asyncio.create_task(call_in_time(session, server.url, limits))
        await server.wait_for(hits=len(PLACES[place]))
        await asyncio.sleep(0.01)
        limits[0].reschedule(asyncio.get_running_loop().time())
        with within(2):
            assert type(await task) is TimeoutError
        assert server.hits == len(PLACES[place])


async def test_wait_for_is_respected() -> None:
    async with at("an attempt", Pipeline(patient())) as (server, session):
        with within(2), pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(status_of(session, server.url), 0.02)
        assert type(caught.value) is TimeoutError
        assert cancelling() == 0


def order(clock: FakeClock, *names: str) -> list[Any]:
    made: dict[str, Any] = {
        "deadline": Deadline(10, clock=clock),
        "retry": Retry(retry_policy(), clock=clock),
        "breaker": CircuitBreaker(clock=clock),
        "errors": NormalizeErrors(clock=clock),
        "attempt": AttemptTimeout(10, clock=clock),
    }
    return [made[name] for name in names]


@pytest.mark.parametrize(
    "names",
    [
        ("deadline", "retry", "breaker", "errors", "attempt"),
        ("deadline",),
        ("attempt",),
        ("retry", "attempt"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("first", ["ours", "the user's"])
async def test_a_cancellation_together_with_our_limits_stays_a_cancellation(
    names: tuple[str, ...], first: str
) -> None:
    clock = FakeClock()
    async with at("an attempt", *order(clock, *names)) as (server, session):
        task = asyncio.create_task(status_of(session, server.url))
        await server.wait_for(waiting=1)
        if first == "ours":
            clock.advance(10)
            task.cancel()
        else:
            task.cancel()
            clock.advance(10)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1
        assert server.hits == 1


@pytest.mark.parametrize("place", ["an attempt", "an error body", "a later attempt"])
@pytest.mark.parametrize("first", ["ours", "the user's"])
async def test_a_time_out_of_the_users_together_with_ours_is_one_time_out(
    place: str, first: str
) -> None:
    clock = FakeClock()
    limits: list[Any] = []
    async with at(place, Pipeline(policy(total_timeout=10), clock=clock)) as (server, session):
        task = asyncio.create_task(call_in_time(session, server.url, limits))
        await server.wait_for(hits=len(PLACES[place]))
        await asyncio.sleep(0.005)
        happen = [lambda: clock.advance(10), limits[0]._on_timeout]  # what its timer calls
        for each in happen if first == "ours" else reversed(happen):
            each()
        # The cancellation is the user's as well, so that the time-out is.
        assert type(await task) is TimeoutError
        assert limits[0].expired()


async def test_the_users_limit_around_and_ours_within_leave_no_cancellation_behind() -> None:
    async with fault_server(then=Hang()) as server, client(Pipeline(patient_of(0.02))) as session:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await status_of(session, server.url)
            assert cancelling() == 0
            await asyncio.sleep(0)


def patient_of(total: float) -> Any:
    return policy(total_timeout=total)


async def test_after_our_own_time_outs_the_task_is_not_being_cancelled() -> None:
    async with fault_server(then=Hang()) as server:
        for pipeline in (
            Pipeline(policy(total_timeout=0.02)),
            Pipeline(policy(total_timeout=1, attempt_timeout=0.01)),
            Pipeline.of(Deadline(0.02)),
            Pipeline.of(AttemptTimeout(0.02)),
        ):
            async with wrapped(pipeline) as session:
                with pytest.raises((DeadlineExceededError, AttemptTimeoutError)):
                    await status_of(session, server.url)
                assert cancelling() == 0


async def test_the_sessions_total_together_with_the_deadline_is_one_time_out() -> None:
    async with fault_server(then=Hang()) as server:
        async with client(
            Pipeline(policy(total_timeout=0.02)), timeout=ClientTimeout(total=0.02)
        ) as session:
            for _ in range(5):
                with within(2), pytest.raises(TimeoutError):
                    await status_of(session, server.url)
                assert cancelling() == 0
        assert server.hits <= 5


async def test_attempt_time_out_and_deadline_together_are_the_deadline() -> None:
    clock = FakeClock()
    both = Pipeline(policy(total_timeout=10, attempt_timeout=10), clock=clock)
    async with at("an attempt", both) as (server, session):
        task = asyncio.create_task(status_of(session, server.url))
        await server.wait_for(waiting=1)
        clock.advance(10)
        with pytest.raises(DeadlineExceededError):
            await task
        assert task.cancelling() == 0
        assert server.hits == 1


async def test_a_task_that_had_suppressed_a_cancellation_can_still_time_out() -> None:
    async with (
        fault_server(then=Hang()) as server,
        client(Pipeline(policy(total_timeout=0.02))) as session,
    ):

        async def stubborn() -> int:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                with pytest.raises(DeadlineExceededError):
                    await status_of(session, server.url)
            return cancelling()

        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        task.cancel()
        assert await task == 1


async def test_a_group_that_fails_cancels_its_calls() -> None:
    async def fail() -> None:
        raise LookupError

    calls: list[asyncio.Task[int]] = []
    async with fault_server(then=Hang()) as server, client(Pipeline(patient())) as session:
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 (a group is a block)
            async with asyncio.TaskGroup() as group:
                calls += [group.create_task(status_of(session, server.url)) for _ in range(3)]
                await server.wait_for(waiting=3)
                group.create_task(fail())
        assert caught.group_contains(LookupError)
        assert all(call.cancelled() for call in calls)


async def test_a_middleware_inside_that_swallows_our_time_out_answers_for_it() -> None:
    """It took the cancellation for its own affair; the task must be whole after it."""

    async def swallow(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except asyncio.CancelledError:
            raise aiohttp.ClientConnectionError("swallowed") from None

    async with (
        fault_server(then=Hang()) as server,
        client(Deadline(0.02), swallow) as session,
    ):
        with pytest.raises(aiohttp.ClientConnectionError, match="swallowed"):
            await status_of(session, server.url)
        assert cancelling() == 0
        await asyncio.sleep(0.01)  # and nothing comes after


async def test_a_cancelled_wait_is_over_before_the_wait_is() -> None:
    slow = policy(retry=retry_policy(backoff=Backoff(base=20, jitter="none")))
    async with fault_server(then=Reply(503)) as server, wrapped(Pipeline(slow)) as session:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(status_of(session, server.url)) for _ in range(5)]
            await server.wait_for(hits=5)
            await asyncio.sleep(0.01)
            with within(2):
                for call in calls:
                    call.cancel()
                await asyncio.wait(calls)
        assert server.hits == 5
