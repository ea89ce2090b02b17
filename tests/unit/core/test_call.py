"""The call: its records, and the requests that belong to it."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import ReferenceType

from yarl import URL

from resilient.attempts import Attempt, Wait
from resilient.core.call import Call, attach, attempts_of, begin, current, detach, end, remember
from resilient.reasons import Reason


class Request:
    """As much of a request as a call looks at."""

    def __init__(self, session: object = None) -> None:
        self.session = session


def request(session: object = None) -> Any:
    return Request(session)


def record(call: Call, number: int, started: float, ended: float, outcome: int | str) -> None:
    url = URL("https://u:p@api.example/v1?key=s3cret#there")
    call.records += ((number, "GET", url, started, ended, outcome, 0.0),)


# Attempts.


async def test_attempts_are_described_from_the_records() -> None:
    call = Call()
    assert call.history().attempts() == ()
    record(call, 1, 100.0, 100.5, 503)
    call.waited(Wait(2.0, Reason.STATUS, "status 503"))
    record(call, 2, 102.5, 103.5, "ServerDisconnectedError")
    first, second = call.history().attempts()
    assert first == Attempt(
        1, "GET", "https://api.example/v1", 0.0, 0.5, 503, None, 2.0, "status 503", Reason.STATUS
    )
    assert second == Attempt(
        2, "GET", "https://api.example/v1", 2.5, 1.0, None, "ServerDisconnectedError"
    )


async def test_an_attempt_reads_as_a_line() -> None:
    call = Call()
    record(call, 1, 0, 0.25, 429)
    call.waited(Wait(1.5, Reason.THROTTLED, "status 429; the server asks to wait 1.5 s"))
    record(call, 2, 2, 3, "AttemptTimeoutError")
    first, second = map(str, call.history().attempts())
    assert first == (
        "attempt 1: GET https://api.example/v1 -> 429 in 0.250 s, then waited 1.500 s "
        "(status 429; the server asks to wait 1.5 s)"
    )
    assert second == "attempt 2: GET https://api.example/v1 -> AttemptTimeoutError in 1.000 s"


async def test_waits_belong_to_the_last_attempt() -> None:
    call = Call()
    for number in (1, 2, 3):
        record(call, number, number, number, 503)
        if number != 2:
            call.waited(Wait(float(number), Reason.STATUS, f"wait {number}"))
    assert [attempt.waited for attempt in call.history().attempts()] == [1.0, None, 3.0]


async def test_a_response_tells_of_its_call_and_any_other_of_nothing() -> None:
    response = request()
    assert attempts_of(response) == ()
    call = Call()
    record(call, 1, 0, 1, 200)
    remember(response, call)
    assert [attempt.status for attempt in attempts_of(response)] == [200]


# Which requests belong to a call.


async def test_the_outermost_attaches_a_call_and_ends_it() -> None:
    incoming = request()
    call, token = attach(incoming)
    assert token is not None
    assert attach(incoming) == (call, None)
    detach(call, token)
    assert current.get() is None
    again, token = attach(incoming)
    assert again is not call
    detach(again, token)


async def test_a_request_that_is_made_meanwhile_is_another_call() -> None:
    outer, token = attach(request())
    inner, inner_token = attach(request())
    assert inner is not outer
    detach(inner, inner_token)
    assert current.get() is outer
    detach(outer, token)


async def test_a_request_that_is_under_way_twice_is_two_calls() -> None:
    incoming = request()

    async def run() -> Call:
        call, token = attach(incoming)
        await asyncio.sleep(0)
        assert attach(incoming) == (call, None)
        detach(call, token)
        return call

    first, second = await asyncio.gather(run(), run())
    assert first is not second


async def test_each_hop_of_a_session_goes_on_where_the_one_before_ended() -> None:
    mine: Any = object()
    span, token = begin(mine, None, None)
    span.deadline = 7.0
    for number in (1, 2):
        call, hop_token = attach(request(mine))
        assert (call.span, call.deadline, call.number) == (span, 7.0, span.number)
        assert len(call.records) == number - 1
        record(call, number, number, number, 302)
        # Of another session, or of the same while the hop is under way.
        for other in (request(object()), request(mine)):
            apart, apart_token = attach(other)
            assert (apart.span, apart.deadline, apart.records) == (None, None, ())
            detach(apart, apart_token)
        detach(call, hop_token)
    end(span, token)
    assert current.get() is None


async def test_a_hop_that_is_cancelled_leaves_nothing_to_the_next() -> None:
    mine: Any = object()
    span, token = begin(mine, None, None)
    hop = request(mine)

    async def run(seconds: float, status: int) -> None:
        call, hop_token = attach(hop)
        try:
            record(call, 1, 0, 1, status)
            await asyncio.sleep(seconds)
        finally:
            detach(call, hop_token)

    slow = asyncio.create_task(run(60, 500))
    await asyncio.create_task(run(0, 302))
    slow.cancel()
    await asyncio.wait([slow])
    call, hop_token = attach(request(mine))
    assert [each.status for each in call.history().attempts()] == [302]
    detach(call, hop_token)
    end(span, token)


async def test_a_call_that_is_over_refers_to_nothing_big() -> None:
    call, token = attach(request(object()))
    detach(call, token)
    assert (call.request, call.span, call.outcome, call.failure) == (None,) * 4


async def test_a_call_of_a_session_that_is_over_does_not_refer_to_it() -> None:
    session: Any = object()
    span, token = begin(session, None, None)
    call, hop_token = attach(request(session))
    detach(call, hop_token)
    end(span, token)
    assert (span.session, call.span) == (None, None)


async def test_calls_have_numbers_by_which_their_events_can_be_put_together() -> None:
    first, second = Call(), Call()
    assert first.number == first.number
    assert first.number != second.number


async def test_a_call_is_overdue_when_its_deadline_is_there() -> None:
    call = Call()
    assert not call.is_overdue(1e9)
    call.deadline = 10.0
    assert not call.is_overdue(9.99)
    assert call.is_overdue(10.0)
    assert call.is_overdue(11.0)


async def test_a_call_knows_how_long_each_guard_has_held_it_until_it_is_over() -> None:
    one, other = object(), object()
    call, token = attach(request())
    assert call.held_by(one) == 0.0
    for guard, seconds in ((one, 1.5), (other, 0.25), (one, 0.5)):
        call.was_held(guard, seconds)
    assert (call.held_by(one), call.held_by(other)) == (2.0, 0.25)
    detach(call, token)
    assert call.held is None


# Calls inside calls.


async def test_a_call_knows_the_calls_that_it_was_made_in_while_it_is_under_way() -> None:
    (outer, outer_token), (middle, middle_token) = attach(request()), attach(request())
    inner, inner_token = attach(request())
    assert list(inner.around()) == [middle, outer]
    assert list(outer.around()) == []
    for call, token in ((inner, inner_token), (middle, middle_token), (outer, outer_token)):
        detach(call, token)
    # It keeps none of them alive.
    assert isinstance(inner.outer, ReferenceType)


async def test_the_call_of_a_session_knows_the_call_that_it_was_made_in() -> None:
    session: Any = object()
    outer, token = attach(request())
    inner, inner_token = begin(session, None, None)
    hop, hop_token = attach(request(session))
    assert hop.span is inner
    assert list(hop.around()) == [outer]
    # The next hop is a part of the same call.
    detach(hop, hop_token)
    assert list(inner.around()) == [outer]
    end(inner, inner_token)
    detach(outer, token)
