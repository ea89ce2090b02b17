"""A retry beside guards: who waits where, what that costs, and whose error comes out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient import (
    Attempt,
    Backoff,
    BudgetPolicy,
    BulkheadFullError,
    CircuitOpenError,
    Clock,
    ConnectionFailedError,
    NormalizeErrors,
    RateLimitError,
    Reason,
    RefusedError,
    ResilientError,
    Retry,
    RetryBudget,
    RetryPolicy,
    ServiceUnavailableError,
    SessionClosedError,
    ThrottledError,
    attempts_of,
)
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Guard, Queue, Turn, Wait
from resilient.core.outcome import Outcome
from resilient.testing import (
    Answer,
    Delayed,
    Disconnect,
    FakeClock,
    FaultServer,
    LoopClock,
    Reply,
    run_in_virtual_time,
)
from resilient.testing.event_log import EventLog
from tests.integration.conftest import Fetch, OpenSession
from tests.integration.support import turns


class Marked(Guard):
    """A guard that says facts about attempts as they leave, and of each whether it may go."""

    name = "marked"

    def __init__(
        self,
        clock: Clock,
        *,
        marks: tuple[dict[str, Any], ...] = (),
        answers: tuple[RefusedError | float | None, ...] = (),
    ) -> None:
        super().__init__(clock=clock)
        self.queue = Queue(self.room)
        self.marks = list(marks)
        # An error refuses, a number is a time to wait until.
        self.answers = list(answers)

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        return run_attempt(request, handler, self, self, None, None)

    def enter(self, call: Call, request: ClientRequest, now: float, turn: Turn | None) -> Any:
        answer = self.answers.pop(0) if self.answers and turn is None else None
        if isinstance(answer, RefusedError):
            return self.refuse(call, request, answer)
        return "permit" if answer is None else Wait(self.queue, now + answer)

    def leave(self, permit: object, outcome: Outcome | None, now: float) -> None:
        marks = self.marks.pop(0) if self.marks else {}
        for name, value in marks.items():
            assert outcome is not None
            setattr(outcome, name, now + value if name == "refused_until" else value)


def retry(clock: FakeClock, budget: RetryBudget | None = None, **settings: Any) -> Retry:
    policy = RetryPolicy(**{"backoff": Backoff(base=1, jitter="none"), "budget": None, **settings})
    return Retry(policy, budget=budget, clock=clock)


def one_token() -> RetryBudget:
    return RetryBudget(BudgetPolicy(ratio=0.001, capacity=1, min_per_second=0))


# An attempt whose time a guard knows.


async def test_a_paced_attempt_has_no_wait_but_the_guards_and_takes_no_token(
    open_session: OpenSession, clock: FakeClock
) -> None:
    guard = Marked(clock, marks=({"paced": True}, {"paced": True}))
    budget = one_token()
    async with FaultServer(Reply(429, headers={"Retry-After": "7"}), Reply(429)) as server:
        session = open_session(retry(clock, budget), guard)
        async with session.get(server.url) as response:
            assert response.status == 200
            first, second, _ = attempts_of(response)
    assert clock.sleeps == []
    assert (first.waited, second.waited) == (0, 0)
    assert first.code is Reason.THROTTLED
    assert first.reason == "status 429; a guard says when, at no cost to the budget"
    assert not budget.accounts


async def test_a_paced_attempt_is_an_attempt(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    guard = Marked(clock, marks=({"paced": True},) * 3)
    session = open_session(retry(clock), NormalizeErrors(clock=clock), guard)
    async with FaultServer(then=Reply(429)) as server:
        outcome = await fetch(session, "POST", server.url)
        assert server.hits == 3
    assert type(outcome) is RateLimitError
    assert outcome.stop_code is Reason.ATTEMPTS


@pytest.mark.parametrize("paced", [False, True])
async def test_where_the_guard_would_refuse_for_longer_than_the_wait_no_more_is_tried(
    paced: bool, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    marks = {"paced": paced, "refused_until": 90, "refused_code": Reason.GATE_CLOSED}
    session = open_session(
        retry(clock), NormalizeErrors(clock=clock), Marked(clock, marks=(marks,))
    )
    async with FaultServer(then=Reply(429)) as server:
        outcome = await fetch(session, "GET", server.url)
        assert server.hits == 1
    assert type(outcome) is RateLimitError
    assert outcome.stop_code is Reason.GATE_CLOSED
    assert str(outcome.stop_reason).startswith("the gate is closed for another")
    assert clock.sleeps == []


# An attempt that queues for an open circuit.


async def test_while_the_circuit_is_shut_an_attempt_waits_as_usual_and_takes_no_token(
    open_session: OpenSession, clock: FakeClock
) -> None:
    guard = Marked(clock, marks=({"shut": True, "refused_until": 0.5}, {"shut": True}))
    budget = one_token()
    async with FaultServer(Reply(503), Reply(503)) as server:
        session = open_session(retry(clock, budget), guard)
        async with session.get(server.url) as response:
            assert response.status == 200
            first, _, _ = attempts_of(response)
    assert clock.sleeps == [1, 2]
    assert first.reason == "status 503; then it queues for the circuit, at no cost to the budget"
    assert not budget.accounts


@pytest.mark.parametrize(
    ("until", "code", "words"),
    [
        (5, Reason.CIRCUIT_OPEN, "the circuit is open for another"),
        (math.inf, Reason.CIRCUIT_ISOLATED, "the circuit is isolated by hand"),
    ],
)
async def test_if_it_stays_shut_for_longer_the_servers_error_comes_out_at_once(
    until: float,
    code: Reason,
    words: str,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    guard = Marked(clock, marks=({"shut": True, "refused_until": until},))
    session = open_session(retry(clock), NormalizeErrors(clock=clock), guard)
    async with FaultServer(then=Reply(503)) as server:
        outcome: Any = await fetch(session, "GET", server.url)
        assert server.hits == 1
    assert type(outcome) is ServiceUnavailableError
    assert outcome.stop_code is code
    assert str(outcome.stop_reason).startswith(words)


# Refusals.

REFUSALS = [
    CircuitOpenError("https://a.example", 2.0),
    ThrottledError("https://a.example", 2.0).because(Reason.MAX_WAIT, "the queue is too long"),
    BulkheadFullError("https://a.example"),
    RefusedError("a").because(Reason.QUEUE_FULL, "3 calls wait already (max_waiting)"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda it: type(it).__name__)
async def test_on_a_first_attempt_the_refusal_comes_out(
    refusal: RefusedError, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock), Marked(clock, answers=(refusal,)))
    async with FaultServer() as server:
        assert await fetch(session, "GET", server.url) is refusal
        assert server.hits == 0
    assert refusal.attempts == ()
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Reply(503), ServiceUnavailableError), (Disconnect(), ConnectionFailedError)],
    ids=["answer", "transport"],
)
@pytest.mark.parametrize("attempt", [2, 3])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda it: type(it).__name__)
async def test_later_the_servers_own_error_comes_out_and_says_why_no_more_was_tried(
    refusal: RefusedError,
    attempt: int,
    fault: Answer,
    kind: type[ResilientError],
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    guard = Marked(clock, answers=(*[None] * (attempt - 1), refusal))
    budget = RetryBudget(BudgetPolicy(ratio=0.001, capacity=5, min_per_second=0))
    session = open_session(retry(clock, budget), NormalizeErrors(clock=clock), guard)
    async with FaultServer(then=fault) as server:
        outcome: Any = await fetch(session, "GET", server.url)
        assert server.hits == attempt - 1
        # The one that was not sent costs nothing.
        assert sum(each.tokens for each in budget.accounts.values()) == [0, 0, 0, 4][attempt]
    assert type(outcome) is kind
    assert len(outcome.attempts) == attempt - 1
    assert outcome.stop_code is refusal.stop_code
    assert outcome.stop_reason == str(refusal)
    assert str(refusal) in str(outcome)


async def test_a_response_that_was_given_back_leaves_the_refusal(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    refusal = CircuitOpenError("https://a.example", 2.0)
    session = open_session(retry(clock), Marked(clock, answers=(None, refusal)))
    async with FaultServer(then=Reply(503)) as server:
        assert await fetch(session, "GET", server.url) is refusal
    assert [attempt.status for attempt in refusal.attempts] == [503]
    assert refusal.stop_code is Reason.CIRCUIT_OPEN


# What is charged.


@pytest.mark.parametrize(
    ("statuses", "left"),
    [
        pytest.param([503, 200], 5, id="a retry that succeeds"),
        pytest.param([503, 404], 5, id="an answer that nobody repeats is a success"),
        pytest.param([503, 503, 200], 4, id="one that fails, and one that succeeds"),
        pytest.param([503, 503, 503], 3, id="two that fail"),
        pytest.param([503, 429, 429], 5, id="a 429 is paced by others"),
        pytest.param([429, 503, 200], 4, id="but the retry after one may fail"),
        pytest.param([503, 501], 5, id="the server is at work"),
    ],
)
async def test_only_retries_that_fail_are_charged(
    statuses: list[int], left: int, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    budget = RetryBudget(BudgetPolicy(ratio=0.001, capacity=5, min_per_second=0))
    session = open_session(retry(clock, budget))
    async with FaultServer(*map(Reply, statuses)) as server:
        assert await fetch(session, "GET", server.url) == statuses[-1]
    (key,) = budget.accounts or ("none",)
    assert budget.left(key, 0) == pytest.approx(left, abs=0.01)


async def test_a_success_of_any_call_earns_for_those_that_fail(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    budget = RetryBudget(BudgetPolicy(ratio=0.25, capacity=1, min_per_second=0))
    session = open_session(retry(clock, budget))
    async with FaultServer(*[Reply(503)] * 3) as server:
        assert await fetch(session, "GET", server.url) == 503
        assert server.hits == 2
        for _ in range(5):
            await fetch(session, "GET", server.url)
        server.script(Reply(503))
        assert await fetch(session, "GET", server.url) == 200
    assert not budget.accounts


@pytest.mark.parametrize("place", ["wait", "queue", "flight"])
async def test_a_call_that_is_given_up_before_its_retry_is_sent_costs_nothing(
    place: str, open_session: OpenSession, fetch: Fetch
) -> None:
    clock = FakeClock(speed=0 if place == "wait" else 1)
    budget = RetryBudget(BudgetPolicy(ratio=0.001, capacity=5, min_per_second=0))
    guard = Marked(clock, answers=(None, math.inf) if place == "queue" else ())
    hang = asyncio.Event()

    async def answer(_: object) -> Reply:
        if server.hits > 1:
            await hang.wait()
        return Reply(503)

    wait = Backoff(base=60, cap=60, jitter="none")
    session = open_session(retry(clock, budget, backoff=wait), guard)
    async with FaultServer(then=answer) as server:
        task = asyncio.ensure_future(fetch(session, "GET", server.url))
        if place == "flight":
            await server.wait_for(hits=2)
        else:
            await server.wait_for(hits=1)
            await turns(lambda: bool(budget.accounts) and len(guard.queue) == (place == "queue"))
        task.cancel()
        await asyncio.wait([task])
        hang.set()
        (left,) = [each.tokens for each in budget.accounts.values()] or [5]
    assert left == (4 if place == "flight" else 5)


async def test_each_destination_has_its_own_budget_or_what_the_key_says(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    def hits(server: FaultServer) -> list[int]:
        paths = [request.path for request in server.requests]
        return [paths.count("/a"), paths.count("/b")]

    by_path = BudgetPolicy(ratio=0.001, capacity=1, min_per_second=0, key="origin+path:1")
    session = open_session(retry(clock, budget=RetryBudget(by_path)))
    async with FaultServer(then=Reply(503)) as one, FaultServer(then=Reply(503)) as other:
        for server in (one, other):
            for path in ("a", "b", "a"):
                assert await fetch(session, "GET", server.url / path) == 503
        assert hits(one) == hits(other) == [3, 2]


def broken_key(_: object) -> str:
    raise KeyError("tenant")


@pytest.mark.parametrize(
    ("key", "complaints"), [(broken_key, 1), (lambda _: [], 1), (lambda _: None, 0)]
)
async def test_without_a_key_nothing_is_counted(
    key: Any,
    complaints: int,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = BudgetPolicy(ratio=0.001, capacity=1, min_per_second=0, key=key)
    session = open_session(retry(clock, budget=RetryBudget(policy)))
    async with FaultServer(then=Reply(503)) as server:
        for _ in range(3):
            assert await fetch(session, "GET", server.url) == 503
        assert server.hits == 9
    assert len([each for each in caplog.records if "budget key" in each.getMessage()]) == complaints


# The time that guards hold an attempt.


def test_an_attempt_says_for_how_long_guards_held_it() -> None:
    clock, events = LoopClock(), EventLog()
    guard = Marked(clock, answers=(3.0, 2.0))
    policy = RetryPolicy(max_attempts=2, backoff=Backoff(base=1, jitter="none"), budget=None)
    retry = Retry(policy, clock=clock, listeners=[events])

    async def main() -> ServiceUnavailableError:
        async with (
            FaultServer(then=Delayed(0.25, Reply(503))) as server,
            aiohttp.ClientSession(middlewares=[retry, NormalizeErrors(), guard]) as session,
        ):
            with pytest.raises(ServiceUnavailableError) as caught:
                await session.get(server.url)
            return caught.value

    error = run_in_virtual_time(main())
    first, second = error.attempts
    assert [first.queued, second.queued] == pytest.approx([3, 2])
    assert [first.duration, second.duration] == pytest.approx([0.25, 0.25])
    assert second.started - first.started == pytest.approx(4.25)
    assert "in 0.250 s, held for 3.000 s before, then waited 1.000 s" in str(first)
    assert str(second) in error.__notes__
    assert [event.queued for event in events.attempts] == [first.queued, second.queued]
    assert [event.duration for event in events.attempts] == [first.duration, second.duration]
    assert "in 0.250 s, held for 2.000 s before" in str(events.attempts[1])


async def test_an_attempt_that_nobody_held_says_nothing_of_it(
    open_session: OpenSession, clock: FakeClock
) -> None:
    session = open_session(retry(clock), Marked(clock))
    async with FaultServer(Reply(503)) as server, session.get(server.url) as response:
        first, second = attempts_of(response)
    assert first.queued == second.queued == 0
    assert "held" not in str(first)


def test_the_time_that_a_guard_further_out_held_the_call_is_no_attempts() -> None:
    clock = LoopClock()
    outer, inner = Marked(clock, answers=(3.0,)), Marked(clock, answers=(2.0,))
    middlewares: list[Any] = [outer, Retry(clock=clock), inner]

    async def main() -> tuple[Attempt, ...]:
        async with (
            FaultServer() as server,
            aiohttp.ClientSession(middlewares=middlewares) as session,
            session.get(server.url) as response,
        ):
            return attempts_of(response)

    (only,) = run_in_virtual_time(main())
    assert only.queued == pytest.approx(2)


async def test_a_session_that_is_closed_while_its_retry_is_queued_costs_no_token(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    budget = one_token()
    guard = Marked(clock, answers=(None, math.inf))
    session = open_session(retry(clock, budget), guard)
    async with FaultServer(then=Reply(503)) as server:
        task = asyncio.ensure_future(fetch(session, "GET", server.url))
        await server.wait_for(hits=1)
        await turns(lambda: len(guard.queue) == 1)
        assert budget.accounts
        await session.close()
        assert isinstance(await task, SessionClosedError)
    assert not budget.accounts
