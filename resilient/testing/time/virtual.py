"""Run scenarios in virtual time: an event loop that skips the waits.

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

Before each jump the loop has to know that nothing is under way. It sees, and waits for:

- *Its own callbacks.* While one is ready to run, no time passes at all.
- *Sockets whose both ends are in this loop*, such as a client's and a `FaultServer`'s. Linux
  tells when bytes are on their way (see `sockets`), so this costs no real time.
- *Work in threads*, whoever handed it to them: `run_in_executor`, `asyncio.to_thread`, anyio,
  aiosqlite, a thread of your own. A thread that has a pending future of the loop in hand is
  waited for (see `threads`). Time stands still for up to `patience` real seconds, and then
  goes on as real time does, so that a limit on the work still ends it; where short work
  follows on short work, after ten times as long. Work that takes ten times as long as
  `patience` counts as work in the background: no jump waits for it.
- *Threads that may call back* without a future in hand, if they were started since the loop
  was made or have a reference to the loop, and a child process that is waited for. Each is
  given `patience` in all. So beside a thread that does nothing but call the loop every few
  milliseconds, a scenario takes one second longer, and its time is exact.
- *What is outside*: a socket whose other end is in another loop, thread or process, a pipe.
  Before each jump it has `grace` real seconds to say something.

It does not see work in a thread that was started before the loop, and that has neither the
loop nor one of its futures within reach; connections from outside that nobody has made yet;
and the time of code that reads `time.monotonic` itself. aiohttp's pools of connections are
such code, and are made to see the loop's time (see `pools`, for the one name that is replaced
while the loop runs).

If no timer is set and nothing of all that is there, no task can ever go on. Then the loop
raises `DeadlockError` with the tasks that wait, where another loop would block.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import math
import os
import selectors
import sys
import time
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple, Unpack

from resilient.errors import ConfigError
from resilient.testing.time.pools import AgesPools, ageing_pools
from resilient.testing.time.sockets import Traffic, Watched
from resilient.testing.time.threads import Standing, Survey, Threads, is_waking, let_threads_run

# For pytest, which then shows the line of the test that waits and not ours.
__tracebackhide__ = True

__all__ = ["DeadlockError", "VirtualTimeLoop", "run_in_virtual_time"]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

_Events = list[tuple[selectors.SelectorKey, int]]
_Poll = Callable[[float | None], _Events]

_GRACE = 0.005
_PATIENCE = 1.0

# Work that takes so many times as long as the patience is in the background.
_BACKGROUND = 10.0

# Real seconds between two looks: at bytes on their way, at threads, and at what may never end.
_SHORT, _MIDDLE, _LONG = 0.001, 0.005, 0.05


async def _nothing() -> None:
    pass


# The type of what a coroutine's `__await__` returns, which has no attribute for the coroutine.
_coroutine = _nothing()
_WRAPPER = type(_coroutine.__await__())
_coroutine.close()


class DeadlockError(RuntimeError):
    """Every task of a loop in virtual time waits, and nothing can wake any of them."""


class VirtualTimeLoop(asyncio.SelectorEventLoop, AgesPools):
    """An asyncio event loop whose time jumps from timer to timer.

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(main())

    Time passes only when nothing is ready to run and nothing is under way; the module's
    docstring says what is seen of that.

    Args:
        start: The time at first, in seconds. The default is 0.
        grace: The real seconds that sockets with an end outside this loop have before each
            jump. The default is 0.005. A server in another process has to answer within it.
        patience: The real seconds for which time stands still while threads are at work. The
            default is 1.

    Raises:
        ConfigError: `grace` or `patience` is negative, or not a number.
        DeadlockError: When it runs: all tasks wait, and nothing can wake any of them.
    """

    _clock_resolution: float  # of BaseEventLoop, as are these
    _ready: Any
    _ssock: Any

    def __init__(
        self, *, start: float = 0.0, grace: float = _GRACE, patience: float = _PATIENCE
    ) -> None:
        self._now = float(start)
        self._grace = grace
        self._patience = patience
        self._threads = Threads(self)
        self._jobs: set[asyncio.Future[Any]] = set()
        self._executors_closing = 0
        # Real seconds that were waited: for each that is waited for now; since the last jump,
        # as far as time has not moved meanwhile; and since anything came from a socket.
        self._waited_for: dict[Hashable, float] = {}
        self._lag = 0.0
        self._silence = 0.0
        self._watched = Watched()
        super().__init__(_Skipping(self._wait, self._watched))
        for name, given in (("grace", grace), ("patience", patience)):
            if not given >= 0:
                self.close()  # asyncio complains of one that is begun and dropped
                raise ConfigError.of(f"VirtualTimeLoop.{name}", given, "0 seconds or more")

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def run_forever(self) -> None:
        """Run until stopped, with pools of connections that grow older by this loop's time."""
        with ageing_pools():
            super().run_forever()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        """Run a function in an executor, and wait for it before a jump."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs.add(future)
        future.add_done_callback(self._jobs.discard)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Shut the executor down; its own limit of some minutes does not pass meanwhile."""
        self._executors_closing += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._executors_closing -= 1

    # Waiting. The selector asks for it when nothing is ready to run.

    def _wait(self, poll: _Poll, wanted: float | None) -> _Events:
        """Return what has come from sockets; if nothing is under way, skip `wanted` seconds.

        Args:
            poll: Waits for sockets, at most so many real seconds.
            wanted: The time until the next timer; None if there is none.

        Raises:
            DeadlockError: There is no timer, and nothing is under way.
        """
        settled = math.inf  # when threads that seem to rest can be believed
        while True:
            if events := self._heard(poll(0)):
                return events
            if self._ready:  # a thread has called back, and is about to say so
                return []
            threads = self._threads.survey()
            pause = self._pause(threads, wanted)
            now = time.monotonic()
            if pause is not None:
                settled = math.inf
                events = self._heard(poll(pause))
                if self._real_time_passed(time.monotonic() - now, wanted) or events:
                    return events
            elif now < settled and (resting := threads.who(Standing.SEEMS_TO_REST)):
                let_threads_run()
                # If none is waking up now, the next look is the one that counts.
                waking = any(map(is_waking, resting))
                settled = min(settled, now + self._patience) if waking else now
            else:
                break
        if wanted is None:
            raise _deadlock(self)
        self._skip(wanted)
        self._lag = self._silence = 0.0
        return []

    def _heard(self, events: _Events) -> _Events:
        if events and any(key.fd != self._ssock.fileno() for key, _ in events):
            self._silence = 0.0
        return events

    def _pause(self, threads: Survey, wanted: float | None) -> float | None:
        """Return the real seconds until another look; None if nothing is under way."""
        traffic = self._traffic()
        if traffic is Traffic.NONE and wanted is not None and not self._is_awaited(threads):
            self._waited_for.clear()
            return None
        work: set[Hashable] = {*((threads.futures | self._jobs) - threads.excused)}
        hints: set[Hashable] = {("thread", each) for each in threads.who(Standing.MAY_CALL)}
        if Traffic.CHILD in traffic:
            hints |= {("child", each) for each in self._watched.children()}
        # Those that nobody waits for now begin anew if they come again.
        waited = {each: self._waited_for.get(each, 0.0) for each in work | hints}
        self._waited_for = waited
        pauses = []
        if Traffic.MOVING in traffic and self._lag < self._patience:
            pauses.append(_SHORT)
        if (
            self._executors_closing
            or any(waited[each] < self._patience * _BACKGROUND for each in work)
            or any(waited[each] < self._patience for each in hints)
        ):
            pauses.append(_MIDDLE)
        if Traffic.OUTSIDE in traffic and self._silence < self._grace:
            pauses.append(self._grace - self._silence)
        if wanted is not None:
            # Time goes on after this, and the timer is not to be late.
            pauses = [min(each, self._time_stands_still() + wanted) for each in pauses]
        elif work or hints or traffic & Traffic.OUTSIDE or self._may_be_called(traffic):
            pauses.append(_LONG)
        return min(pauses, default=None)

    def _traffic(self) -> Traffic:
        """Return what may arrive from sockets."""
        watched = self._selector.get_map()  # type: ignore[attr-defined]  # of BaseSelectorEventLoop
        if len(watched) == 1:  # the loop's own pipe, which does not count
            return Traffic.NONE
        return self._watched.traffic(watched.values(), (self._ssock.fileno(),))

    def _is_awaited(self, threads: Survey) -> bool:
        """Return whether anything is to be waited for besides sockets."""
        if self._jobs or self._executors_closing or threads.futures:
            return True
        return bool(threads.standings) and bool(threads.who(Standing.MAY_CALL))

    def _may_be_called(self, traffic: Traffic) -> bool:
        """Return whether something that cannot be seen may still wake a task."""
        if not asyncio.all_tasks(self):
            return True  # it is a loop for others to call
        handlers = getattr(self, "_signal_handlers", None)
        return bool(handlers) or (Traffic.LISTENING in traffic and _has_children())

    def _real_time_passed(self, seconds: float, wanted: float | None) -> bool:
        """Count a real wait; return whether virtual time has moved with it."""
        for each in self._waited_for:
            self._waited_for[each] += seconds
        self._silence += seconds
        self._lag += seconds
        late = min(seconds, self._lag - self._limit(), math.inf if wanted is None else wanted)
        if late <= 0:
            return False
        self._lag -= late
        self._skip(late)
        return True

    def _time_stands_still(self) -> float:
        """Return for how many more real seconds it does."""
        return max(0.0, self._limit() - self._lag)

    def _limit(self) -> float:
        """Return for how long time may stand still while real time is waited.

        Short work after short work is no reason for time to go on, unless it never ends.
        """
        is_new = any(waited < self._patience for waited in self._waited_for.values())
        return self._patience * (_BACKGROUND if is_new else 1)

    def _skip(self, seconds: float) -> None:
        self._now += seconds
        # What is due within this counts as due. Beyond a hundred days asyncio's own value is
        # lost in rounding, and a timer whose time is now would never be.
        self._clock_resolution = max(self._clock_resolution, math.ulp(self._now))


