"""List the ways in which a request may fail, and tell which lead to another attempt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, cast

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage
from attrs import evolve, frozen

from resilient.cli.explain.case import Case, FollowUp
from resilient.cli.explain.effects import NO_EFFECTS, Effects
from resilient.cli.plain import number
from resilient.core.statuses import NOT_CARRIED_OUT
from resilient.errors import (
    AttemptTimeoutError,
    BulkheadFullError,
    CircuitOpenError,
    RefusedError,
    ThrottledError,
    public_request_info,
)
from resilient.pipeline.policy import Policy
from resilient.reasons import Reason
from resilient.retry import RetryPolicy

__all__ = ["Failure", "Kind", "failures"]

Kind = Literal[
    "status",
    "code",
    "throttling_code",
    "quota_code",
    "no_connection",
    "tls",
    "disconnected",
    "not_http",
    "attempt_timeout",
    "body_cut_short",
    "throttled",
    "circuit_open",
    "bulkhead_full",
]

# Those that people ask about, besides those of the policy.
_STATUSES: Final = frozenset(
    {400, 401, 403, 404, 406, 408, 409, 422, 425, 429, 500, 501, 502, 503, 504}
)


@frozen
class Failure:
    """A way in which the first attempt may fail, and its consequence.

    Attributes:
        kind: The way.
        what: The same in words.
        is_repeated: True if another attempt follows.
        reason: Why, or why not, in words.
        why: The same for a program; None where no retry decides.
        status: That of the response: of a "status" (which comes without a code that the rules
            of the policy do not give it), and of a "code" that counts with one status only.
        code: The code of the error, of a "code".
        effects: What it does to others.
    """

    kind: Kind
    what: str
    is_repeated: bool
    reason: str
    why: Reason | None = None
    status: int | None = None
    code: str | None = None
    effects: Effects = NO_EFFECTS


def _failure(
    kind: Kind,
    what: str,
    follow_up: FollowUp,
    *,
    status: int | None = None,
    code: str | None = None,
) -> Failure:
    return Failure(
        kind,
        what,
        follow_up.is_repeated,
        follow_up.reason,
        follow_up.code,
        status=status,
        code=code,
        effects=follow_up.effects,
    )


def failures(case: Case) -> tuple[Failure, ...]:
    """Return the ways in which a request may fail, and what follows if the first attempt does."""
    return (*_by_status(case), *_by_code(case), *_of_transport(case), *_refused(case.policy))


def _by_status(case: Case) -> Iterator[Failure]:
    retry = case.policy.retry
    for status in sorted(_STATUSES | (retry.statuses if retry else frozenset())):
        yield _failure("status", str(status), case.after_status(status), status=status)


def _by_code(case: Case) -> Iterator[Failure]:
    """Go through the codes that the policy names and that a response can have."""
    retry, errors = case.policy.retry, case.policy.errors
    if retry is None or errors is None or case.method == "HEAD":
        # Without a body a code comes from a status alone.
        return
    listed = (*sorted(retry.codes), *sorted(retry.fatal_codes))
    for code, status in dict.fromkeys((rule.code, rule.status) for rule in errors.code_rules):
        if code not in listed and status is not None and case.is_raised(status):
            yield _failure("code", code, case.after_status(status, code), status=status, code=code)
    usual = _usual_status(case, retry)
    if usual is None:
        return
    for code in listed:
        follow_up = case.after_status(usual, code)
        if not follow_up.is_repeated and case.after_status(425, code).is_repeated:
            reason = f"{follow_up.reason} (but not with 425 or 429)"
            follow_up = evolve(follow_up, reason=reason)
        # The circuit asks for the status, and this code may come with any.
        effects = evolve(follow_up.effects, circuit=None)
        yield _failure("code", code, evolve(follow_up, effects=effects), code=code)
    what = 'a code that means "too many requests" (errors.throttling_codes)'
    yield _failure("throttling_code", what, case.after_status(usual, "", throttled=True))
    if case.is_raised(429):
        what = "429 with a code of a quota that is used up (errors.quota_codes)"
        follow_up = case.after_status(429, "", throttled=False)
        reason = "no wait that a call can make mends it"
        yield _failure("quota_code", what, evolve(follow_up, reason=reason))


def _usual_status(case: Case, retry: RetryPolicy) -> int | None:
    """Return a status with which the code decides, or None."""
    known = retry.statuses | NOT_CARRIED_OUT
    return next(
        (each for each in range(400, 600) if case.is_raised(each) and each not in known), None
    )


def _of_transport(case: Case) -> Iterator[Failure]:
    policy = case.policy

    def failure(kind: Kind, what: str, error: Exception, *, never_sent: bool = False) -> Failure:
        return _failure(kind, what, case.after_error(error, never_sent=never_sent))

    # Only the classes of these count here.
    key = cast("Any", None)
    what = "no connection could be made, or not in time"
    refused = aiohttp.ClientConnectorError(key, OSError())
    yield failure("no_connection", what, refused, never_sent=True)
    if case.url.scheme in ("https", "wss"):
        untrusted = aiohttp.ClientConnectorSSLError(key, OSError())
        yield failure("tls", "TLS or the certificate failed", untrusted, never_sent=True)
    what = "the connection broke before an answer came"
    yield failure("disconnected", what, aiohttp.ServerDisconnectedError())
    malformed = aiohttp.ClientResponseError(public_request_info(case.url, case.method), ())
    malformed.__cause__ = BadHttpMessage("")
    yield failure("not_http", "the answer was no HTTP", malformed)
    if policy.attempt_timeout is not None:
        what = f"no answer within {number(policy.attempt_timeout)} s"
        yield failure("attempt_timeout", what, AttemptTimeoutError())
    if case.method != "HEAD" and not case.is_handshake:
        yield _cut_short(case)


def _refused(policy: Policy) -> Iterator[Failure]:
    """Yield the refusals of guards: nothing is sent, and that is no attempt."""

    def refusal(kind: Kind, what: str, error: type[RefusedError]) -> Failure:
        reason = f"{error.__name__} comes out, and nothing was sent"
        return Failure(kind, what, is_repeated=False, reason=reason)

    throttle, breaker, bulkhead = policy.throttle, policy.breaker, policy.bulkhead
    if throttle is not None and (throttle.learn or throttle.limit is not None):
        what = f"a gate would hold it for too long (max_wait is {number(throttle.max_wait)} s)"
        yield refusal("throttled", what, ThrottledError)
    if breaker is not None and not breaker.observe:
        what = "the circuit is open"
        if breaker.patience:
            what += f", for longer than it may wait ({number(breaker.patience)} s)"
        yield refusal("circuit_open", what, CircuitOpenError)
    if bulkhead is not None:
        what = f"no place in the bulkhead came free in {number(bulkhead.max_wait)} s"
        yield refusal("bulkhead_full", what, BulkheadFullError)


def _cut_short(case: Case) -> Failure:
    retry = case.policy.retry
    what = "the body of the answer broke off"
    if retry is None or not retry.read_body_up_to:
        reason = "the answer is handed over before its body is read (retry.read_body_up_to is none)"
        return Failure("body_cut_short", what, is_repeated=False, reason=reason)
    follow_up = case.after_error(aiohttp.ClientPayloadError())
    what = f"the body of the answer, of at most {retry.read_body_up_to} bytes, broke off"
    # It was read when the circuit had taken the answer for good.
    counted = follow_up.effects.circuit and "success"
    effects = evolve(follow_up.effects, circuit=counted)
    return _failure("body_cut_short", what, evolve(follow_up, effects=effects))
