"""What the mock keeps of the requests, and for how long it mocks."""

from __future__ import annotations

import copy
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse
from yarl import URL

from resilient.testing import FaultServer, Reply, aioresponses

Session = aiohttp.ClientSession

API = "http://api.example/x"


async def test_a_record_is_what_the_call_was_given(session: Session) -> None:
    body = [1]
    with aioresponses() as m:
        m.get(API, repeat=True)
        await session.get(API, json=body)
        body[:] = [2]
        await session.request("get", API, json=body)
        first, second = m.requests["GET", URL(API)]
        assert first == ((), {"allow_redirects": True, "json": [1]})
        assert second == ((), {"allow_redirects": True, "json": [2]})


async def test_what_is_not_mocked_is_on_record(session: Session) -> None:
    with aioresponses() as m:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(API)
        m.assert_called_once_with(API)
        assert m.received == []


async def test_the_assertions(session: Session) -> None:
    with aioresponses() as m:
        m.post(API, repeat=True)
        m.assert_not_called()
        with pytest.raises(AssertionError):
            m.assert_called()
        await session.post(API, data="a", headers={"X-Word": "b"})
        m.assert_called()
        m.assert_called_once()
        m.assert_any_call(API, method="POST")
        m.assert_called_with(API, method="post", data="a", headers={"X-Word": "b"})
        m.assert_called_once_with(API, method="POST", args_to_match=["data"], data="a")
        for wrong in ({"data": "c"}, {"data": "a"}):
            with pytest.raises(AssertionError):
                m.assert_called_with(API, method="POST", **wrong)
        with pytest.raises(AssertionError):
            m.assert_any_call("http://other.example")
        with pytest.raises(AssertionError):
            m.assert_not_called()
        await session.post(API)
        with pytest.raises(AssertionError):
            m.assert_called_once()


async def test_middlewares_of_a_call_are_on_record_as_themselves(session: Session) -> None:
    class Middleware:
        def __deepcopy__(self, memo: object) -> Middleware:
            return Middleware()

        async def __call__(self, request: Any, handler: Any) -> ClientResponse:
            response: ClientResponse = await handler(request)
            return response

    middlewares = [Middleware()]
    assert copy.deepcopy(middlewares) != middlewares
    with aioresponses() as m:
        m.get(API)
        await session.get(API, middlewares=middlewares)
        m.assert_called_once_with(API, middlewares=middlewares)
        with pytest.raises(AssertionError):
            m.assert_called_once_with(API, middlewares=[Middleware()])


# Its life.


async def test_it_can_be_started_and_stopped_by_hand(session: Session) -> None:
    m = aioresponses()
    m.start()
    m.get(API, body="left")
    response = await session.get(API)
    m.stop()
    with pytest.raises(aiohttp.ClientConnectionError, match="closed"):
        await response.read()
    async with FaultServer(then=Reply(202)) as server, session.get(server.url) as real:
        assert real.status == 202


async def test_its_argument_can_be_named(session: Session) -> None:
    @aioresponses(param="mocked")
    async def named(first: int, *, mocked: aioresponses) -> int:
        mocked.get(API, status=204)
        return first + (await session.get(API)).status

    assert await named(1) == 205


async def test_clear_forgets_the_answers(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, repeat=True)
        await session.get(API)
        m.clear()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(API)
