"""Any middlewares in any order, any faults: bounded, nothing left behind, the same bytes."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from hypothesis import given, strategies as st

from resilient import (
    AttemptTimeout,
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    NormalizeErrors,
    Pipeline,
    PipelineWarning,
    Retry,
    RetryPolicy,
)
from resilient.clock import Clock
from resilient.testing import (
    Disconnect,
    FaultServer,
    Hang,
    LoopClock,
    Malformed,
    Received,
    Reply,
    Reset,
    Step,
    run_in_virtual_time,
)
from tests.integration.support import given_back, turns

pytestmark = pytest.mark.slow

TOTAL, ATTEMPT, ATTEMPTS = 40.0, 8.0, 3
# The session's own limit, for the orders without one of ours.
SESSION = 500.0
# After so long any circuit lets a call through.
LONG = 1000.0

TOUCHY = BreakerPolicy(consecutive_failures=3, patience=0)

PARTS: dict[str, Callable[[Clock], Any]] = {
    "deadline": lambda clock: Deadline(TOTAL, clock=clock),
    "retry": lambda clock: Retry(RetryPolicy(max_attempts=ATTEMPTS, budget=None), clock=clock),
    "breaker": lambda clock: CircuitBreaker(TOUCHY, clock=clock),
    "errors": lambda clock: NormalizeErrors(clock=clock),
    "attempt": lambda clock: AttemptTimeout(ATTEMPT, clock=clock),
}

TEXT = b"It went wrong."
# Less than what makes the server stop reading, and miss that the client has gone.
BODY = bytes(range(256)) * 200


@frozen
class Scenario:
    """Which middlewares, what the server does, and what is asked of it."""

    order: Sequence[str]
    script: Sequence[Step]
    method: str
    body: str
    # Seconds between two calls, the seconds after which each is given up, and the randomness.
    pause: float
    patience: float | None
    draw: float

    def pipeline(self) -> Pipeline:
        clock = LoopClock(draw=self.draw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)
            return Pipeline.of(*(PARTS[part](clock) for part in self.order))

    @property
    def most_attempts(self) -> int:
        """For one call; what a stale connection swallowed is sent again, by a Retry or aiohttp."""
        retries = self.order.count("retry")
        return (ATTEMPTS + 1) ** retries if retries else 2

    @property
    def most_seconds(self) -> float:
        """For one call; aiohttp rounds its own limit up."""
        if self.order[:1] != ["deadline"]:
            return SESSION + 1
        # Without a retry aiohttp sends again by itself, and for the deadline that is another hop.
        return TOTAL if "retry" in self.order else 2 * TOTAL

    def data(self) -> Any:
        return {"none": lambda: None, "bytes": lambda: BODY, "once": once}[self.body]()


async def once() -> AsyncIterator[bytes]:
    for start in range(0, len(BODY), 20_000):
        yield BODY[start : start + 20_000]


def replies(status: st.SearchStrategy[int]) -> st.SearchStrategy[Reply]:
    return st.builds(
        Reply,
        status,
        body=st.sampled_from([2, 8000]).map(lambda times: TEXT * times),
        headers=st.sampled_from(["", "0", "1", "20", "90", "soon"]).map(
            lambda value: {"Retry-After": value} if value else {}
        ),
        delay=st.sampled_from([0, 0, 3, 9]),
        body_delay=st.sampled_from([0, 0, 0.1, 9]),
        truncate=st.sampled_from([None, None, 0, 17]),
        keep_alive=st.booleans(),
        early=st.booleans(),
        chunked=st.booleans(),
    )


moments = st.sampled_from(["accept", "request", "status", "head", "body"])
steps: st.SearchStrategy[Step] = st.one_of(
    replies(st.sampled_from([200, 404, 429, 429, 500, 503, 503])),
    st.builds(Reset, moments),
    st.builds(Disconnect, moments),
    st.builds(Hang, st.sampled_from([None, 5.0]), after=moments),
    st.sampled_from([Malformed(), Malformed(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")]),
)

# Each once; a few of them a second time.
orders = st.lists(
    st.sampled_from([(part, place) for part in PARTS for place in (1, 1, 2)]),
    max_size=6,
    unique=True,
).map(lambda parts: [part for part, _ in parts])

scenarios = st.builds(
    Scenario,
    order=orders,
    script=st.lists(steps, min_size=1, max_size=8),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    body=st.sampled_from(["none", "bytes", "once"]),
    pause=st.sampled_from([0, 0, 1, LONG]),
    patience=st.none() | st.sampled_from([0.1, 6.0, 20.0]),
    draw=st.sampled_from([0.0, 0.5, 0.999]),
)


@given(scenarios)
def test_whatever_the_order_and_the_faults(scenario: Scenario) -> None:
    run_in_virtual_time(play(scenario), grace=0.002)


async def play(scenario: Scenario) -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with FaultServer(*scenario.script) as server:
        server.route("/well", then=Reply(200, body=TEXT))
        # With one connection, one that is not given back is one that is missing.
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(
            middlewares=[scenario.pipeline()],
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=SESSION),
        ) as session:
            calls = 0
            while server.hits < len(scenario.script):
                calls += 1
                assert calls < 40, "calls no longer reach the server"
                refused = await call(scenario, session, server)
                await asyncio.sleep(LONG if refused else scenario.pause)
            await asyncio.sleep(LONG)
            async with session.get(server.url / "well") as response:
                assert (response.status, await response.read()) == (200, TEXT)
        async with asyncio.timeout(5):
            await server.wait_for(connections=0)
        assert server.malformed == []
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    # aiohttp 3.12 shields this future from the writer that was cancelled, and forgets it.
    assert [each for each in complaints if str(each.get("exception")) != "Connection lost"] == []


async def call(scenario: Scenario, session: aiohttp.ClientSession, server: FaultServer) -> bool:
    """Make a call, and look at all that came of it; whether it was refused."""
    loop = asyncio.get_running_loop()
    hits, seen, began = server.hits, len(server.requests), loop.time()
    outcome: object = None
    try:
        async with asyncio.timeout(scenario.patience):
            response = await session.request(scenario.method, server.url, data=scenario.data())
    except (aiohttp.ClientError, TimeoutError) as error:
        outcome = error
    else:
        outcome = response.status
    assert loop.time() - began <= scenario.most_seconds + 1e-6
    if isinstance(outcome, int):
        async with response:
            try:
                async with asyncio.timeout(1):
                    await response.read()
            except (aiohttp.ClientError, TimeoutError):
                response.close()
    await given_back(session)
    assert server.hits - hits <= scenario.most_attempts
    check(scenario, server.hits - hits, scenario.script[hits : server.hits], server.requests[seen:])
    return isinstance(outcome, CircuitOpenError)


def check(
    scenario: Scenario, hits: int, taken: Sequence[Step], requests: Sequence[Received]
) -> None:
    """What one call sent."""
    body = b"" if scenario.body == "none" else BODY
    for request in requests:
        assert request.method == scenario.method
        assert body.startswith(request.body)
        # Without a Retry, aiohttp 3.12 repeats by itself, what was read once without its body.
        if request.complete and "retry" in scenario.order:
            assert request.body == body
    if scenario.method == "POST":
        # Nothing else says that it was not carried out.
        assert all(is_reply(step, 429) for step in taken[: hits - 1])
    if scenario.order.count("retry") == 1 and len(requests) == len(taken):
        for step, request, following in zip(taken, requests, requests[1:], strict=False):
            if is_reply(step, 429, 503):
                assert following.time - request.time >= seconds_asked(step)


def is_reply(step: Step, *statuses: int) -> bool:
    return isinstance(step, Reply) and step.status in statuses


def seconds_asked(step: Any) -> float:
    asked = dict(step.headers).get("Retry-After", "")
    return float(asked) if asked.isdigit() else 0.0
