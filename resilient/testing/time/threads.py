"""Find out which threads have work of an event loop's in hand.

A loop sees what its own `run_in_executor` hands out. It does not see what others hand to
threads of their own: anyio has worker threads, aiosqlite has one for each connection, and
both answer by `call_soon_threadsafe`. Until then they have to keep the future that is to be
set, so it can be found on the stack of the thread, or in the queue that the thread reads.
This module looks there, and changes nobody's code:

- A thread *works* for a loop if a pending future of the loop is within reach of its stack:
  in a variable, or in a container, queue, closure, partial or object that a variable holds.
  Tasks do not count, as the loop itself completes them.
- A thread *waits for the loop*, whatever it holds, if it is in `result()` of a future from
  `asyncio.run_coroutine_threadsafe`, as under `anyio.from_thread.run`.
- A thread *rests* if it works for nobody and waits, without a time limit, for another thread
  to wake it (`queue.Queue.get`, `threading.Event.wait`), which nobody has done yet.
- A thread *seems to rest* if it works for nobody and has an empty `queue.SimpleQueue`. Such a
  queue is written in C: its thread waits at no place that has a name in Python, and an item
  may be on its way to a thread that is waking up (`is_waking`).
- Any other thread *may call back*, if it is new, or if the loop is within reach of its stack.

The search is bounded, nearest first. It misses a future that is further away than a
thousand objects, and one that only code in C holds.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import enum
import gc
import queue
import sys
import threading
import time
import types
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import define, field

__all__ = ["Standing", "Survey", "Threads", "is_waking", "let_threads_run"]

# Objects to look at, for each thread.
_BUDGET = 1_000

# These hold no work, and lead to too much else.
_SKIPPED = (
    asyncio.AbstractEventLoop,
    type,
    types.BuiltinFunctionType,
    types.CodeType,
    types.CoroutineType,
    types.FrameType,
    types.GeneratorType,
    types.ModuleType,
    weakref.ref,
)

_CONTAINERS = (deque, dict, list, set, queue.SimpleQueue)

# The loop itself completes these.
_SET_BY_THE_LOOP = (asyncio.Task, asyncio.tasks._GatheringFuture)  # type: ignore[attr-defined]  # private

_WAIT = threading.Condition.wait.__code__
_RESULT = (
    concurrent.futures.Future.result.__code__,
    concurrent.futures.Future.exception.__code__,
)


class Standing(enum.Enum):
    """A thread's relation to an event loop."""

    WORKS = enum.auto()
    WAITS_FOR_LOOP = enum.auto()
    MAY_CALL = enum.auto()
    SEEMS_TO_REST = enum.auto()
    RESTS = enum.auto()
    NO_CONCERN = enum.auto()


@define(eq=False)
class Survey:
    """The threads at one moment.

    Attributes:
        standings: The relation of each thread to the loop, by its identifier.
        futures: The pending futures of the loop that threads have in hand.
        excused: Those that cannot be set before the loop moves on, as the threads that have
            them wait for the loop.
    """

    standings: dict[int, Standing] = field(factory=dict)
    futures: set[asyncio.Future[Any]] = field(factory=set)
    excused: set[asyncio.Future[Any]] = field(factory=set)

    def who(self, standing: Standing) -> list[int]:
        """Return the identifiers of the threads that have a standing."""
        return [ident for ident, each in self.standings.items() if each is standing]


@define(eq=False)
class Threads:
    """The threads of this process, as seen from one event loop.

    Args:
        loop: The loop that they may work for.

    Attributes:
        known: The identifiers of threads that are not new: at first, those that run now.
    """

    loop: asyncio.AbstractEventLoop
    known: set[int] = field(factory=lambda: set(sys._current_frames()), init=False)
    # Known threads that do not concern the loop, as they were last seen.
    _seen: dict[int, _Seen] = field(factory=dict, init=False)

    def survey(self) -> Survey:
        """Look at every thread but the caller's."""
        frames = sys._current_frames()
        frames.pop(threading.get_ident(), None)
        if self.known:
            self.known &= frames.keys()
        result, before, self._seen = Survey(), self._seen, {}
        for ident, frame in frames.items():
            seen = before.get(ident)
            if seen is not None and seen.is_still_so(frame):
                self._seen[ident] = seen
                result.standings[ident] = Standing.NO_CONCERN
                continue
            reached = _Reached.from_stack(frame, self.loop)
            standing = _standing(frame, self.loop, reached, is_new=ident not in self.known)
            result.standings[ident] = standing
            result.futures |= reached.futures
            if standing is Standing.WAITS_FOR_LOOP:
                result.excused |= reached.futures
            elif standing is Standing.NO_CONCERN:
                self._seen[ident] = _Seen(id(frame), frame.f_lasti, reached.sizes)
        return result


@define(eq=False)
class _Seen:
    """The place at which a thread was, and the containers within its reach with their sizes.

    The search takes too long to be repeated before each jump for the threads of a test
    runner, which stay where they are. If work comes to such a thread, something has grown.
    """

    frame: int
    instruction: int
    sizes: list[tuple[Any, int]]

    def is_still_so(self, frame: types.FrameType) -> bool:
        """Return whether the thread is still there, and no container has another size."""
        return (
            id(frame) == self.frame
            and frame.f_lasti == self.instruction
            and all(_size(each) == size for each, size in self.sizes)
        )


