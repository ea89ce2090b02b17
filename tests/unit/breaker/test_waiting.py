"""Callers who wait for the verdict: for how long, in which order, and what they lose. (Nothing.)"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from resilient import HoldEvent, RefusalEvent, TransitionEvent, override
from resilient.core.call import attach, detach
from resilient.testing import run_in_virtual_time
from tests.unit.breaker.calls import DOWN, OK, Api, Request, Response, down_until, hang

Test = Callable[..., Awaitable[None]]


def virtual(test: Test) -> Callable[..., None]:
    """Run a test in virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        run_in_virtual_time(main())

    return run


# -- how long


@virtual
async def test_whoever_comes_while_it_is_open_waits_and_is_the_probe() -> None:
    async with Api(down_until(0.2)) as api:
        await api.outage()
        opened_at = api.now
        assert await api.call("waits") == "200"
        name, when = api.sent[-1]
        assert name == "waits"
        assert when == pytest.approx(opened_at + 0.5)


@virtual
async def test_with_patience_zero_nobody_waits() -> None:
    async with Api(down_until(0.2), patience=0) as api:
        await api.outage()
        before = api.now
        assert await api.call("refused") == "CircuitOpenError"
        assert api.now == before
        # Nor for the verdict of a probe that is out, nor for a turn in the release.
        await asyncio.sleep(1)
        api.answer = lambda _: (200, 0.3)
        probe, *others = api.start("probe", "second", "third")
        await asyncio.sleep(0.1)
        assert [task.result() for task in others] == ["CircuitOpenError"] * 2
        assert await probe == "200"
        crowd = await asyncio.gather(*api.start(*range(10)))
        assert set(crowd) == {"200", "CircuitOpenError"}


@pytest.mark.parametrize("patience", [0.6, 2.0, 9.0])
@virtual
async def test_a_call_waits_for_as_long_as_its_patience_in_all(patience: float) -> None:
    async with Api(lambda _: DOWN, patience=patience, max_open_for=0.5) as api:
        await api.outage()
        began = api.now
        tasks = api.start(*range(30))
        await asyncio.gather(*tasks)
        waited = [when - began for _, when in api.ended.values()][3:]
        assert all(each <= patience + 0.05 for each in waited)
        # Those whose probe failed waited for less.
        assert max(waited) >= patience - 0.55


@virtual
async def test_patience_is_a_calls_over_all_of_its_attempts() -> None:
    async with Api(lambda _: DOWN, open_factor=1) as api:
        await api.outage()
        began = api.now

        async def again(_: Any) -> Any:
            await asyncio.sleep(0.02)
            return Response(503)

        request: Any = Request(api.session)
        call, token = attach(request)  # as a retry does, for all its attempts
        came = [await api.send_through(again, request) for _ in range(5)]
        detach(call, token)
        assert came == ["503", "503", "503", "503", "CircuitOpenError"]
        assert api.now - began == pytest.approx(2.08, abs=0.01)


@virtual
async def test_who_cannot_wait_until_the_next_probe_is_refused_at_once() -> None:
    async with Api(down_until(3.0), open_for=3.0) as api:
        await api.outage()
        before = api.now
        assert await api.call("in vain") == "CircuitOpenError"
        assert api.now == before
        # Later it is no longer in vain.
        await asyncio.sleep(1.5)
        assert await api.call("waits") == "200"


@virtual
async def test_on_a_failed_probe_those_who_cannot_wait_for_the_next_are_refused_at_once() -> None:
    async with Api(lambda _: DOWN, open_for=1.0, open_factor=2.0) as api:
        await api.outage()
        opened_at = api.now
        tasks = api.start(*range(5))
        await asyncio.sleep(0.5)
        tasks += api.start("later")
        await asyncio.gather(*tasks)
        # The next one is two seconds away. Who came first has one of its two left, as has
        # everybody but the last, who has a second and a half.
        names = [0, 1, 2, 3, 4, "later"]
        assert api.came(names) == ["503", *["CircuitOpenError"] * 5]
        assert [api.ended[name][1] for name in names] == pytest.approx([opened_at + 1.02] * 6)


