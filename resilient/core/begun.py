"""Attempts that began without a call, and the call that is made of one when it is needed.

The quick way of a pipeline (`pipeline.optimistic`) begins the first attempt of a hop with no more
than an `Entry` among those under way in its event loop. A call is opened from that, with the
times as they were, by whoever needs one first: a middleware further in that meets the same
request or makes one of its own meanwhile, a limit of time that runs out, or the pipeline itself
when the attempt has not simply gone well.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from typing import Any, NamedTuple

from aiohttp import ClientRequest

from resilient.support.timers import Task

__all__ = ["Begun", "Entry", "Opened", "open_call", "under_way"]


# An attempt: the pipeline's `UnderWay`, the request, when it began, its spell and its number there,
# and how many cancellations of its task were under way; once a call was opened, `Opened` too. A
# plain tuple, for nearly every attempt has no more.
Entry = tuple[Any, ...]


class Opened:
    """The call of an attempt that began without one.

    Attributes:
        call: The call.
        deadline: The limit of the call, once its time may have come; else None.
        limit: The limit of the attempt, in the same way.
        is_limited: Whether the two have timers of their own.
    """

    __slots__ = ("call", "deadline", "is_limited", "limit")

    def __init__(self, call: Any) -> None:
        self.call = call
        self.deadline: Any = None
        self.limit: Any = None
        self.is_limited = False


class Begun(NamedTuple):
    """The part of an attempt that is over when the middlewares of its pipeline come to it.

    Attributes:
        started: When it began, on the clock's scale.
        permit: What the guards let it pass with; None without guards.
        deadline: The limit of the call, if that has a timer already.
        limit: The limit of the attempt, if that has a timer already.
        told: The spans that were begun for it; None if there are none.
    """

    started: float
    permit: Any
    deadline: Any
    limit: Any
    told: Any = None


def under_way(loop: asyncio.AbstractEventLoop) -> dict[Task, Entry]:
    """Return the attempts that began in an event loop without a call, by their tasks.

    The loop has them, since they refer to it: they go when it goes.
    """
    found: dict[Task, Entry] | None = getattr(loop, "_resilient_under_way", None)
    if found is None:
        found = {}
        loop._resilient_under_way = found  # type: ignore[attr-defined]  # ours
    return found


def open_call(request: ClientRequest) -> tuple[Any, bool] | None:
    """Return the call of the attempt under way in this task, and whether that is of the request.

    None if there is no such attempt.
    """
    loop = asyncio.get_running_loop()
    entries: dict[Task, Entry] | None = getattr(loop, "_resilient_under_way", None)
    task = current_task() if entries else None
    if entries is None or task is None or task not in entries:
        return None
    way, made_for, *_ = entries[task]
    return way.open(task), made_for is request
