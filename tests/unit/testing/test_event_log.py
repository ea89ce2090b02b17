"""The event log: what it has, and how its assertions read when they fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from resilient import (
    AttemptEvent,
    Event,
    HoldEvent,
    RefusalEvent,
    ThrottleEvent,
    TransitionEvent,
    TurnEvent,
    WaitEvent,
)
from resilient.reasons import Reason
from resilient.testing.event_log import EventLog

URL = "https://api.example/meetings"
API = "https://api.example"


def attempt(number: int, outcome: int | str) -> AttemptEvent:
    return AttemptEvent(
        name="n",
        call=1,
        method="GET",
        url=URL,
        number=number,
        duration=0.25,
        status=outcome if isinstance(outcome, int) else None,
        error=outcome if isinstance(outcome, str) else None,
    )


def wait(seconds: float) -> WaitEvent:
    return WaitEvent(
        name="n",
        call=1,
        method="GET",
        url=URL,
        number=1,
        seconds=seconds,
        code=Reason.STATUS,
        reason="why",
    )


def refusal(by: str, reason: str) -> RefusalEvent:
    return RefusalEvent(
        name="n", call=1, method="GET", url=URL, by=by, code=Reason.BUDGET, reason=reason
    )


def transition(after: str, key: str = API) -> TransitionEvent:
    return TransitionEvent(
        name="n",
        key=key,
        before="?",
        after=after,
        code=Reason.FAILURES,
        reason="20 failures",
    )


def hold(by: str, reason: str) -> HoldEvent:
    return HoldEvent(
        name="n",
        call=1,
        method="GET",
        url=URL,
        by=by,
        seconds=2.5,
        code=Reason.GATE,
        reason=reason,
    )


def turn(by: str) -> TurnEvent:
    return TurnEvent(name="n", call=1, method="GET", url=URL, by=by, seconds=2.5)


def gate(closed: bool, key: str = API, part: str | None = None, news: bool = True) -> ThrottleEvent:
    return ThrottleEvent(
        name="n",
        key=key,
        part=part,
        closed=closed,
        rate=10.0 if closed else None,
        seconds=1.0 if closed else 0.0,
        queued=4,
        code=Reason.REFUSED,
        reason="a 429",
        is_news=news,
    )


def log_of(*events: Event) -> EventLog:
    log = EventLog()
    for event in events:
        log(event)
    return log


FULL = (
    attempt(1, 503),
    wait(30.0),
    attempt(2, "ClientOSError (Connection reset by peer)"),
    transition("open"),
    refusal("retry", "the circuit is open for another 5 s"),
    transition("half_open"),
    transition("closed", "https://other.example"),
)


GUARDED = (
    gate(True, part="GET /meetings"),
    hold("throttle", "the server asks for 1 s"),
    hold("throttle", "the server asks for 1 s"),
    gate(True, part="GET /meetings", news=False),
    turn("throttle"),
    hold("breaker", "waits for the verdict"),
    turn("breaker"),
    refusal("bulkhead", "20 calls are under way"),
    gate(False, "https://other.example"),
)


def test_it_keeps_the_events_in_their_order() -> None:
    log = log_of(*FULL)
    assert tuple(log) == tuple(log.events) == FULL
    assert len(log) == 7
    assert log.kinds[:2] == ["attempt", "wait"]


def test_it_has_them_by_kind() -> None:
    log = log_of(*FULL)
    assert [each.number for each in log.attempts] == [1, 2]
    assert [each.seconds for each in log.waits] == [30.0]
    assert [each.by for each in log.refusals] == ["retry"]
    assert [each.after for each in log.transitions] == ["open", "half_open", "closed"]


def test_it_has_those_of_guards_by_kind() -> None:
    log = log_of(*GUARDED)
    assert [each.by for each in log.holds] == ["throttle", "throttle", "breaker"]
    assert [each.by for each in log.turns] == ["throttle", "breaker"]
    assert [each.closed for each in log.gates] == [True, True, False]


def test_it_can_be_cleared() -> None:
    log = log_of(*FULL)
    log.clear()
    assert list(log) == []


@pytest.mark.parametrize(
    "holds",
    [
        lambda log: log.assert_attempts(2),
        lambda log: log.assert_outcomes(503, "ClientOSError"),
        lambda log: log.assert_waited(30),
        lambda log: log.assert_waited(30 + 1e-12),
        lambda log: log.assert_waited(pytest.approx(28, abs=5)),
        lambda log: log.assert_refused(),
        lambda log: log.assert_refused(by="retry", reason="circuit is open"),
        lambda log: log.assert_opened(),
        lambda log: log.assert_opened(API),
        lambda log: log.assert_states("open", "half_open", "closed"),
        lambda log: log.assert_states("open", "half_open", key=API),
        lambda log: log.assert_states(key="https://third.example"),
        lambda log: log.assert_no_refusals(by="breaker"),
        lambda log: log.assert_no_holds(),
        lambda log: log.assert_turns(0),
        lambda log: log.assert_gates(),
    ],
)
def test_what_holds_passes(holds: Callable[[EventLog], None]) -> None:
    holds(log_of(*FULL))


@pytest.mark.parametrize(
    "holds",
    [
        lambda log: log.assert_held(),
        lambda log: log.assert_held(by="throttle", reason="the server asks"),
        lambda log: log.assert_no_holds(by="bulkhead"),
        lambda log: log.assert_turns(2),
        lambda log: log.assert_turns(1, by="throttle"),
        lambda log: log.assert_refused(by="bulkhead"),
        lambda log: log.assert_no_refusals(by="throttle"),
        lambda log: log.assert_gate_closed(),
        lambda log: log.assert_gate_closed(API),
        lambda log: log.assert_gate_closed(API, part="GET /meetings"),
        lambda log: log.assert_gates("closed", "open"),
        lambda log: log.assert_gates("closed", key=API),
        lambda log: log.assert_gates(key="https://third.example"),
    ],
)
def test_what_holds_of_guards_passes(holds: Callable[[EventLog], None]) -> None:
    holds(log_of(*GUARDED))


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (lambda log: log.assert_attempts(3), "expected 3 attempts, and there were 2 attempts"),
        (lambda log: log.assert_attempts(0), "expected no attempts, and there were 2 attempts"),
        (
            lambda log: log.assert_outcomes(503, 200),
            "expected the outcomes 503, 200, and there were "
            "503, ClientOSError (Connection reset by peer)",
        ),
        (lambda log: log.assert_outcomes(503), "expected the outcomes 503, and"),
        (lambda log: log.assert_outcomes("503", "ClientOSError"), "outcomes 503, ClientOSError"),
        (
            lambda log: log.assert_waited(29.5),
            "expected waits of 29.5 s, and there were waits of 30 s",
        ),
        (lambda log: log.assert_waited(30, 30), "expected waits of 30, 30 s"),
        (lambda log: log.assert_waited(), "expected waits of none s, and there were waits of 30 s"),
        (
            lambda log: log.assert_refused(by="breaker"),
            "expected a refusal by the breaker, and there were 1 refusal",
        ),
        (
            lambda log: log.assert_refused(reason="budget"),
            "expected a refusal because of 'budget', and",
        ),
        (
            lambda log: log.assert_opened("https://other.example"),
            "expected the circuit for https://other.example to open, and there were none that did",
        ),
        (
            lambda log: log.assert_states("open"),
            "expected a circuit to go through open, and there were open, half_open, closed",
        ),
    ],
)
def test_what_does_not_hold_fails_with_all_that_happened(
    fails: Callable[[EventLog], None], said: str
) -> None:
    with pytest.raises(AssertionError) as failure:
        fails(log_of(*FULL))
    message, _, listing = str(failure.value).partition(":\n")
    assert (message + ":").startswith(said) or said in message
    assert listing.splitlines()[:2] == [
        "  1. attempt    GET https://api.example/meetings: attempt 1 came to 503 in 0.250 s",
        "  2. wait       GET https://api.example/meetings: waiting 30.000 s after attempt 1 (why)",
    ]
    assert len(listing.splitlines()) == 7


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (
            lambda log: log.assert_held(by="bulkhead"),
            "expected a hold by the bulkhead, and there were 3 holds",
        ),
        (
            lambda log: log.assert_held(reason="the limit"),
            "expected a hold because of 'the limit', and there were 3 holds",
        ),
        (lambda log: log.assert_no_holds(), "expected no holds, and there were 3 holds"),
        (
            lambda log: log.assert_no_holds(by="breaker"),
            "expected no holds by the breaker, and there were 1 hold",
        ),
        (
            lambda log: log.assert_turns(50, by="throttle"),
            "expected 50 turns by the throttle, and there were 1 turn",
        ),
        (lambda log: log.assert_no_refusals(), "expected no refusals, and there were 1 refusal"),
        (
            lambda log: log.assert_gate_closed("https://other.example"),
            "expected the gate for https://other.example to close, and there were none that did",
        ),
        (
            lambda log: log.assert_gate_closed(part="POST /meetings"),
            "expected a gate POST /meetings to close, and there were none that did",
        ),
        (
            lambda log: log.assert_gates("closed"),
            "expected a gate to be closed, and there were closed, open",
        ),
    ],
)
def test_what_does_not_hold_of_guards_fails(fails: Callable[[EventLog], None], said: str) -> None:
    with pytest.raises(AssertionError) as failure:
        fails(log_of(*GUARDED))
    message, _, listing = str(failure.value).partition(":\n")
    assert message == said
    assert listing.splitlines()[1] == (
        "  2. hold       GET https://api.example/meetings: the throttle holds it for up to 2.500 s "
        "(the server asks for 1 s)"
    )
    assert len(listing.splitlines()) == 9


def test_a_log_without_events_says_so() -> None:
    with pytest.raises(AssertionError, match=r"1 attempt, and there were no attempts:\n  nothing"):
        EventLog().assert_attempts(1)