@virtual
async def test_the_next_in_the_queue_is_the_next_probe() -> None:
    async with Api(down_until(1.2)) as api:
        await api.outage()
        opened_at = api.now
        await asyncio.gather(*api.start(*range(4)))
        assert api.names_sent(3) == [0, 1, 2, 3]
        assert api.came(range(4)) == ["503", "200", "200", "200"]
        probes = [when - opened_at for _, when in api.sent[3:5]]
        assert probes == pytest.approx([0.5, 0.5 + 0.02 + 0.75])


@pytest.mark.parametrize("age", [28.0, 31.0])
@virtual
async def test_when_an_outage_is_older_than_the_horizon_nobody_waits(age: float) -> None:
    async with Api(lambda _: DOWN, max_open_for=1.0) as api:
        await api.outage()
        opened_at = api.now
        while api.now < opened_at + age or api.circuit.state != "open":
            await api.call("probe")
            await asyncio.sleep(0.1)
        api.answer = lambda _: OK
        before = api.now
        came = await api.call("last")
        assert came == ("200" if age < 30 else "CircuitOpenError")
        assert (api.now == before) == (age > 30)


@virtual
async def test_override_patience_waits_beyond_the_horizon_and_the_policy() -> None:
    async with Api(lambda _: DOWN, patience=0) as api:
        await api.outage()
        for _ in range(300):
            await api.call("probe")
            await asyncio.sleep(0.2)
        api.answer = lambda _: OK
        assert await api.call("in vain") == "CircuitOpenError"
        with override(patience=20):
            assert await api.call("waits") == "200"


@virtual
async def test_override_patience_zero_is_refused_at_once_whatever_the_policy() -> None:
    async with Api(down_until(0.2)) as api:
        await api.outage()
        with override(patience=0):
            assert await api.call("refused") == "CircuitOpenError"


@virtual
async def test_patience_gives_way_to_the_deadline() -> None:
    async with Api(down_until(9.0), patience=60, open_for=5.0) as api:
        await api.outage()
        before = api.now
        # In vain: the deadline comes before the probe.
        assert await api.call("short", limit=3.0) == "CircuitOpenError"
        assert api.now == before
        assert await api.call("long", limit=30.0) == "503"


@pytest.mark.parametrize("patience", [5.0, float("inf")])
@virtual
async def test_nobody_waits_for_a_circuit_that_was_isolated(patience: float) -> None:
    async with Api(down_until(0.2)) as api:
        await api.outage()
        with override(patience=patience):
            waiting = api.start(*range(5))
        await asyncio.sleep(0.1)
        assert api.circuit.waiting == 5
        before = api.now
        api.circuit.isolate()
        with override(patience=patience):
            assert await api.call("isolated") == "CircuitOpenError"
        await asyncio.gather(*waiting)
        assert api.came(range(5)) == ["CircuitOpenError"] * 5
        assert api.now == before


@virtual
async def test_who_waits_passes_when_somebody_closes_it_by_hand() -> None:
    async with Api(down_until(0.2), open_for=1.5) as api:
        await api.outage()
        waiting = api.start(*range(5))
        await asyncio.sleep(0.3)
        before = api.now
        api.circuit.reset()
        assert await asyncio.gather(*waiting) == ["200"] * 5
        assert api.now == pytest.approx(before + 0.02)


# -- the release


@virtual
async def test_a_crowd_that_waited_is_let_in_one_after_another_in_its_order() -> None:
    async with Api(down_until(0.3)) as api:
        await api.outage()
        crowd = list(range(25))
        await asyncio.gather(*api.start(*crowd))
        assert api.came(crowd) == ["200"] * 25
        assert api.names_sent(3) == crowd
        times = [when for _, when in api.sent[4:]]
        # What is usual is not known, so that those who asked are counted: 25 in a second.
        assert min(b - a for a, b in itertools.pairwise(times)) >= 0.0319


@virtual
async def test_once_the_release_has_begun_a_waiter_stays_for_up_to_three_seconds_more() -> None:
    async with Api(lambda _: OK) as api:
        await api.usual(10.0)
        api.answer = down_until(api.now + 0.3)
        await api.outage()
        began = api.now
        # A probe after 0.5 s, and 12.5 turns a second then.
        crowd = list(range(200))
        await asyncio.gather(*api.start(*crowd))
        let_in = api.came(crowd).count("200")
        assert let_in == pytest.approx((5.0 - 0.5) * 12.5, abs=3)
        assert api.came(crowd) == ["200"] * let_in + ["CircuitOpenError"] * (200 - let_in)
        assert max(when for _, when in api.ended.values()) - began == pytest.approx(5, abs=0.1)


