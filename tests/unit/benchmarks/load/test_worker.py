"""One call under a policy, over a socket, and the name of its failure."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from benchmarks.load.worker import open_caller
from resilient import Backoff, BreakerPolicy, Policy, RetryPolicy
from resilient.testing import Disconnect, FaultServer, Hang, Reply, Reset
from tests.unit.benchmarks.load.support import contender

NONE = contender("none").policy
AT_ONCE = RetryPolicy(backoff=Backoff(base=0.0001, cap=0.0001))


async def became(policy: Policy, *steps: Any, calls: int = 1, **options: Any) -> list[str | None]:
    """Make calls one after another; return their failures and the requests at the server."""
    given = {"patience": 10.0, "read_timeout": None, "connections": 10} | options
    async with FaultServer(*steps) as server, open_caller(policy, server.url, **given) as call:
        kinds = [await call("GET") for _ in range(calls)]
        return [*kinds, f"{server.hits} requests"]


@pytest.mark.parametrize("policy", [NONE, Policy()], ids=["none", "pipeline"])
async def test_a_call_that_ends_well_is_no_failure(policy: Policy) -> None:
    assert await became(policy, Reply(json={})) == [None, "1 requests"]


@pytest.mark.parametrize("policy", [NONE, evolve(Policy(), retry=None)], ids=["none", "pipeline"])
async def test_an_answer_of_the_servers_has_the_same_name_under_each_policy(policy: Policy) -> None:
    assert await became(policy, Reply(503)) == ["503", "1 requests"]
    assert await became(policy, Reply(429)) == ["429", "1 requests"]


async def test_what_is_no_answer_goes_by_its_class() -> None:
    steps = (Disconnect(reply=Reply(body=b"1234"), after="body"), Reset(after="accept"))
    assert await became(NONE, *steps, calls=2) == ["ClientPayloadError", None, "3 requests"]
    slow = await became(NONE, Hang(), read_timeout=0.005)
    assert slow == ["SocketTimeoutError", "1 requests"]
    refused = evolve(NONE, breaker=BreakerPolicy(failures=1, patience=0))
    assert await became(refused, Reply(503), calls=2) == ["503", "CircuitOpenError", "1 requests"]


async def test_a_policy_is_carried_out() -> None:
    policy = evolve(NONE, retry=AT_ONCE)
    assert await became(policy, Reply(503), Reply(503)) == [None, "3 requests"]


@pytest.mark.parametrize("policy", [NONE, Policy()], ids=["none", "pipeline"])
async def test_no_call_takes_longer_than_the_patience(policy: Policy) -> None:
    kinds = await became(policy, Hang(), patience=0.005)
    assert kinds[0] is not None
    assert "Timeout" in kinds[0] or "Deadline" in kinds[0]


async def test_a_post_carries_a_body() -> None:
    async with (
        FaultServer() as server,
        open_caller(NONE, server.url, patience=9.0, read_timeout=None, connections=1) as call,
    ):
        assert await call("POST") is None
        (request,) = server.requests
        assert (request.method, request.body) == ("POST", b"{}")
