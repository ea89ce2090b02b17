"""A row that many clients change at once."""

import asyncio

import aiohttp
from aiohttp import ClientRequest

from benchmarks.storm.jitter_simulation import Row
from benchmarks.storm.simulation import random_for
from tests.unit.benchmarks.storm.support import a_request, in_virtual_time


def test_of_those_who_read_the_same_version_one_writes() -> None:
    row = Row(random_for(1, "row"))

    async def scenario(session: aiohttp.ClientSession, _: ClientRequest) -> list[int]:
        responses = await asyncio.gather(*(row(a_request(session)) for _ in range(5)))
        return sorted(response.status for response in responses)

    assert in_virtual_time(scenario) == [200, 409, 409, 409, 409]
    assert row.version == 1
    assert len(row.writes) == 5


def test_those_who_come_one_after_another_all_write() -> None:
    row = Row(random_for(1, "row"))

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> list[int]:
        return [(await row(request)).status for _ in range(5)]

    assert in_virtual_time(scenario) == [200] * 5
    assert row.version == 5


def test_reading_and_writing_takes_four_messages_of_ten_milliseconds() -> None:
    row = Row(random_for(1, "row"))

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> float:
        for _ in range(100):
            await row(request)
        return asyncio.get_running_loop().time()

    assert 3.9 < in_virtual_time(scenario) < 4.1
    assert 0.025 < row.writes[0] < 0.035
