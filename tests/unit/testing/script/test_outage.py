"""Outages: those that answer, and those that refuse connections."""

import asyncio
import errno
import pickle
from typing import Any

import aiohttp
import pytest

from resilient.testing import FaultServer, Hang, Reply, Reset, run_in_virtual_time
from resilient.testing.script.outage import Outage, Period
from tests.unit.testing.support import post, request_at


def test_an_outage_is_from_its_start_up_to_its_end() -> None:
    outage = Outage(Period(5, 10), during=Reset(), then=Reply(201))
    answers = [outage(request_at(time)) for time in (0, 4.999, 5, 9.999, 10, 1000)]
    assert answers == [Reply(201), Reply(201), Reset(), Reset(), Reply(201), Reply(201)]


def test_by_default_it_says_503_from_the_start_for_ever() -> None:
    outage = Outage(Period())
    assert outage(request_at(0)) == outage(request_at(1e9)) == Reply(503)


def test_an_outage_since_the_start_or_since_the_first_request() -> None:
    request = request_at(100.0, since_start=7.0, since_first=3.0)
    assert Outage(Period(5, 10))(request) == Reply(503)
    assert Outage(Period(5, 10, since="first_request"))(request) == Reply(200, json={})
    assert Outage(Period(2, 4, since="first_request"))(request) == Reply(503)


def test_outages_are_values() -> None:
    outage = Outage(Period(5, 10), during=Reset())
    assert pickle.loads(pickle.dumps(outage)) == outage
    assert outage != Outage(Period(5, 10))
    assert len({outage, Outage(Period(5, 10), during=Reset())}) == 1


def test_a_server_counts_from_its_start_and_from_its_first_request() -> None:
    async def main() -> None:
        then = Outage(
            Period(5, 10), then=Outage(Period(4, 6, since="first_request"), during=Reply(502))
        )
        await asyncio.sleep(1000)
        async with aiohttp.ClientSession() as session, FaultServer(then=then) as server:
            statuses = {}
            for second in (8, 9, 11, 12, 13, 14, 15):
                await asyncio.sleep(1000 + second - asyncio.get_running_loop().time())
                statuses[second] = await post(session, server)
                server.clear()
            assert statuses == {8: 503, 9: 503, 11: 200, 12: 502, 13: 502, 14: 200, 15: 200}

    run_in_virtual_time(main())


def test_a_request_knows_when_it_came() -> None:
    async def main() -> None:
        await asyncio.sleep(100)
        async with aiohttp.ClientSession() as session, FaultServer(Reset("accept")) as server:
            await asyncio.sleep(2)
            with pytest.raises(aiohttp.ClientOSError):
                await post(session, server)
            await asyncio.sleep(3)
            await post(session, server)
            (request,) = server.requests
            assert (request.time, request.since_start, request.since_first) == (105, 5, 3)

    run_in_virtual_time(main())


# Refused connections.


async def reached(session: aiohttp.ClientSession, server: FaultServer) -> Any:
    try:
        return await post(session, server)
    except aiohttp.ClientConnectorError as error:
        return error.errno


def observe(offline: list[Period], times: list[float], **kwargs: Any) -> dict[float, Any]:
    """What clients meet, seconds after the start."""

    async def main() -> dict[float, Any]:
        met = {}
        async with (
            aiohttp.ClientSession() as session,
            FaultServer(offline=offline, **kwargs) as server,
        ):
            for time in times:
                await asyncio.sleep(time - asyncio.get_running_loop().time())
                met[time] = await reached(session, server)
        return met

    return run_in_virtual_time(main())


def test_connections_are_refused_for_a_period() -> None:
    met = observe([Period(5, 10), Period(20)], [0.0, 4.9, 5.1, 9.9, 10.1, 19.9, 20.1, 1000.0])
    refused = errno.ECONNREFUSED
    assert list(met.values()) == [200, 200, refused, refused, 200, 200, refused, refused]


def test_periods_of_refusal_may_overlap() -> None:
    met = observe([Period(1, 5), Period(2, 3), Period(4, 8)], [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 8.5])
    refused = errno.ECONNREFUSED
    assert list(met.values()) == [200, *[refused] * 5, 200]


def test_connections_are_refused_for_a_period_after_the_first_request() -> None:
    since = Period(5, 10, since="first_request")
    met = observe([since], [7.0, 11.9, 12.1, 16.9, 17.1, 100.0])
    refused = errno.ECONNREFUSED
    assert list(met.values()) == [200, 200, refused, refused, 200, 200]


def test_open_connections_are_dropped_when_connections_are_refused() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            aiohttp.ClientSession() as session,
            FaultServer(Hang(), offline=[Period(5, 10)]) as server,
        ):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await post(session, server)
            assert loop.time() == 5
            assert server.connections == 0

    run_in_virtual_time(main())


@pytest.mark.parametrize("after", [0.0, 5.5, 20.0])
def test_a_server_closes_before_within_and_after_a_period(after: float) -> None:
    async def main() -> None:
        async with FaultServer(offline=[Period(5, 10)]):
            await asyncio.sleep(after)
        assert asyncio.get_running_loop().time() == after
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_in_virtual_time(main())


def test_a_port_that_is_lost_in_a_period_is_said_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with FaultServer(offline=[Period(5, 10)]) as server:

            def taken() -> None:
                raise OSError(errno.EADDRINUSE, "taken")

            monkeypatch.setattr(server._port, "resume", taken)
            await asyncio.sleep(20)

    with pytest.raises(OSError, match="taken"):
        run_in_virtual_time(main())
