"""Promise 12: errors and responses say what was attempted, how long, what was waited, and why."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ServerDisconnectedError

from resilient import (
    APIError,
    Backoff,
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    ConnectionFailedError,
    Deadline,
    DeadlineExceededError,
    ErrorPolicy,
    NormalizeErrors,
    NotFoundError,
    Pipeline,
    Reason,
    ResilientError,
    Retry,
    ServiceUnavailableError,
    attempts_of,
    override,
    pipeline_of,
)
from resilient.testing import Disconnect, Hang, Received, Reply
from resilient.testing.time.clocks import FakeClock, FakeTimer
from tests.integration.support import (
    client,
    fault_server,
    passing,
    policy,
    redirect,
    retry_policy,
    status_of,
    wrapped,
)

SECONDS = Backoff(base=1, jitter="none")


def taking(clock: FakeClock, seconds: float, status: int) -> Any:
    def answer(_: Received) -> Reply:
        clock.advance(seconds)
        return Reply(status)

    return answer


async def test_a_response_tells_of_each_attempt() -> None:
    clock = FakeClock()
    async with fault_server(taking(clock, 0.5, 503), taking(clock, 0.25, 500)) as server:
        pipeline = Pipeline(policy(retry=retry_policy(backoff=SECONDS)), clock=clock)
        async with wrapped(pipeline) as session, session.get(server.url / "x") as response:
            first, second, third = attempts_of(response)
    assert (first.number, second.number, third.number) == (1, 2, 3)
    assert first.method == "GET"
    assert first.url == str(server.url / "x")
    assert (first.status, second.status, third.status) == (503, 500, 200)
    assert (first.started, second.started, third.started) == (0, 1.5, 3.75)
    assert (first.duration, second.duration, third.duration) == (0.5, 0.25, 0)
    assert (first.waited, second.waited, third.waited) == (1, 2, None)
    assert (first.reason, second.reason, third.reason) == ("status 503", "status 500", None)
    assert str(first) == (
        f"attempt 1: GET {server.url / 'x'} -> 503 in 0.500 s, then waited 1.000 s (status 503)"
    )


async def test_a_response_at_once_has_one_attempt_and_others_none() -> None:
    async with fault_server() as server:
        async with client(Pipeline(policy())) as session, session.get(server.url) as response:
            assert [attempt.status for attempt in attempts_of(response)] == [200]
        async with client(NormalizeErrors()) as session, session.get(server.url) as response:
            assert attempts_of(response) == ()


WHY: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no attempt left": (Reply(503), {}, "no attempt is left of 3"),
    "not worth it": (Reply(404), {}, "status 404 is not repeated"),
    "the server asks for too long": (
        Reply(429, headers={"Retry-After": "600"}),
        {},
        "asks to wait 600 s, more than max_retry_after",
    ),
    "it does not fit": (
        Reply(503, headers={"Retry-After": "50"}),
        {"total_timeout": 20},
        "does not fit",
    ),
    "the server says no": (
        Reply(503, headers={"x-should-retry": "false"}),
        {},
        "x-should-retry: false",
    ),
    "the judge says no": (Reply(503), {"judge": lambda *_: False}, "the judge hook"),
    "no waits": (
        Reply(503),
        {"backoff": Backoff(wait=lambda: iter(()))},
        "no more waits",
    ),
    "the circuit": (
        Reply(503),
        {"breaker": BreakerPolicy(consecutive_failures=1, patience=0)},
        "circuit",
    ),
}


@pytest.mark.parametrize("name", WHY)
async def test_an_error_says_why_no_more_was_tried(name: str) -> None:
    step, changes, why = WHY[name]
    of_policy = {key: changes[key] for key in changes if key in ("total_timeout", "breaker")}
    of_retry = {key: changes[key] for key in changes if key not in of_policy}
    async with fault_server(then=step) as server:
        pipeline = Pipeline(policy(retry=retry_policy(**of_retry), **of_policy))
        async with wrapped(pipeline) as session:
            with pytest.raises(APIError) as caught:
                await status_of(session, server.url)
    assert why in str(caught.value.stop_reason)
    assert str(caught.value.stop_reason) in str(caught.value)


@pytest.mark.parametrize("name", ["no attempt left", "the server asks for too long", "no waits"])
async def test_a_response_says_why_no_more_was_tried(name: str) -> None:
    """Where nothing raises, the response is all there is to ask."""
    step, changes, why = WHY[name]
    async with (
        fault_server(then=step) as server,
        client(Retry(retry_policy(**changes))) as session,
        session.get(server.url) as response,
    ):
        last = attempts_of(response)[-1]
    assert why in str(last)


async def test_after_one_attempt_there_are_no_notes_and_after_more_there_are() -> None:
    async with (
        fault_server(Reply(404), then=Disconnect()) as server,
        wrapped(Pipeline(policy())) as session,
    ):
        with pytest.raises(NotFoundError) as once:
            await status_of(session, server.url)
        with pytest.raises(ConnectionFailedError) as thrice:
            await status_of(session, server.url)
    assert getattr(once.value, "__notes__", []) == []
    assert "attempts" not in str(once.value)
    notes = thrice.value.__notes__
    # The first broke a pooled connection: it is told of, and is no attempt.
    numbers = [note.partition(":")[0] for note in notes]
    assert numbers == ["attempt 1", "attempt 1", "attempt 2", "attempt 3"]
    assert all("ServerDisconnectedError" in note for note in notes)
    assert "3 attempts: no attempt is left of 3" in str(thrice.value)


class Isolating(FakeClock):
    """Meanwhile, in the second wait, somebody isolates the circuits by hand."""

    breaker: CircuitBreaker

    def wake_after(self, seconds: float, callback: Callable[[], object]) -> FakeTimer:
        timer = super().wake_after(seconds, callback)
        if len(self.sleeps) == 2:
            for circuit in self.breaker.circuits:
                circuit.isolate()
        return timer


@pytest.mark.parametrize("raising", [True, False])
async def test_a_refusal_of_the_breaker_tells_of_the_attempts_before_it(raising: bool) -> None:
    """The server's own error comes out with the refusal as its reason, if there is one."""
    clock = Isolating()
    pipeline = Pipeline(policy(errors=ErrorPolicy() if raising else None), clock=clock)
    clock.breaker = pipeline.breaker
    kind = ServiceUnavailableError if raising else CircuitOpenError
    async with fault_server(then=Reply(503)) as server, wrapped(pipeline) as session:
        with pytest.raises(kind) as caught:
            await status_of(session, server.url)
        assert server.hits == 2
    error: Any = caught.value
    assert [attempt.status for attempt in error.attempts] == [503, 503]
    assert len(error.__notes__) == 2
    assert error.stop_code is Reason.CIRCUIT_ISOLATED
    assert error.retry_after is None
    assert "isolated by hand" in str(error)


