"""The failures that `explain` speaks of, and the reasons that it gives."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from yarl import URL

from resilient import (
    Backoff,
    BreakerPolicy,
    BulkheadPolicy,
    ErrorPolicy,
    Policy,
    RetryPolicy,
    ThrottlePolicy,
)
from resilient.cli.explain.case import Case
from resilient.cli.explain.failures import Failure, failures
from resilient.cli.explain.notes import notes
from resilient.cli.explain.report import failure_rows
from resilient.cli.explain.times import times
from resilient.envelopes import CodeRule

HTTPS = URL("https://x.example")


def two_waits() -> Generator[float]:
    yield from (1, 2)


TWO_WAITS = Backoff(wait=two_waits)


def found(
    method: str = "GET", url: URL = HTTPS, *, no_wait: str | None = None, **policy: Any
) -> dict[tuple[str, int | str | None], Failure]:
    hop = Case(Policy(**policy), url, method, no_wait)
    return {(each.kind, each.code or each.status): each for each in failures(hop)}


def noted(method: str = "GET", url: URL = HTTPS, **policy: Any) -> str:
    hop = Case(Policy(**policy), url, method)
    return "\n".join(notes(hop, failures(hop), times(hop.policy, method)))


@pytest.mark.parametrize(
    ("method", "retry", "key", "repeated", "reason"),
    [
        ("GET", {}, 503, True, "in retry.statuses; GET is in retry.methods"),
        ("GET", {}, 404, False, "not in retry.statuses"),
        ("GET", {"statuses": [404]}, 404, True, "in retry.statuses; GET is in retry.methods"),
        ("GET", {"statuses": [599]}, 599, True, "in retry.statuses; GET is in retry.methods"),
        ("POST", {}, 429, True, "in retry.statuses; the server did not carry it out"),
        (
            "POST",
            {"statuses": [425]},
            425,
            True,
            "in retry.statuses; the server did not carry it out",
        ),
        ("POST", {}, 503, False, "in retry.statuses, but the POST may have been carried out"),
        ("POST", {"methods": ["POST"]}, 503, True, "in retry.statuses; POST is in retry.methods"),
        (
            "GET",
            {"methods": ["POST"]},
            503,
            False,
            "in retry.statuses, but the GET may have been carried out",
        ),
        (
            "POST",
            {"idempotency_header": "X-Once"},
            503,
            True,
            "in retry.statuses; X-Once lets the server tell a repetition",
        ),
        ("GET", {"max_attempts": 1}, 503, False, "in retry.statuses, but no attempt is left of 1"),
        ("GET", {"max_attempts": 1}, 404, False, "not in retry.statuses"),
        ("GET", {"codes": ["c"]}, "c", True, "in retry.codes; GET is in retry.methods"),
        ("GET", {"fatal_codes": ["c"]}, "c", False, "in retry.fatal_codes"),
        (
            "POST",
            {"codes": ["c"]},
            "c",
            False,
            "in retry.codes, but the POST may have been carried out (but not with 425 or 429)",
        ),
    ],
)
def test_the_reason_is_given(
    method: str, retry: dict[str, Any], key: int | str, repeated: bool, reason: str
) -> None:
    kind = "code" if isinstance(key, str) else "status"
    failure = found(method, retry=RetryPolicy(**retry))[kind, key]
    assert (failure.is_repeated, failure.reason) == (repeated, reason)


@pytest.mark.parametrize(
    ("kind", "method", "repeated", "reason"),
    [
        ("no_connection", "POST", True, "nothing was sent"),
        ("tls", "GET", False, "connecting again cannot mend it"),
        ("disconnected", "GET", True, "GET is in retry.methods"),
        ("disconnected", "POST", False, "the POST may have been carried out"),
        ("not_http", "GET", True, "GET is in retry.methods"),
        ("attempt_timeout", "POST", False, "the POST may have been carried out"),
        ("throttled", "GET", False, "ThrottledError comes out, and nothing was sent"),
        ("circuit_open", "GET", False, "CircuitOpenError comes out, and nothing was sent"),
    ],
)
def test_the_reason_of_what_is_no_answer(
    kind: str, method: str, repeated: bool, reason: str
) -> None:
    failure = found(method)[kind, None]
    assert (failure.is_repeated, failure.reason) == (repeated, reason)


def test_a_bulkhead_that_is_full_is_spoken_of_where_there_is_one() -> None:
    rows = found("POST", bulkhead=BulkheadPolicy(max_wait=2.5))
    failure = rows["bulkhead_full", None]
    assert failure.what == "no place in the bulkhead came free in 2.5 s"
    assert not failure.is_repeated
    assert failure.reason == "BulkheadFullError comes out, and nothing was sent"


def test_a_rule_that_gives_a_bare_status_a_code_is_named() -> None:
    errors = ErrorPolicy(code_rules=[CodeRule("limit", status=406), CodeRule("down", status=503)])
    rows = found(errors=errors, retry=RetryPolicy(codes=["limit"], fatal_codes=["down"]))
    assert rows["status", 406].is_repeated
    assert rows["status", 406].reason.startswith("by a rule it is limit, in retry.codes; ")
    assert rows["status", 503].reason == "by a rule it is down, in retry.fatal_codes"


def test_a_code_of_a_rule_goes_with_its_status() -> None:
    rules = [
        CodeRule("busy", status=503, message="busy"),
        CodeRule("taken", status=409, message="taken"),
        CodeRule("anything", message="any"),
    ]
    rows = found(errors=ErrorPolicy(code_rules=rules))
    assert (rows["code", "busy"].status, rows["code", "busy"].is_repeated) == (503, True)
    assert (rows["code", "taken"].status, rows["code", "taken"].is_repeated) == (409, False)
    # What any status may bring, the status decides.
    assert ("code", "anything") not in rows


@pytest.mark.parametrize(
    "without",
    [
        {"errors": None},
        {"errors": ErrorPolicy(ignore=range(400, 1000))},
        {"url": URL("wss://x.example")},
        {"method": "HEAD"},
    ],
    ids=str,
)
def test_there_are_no_codes_where_none_is_read(without: dict[str, Any]) -> None:
    retry = RetryPolicy(codes=["c"], fatal_codes=["d"])
    assert not [key for key in found(**{"retry": retry, **without}) if key[0] == "code"]


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("throttled", {"throttle": None}),
        ("throttled", {"throttle": ThrottlePolicy(learn=False)}),
        ("circuit_open", {"breaker": None}),
        ("circuit_open", {"breaker": BreakerPolicy(observe=True)}),
        ("attempt_timeout", {"attempt_timeout": None}),
        ("tls", {"url": URL("http://x.example")}),
        ("tls", {"url": URL("ws://x.example")}),
        ("body_cut_short", {"method": "HEAD"}),
        ("body_cut_short", {"url": URL("wss://x.example")}),
    ],
)
def test_what_cannot_happen_is_not_spoken_of(kind: str, policy: dict[str, Any]) -> None:
    assert (kind, None) in found()
    assert (kind, None) not in found(**policy)


def test_without_a_retry_aiohttp_has_one_of_its_own() -> None:
    rows = found(retry=None)
    assert rows["disconnected", None].is_repeated
    assert rows["disconnected", None].reason == "aiohttp itself sends a GET once more, at once"
    assert not found("POST", retry=None)["disconnected", None].is_repeated
    others = {
        each.reason
        for each in rows.values()
        if each.kind not in ("disconnected", "throttled", "circuit_open", "body_cut_short")
    }
    assert others == {"the policy has no retry"}


def test_without_a_wait_there_is_no_other_attempt() -> None:
    rows = found(no_wait="nobody waits")
    assert rows["status", 503].reason == "in retry.statuses, but nobody waits"
    assert rows["no_connection", None].reason == "nobody waits"
    # The gate says when.
    repeated = [each.status or each.kind for each in rows.values() if each.is_repeated]
    assert repeated == [429, "throttling_code"]
    without = found(no_wait="nobody waits", throttle=None)
    assert not any(each.is_repeated for each in without.values())


@pytest.mark.parametrize("seconds", [1.5, 30, 123456.5])
def test_the_limit_of_an_attempt_is_named(seconds: float) -> None:
    row = found(attempt_timeout=seconds, total_timeout=None, breaker=None)["attempt_timeout", None]
    assert row.what == f"no answer within {seconds:.10g} s"


@pytest.mark.parametrize(
    ("read_body_up_to", "repeated", "reason"),
    [
        (None, False, "retry.read_body_up_to is none"),
        (0, False, "retry.read_body_up_to is none"),
        (9, True, ""),
    ],
)
def test_a_body_is_read_within_the_attempt_if_asked_for(
    read_body_up_to: int | None, repeated: bool, reason: str
) -> None:
    row = found(retry=RetryPolicy(read_body_up_to=read_body_up_to))["body_cut_short", None]
    assert row.is_repeated == repeated
    assert reason in row.reason
    assert ("9 bytes" in row.what) == repeated


@pytest.mark.parametrize(
    ("note", "policy", "otherwise"),
    [
        ("retry.judge is asked first", {"retry": RetryPolicy(judge=lambda *_: None)}, {}),
        ("x-should-retry", {}, {"retry": RetryPolicy(heed_should_retry=False)}),
        ("charged to the budget", {}, {"retry": RetryPolicy(budget=None)}),
        (
            "a 429 closes a gate for every GET / at the same origin with the same Authorization",
            {},
            {"throttle": ThrottlePolicy(classes=False)},
        ),
        (
            "a gate for every call to the same origin+path:1",
            {"throttle": ThrottlePolicy(classes=False, key="origin+path:1")},
            {},
        ),
        ("closes a gate", {}, {"throttle": ThrottlePolicy(learn=False)}),
        ("once 3 such parts were refused", {}, {"throttle": None}),
        ("its stop_reason", {}, {"throttle": None}),
        ("Retry-After", {}, {"retry": RetryPolicy(max_attempts=1)}),
        ("read only once", {}, {"retry": None}),
        ("404, 410: handed over", {"errors": ErrorPolicy(ignore=[410, 404])}, {}),
        ("pooled connection", {}, {"method": "POST"}),
        ("Idempotency-Key", {"method": "POST"}, {}),
        ("WebSocket", {"url": URL("ws://x.example")}, {}),
        ("may end it sooner: after 300 s", {"total_timeout": 301, "attempt_timeout": 301}, {}),
        (
            "may end it sooner",
            {"total_timeout": None, "attempt_timeout": None},
            {"total_timeout": 300},
        ),
        (
            "gives 2 waits and no more: nothing is repeated after that",
            {"retry": RetryPolicy(max_attempts=5, backoff=TWO_WAITS)},
            {},
        ),
    ],
)
def test_what_else_decides_is_noted_where_it_does(
    note: str, policy: dict[str, Any], otherwise: dict[str, Any]
) -> None:
    assert note in noted(**{"breaker": None, **policy})
    assert note not in noted(**{"breaker": None, **otherwise})


@pytest.mark.parametrize(
    ("note", "breaker"),
    [
        ("callers wait for up to 2 s for a probe", BreakerPolicy()),
        ("once the outage is 30 s old they do not", BreakerPolicy()),
        ("callers wait for up to 9 s for a probe", BreakerPolicy(patience=9)),
        ("nothing is sent but probes: callers are refused at once", BreakerPolicy(patience=0)),
        ("only observes", BreakerPolicy(observe=True)),
    ],
)
def test_what_an_open_circuit_does_to_callers_is_noted(note: str, breaker: BreakerPolicy) -> None:
    assert note in noted(breaker=breaker)
    assert note not in noted(breaker=None)
    others = [BreakerPolicy(), BreakerPolicy(patience=0), BreakerPolicy(observe=True)]
    assert not all(note in noted(breaker=each) for each in others)


def test_every_hop_has_its_own_policy() -> None:
    assert "a redirect is another hop" in noted(retry=None)


def test_alike_failures_are_in_one_row() -> None:
    def failure(kind: Any, what: str, reason: str = "r", status: int | None = None) -> Failure:
        return Failure(kind, what, is_repeated=False, reason=reason, status=status)

    rows = [
        failure("status", "400", status=400),
        failure("status", "404", status=404),
        failure("status", "503", "other", status=503),
        failure("code", "a"),
        failure("code", "b", status=400),
        failure("code", "c"),
        failure("tls", "it failed"),
        failure("not_http", "it was none"),
    ]
    assert list(failure_rows(rows)) == [
        (("status 400, 404",), False, "r", ""),
        (("status 503",), False, "other", ""),
        (("code a, c",), False, "r", ""),
        (("code b with 400",), False, "r", ""),
        (("it failed", "it was none"), False, "r", ""),
    ]
