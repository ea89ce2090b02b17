"""`Services`: what none of them covers, and what aiohttp does on its own."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from resilient import (
    ConnectionFailedError,
    Service,
    Services,
    ServiceUnavailableError,
    attempts_of,
)
from resilient.testing import Disconnect, EventLog, Reply, Reset
from tests.integration.service_support import attempts, two
from tests.integration.support import (
    UNDER,
    fault_server,
    policy,
    status_of,
)


@UNDER
async def test_what_no_service_covers_is_aiohttps_alone(under: Any) -> None:
    told = EventLog()
    async with (
        fault_server(then=Reply(503, json={"message": "no"})) as other,
        fault_server() as here,
        under(two(here, here, listeners=[told])) as session,
    ):
        async with session.get(other.url) as response:
            assert response.status == 503
            assert attempts_of(response) == ()
            assert await response.json() == {"message": "no"}
        async with session.get(other.url, raise_for_status=False) as response:
            assert response.status == 503
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await session.get(other.url, raise_for_status=True)
        assert type(caught.value) is aiohttp.ClientResponseError
        assert other.hits == 3
    assert told.events == []


@UNDER
@pytest.mark.parametrize("fault", [Disconnect(), Reset(), Disconnect("accept")])
async def test_there_aiohttp_goes_on_recovering_from_stale_connections(
    under: Any, fault: Any
) -> None:
    async with (
        fault_server() as other,
        fault_server() as here,
        under(two(here, here)) as session,
    ):
        assert await status_of(session, other.url) == 200
        other.script(fault)
        assert await status_of(session, other.url) == 200
        assert other.hits == 3
        other.script(fault, fault)
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await status_of(session, other.url)
        assert other.hits == 5


@UNDER
@pytest.mark.parametrize("fault", [Disconnect(), Reset(), Disconnect("accept")])
@pytest.mark.parametrize("most", [1, 2, 4])
async def test_in_a_service_aiohttp_adds_no_attempt(under: Any, fault: Any, most: int) -> None:
    async with fault_server(then=fault) as server:
        services = Services([Service("a", str(server.url), attempts(most))])
        async with under(services) as session:
            with pytest.raises(ConnectionFailedError) as caught:
                await status_of(session, server.url)
        assert server.hits == len(caught.value.attempts) == most


@UNDER
async def test_a_service_without_retry_leaves_that_recovery_to_aiohttp(under: Any) -> None:
    async with fault_server(Disconnect()) as server:
        services = Services([Service("a", str(server.url), policy(retry=None))])
        async with under(services) as session:
            assert await status_of(session, server.url) == 200
        assert server.hits == 2


@UNDER
async def test_a_default_takes_the_rest(under: Any) -> None:
    async with (
        fault_server(then=Reply(503)) as other,
        fault_server() as here,
        under(two(here, here, default=attempts(3))) as session,
    ):
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, other.url)
        assert other.hits == 3
