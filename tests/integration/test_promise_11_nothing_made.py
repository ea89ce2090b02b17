"""Promise 11: where nobody listens, nothing is made for a listener."""

import logging
from typing import Any

import pytest

import resilient.attempts
from resilient import (
    Attempt,
    BreakerPolicy,
    CircuitOpenError,
    Pipeline,
    ServiceUnavailableError,
    attempts_of,
    pipeline_of,
)
from resilient.telemetry.events import KINDS
from resilient.testing import Reply
from resilient.testing.event_log import EventLog
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, fault_server, policy, retry_policy, status_of, wrapped

pytestmark = pytest.mark.usefixtures("default_log_level")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many of each kind have been made."""
    counts: dict[str, int] = {}

    def counting(real: type[Any]) -> Any:
        name = real.__name__

        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            counts[name] = counts.get(name, 0) + 1
            real.__init__(self, *args, **kwargs)

        return type(name, (real,), {"__init__": init})

    for kind in ("attempt", "wait", "refusal"):
        monkeypatch.setitem(KINDS, kind, counting(KINDS[kind]))  # type: ignore[arg-type]  # a class, by a name
    monkeypatch.setattr(resilient.attempts, "Attempt", counting(Attempt))
    return counts


@pytest.mark.parametrize("under", [client, wrapped])
async def test_a_call_that_goes_well_makes_nothing(under: Any, made: dict[str, int]) -> None:
    async with fault_server() as server, under(Pipeline(policy())) as session:
        for _ in range(3):
            assert await status_of(session, server.url) == 200
    assert made == {}


async def test_a_call_that_goes_well_at_last_makes_nothing(made: dict[str, int]) -> None:
    async with (
        fault_server(Reply(503), Reply(503)) as server,
        wrapped(Pipeline(policy())) as session,
    ):
        assert await status_of(session, server.url) == 200
    assert made == {}


async def test_attempts_are_described_for_who_asks(made: dict[str, int]) -> None:
    async with (
        fault_server(Reply(503)) as server,
        wrapped(Pipeline(policy())) as session,
        session.get(server.url) as response,
    ):
        assert made == {}
        assert len(attempts_of(response)) == 2
    assert made == {"Attempt": 2}


async def test_a_refusal_of_the_breaker_makes_nothing_but_its_error(made: dict[str, int]) -> None:
    async with fault_server() as server, wrapped(Pipeline(policy())) as session:
        pipeline_of(session).breaker.circuit(str(server.url)).isolate()
        for _ in range(3):
            with pytest.raises(CircuitOpenError):
                await status_of(session, server.url)
        assert server.hits == 0
    assert made == {}


async def test_a_call_that_fails_makes_no_event(made: dict[str, int]) -> None:
    async with fault_server(then=Reply(503)) as server, wrapped(Pipeline(policy())) as session:
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
    assert set(made) == {"Attempt"}  # its notes


@pytest.mark.parametrize(
    ("level", "kinds"),
    [
        (logging.WARNING, set()),
        (logging.INFO, set()),
        (logging.DEBUG, {"WaitEvent", "RefusalEvent", "AttemptEvent"}),
    ],
)
async def test_the_level_of_the_logger_decides_what_is_made(
    level: int, kinds: set[str], made: dict[str, int]
) -> None:
    logging.getLogger("resilient").setLevel(level)
    async with fault_server(then=Reply(503)) as server, wrapped(Pipeline(policy())) as session:
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
    assert set(made) - {"Attempt"} == kinds


async def test_for_a_listener_everything_is_made(made: dict[str, int]) -> None:
    events = EventLog()
    async with (
        fault_server(then=Reply(503)) as server,
        wrapped(Pipeline(policy(), listeners=[events])) as session,
    ):
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
    assert made["AttemptEvent"] == 3
    assert made["WaitEvent"] == 2
    assert made["RefusalEvent"] == 1


async def test_calls_leave_nothing_behind_that_grows() -> None:
    clock = FakeClock()
    circuits = BreakerPolicy(max_destinations=3, key=lambda request: request.url.path)
    pipeline = Pipeline(
        policy(breaker=circuits, retry=retry_policy(max_attempts=1)),
        clock=clock,
    )
    async with fault_server(then=Reply(503)) as server, wrapped(pipeline) as session:
        for number in range(20):
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url / str(number))
        assert len(pipeline.breaker.circuits) == 3
        assert clock.timers <= 2
