"""Waits that end at once when the session is closed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any

from aiohttp import ClientSession

from resilient.clock import Clock
from resilient.errors import SessionClosedError
from resilient.support.timers import Limit
from resilient.wire.connections import watch_close

__all__ = ["sleep", "wait_for"]


async def sleep(seconds: float, session: ClientSession, clock: Clock) -> None:
    """Wait for so many seconds.

    Raises:
        SessionClosedError: The session was closed meanwhile. One that only borrows its
            connector gives no sign, so that this is noticed when the time is over.
    """
    await _while_open(clock.sleep(seconds), session, clock)


async def wait_for(
    future: asyncio.Future[Any], session: ClientSession, clock: Clock, until: float
) -> None:
    """Wait until a future is done, or until a time on the clock's scale.

    Raises:
        SessionClosedError: The session was closed meanwhile, as for `sleep`.
    """
    timer = None
    if until != math.inf:

        def time_up() -> None:
            if not future.done():
                future.set_result(None)

        timer = clock.call_at(until, time_up)
    try:
        await _while_open(future, session, clock)
    finally:
        if timer is not None:
            timer.cancel()


async def _while_open(waiting: Awaitable[Any], session: ClientSession, clock: Clock) -> None:
    # Without a time: only the closing of the session lets it run out.
    limit = Limit(clock, math.inf)
    watch = watch_close(session, limit.expire)
    try:
        await waiting
    except asyncio.CancelledError:
        if not limit.lift():
            raise
        raise SessionClosedError from None
    finally:
        limit.lift()
        if watch is not None:
            watch.cancel()
    if session.closed:
        raise SessionClosedError
