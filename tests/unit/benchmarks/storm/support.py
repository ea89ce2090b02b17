"""Requests and virtual time for the tests of storms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from benchmarks.storm.simulation import simulate

T = TypeVar("T")

Scenario = Callable[[aiohttp.ClientSession, ClientRequest], Awaitable[T]]


async def pass_through(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    return await handler(request)


def a_request(session: aiohttp.ClientSession) -> ClientRequest:
    loop = asyncio.get_running_loop()
    return ClientRequest("GET", URL("http://api.example/"), loop=loop, session=session)


def in_virtual_time(scenario: Scenario[T]) -> T:
    """Run a scenario with a session and a request of its own."""

    async def main(session: aiohttp.ClientSession) -> T:
        return await scenario(session, a_request(session))

    return simulate(main)
