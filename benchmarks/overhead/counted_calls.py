"""Make so many calls that go well, for a profiler that counts the instructions of this process.

    python -m benchmarks.overhead.counted_calls WAY ROW NUMBER URL

All that is not a call is the same whatever the number is, so that two runs differ by the calls.
"""

from __future__ import annotations

import asyncio
import gc
import sys

from yarl import URL

from benchmarks.overhead.in_process import Calls, call_fixture, session_calls
from benchmarks.overhead.ours import PARTS, PIPELINE, VARIANTS, WRAPPED, services
from benchmarks.overhead.references import HAND_WRITTEN, NOTHING
from benchmarks.overhead.run import by_label
from benchmarks.overhead.traced import TRACED
from benchmarks.overhead.wrapper import Wrapper

__all__ = ["FIRST", "HANDLER", "MOST", "SESSION", "counted_rows", "make_calls"]

# A call is made around a handler that returns at once, or through a session.
HANDLER, SESSION = "handler", "session"

# Calls that are made first, so that the interpreter has specialised its bytecode; and the most of
# those that follow.
FIRST = 300
MOST = 500


def counted_rows(way: str, url: URL) -> dict[str, Wrapper]:
    """Return the wrappers that are counted in one of both ways, by label."""
    if way == SESSION:
        return by_label((NOTHING, HAND_WRITTEN, PIPELINE, WRAPPED))
    return by_label((NOTHING, HAND_WRITTEN, PIPELINE, *services(url), *VARIANTS, *TRACED, *PARTS))


async def make_calls(way: str, row: str, number: int, url: URL) -> None:
    """Make the calls of a row."""
    wrapper = counted_rows(way, url)[row]
    async with call_fixture(url) as fixture:
        if way == SESSION:
            async with session_calls(fixture, wrapper) as calls:
                await _make(calls, number)
        else:
            await _make(fixture.around(fixture.at_once, wrapper), number)


async def _make(calls: Calls, number: int) -> None:
    arguments = calls.arguments(FIRST + MOST)
    gc.collect()
    gc.disable()
    for argument in arguments[: FIRST + number]:
        await calls.call(argument)


if __name__ == "__main__":
    way, row, number, url = sys.argv[1:]
    asyncio.run(make_calls(way, row, int(number), URL(url)))