def let_threads_run() -> None:
    """Give threads that have just been woken the time to take their work."""
    time.sleep(0.0001)


def is_waking(ident: int) -> bool:
    """Return whether a thread has been woken, and waits for the system to run it.

    Only Linux tells; elsewhere the answer is False.
    """
    native = next((each.native_id for each in threading.enumerate() if each.ident == ident), None)
    try:
        with open(f"/proc/self/task/{native}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "R"
    except (OSError, IndexError):
        return False


@define(eq=False)
class _Reached:
    """The parts of a loop that are within reach of a thread.

    Attributes:
        futures: Its pending futures.
        loop: Whether the loop itself is, or an object that belongs to it.
        sizes: The containers that are, with their sizes.
    """

    futures: set[asyncio.Future[Any]] = field(factory=set)
    loop: bool = False
    sizes: list[tuple[Any, int]] = field(factory=list)

    @classmethod
    def from_stack(cls, frame: types.FrameType, loop: asyncio.AbstractEventLoop) -> _Reached:
        """Search the variables of all functions that a thread is in."""
        roots: list[object] = []
        each: types.FrameType | None = frame
        while each is not None:
            roots.extend(each.f_locals.values())
            roots.extend(_globals(each))
            each = each.f_back
        return cls.from_objects(roots, loop)

    @classmethod
    def from_objects(cls, roots: Iterable[object], loop: asyncio.AbstractEventLoop) -> _Reached:
        """Search objects and what they refer to.

        Types are compared, and no attributes are read, where that might run the user's code.
        """
        found = cls()
        ahead = deque(roots)
        seen: dict[int, object] = {}  # with the objects, so that no identity is given twice
        while ahead and len(seen) < _BUDGET:
            value: Any = ahead.popleft()
            if id(value) in seen or not gc.is_tracked(value):
                continue
            seen[id(value)] = value
            kind = type(value)
            if issubclass(kind, asyncio.Future):
                if _is_set_by_a_thread(value, loop):
                    found.futures.add(value)
            elif value is loop:
                found.loop = True
            elif str(kind.__module__).partition(".")[0] == "asyncio":
                found.loop = found.loop or getattr(value, "_loop", None) is loop
            else:
                ahead.extend(_parts(value, kind))
                if kind in _CONTAINERS:
                    found.sizes.append((value, _size(value)))
        return found


def _standing(
    frame: types.FrameType, loop: asyncio.AbstractEventLoop, reached: _Reached, *, is_new: bool
) -> Standing:
    blocked = _waits_to_be_woken(frame)
    if blocked and _waits_for_loop(frame, loop):
        return Standing.WAITS_FOR_LOOP
    if reached.futures:
        return Standing.WORKS
    if blocked:
        return Standing.RESTS
    if _has_an_empty_queue(frame):
        return Standing.SEEMS_TO_REST
    return Standing.MAY_CALL if is_new or reached.loop else Standing.NO_CONCERN


def _waits_to_be_woken(frame: types.FrameType) -> bool:
    """Return whether a thread is in `threading.Condition.wait`, without limit, not notified."""
    if frame.f_code is not _WAIT:
        return False
    names = frame.f_locals
    try:
        # A condition keeps the lock of each who waits until it notifies them.
        return names["timeout"] is None and names["waiter"] in names["self"]._waiters
    except (KeyError, RuntimeError):  # it has only begun to wait, or others come and go
        return False


def _waits_for_loop(frame: types.FrameType, loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether it waits for a future that is to be set when a task of the loop ends."""
    outer = frame.f_back
    if outer is None or outer.f_code not in _RESULT:
        return False
    future = outer.f_locals.get("self")
    return _Reached.from_objects(getattr(future, "_done_callbacks", ()), loop).loop


def _has_an_empty_queue(frame: types.FrameType) -> bool:
    """Return whether the innermost function has an empty `SimpleQueue` to read from."""
    names = frame.f_locals
    near = [*names.values(), *_globals(frame), *_attributes(names.get("self"))]
    return any(type(each) is queue.SimpleQueue and each.empty() for each in near)


def _size(container: Any) -> int:
    is_queue = type(container) is queue.SimpleQueue
    return container.qsize() if is_queue else len(container)


def _attributes(value: object) -> Iterator[object]:
    for each in gc.get_referents(value):
        if type(each) is dict:
            yield from each.values()
        yield each


def _is_set_by_a_thread(future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop) -> bool:
    return (
        not isinstance(future, _SET_BY_THE_LOOP) and not future.done() and future.get_loop() is loop
    )


def _parts(value: Any, kind: type) -> Iterable[object]:
    """Return the objects that this one refers to, as far as work may be handed on in them."""
    if kind is types.FunctionType:
        return (*(value.__closure__ or ()), *(value.__defaults__ or ()))
    if kind is types.BuiltinFunctionType and type(value.__self__) is not types.ModuleType:
        return (value.__self__,)  # of `future.set_result`, say
    return () if issubclass(kind, _SKIPPED) else gc.get_referents(value)


def _globals(frame: types.FrameType) -> Iterator[object]:
    """Yield the global variables that a function uses, except code."""
    known = frame.f_globals
    if known is vars(threading):
        return  # they lead to every other thread
    for name in frame.f_code.co_names:
        value = known.get(name)
        if not issubclass(type(value), types.FunctionType | type | types.ModuleType):
            yield value
