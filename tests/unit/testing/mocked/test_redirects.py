"""aiohttp follows mocked redirects, and each hop passes the middlewares."""

from __future__ import annotations

import aiohttp
import pytest
from yarl import URL

from resilient.testing import FaultServer, Reply, aioresponses
from tests.unit.testing.mocked.support import Log

API = "http://api.example/x"
OTHER = "http://other.example/y"


async def test_each_hop_passes_the_middlewares(log: Log) -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": OTHER})
        m.get(OTHER, status=307, headers={"Location": "z"})
        m.get("http://other.example/z", status=204)
        async with aiohttp.ClientSession(middlewares=[log.named("m")]) as session:
            response = await session.get(API)
        assert response.url == URL("http://other.example/z")
        assert [hop.status for hop in response.history] == [302, 307]
        assert [hop.url for hop in response.history] == [URL(API), URL(OTHER)]
        assert log.lines[::2] == [
            f"m GET {API}",
            f"m GET {OTHER}",
            "m GET http://other.example/z",
        ]
        assert len(set(map(id, log.requests))) == 3
        assert [received.path for received in m.received] == ["/x", "/y", "/z"]
        # One thing was asked for.
        m.assert_called_once_with(API)


@pytest.mark.parametrize(
    ("status", "method", "body"), [(303, "GET", b""), (302, "GET", b""), (307, "POST", b"a")]
)
async def test_a_redirect_keeps_the_method_where_aiohttp_does(
    status: int, method: str, body: bytes
) -> None:
    with aioresponses() as m:
        m.post(API, status=status, headers={"Location": OTHER})
        m.add(OTHER, method=method)
        async with aiohttp.ClientSession() as session:
            response = await session.post(API, data=b"a")
        assert (response.status, response.method) == (200, method)
        assert [(each.method, each.body) for each in m.received] == [("POST", b"a"), (method, body)]


async def test_a_redirect_may_be_answered_by_what_is_mocked_for_get() -> None:
    with aioresponses() as m:
        m.post(API, status=307, headers={"Location": OTHER})
        m.get(OTHER, status=201)
        m.post(OTHER, status=202)
        async with aiohttp.ClientSession() as session:
            # The method's own is the better match, wherever it stands.
            assert (await session.post(API)).status == 202
            m.post(API, status=307, headers={"Location": OTHER})
            response = await session.post(API)
            assert (response.status, response.method) == (201, "POST")


async def test_a_redirect_forgets_the_credentials_for_another_host() -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": OTHER})
        m.get(OTHER)
        async with aiohttp.ClientSession() as session:
            await session.get(API, headers={"Authorization": "Bearer secret"})
        assert ["Authorization" in each.headers for each in m.received] == [True, False]


async def test_redirects_end_where_the_call_says() -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": API}, repeat=True)
        async with aiohttp.ClientSession() as session:
            assert (await session.get(API, allow_redirects=False)).status == 302
            with pytest.raises(aiohttp.TooManyRedirects):
                await session.get(API, max_redirects=3)


async def test_a_redirect_to_nowhere_is_an_answer() -> None:
    with aioresponses() as m:
        m.get(API, status=302)
        async with aiohttp.ClientSession() as session:
            assert (await session.get(API)).status == 302


async def test_a_redirect_to_what_is_not_mocked_names_it() -> None:
    with aioresponses() as m:
        m.get(API, status=302, headers={"Location": f"{OTHER}#top"})
        async with aiohttp.ClientSession() as session:
            refused = f"^Connection refused: GET {OTHER}#top$"
            with pytest.raises(aiohttp.ClientConnectionError, match=refused):
                await session.get(API)


async def test_a_redirect_may_lead_to_the_network() -> None:
    async with FaultServer(then=Reply(202)) as server:
        with aioresponses(passthrough=[str(server.url)]) as m:
            m.get(API, status=302, headers={"Location": str(server.url)})
            async with aiohttp.ClientSession() as session, session.get(API) as response:
                assert response.status == 202
                assert [hop.status for hop in response.history] == [302]