class _Skipping(selectors.DefaultSelector):
    """A selector that leaves the waiting to its loop."""

    def __init__(self, wait: Callable[[_Poll, float | None], _Events], watched: Watched) -> None:
        super().__init__()
        self._wait = wait
        self._watched = watched

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Stop to watch a descriptor."""
        key = super().unregister(fileobj)
        self._watched.forget(key.fd)
        return key

    def select(self, timeout: float | None = None) -> _Events:
        """Return what is ready. A loop asks it to wait only if nothing is ready to run."""
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        return self._wait(super().select, timeout)


def run_in_virtual_time(
    main: Coroutine[Any, Any, _T], *, grace: float = _GRACE, patience: float = _PATIENCE
) -> _T:
    """Run a coroutine as `asyncio.run` does, in virtual time.

    Args:
        main: The coroutine.
        grace: As for `VirtualTimeLoop`.
        patience: As for `VirtualTimeLoop`.

    Returns:
        The coroutine's result.

    Raises:
        DeadlockError: All tasks wait, and nothing can wake any of them.
    """
    factory = functools.partial(VirtualTimeLoop, grace=grace, patience=patience)
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _has_children() -> bool:
    """Return whether this process has child processes, which may connect to it."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # looks, and takes nothing
    except ChildProcessError:
        return False
    # One that multiprocessing starts, and leaves until the end, connects to nobody.
    module = sys.modules.get("multiprocessing.resource_tracker")
    tracker = getattr(getattr(module, "_resource_tracker", None), "_pid", None)
    return tracker is None or _children() != {tracker}


def _children() -> set[int]:
    """Return the identifiers of all child processes; none where the system does not list them."""
    try:
        lists = [each.read_text() for each in Path("/proc/self/task").glob("*/children")]
    except OSError:
        return set()
    return {int(each) for text in lists for each in text.split()}


def _deadlock(loop: asyncio.AbstractEventLoop) -> DeadlockError:
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    lines = [f"\n  {task.get_name()}: {_place(task)}" for task in tasks]
    return DeadlockError(
        "no timer is set and nothing is under way, so that nothing can wake the tasks that wait:"
        + "".join(lines)
    )


def _place(task: asyncio.Task[Any]) -> str:
    """Describe where a task waits, the outermost function first."""
    places = []
    waiting: Any = task.get_coro()
    while waiting is not None:
        if type(waiting) is _WRAPPER:
            (waiting,) = gc.get_referents(waiting)
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            code = frame.f_code
            places.append(f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})")
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
    return ", in ".join(places) or "somewhere in C"
