"""Guards: their queues, and one guard that attempts wait at."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import pytest

from resilient import DeadlineExceededError, SessionClosedError
from resilient.clock import SYSTEM_CLOCK
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Queue, Turn, Wait
from resilient.timeouts import Deadline
from tests.guards import (
    Bulkhead,
    Gate,
    GateClosedError,
    Pace,
    Request,
    Runner,
    Scripted,
    turns,
    virtual,
)

# Queues.


def test_a_queue_is_first_in_first_out() -> None:
    queue, turns_ = Queue(), [Turn(SYSTEM_CLOCK) for _ in range(4)]
    assert (len(queue), queue.head) == (0, None)
    for turn in turns_:
        queue.join(turn)
    queue.join(turns_[0])
    assert len(queue) == 4
    for turn in turns_:
        assert queue.head is turn
        assert turn in queue
        queue.leave(turn)
        assert turn not in queue
    assert (len(queue), queue.head) == (0, None)


def test_a_queue_knows_the_end_of_the_wait_with_which_an_attempt_joined() -> None:
    queue, turn = Queue(), Turn(SYSTEM_CLOCK)
    assert queue.until(turn) is None
    turn.until = 5.0
    queue.join(turn)
    # It waits elsewhere meanwhile, and keeps its place.
    turn.until = 9.0
    queue.join(turn)
    assert queue.until(turn) == 5.0
    queue.leave(turn)
    assert queue.until(turn) is None


def test_next_is_the_head_or_anybody_if_nobody_waits() -> None:
    queue, first, second = Queue(), Turn(SYSTEM_CLOCK), Turn(SYSTEM_CLOCK)
    for turn in (None, first, second):
        assert queue.is_next(turn)
    queue.join(first)
    queue.join(second)
    assert [queue.is_next(turn) for turn in (None, first, second)] == [False, True, False]


class Woken(Turn):
    """A turn that notes when it is woken."""

    __slots__ = ("name", "notes")

    def __init__(self, name: str, notes: list[str]) -> None:
        super().__init__(SYSTEM_CLOCK)
        self.name, self.notes = name, notes

    def wake(self) -> None:
        self.notes.append(self.name)


def line(names: str) -> tuple[Queue, dict[str, Woken], list[str]]:
    queue, notes = Queue(), list[str]()
    waiting = {name: Woken(name, notes) for name in names}
    for turn in waiting.values():
        queue.join(turn)
    return queue, waiting, notes


def test_whoever_becomes_the_head_is_woken() -> None:
    queue, waiting, notes = line("abcd")
    assert notes == []
    queue.wake()
    assert notes == ["a"]
    queue.leave(waiting["c"])
    assert notes == ["a"]
    queue.leave(waiting["a"])
    assert notes == ["a", "b"]
    queue.leave(waiting["b"])
    assert notes == ["a", "b", "d"]
    queue.leave(waiting["d"])
    queue.wake()
    queue.wake_all()
    assert notes == ["a", "b", "d"]


def test_all_are_woken_in_their_order() -> None:
    queue, waiting, notes = line("abc")
    queue.leave(waiting["b"])
    queue.wake_all()
    assert notes == ["a", "c"]


def test_at_the_front_one_is_the_head_and_may_use_what_the_last_head_was_woken_for() -> None:
    queue, waiting, notes = line("ab")
    returning = Woken("r", notes)
    queue.wake()
    queue.join(returning, front=True)
    assert notes == ["a", "r"]
    queue.leave(returning)
    assert queue.head is waiting["a"]
    alone, notes = Queue(), []
    alone.join(Woken("x", notes), front=True)
    assert (len(alone), notes) == (1, [])


def test_nobody_is_counted_who_leaves_twice_or_was_forgotten() -> None:
    queue, waiting, _ = line("abc")
    for _ in range(2):
        queue.leave(waiting["b"])
        assert len(queue) == 2
    queue.clear()
    assert (len(queue), queue.head) == (0, None)
    new = Turn(SYSTEM_CLOCK)
    queue.join(new)
    for turn in waiting.values():
        queue.leave(turn)
    assert (len(queue), queue.head) == (1, new)


class Compared(Woken):
    """A turn that counts comparisons."""

    __slots__ = ()
    count = 0

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        Compared.count += 1
        return self is other


@pytest.mark.parametrize("order", ["first", "last", "any"])
def test_whoever_leaves_is_not_searched_for(order: str) -> None:
    queue, Compared.count = Queue(), 0
    waiting = [Compared("", []) for _ in range(2000)]
    for turn in waiting:
        queue.join(turn)
    if order == "last":
        waiting.reverse()
    elif order == "any":
        random.Random(1).shuffle(waiting)
    for turn in waiting:
        queue.leave(turn)
    assert len(queue) == 0
    assert Compared.count < 4 * len(waiting)


# One guard.


@virtual
async def test_a_bulkhead_lets_so_many_run_at_once_in_their_order() -> None:
    bulkhead = Bulkhead(3)
    async with Runner(bulkhead, seconds=1) as runner:
        await asyncio.gather(*runner.start(*range(50)))
    assert runner.names == list(range(50))
    assert [when for _, when in runner.left] == [float(each // 3) for each in range(50)]
    assert runner.most == 3
    assert (bulkhead.out, len(bulkhead.queue)) == (set(), 0)


@virtual
async def test_a_pace_lets_one_leave_each_second() -> None:
    async with Runner(Pace(1.0)) as runner:
        await asyncio.gather(*runner.start(*range(5)))
    assert runner.left == [(each, float(each)) for each in range(5)]


@virtual
async def test_two_permits_that_come_back_at_once_are_both_used() -> None:
    async with Runner(Bulkhead(2), seconds=1) as runner:
        await asyncio.gather(*runner.start(*range(4)))
    assert [when for _, when in runner.left] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("while_woken", [False, True])
async def test_a_cancelled_head_hands_its_turn_on(while_woken: bool) -> None:
    bulkhead = Bulkhead(1)
    async with Runner(bulkhead) as runner:
        runner.seconds = 60
        (holder,) = runner.start("holder")
        await turns()
        first, second = runner.start("first", "second")
        await turns()
        assert len(bulkhead.queue) == 2
        if while_woken:
            # It is woken and cancelled in the same turn of the loop.
            bulkhead.give_back(next(iter(bulkhead.out)), False)
            first.cancel()
            await turns()
            assert runner.names == ["holder", "second"]
        else:
            first.cancel()
            await turns()
            assert runner.names == ["holder"]
            holder.cancel()
            await turns()
        assert runner.names == ["holder", "second"]
        for task in (holder, first, second):
            task.cancel()
        await asyncio.wait([holder, first, second])
    assert (bulkhead.out, len(bulkhead.queue)) == (set(), 0)


@virtual
async def test_whoever_is_cancelled_in_the_middle_loses_nothing_to_others() -> None:
    bulkhead = Bulkhead(1)
    async with Runner(bulkhead, seconds=1) as runner:
        tasks = runner.start(*range(6))
        await asyncio.sleep(0.5)
        for number in (2, 4):
            tasks[number].cancel()
        await asyncio.wait(tasks)
    assert runner.left == [(0, 0.0), (1, 1.0), (3, 2.0), (5, 3.0)]


@virtual
async def test_a_deadline_ends_a_wait_and_hands_the_turn_on() -> None:
    bulkhead = Bulkhead(1)
    async with Runner(bulkhead, seconds=10) as runner:
        holder, short, long = (
            *runner.start("holder"),
            *runner.start("short", limit=2.0),
            *runner.start("long", limit=30.0),
        )
        with pytest.raises(DeadlineExceededError):
            await short
        assert asyncio.get_running_loop().time() == 2.0
        await asyncio.gather(holder, long)
    assert runner.left == [("holder", 0.0), ("long", 10.0)]
    assert len(bulkhead.queue) == 0


@virtual
async def test_closing_a_session_ends_its_waits_at_once_and_nobody_elses() -> None:
    bulkhead = Bulkhead(1)
    async with Runner(bulkhead, seconds=1) as runner, aiohttp.ClientSession() as other:
        (holder,) = runner.start("holder", session=other)
        await turns()
        waiting = runner.start(*range(5))
        (last,) = runner.start("last", session=other)
        await asyncio.sleep(0.5)
        await runner.session.close()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in found] == [SessionClosedError] * 5
        assert asyncio.get_running_loop().time() == 0.5
        await asyncio.gather(holder, last)
    assert runner.left == [("holder", 0.0), ("last", 1.0)]


async def test_nobody_waits_under_a_session_that_is_closed() -> None:
    gate = Gate()
    gate.shut()
    async with Runner(gate) as runner:
        await runner.session.close()
        with pytest.raises(SessionClosedError):
            await runner.attempt("late")
    assert len(gate.queue) == 0


async def test_a_session_that_borrows_its_connector_is_found_closed_at_its_turn() -> None:
    gate = Gate()
    gate.shut()
    async with Runner(gate) as runner:
        borrowing = aiohttp.ClientSession(connector=runner.session.connector, connector_owner=False)
        (task,) = runner.start("one", session=borrowing)
        await turns()
        await borrowing.close()
        gate.open()
        with pytest.raises(SessionClosedError):
            await task
    assert runner.left == []


@virtual
async def test_a_call_is_held_for_so_long_in_all_its_attempts() -> None:
    """Its patience is over, not begun anew with each attempt."""
    gate = Gate(patience=4.0)
    loop = asyncio.get_running_loop()
    async with Runner(gate) as runner:
        request: Any = Request(runner.session)

        async def send(_: Any) -> Any:
            return runner.response

        async def call(request: Any) -> Any:
            gate.shut()
            loop.call_later(3.0, gate.open)
            await run_attempt(request, send, gate, gate, None, None)
            assert loop.time() == 3.0
            await asyncio.sleep(10)
            gate.shut()
            return await run_attempt(request, send, gate, gate, None, None)

        with pytest.raises(GateClosedError):
            await Deadline(60)(request, call)
    assert loop.time() == pytest.approx(14.0)


@virtual
async def test_those_who_stand_behind_are_refused_when_their_own_time_is_over() -> None:
    gate = Gate(patience=4.0)
    gate.shut()
    async with Runner(gate) as runner:
        first = runner.start("first")[0]
        await asyncio.sleep(1)
        second = runner.start("second")[0]
        for task, end in ((first, 4.0), (second, 5.0)):
            with pytest.raises(GateClosedError):
                await task
            assert asyncio.get_running_loop().time() == pytest.approx(end)


@virtual
async def test_a_guard_may_refuse_all_who_wait_at_once() -> None:
    gate = Gate()
    gate.shut()
    async with Runner(gate) as runner:
        tasks = runner.start(*range(5))
        await asyncio.sleep(1)
        gate.shut(refusing=True)
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [GateClosedError] * 5
    assert len(gate.queue) == 0


@virtual
async def test_a_guard_may_have_one_wait_in_another_queue_than_before() -> None:
    """The limit of a path turns out to be that of the host: those who wait move in order."""
    narrow, wide = Queue(), Queue()

    class Widening(Scripted):
        where = narrow
        is_open = False

        def enter(self, call: Call, request: Any, now: float, turn: Turn | None) -> Any:
            if not self.is_open or not self.where.is_next(turn):
                return Wait(self.where)
            return None

    guard = Widening()
    async with Runner(guard) as runner:
        tasks = runner.start(*range(3))
        await turns()
        assert (len(narrow), len(wide)) == (3, 0)
        guard.where = wide
        narrow.wake_all()
        await turns()
        assert (len(narrow), len(wide)) == (0, 3)
        guard.is_open = True
        wide.wake()
        await asyncio.gather(*tasks)
    assert runner.names == [0, 1, 2]


@virtual
async def test_one_that_comes_back_may_go_to_the_front() -> None:
    queue = Queue()

    class Door(Scripted):
        is_open = False

        def enter(self, call: Call, request: Any, now: float, turn: Turn | None) -> Any:
            if self.is_open and queue.is_next(turn):
                return None
            return Wait(queue, front=request.name == "back")

    door = Door()
    async with Runner(door) as runner:
        tasks = runner.start("a", "b")
        await turns()
        # "back" comes first, and takes the place that "a" is woken for.
        tasks += runner.start("back")
        door.is_open = True
        queue.wake()
        await asyncio.gather(*tasks)
    assert runner.names == ["back", "a", "b"]
