"""The decision to try again, as a table: facts in, decision and reason out."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import BadStatusLine
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from resilient import (
    APIError,
    AttemptTimeoutError,
    Backoff,
    BulkheadFullError,
    CircuitOpenError,
    RetryPolicy,
    ThrottledError,
)
from resilient.attempts import Stop
from resilient.core.outcome import Outcome
from resilient.reasons import Reason
from resilient.retry.decision import Facts, decide, pace

INFO = aiohttp.RequestInfo(URL("http://a.example/"), "GET", CIMultiDictProxy(CIMultiDict()))
KEY = ConnectionKey("a.example", 80, False, True, None, None, None)
DEFAULT = RetryPolicy()


def api(status: int, code: str | None = None, *, throttled: bool | None = None) -> APIError:
    return APIError(INFO, status=status, code=code, throttled=throttled)


BUSY = api(400, "busy", throttled=True)
USED_UP = api(429, "used_up", throttled=False)


def malformed() -> aiohttp.ClientResponseError:
    error = aiohttp.ClientResponseError(INFO, (), status=400, message="Bad status line")
    error.__cause__ = BadStatusLine("nonsense")
    return error


def facts(error: Exception, **known: Any) -> Facts:
    outcome = Outcome.supposed(
        None, error, never_sent=known.pop("never_sent", False), stale=known.pop("stale", False)
    )
    return Facts(outcome=outcome, **{"method": "GET", "number": 1, "max_attempts": 3, **known})


REFUSED = aiohttp.ClientConnectorError(KEY, OSError(111, "Connection refused"))
BAD_CERTIFICATE = aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("expired"))
RESET = aiohttp.ClientOSError(104, "Connection reset by peer")
ONCE = Stop(Reason.BODY, "its body can be read only once")
DROPPED = aiohttp.ServerDisconnectedError()


@pytest.mark.parametrize(
    ("outcome", "known", "repeat", "reason"),
    [
        # Statuses.
        (api(503), {}, True, "status 503"),
        (api(500), {}, True, "status 500"),
        (api(404), {}, False, "status 404 is not repeated"),
        (api(408), {}, True, "status 408"),
        (api(408), {"method": "POST"}, False, "may have been carried out"),
        (api(501), {}, False, "status 501 is not repeated"),
        (api(520), {}, True, "status 520"),
        (api(429), {}, True, "status 429"),
        # A code may mean "too many requests", or that a 429 means something else.
        (BUSY, {}, True, "status 400 busy"),
        (BUSY, {"method": "POST"}, False, "may have been carried out"),
        (USED_UP, {}, False, "status 429 used_up is not repeated"),
        (USED_UP, {"hint": True}, True, "x-should-retry: true"),
        # Methods: may it have been carried out?
        (api(503), {"method": "PUT"}, True, "status 503"),
        (api(503), {"method": "DELETE"}, True, "status 503"),
        (api(503), {"method": "POST"}, False, "the POST may have been carried out"),
        (api(503), {"method": "PATCH"}, False, "the PATCH may have been carried out"),
        (api(429), {"method": "POST"}, True, "status 429"),
        (api(503), {"method": "POST", "keyed": True}, True, "status 503"),
        (api(503), {"method": "POST", "idempotent": True}, True, "status 503"),
        (api(503), {"method": "PUT", "idempotent": False}, False, "may have been carried out"),
        # A key does not outweigh what the caller says of this very block of code.
        (api(503), {"method": "POST", "keyed": True, "idempotent": False}, False, "carried out"),
        # The transport.
        (DROPPED, {}, True, "ServerDisconnectedError"),
        (DROPPED, {"method": "POST"}, False, "the POST may have been carried out"),
        (RESET, {}, True, "Connection reset by peer"),
        (REFUSED, {"method": "POST", "never_sent": True}, True, "Connection refused"),
        (BAD_CERTIFICATE, {"never_sent": True}, False, "is not repeated"),
        (AttemptTimeoutError(1.0), {}, True, "AttemptTimeoutError"),
        (AttemptTimeoutError(1.0), {"method": "POST"}, False, "may have been carried out"),
        (AttemptTimeoutError(1.0), {"method": "POST", "never_sent": True}, True, "Timeout"),
        (aiohttp.ClientPayloadError(), {}, True, "ClientPayloadError"),
        (malformed(), {}, True, "ClientResponseError"),
        (malformed(), {"method": "POST"}, False, "may have been carried out"),
        # What is nobody's failure but ours.
        (CircuitOpenError("k", 1.0), {"never_sent": True}, False, "is not repeated"),
        (BulkheadFullError("k"), {"never_sent": True}, False, "is not repeated"),
        (ThrottledError("k", 1.0), {"never_sent": True}, False, "is not repeated"),
        (ValueError("a bug"), {}, False, "ValueError is not repeated"),
        # Attempts, time and body come before anybody's opinion.
        (api(503), {"number": 3}, False, "no attempt is left of 3"),
        (api(503), {"number": 3, "judged": True}, False, "no attempt is left"),
        (api(503), {"obstacle": ONCE}, False, "read only once"),
        (api(503), {"obstacle": ONCE, "hint": True}, False, "read only once"),
        # The hook, before the server; the server, before idempotency and status.
        (api(404), {"judged": True}, True, "the judge hook asks for another attempt"),
        (api(503), {"judged": False}, False, "the judge hook asks for no other attempt"),
        (api(503), {"judged": False, "hint": True}, False, "judge hook"),
        (api(409), {"hint": True}, True, "x-should-retry: true"),
        (api(503), {"hint": False}, False, "x-should-retry: false"),
        # No header of a server makes a request repeatable, whatever the caller said of it.
        (api(503), {"method": "POST", "hint": True}, False, "may have been carried out"),
        (api(503), {"hint": True, "idempotent": False}, False, "may have been carried out"),
        (api(429), {"method": "POST", "hint": True}, True, "x-should-retry: true"),
        # A judge is the caller's, and `override(idempotent=False)` is nearer.
        (api(503), {"method": "POST", "judged": True}, True, "the judge hook asks"),
        (api(503), {"judged": True, "idempotent": False}, False, "may have been carried out"),
        # A stale connection is made up for, also after the last attempt, once a hop.
        (DROPPED, {"stale": True, "number": 3}, True, "sent again at once"),
        (DROPPED, {"stale": True, "number": 3, "resent": True}, False, "no attempt is left"),
        (DROPPED, {"stale": True, "method": "POST"}, False, "may have been carried out"),
        (DROPPED, {"stale": True, "idempotent": False}, False, "may have been carried out"),
        (DROPPED, {"stale": True, "judged": False}, False, "judge hook"),
        (DROPPED, {"stale": True, "obstacle": ONCE}, False, "read only once"),
    ],
)
def test_the_questions_are_asked_in_their_order(
    outcome: Exception, known: dict[str, Any], repeat: bool, reason: str
) -> None:
    decision = decide(DEFAULT, facts(outcome, **known))
    assert decision.repeat is repeat
    assert reason in decision.words


@pytest.mark.parametrize(
    ("policy", "outcome", "known", "code"),
    [
        (DEFAULT, api(503), {}, Reason.STATUS),
        (DEFAULT, api(429), {}, Reason.THROTTLED),
        (DEFAULT, BUSY, {}, Reason.THROTTLED),
        (RetryPolicy(fatal_codes={"busy"}), BUSY, {}, Reason.FATAL_CODE),
        (DEFAULT, USED_UP, {}, Reason.FATAL_CODE),
        (RetryPolicy(codes={"used_up"}), USED_UP, {}, Reason.STATUS),
        (RetryPolicy(codes={"busy"}), api(409, "busy"), {}, Reason.CODE),
        (RetryPolicy(exceptions=ValueError), ValueError(), {}, Reason.EXCEPTION),
        (DEFAULT, DROPPED, {}, Reason.TRANSPORT),
        (DEFAULT, DROPPED, {"stale": True}, Reason.STALE_CONNECTION),
        (DEFAULT, AttemptTimeoutError(1.0), {}, Reason.TIMEOUT),
        (DEFAULT, api(404), {"judged": True}, Reason.JUDGE),
        (DEFAULT, api(409), {"hint": True}, Reason.SERVER_HINT),
        (DEFAULT, api(404), {}, Reason.NOT_RETRYABLE),
        (DEFAULT, api(503), {"judged": False}, Reason.JUDGE),
        (RetryPolicy(fatal_codes={"quota"}), api(429, "quota"), {}, Reason.FATAL_CODE),
        (DEFAULT, BAD_CERTIFICATE, {"never_sent": True}, Reason.PERMANENT),
        (DEFAULT, api(503), {"number": 3}, Reason.ATTEMPTS),
        (DEFAULT, api(503), {"obstacle": ONCE}, Reason.BODY),
        (DEFAULT, api(503), {"method": "POST"}, Reason.NOT_IDEMPOTENT),
    ],
)
def test_each_decision_has_its_reason_for_a_program(
    policy: RetryPolicy, outcome: Exception, known: dict[str, Any], code: Reason
) -> None:
    assert decide(policy, facts(outcome, **known)).code is code


@pytest.mark.parametrize(
    ("policy", "outcome", "known", "repeat"),
    [
        (RetryPolicy(statuses={404}), api(404), {}, True),
        (RetryPolicy(statuses={404}), api(503), {}, False),
        (RetryPolicy(statuses={400}), BUSY, {}, True),
        (RetryPolicy(statuses={503}), BUSY, {}, False),
        (RetryPolicy(statuses={425}), api(425), {"method": "POST"}, True),
        (RetryPolicy(methods={"post"}), api(503), {"method": "POST"}, True),
        (RetryPolicy(methods={"GET"}), api(503), {"method": "PUT"}, False),
        (RetryPolicy(methods={"GET"}), api(429), {"method": "PUT"}, True),
        (RetryPolicy(exceptions=ValueError), ValueError(), {}, True),
        (RetryPolicy(exceptions=(KeyError,)), ValueError(), {}, False),
        (RetryPolicy(exceptions=ValueError), ValueError(), {"method": "POST"}, False),
        (RetryPolicy(codes={"slot_unavailable"}), api(400, "slot_unavailable"), {}, True),
        (RetryPolicy(codes={"slot_unavailable"}), api(400, "bad_request"), {}, False),
        (RetryPolicy(fatal_codes={"quota"}), api(429, "quota"), {}, False),
        (RetryPolicy(fatal_codes={"quota"}), api(429, "busy"), {}, True),
    ],
)
def test_a_policy_changes_what_is_worth_another_attempt(
    policy: RetryPolicy, outcome: Exception, known: dict[str, Any], repeat: bool
) -> None:
    assert decide(policy, facts(outcome, **known)).repeat is repeat


def asks(request: object, outcome: object) -> bool:
    return True


@pytest.mark.parametrize(
    ("policy", "outcome", "known"),
    [
        (RetryPolicy(judge=asks), api(418), {}),
        (DEFAULT, api(409), {"hint": True}),
        (RetryPolicy(fatal_codes={"dead"}), api(503, "dead"), {"hint": True}),
    ],
)
def test_the_last_attempt_of_what_was_repeated_on_demand_says_that_it_was_the_last(
    policy: RetryPolicy, outcome: Exception, known: dict[str, Any]
) -> None:
    decision = decide(policy, facts(outcome, number=3, **known))
    assert (decision.words, decision.refused) == ("no attempt is left of 3", True)


def test_only_what_was_worth_another_attempt_counts_as_refused() -> None:
    assert decide(DEFAULT, facts(api(503), number=3)).refused
    assert decide(DEFAULT, facts(api(503), method="POST")).refused
    assert not decide(DEFAULT, facts(api(404), number=3)).refused
    assert not decide(DEFAULT, facts(api(404))).refused


SHORT = RetryPolicy(max_retry_after=10, backoff=Backoff(cap=4))


@pytest.mark.parametrize(
    ("planned", "retry_after", "random", "left", "wait"),
    [
        (1.0, None, 0.9, 100.0, 1.0),
        (1.0, 0.0, 0.9, 100.0, 1.0),
        # A floor, spread upward by half at the most, and by no more than the backoff's cap.
        (0.1, 2.0, 0.0, 100.0, 2.0),
        (0.1, 2.0, 1.0, 100.0, 3.0),
        (0.1, 10.0, 1.0, 100.0, 14.0),
        (3.5, 2.0, 0.0, 100.0, 3.5),
        # The spread gives way to the time left; the floor does not.
        (0.1, 2.0, 1.0, 2.5, 2.0),
        (0.1, 2.0, 1.0, 5.0, 2.5),
        (0.1, 2.0, 0.0, 2.0, None),
        (0.1, 2.0, 0.0, 1.0, None),
        (3.0, None, 0.0, 2.0, None),
        (3.0, None, 0.0, -1.0, None),
        # More than the policy allows.
        (0.1, 10.1, 0.0, 100.0, None),
        (0.1, 2.0**31, 0.0, float("inf"), None),
    ],
)
def test_the_servers_time_is_a_floor_and_never_undercut(
    planned: float, retry_after: float | None, random: float, left: float, wait: float | None
) -> None:
    given, code, reason = pace(planned, retry_after, policy=SHORT, random=random, left=left)
    assert given == (wait if wait is None else pytest.approx(wait))
    assert (code is None) == (wait is not None)
    assert (reason != "") == (wait is None or bool(retry_after))
