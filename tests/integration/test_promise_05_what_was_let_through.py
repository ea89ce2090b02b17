"""Promise 5: after a refusal calls leave at the rate that the server has let through of late.

Answers are counted by the second in which they came, whoever got them: in whichever pipeline, and
also in one that is gone.
"""

from __future__ import annotations

import pytest

from resilient import (
    Pipeline,
    Policy,
    RateLimitError,
    RetryPolicy,
    Throttle,
    override,
)
from resilient.testing import FakeClock, Reply
from tests.integration.support import client, fault_server, status_of


async def test_what_a_server_let_through_long_ago_is_not_taken_for_what_it_does_now() -> None:
    clock = FakeClock(draw=0.5)
    pipeline = Pipeline(Policy(retry=RetryPolicy(max_attempts=1)), clock=clock)
    async with fault_server(*[Reply(200)] * 50, then=Reply(429)) as server:
        server.route("/general", then=Reply(200))
        async with client(pipeline) as session:
            for _ in range(50):
                await status_of(session, server.url)
            clock.advance(100)
            with override(max_attempts=2):
                await status_of(session, server.url / "general")
            with pytest.raises(RateLimitError):
                await status_of(session, server.url)
        (gate,) = pipeline.throttle.gates
        assert gate.rate < 2


async def test_pipelines_that_are_gone_leave_a_throttle_their_counts_and_nothing_else() -> None:
    clock = FakeClock(draw=0.5)
    throttle = Throttle(clock=clock)
    async with fault_server(*[Reply(200)] * 40, then=Reply(429)) as server:

        def pipeline() -> Pipeline:
            return Pipeline(Policy(retry=None), throttle=throttle, clock=clock)

        for _ in range(20):
            async with client(pipeline()) as session:
                await status_of(session, server.url)
                await status_of(session, server.url)
        (place,) = throttle._places.by_key.values()
        assert len(place.spells) <= 1
        async with client(pipeline()) as session:
            with pytest.raises(RateLimitError):
                await status_of(session, server.url)
        (gate,) = throttle.gates
        assert gate.rate > 20
