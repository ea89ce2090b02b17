"""Let aiohttp's connection pools grow older with an event loop's own time.

aiohttp's connector (3.12 to 3.14) notes with `time.monotonic` when a connection came back
and when a name was looked up, and not with the loop's time. In virtual time neither would
ever be too old. So while a loop in virtual time runs, `aiohttp.connector.monotonic` is a
function that gives the running loop's time to whoever runs in such a loop, and the system's
to all others: other threads, and other loops in them, see no change.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import connector

__all__ = ["AgesPools", "ageing_pools"]

_NAME = "monotonic"


class AgesPools(asyncio.AbstractEventLoop):
    """A loop by whose time connections grow older."""


_lock = threading.Lock()
_users = 0


def _now() -> float:
    loop = asyncio._get_running_loop()
    return loop.time() if isinstance(loop, AgesPools) else time.monotonic()


@contextmanager
def ageing_pools() -> Iterator[None]:
    """Give pools the time of the running loop, if that is an `AgesPools`, for a while.

    It does nothing where aiohttp has no such function, or somebody else has replaced it.
    """
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def _count(change: int) -> None:
    global _users  # of a module of aiohttp's, which there is once in a process
    with _lock:
        _users += change
        names = vars(connector)
        before, after = (time.monotonic, _now) if _users else (_now, time.monotonic)
        if names.get(_NAME) is before:
            names[_NAME] = after
