"""Promise 5: a wait that a body asks for is a floor, as one in a header is."""

import time
from typing import Any

import pytest

from resilient import (
    Backoff,
    ErrorPolicy,
    Pipeline,
    RateLimitError,
    ResetHeader,
    RetryPolicy,
)
from resilient.testing import Reply
from tests.integration.support import client, fault_server, policy, status_of, wrapped

QUICK = RetryPolicy(max_attempts=2, backoff=Backoff(base=0.001, cap=0.001))
TELEGRAM = {"ok": False, "error_code": 429, "description": "Too Many", "parameters": {}}


def telegram(seconds: float, **headers: str) -> Reply:
    body = {**TELEGRAM, "parameters": {"retry_after": seconds}}
    return Reply(429, json=body, headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize(
    ("reply", "least"),
    [
        (telegram(0.2), 0.2),
        (telegram(0.2, Retry_After="0.05"), 0.2),
        (telegram(0.05, Retry_After="0.2"), 0.2),
        (
            Reply(429, json={"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.2s"}]}}),
            0.2,
        ),
    ],
    ids=["body", "body and a shorter header", "body and a longer header", "google.rpc"],
)  # fmt: skip
async def test_a_wait_in_a_body_is_a_floor(under: Any, reply: Reply, least: float) -> None:
    async with fault_server(reply) as server, under(Pipeline(policy(retry=QUICK))) as session:
        began = time.monotonic()
        assert await status_of(session, server.url) == 200
        # A throttle holds the call, a retry alone waits.
        assert time.monotonic() - began >= least
        assert server.hits == 2


async def test_one_that_is_too_long_is_refused_with_the_servers_error() -> None:
    async with (
        fault_server(then=telegram(500)) as server,
        client(Pipeline(policy(retry=QUICK))) as session,
    ):
        with pytest.raises(RateLimitError) as caught:
            await status_of(session, server.url)
        assert server.hits == 1
        assert caught.value.retry_after == 500
        assert "asks to wait 500 s" in str(caught.value)


async def test_without_normalisation_nobody_reads_it() -> None:
    pipeline = Pipeline(policy(retry=QUICK, errors=None, throttle=None))
    async with fault_server(telegram(5)) as server, client(pipeline) as session:
        began = time.monotonic()
        assert await status_of(session, server.url) == 200
        assert time.monotonic() - began < 5


async def test_a_duration_in_a_reset_header_is_a_floor() -> None:
    limits = {"x-ratelimit-reset-requests": "200ms", "x-ratelimit-remaining-requests": "0"}
    reset = ResetHeader("x-ratelimit-reset-requests", "seconds")
    pipeline = Pipeline(policy(retry=QUICK, errors=ErrorPolicy(), reset_headers=[reset]))
    async with fault_server(Reply(429, headers=limits)) as server, client(pipeline) as session:
        began = time.monotonic()
        assert await status_of(session, server.url) == 200
        assert time.monotonic() - began >= 0.2
