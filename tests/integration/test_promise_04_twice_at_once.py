"""A request may be under way twice at once: middlewares of others shield, and hedge."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

import resilient
from resilient import (
    AttemptTimeout,
    CircuitBreaker,
    Deadline,
    NormalizeErrors,
    Pipeline,
    Retry,
    attempts_of,
    override,
)
from resilient.testing import FaultServer, Hang, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    Hedge,
    client,
    fault_server,
    policy,
    redirect,
    retry_policy,
    turns,
    wrapped,
)

SHAPES: dict[str, Any] = {
    "pipeline": lambda between: [Pipeline(policy()), *between],
    "one by one": lambda between: [
        Deadline(50), *between, Retry(retry_policy()), CircuitBreaker(), NormalizeErrors(),
        AttemptTimeout(20),
    ],
    "within": lambda between: [
        Deadline(50), Retry(retry_policy()), *between, CircuitBreaker(), NormalizeErrors(),
        AttemptTimeout(20),
    ],
    "outside": lambda between: [*between, Pipeline(policy())],
}  # fmt: skip


class Shielding:
    """Goes on with a request after its caller has gone."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Future[ClientResponse]] = []

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        task = asyncio.ensure_future(handler(request))
        self.tasks.append(task)
        # As asyncio.shield(), which says from Python 3.14 on that an error came too late.
        await asyncio.wait([task])
        return task.result()


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_request_that_is_shielded_goes_on_after_its_caller(shape: str, under: Any) -> None:
    shielding = Shielding()
    answer = asyncio.Event()

    async def later(_: object) -> Reply:
        await answer.wait()
        return Reply(503)

    middlewares = SHAPES[shape]([shielding])
    async with FaultServer(later) as server, under(*middlewares) as session:
        call = asyncio.ensure_future(session.get(server.url))
        await server.wait_for(hits=1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        answer.set()
        await asyncio.wait(shielding.tasks)
        for task in shielding.tasks:
            error = task.exception()
            if error is None:
                task.result().release()
            else:
                assert getattr(error, "status", None) == 503
        await turns()


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_request_that_is_hedged_is_answered_by_the_quicker(shape: str, under: Any) -> None:
    async with FaultServer(Hang(), Reply()) as server, under(*SHAPES[shape]([Hedge(0.02)])) as made:
        async with made.get(server.url) as response:
            assert response.status == 200
        assert server.hits == 2


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_request_that_is_sent_many_times_at_once_fails_as_each_does(shape: str) -> None:
    async def thrice(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        ends = await asyncio.gather(*(handler(request) for _ in range(3)), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                assert getattr(end, "status", None) == 503, end
            else:
                end.release()
        return await handler(request)

    async with fault_server(then=Reply(503)) as server, client(*SHAPES[shape]([thrice])) as made:
        with contextlib.suppress(Exception):
            response = await made.get(server.url)
            response.release()
        assert server.hits >= 4


# -- under `wrap` a call spans its hops, and of each hop there may be two at once


def told(response: ClientResponse) -> list[int | None]:
    return [attempt.status for attempt in attempts_of(response)]


@pytest.mark.parametrize("under", [client, wrapped])
async def test_a_twin_tells_its_own_attempts(under: Any) -> None:
    async with (
        FaultServer(Hang(), Reply(503)) as server,
        under(Hedge(0.02), Pipeline(policy())) as session,
        session.get(server.url) as response,
    ):
        assert told(response) == [503, 200]
    assert told(response) == [503, 200]


@pytest.mark.parametrize("under", [client, wrapped])
async def test_twins_that_both_go_on_tell_each_its_own(under: Any) -> None:
    both: list[ClientResponse] = []

    async def twice(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        both.extend(await asyncio.gather(handler(request), handler(request)))
        for each in both:
            await each.read()
        return both[0]

    steps = Reply(503), Reply(503, delay=0.03), Reply(200, delay=0.06), Reply(200)
    async with (
        fault_server(*steps) as server,
        under(twice, Pipeline(policy())) as session,
        session.get(server.url),
    ):
        assert [told(each) for each in both] == [[503, 200]] * 2


async def test_a_redirect_after_a_hedged_hop_goes_on_from_the_twin_that_answered() -> None:
    async with (
        FaultServer(Hang(), Reply(503), redirect("/next"), Reply(503)) as server,
        wrapped(Hedge(0.02), Pipeline(policy())) as session,
        session.get(server.url) as response,
    ):
        assert told(response) == [503, 302, 503, 200]


async def test_a_request_that_is_made_again_after_its_first_run_goes_on_with_the_call() -> None:
    async def again(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except resilient.ServiceUnavailableError:
            return await asyncio.ensure_future(handler(request))

    async with (
        fault_server(Reply(503), Reply(503), Reply(503)) as server,
        wrapped(again, Pipeline(policy())) as session,
        session.get(server.url) as response,
    ):
        assert told(response) == [503, 503, 503, 200]


async def test_one_deadline_bounds_both_twins_of_a_call() -> None:
    """The second begins later, and ends at the same time."""
    clock = FakeClock()
    ends: list[float] = []

    async def told_when(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except resilient.DeadlineExceededError:
            ends.append(clock.time())
            raise

    async def twice(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        first = asyncio.ensure_future(handler(request))
        await asyncio.sleep(0)
        clock.advance(4)
        second = asyncio.ensure_future(handler(request))
        await server.wait_for(hits=2)
        clock.advance(5.5)
        await turns()
        assert not ends
        clock.advance(1)
        await asyncio.wait([first, second], timeout=5)
        assert len(ends) == 2
        second.exception()
        return await first

    pipeline = Pipeline(policy(total_timeout=10, attempt_timeout=None), clock=clock)
    async with (
        FaultServer(then=Hang()) as server,
        wrapped(twice, told_when, pipeline) as session,
    ):
        with pytest.raises(resilient.DeadlineExceededError):
            await session.get(server.url)


@pytest.mark.parametrize("under", [client, wrapped])
async def test_an_override_holds_for_both_of_two_at_once(under: Any) -> None:
    """Neither tries again, and neither raises."""
    both: list[ClientResponse] = []

    async def twice(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        both.extend(await asyncio.gather(handler(request), handler(request)))
        both[1].release()
        return both[0]

    async with fault_server(then=Reply(503)) as server, under(twice, Pipeline(policy())) as session:
        with override(max_attempts=1, raise_errors=False):
            async with session.get(server.url):
                assert [each.status for each in both] == [503, 503]
        assert server.hits == 2


@pytest.mark.parametrize("leave", [False, True])
async def test_events_of_twins_carry_the_number_of_their_call(leave: bool) -> None:
    numbers: set[int] = set()
    hedge = Hedge(0.02, leave=leave)
    pipeline = Pipeline(policy(), listeners=[lambda event: numbers.add(getattr(event, "call", 0))])
    async with (
        FaultServer(Reply(200, delay=0.1), Reply(503)) as server,
        wrapped(hedge, pipeline) as session,
    ):
        async with session.get(server.url) as response:
            assert response.status == 200
        await hedge.close()
    assert len(numbers) == 1


async def test_a_twin_that_outlives_its_call_ends_like_any_other() -> None:
    hedge = Hedge(leave=True)
    async with (
        fault_server(Reply(200, delay=0.05), Reply(200)) as server,
        wrapped(hedge, Pipeline(policy())) as session,
    ):
        async with session.get(server.url) as response:
            assert told(response) == [200]
        await hedge.close()
        assert told(response) == [200]
