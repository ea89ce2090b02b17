"""Build the exception that ends a retry."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import ClientRequest

from resilient.core.call import Call, tell_attempts
from resilient.core.outcome import Outcome, is_cut_off, is_transport_failure
from resilient.errors import (
    AttemptTimeoutError,
    ConnectionFailedError,
    DeadlineExceededError,
    ResilientError,
)
from resilient.support.redact import public_url, summary

__all__ = ["headers_of", "surface"]


def headers_of(outcome: Outcome) -> Mapping[str, str]:
    """The headers that came with an outcome, if any did."""
    return getattr(outcome, "headers", None) or {}


def surface(error: Exception, request: ClientRequest, call: Call) -> Exception:
    """The exception to raise: typed, with what was attempted and why no more was."""
    final: Exception = error
    if not isinstance(error, ResilientError):
        if is_cut_off(error, request):
            final = DeadlineExceededError()
        elif isinstance(error, TimeoutError):
            final = AttemptTimeoutError()
        elif is_transport_failure(error):
            where = f"{request.method} {public_url(request.url)}"
            final = ConnectionFailedError(f"{where}: {summary(error)}")
    tell_attempts(final, call)
    return final