@virtual
async def test_whoever_comes_in_the_release_and_has_too_many_before_it_is_refused_at_once() -> None:
    async with Api(lambda _: OK, patience=0.6) as api:
        await api.usual(10.0)
        api.answer = down_until(api.now + 0.3)
        await api.outage()
        await asyncio.sleep(0.45)
        crowd = api.start(*range(200))
        await asyncio.sleep(0.2)
        assert api.circuit.state == "half_open"
        before = api.now
        # 3.6 s at 12.5 a second are 45 turns.
        assert await api.call("in vain") == "CircuitOpenError"
        assert api.now == before
        await asyncio.gather(*crowd)


@virtual
async def test_a_call_of_another_method_waits_too_and_is_sent_once() -> None:
    async with Api(down_until(1.0)) as api:
        await api.outage()
        await asyncio.gather(
            *api.start(*range(5)), *api.start(*"abc", method="POST"), *api.start(*range(6, 9))
        )
        assert api.came("abc") == ["200"] * 3
        assert [api.names_sent().count(name) for name in "abc"] == [1, 1, 1]


# -- those who are cancelled


@virtual
async def test_a_cancelled_waiter_loses_nothing_and_its_turn_goes_on() -> None:
    async with Api(down_until(0.3)) as api:
        await api.outage()
        tasks = api.start(*range(6))
        await asyncio.sleep(0.2)
        for gone in (0, 3):
            tasks[gone].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert api.names_sent(3) == [1, 2, 4, 5]
        assert api.came([1, 2, 4, 5]) == ["200"] * 4
        assert api.circuit.waiting == 0


@virtual
async def test_one_that_is_cancelled_as_it_is_woken_hands_its_turn_on() -> None:
    async with Api(down_until(0.3)) as api:
        await api.outage()
        first, second = api.start("first", "second")
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        # At the very moment when its time has come.
        loop.call_at(loop.time() + 0.5, first.cancel)
        assert await second == "200"
        assert api.ended["first"][0] == "cancelled"
        assert api.sent[-1][1] == pytest.approx(0.56)


@virtual
async def test_a_cancelled_probe_gives_its_place_on_at_once() -> None:
    async with Api(down_until(0.3)) as api:
        await api.outage()
        api.answer = lambda _: hang()
        probe, second = api.start("probe", "second")
        await asyncio.sleep(0.6)
        assert api.names_sent(3) == ["probe"]
        api.answer = lambda _: OK
        probe.cancel()
        assert await second == "200"
        assert api.sent[-1][1] == pytest.approx(0.66)


@virtual
async def test_a_probe_that_hangs_hides_nothing_from_those_who_wait() -> None:
    async with Api(down_until(0.3)) as api:
        await api.outage()
        answers = iter([hang(), OK, OK, OK])
        api.answer = lambda _: next(answers)
        hanging, *others = api.start("hangs", "second", "third", "fourth")
        assert await asyncio.gather(*others) == ["200"] * 3
        # A gap after the first: as long as it was open.
        assert api.sent[4][0] == "second"
        assert api.sent[4][1] == pytest.approx(1.06)
        hanging.cancel()


@pytest.mark.parametrize("ending", ["cancelled", "429", "bug"])
@virtual
async def test_half_open_is_never_for_ever_whatever_ends_the_probes(ending: str) -> None:
    async with Api(down_until(0.3)) as api:
        await api.outage()
        answers: dict[str, Any] = {
            "cancelled": hang(), "429": (429, 0.02), "bug": (ZeroDivisionError(), 0.02)
        }  # fmt: skip
        api.answer = lambda _: answers[ending]
        for number in range(100):
            (task,) = api.start(number)
            await asyncio.sleep(0.7)
            task.cancel()
            await asyncio.sleep(0)
        assert api.circuit.state == "half_open"
        api.answer = lambda _: OK
        # Nobody waits for a verdict any more, but for a turn.
        assert await api.call("probe") == "200"
        assert await asyncio.gather(*api.start(*"abcdefg")) == ["200"] * 7
        assert api.circuit.state == "closed"


# -- calls inside calls


