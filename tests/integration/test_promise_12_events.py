"""Promise 12: events come in order, the log is quiet, and hooks that raise are said once."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from resilient import (
    APIError,
    AttemptEvent,
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    CallEvent,
    CircuitOpenError,
    ErrorPolicy,
    Event,
    InternalServerError,
    Listener,
    Pipeline,
    Reason,
    RefusalEvent,
    ServiceUnavailableError,
    ThrottlePolicy,
    TransitionEvent,
    WaitEvent,
    pipeline_of,
)
from resilient.testing import Reply
from resilient.testing.event_log import EventLog
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, fault_server, policy, retry_policy, status_of, wrapped

SECONDS = Backoff(base=1, jitter="none")


async def test_events_come_in_the_order_of_what_happens() -> None:
    events, clock = EventLog(), FakeClock()
    trips = BreakerPolicy(consecutive_failures=2, open_for=5, patience=0)
    async with fault_server(Reply(503), Reply(500), Reply(200)) as server:
        made = policy(name="mavio", breaker=trips, retry=retry_policy(backoff=SECONDS))
        async with wrapped(Pipeline(made, listeners=[events], clock=clock)) as session:
            with pytest.raises(InternalServerError):
                await status_of(session, server.url)
            with pytest.raises(CircuitOpenError):
                await status_of(session, server.url)
            clock.advance(10)
            for _ in range(5):
                assert await status_of(session, server.url) == 200
                clock.advance(1)
    assert events.kinds == [
        "attempt",
        "wait",
        "transition",
        "attempt",
        "refusal",
        "call",
        "refusal",
        "call",
        *("transition", "transition", "attempt", "call"),
        *("attempt", "call") * 3,
        *("transition", "attempt", "call"),
    ]
    attempt, wait, opened, failed, by_retry, over, by_breaker, *_ = events.events
    half, *_, closed = events.transitions[1:]
    url = str(server.url)
    assert isinstance(attempt, AttemptEvent)
    assert attempt == AttemptEvent(
        name="mavio", call=attempt.call, method="GET", url=url, number=1, duration=0.0, status=503
    )
    assert wait == WaitEvent(
        name="mavio", call=attempt.call, method="GET", url=url, number=1, seconds=1.0,
        code=Reason.STATUS, reason="status 503",
    )  # fmt: skip
    assert isinstance(opened, TransitionEvent)
    assert (opened.before, opened.after, opened.key) == ("closed", "open", url)
    assert opened.seconds == pytest.approx(5, rel=0.11)
    assert isinstance(failed, AttemptEvent)
    assert (failed.number, failed.status, failed.error) == (2, 500, None)
    assert isinstance(by_retry, RefusalEvent)
    assert (by_retry.by, by_retry.call) == ("retry", attempt.call)
    assert by_retry.code is Reason.CIRCUIT_OPEN
    assert isinstance(by_breaker, RefusalEvent)
    assert (by_breaker.by, by_breaker.code) == ("breaker", Reason.CIRCUIT_OPEN)
    assert over == CallEvent(
        name="mavio", call=attempt.call, method="GET", url=url, attempts=2, duration=1.0,
        waited=1.0, error="InternalServerError", code=Reason.CIRCUIT_OPEN,
    )  # fmt: skip
    # Another call.
    assert by_breaker.call != attempt.call
    assert (half.after, closed.after) == ("half_open", "closed")
    for event in events.events:
        assert url in str(event)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            event.name = "x"  # type: ignore[misc]  # on purpose


async def test_an_outcome_that_is_final_by_nature_is_no_refusal() -> None:
    events = EventLog()
    async with (
        fault_server(Reply(404)) as server,
        wrapped(Pipeline(policy(), listeners=[events])) as session,
    ):
        with pytest.raises(APIError):
            await status_of(session, server.url)
        assert await status_of(session, server.url) == 200
    assert events.kinds == ["attempt", "call"] * 2


async def test_operating_a_breaker_by_hand_is_told() -> None:
    events = EventLog()
    async with (
        fault_server() as server,
        wrapped(Pipeline(policy(), listeners=[events])) as session,
    ):
        circuit = pipeline_of(session).breaker.circuit(str(server.url))
        circuit.isolate()
        circuit.isolate()
        circuit.reset()
        circuit.reset()
    assert events.kinds == ["transition", "transition"]


async def test_records_carry_the_fields_of_the_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "resilient")
    trips = BreakerPolicy(consecutive_failures=3, patience=0)
    async with (
        fault_server(then=Reply(503)) as server,
        wrapped(Pipeline(policy(name="mavio", breaker=trips))) as session,
    ):
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
    told = [(record.levelname, vars(record)["resilient"]) for record in caplog.records]
    assert [(level, fields["event"]) for level, fields in told] == [
        ("DEBUG", "attempt"),
        ("DEBUG", "wait"),
        ("DEBUG", "attempt"),
        ("DEBUG", "wait"),
        ("WARNING", "transition"),
        ("DEBUG", "attempt"),
        ("DEBUG", "refusal"),
    ]
    assert {record.name for record in caplog.records} == {"resilient"}
    assert told[0][1] == {
        "event": "attempt",
        "name": "mavio",
        "call": told[0][1]["call"],
        "method": "GET",
        "url": str(server.url),
        "number": 1,
        "duration": told[0][1]["duration"],
        "status": 503,
        "error": None,
        "queued": 0.0,
    }
    assert all(record.getMessage() for record in caplog.records)


QUIET = """
import asyncio, aiohttp, resilient
from resilient.testing import FaultServer, Reply
async def main():
    retry = resilient.RetryPolicy(backoff=resilient.Backoff(base=0.001))
    breaker = resilient.BreakerPolicy(consecutive_failures=FAILURES, patience=0)
    pipeline = resilient.Pipeline(resilient.Policy(retry=retry, breaker=breaker))
    async with FaultServer(then=Reply(503)) as server:
        async with aiohttp.ClientSession(middlewares=[pipeline]) as session:
            asyncio.get_running_loop().slow_callback_duration = 60
            for _ in range(2):
                try:
                    await session.get(server.url)
                except aiohttp.ClientError:
                    pass
