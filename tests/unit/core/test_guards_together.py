"""Several guards: permits, places and refusals, from the outermost in."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from resilient.core.call import Call
from resilient.core.guard import Guard, Queue, Turn, Wait
from resilient.testing import VirtualTimeLoop, run_in_virtual_time
from tests.guards import (
    Bulkhead,
    Gate,
    Pace,
    RefusedError,
    Response,
    Runner,
    Scripted,
    refusal,
    turns,
    virtual,
)

# Several guards.


@virtual
async def test_whoever_waits_holds_no_permit_of_another() -> None:
    bulkhead, gate = Bulkhead(1), Gate()
    gate.shut()
    async with Runner(bulkhead, gate) as runner:
        tasks = runner.start(*range(3))
        await turns()
        assert (bulkhead.out, len(gate.queue)) == (set(), 3)
        gate.open()
        await asyncio.gather(*tasks)
    assert runner.names == [0, 1, 2]


async def test_to_give_a_permit_back_is_no_reason_to_ask_again() -> None:
    bulkhead, gate = Bulkhead(1), Counting()
    async with Runner(bulkhead, gate) as runner:
        tasks = runner.start("holder", "head", seconds=0.01)
        await turns()
        gate.shut()
        await asyncio.wait(tasks[:1])
        await turns(50)
        # The head at the bulkhead was granted its only permit, and waits at the gate.
        assert (len(bulkhead.queue), len(gate.queue), gate.asked) == (1, 1, 2)
        gate.open()
        await asyncio.gather(*tasks)


class Counting(Gate):
    """A gate that counts how often it is asked."""

    asked = 0

    def enter(self, call: Call, request: Any, now: float, turn: Turn | None) -> Any:
        self.asked += 1
        return super().enter(call, request, now, turn)


@virtual
async def test_only_the_head_goes_on_to_ask_the_next() -> None:
    pace, gate = Pace(1.0), Gate()
    async with Runner(pace, gate) as runner:
        tasks = runner.start(*range(4))
        await turns()
        gate.shut()
        await asyncio.sleep(10)
        # One stands at the gate, and is still the head at the pace.
        assert (len(pace.queue), len(gate.queue)) == (3, 1)
        assert pace.queue.head is gate.queue.head
        gate.open()
        await asyncio.gather(*tasks)
    assert runner.left == [(0, 0.0), (1, 10.0), (2, 11.0), (3, 12.0)]


@virtual
async def test_no_two_stand_behind_each_other() -> None:
    """One passes the pace while it is quiet, and waits; a head of the pace stands behind it."""
    pace, bulkhead = Pace(1.0), Bulkhead(1)
    async with Runner(pace, bulkhead, seconds=1.0) as runner:
        tasks = runner.start("holder", seconds=10.0)
        await asyncio.sleep(1)
        tasks += runner.start("early")
        await turns()
        assert (len(pace.queue), len(bulkhead.queue)) == (0, 1)
        tasks += runner.start("passing", guards=[pace])
        await asyncio.sleep(0.5)
        tasks += runner.start("late")
        _, waiting = await asyncio.wait(tasks, timeout=100)
        assert not waiting
    assert [name for name, _ in runner.left[:2]] == ["holder", "passing"]
    assert (len(pace.queue), len(bulkhead.queue)) == (0, 0)


@virtual
async def test_a_guard_that_changes_its_mind_gives_the_place_further_in_to_the_next() -> None:
    class Own(Gate):
        """Holds only its own callers back."""

        def enter(self, call: Call, request: Any, now: float, turn: Turn | None) -> Any:
            return super().enter(call, request, now, turn) if request.name == "mine" else None

    own, bulkhead = Own(), Bulkhead(1)
    async with Runner(own, bulkhead, seconds=1.0) as runner:
        tasks = runner.start("holder", "mine", "other")
        await asyncio.sleep(0.5)
        own.shut()
        await asyncio.sleep(5)
        # "mine" was the head at the bulkhead; its own gate keeps nobody else from that.
        assert runner.names == ["holder", "other"]
        own.open()
        await asyncio.gather(*tasks)
    assert runner.names == ["holder", "other", "mine"]


@virtual
async def test_a_refusal_further_in_keeps_the_pace_and_a_wait_does_not() -> None:
    pace, gate = Pace(1.0), Gate()
    gate.shut(refusing=True)
    async with Runner(pace, gate) as runner:
        tasks = runner.start(*range(5))
        await asyncio.sleep(2.5)
        assert [task.done() for task in tasks] == [True, True, True, False, False]
        gate.shut()
        await asyncio.sleep(10)
        assert pace.next == 3.0
        gate.open()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert runner.left == [(3, 12.5), (4, 13.5)]


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        ([refusal()], [("give_back", "permit", True)]),
        ([RuntimeError("a bug")], [("give_back", "permit", True)]),
        ([None], [("leave", "permit", None)]),
        (["other"], [("leave", "permit", None)]),
        (
            [Wait(Queue(), 0.0), "other"],
            [("give_back", "permit", False), ("leave", "permit", None)],
        ),
        (
            [Wait(Queue(), 0.0), refusal()],
            [("give_back", "permit", False), ("give_back", "permit", True)],
        ),
        (
            [Wait(Queue(), 0.0), RuntimeError("a bug")],
            [("give_back", "permit", False), ("give_back", "permit", True)],
        ),
    ],
)
async def test_what_becomes_of_a_permit(inner: list[Any], told: list[tuple[object, ...]]) -> None:
    outer = Scripted()
    async with Runner(outer, Scripted(*inner)) as runner:
        result: Any
        (result,) = await asyncio.gather(runner.attempt("one"), return_exceptions=True)
    assert outer.told == told
    failed = isinstance(result, RefusedError | RuntimeError)
    assert (result is runner.response) is not failed
    assert len(runner.left) == (0 if failed else 1)


async def test_a_permit_that_nobody_counts_does_not_come_back() -> None:
    outer, inner = Scripted(None, None), Scripted(refusal())
    async with Runner(outer, inner) as runner:
        with pytest.raises(RefusedError):
            await runner.attempt("one")
        await runner.attempt("two")
    assert outer.told == []
    assert inner.told == [("leave", "permit", None)]


@pytest.mark.parametrize("status", [200, 503])
async def test_all_learn_how_an_attempt_ended_even_if_one_of_them_fails(status: int) -> None:
    guards = [Scripted() for _ in range(3)]
    guards[0].fails["leave"] = RuntimeError("first")
    guards[1].fails["leave"] = RuntimeError("second")
    async with Runner(*guards) as runner:
        runner.response = Response(status)
        with pytest.raises(RuntimeError):
            await runner.attempt("one")
    assert [[told[0] for told in guard.told] for guard in guards] == [["leave"]] * 3
    # Nobody gets the response, and it keeps no connection.
    assert runner.response.closed


async def test_all_permits_are_given_back_even_if_a_guard_fails_to_take_it() -> None:
    guards = [Scripted(), Scripted(), Scripted(refusal())]
    guards[1].fails["give_back"] = RuntimeError("a bug")
    async with Runner(*guards) as runner:
        with pytest.raises(RuntimeError):
            await runner.attempt("one")
    assert [len(guard.told) for guard in guards] == [1, 1, 0]


async def test_a_cancelled_attempt_is_told_of_like_any_other() -> None:
    guards = [Scripted(), Scripted()]
    async with Runner(*guards, seconds=60) as runner:
        (task,) = runner.start("one")
        await turns()
        task.cancel()
        await asyncio.wait([task])
    assert [[told[0] for told in guard.told] for guard in guards] == [["leave"]] * 2


# Sharing.


@virtual
async def test_a_guard_may_be_shared_by_pipelines_and_sessions() -> None:
    shared, own = Bulkhead(2), Pace(0.25)
    async with Runner(shared, seconds=1) as runner, aiohttp.ClientSession() as other:
        tasks = [
            *runner.start(*range(0, 10, 2)),
            *runner.start(*range(1, 10, 2), guards=[own, shared], session=other),
        ]
        await asyncio.gather(*tasks)
    assert runner.most == 2
    assert set(runner.names) == set(range(10))
    # A place may stay free for as long as the pace asks.
    assert runner.left[-1][1] <= 5.0


def test_a_guard_belongs_to_one_loop_also_if_it_is_not_the_outermost() -> None:
    shared = Bulkhead(1)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def attempt(*guards: Guard) -> None:
        async with Runner(*guards) as runner:
            await runner.attempt("one")

    first.run_until_complete(attempt(shared))
    outer = Pace(0.0)
    # Not only the first time.
    for _ in range(2):
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            second.run_until_complete(attempt(outer, shared))
    first.close()
    second.run_until_complete(attempt(outer, shared))
    second.close()


def test_those_who_waited_on_a_loop_that_was_closed_are_forgotten() -> None:
    bulkhead = Bulkhead(1)
    first = VirtualTimeLoop()
    kept: list[Any] = []

    async def begin() -> None:
        runner = Runner(bulkhead, seconds=60)
        kept.extend([runner.session, *runner.start(*range(4))])
        await turns()

    async def again() -> None:
        async with Runner(bulkhead) as runner:
            await asyncio.wait_for(runner.attempt("new"), 5)

    first.run_until_complete(begin())
    # Not as `asyncio.run` does: nobody cancels them.
    first.close()
    assert len(bulkhead.queue) == 3
    run_in_virtual_time(again())
    assert (len(bulkhead.queue), bulkhead.out) == (0, set())
    session, *tasks = kept
    session._connector._closed = True
    for task in tasks:
        # They go at last, and their turns wake nobody.
        task._log_destroy_pending = False
        task.get_coro().close()
    assert (len(bulkhead.queue), bulkhead.out) == (0, set())
