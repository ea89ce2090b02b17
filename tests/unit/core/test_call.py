"""The context of a call: what it keeps, to whom it belongs, and settings for a block of code."""

import asyncio
import contextvars
import math
from typing import Any

import pytest
from yarl import URL

from resilient.attempts import Attempt
from resilient.core.call import (
    KEY,
    Call,
    Override,
    attempts_of,
    begin,
    call_of,
    current,
    drop,
    override,
    remember,
    take,
)
from resilient.errors import ConfigError


class Request:
    """As much of a request as a call looks at."""

    def __init__(self, session: object = None) -> None:
        self.session = session


def request(session: object = None) -> Any:
    return Request(session)


def record(call: Call, number: int, started: float, ended: float, outcome: int | str) -> None:
    url = URL("https://u:p@api.example/v1?key=s3cret#there")
    call.records += ((number, "GET", url, started, ended, outcome),)


# Attempts.


def test_attempts_are_described_from_the_records() -> None:
    call = Call()
    assert call.attempts() == ()
    record(call, 1, 100.0, 100.5, 503)
    call.waited(2.0, "status 503")
    record(call, 2, 102.5, 103.5, "ServerDisconnectedError")
    first, second = call.attempts()
    assert first == Attempt(
        1, "GET", "https://api.example/v1", 0.0, 0.5, 503, None, 2.0, "status 503"
    )
    assert second == Attempt(
        2, "GET", "https://api.example/v1", 2.5, 1.0, None, "ServerDisconnectedError"
    )


def test_an_attempt_reads_as_a_line() -> None:
    call = Call()
    record(call, 1, 0, 0.25, 429)
    call.waited(1.5, "status 429; the server asks to wait 1.5 s")
    record(call, 2, 2, 3, "AttemptTimeoutError")
    first, second = map(str, call.attempts())
    assert first == (
        "attempt 1: GET https://api.example/v1 -> 429 in 0.250 s, then waited 1.500 s "
        "(status 429; the server asks to wait 1.5 s)"
    )
    assert second == "attempt 2: GET https://api.example/v1 -> AttemptTimeoutError in 1.000 s"


def test_waits_belong_to_the_last_attempt() -> None:
    call = Call()
    for number in (1, 2, 3):
        record(call, number, number, number, 503)
        if number != 2:
            call.waited(float(number), f"wait {number}")
    assert [attempt.waited for attempt in call.attempts()] == [1.0, None, 3.0]


def test_a_response_tells_of_its_call_and_any_other_of_nothing() -> None:
    response = request()
    assert attempts_of(response) == ()
    call = Call()
    record(call, 1, 0, 1, 200)
    remember(response, call)
    assert [attempt.status for attempt in attempts_of(response)] == [200]


# To whom a call belongs.


def test_a_request_that_nobody_has_taken_up_has_a_call_of_its_own_each_time() -> None:
    incoming = request()
    assert call_of(incoming) is not call_of(incoming)
    assert KEY not in vars(incoming)


def test_the_first_who_takes_a_call_up_drops_it() -> None:
    incoming = request()
    call, is_outermost = take(incoming)
    assert is_outermost
    assert take(incoming) == (call, False)
    assert call_of(incoming) is call
    drop(incoming)
    assert call_of(incoming) is not call
    again, is_outermost = take(incoming)
    assert is_outermost
    assert again is not call


def test_a_session_that_began_a_call_gives_it_to_each_of_its_hops() -> None:
    mine, theirs = object(), object()
    call = begin()
    call.session = mine  # type: ignore[assignment]  # on purpose
    token = current.set(call)
    try:
        first, second, other = request(mine), request(mine), request(theirs)
        assert take(first)[0] is call
        drop(first)
        assert take(second)[0] is call
        assert take(other)[0] is not call
    finally:
        current.reset(token)


def test_a_call_is_overdue_when_its_deadline_is_there() -> None:
    call = Call()
    assert not call.is_overdue(1e9)
    call.deadline = 10.0
    assert not call.is_overdue(9.99)
    assert call.is_overdue(10.0)
    assert call.is_overdue(11.0)


# Settings for a block of code.


def settings() -> Override:
    return begin().override


def test_without_a_block_there_are_no_settings() -> None:
    assert settings() == Override()
    assert current.get() is None


def test_settings_hold_in_the_block_and_not_after_it() -> None:
    with override(max_attempts=2):
        assert settings() == Override(max_attempts=2)
        with override(raise_errors=False, max_attempts=3):
            assert settings() == Override(max_attempts=3, raise_errors=False)
        assert settings() == Override(max_attempts=2)
    assert settings() == Override()


def test_what_is_not_given_stays_as_it_is() -> None:
    with override(max_attempts=2, raise_errors=False, total_timeout=3, idempotent=False):
        with override(attempt_timeout=1):
            assert settings() == Override(2, False, 3, 1, False)
        with override():
            assert settings() == Override(2, False, 3, None, False)


def test_settings_end_with_an_exception_too() -> None:
    with pytest.raises(LookupError), override(max_attempts=2):
        raise LookupError
    assert settings() == Override()


async def test_a_task_takes_the_settings_along_and_gives_none_back() -> None:
    async def inside() -> Override:
        with override(max_attempts=7):
            await asyncio.sleep(0)
        return settings()

    with override(max_attempts=2):
        task = asyncio.create_task(inside())
    with override(max_attempts=3):
        assert await task == Override(max_attempts=2)
        assert settings() == Override(max_attempts=3)


def test_another_context_knows_nothing_of_the_block() -> None:
    apart = contextvars.Context()
    with override(max_attempts=2):
        assert apart.run(settings) == Override()


def test_a_block_does_not_reach_the_call_it_stands_in() -> None:
    session = object()
    call = begin()
    call.session = session  # type: ignore[assignment]  # on purpose
    token = current.set(call)
    try:
        with override(max_attempts=2):
            inner = begin()
            assert inner is not call
            assert inner.override.max_attempts == 2
        assert call.override == Override()
        assert current.get() is call
    finally:
        current.reset(token)


def test_no_limit_is_a_setting() -> None:
    with override(total_timeout=math.inf, attempt_timeout=math.inf):
        assert settings().total_timeout == math.inf


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("max_attempts", [0, -1, 1.5, True, "3", math.inf]),
        ("raise_errors", [0, 1, "no", math.inf]),
        ("idempotent", [0, "yes", math.inf]),
        ("total_timeout", [0, -1, math.nan, -math.inf, "1", True, [1]]),
        ("attempt_timeout", [0, -1, math.nan, -math.inf, "1", True, [1]]),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_with_what_is_allowed(
    name: str, wrong: list[Any]
) -> None:
    for value in wrong:
        with pytest.raises(ConfigError, match=rf"\.{name} must be None or ") as caught:
            override(**{name: value}).__enter__()
        assert repr(value) in str(caught.value)
    assert settings() == Override()
