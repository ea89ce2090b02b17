"""`wrap`: what a call says for itself outranks the policy."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientTimeout

from resilient import (
    APIError,
    AttemptTimeoutError,
    DeadlineExceededError,
    Pipeline,
    override,
)
from resilient.testing import FaultServer, Hang, Reply
from tests.integration.support import fault_server, policy, status_of, wrapped

IMPATIENT = policy(attempt_timeout=5, total_timeout=20, retry=None)


@pytest.mark.resilient_virtual_time
@pytest.mark.parametrize(
    "timeout",
    [ClientTimeout(600), ClientTimeout(total=0), None, ClientTimeout(), 600],
    ids=str,
)
async def test_more_time_is_more_time_for_deadline_and_attempt(timeout: Any) -> None:
    async with (
        FaultServer(then=Reply(delay=100)) as server,
        wrapped(Pipeline(IMPATIENT)) as session,
    ):
        assert await status_of(session, server.url, timeout=timeout) == 200
        with pytest.raises(AttemptTimeoutError):
            await status_of(session, server.url)


@pytest.mark.resilient_virtual_time
@pytest.mark.parametrize("timeout", [ClientTimeout(2), 2.0], ids=str)
async def test_less_time_is_less_time(timeout: Any) -> None:
    loop = asyncio.get_running_loop()
    async with FaultServer(then=Hang()) as server, wrapped(Pipeline(IMPATIENT)) as session:
        with pytest.raises(DeadlineExceededError):
            await status_of(session, server.url, timeout=timeout)
        assert loop.time() == pytest.approx(2, abs=0.1)


@pytest.mark.resilient_virtual_time
async def test_a_timeout_that_is_about_other_times_leaves_the_policy_as_it_is() -> None:
    async with FaultServer(then=Hang()) as server, wrapped(Pipeline(IMPATIENT)) as session:
        with pytest.raises(AttemptTimeoutError) as caught:
            await status_of(session, server.url, timeout=ClientTimeout(sock_connect=50))
        assert caught.value.timeout == 5


@pytest.mark.resilient_virtual_time
async def test_the_timeout_of_the_session_leaves_the_policy_as_it_is() -> None:
    async with (
        FaultServer(then=Hang()) as server,
        wrapped(Pipeline(IMPATIENT), timeout=ClientTimeout(600)) as session,
    ):
        with pytest.raises(AttemptTimeoutError):
            await status_of(session, server.url)


@pytest.mark.resilient_virtual_time
async def test_it_is_nearer_than_an_override() -> None:
    async with (
        FaultServer(then=Reply(delay=100)) as server,
        wrapped(Pipeline(IMPATIENT)) as session,
    ):
        with override(total_timeout=10, attempt_timeout=1):
            assert await status_of(session, server.url, timeout=ClientTimeout(600)) == 200


async def a_function(response: aiohttp.ClientResponse) -> None:
    if response.status == 404:
        raise LookupError(await response.text())


async def test_raise_for_status_false_hands_the_response_over() -> None:
    async with (
        fault_server(then=Reply(404, body=b"gone")) as server,
        wrapped(Pipeline(policy())) as session,
    ):
        async with session.get(server.url, raise_for_status=False) as response:
            assert (response.status, await response.read()) == (404, b"gone")
        with pytest.raises(APIError):
            await session.get(server.url)


async def test_a_function_for_raise_for_status_is_given_the_response() -> None:
    async with (
        fault_server(then=Reply(404, body=b"gone")) as server,
        wrapped(Pipeline(policy())) as session,
    ):
        with pytest.raises(LookupError, match="gone"):
            await session.get(server.url, raise_for_status=a_function)


async def test_raise_for_status_true_raises_ours() -> None:
    async with fault_server(then=Reply(404)) as server, wrapped(Pipeline(policy())) as session:
        with override(raise_errors=None), pytest.raises(APIError):
            await session.get(server.url, raise_for_status=True)


@pytest.mark.parametrize("of_session", [True, False])
async def test_an_override_that_raises_nothing_holds_on_a_session_that_raises(
    of_session: bool,
) -> None:
    async with (
        fault_server(then=Reply(404)) as server,
        wrapped(Pipeline(policy()), raise_for_status=of_session) as session,
    ):
        with override(raise_errors=False):
            assert await status_of(session, server.url) == 404
        with pytest.raises(APIError):
            await status_of(session, server.url)


async def test_with_raise_for_status_false_failures_are_still_repeated() -> None:
    async with fault_server(Reply(503), Reply(503)) as server:
        async with wrapped(Pipeline(policy())) as session:
            assert await status_of(session, server.url, raise_for_status=False) == 200
        assert server.hits == 3