@pytest.mark.parametrize("patience", [0.0, 2.0])
@virtual
async def test_a_call_of_the_same_origin_inside_a_probe_is_part_of_it(patience: float) -> None:
    """A middleware fetches a token there first: refused, it would end every probe."""
    async with Api(down_until(0.3), patience=patience) as api:
        await api.outage()
        await asyncio.sleep(40)

        async def send(_: Any) -> Any:
            assert await api.call("token") == "200"
            api.sent.append(("with token", api.now))
            return Response(200)

        before = api.now
        assert await api.send_through(send) == "200"
        assert api.names_sent(3) == ["token", "with token"]
        assert api.now == pytest.approx(before + 0.02)
        # It counts once, and passes only while the one around it is under way.
        assert api.circuit.counts.failures == 0
        assert api.circuit.state == "half_open"


@virtual
async def test_a_task_that_a_probe_leaves_behind_is_no_part_of_it() -> None:
    async with Api(down_until(0.3), patience=0) as api:
        await api.outage()
        await asyncio.sleep(1)
        tasks: list[asyncio.Task[str]] = []

        async def later() -> str:
            await asyncio.sleep(0.5)
            return await api.call("later")

        async def send(_: Any) -> Any:
            tasks.append(asyncio.create_task(later()))
            await asyncio.sleep(0.02)
            return Response(503)

        await api.send_through(send)
        assert api.circuit.state == "open"
        assert await tasks[0] == "CircuitOpenError"


# -- given up by the caller


@virtual
async def test_callers_who_give_up_on_a_server_that_hangs_one_after_another_open_it() -> None:
    async with Api(lambda _: hang(), failures=5) as api:
        for number in range(5):
            assert api.circuit.state == "closed"
            (task,) = api.start(number)
            await asyncio.sleep(10.5)
            task.cancel()
            await asyncio.sleep(0)
        assert api.circuit.state == "open"


@virtual
async def test_a_shutdown_that_cancels_thirty_long_polls_counts_as_one_at_most() -> None:
    async with Api(lambda _: hang(), failures=2) as api:
        tasks = api.start(*range(30))
        await asyncio.sleep(60)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0.05)
        assert api.circuit.counts.failures <= 1
        assert api.circuit.state == "closed"


@virtual
async def test_nothing_that_is_given_up_counts_if_anything_was_answered_since() -> None:
    async with Api(lambda _: hang(), failures=1) as api:
        tasks = api.start(*range(5))
        await asyncio.sleep(20)
        api.answer = lambda _: OK
        await api.call("answered")
        for task in tasks:
            await asyncio.sleep(1)
            task.cancel()
        await asyncio.sleep(0.1)
        assert api.circuit.state == "closed"


@pytest.mark.parametrize("after", [9.5, 10.5])
@virtual
async def test_only_long_silence_counts_when_the_caller_gives_up(after: float) -> None:
    async with Api(lambda _: hang(), failures=1) as api:
        (task,) = api.start("quick")
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.sleep(0.1)
        assert (api.circuit.state == "open") == (after > 10)


# -- what is told


@virtual
async def test_who_waits_and_who_is_refused_is_told_and_how_many_were_held() -> None:
    async with Api(down_until(0.3), patience=1.0) as api:
        await api.outage()
        names = list(range(8))
        await asyncio.gather(*api.start(*names))
        with override(patience=0):
            api.answer = lambda _: DOWN
        held = [event for event in api.events if isinstance(event, HoldEvent)]
        assert {event.by for event in held} == {"breaker"}
        assert {event.code.value for event in held} == {"verdict", "recovery"}
        assert not [event for event in api.events if isinstance(event, RefusalEvent)]
        *_, last = [event for event in api.events if isinstance(event, TransitionEvent)]
        assert (last.after, last.held) == ("closed", 8)


@virtual
async def test_observing_holds_nobody_and_refuses_nobody() -> None:
    async with Api(lambda _: DOWN, observe=True) as api:
        await asyncio.gather(*api.start(*range(50)))
        assert api.circuit.state == "open"
        before = api.now
        await api.call("open")
        assert api.now == pytest.approx(before + 0.02)
        api.answer = lambda _: OK
        await asyncio.sleep(1)
        for number in range(20):
            await api.call(f"well {number}")
        assert api.circuit.state == "closed"
        api.circuit.isolate()
        assert await api.call("isolated") == "200"
    kinds = {event.kind for event in api.events}
    assert not kinds & {"hold", "turn", "refusal"}
