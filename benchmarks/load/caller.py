"""One call under a policy, and what to call what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from yarl import URL

import resilient
from benchmarks.load.generator import Call

__all__ = ["calling"]


@asynccontextmanager
async def calling(
    policy: resilient.Policy,
    url: URL,
    *,
    patience: float,
    read_timeout: float | None,
    connections: int,
) -> AsyncIterator[Call]:
    """Calls to a URL through a session of its own, under a policy whose state is new.

    Args:
        policy: One without any part is aiohttp alone.
        url: What is called.
        patience: Seconds for a whole call, attempts and waits included: aiohttp's own limit,
            so that the policies that have none cannot hang.
        read_timeout: Seconds without a byte, aiohttp's own, too; None for no limit.
        connections: How many may be open.
    """
    timeout = ClientTimeout(total=patience, sock_read=read_timeout)
    connector = TCPConnector(limit=connections)
    async with ClientSession(connector=connector, timeout=timeout) as bare:
        pipeline = resilient.Pipeline(policy)
        session = resilient.wrap(bare, pipeline) if len(pipeline) else bare

        async def call(method: str) -> str | None:
            data = b"{}" if method == "POST" else None
            try:
                async with session.request(method, url, data=data) as response:
                    await response.read()
            except Exception as error:
                return _kind(error)
            return None if response.status < 400 else f"{response.status}"

        yield call


def _kind(error: Exception) -> str:
    """The status, for one that is an answer of the server's; else the class."""
    if isinstance(error, resilient.APIError):
        return f"{error.status}"
    return type(error).__name__
