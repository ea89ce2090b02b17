"""Make one call that fails, the first of this process, and print the longest stall of the loop.

    python -m benchmarks.overhead.first_failure CLIENT URL

It prints the milliseconds of CPU time that the longest callback of the event loop took: for so
long nothing else could run. By CPU, so that other processes do not count; all that a first
failure adds is work (imports, above all), and no wait. It imports nothing of the benchmark that
the call could need, or the call would not be the first to import it.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events
from time import thread_time
from typing import Any

import aiohttp

__all__ = ["CLIENTS", "longest_stall"]

ALONE, HAND_WRITTEN, PIPELINE, WRAPPED = CLIENTS = ("alone", "hand-written", "pipeline", "wrap")


def _policy() -> Any:
    """Return the standard policy, but without waits between attempts."""
    import resilient

    return resilient.Policy(
        retry=resilient.RetryPolicy(backoff=resilient.Backoff(base=1e-9, cap=1e-9))
    )


def _session(client: str) -> aiohttp.ClientSession:
    if client == HAND_WRITTEN:
        from benchmarks.overhead.common_settings import WITHOUT_WAITS
        from benchmarks.overhead.peers.hand_written_breaker import WRAPPER

        return aiohttp.ClientSession(middlewares=[WRAPPER.middleware(WITHOUT_WAITS)])
    if client == ALONE:
        return aiohttp.ClientSession()
    import resilient

    pipeline = resilient.Pipeline(_policy())
    if client == PIPELINE:
        return aiohttp.ClientSession(middlewares=[pipeline])
    return resilient.wrap(aiohttp.ClientSession(), pipeline, close_original=True)


async def _fail(session: aiohttp.ClientSession, url: str) -> None:
    try:
        async with session.get(url) as response:
            await response.read()
    except (aiohttp.ClientError, TimeoutError):
        return


async def longest_stall(client: str, url: str) -> float:
    """Make the call, and return the seconds of the longest callback."""
    longest = 0.0
    original = events.Handle._run

    def run(handle: events.Handle) -> None:
        nonlocal longest
        began = thread_time()
        original(handle)
        longest = max(longest, thread_time() - began)

    async with _session(client) as session:
        setattr(events.Handle, "_run", run)  # noqa: B010 (there is no other way to see each callback)
        try:
            await asyncio.create_task(_fail(session, url))
        finally:
            setattr(events.Handle, "_run", original)  # noqa: B010 (as above)
    return longest


if __name__ == "__main__":
    print(asyncio.run(longest_stall(*sys.argv[1:])) * 1000)
