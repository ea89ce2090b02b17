"""A call that is over is told once to those who want to know, whatever became of it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

import resilient
from resilient import (
    CallEvent,
    CallEvents,
    CircuitOpenError,
    DeadlineExceededError,
    Pipeline,
    Reason,
    Retry,
    Service,
    Services,
    ServiceUnavailableError,
    listens_to,
)
from resilient.testing import Reply
from tests.integration.support import (
    UNDER,
    Hedge,
    client,
    fault_server,
    policy,
    redirect,
    retry_policy,
    status_of,
    wrapped,
)


class Calls:
    """A listener that keeps calls."""

    kinds = frozenset({"call"})

    def __init__(self) -> None:
        self.heard: list[CallEvent] = []

    def __call__(self, event: resilient.Event) -> None:
        assert isinstance(event, CallEvent)
        self.heard.append(event)

    @property
    def ends(self) -> list[tuple[int, int | None, str | None, Reason | None]]:
        return [(each.attempts, each.status, each.error, each.code) for each in self.heard]


@UNDER
async def test_a_call_that_goes_well_at_last_is_told_once_with_its_attempts(under: Any) -> None:
    calls = Calls()
    pipeline = Pipeline(policy(name="mavio"), listeners=[calls])
    async with fault_server(Reply(503), Reply(503)) as server, under(pipeline) as session:
        assert await status_of(session, server.url / "a" % {"key": "s3cret"}) == 200
        assert await status_of(session, server.url) == 200
    assert calls.ends == [(3, 200, None, None), (1, 200, None, None)]
    first, second = calls.heard
    assert (first.name, first.method, first.url) == ("mavio", "GET", str(server.url / "a"))
    assert first.waited == pytest.approx(0.003)
    assert first.duration >= 0.003
    assert first.call != second.call
    assert str(second).endswith("s, with 1 attempt")


@UNDER
async def test_a_call_that_fails_says_why_no_more_was_tried(under: Any) -> None:
    calls = Calls()
    async with fault_server(then=Reply(503)) as server:
        made = Pipeline(policy(), listeners=[calls])
        async with under(made) as session:
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url)
            made.breaker.circuit(server.url).isolate()
            with pytest.raises(CircuitOpenError):
                await status_of(session, server.url)
    assert calls.ends == [
        (3, None, "ServiceUnavailableError", Reason.ATTEMPTS),
        (0, None, "CircuitOpenError", Reason.CIRCUIT_ISOLATED),
    ]
    assert str(calls.heard[0]).endswith("s, with 3 attempts (attempts)")


@UNDER
async def test_a_deadline_and_a_cancellation_end_calls_too(under: Any) -> None:
    calls = Calls()
    async with fault_server(then=Reply(delay=5)) as server:
        async with under(Pipeline(policy(total_timeout=0.05), listeners=[calls])) as session:
            with pytest.raises(DeadlineExceededError):
                await status_of(session, server.url)
        async with under(Pipeline(policy(), listeners=[calls])) as session:
            task = asyncio.create_task(status_of(session, server.url))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert calls.ends == [
        (1, None, "DeadlineExceededError", Reason.DEADLINE),
        (1, None, "CancelledError", None),
    ]


@pytest.mark.parametrize(("under", "count"), [(client, 2), (wrapped, 1)])
async def test_a_wrapped_session_makes_one_call_of_its_redirects(under: Any, count: int) -> None:
    calls = Calls()
    async with fault_server() as here, fault_server() as there:
        here.script(Reply(503), redirect(there.url))
        services = Services(
            [Service("here", str(here.url), policy()), Service("there", str(there.url), policy())],
            listeners=[calls],
        )
        async with under(services) as session:
            assert await status_of(session, here.url) == 200
    assert [(each.name, each.status) for each in calls.heard] == [
        ("here", 302 if count == 2 else 200),
        ("there", 200),
    ][:count]
    assert sum(each.attempts for each in calls.heard) == 3


async def test_what_aiohttp_refuses_after_the_hops_ends_the_call() -> None:
    calls = Calls()
    pipeline = Pipeline(policy(), listeners=[calls])
    async with fault_server(then=redirect("/")) as server, wrapped(pipeline) as session:
        with pytest.raises(aiohttp.TooManyRedirects):
            await session.get(server.url, max_redirects=3)
    assert calls.ends == [(3, None, "TooManyRedirects", None)]


async def test_a_pipeline_in_another_tells_of_a_call_once() -> None:
    calls = Calls()
    inner = Pipeline(policy(retry=None, total_timeout=None), listeners=[calls])
    outer = Pipeline.of(CallEvents([calls]), Retry(retry_policy()))
    async with fault_server(Reply(503)) as server:
        session = aiohttp.ClientSession(middlewares=[inner])
        async with resilient.wrap(session, outer, close_original=True) as wrapping:
            assert await status_of(wrapping, server.url) == 200
    assert calls.ends == [(2, 200, None, None)]


@UNDER
async def test_a_hedge_outside_makes_two_calls_and_under_wrap_one(under: Any) -> None:
    calls = Calls()
    hedge = Hedge(0.01)
    async with fault_server(Reply(delay=0.2)) as server:
        pipeline = Pipeline(policy(), listeners=[calls])
        if under is client:
            async with client(hedge, pipeline) as session:
                assert await status_of(session, server.url) == 200
            assert sorted(calls.ends, key=str) == [
                (1, 200, None, None),
                (1, None, "CancelledError", None),
            ]
        else:
            async with wrapped(Pipeline.of(hedge, *pipeline)) as session:
                assert await status_of(session, server.url) == 200
            assert calls.ends == [(1, 200, None, None)]


async def test_a_call_within_a_handler_of_errors_goes_well() -> None:
    calls = Calls()
    pipeline = Pipeline(policy(), listeners=[listens_to("call")(calls)])
    async with fault_server() as server, wrapped(pipeline) as session:
        try:
            raise LookupError
        except LookupError:
            assert await status_of(session, server.url) == 200
    assert calls.ends == [(1, 200, None, None)]
