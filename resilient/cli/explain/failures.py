"""List the ways in which a request may fail, and tell which lead to another attempt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, cast

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage
from attrs import frozen

from resilient.cli.explain.hop import Hop
from resilient.cli.plain import number
from resilient.errors import AttemptTimeoutError, public_request_info
from resilient.retry import RetryPolicy
from resilient.retry.decision import NOT_CARRIED_OUT

__all__ = ["Failure", "Kind", "failures"]

Kind = Literal[
    "status",
    "code",
    "no_connection",
    "tls",
    "disconnected",
    "not_http",
    "attempt_timeout",
    "body_cut_short",
    "circuit_open",
]

# Those that people ask about, besides those of the policy.
_STATUSES: Final = frozenset({400, 401, 403, 404, 406, 409, 422, 425, 429, 500, 501, 502, 503, 504})


@frozen
class Failure:
    """A way in which the first attempt may fail, and its consequence.

    Attributes:
        kind: The way.
        what: The same in words.
        is_repeated: True if another attempt follows.
        reason: The reason for that, in words.
        status: That of the response: of a "status" (which comes without a code that the rules
            of the policy do not give it), and of a "code" that counts with one status only.
        code: The code of the error, of a "code".
    """

    kind: Kind
    what: str
    is_repeated: bool
    reason: str
    status: int | None = None
    code: str | None = None


def failures(hop: Hop) -> tuple[Failure, ...]:
    """Return the ways in which a request may fail, and what follows if the first attempt does."""
    return (*_by_status(hop), *_by_code(hop), *_of_transport(hop))


def _by_status(hop: Hop) -> Iterator[Failure]:
    retry = hop.policy.retry
    for status in sorted(_STATUSES | (retry.statuses if retry else frozenset())):
        verdict = hop.after_status(status)
        yield Failure("status", str(status), verdict.is_repeated, verdict.reason, status=status)


def _by_code(hop: Hop) -> Iterator[Failure]:
    """Go through the codes that the policy names and that a response can have."""
    retry, errors = hop.policy.retry, hop.policy.errors
    if retry is None or errors is None or hop.method == "HEAD":
        # Without a body a code comes from a status alone.
        return
    listed = (*sorted(retry.codes), *sorted(retry.fatal_codes))
    for code, status in dict.fromkeys((rule.code, rule.status) for rule in errors.code_rules):
        if code not in listed and status is not None and hop.is_raised(status):
            verdict = hop.after_status(status, code)
            yield Failure("code", code, verdict.is_repeated, verdict.reason, status, code)
    usual = _usual_status(hop, retry)
    if usual is None:
        return
    for code in listed:
        verdict = hop.after_status(usual, code)
        reason = verdict.reason
        if not verdict.is_repeated and hop.after_status(425, code).is_repeated:
            reason += " (but not with 425 or 429)"
        yield Failure("code", code, verdict.is_repeated, reason, code=code)


def _usual_status(hop: Hop, retry: RetryPolicy) -> int | None:
    """Return a status with which the code decides, or None."""
    known = retry.statuses | NOT_CARRIED_OUT
    return next(
        (each for each in range(400, 600) if hop.is_raised(each) and each not in known), None
    )


def _of_transport(hop: Hop) -> Iterator[Failure]:
    policy = hop.policy

    def failure(kind: Kind, what: str, error: Exception, *, never_sent: bool = False) -> Failure:
        verdict = hop.after_error(error, never_sent=never_sent)
        return Failure(kind, what, verdict.is_repeated, verdict.reason)

    # Only the classes of these count here.
    key = cast("Any", None)
    what = "no connection could be made, or not in time"
    refused = aiohttp.ClientConnectorError(key, OSError())
    yield failure("no_connection", what, refused, never_sent=True)
    if hop.url.scheme in ("https", "wss"):
        untrusted = aiohttp.ClientConnectorSSLError(key, OSError())
        yield failure("tls", "TLS or the certificate failed", untrusted, never_sent=True)
    what = "the connection broke before an answer came"
    yield failure("disconnected", what, aiohttp.ServerDisconnectedError())
    malformed = aiohttp.ClientResponseError(public_request_info(hop.url, hop.method), ())
    malformed.__cause__ = BadHttpMessage("")
    yield failure("not_http", "the answer was no HTTP", malformed)
    if policy.attempt_timeout is not None:
        what = f"no answer within {number(policy.attempt_timeout)} s"
        yield failure("attempt_timeout", what, AttemptTimeoutError())
    if hop.method != "HEAD" and not hop.is_handshake:
        yield _cut_short(hop)
    if policy.breaker is not None and not policy.breaker.observe:
        reason = "it would only be refused again"
        yield Failure("circuit_open", "the circuit is open", is_repeated=False, reason=reason)


def _cut_short(hop: Hop) -> Failure:
    retry = hop.policy.retry
    what = "the body of the answer broke off"
    if retry is None or not retry.read_body:
        reason = "the answer is handed over before its body is read (retry.read_body is none)"
        return Failure("body_cut_short", what, is_repeated=False, reason=reason)
    verdict = hop.after_error(aiohttp.ClientPayloadError())
    what = f"the body of the answer, of at most {retry.read_body} bytes, broke off"
    return Failure("body_cut_short", what, verdict.is_repeated, verdict.reason)
