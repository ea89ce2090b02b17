"""Requests that the mock lets through to the network."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from resilient.testing import Disconnect, FaultServer, Reply, aioresponses

Session = aiohttp.ClientSession

API = "http://api.example/x"


async def test_what_passes_through_is_not_on_record(session: Session) -> None:
    async with FaultServer(then=Reply(202)) as server:
        with aioresponses(passthrough=[str(server.url)]) as m:
            m.get(API)
            async with session.get(server.url / "a", params={"b": "c"}) as response:
                assert (response.status, response.url.query_string) == (202, "b=c")
            assert (await session.get(API)).status == 200
            m.assert_called_once_with(API)
        assert server.hits == 1


async def test_what_passes_through_is_followed_wherever_it_leads(session: Session) -> None:
    async with FaultServer(then=Reply(202)) as other, FaultServer() as server:
        server.script(Reply(302, headers={"Location": str(other.url)}))
        with aioresponses(passthrough=[str(server.url)]):
            async with session.get(server.url) as response:
                assert response.status == 202


async def test_the_failure_of_what_passes_through_is_aiohttps(session: Session) -> None:
    async with FaultServer() as server:
        url = server.url
    for options in ({"passthrough": [str(url)]}, {"passthrough_unmatched": True}):
        with aioresponses(**options), pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_what_is_not_mocked_passes_with_its_body_unread(session: Session) -> None:
    async def parts() -> Any:
        yield b"ab"

    async with FaultServer(then=Reply(202)) as server:
        with aioresponses(passthrough_unmatched=True) as m:
            async with session.post(server.url, data=parts()) as response:
                assert response.status == 202
            m.assert_called_once()
        assert [request.body for request in server.requests] == [b"ab"]


async def test_what_passes_has_aiohttps_own_second_try(session: Session) -> None:
    async with FaultServer(Disconnect()) as server:
        with aioresponses(passthrough_unmatched=True):
            async with session.get(server.url) as response:
                assert response.status == 200
        assert server.hits == 2
