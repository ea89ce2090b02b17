"""What an attempt came to, and what that means.

An outcome is a response or an exception. Retry and breaker ask the same questions of it:
which status it carries, whether anything can have been sent, whether the transport failed,
whether trying again can help at all.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import aiohttp
from aiohttp import ClientRequest, ClientResponse
from aiohttp.http_exceptions import HttpProcessingError

from resilient.errors import APIError, AttemptTimeoutError, CircuitOpenError

__all__ = [
    "IDEMPOTENT_METHODS",
    "Outcome",
    "Verdict",
    "is_cut_off",
    "is_handshake",
    "is_malformed",
    "is_permanent",
    "is_stale",
    "is_transport_failure",
    "judge_health",
    "session_ran_out",
    "status_of",
    "was_never_sent",
]

Outcome = ClientResponse | Exception

# RFC 9110 9.2.2.
IDEMPOTENT_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})


class Verdict(Enum):
    """How an outcome is judged."""

    SUCCESS = "success"
    TRANSIENT = "transient"  # may go better next time
    THROTTLED = "throttled"  # the server asks for less
    NEUTRAL = "neutral"  # says nothing of the server


def is_malformed(error: Exception) -> bool:
    """Whether what came back was not HTTP; aiohttp reports that as a status 400 of its own."""
    return isinstance(error, aiohttp.ClientResponseError) and isinstance(
        error.__cause__, HttpProcessingError
    )


def status_of(outcome: Outcome) -> int | None:
    """The status that the server (or a proxy) gave, or None if none came."""
    if isinstance(outcome, ClientResponse):
        return outcome.status
    if isinstance(outcome, aiohttp.ClientResponseError) and not is_malformed(outcome):
        return outcome.status
    return None


def was_never_sent(error: Exception, request: ClientRequest, before: object) -> bool:
    """Whether nothing of the request can have reached the server.

    Args:
        error: The outcome of the attempt.
        request: The request.
        before: `request.response` as it was before the attempt. aiohttp replaces it as soon
            as it writes, so that one that is still the same was never written.
    """
    if isinstance(error, AttemptTimeoutError) and request.response is before:
        return True
    if isinstance(error, APIError) and error.__cause__ is not None:
        # The status is that of a proxy that refused to connect, if so.
        return isinstance(error.__cause__, aiohttp.ClientHttpProxyError)
    return isinstance(
        error,
        aiohttp.ClientConnectorError
        | aiohttp.ConnectionTimeoutError
        | aiohttp.ClientHttpProxyError
        | aiohttp.ServerFingerprintMismatch
        | CircuitOpenError,
    )


def is_permanent(error: Exception) -> bool:
    """Whether connecting again cannot help: certificates and TLS do not mend themselves."""
    return isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch)


def is_transport_failure(error: Exception) -> bool:
    """Whether the connection, or what came over it, failed; time-outs included."""
    if isinstance(error, CircuitOpenError):
        return False
    return isinstance(
        error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | TimeoutError
    ) or is_malformed(error)


def is_stale(error: Exception) -> bool:
    """Whether an attempt over a pooled connection failed as one does that was closed before."""
    return isinstance(
        error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError
    ) and not isinstance(error, aiohttp.ClientConnectorError)


def session_ran_out(request: ClientRequest, *, unknown: bool = False) -> bool:
    """Whether aiohttp's own total timeout has run out, so that no attempt can succeed any more.

    Its timer shows in nothing public; `unknown` is the answer where its flag cannot be read.
    """
    timer = getattr(request, "_timer", None)
    # The timer of a request without such a timeout has no flag.
    return unknown if timer is None else bool(getattr(timer, "_cancelled", False))


def is_cut_off(error: Exception, request: ClientRequest) -> bool:
    """Whether an attempt ended because aiohttp's own total timeout ran out.

    That comes as a plain `TimeoutError`. Trying again after it would outlive the user's
    limit, so that in doubt it is taken for one.
    """
    return type(error) is TimeoutError and session_ran_out(request, unknown=True)


def is_handshake(request: ClientRequest) -> bool:
    """Whether this opens a WebSocket; what comes of that is for aiohttp to judge."""
    return "Sec-WebSocket-Key" in request.headers


def judge_health(outcome: Outcome, failing: frozenset[int]) -> Verdict:
    """What an outcome says of the health of the server, for a breaker.

    Args:
        outcome: A response or an exception.
        failing: The statuses that count as failures.
    """
    status = status_of(outcome)
    if status is not None:
        if status in failing:
            return Verdict.TRANSIENT
        return Verdict.THROTTLED if status == 429 else Verdict.SUCCESS
    if isinstance(outcome, Exception) and is_transport_failure(outcome):
        return Verdict.TRANSIENT
    # Nothing of the transport's: a bug, or another middleware's own exception.
    return Verdict.NEUTRAL
