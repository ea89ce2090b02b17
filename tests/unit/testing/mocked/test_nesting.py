"""Mocks within mocks, in any order, and the records of each."""

from __future__ import annotations

import asyncio
import functools
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aioresponses import aioresponses as original
from yarl import URL

import resilient
from resilient.testing import FakeClock, FaultServer, Reply, aioresponses

Session = aiohttp.ClientSession

API = "http://api.example/x"
TOKEN = "http://token.example/"
OTHER = "http://other.example/"
NOBODY = "http://127.0.0.1:9/"  # the port of a service that is long gone


@pytest.fixture(autouse=True)
def _as_it_was() -> Any:
    before = Session._request
    yield
    assert Session._request is before


def asked(mock: aioresponses) -> list[str]:
    return [str(url) for (_, url), calls in mock.requests.items() for _ in calls]


async def test_the_inner_one_answers_first_and_the_outer_one_the_rest(session: Session) -> None:
    with aioresponses() as outer:
        outer.get(API, status=201)
        outer.get(TOKEN, status=202)
        with aioresponses() as inner:
            inner.get(API, status=203)
            assert (await session.get(API)).status == 203
            assert (await session.get(TOKEN)).status == 202
            assert (await session.get(API)).status == 201
            with pytest.raises(aiohttp.ClientConnectionError, match=f"refused: GET {OTHER}"):
                await session.get(OTHER)
            assert len(inner.received) == 1
        assert asked(inner) == [API, API, TOKEN, OTHER]
        assert asked(outer) == [TOKEN, API, OTHER]
        assert [str(each.path) for each in outer.received] == ["/", "/x"]
        outer.get(API, status=204)
        assert (await session.get(API)).status == 204


async def test_each_records_the_arguments_of_the_code_under_test(session: Session) -> None:
    with aioresponses() as outer:
        outer.post(API)
        with aioresponses() as inner:
            await session.post(API, data="a", headers={"X-Word": "b"})
            for each in (inner, outer):
                each.assert_called_once_with(API, method="POST", data="a", headers={"X-Word": "b"})


async def test_what_the_inner_one_lets_through_goes_to_the_outer_one(session: Session) -> None:
    async with FaultServer(then=Reply(200)) as server:
        real = str(server.url)
        with aioresponses(passthrough=[real]) as outer:
            outer.get(API, status=201)
            for options in ({"passthrough": [API, real]}, {"passthrough_unmatched": True}, {}):
                outer.get(API, status=201)
                with aioresponses(**options):
                    assert (await session.get(API)).status == 201
                    async with session.get(real) as response:
                        assert response.status == 200
        assert server.hits == 3


@pytest.mark.parametrize("of", ["inner", "outer"])
@pytest.mark.parametrize(
    "error",
    [aiohttp.ServerDisconnectedError(), ConnectionResetError(104, "reset"), ValueError("oops")],
    ids=lambda error: type(error).__name__,
)
async def test_a_mocked_failure_comes_out_once(session: Session, error: Exception, of: str) -> None:
    with aioresponses() as outer, aioresponses() as inner:
        mocks = {"inner": inner, "outer": outer}
        mocks[of].get(API, exception=error)
        mocks[of].get(API, status=204)
        with pytest.raises(type(error)) as caught:
            await session.get(API)
        assert caught.value is error
        assert (await session.get(API)).status == 204


async def test_attempts_of_one_call_are_answered_by_either(clock: FakeClock) -> None:
    pipeline = resilient.Pipeline(clock=clock)
    with aioresponses() as outer, aioresponses() as inner:
        inner.get(API, status=503)
        outer.get(API, status=503)
        outer.get(API, status=200)
        async with Session(middlewares=[pipeline]) as session:
            assert (await session.get(API)).status == 200
        assert (len(inner.received), len(outer.received)) == (1, 2)


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("second", [0, 1, 2])
async def test_they_may_stop_in_any_order(session: Session, first: int, second: int) -> None:
    mocks = [aioresponses() for _ in range(3)]
    for number, each in enumerate(mocks):
        each.start()
        each.get(API, status=201 + number, repeat=True)
    stopped: list[int] = []
    for number in [first, second, 0, 1, 2]:
        top = max(set(range(3)) - set(stopped), default=None)
        if top is not None:
            assert (await session.get(API)).status == 201 + top
        mocks[number].stop()
        stopped.append(number)


async def test_one_mock_is_started_once_at_a_time(session: Session) -> None:
    m = aioresponses()
    with m:
        m.get(API, status=204)
        with pytest.raises(RuntimeError, match="started already"):
            m.start()
        assert (await session.get(API)).status == 204
    m.stop()
    with m:
        m.get(API, status=205)
        assert (await session.get(API)).status == 205


async def test_beside_the_original(session: Session) -> None:
    letting = {"passthrough_unmatched": True}
    with aioresponses() as outer, original(**letting), aioresponses(**letting) as inner:
        outer.get(API, status=201)
        inner.get(TOKEN, status=202)
        assert (await session.get(API)).status == 201
        assert (await session.get(TOKEN)).status == 202


async def test_with_somebody_elses_patch_between_them(session: Session) -> None:
    seen: list[Any] = []
    outer, inner = aioresponses(), aioresponses(passthrough_unmatched=True)
    outer.start()
    outer.get(NOBODY, status=201)
    below = Session._request

    @functools.wraps(below)
    async def watching(self: Session, *args: Any, **kwargs: Any) -> Any:
        seen.append(args)
        return await below(self, *args, **kwargs)

    with mock.patch.object(Session, "_request", watching):
        inner.start()
        inner.get(TOKEN, status=202)
        assert (await session.get(NOBODY)).status == 201
        assert len(seen) == 1
        outer.stop()
        assert (await session.get(TOKEN)).status == 202
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(NOBODY)
        inner.stop()
    # The patch has put back what it found, which does nothing now, and goes with the next mock.
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(NOBODY)
    with aioresponses():
        pass


# Records of a decorated function.


async def test_records_begin_anew_with_each_call_of_a_function(session: Session) -> None:
    m = aioresponses()

    @m
    async def call(mocked: aioresponses) -> None:
        mocked.assert_not_called()
        assert mocked.received == []
        mocked.post(API)
        await session.post(API, data="a")
        mocked.assert_called_once()
        assert len(mocked.received) == 1

    for _ in range(3):
        await call()
        m.assert_called_once()
        assert list(m.requests) == [("POST", URL(API))]


def test_records_begin_anew_with_each_call_of_a_plain_function() -> None:
    @aioresponses()
    def call(mocked: aioresponses) -> None:
        async def main() -> None:
            mocked.get(API)
            async with Session() as session:
                await session.get(API)

        asyncio.run(main())
        mocked.assert_called_once()

    for _ in range(3):
        call()


async def test_records_begin_anew_with_each_block(session: Session) -> None:
    m = aioresponses()
    for _ in range(3):
        with m:
            m.assert_not_called()
            m.get(API)
            await session.get(API)
        m.assert_called_once()
        assert len(m.received) == 1


async def test_a_function_may_run_twice_at_once(session: Session) -> None:
    both = asyncio.Barrier(2)

    @aioresponses(param="mocked")
    async def call(status: int, *, mocked: aioresponses) -> int:
        url = f"{API}{status}"
        mocked.get(url, status=status)
        await both.wait()
        response = await session.get(url)
        assert mocked.received[0].path == URL(url).path
        await both.wait()
        return response.status

    assert list(await asyncio.gather(call(201), call(202))) == [201, 202]