async def test_what_an_earlier_hop_got_over_is_no_cause_of_a_later_refusal() -> None:
    async with fault_server() as here, fault_server() as there:
        here.route("/", Reply(503), then=redirect(there.url))
        async with wrapped(Pipeline(policy())) as session:
            pipeline_of(session).breaker.circuit(str(there.url)).isolate()
            with pytest.raises(CircuitOpenError) as caught:
                await status_of(session, here.url)
    assert [attempt.status for attempt in caught.value.attempts] == [503, 302]
    assert caught.value.__cause__ is None


async def test_a_refusal_at_once_has_no_attempts() -> None:
    async with fault_server() as server, wrapped(Pipeline(policy())) as session:
        pipeline_of(session).breaker.circuit(str(server.url)).isolate()
        with pytest.raises(CircuitOpenError) as caught:
            await status_of(session, server.url)
        assert server.hits == 0
    assert caught.value.attempts == ()
    assert getattr(caught.value, "__notes__", []) == []


async def test_an_error_raised_outside_retry_tells_of_the_attempts_within() -> None:
    async with fault_server(then=Reply(503)) as server:
        for outside in ([], [Deadline(50)]):
            async with client(*outside, NormalizeErrors(), Retry(retry_policy())) as session:
                with pytest.raises(ServiceUnavailableError) as caught:
                    await status_of(session, server.url)
            assert [attempt.status for attempt in caught.value.attempts] == [503] * 3


async def test_attempts_of_an_error_do_not_change_any_more() -> None:
    async with fault_server(then=Reply(503)) as server, wrapped(Pipeline(policy())) as session:
        with pytest.raises(ServiceUnavailableError) as first:
            await status_of(session, server.url)
        told = first.value.attempts
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
        assert first.value.attempts == told
        assert len(told) == 3


async def test_each_of_many_calls_at_once_tells_its_own() -> None:
    async with (
        fault_server() as server,
        wrapped(Pipeline(policy(breaker=None))) as session,
    ):

        async def one(number: int) -> ResilientError:
            server.route(f"/{number}", then=Reply(404 if number % 2 else 503))
            with pytest.raises(APIError) as caught:
                await status_of(session, server.url / str(number))
            return caught.value

        errors = await asyncio.gather(*(one(number) for number in range(20)))
    for number, error in enumerate(errors):
        assert {attempt.url for attempt in error.attempts} == {str(server.url / str(number))}
        assert len(error.attempts) == (1 if number % 2 else 3)


async def test_an_attempt_that_was_cut_off_is_on_the_record_of_the_deadline() -> None:
    clock = FakeClock()
    async with (
        fault_server(Disconnect(), Hang()) as server,
        wrapped(Pipeline(policy(total_timeout=10), clock=clock)) as session,
        passing(clock, server),
    ):
        with pytest.raises(DeadlineExceededError) as caught:
            await status_of(session, server.url)
    first, second = caught.value.attempts
    assert first.error == "ServerDisconnectedError"
    assert second.error
    assert second.duration > 0
    assert isinstance(caught.value.__cause__, ConnectionFailedError | ServerDisconnectedError)


async def test_the_error_of_one_attempt_under_an_override_says_so() -> None:
    async with fault_server(then=Reply(503)) as server, wrapped(Pipeline(policy())) as session:
        with override(max_attempts=1), pytest.raises(ServiceUnavailableError) as caught:
            await status_of(session, server.url)
    assert caught.value.stop_reason == "no attempt is left of 1"


async def test_without_a_retry_a_response_tells_of_no_attempts() -> None:
    async with fault_server() as server, client(Pipeline(policy(retry=None))) as session:
        for _ in range(2):
            async with session.get(server.url) as response:
                assert attempts_of(response) == ()


async def test_an_attempt_is_told_with_the_url_that_a_middleware_sent_it_to() -> None:
    async def moving(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.url = request.url.with_path("/moved")
        return await handler(request)

    async with fault_server() as server, client(Pipeline(policy()), moving) as session:
        for _ in range(2):
            async with session.get(server.url) as response:
                (attempt,) = attempts_of(response)
                assert attempt.url == str(server.url / "moved")
