"""Put requests and their ends into the words of OpenTelemetry's conventions (1.44.0).

No value here is unbounded where it may become an attribute of a metric, and none has a secret:
errors go by their types, never by their texts, and URLs without userinfo.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from yarl import URL

from resilient.errors import (
    APIError,
    AttemptTimeoutError,
    BulkheadFullError,
    CircuitOpenError,
    ConnectionFailedError,
    DeadlineExceededError,
    SessionClosedError,
    ThrottledError,
)

__all__ = [
    "METHODS",
    "ErrorTypes",
    "attempt_span_name",
    "end_of_attempt",
    "is_cancellation",
    "shown_url",
]

# Any other is `_OTHER`.
METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)

# The keys whose values the conventions have redacted: signatures of signed URLs.
_SIGNATURES: Final = frozenset(
    {
        "awsaccesskeyid",
        "signature",
        "sig",
        "x-goog-signature",
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
    }
)

# The first that fits.
_KINDS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (CircuitOpenError, "circuit_open"),
    (ThrottledError, "throttled"),
    (BulkheadFullError, "bulkhead_full"),
    (DeadlineExceededError, "deadline"),
    (AttemptTimeoutError, "timeout"),
    (SessionClosedError, "session_closed"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    ((aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch), "tls"),
    (TimeoutError, "timeout"),
    (
        (ConnectionFailedError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError),
        "connection",
    ),
)

# Names of exceptions' own types, beyond which they are "_OTHER": a type can be made in a call.
_MOST_TYPES: Final = 100


def attempt_span_name(method: str, template: str | None) -> str:
    """Return the name of an attempt's span, which never has a path in it."""
    shown = method if method in METHODS else "HTTP"
    return shown if template is None else f"{shown} {template}"


def end_of_attempt(
    status: int | None, protocol: str | None, error: str | None
) -> dict[str, str | int]:
    """Return the attributes that say how an attempt ended; those that are None are left out.

    Args:
        status: The status of its response.
        protocol: The version of HTTP.
        error: Its `error.type`.
    """
    attributes: dict[str, str | int] = {}
    if status is not None:
        attributes["http.response.status_code"] = status
    if protocol is not None:
        attributes["network.protocol.version"] = protocol
    if error is not None:
        attributes["error.type"] = error
    return attributes


def is_cancellation(error: BaseException) -> bool:
    """Return whether the caller gave up, or the program ends: that is no error of the call."""
    return not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError)


class ErrorTypes:
    """Finds the `error.type` of an exception: of few values, whatever is raised."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: set[str] = set()

    def of(self, error: BaseException) -> str:
        """Return the type of an error: a status, one of our own words, or the name of its class."""
        if isinstance(error, APIError) and error.status >= 400:
            return str(error.status)
        if isinstance(error, ConnectionFailedError) and error.__cause__ is not None:
            error = error.__cause__
            if type(error) is aiohttp.ClientResponseError:
                # The answer was not HTTP.
                return "connection"
        for kinds, word in _KINDS:
            if isinstance(error, kinds):
                return word
        kind = type(error)
        name = kind.__qualname__
        if kind.__module__ != "builtins":
            name = f"{kind.__module__}.{name}"
        if name not in self._known:
            if len(self._known) >= _MOST_TYPES:
                return "_OTHER"
            self._known.add(name)
        return name


def shown_url(url: URL, *, show_query: bool) -> str:
    """Return a URL as `url.full` may have it, without userinfo and fragment.

    Args:
        url: The URL.
        show_query: Whether to show the query; otherwise `?*` stands in its place.
    """
    # Not by making URLs, which takes ten times as long.
    shown = f"{url.scheme}://{url.host_port_subcomponent}{url.raw_path}"
    if not url.raw_query_string:
        return shown
    if not show_query:
        return f"{shown}?*"
    parts = []
    for part in url.raw_query_string.split("&"):
        key, equals, _ = part.partition("=")
        is_secret = equals and URL(f"?{part}").query and _is_signature(part)
        parts.append(f"{key}=REDACTED" if is_secret else part)
    return f"{shown}?{'&'.join(parts)}"


def _is_signature(part: str) -> bool:
    """Return whether a part of a query is the value of a signature, in whatever spelling."""
    return any(key.lower() in _SIGNATURES for key in URL(f"?{part}").query)
