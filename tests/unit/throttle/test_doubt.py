"""Whether refusals have to do with the rate: the machine, and a gate that stands aside."""

from __future__ import annotations

import asyncio
from asyncio import TaskGroup
from contextlib import suppress
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession

from resilient import Pipeline, RateLimitError, Reason, ThrottledError, ThrottleEvent, listens_to
from resilient.core.queues import Queue
from resilient.testing import LoopClock, Reply, make_response, run_in_virtual_time
from resilient.throttle.doubt import Doubt
from resilient.throttle.gate import Gate, Part
from resilient.throttle.grants import Grants
from tests.throttles import URL_OF


def now() -> float:
    return asyncio.get_running_loop().time()


def in_doubt() -> Doubt:
    doubt = Doubt()
    doubt.bore(50.0)
    return doubt


@pytest.mark.parametrize(
    ("cuts", "aside"),
    [
        ([(40, 9), (35, 9), (30, 9)], True),
        ([(40, 9), (30, 9)], False),  # too few
        ([(49, 9), (47, 9), (45, 9), (40, 9), (36, 9)], False),  # a limit of about that
        ([(30, 0), (20, 0), (10, 0), (5, 0)], False),  # it lets nothing through at all
        ([(30, 1), (20, 0), (20, 0), (10, 1), (9, 1)], True),
    ],
)
def test_cuts_that_no_limit_of_the_rate_explains_put_it_in_doubt(
    cuts: list[tuple[float, int]], aside: bool
) -> None:
    doubt = in_doubt()
    assert any(doubt.cut(rate, answers, 1.0) for rate, answers in cuts) is aside


@pytest.mark.parametrize(
    ("answers", "comes_back"),
    [
        ([True, False, False, False, False] * 40, False),
        ([True, False] * 40, True),
        ([False] * 200 + [True] * 7, False),
        ([False] * 200 + [True] * 8, True),
        ([True, True, False] * 7 + [True] * 2, False),  # too few to tell
        ([True, True, False] * 9, True),
        ([False] * 500 + [True, False] * 60, True),  # what was long ago does not count
    ],
)
def test_the_share_of_refusals_decides(answers: list[bool], comes_back: bool) -> None:
    doubt = in_doubt()
    doubt.begin(0.0)
    assert any(doubt.hear(1.0, refused=refused) for refused in answers) is comes_back


def test_after_a_try_that_failed_it_waits_for_longer_and_longer() -> None:
    doubt = in_doubt()
    moment, tries = 0.0, []
    for _ in range(9):
        while not doubt.cut(1.0, 9, moment):
            moment += 1
        tries.append(moment)
        doubt.begin(moment)
        doubt.end(5.0, moment)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_it_lasts_until_nobody_has_been_refused_for_a_minute() -> None:
    doubt = in_doubt()
    doubt.begin(10.0)
    doubt.hear(20.0, refused=True)
    doubt.hear(50.0, refused=False)
    assert doubt.lasts_until == 80.0
    doubt.rebase(1000.0)
    assert (doubt.lasts_until, doubt.since) == (1080.0, 1010.0)


def aside() -> Gate:
    """A gate at a server that bears 50 a second and refuses each twentieth request."""
    grants = Grants(0.0)
    for each in range(1000):
        grants.add(each / 50)
    gate = Gate(Part("", "GET", "v1"), Queue(), 20.0)
    gate.close(grants, 20.0, 1.0, lambda: 0.0)
    moment = 20.0
    for number in count(1):
        moment = gate.turn_at(0, moment)
        gate.take(moment)
        if number % 20:
            gate.granted(moment)
        elif gate.refused(moment, moment, 1.0, lambda: 0.0) and gate.is_aside:
            return gate
        assert number < 200, "it takes ten refusals at most"
    raise AssertionError


def test_a_gate_that_stands_aside_lets_calls_leave_as_the_server_bore_them() -> None:
    gate = aside()
    assert gate.rate == pytest.approx(50, rel=0.1)
    assert gate.turn_at(0, gate.cut_at) == gate.cut_at
    rate, moment = gate.rate, gate.cut_at + 1
    # A refusal is that of one call.
    assert gate.refused(moment, moment, 30.0, lambda: 0.0) is False
    assert (gate.rate, gate.opens_at(moment)) == (rate, moment)
    assert gate.server_until < moment
    assert not gate.is_over(moment + 59)
    assert gate.is_over(moment + 61)


def test_it_takes_its_place_again_where_refusals_are_most() -> None:
    gate = aside()
    moment = gate.cut_at
    refusals = 0
    while gate.is_aside:
        moment += 1
        refusals += 1
        gate.refused(moment, moment, 30.0, lambda: 0.0)
    assert refusals <= 8
    assert gate.server_until == moment + 30
    assert gate.rate < 40


@pytest.mark.parametrize("asked", [{}, {"Retry-After": "1"}], ids=["no time", "a second"])
def test_refusals_at_any_rate_cost_callers_less_than_aiohttp_alone(asked: dict[str, str]) -> None:
    """Promise 13, at a server that begins to refuse one request in ten, whoever asks."""
    dice, told, came = Random(1), list[ThrottleEvent](), list[int]()

    async def answer(request: Any, handler: Any) -> Any:
        await asyncio.sleep(0.02)
        refuses = now() > 20 and dice.random() < 0.1
        return await make_response(request, Reply(429, headers=asked) if refuses else Reply())

    async def main() -> None:
        clock = LoopClock(draw=dice.random)
        listener = listens_to("throttle")(told.append)
        pipeline = Pipeline(listeners=[listener], clock=clock)
        async with ClientSession(middlewares=[pipeline, answer]) as session, TaskGroup() as group:
            for _ in range(20 * 60):
                group.create_task(call(session))
                await asyncio.sleep(0.05)
            (gate,) = pipeline.throttle.gates
            assert (gate.waiting, gate.seconds) == (0, 0)

    async def call(session: ClientSession) -> None:
        with suppress(RateLimitError, ThrottledError):
            async with session.get(f"{URL_OF}/v1/things") as response:
                came.append(response.status)

    run_in_virtual_time(main())
    assert len(came) > 0.97 * 20 * 60
    (aside,) = (each for each in told if each.code is Reason.UNRELATED)
    assert not aside.closed
    assert "refusals come at any rate" in str(aside)