asyncio.run(main())
"""


@pytest.mark.parametrize(("failures", "lines"), [(99, 0), (2, 1)])
def test_by_default_only_a_circuit_that_opens_is_worth_a_line(failures: int, lines: int) -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-c",
            QUIET.replace("FAILURES", f"{failures}"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stdout == ""
    assert len(ran.stderr.splitlines()) == lines
    assert not lines or "is open for" in ran.stderr


def broken(*_: Any, **__: Any) -> Any:
    raise LookupError("a hook of the user's")


def wrong(*_: Any, **__: Any) -> Any:
    return "nonsense"


def generator_that_breaks() -> Any:
    yield None
    raise LookupError("a hook of the user's")


def generator_of_nonsense() -> Any:
    yield None
    yield "soon"


HOOKS: dict[str, Callable[[Any], tuple[dict[str, Any], dict[str, Any]]]] = {
    "listener": lambda hook: ({}, {"listeners": [hook]}),
    "judge": lambda hook: ({"retry": retry_policy(judge=hook)}, {}),
    "parser": lambda hook: ({"errors": ErrorPolicy(parsers=[hook, "nested"])}, {}),
    "breaker key": lambda hook: ({"breaker": BreakerPolicy(key=hook)}, {}),
    "throttle key": lambda hook: ({"throttle": ThrottlePolicy(key=hook)}, {}),
    "budget key": lambda hook: ({"retry": retry_policy(budget=BudgetPolicy(key=hook))}, {}),
}


@pytest.mark.parametrize("role", HOOKS)
@pytest.mark.parametrize("hook", [broken, wrong])
async def test_a_hook_that_fails_is_said_once_and_the_call_goes_on(
    role: str, hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    of_policy, of_pipeline = HOOKS[role](hook)
    body = {"error": {"code": "busy", "message": "Busy."}}
    async with fault_server(then=Reply(503, json=body)) as server:
        async with wrapped(Pipeline(policy(**of_policy), **of_pipeline)) as session:
            for _ in range(3):
                with pytest.raises(ServiceUnavailableError) as caught:
                    await status_of(session, server.url)
                assert caught.value.code == "busy"
        assert server.hits == 9
    complaints = [record for record in caplog.records if record.levelname == "ERROR"]
    harmless = hook is wrong and (role == "listener" or role.endswith("key"))
    assert len(complaints) == (0 if harmless else 1)
    if complaints:
        assert role in complaints[0].getMessage()
        assert ("LookupError" if hook is broken else "TypeError") in complaints[0].getMessage()


@pytest.mark.parametrize("generator", [broken, generator_that_breaks, generator_of_nonsense])
async def test_a_wait_generator_that_fails_ends_the_attempts_and_is_said_once(
    generator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with fault_server(then=Reply(503)) as server:
        made = policy(retry=retry_policy(backoff=Backoff(wait=generator)))
        async with wrapped(Pipeline(made)) as session:
            for _ in range(3):
                with pytest.raises(ServiceUnavailableError) as caught:
                    await status_of(session, server.url)
                assert "wait generator failed" in str(caught.value.stop_reason)
        assert server.hits == 3
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_one_listener_that_raises_does_not_keep_the_others_from_hearing() -> None:
    before, after = EventLog(), EventLog()
    async with fault_server() as server:
        listeners: list[Listener] = [before, broken, after]
        async with client(Pipeline(policy(), listeners=listeners)) as session:
            assert await status_of(session, server.url) == 200
    assert before.kinds == after.kinds == ["attempt", "call"]


async def test_a_listener_may_call_through_the_same_pipeline() -> None:
    tasks: list[asyncio.Task[int]] = []

    def report(event: Event) -> None:
        if isinstance(event, AttemptEvent) and "report" not in event.url:
            tasks.append(asyncio.create_task(status_of(session, server.url / "report")))

    async with fault_server() as server:
        async with wrapped(Pipeline(policy(), listeners=[report])) as session:
            assert await status_of(session, server.url) == 200
            assert await tasks[0] == 200
        assert server.hits == 2
