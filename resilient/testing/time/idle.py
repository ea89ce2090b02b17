"""Find out whether all that an ordinary event loop runs is waiting for something else.

asyncio's own loops can be asked, with the same questions that a `VirtualTimeLoop` asks before
a jump. Other loops (uvloop) show nothing of themselves, and count as busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from selectors import BaseSelector

from resilient.testing.time.sockets import Traffic, Watched
from resilient.testing.time.threads import Standing, Threads

__all__ = ["has_ready_callbacks", "is_idle"]

_PARTS = ("_ready", "_scheduled", "_selector", "_ssock")  # of asyncio's loops, private

_BUSY = Traffic.MOVING | Traffic.OUTSIDE | Traffic.CHILD


def has_ready_callbacks(loop: asyncio.AbstractEventLoop) -> bool | None:
    """Return whether callbacks are ready to run; None if the loop does not tell."""
    ready = getattr(loop, "_ready", None)
    return None if ready is None else bool(ready)


def is_idle(
    loop: asyncio.AbstractEventLoop,
    within: float,
    ignored: Callable[[asyncio.TimerHandle], bool],
) -> bool:
    """Return whether nothing on a loop can go on by itself for some time.

    A callback of the loop calls this.

    Args:
        loop: The running loop.
        within: A timer of the loop's that is due within so many seconds counts.
        ignored: Says which timers do not count.
    """
    if not all(hasattr(loop, each) for each in _PARTS):
        return False
    ready, scheduled, selector, own_pipe = (getattr(loop, each) for each in _PARTS)
    if ready or not isinstance(selector, BaseSelector) or selector.select(0):
        return False
    soon = loop.time() + within
    if any(
        each.when() <= soon and not each.cancelled() and not ignored(each) for each in scheduled
    ):
        return False
    if Watched().traffic(selector.get_map().values(), (own_pipe.fileno(),)) & _BUSY:
        return False
    threads = Threads(loop).survey()
    if threads.futures - threads.excused or threads.who(Standing.MAY_CALL):
        return False
    # A thread that ended between the two looks has called back in the meantime.
    return not ready and not selector.select(0)
