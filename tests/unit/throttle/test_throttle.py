"""The throttle as a guard: whom a 429 holds, who is refused, and what is told of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
import weakref
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from yarl import URL

import resilient
from resilient import Reason, ThrottledError, ThrottlePolicy
from resilient.core.queues import Room
from resilient.errors import RateLimitError, public_request_info
from resilient.testing import run_in_virtual_time
from resilient.throttle import destinations
from tests.guards import Gate, turns, virtual
from tests.throttles import URL_OF, Answer, Calls

OK: tuple[int, dict[str, str]] = (200, {})


def refusing(seconds: object = 30) -> tuple[int, dict[str, str]]:
    return 429, {"Retry-After": str(seconds)}


def now() -> float:
    return asyncio.get_running_loop().time()


def first(count: int, seconds: object = 30) -> Answer:
    """A server that refuses so many requests, and is well then."""
    left = iter(range(count))
    return lambda request: refusing(seconds) if next(left, None) is not None else OK


@virtual
async def test_one_429_holds_those_who_share_the_limit_until_the_servers_time() -> None:
    async with Calls(answer=first(1)) as calls:
        assert await calls.call() == 429
        assert await calls.all(5) == [200] * 5
        assert min(calls.times[1:]) >= 30.02


@virtual
async def test_those_who_wait_leave_in_order_and_at_a_pace() -> None:
    async with Calls(answer=first(1, 1)) as calls:
        await calls.call()
        calls.answer = None
        paths = [f"/v1/{number}" for number in range(8)]
        await asyncio.gather(*[calls.call(path) for path in paths])
        assert [path for _, path in calls.sent[1:]] == paths
        gaps = [b - a for a, b in pairwise(calls.times[1:])]
        # Nothing was let through before, so that it begins at one in two seconds.
        assert gaps[0] == pytest.approx(2 - 0.05)
        assert all(earlier > later > 0.1 for earlier, later in pairwise(gaps))


@pytest.mark.parametrize(
    "neighbour",
    [
        pytest.param({"path": "/v2/things"}, id="another first segment"),
        pytest.param({"path": "/"}, id="no segment"),
        pytest.param({"method": "POST"}, id="another method"),
        pytest.param({"credential": "Bearer b"}, id="another credential"),
    ],
)
@pytest.mark.parametrize("classes", [True, False])
def test_a_429_holds_its_part_or_the_whole_key(neighbour: dict[str, Any], classes: bool) -> None:
    async def main() -> None:
        async with Calls(ThrottlePolicy(classes=classes), first(1)) as calls:
            await calls.call(credential="Bearer a")
            options = {"credential": "Bearer a", **neighbour}
            await calls.call(**options)
            assert (calls.times[1] < 1) is classes

    run_in_virtual_time(main())


@virtual
async def test_three_refused_parts_widen_the_gate_to_the_whole_credential() -> None:
    async with Calls(answer=lambda request: refusing()) as calls:
        for path in ("/a", "/b"):
            await calls.call(path, credential="Bearer x")
        calls.answer = None
        await calls.call("/free", credential="Bearer x")
        assert now() < 1
        calls.answer = first(1)
        await calls.call("/c", credential="Bearer x")
        waiting = [calls.call(path, credential="Bearer x") for path in ("/a", "/free", "/d")]
        await asyncio.gather(*waiting, calls.call("/free", credential="Bearer other"))
        assert [path for time, path in calls.sent[4:] if time < 30] == ["/free"]
        told = [(each.part, each.code) for each in calls.told("throttle")]
        assert told == [
            ("GET /a", Reason.REFUSED),
            ("GET /b", Reason.REFUSED),
            (None, Reason.WIDENED),
        ]


@virtual
async def test_who_waits_at_a_part_goes_on_waiting_at_the_wider_gate() -> None:
    async with Calls(answer=lambda request: refusing()) as calls:
        for path in ("/a", "/b"):
            await calls.call(path)
        calls.answer = first(1)
        waiting = calls.start(3, "/a")
        await turns()
        await calls.call("/c")
        waiting += calls.start(2, "/c")
        assert await asyncio.gather(*waiting) == [200] * 5
        assert min(calls.times[3:]) >= 30
        assert [path for _, path in calls.sent[3:]] == ["/a"] * 3 + ["/c"] * 2


@virtual
async def test_more_than_256_parts_share_one_gate() -> None:
    async with Calls(answer=lambda request: refusing()) as calls:
        # Of two parts each, so that no credential is refused as a whole.
        each = [calls.call(f"/{n % 2}", credential=str(n // 2)) for n in range(300)]
        await asyncio.gather(*each)
        (place,) = calls.throttle._places.by_key.values()
        assert len(place.gates) == 257
        assert len(calls.throttle.gates) == 257


@virtual
async def test_3600_seconds_asked_no_request_in_that_time_and_all_are_refused_at_once() -> None:
    async with Calls(answer=first(1, 1)) as calls:
        await calls.call()
        waiting = calls.start(3)
        await turns()
        calls.answer = lambda request: refusing(3600)
        # The head of those who wait is refused, and the others with it.
        await asyncio.sleep(5)
        assert [type(await each) for each in waiting[1:]] == [ThrottledError] * 2
        sent = len(calls.sent)
        # From then on it is no longer too long.
        while now() < 3600 - 60:
            error = await calls.call()
            assert isinstance(error, ThrottledError)
            assert error.stop_code is Reason.GATE_CLOSED
            assert error.retry_after == pytest.approx(3600 + calls.times[-1] - now(), abs=1)
            await asyncio.sleep(7)
        assert len(calls.sent) == sent
        calls.answer = None
        await asyncio.sleep(20)
        assert await calls.call() == 200


@virtual
async def test_a_gate_beyond_the_deadline_refuses_at_once() -> None:
    async with Calls(answer=first(1)) as calls:
        await calls.call()
        started = now()
        error = await calls.call(deadline=10)
        assert isinstance(error, ThrottledError)
        assert error.stop_code is Reason.DEADLINE
        assert error.retry_after == pytest.approx(30, abs=1.1)
        assert now() == started
        assert await calls.call(deadline=40) == 200


@virtual
async def test_a_queue_longer_than_max_wait_refuses_at_once() -> None:
    """Not before the gate opens for the first time: until then nobody knows the pace."""
    async with Calls(ThrottlePolicy(max_wait=5), first(1, 1)) as calls:
        await calls.call()
        waiting = calls.start(40)
        await asyncio.sleep(2)
        error = await calls.call()
        assert isinstance(error, ThrottledError)
        assert error.stop_code is Reason.MAX_WAIT
        assert error.retry_after is not None
        assert "max_wait (5 s)" in str(error)
        # Its own word is not bounded by the policy, nor by how full the queue is.
        patient = asyncio.create_task(calls.call(max_wait=1000))
        await asyncio.gather(*waiting)
        assert await patient == 200


@virtual
async def test_once_full_a_tenth_of_max_wait_is_left_until_the_queue_is_empty() -> None:
    policy = ThrottlePolicy(limit="10/s", max_wait=2.95)
    async with Calls(policy) as calls:
        came = await calls.all(40)
        assert came.count(200) == 30
        # It was empty, and is full again.
        waiting = calls.start(40)
        await asyncio.sleep(2)
        assert isinstance(await calls.call(), ThrottledError)
        await asyncio.sleep(0.75)
        assert await calls.call() == 200
        await asyncio.gather(*waiting)


def test_what_is_refused_tells_the_servers_error_and_keeps_nothing_else_alive() -> None:
    class Payload:
        """Something that a frame of the call refers to."""

    alive: list[weakref.ref[Payload]] = []

    def answer(request: Any) -> BaseException:
        payload = Payload()
        alive.append(weakref.ref(payload))
        try:
            raise RateLimitError(public_request_info(request.url, request.method), status=429)
        except RateLimitError as error:
            error.retry_after = 3600.0
            error.headers = {"Retry-After": "3600"}  # type: ignore[assignment]  # a mapping will do
            return error

    async def main() -> None:
        async with Calls(answer=answer) as calls:
            came = await calls.call()
            assert type(came) is RateLimitError
            del came
            error = await calls.call()
            assert isinstance(error, ThrottledError)
            cause = error.__cause__
            assert isinstance(cause, RateLimitError)
            assert cause.__traceback__ is None
            assert "429" in "".join(traceback.format_exception(error))
            assert alive[0]() is None

    gc.disable()
    try:
        run_in_virtual_time(main())
    finally:
        gc.enable()


@virtual
async def test_the_next_attempt_is_paced_or_known_to_be_refused() -> None:
    """So that retry waits for nothing, or does not try."""
    paced: list[bool] = []
    refused_until: list[Any] = []

    async with Calls(answer=lambda request: refusing()) as calls:

        class Watched(resilient.Throttle):
            __slots__ = ()

            def leave(self, permit: Any, outcome: Any, now: float) -> None:
                super().leave(permit, outcome, now)
                paced.append(outcome.paced)
                refused_until.append(outcome.refused_until)

        calls.throttle = Watched()
        await calls.call()
        await calls.call("/v2", deadline=10)
        calls.answer = lambda request: refusing(61)
        await calls.call("/v3")
        assert paced == [True, False, False]
        assert refused_until == [None, pytest.approx(30.5, abs=1), pytest.approx(61, abs=0.1)]


@pytest.mark.parametrize("refuses", [False, True])
def test_a_guard_further_in_keeps_the_pace(refuses: bool) -> None:
    """Refused calls count as gone, so that an outage does not pour the queue out."""

    async def main() -> None:
        inner = Gate()
        async with Calls(answer=first(1, 1), inner=(inner,)) as calls:
            await calls.call()
            inner.shut(refusing=refuses)
            waiting = calls.start(4)
            await asyncio.sleep(4)
            done = sum(each.done() for each in waiting)
            # One goes at the opening and one two seconds later; or the head waits further in.
            assert done == (2 if refuses else 0)
            inner.open()
            await asyncio.gather(*waiting)
            gaps = [b - a for a, b in pairwise(calls.times[1:])]
            assert all(gap > 0.4 for gap in gaps)

    run_in_virtual_time(main())


@virtual
async def test_who_is_cancelled_hands_the_turn_on() -> None:
    async with Calls(answer=first(1, 1)) as calls:
        await calls.call()
        one, two, three = calls.start(3)
        await turns()
        one.cancel()
        assert await two == 200
        assert calls.times[1] < 2.1
        four, five = calls.start(2)
        await asyncio.sleep(0.1)
        four.cancel()
        assert [await three, await five] == [200, 200]


@virtual
async def test_a_declared_limit_is_kept_from_the_first_call_on() -> None:
    async with Calls(ThrottlePolicy(limit="10/s", burst=3)) as calls:
        assert await calls.all(13) == [200] * 13
        assert calls.times == pytest.approx([0, 0, *(n / 10 for n in range(11))])
        holds = {each.code for each in calls.told("hold")}
        assert holds == {Reason.LIMIT}


@virtual
async def test_a_window_is_taken_at_once() -> None:
    async with Calls(ThrottlePolicy(limit="3/10s", pace="window")) as calls:
        assert await calls.all(7) == [200] * 7
        assert calls.times == [0, 0, 0, 10, 10, 10, 20]


@virtual
async def test_a_window_too_far_off_refuses_at_once() -> None:
    async with Calls(ThrottlePolicy(limit="1/h", pace="window")) as calls:
        assert await calls.call() == 200
        error = await calls.call()
        assert isinstance(error, ThrottledError)
        assert error.retry_after == pytest.approx(3600, abs=1)


@pytest.mark.parametrize(("limit", "slower"), [("1/s", 1.0), ("1000/s", 0.1)])
def test_the_slower_of_what_is_declared_and_learnt_holds(limit: str, slower: float) -> None:
    async def main() -> None:
        async with Calls(ThrottlePolicy(limit=limit)) as calls:
            for _ in range(20):
                await calls.call()
            calls.answer = first(1, 1)
            await calls.call()
            calls.sent.clear()
            paths = [f"/v1/{number}" for number in range(12)]
            assert await asyncio.gather(*map(calls.call, paths)) == [200] * 12
            assert [path for _, path in calls.sent] == paths
            gaps = [b - a for a, b in pairwise(calls.times[2:])]
            assert all(gap >= slower * 0.2 for gap in gaps)
            assert min(gaps) >= (0.99 if slower == 1 else 0.01)

    run_in_virtual_time(main())


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"RateLimit": '"default";r=0;t=8'}, 8),
        ({"RateLimit": "limit=10, remaining=0, reset=8"}, 8),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "8"}, 8),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "8"}, 8),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "8"}, 0),
        ({"RateLimit": '"default";r=1;t=8'}, 0),
        ({"X-RateLimit-Remaining": "0"}, 0),
        ({}, 0),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_nothing_that_remains_closes_a_gate_where_the_headers_are_named(
    headers: dict[str, str], waits: float, named: bool
) -> None:
    async def main() -> None:
        policy = ThrottlePolicy(headers=["RateLimit", "X-RateLimit"] if named else [])
        async with Calls(policy, lambda request: (200, headers)) as calls:
            assert await calls.call() == 200
            calls.answer = None
            assert await calls.call() == 200
            assert calls.times[1] >= (waits if named else 0)
            assert calls.times[1] < (waits + 1.1 if named else 1)
            codes = [each.code for each in calls.told("throttle")]
            assert codes == ([Reason.USED_UP] if named and waits else [])

    run_in_virtual_time(main())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((503, {"Retry-After": "30"}), id="a 503"),
        pytest.param(
            aiohttp.ClientResponseError(
                public_request_info(URL("https://auth.example"), "POST"),
                (),
                status=429,
                headers={"Retry-After": "30"},  # type: ignore[arg-type]  # a mapping will do
            ),
            id="the 429 of another request",
        ),
    ],
)
def test_nothing_but_a_429_of_its_own_closes_a_gate(answer: Any) -> None:
    async def main() -> None:
        async with Calls(answer=lambda request: answer) as calls:
            await calls.call()
            calls.answer = None
            await calls.call()
            assert now() < 1
            assert calls.throttle.gates == ()

    run_in_virtual_time(main())


@virtual
async def test_without_learning_a_429_changes_nothing() -> None:
    async with Calls(ThrottlePolicy(learn=False), first(1)) as calls:
        await calls.call()
        await calls.call()
        assert now() < 1


def test_one_warning_when_it_closes_and_one_info_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with Calls(answer=first(2, 1)) as calls:
            await calls.call(credential="Bearer secret")
            await calls.all(3, credential="Bearer secret")
            await asyncio.sleep(20)
            await calls.call(credential="Bearer secret")

    with caplog.at_level(logging.INFO, "resilient"):
        run_in_virtual_time(main())
    said = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "INFO"]
    assert said[0][1].startswith(f"the gate for {URL_OF} GET /v1 is closed for ")
    assert "the server asks for 1 s" in said[0][1]
    assert "is open again; 3 calls were held or refused" in said[1][1]
    assert "secret" not in str([vars(each) for each in caplog.records])


@virtual
async def test_gates_can_be_looked_at() -> None:
    async with Calls(answer=first(1)) as calls:
        await calls.call(credential="Bearer secret")
        waiting = calls.start(2, credential="Bearer secret")
        await turns()
        (gate,) = calls.throttle.gates
        assert (gate.key, gate.part, gate.waiting, gate.rate) == (URL_OF, "GET /v1", 2, 0.5)
        assert 30 <= gate.seconds <= 31
        assert gate.server_seconds == pytest.approx(30)
        assert "secret" not in repr(gate)
        await asyncio.gather(*waiting)
        await asyncio.sleep(11)
        assert calls.throttle.gates == ()


@virtual
async def test_a_declared_limit_that_somebody_waits_for_can_be_looked_at() -> None:
    async with Calls(ThrottlePolicy(limit="1/s")) as calls:
        waiting = calls.start(3)
        await turns()
        (gate,) = calls.throttle.gates
        assert (gate.part, gate.waiting, gate.rate) == (None, 2, 1.0)
        await asyncio.gather(*waiting)


@virtual
async def test_too_many_who_wait_are_throttled() -> None:
    async with Calls(answer=first(1), room=Room(2)) as calls:
        await calls.call()
        came = await calls.all(4)
        assert [type(each) for each in came].count(ThrottledError) == 2
        errors = [each for each in came if isinstance(each, ThrottledError)]
        assert {each.stop_code for each in errors} == {Reason.QUEUE_FULL}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(destinations, "_MOST", 8)
    return 8


def test_of_many_keys_those_in_force_are_kept(few: int) -> None:
    async def main() -> None:
        policy = ThrottlePolicy(key=lambda request: request.url.path)
        async with Calls(policy, answer=lambda request: refusing(50)) as calls:
            await calls.call("/refused")
            calls.answer = None
            for number in range(200):
                await calls.call(f"/{number}")
            assert len(calls.throttle._places.by_key) <= few
            await calls.call("/refused")
            assert now() >= 50

    run_in_virtual_time(main())


def test_a_destination_that_was_forgotten_under_way_learns_all_the_same(few: int) -> None:
    async def main() -> None:
        policy = ThrottlePolicy(key=lambda request: request.url.path)
        async with Calls(policy, answer=lambda request: refusing(50)) as calls:
            slow = asyncio.create_task(calls.call("/slow"))
            await turns()
            calls.answer = None
            for number in range(20):
                calls.throttle.enter(None, Path(f"/{number}"), 0.0, None)  # type: ignore[arg-type]  # all that is looked at
            assert "/slow" not in calls.throttle._places.by_key
            assert await slow == 429
            await calls.call("/slow")
            assert now() >= 50

    run_in_virtual_time(main())


class Path:
    def __init__(self, path: str) -> None:
        self.url = type("URL", (), {"path": path})
        self.headers: dict[str, str] = {}


def test_state_survives_a_loop_that_was_closed() -> None:
    """Wherever the clock of the next one begins."""
    throttle = resilient.Throttle()

    async def learn() -> None:
        async with Calls(answer=first(1)) as calls:
            calls.throttle = throttle
            await asyncio.sleep(1000)
            await calls.call()
            calls.start(3)
            await turns()
            (gate,) = throttle.gates
            assert (gate.waiting, gate.seconds > 30) == (3, True)

    async def use() -> None:
        async with Calls() as calls:
            calls.throttle = throttle
            assert await calls.call() == 200
            assert 30 <= calls.times[0] < 32

    run_in_virtual_time(learn())
    run_in_virtual_time(use())


@virtual
async def test_a_key_that_fails_lets_calls_pass_unguarded() -> None:
    def key(request: Any) -> Any:
        raise LookupError

    async with Calls(ThrottlePolicy(key=key), answer=first(1)) as calls:
        await calls.call()
        assert await calls.call() == 200
        assert now() < 1


def test_a_pipeline_says_what_its_throttle_does() -> None:
    (line,) = [each for each in str(resilient.Pipeline()).splitlines() if "Throttle" in each]
    assert "a 429 holds its method, first path segment and credential" in line
    policy = resilient.Policy(throttle=ThrottlePolicy(limit="300/min", headers=["RateLimit"]))
    (line,) = [each for each in str(resilient.Pipeline(policy)).splitlines() if "Throttle" in each]
    assert "for each origin; at most 300/min, bursts of 15" in line
    assert "reads RateLimit" in line


def test_a_throttle_is_shared_by_passing_it() -> None:
    throttle = resilient.Throttle(ThrottlePolicy(limit="10/s"))
    pipelines = [
        resilient.Pipeline(throttle=throttle),
        resilient.Services([resilient.Service("a", URL_OF)], throttle=throttle)["a"],
    ]
    assert [each.throttle for each in pipelines] == [throttle, throttle]
    with pytest.raises(resilient.ConfigError, match="a Throttle"):
        resilient.Pipeline(throttle=ThrottlePolicy())  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(("retry", "most"), [({"max_retry_after": 7}, 7), (None, 60)])
def test_the_most_that_a_server_may_ask_is_the_retry_policys(retry: Any, most: float) -> None:
    policy = resilient.Policy(retry=None if retry is None else resilient.RetryPolicy(**retry))
    assert resilient.Pipeline(policy).throttle._max_retry_after == most
