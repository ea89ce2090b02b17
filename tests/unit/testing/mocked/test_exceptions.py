"""Exceptions that are mocked, and those that aiohttp makes of what is mocked."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse
from yarl import URL

from resilient.testing import aioresponses, run_in_virtual_time

Session = aiohttp.ClientSession

API = "http://api.example/x"


@pytest.mark.parametrize(
    "exception",
    [
        ValueError("oops"),
        ValueError,
        BaseException(),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
        asyncio.CancelledError(),
        asyncio.CancelledError,
        aiohttp.ClientPayloadError("cut"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ServerDisconnectedError,
        aiohttp.ClientOSError(104, "Connection reset by peer"),
        aiohttp.ServerTimeoutError("late"),
        aiohttp.ConnectionTimeoutError("late"),
    ],
    ids=repr,
)
async def test_the_exception_that_is_mocked_comes_out(session: Session, exception: Any) -> None:
    with aioresponses() as m:
        m.get(API, exception=exception)
        m.get(API, status=204)
        kind = exception if isinstance(exception, type) else type(exception)
        with pytest.raises(kind) as caught:
            await session.get(API)
        assert exception in (caught.value, kind)
        # Once: what is mocked after it is for the next call, whatever aiohttp tries again.
        assert len(m.requests["GET", URL(API)]) == 1
        assert (await session.get(API)).status == 204


@pytest.mark.parametrize(
    "mocked",
    [
        {"exception": ValueError("oops")},
        {"exception": aiohttp.ServerDisconnectedError()},
        {"exception": aiohttp.ConnectionTimeoutError()},
        {"timeout": True},
    ],
    ids=repr,
)
async def test_one_that_is_raised_again_has_the_traceback_of_this_time(
    session: Session, mocked: Any
) -> None:
    seen = set()
    lengths = []
    with aioresponses() as m:
        m.post(API, repeat=True, **mocked)
        for _ in range(4):
            with pytest.raises(Exception) as caught:  # noqa: PT011 (whichever is mocked)
                await session.post(API)
            seen.add(id(caught.value))
            lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(seen) == len(set(lengths)) == 1


async def test_a_timeout_can_be_mocked(session: Session) -> None:
    with aioresponses() as m:
        m.get(API, timeout=True)
        with pytest.raises(asyncio.TimeoutError):
            await session.get(API)


async def test_a_callback_runs_before_the_exception(session: Session) -> None:
    called: list[URL] = []
    with aioresponses() as m:
        refused = aiohttp.ConnectionTimeoutError()
        m.get(API, exception=ValueError(), callback=lambda url, **_: called.append(url))
        m.get(API, exception=refused, callback=lambda url, **_: called.append(url))
        with pytest.raises(ValueError):  # noqa: PT011 (nothing is said)
            await session.get(API)
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await session.get(API)
    assert called == [URL(API)] * 2


async def test_the_sessions_own_timeout_cuts_a_callback_off() -> None:
    async def hang(url: URL, **kwargs: Any) -> None:
        await asyncio.Event().wait()

    with aioresponses() as m:
        m.get(API, callback=hang)
        timeout = aiohttp.ClientTimeout(total=0.01)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with pytest.raises(TimeoutError):
                await session.get(API)


@pytest.mark.parametrize(
    ("of_session", "of_call", "after"),
    [
        ({"sock_read": 5}, None, 5),
        ({"sock_read": 5}, {"sock_read": 3}, 3),
        ({"sock_read": 5}, {"total": 9}, None),
        ({"total": 4, "sock_read": 5}, None, None),
        ({"sock_read": 0}, None, None),
        ({"sock_read": 5, "total": 2}, {"sock_read": 5, "total": None}, 5),
    ],
    ids=repr,
)
def test_the_socket_timeout_cuts_a_callback_off(
    of_session: Any, of_call: Any, after: float | None
) -> None:
    async def later(url: URL, **kwargs: Any) -> None:
        await asyncio.sleep(20)

    async def main() -> float:
        options: Any = {} if of_call is None else {"timeout": aiohttp.ClientTimeout(**of_call)}
        timeout = aiohttp.ClientTimeout(**of_session)
        with aioresponses() as m:
            m.get(API, callback=later, repeat=True)
            async with aiohttp.ClientSession(timeout=timeout) as session:
                with contextlib.suppress(TimeoutError):
                    await session.get(API, **options)
                    return 20
                if after is not None:
                    with pytest.raises(aiohttp.SocketTimeoutError, match=r"^Timeout on reading"):
                        await session.get(API, **options)
        return asyncio.get_running_loop().time()

    total = (of_call or of_session).get("total")
    assert run_in_virtual_time(main()) == (2 * after if after is not None else total or 20)


async def test_a_timeout_of_the_callbacks_own_is_not_the_sockets(session: Session) -> None:
    async def fails(url: URL, **kwargs: Any) -> None:
        raise TimeoutError("mine")

    with aioresponses() as m:
        m.get(API, callback=fails)
        with pytest.raises(TimeoutError, match="mine"):
            await session.get(API, timeout=aiohttp.ClientTimeout(sock_read=5))


async def test_a_closed_session_says_so(session: Session) -> None:
    await session.close()
    with aioresponses() as m:
        m.get(API)
        with pytest.raises(RuntimeError, match=r"^Session is closed$"):
            await session.get(API)
        m.assert_not_called()


async def test_a_url_that_is_none_is_for_aiohttp_to_refuse(session: Session) -> None:
    with aioresponses():
        with pytest.raises(aiohttp.InvalidURL):
            await session.get("http://[")
        with pytest.raises(aiohttp.NonHttpUrlClientError):
            await session.get("ftp://api.example/x")


# raise_for_status.


@pytest.mark.parametrize(
    ("of_session", "of_call", "raises"),
    [(False, None, False), (False, True, True), (True, None, True), (True, False, False)],
)
async def test_raise_for_status(of_session: bool, of_call: bool | None, raises: bool) -> None:
    with aioresponses() as m:
        m.get(API, status=404)
        async with aiohttp.ClientSession(raise_for_status=of_session) as session:
            if not raises:
                assert (await session.get(API, raise_for_status=of_call)).status == 404
                return
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await session.get(API, raise_for_status=of_call)
            assert (caught.value.status, caught.value.message) == (404, "Not Found")


async def test_raise_for_status_as_a_function(session: Session) -> None:
    seen: list[int] = []

    async def look(response: ClientResponse) -> None:
        seen.append(response.status)

    with aioresponses() as m:
        m.get(API, status=404)
        await session.get(API, raise_for_status=look)
    assert seen == [404]
