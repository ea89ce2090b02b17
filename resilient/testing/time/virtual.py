"""Scenarios in virtual time: an event loop that skips the waits.

Its time stands still while anything happens, and jumps to the next timer when nothing does.
So thirty seconds of a Retry-After take no time, and are thirty seconds to the digit: for the
middlewares, for your own `asyncio.sleep`, and for the delays of a `FaultServer` alike.

    async def scenario():
        api = FaultServer(Reply(503, headers={"Retry-After": "30"}), Reply(200))
        session = aiohttp.ClientSession(middlewares=[Pipeline(clock=LoopClock(draw=0.0))])
        async with api, session, session.get(api.url) as response:
            assert response.status == 200
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(scenario()) == 30

Nothing is patched: it is a loop like any other, for a runner to take as its `loop_factory`.
"""

from __future__ import annotations

import asyncio
import functools
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

from resilient.errors import ConfigError

__all__ = ["VirtualTimeLoop", "run_in_virtual_time"]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

# Between two ends in one process an answer is there when its sender is done, or, if the
# system is busy, when it gets around to it.
_GRACE = 0.005


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose time jumps from timer to timer.

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(main())

    Time passes only when nothing is ready to run and nothing is under way. What is under way
    outside the loop cannot always be seen: work in the threads of an executor (files, names
    to look up) is waited for, as long as its time would have been; what arrives over sockets
    is given a `grace` before each jump. A server in the same loop needs no more; one in
    another thread or process has to answer within it.

    Args:
        start: The time at first, in seconds.
        grace: Real seconds to wait for sockets before a jump, if there are any.
    """

    _clock_resolution: float  # of BaseEventLoop

    def __init__(self, *, start: float = 0.0, grace: float = _GRACE) -> None:
        self._now = float(start)
        self._grace = grace
        self._threads_at_work = 0
        super().__init__(_Skipping(self._patience, self._skip))
        if not grace >= 0:
            self.close()  # asyncio complains of one that is begun and dropped
            raise ConfigError.of("VirtualTimeLoop.grace", grace, "0 seconds or more")

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        """Time does not jump before this is done."""
        future = super().run_in_executor(executor, func, *args)
        self._threads_at_work += 1
        future.add_done_callback(self._thread_is_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Neither before this is; its own limit is minutes, and would be over at once."""
        self._threads_at_work += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._threads_at_work -= 1

    def _thread_is_done(self, _: object) -> None:
        self._threads_at_work -= 1

    def _patience(self, wanted: float, watched: int) -> float:
        """How long to wait for real before `wanted` seconds are skipped."""
        if self._threads_at_work:
            return wanted
        # The loop watches a pipe of its own, by which others wake it.
        return min(wanted, self._grace) if watched > 1 else 0.0

    def _skip(self, seconds: float) -> None:
        self._now += seconds
        # What is due within this counts as due. Beyond a hundred days asyncio's own value is
        # lost in rounding, and a timer whose time is now would never be.
        self._clock_resolution = max(self._clock_resolution, math.ulp(self._now))


class _Skipping(selectors.DefaultSelector):
    """A selector that does not wait; a loop asks it to only when nothing is ready to run."""

    def __init__(
        self, patience: Callable[[float, int], float], skip: Callable[[float], None]
    ) -> None:
        super().__init__()
        self._patience = patience
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; if nothing is, skip as much as was to be waited."""
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            patience = self._patience(timeout, len(self.get_map()))
            ready = super().select(patience) if patience else ready
            if not ready:
                self._skip(timeout)
        return ready


def run_in_virtual_time(main: Coroutine[Any, Any, _T], *, grace: float = _GRACE) -> _T:
    """Run a coroutine as `asyncio.run` does, in virtual time.

    Args:
        main: What to run.
        grace: As for `VirtualTimeLoop`.

    Returns:
        What it returns.
    """
    factory = functools.partial(VirtualTimeLoop, grace=grace)
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
