"""The bulkhead as a guard: who passes, waits, is refused, and what is remembered."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Hashable
from typing import Any

import aiohttp
import pytest

from resilient import (
    Aimd,
    Bulkhead,
    BulkheadFullError,
    BulkheadPolicy,
    ConfigError,
    DeadlineExceededError,
    HoldEvent,
    Reason,
    RefusalEvent,
    TurnEvent,
    override,
)
from resilient.bulkhead import Places
from resilient.core.call import Call
from resilient.core.outcome import Verdict
from resilient.core.queues import Room
from resilient.testing import EventLog, VirtualTimeLoop, run_in_virtual_time
from tests.guards import Gate, Request, Response, Runner, Scripted, refusal, turns, virtual

ORIGIN = "https://api.example"


def bulkhead(limit: int = 2, **settings: Any) -> Bulkhead:
    listeners, room = settings.pop("listeners", ()), settings.pop("room", None)
    if "adaptive" not in settings:
        settings["max_concurrent"] = limit
    return Bulkhead(BulkheadPolicy(**settings), listeners=listeners, room=room)


def by_name(request: Any) -> Hashable:
    return request.name[0] if isinstance(request.name, str) else None


def seen(guard: Bulkhead) -> tuple[Places, ...]:
    """Its places, of which type checkers do not remember the last look."""
    return guard.places


async def errors_of(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [each if isinstance(each, BaseException) else None for each in found]


# Who passes.


@virtual
async def test_so_many_at_once_and_the_others_in_their_order() -> None:
    guard = bulkhead(3)
    async with Runner(guard, seconds=1) as runner:
        tasks = runner.start(*range(10))
        await turns()
        assert seen(guard) == (Places(ORIGIN, 3, 3, 7),)
        places = {"limit": 3, "in_use": 3, "waiting": 7}
        assert guard.snapshot() == {"bulkheads": {ORIGIN: places}}
        await asyncio.gather(*tasks)
    assert runner.most == 3
    assert runner.left == [(each, float(each // 3)) for each in range(10)]
    assert seen(guard) == ()


@virtual
async def test_each_key_has_its_places() -> None:
    guard = bulkhead(1, key=by_name)
    async with Runner(guard, seconds=1) as runner:
        await asyncio.gather(*runner.start("a1", "a2", "b1", "b2", "c1"))
    assert dict(runner.left) == {"a1": 0, "b1": 0, "c1": 0, "a2": 1, "b2": 1}


@virtual
async def test_a_request_without_a_key_passes() -> None:
    guard = bulkhead(1, key=by_name)
    async with Runner(guard, seconds=1) as runner:
        await asyncio.gather(*runner.start(*range(5)))
        assert seen(guard) == ()
    assert runner.most == 5


@pytest.mark.parametrize("key", [lambda _: 1 / 0, lambda _: []])
def test_a_key_that_fails_is_said_once_and_the_calls_go_on_without_places(
    caplog: pytest.LogCaptureFixture, key: Any
) -> None:
    async def main() -> None:
        async with Runner(bulkhead(1, key=key), seconds=1) as runner:
            await asyncio.gather(*runner.start(*range(5)))
            assert runner.most == 5

    with caplog.at_level(logging.ERROR):
        run_in_virtual_time(main())
    (record,) = caplog.records
    assert "bulkhead key" in record.getMessage()


@virtual
async def test_places_are_shared_by_sessions() -> None:
    guard = bulkhead(1)
    async with Runner(guard, seconds=1) as runner, aiohttp.ClientSession() as other:
        await asyncio.gather(*runner.start("a"), *runner.start("b", session=other))
    assert runner.most == 1


# How long others wait.


@pytest.mark.parametrize(
    ("max_wait", "overridden", "refused_at", "code"),
    [
        (3, None, 3.0, Reason.MAX_WAIT),
        (0, None, 0.0, Reason.BULKHEAD_FULL),
        (3, 1.5, 1.5, Reason.MAX_WAIT),
        (3, 0, 0.0, Reason.BULKHEAD_FULL),
        (0, 2, 2.0, Reason.MAX_WAIT),
        (3, math.inf, None, None),
        (30, None, None, None),
    ],
)
def test_how_long_an_attempt_waits(
    max_wait: float, overridden: float | None, refused_at: float | None, code: Reason | None
) -> None:
    async def main() -> None:
        log = EventLog()
        guard = bulkhead(1, max_wait=max_wait, listeners=[log])
        async with Runner(guard, seconds=10) as runner:
            first = runner.start("first")
            await turns()
            with override(max_wait=overridden):
                second = runner.start("second")
            (error,) = await errors_of(second)
            now = asyncio.get_running_loop().time()
            await asyncio.gather(*first)
        if refused_at is None:
            assert (error, now) == (None, 20.0)
            return
        assert now == refused_at
        assert isinstance(error, BulkheadFullError)
        assert (error.key, error.retry_after, error.queued) == (ORIGIN, None, refused_at)
        assert error.stop_code is code
        assert str(error).startswith(f"1 of 1 places for {ORIGIN} are taken")
        assert runner.names == ["first"]
        (told,) = (each for each in log.events if isinstance(each, RefusalEvent))
        assert (told.by, told.code) == ("bulkhead", code)

    run_in_virtual_time(main())


@virtual
async def test_the_wait_is_one_however_often_it_asks_again() -> None:
    guard = bulkhead(1, max_wait=5)
    async with Runner(guard, seconds=4) as runner:
        tasks = runner.start("first", "second", "third")
        for _ in range(40):
            await asyncio.sleep(0.1)
            for queue in {each.queue for each in guard._destinations.values()}:
                queue.wake_all()
        errors = await errors_of(tasks)
    assert [type(each) for each in errors] == [type(None), type(None), BulkheadFullError]
    assert errors[2].queued == pytest.approx(5)


@virtual
async def test_a_wait_elsewhere_in_between_does_not_lengthen_it() -> None:
    guard, gate = bulkhead(adaptive=Aimd(initial=2), max_wait=5), Gate()
    async with Runner(guard, gate, seconds=20) as runner:
        tasks = runner.start("first", "second", "late", seconds=3)
        await turns()
        gate.shut()
        await asyncio.sleep(4)  # "late" is the head here, and waits at the gate
        for each in guard._destinations.values():
            each.limit = 0  # not even a place for those who are next
        gate.open()
        started = asyncio.get_running_loop().time()
        errors = await errors_of(tasks)
        assert isinstance(errors[2], BulkheadFullError)
        assert asyncio.get_running_loop().time() - started == pytest.approx(1)


@virtual
async def test_each_attempt_may_wait_as_long_as_that() -> None:
    guard = bulkhead(1, max_wait=5)
    async with Runner(guard, seconds=4) as runner:
        await asyncio.gather(*runner.start("first", "second"))
        await asyncio.gather(*runner.start("third", "fourth"))
    assert [at for _, at in runner.left] == [0, 4, 8, 12]


@virtual
async def test_the_deadline_of_a_call_comes_before_its_wait_is_over() -> None:
    guard = bulkhead(1)
    async with Runner(guard, seconds=10) as runner:
        first = runner.start("first")
        (error,) = await errors_of(runner.start("second", limit=3.0))
        assert isinstance(error, DeadlineExceededError)
        assert seen(guard) == (Places(ORIGIN, 1, 1, 0),)
        await asyncio.gather(*first)
    assert runner.names == ["first"]


@virtual
async def test_a_room_that_is_full_takes_nobody_in() -> None:
    guard = bulkhead(1, room=Room(2))
    async with Runner(guard, seconds=1) as runner:
        errors = await errors_of(runner.start(*range(5)))
    refused = [each for each in errors if each is not None]
    assert [type(each) for each in refused] == [BulkheadFullError] * 2
    assert {each.stop_code for each in refused} == {Reason.QUEUE_FULL}
    assert {each.key for each in refused} == {ORIGIN}


@virtual
async def test_listeners_hear_of_waits_and_turns() -> None:
    log = EventLog()
    async with Runner(bulkhead(1, listeners=[log]), seconds=2) as runner:
        await asyncio.gather(*runner.start("first", "second"))
    hold, turn = log.events
    assert isinstance(hold, HoldEvent)
    assert (hold.by, hold.seconds, hold.code) == ("bulkhead", 30, Reason.PLACE)
    assert hold.reason == "1 of 1 places are taken"
    assert isinstance(turn, TurnEvent)
    assert (turn.by, turn.seconds) == ("bulkhead", 2)


# Nothing is lost.


@virtual
async def test_a_turn_that_is_not_taken_goes_to_the_next() -> None:
    guard = bulkhead(1)
    async with Runner(guard, seconds=1) as runner:
        tasks = runner.start("first", "second", "third")
        await turns()
        # The second is woken in the same turn of the loop in which it is cancelled.
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.wait(tasks)
    assert runner.names == ["first", "third"]
    assert seen(guard) == ()


@virtual
async def test_a_place_comes_back_whoever_refuses_further_in() -> None:
    guard = bulkhead(1)
    async with Runner(guard, Scripted(refusal(), RuntimeError("a bug"))) as runner:
        assert None not in await errors_of(runner.start("one", "two"))
        await runner.attempt("three")
    assert seen(guard) == ()


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_place_comes_back_whatever_the_answer_is(status: int) -> None:
    async def main() -> None:
        guard = bulkhead(adaptive=Aimd(initial=1))
        async with Runner(guard) as runner:
            runner.response = Response(status)
            for _ in range(3):
                await runner.attempt("one")
            assert [each.in_use for each in guard.places] == ([] if status == 503 else [0])

    run_in_virtual_time(main())


class Unjudged:
    """An outcome that cannot be judged."""

    def health(self, failing: object) -> Verdict:
        raise RuntimeError("a bug")


@virtual
async def test_a_place_comes_back_if_nobody_can_judge_the_outcome() -> None:
    guard = bulkhead(adaptive=Aimd(initial=1))
    async with Runner(guard) as runner:
        request: Any = Request(runner.session)
        unjudged: Any = Unjudged()
        permit: Any = guard.enter(Call(), request, 0.0, None)
        with pytest.raises(RuntimeError):
            guard.leave(permit, unjudged, 0.0)
    assert seen(guard) == ()


# Adapting.


@virtual
async def test_an_adaptive_limit_follows_its_server() -> None:
    guard = bulkhead(adaptive=Aimd(initial=10, maximum=15))
    async with Runner(guard, seconds=1) as runner:
        await asyncio.gather(*runner.start(*range(40)))
        assert seen(guard) == (Places(ORIGIN, 15, 0, 0),)
        runner.response = Response(503)
        for _ in range(60):
            await asyncio.gather(*runner.start(*range(20)))
        assert seen(guard) == (Places(ORIGIN, 1, 0, 0),)


@pytest.mark.parametrize(("status", "limit"), [(429, 10), (408, 11), (501, 11), (522, 9)])
def test_what_counts_for_the_limit(status: int, limit: int) -> None:
    async def main() -> None:
        guard = bulkhead(adaptive=Aimd(initial=10))
        async with Runner(guard, seconds=1) as runner:
            runner.response = Response(status)
            tasks = runner.start(*range(9), seconds=5) + runner.start("one")
            await asyncio.wait(tasks[-1:])
            assert seen(guard) == (Places(ORIGIN, limit, 9, 0),)
            for task in tasks[:-1]:
                task.cancel()  # says nothing
            await asyncio.wait(tasks)
        assert [each.limit for each in guard.places] == ([] if limit == 10 else [limit])

    run_in_virtual_time(main())


# What is remembered.


@virtual
async def test_nothing_is_kept_of_a_destination_where_nobody_is() -> None:
    guard = bulkhead(1, key=lambda request: request.name)
    async with Runner(guard) as runner:
        await asyncio.gather(*runner.start(*map(str, range(5_000))))
    assert len(guard._destinations) == 0


@virtual
async def test_what_is_remembered_of_limits_is_bounded() -> None:
    guard = bulkhead(
        adaptive=Aimd(initial=1),
        max_destinations=10,
        key=lambda request: request.name,
    )
    async with Runner(guard) as runner:
        busy = runner.start(*map(str, range(8)), seconds=60)
        await turns()
        for name in range(8, 500):
            await runner.attempt(str(name))
        assert len(guard.places) == 10
        more = runner.start(*map(str, range(500, 600)), seconds=60)
        await turns()
        # Those that are in use are kept, however many.
        assert len(guard.places) == 108
        assert {each.in_use for each in guard.places} == {1}
        await asyncio.gather(*busy, *more)
        for name in range(600, 610):
            await runner.attempt(str(name))
        assert len(guard.places) == 10


# Event loops.


def test_places_of_a_loop_that_was_closed_are_void() -> None:
    guard = bulkhead(1)
    learning = bulkhead(adaptive=Aimd(initial=1))
    kept: list[Any] = []

    async def begin() -> None:
        async with Runner(learning) as learner:
            await learner.attempt("one")
        runner = Runner(guard, learning, seconds=60)
        kept.extend([runner.session, *runner.start(*range(4))])
        await turns()

    async def again() -> None:
        async with Runner(guard, learning) as runner:
            await asyncio.wait_for(runner.attempt("new"), 5)
            assert seen(guard) == ()
            # What was learnt is still true.
            assert seen(learning) == (Places(ORIGIN, 3, 0, 0),)
            tasks = runner.start(*range(2), seconds=1)
            await turns()
            for task in kept[1:]:
                # They go at last: nobody counts them.
                task._log_destroy_pending = False
                task.get_coro().close()
            assert seen(guard) == (Places(ORIGIN, 1, 1, 1),)
            await asyncio.gather(*tasks)
            assert runner.most == 1

    first = VirtualTimeLoop()
    first.run_until_complete(begin())
    assert seen(guard) == (Places(ORIGIN, 1, 1, 3),)
    # Not as `asyncio.run` does: nobody cancels them.
    first.close()
    run_in_virtual_time(again())
    kept[0]._connector._closed = True
    assert (seen(guard), guard.room.taken) == ((), 0)


# As a value.


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (
            BulkheadPolicy(),
            "at most 20 attempts at once for each origin; others wait up to 30 s",
        ),
        (
            BulkheadPolicy(max_concurrent=3, max_wait=0, key="origin+method"),
            "at most 3 attempts at once for each origin+method; refuses others",
        ),
        (
            BulkheadPolicy(adaptive=Aimd(initial=5), key=by_name),
            "at most 5 attempts (adaptive, from 1 to 200) at once for each by_name; "
            "others wait up to 30 s",
        ),
    ],
)
def test_it_says_what_it_does(policy: BulkheadPolicy, words: str) -> None:
    assert Bulkhead(policy).describe() == words


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Bulkhead\.policy must be a BulkheadPolicy, not 5"):
        Bulkhead(5)  # type: ignore[arg-type]  # that is the point
