"""A pipeline runs what stands around an attempt in one coroutine, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import pytest
from hypothesis import given, strategies as st

from resilient import (
    BreakerPolicy,
    Pipeline,
    Policy,
    RetryPolicy,
    TelemetryPolicy,
    ThrottlePolicy,
    TurnEvent,
)
from resilient.testing import FaultServer, LoopClock, Step, run_in_virtual_time
from resilient.testing.event_log import EventLog
from tests.integration.telemetry_support import Recorder, of
from tests.property.test_any_order_any_faults import steps

pytestmark = pytest.mark.slow

Middlewares = Callable[[Pipeline], Sequence[Any]]

# What spans say that no clock has a part in.
SAID = (
    "error.type",
    "http.response.status_code",
    "http.request.resend_count",
    "network.protocol.version",
    "resilient.call.attempts",
    "resilient.call.stop_reason",
)

# One guard at a time: two that wait do so together only in one coroutine.
guards = st.sampled_from(
    [
        {"throttle": None, "breaker": BreakerPolicy(consecutive_failures=2, slow_call=5)},
        {"throttle": ThrottlePolicy(), "breaker": None},
        {"throttle": None, "breaker": None},
    ]
)
policies = st.builds(
    lambda guards, **others: Policy(**guards, **others),
    guards,
    errors=st.sampled_from([Policy().errors, None]),
    total_timeout=st.sampled_from([40.0, None]),
    retry=st.sampled_from([RetryPolicy(budget=None, read_body_up_to=100), None]),
    telemetry=st.sampled_from([TelemetryPolicy(), TelemetryPolicy(call_spans=False), None]),
    attempt_timeout=st.sampled_from([8.0, None]),
)


@given(policies, st.lists(steps, min_size=1, max_size=6), st.sampled_from([None, 6.0]))
def test_a_pipeline_does_what_its_parts_do_one_in_another(
    policy: Policy, script: list[Step], patience: float | None
) -> None:
    def story(middlewares: Middlewares) -> list[object]:
        return run_in_virtual_time(play(policy, script, patience, middlewares), grace=0.002)

    assert story(lambda pipeline: [pipeline]) == story(tuple)


async def play(
    policy: Policy, script: list[Step], patience: float | None, middlewares: Middlewares
) -> list[object]:
    """What came of calls until the script was over, when, and who was told what."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    events = EventLog()
    to = Recorder()
    clock = LoopClock(draw=0.5)
    pipeline = Pipeline(policy, clock=clock, listeners=[events], telemetry=to.telemetry)
    story: list[object] = []
    async with FaultServer(*script) as server:
        session = aiohttp.ClientSession(
            middlewares=middlewares(pipeline), timeout=aiohttp.ClientTimeout(total=500)
        )
        async with session:
            for _ in range(len(script) + 2):
                try:
                    async with asyncio.timeout(patience):
                        response = await session.get(server.url)
                except (aiohttp.ClientError, TimeoutError) as error:
                    attempts = getattr(error, "attempts", ())
                    story.append((type(error), type(error.__cause__), len(attempts)))
                else:
                    story.append(response.status)
                    response.close()
                story += [round(loop.time(), 3), server.hits]
                if policy.breaker is not None:
                    circuit = pipeline.breaker.circuit(server.url)
                    story += [circuit.state, circuit.counts]
                await asyncio.sleep(1)
    spans = [(each.name, each.status.status_code, *map(of(each).get, SAID)) for each in to.spans]
    # Guards in one coroutine tell of a turn once, when all of them let the attempt pass.
    return [*story, *spans, *(type(event) for event in events if not isinstance(event, TurnEvent))]
